// Vocabularies: the operations of each type that histories are made of.
//
// Purpose: `small_vocabulary` is complete in kind and least in number, for trying all histories:
// each verb, two of everything that can be told apart (values, ranks, elements, keys), and for
// extremes three values, so that one lies between. `rich_vocabulary` has more of each, for random
// histories.
// Thread-safety: pure functions.
#pragma once

#include "tests/crdt/subjects.hpp"

namespace crdt_tests {

using vocabulary = std::vector<op>;

/// How a record is deleted. `mixed` is what no table declares: both ways in one history.
enum class delete_rule { update_wins, delete_wins, mixed };

struct vocabulary_limits {
  number keys = 2;        ///< of each map
  number inner_keys = 2;  ///< of each map inside a map
  delete_rule erases = delete_rule::update_wins;
  bool amends = false;  ///< as migrations do
};

inline void add_updates(vocabulary& out, verb what, number key, const vocabulary& inner) {
  for (const auto& o : inner) out.push_back({what, 0, key, 0, o.ahead, {o}});
}

inline vocabulary small_vocabulary(const oracle::shape& t, const vocabulary_limits& limits) {
  vocabulary out;
  switch (t.outer) {
    case type::lww:
    case type::mv:
      return {{verb::write, 1}, {verb::write, 2}, {verb::write, 1, 0, 1}, {verb::write, 2, 0, 1}};
    case type::set: return {{verb::add, 1}, {verb::remove, 1}, {verb::add, 2}, {verb::remove, 2}};
    case type::counter: return {{verb::count, 1}, {verb::count, -10}};
    case type::g_counter: return {{verb::count, 1}, {verb::count, 10}};
    case type::tally:
      return {{verb::grant, 0, 1}, {verb::grant, 3, 1}, {verb::grant, 5, 1}, {verb::grant, 3, 2}};
    case type::max:
    case type::min: return {{verb::put, 2}, {verb::put, -1}, {verb::put, 300}};
    case type::flag: return {{verb::enable}, {verb::disable}};
    case type::map: {
      auto inside = limits;
      inside.keys = limits.inner_keys;
      const auto inner = small_vocabulary(t.inside.front(), inside);
      for (number key = 1; key <= limits.keys; ++key) {
        out.push_back({verb::create, 0, key});
        out.push_back({verb::erase, 0, key});
        add_updates(out, verb::update, key, inner);
      }
      return out;
    }
    case type::cell: {
      const auto inner = small_vocabulary(t.inside.front(), limits);
      out.push_back({verb::create});
      if (limits.erases != delete_rule::delete_wins) out.push_back({verb::erase});
      if (limits.erases != delete_rule::update_wins) out.push_back({verb::erase_final});
      add_updates(out, verb::update, 0, inner);
      if (limits.amends) add_updates(out, verb::amend, 0, inner);
      return out;
    }
    case type::product:
      for (std::size_t part = 0; part < t.inside.size(); ++part)
        add_updates(out, verb::within, static_cast<number>(part),
                    small_vocabulary(t.inside[part], limits));
      return out;
  }
  return out;
}

inline vocabulary rich_vocabulary(const oracle::shape& t) {
  vocabulary out;
  switch (t.outer) {
    case type::lww:
    case type::mv:
      return {{verb::write, 1},
              {verb::write, 2},
              {verb::write, 3, 0, 1},
              {verb::write, 4, 0, 0, 5},
              {verb::write, 1, 0, 2, 3}};
    case type::tally:
      return {{verb::grant, 3, 1}, {verb::grant, 5, 1}, {verb::grant, 0, 1}, {verb::grant, 7, 2}};
    case type::map:
    case type::cell:
      for (number key = 1; key <= (t.outer == type::map ? 2 : 1); ++key) {
        out.push_back({verb::create, 0, key});
        out.push_back({verb::erase, 0, key});
        if (t.outer == type::cell) out.push_back({verb::erase_final, 0, key});
        add_updates(out, verb::update, key, rich_vocabulary(t.inside.front()));
      }
      return out;
    default: return small_vocabulary(t, {});
  }
}

}  // namespace crdt_tests
