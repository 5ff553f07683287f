// oracle: the canonical state, worked out from the graph of all changesets.
//
// Purpose: a second opinion on everything that a replica stores. It goes over all events each time
// and asks of any two only whether one happened before the other, literally as docs/semantics.md
// says; it shares the decoding of changesets with the engine, and no code that merges.
// Invariants: gives the bytes of docs/format.md, "The canonical state".
// Thread-safety: pure functions over a graph that does not change meanwhile.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "joinery/base/cursor.hpp"
#include "joinery/testing/event_graph.hpp"

namespace joinery::testing {

class oracle {
 public:
  /// `heads`: by number of origin, the last event that is known (−1: none).
  oracle(const event_graph& graph, const std::vector<int>& heads) : graph_(graph), heads_(heads) {
    for (std::size_t o = 0; o < heads.size(); ++o)
      if (heads[o] >= 0) order_.push_back(o);
    std::sort(order_.begin(), order_.end(),
              [&](auto a, auto b) { return graph.ids()[a] < graph.ids()[b]; });
    rank_.resize(heads.size());
    for (std::size_t r = 0; r < order_.size(); ++r) rank_[order_[r]] = r;
    for (const auto o : order_)
      for (int e = heads[o]; e >= 0; e = graph.at(e).before) {
        std::size_t place = 0;
        for (const auto& op : graph.at(e).ops)
          records_[{op.table, op.key}].push_back({e, place++, &op, op.delta});
      }
    for (auto& [where, all] : records_)
      std::sort(all.begin(), all.end(), [&](const deed& a, const deed& b) { return by_age(a, b); });
  }

  using record_name = std::pair<std::string, std::string>;  // table and key

  [[nodiscard]] bytes canonical() const {
    bytes out;
    byte_writer w{out};
    w.varint(order_.size());
    for (const auto o : order_) {
      w.raw(graph_.ids()[o].view());
      w.varint(graph_.at(heads_[o]).seq);
    }
    for (const auto& [where, all] : records_) {
      w.block(where.first);
      w.block(where.second);
      w.block(record(all));
    }
    return out;
  }
  /// Each record that ever was, with its canonical bytes.
  [[nodiscard]] std::map<record_name, bytes> records() const {
    std::map<record_name, bytes> out;
    for (const auto& [where, all] : records_) out[where] = record(all);
    return out;
  }
  /// How many registers of living cells have writes of different values that saw none of each
  /// other.
  [[nodiscard]] std::size_t conflicts() const {
    std::size_t n = 0;
    for (const auto& [where, all] : records_) {
      const auto cell = cell_of(all);
      if (!cell.alive()) continue;
      for (const auto& [field, updates] : fields(cell.updates))
        n += conflicts_in(field.second, updates);
    }
    return n;
  }

 private:
  /// One operation, or what of its delta is left inside of maps.
  struct deed {
    int at;             // event
    std::size_t place;  // among the operations of the event
    const event_op* op;
    bytes_view delta;
  };
  using deeds = std::vector<deed>;
  struct life {
    std::uint64_t incarnation = 0;
    bool killed = false;
    deeds touches;  // that nothing later has touched or erased
    deeds updates;
    [[nodiscard]] bool alive() const { return !killed && !touches.empty(); }
  };

  [[nodiscard]] bool before(const deed& a, const deed& b) const {
    if (a.at == b.at) return a.place < b.place;
    const auto& e = graph_.at(a.at);
    return graph_.at(b.at).has_seen(e.origin) >= e.seq;
  }
  /// Some order, the same everywhere.
  [[nodiscard]] bool by_age(const deed& a, const deed& b) const {
    const auto& x = graph_.at(a.at);
    const auto& y = graph_.at(b.at);
    return std::tie(rank_[x.origin], x.seq, a.place) < std::tie(rank_[y.origin], y.seq, b.place);
  }
  template <class Later>
  [[nodiscard]] bool undone(const deed& d, const deeds& all, Later&& later) const {
    return std::any_of(all.begin(), all.end(),
                       [&](const deed& l) { return later(l) && before(d, l); });
  }

