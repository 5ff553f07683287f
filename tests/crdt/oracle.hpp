// The oracle: what a CRDT must show, worked out from the whole history.
//
// Purpose: a second opinion. It keeps every operation with everything that happened before it,
// and reads the contract of the types literally, over and over from the start: slow and plain. It
// includes nothing of joinery.
// Invariants: events are numbered in an order that respects causality; `seen` is closed under
// what happened before.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace oracle {

enum class type { lww, mv, set, counter, g_counter, tally, max, min, flag, map, cell, product };
/// Maps and cells have one inside; a product has several things side by side: a record's fields, or
/// records.
struct shape {
  type outer{};
  std::vector<shape> inside{};
};

enum class verb {
  write,
  add,
  remove,
  count,
  grant,
  put,
  enable,
  disable,
  create,
  update,
  amend,  ///< an update that is no touch: a migration's
  erase,
  erase_final,
  within  ///< in a product
};

/// What a program asked for.
struct op {
  verb what{};
  std::int64_t value = 0;   ///< written, added, removed, granted
  std::int64_t key = 0;     ///< in a tally or map; which part of a product
  std::int64_t rank = 0;    ///< of a write
  std::uint64_t ahead = 0;  ///< how far the writer's clock runs ahead
  std::vector<op> inner{};  ///< of what goes on inside, one
  int incarnation = 0;      ///< which life of the cell it was meant for
};

using event_set = std::bitset<64>;

struct event {
  op what;
  int replica = 0;
  std::uint64_t time = 0;
  event_set seen;  ///< all that happened before it, its own changeset's earlier operations included
};

struct history {
  std::vector<event> events;
  std::vector<int> order_of_ids;  ///< replica → the place of its id among the ids
};

/// What an event did to one place in a value.
struct deed {
  int event = 0;
  const op* what = nullptr;
};
using deeds = std::vector<deed>;

inline const event& event_of(const history& h, const deed& d) {
  return h.events[static_cast<std::size_t>(d.event)];
}

inline deeds deeds_of(const history& h, const event_set& seen) {
  deeds out;
  for (std::size_t e = 0; e < h.events.size(); ++e)
    if (seen.test(e)) out.push_back({static_cast<int>(e), &h.events[e].what});
  return out;
}

inline bool happened_before(const history& h, const deed& a, const deed& b) {
  return event_of(h, b).seen.test(static_cast<std::size_t>(a.event));
}

/// Those of `which` verb that no deed of `by` verb saw.
template <class Is, class Undoes>
deeds not_undone(const history& h, const deeds& all, Is is, Undoes undoes) {
  deeds out;
  for (const auto& d : all) {
    if (!is(d)) continue;
    bool undone = false;
    for (const auto& later : all)
      if (undoes(d, later) && happened_before(h, d, later)) undone = true;
    if (!undone) out.push_back(d);
  }
  return out;
}

struct cell_reading {
  int incarnation = 0;
  bool alive = false;
  deeds inner;  ///< what updates of the incarnation did to the value
};

inline bool is_erasure(const deed& d) {
  return d.what->what == verb::erase || d.what->what == verb::erase_final;
}

inline cell_reading read_cell(const history& h, const deeds& all) {
  cell_reading out;
  for (const auto& d : all) out.incarnation = std::max(out.incarnation, d.what->incarnation);
  deeds mine;
  bool killed = false;
  for (const auto& d : all) {
    if (d.what->incarnation != out.incarnation) continue;
    mine.push_back(d);
    killed = killed || d.what->what == verb::erase_final;
    if (d.what->what == verb::update || d.what->what == verb::amend)
      out.inner.push_back({d.event, &d.what->inner.front()});
  }
  const auto touches = not_undone(
      h, mine, [](const deed& d) { return !is_erasure(d) && d.what->what != verb::amend; },
      [](const deed&, const deed& later) { return is_erasure(later); });
  out.alive = !killed && !touches.empty();
  return out;
}

inline std::map<std::int64_t, deeds> by_key(const deeds& all) {
  std::map<std::int64_t, deeds> out;
  for (const auto& d : all) out[d.what->key].push_back(d);
  return out;
}

/// What is done to one part of a product.
inline deeds within(const deeds& all, std::size_t part) {
  deeds out;
  for (const auto& d : all)
    if (d.what->key == static_cast<std::int64_t>(part))
      out.push_back({d.event, &d.what->inner.front()});
  return out;
}

/// The writes of a register that no other has seen, the one that is shown last.
inline deeds in_force(const history& h, const deeds& all) {
  auto out = not_undone(
      h, all, [](const deed&) { return true; }, [](const deed&, const deed&) { return true; });
  const auto standing = [&](const deed& d) {
    const auto& e = event_of(h, d);
    return std::tuple{d.what->rank, e.time, h.order_of_ids[static_cast<std::size_t>(e.replica)]};
  };
  std::sort(out.begin(), out.end(),
            [&](const deed& a, const deed& b) { return standing(a) < standing(b); });
  return out;
}

inline std::set<std::int64_t> values_of(const deeds& writes) {
  std::set<std::int64_t> out;
  for (const auto& d : writes) out.insert(d.what->value);
  return out;
}

