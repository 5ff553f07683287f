// cell_of<C>: one cell as a CRDT of its own, with both ways to delete.
//
// Purpose: records and map entries are cells; maps only know update_wins. Here the tests get at
// both delete rules, and hold them to the same laws and the same oracle as everything else.
// Thread-safety: as a `std::string`.
#pragma once

#include <optional>

#include "joinery/crdt/dispatch.hpp"
#include "joinery/crdt/packed.hpp"
#include "joinery/testing/generator.hpp"

namespace crdt_tests {

namespace crdt = joinery::crdt;
using joinery::bytes;
using joinery::bytes_view;

template <class C>
struct cell_rules {
  using inner = typename C::rules_type;
  // The laws go by rules, never by shape: a lone cell has none.
  static constexpr crdt::shape type() { return {}; }
  static bool valid(bytes_view state, crdt::replica_index replicas) {
    return state.empty() || crdt::detail::valid_cell(state, replicas, [&](bytes_view value) {
             return inner::valid(value, replicas);
           });
  }
  static bool valid_delta(bytes_view delta) {
    return crdt::detail::valid_cell_delta(delta, inner::valid_delta);
  }
  static void apply(bytes_view state, bytes_view delta, const crdt::stamp& by,
                    crdt::detail::splice& out) {
    joinery::byte_buffer cell;
    crdt::detail::apply_cell(
        state, delta, by, out, cell,
        [&](bytes_view value, bytes_view d, auto& s) { inner::apply(value, d, by, s); });
    out = {0, state.size(), cell.view()};
  }
  static bytes join(bytes_view a, const crdt::version& seen_by_a, bytes_view b,
                    const crdt::version& seen_by_b) {
    return crdt::detail::join_cell(a, seen_by_a, b, seen_by_b, [&](bytes_view x, bytes_view y) {
      return inner::join(x, seen_by_a, y, seen_by_b);
    });
  }
  static bytes reindex(bytes_view state, const crdt::reindexing& map) {
    return crdt::detail::reindex_cell(state, map,
                                      [&](bytes_view value) { return inner::reindex(value, map); });
  }
};

template <class C>
class cell_of : public crdt::packed<cell_rules<C>> {
 public:
  using crdt::packed<cell_rules<C>>::packed;
  using mapped_type = C;

  [[nodiscard]] crdt::cell_view view() const { return crdt::read_cell(this->state_); }
  [[nodiscard]] bool alive() const { return view().alive(); }
  [[nodiscard]] C value() const { return C{bytes{view().value}}; }

  [[nodiscard]] bytes create() const {
    const auto c = view();
    return crdt::detail::cell_delta(incarnation_to_create(c), crdt::cell_action::create);
  }
  /// Updates and deletions of a dead record are refused: nothing.
  [[nodiscard]] std::optional<bytes> update(bytes_view inner) const {
    return if_alive(crdt::cell_action::update, inner);
  }
  [[nodiscard]] std::optional<bytes> erase(bool final) const {
    return if_alive(final ? crdt::cell_action::erase_final : crdt::cell_action::erase, {});
  }

 private:
  [[nodiscard]] std::optional<bytes> if_alive(crdt::cell_action action, bytes_view inner) const {
    const auto c = view();
    if (!c.alive()) return std::nullopt;
    return crdt::detail::cell_delta(c.incarnation, action, inner);
  }
};

}  // namespace crdt_tests

template <class C>
struct joinery::testing::generator<crdt_tests::cell_of<C>> {
  using cell = crdt_tests::cell_of<C>;
  static bytes delta(prng& random, const cell& now, causal::replica_index writer) {
    if (!now.alive() || random.chance(10)) return now.create();
    if (random.chance(35)) return *now.erase(random.chance(30));
    return *now.update(generator<C>::delta(random, now.value(), writer));
  }
  static std::string read(const cell& now, const causal::roster& replicas) {
    return now.alive() ? generator<C>::read(now.value(), replicas) : "dead";
  }
};