  /// A cell of which `parts(deed) -> {incarnation, action, rest}` tells the operations.
  template <class Parts>
  [[nodiscard]] life cell_of(const deeds& all, Parts&& parts) const {
    using crdt::cell_action;
    life out;
    for (const auto& d : all) out.incarnation = std::max(out.incarnation, parts(d).incarnation);
    deeds mine;
    for (const auto& d : all)
      if (parts(d).incarnation == out.incarnation) mine.push_back(d);
    for (const auto& d : mine) {
      const auto p = parts(d);
      const bool erases = p.action == cell_action::erase || p.action == cell_action::erase_final;
      out.killed = out.killed || p.action == cell_action::erase_final;
      if (crdt::carries_delta(p.action)) out.updates.push_back({d.at, d.place, d.op, p.rest});
      if (erases || p.action == cell_action::amend) continue;
      if (!undone(d, mine, [&](const deed& l) { return parts(l).action != cell_action::amend; }))
        out.touches.push_back(d);
    }
    return out;
  }
  struct cell_part {
    std::uint64_t incarnation;
    crdt::cell_action action;
    bytes_view rest;
  };
  [[nodiscard]] life cell_of(const deeds& all) const {
    return cell_of(all, [](const deed& d) {
      return cell_part{d.op->incarnation, d.op->action, d.delta};
    });
  }
  [[nodiscard]] life entry_of(const deeds& all) const {
    return cell_of(all, [](const deed& d) {
      byte_reader in{d.delta};
      in.block();
      cell_part p{in.varint(), static_cast<crdt::cell_action>(in.u8()), {}};
      p.rest = in.rest();
      return p;
    });
  }
  using by_field = std::map<std::pair<std::string, crdt::shape>, deeds>;
  static by_field fields(const deeds& updates) {
    by_field out;
    for (const auto& d : updates) out[{d.op->field, d.op->type}].push_back(d);
    return out;
  }
  template <class Key>
  static std::map<bytes, deeds> grouped(const deeds& all, Key&& key) {
    std::map<bytes, deeds> out;
    for (const auto& d : all) out[bytes{key(d.delta)}].push_back(d);
    return out;
  }
  static bytes_view map_key(bytes_view delta) { return byte_reader{delta}.block(); }

  // --- Canonical bytes ---