inline std::string read_register(const history& h, const deeds& all, bool show_all) {
  const auto writes = in_force(h, all);
  if (writes.empty()) return "none";
  const auto values = values_of(writes);
  std::string out;
  if (show_all)
    for (const auto v : values) out += std::to_string(v) + " ";
  else
    out = std::to_string(writes.back().what->value) + " ";
  return out + (values.size() > 1 ? "in conflict" : "");
}

inline std::string read_set(const history& h, const deeds& all) {
  const auto adds = not_undone(
      h, all, [](const deed& d) { return d.what->what == verb::add; },
      [](const deed& add, const deed& later) {
        return later.what->what == verb::remove && later.what->value == add.what->value;
      });
  std::set<std::int64_t> elements;
  for (const auto& d : adds) elements.insert(d.what->value);
  std::string out;
  for (const auto v : elements) out += std::to_string(v) + " ";
  return out;
}

inline std::string read_tally(const deeds& all) {
  std::string out;
  std::int64_t sum = 0;
  for (const auto& [key, grants] : by_key(all)) {
    std::int64_t most = 0;
    for (const auto& d : grants) most = std::max(most, d.what->value);
    sum += most;
    out += std::to_string(key) + "=" + std::to_string(most) + " ";
  }
  return out + "sum " + std::to_string(sum);
}

inline std::string read_extremum(const deeds& all, bool greatest) {
  std::optional<std::int64_t> best;
  for (const auto& d : all) {
    const auto v = d.what->value;
    if (!best || (greatest ? v > *best : v < *best)) best = v;
  }
  return best ? std::to_string(*best) : "none";
}

inline std::string read(const shape& t, const history& h, const deeds& all) {
  switch (t.outer) {
    case type::lww: return read_register(h, all, false);
    case type::mv: return read_register(h, all, true);
    case type::set: return read_set(h, all);
    case type::counter:
    case type::g_counter: {
      std::int64_t sum = 0;
      for (const auto& d : all) sum += d.what->value;
      return std::to_string(sum);
    }
    case type::tally: return read_tally(all);
    case type::max: return read_extremum(all, true);
    case type::min: return read_extremum(all, false);
    case type::flag: {
      const auto on = not_undone(
          h, all, [](const deed& d) { return d.what->what == verb::enable; },
          [](const deed&, const deed& later) { return later.what->what == verb::disable; });
      return on.empty() ? "off" : "on";
    }
    case type::cell: {
      const auto c = read_cell(h, all);
      return c.alive ? read(t.inside.front(), h, c.inner) : "dead";
    }
    case type::map: {
      std::string out;
      for (const auto& [key, deeds_there] : by_key(all)) {
        const auto c = read_cell(h, deeds_there);
        if (c.alive) out += std::to_string(key) + ": (" + read(t.inside.front(), h, c.inner) + ") ";
      }
      return out;
    }
    case type::product: {
      std::string out;
      for (std::size_t part = 0; part < t.inside.size(); ++part)
        out += std::to_string(part) + "=(" + read(t.inside[part], h, within(all, part)) + ") ";
      return out;
    }
  }
  return {};
}

/// The open conflicts: each register of different values in a living cell, with its writes.
inline std::string ledger(const shape& t, const history& h, const deeds& all,
                          const std::string& path = {}) {
  std::string out;
  switch (t.outer) {
    case type::lww:
    case type::mv: {
      const auto writes = in_force(h, all);
      if (values_of(writes).size() < 2) return {};
      out = path + ":";
      for (const auto& d : writes)
        out += " " + std::to_string(d.what->value) + " by " +
               std::to_string(event_of(h, d).replica) + " at " +
               std::to_string(event_of(h, d).time) + " rank " + std::to_string(d.what->rank);
      return out + "; ";
    }
    case type::cell: {
      const auto c = read_cell(h, all);
      return c.alive ? ledger(t.inside.front(), h, c.inner, path) : "";
    }
    case type::map:
      for (const auto& [key, deeds_there] : by_key(all)) {
        const auto c = read_cell(h, deeds_there);
        if (c.alive) out += ledger(t.inside.front(), h, c.inner, path + "/" + std::to_string(key));
      }
      return out;
    case type::product:
      for (std::size_t part = 0; part < t.inside.size(); ++part)
        out += ledger(t.inside[part], h, within(all, part), path + "." + std::to_string(part));
      return out;
    default: return {};
  }
}

/// Says for which life of each cell `o` is meant, by one who has seen `all`. False when the
/// contract refuses it.
inline bool address(const shape& t, const history& h, const deeds& all, op& o) {
  if (t.outer == type::product) {
    const auto part = static_cast<std::size_t>(o.key);
    return address(t.inside[part], h, within(all, part), o.inner.front());
  }
  if (t.outer != type::map && t.outer != type::cell) return true;
  const bool in_map = t.outer == type::map;
  const auto c = read_cell(h, in_map ? by_key(all)[o.key] : all);
  const bool changes = o.what == verb::update || o.what == verb::amend;
  // A dead record refuses all but creation; an update under an absent key of a map makes the entry.
  if (!c.alive && o.what != verb::create && !(changes && in_map)) return false;
  o.incarnation = c.incarnation + (c.alive ? 0 : 1);
  if (!changes) return true;
  return address(t.inside.front(), h, c.alive ? c.inner : deeds{}, o.inner.front());
}

}  // namespace oracle
