// The oracle: what a CRDT must show, worked out from the whole history.
//
// Purpose: a second opinion. It keeps every operation with everything that happened before it,
// and reads the contract of the types literally, over and over from the start: slow and plain. It
// includes nothing of joinery.
// Invariants: events are numbered in an order that respects causality; `seen` is closed under
// what happened before.
// Thread-safety: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace oracle {

enum class type { lww, mv, set, counter, g_counter, tally, max, min, flag, map, cell };
/// From the outside in; only maps and cells have an inside.
using types = std::vector<type>;

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
  erase,
  erase_final
};

/// What a program asked for.
struct op {
  verb what{};
  std::int64_t value = 0;   ///< written, added, removed, granted
  std::int64_t key = 0;     ///< in a tally or map
  std::int64_t rank = 0;    ///< of a write
  std::uint64_t ahead = 0;  ///< how far the writer's clock runs ahead
  std::vector<op> inner{};  ///< of an update, one
  int incarnation = 0;      ///< which life of the cell it was meant for
};

struct event {
  op what;
  int replica = 0;
  std::uint64_t time = 0;
  std::set<int>
      seen;  ///< all that happened before it, its own changeset's earlier operations included
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

inline deeds deeds_of(const history& h, const std::set<int>& seen) {
  deeds out;
  for (const int e : seen) out.push_back({e, &h.events[static_cast<std::size_t>(e)].what});
  return out;
}

inline bool happened_before(const history& h, const deed& a, const deed& b) {
  return h.events[static_cast<std::size_t>(b.event)].seen.count(a.event) != 0;
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
    if (d.what->what == verb::update) out.inner.push_back({d.event, &d.what->inner.front()});
  }
  const auto touches = not_undone(
      h, mine, [](const deed& d) { return !is_erasure(d); },
      [](const deed&, const deed& later) { return is_erasure(later); });
  out.alive = !killed && !touches.empty();
  return out;
}

inline std::map<std::int64_t, deeds> by_key(const deeds& all) {
  std::map<std::int64_t, deeds> out;
  for (const auto& d : all) out[d.what->key].push_back(d);
  return out;
}

inline std::string read_register(const history& h, const deeds& all, bool show_all) {
  const auto any = [](const deed&) { return true; };
  const auto in_force = not_undone(h, all, any, [](const deed&, const deed&) { return true; });
  if (in_force.empty()) return "none";
  std::set<std::int64_t> values;
  const deed* best = nullptr;
  const auto greater = [&](const deed& a, const deed& b) {
    const auto& x = h.events[static_cast<std::size_t>(a.event)];
    const auto& y = h.events[static_cast<std::size_t>(b.event)];
    if (a.what->rank != b.what->rank) return a.what->rank > b.what->rank;
    if (x.time != y.time) return x.time > y.time;
    return h.order_of_ids[static_cast<std::size_t>(x.replica)] >
           h.order_of_ids[static_cast<std::size_t>(y.replica)];
  };
  for (const auto& d : in_force) {
    values.insert(d.what->value);
    if (best == nullptr || greater(d, *best)) best = &d;
  }
  std::string out;
  if (show_all)
    for (const auto v : values) out += std::to_string(v) + " ";
  else
    out = std::to_string(best->what->value) + " ";
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

inline std::string read(const types& t, const history& h, const deeds& all) {
  const types inside(t.begin() + 1, t.end());
  switch (t.front()) {
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
      return c.alive ? read(inside, h, c.inner) : "dead";
    }
    case type::map: {
      std::string out;
      for (const auto& [key, deeds_there] : by_key(all)) {
        const auto c = read_cell(h, deeds_there);
        if (c.alive) out += std::to_string(key) + ": (" + read(inside, h, c.inner) + ") ";
      }
      return out;
    }
  }
  return {};
}

/// Says for which life of each cell `o` is meant, by one who has seen `all`. False when the
/// contract refuses it.
inline bool address(const types& t, const history& h, const deeds& all, op& o) {
  if (t.front() != type::map && t.front() != type::cell) return true;
  const bool in_map = t.front() == type::map;
  const auto c = read_cell(h, in_map ? by_key(all)[o.key] : all);
  const bool erases = o.what == verb::erase || o.what == verb::erase_final;
  // A dead record refuses updates; an update under an absent key of a map makes the entry.
  if (!c.alive && (erases || (o.what == verb::update && !in_map))) return false;
  o.incarnation = c.incarnation + (c.alive ? 0 : 1);
  if (o.what != verb::update) return true;
  const types inside(t.begin() + 1, t.end());
  return address(inside, h, c.alive ? c.inner : deeds{}, o.inner.front());
}

}  // namespace oracle