  void put_dot(byte_writer& w, const deed& d) const {
    const auto& e = graph_.at(d.at);
    w.varint(rank_[e.origin]);
    w.varint(e.seq);
  }
  [[nodiscard]] bytes dots(const deeds& of) const {
    bytes out;
    byte_writer w{out};
    for (const auto& d : of) put_dot(w, d);
    return out;
  }
  static void put_head(byte_writer& w, const life& cell, bytes_view presence) {
    w.varint(cell.incarnation);
    w.u8(cell.killed ? 1 : 0);
    w.block(presence);
  }
  [[nodiscard]] bytes record(const deeds& all) const {
    const auto cell = cell_of(all);
    bytes out;
    byte_writer w{out};
    put_head(w, cell, cell.alive() ? dots(cell.touches) : bytes{});
    if (!cell.alive()) return out;
    for (const auto& [field, updates] : fields(cell.updates)) {
      const auto state = state_of(field.second, updates);
      if (state.empty()) continue;
      w.block(field.first);
      w.varint(field.second.code());
      w.block(state);
    }
    return out;
  }
  [[nodiscard]] bytes state_of(crdt::shape type, const deeds& all) const {
    using crdt::kind;
    switch (type.outer()) {
      case kind::lww:
      case kind::mv: return register_of(all);
      case kind::or_set: return set_of(all);
      case kind::pn_counter:
      case kind::g_counter: return counter_of(all);
      case kind::tally: return tally_of(all);
      case kind::max_of:
      case kind::min_of: return extreme_of(type.outer(), all);
      case kind::flag: return switched_on(all);
      case kind::map: return map_of(type.inner(), all);
    }
    return {};
  }
  [[nodiscard]] deeds standing(const deeds& all) const {
    deeds out;
    for (const auto& d : all)
      if (!undone(d, all, [](const deed&) { return true; })) out.push_back(d);
    return out;
  }
  [[nodiscard]] bytes register_of(const deeds& all) const {
    bytes out;
    byte_writer w{out};
    for (const auto& d : standing(all)) {
      byte_reader in{d.delta};
      put_dot(w, d);
      w.zigzag(in.zigzag());
      w.fixed64(graph_.at(d.at).time);
      w.block(in.rest());
    }
    return out;
  }
  /// The dots of what switches on and was not switched since: the first byte says which it is.
  [[nodiscard]] bytes switched_on(const deeds& all) const {
    deeds out;
    for (const auto& d : standing(all))
      if (d.delta[0] == 1) out.push_back(d);
    return dots(out);
  }
  [[nodiscard]] bytes set_of(const deeds& all) const {
    bytes out;
    byte_writer w{out};
    for (const auto& [element, of] : grouped(all, [](bytes_view d) { return d.substr(1); })) {
      const auto present = switched_on(of);
      if (present.empty()) continue;
      w.block(element);
      w.block(present);
    }
    return out;
  }
  [[nodiscard]] bytes counter_of(const deeds& all) const {
    bytes out;
    byte_writer w{out};
    for (std::size_t i = 0; i < all.size();) {
      const auto origin = graph_.at(all[i].at).origin;
      std::int64_t total = 0;
      auto last = i;
      for (; i < all.size() && graph_.at(all[i].at).origin == origin; last = i++)
        total = saturating(total, byte_reader{all[i].delta}.zigzag());
      put_dot(w, all[last]);
      w.zigzag(total);
    }
    return out;
  }
  static std::int64_t saturating(std::int64_t a, std::int64_t b) {
    using limits = std::numeric_limits<std::int64_t>;
    if (b > 0 && a > limits::max() - b) return limits::max();
    if (b < 0 && a < limits::min() - b) return limits::min();
    return a + b;
  }
  static bytes tally_of(const deeds& all) {
    std::map<bytes, std::uint64_t> greatest;
    for (const auto& d : all) {
      byte_reader in{d.delta};
      const auto amount = in.varint();
      auto& most = greatest[bytes{in.rest()}];
      most = std::max(most, amount);
    }
    bytes out;
    byte_writer w{out};
    for (const auto& [key, amount] : greatest) {
      w.block(key);
      w.varint(varint_size(amount));
      w.varint(amount);
    }
    return out;
  }
  static bytes extreme_of(crdt::kind k, const deeds& all) {
    bytes out{all.front().delta};
    for (const auto& d : all)
      if (k == crdt::kind::max_of ? d.delta > out : d.delta < out) out = d.delta;
    return out;
  }
  [[nodiscard]] bytes map_of(crdt::shape inner, const deeds& all) const {
    bytes out;
    byte_writer w{out};
    for (const auto& [key, of] : grouped(all, map_key)) {
      const auto cell = entry_of(of);
      bytes packed;
      byte_writer c{packed};
      put_head(c, cell, cell.alive() ? dots(cell.touches) : bytes{});
      if (cell.alive() && !cell.updates.empty()) packed += state_of(inner, cell.updates);
      w.block(key);
      w.block(packed);
    }
    return out;
  }

  [[nodiscard]] std::size_t conflicts_in(crdt::shape type, const deeds& all) const {
    std::size_t n = 0;
    if (type.outer() == crdt::kind::map) {
      for (const auto& [key, of] : grouped(all, map_key))
        if (const auto cell = entry_of(of); cell.alive())
          n += conflicts_in(type.inner(), cell.updates);
    } else if (type.outer() == crdt::kind::lww || type.outer() == crdt::kind::mv) {
      std::set<bytes> values;
      for (const auto& d : standing(all)) {
        byte_reader in{d.delta};
        in.zigzag();
        values.emplace(in.rest());
      }
      n += values.size() > 1 ? 1 : 0;
    }
    return n;
  }

  const event_graph& graph_;
  const std::vector<int>& heads_;
  std::vector<std::size_t> order_;  // origins, ascending by id
  std::vector<std::size_t> rank_;   // by origin: its place in `order_`
  std::map<record_name, deeds> records_;
};

}  // namespace joinery::testing
