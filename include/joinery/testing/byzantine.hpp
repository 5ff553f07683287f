// byzantine: a replica that keeps to no rule.
//
// Purpose: sends what an honest program never would: bytes that are no changeset, two changesets
// under one dot, stamps of the far future, dependencies on what does not exist, floods.
// Invariants: it has an id of its own, and forges nobody else's (there are no signatures yet).
// Thread-safety: none.
#pragma once

#include "joinery/testing/sim_fleet.hpp"

namespace joinery::testing {

template <class Schema, class Older>
class byzantine {
 public:
  byzantine(sim_fleet<Schema, Older>& fleet, std::uint64_t seed) : fleet_(fleet) {
    prng random{seed ^ 0xB12A};
    id_ = new_replica_id(random);
  }

  void act(sim_node& to, prng& dice) {
    fleet_.keeps_no_rule(id_);
    switch (dice.below(6)) {
      case 0: return send_garbage(to, dice);
      case 1: return send_changed_bytes(to, dice);
      case 2: return send(to, dice, to.time.now + 50'000'000'000, {});  // more than a year ahead
      case 3: return send(to, dice, to.time.now, new_replica_id(dice));
      default: return send(to, dice, to.time.now, {});
    }
  }

 private:
  static void offer(sim_node& to, bytes_view data) {
    static_cast<void>(to.engine().ingest(std::span{&data, 1}).has_value());
  }
  void send_garbage(sim_node& to, prng& dice) {
    bytes data(static_cast<std::size_t>(dice.below(200)), '\0');
    for (auto& c : data) c = static_cast<char>(dice.below(256));
    if (to.engine().ingest(std::vector<bytes_view>{data}))
      fleet_.fail(fleet_.name(to) + " takes bytes that are no changeset");
  }
  /// What it has from an honest one, under its own name and with a byte changed.
  void send_changed_bytes(sim_node& to, prng& dice) {
    auto data = changeset(to, dice, to.time.now, {});
    const auto n = data.size() - 1 - static_cast<std::size_t>(dice.below(data.size() - 24));
    data[n] = static_cast<char>(dice.below(256));
    offer(to, data);
  }
  void send(sim_node& to, prng& dice, std::uint64_t ms, std::optional<replica_id> unknown) {
    offer(to, changeset(to, dice, ms, unknown));
  }

  /// The next one for `to`, with operations made of those that someone made before. Another
  /// replica may have another under the same dot.
  bytes changeset(const sim_node& to, prng& dice, std::uint64_t ms,
                  std::optional<replica_id> unknown) {
    const auto& graph = fleet_.graph;
    const auto me = fleet_.graph.number_of(id_);
    const int before = to.head_of(me);
    std::vector<codec::seen_increase> seen;
    for (std::size_t o = 0; o < to.heads.size(); ++o) {
      const auto had = before < 0 ? 0 : graph.at(before).has_seen(o);
      const auto has = to.heads[o] < 0 ? 0 : graph.at(to.heads[o]).seq;
      if (o != me && has > had && dice.chance(70))
        seen.push_back({graph.ids()[o], has - had - dice.below(has - had)});
    }
    if (unknown) seen.push_back({*unknown, 1});
    std::ranges::sort(seen, {}, &codec::seen_increase::replica);
    codec::changeset_writer w;
    for (auto n = dice.below(4); n > 0 && graph.size() > 0; --n) {
      const auto& e = graph.at(static_cast<int>(dice.below(graph.size())));
      if (e.ops.empty()) continue;
      const auto& op = e.ops[static_cast<std::size_t>(dice.below(e.ops.size()))];
      if (op.table.starts_with("joinery.")) continue;
      const auto more = dice.chance(20) ? dice.below(3) : 0;
      w.add(op.table, op.key,
            {op.action, op.incarnation + more, op.field, op.type, bytes{op.delta}});
    }
    const auto now = causal::hlc_from_ms(ms);
    const auto time = before < 0 ? now : std::max(now, graph.at(before).time + 1);
    return w.encode(id_, before < 0 ? 1 : graph.at(before).seq + 1, time, seen);
  }

  sim_fleet<Schema, Older>& fleet_;
  replica_id id_;
};

}  // namespace joinery::testing
