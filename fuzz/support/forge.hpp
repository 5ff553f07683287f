// forge: messages that a hostile peer could make up, field by field.
//
// Purpose: structured garbage. Ids, sequence numbers and digests are mostly such as the victim
// knows, so that what is wrong with a message is one thing and not everything.
// Invariants: what is made here depends on the input and the replicas alone.
// Thread-safety: none.
#pragma once

#include "fuzz/support/input.hpp"
#include "fuzz/support/scene.hpp"
#include "joinery/sync/fork_messages.hpp"
#include "joinery/sync/hello.hpp"
#include "joinery/sync/messages.hpp"
#include "joinery/sync/refetch.hpp"
#include "joinery/sync/refusal.hpp"

namespace fuzz {

class forge {
 public:
  forge(input& in, node& victim, node& other, const scene& from)
      : in_(in), victim_(victim), other_(other), scene_(from) {}

  replica_id id() {
    switch (in_.below(8)) {
      case 0: return victim_.e->self();
      case 1: return {};
      case 2: {
        replica_id out;
        out.data.fill(in_.u8());
        return out;
      }
      case 3:
      case 4: {
        const auto& known = victim_.e->replicas();
        return known[static_cast<joinery::causal::replica_index>(in_.below(known.size()))];
      }
      default: return other_.e->self();
    }
  }
  /// A sequence number near the last that the victim knows of `origin`.
  std::uint64_t seq(const replica_id& origin) {
    const auto r = victim_.e->replicas().find(origin);
    const auto last = r ? victim_.e->seen().at(*r) : 0;
    const auto choice = in_.u8();
    if (choice < 0x80) return last + 1;
    if (choice < 0xE0) return choice % 32 < last ? last - choice % 32 : choice % 4;
    return in_.number();
  }
  joinery::crypto::digest chain(const replica_id& origin, std::uint64_t n) {
    if (in_.chance(170))
      for (auto* who : {&other_, &victim_})
        if (const auto known = who->e->chain_at(origin, n); known && *known) return **known;
    joinery::crypto::digest out;
    out.data.fill(in_.u8());
    return out;
  }
  history::head head() {
    const auto origin = id();
    const auto n = seq(origin);
    return {origin, n, chain(origin, n)};
  }
  std::vector<history::head> heads() {
    if (in_.chance(100)) return other_.e->heads();
    std::vector<history::head> out;
    for (auto n = in_.below(5); n > 0; --n) out.push_back(head());
    return out;
  }

  bytes delta_of(const some_field& f) {
    return in_.chance(200) ? in_.pick(f.deltas) : bytes{in_.block()};
  }
  /// A changeset that nobody wrote, or one of the other's log.
  bytes changeset() {
    if (in_.chance(90) && !scene_.log.empty()) return in_.pick(scene_.log);
    codec::changeset_writer w;
    for (auto n = in_.below(4); n > 0; --n) {
      const auto action = static_cast<crdt::cell_action>(in_.below(5));
      const auto& f = in_.pick(some_fields());
      const auto table = in_.chance(20)   ? std::string_view{"joinery.schema"}
                         : in_.chance(40) ? std::string_view{"joinery.members"}
                                          : in_.pick(table_names);
      const bytes key = table == "joinery.members" ? bytes{id().view()} : some_key();
      if (key.empty()) continue;
      const auto life = 1 + in_.number();
      if (crdt::carries_delta(action))
        w.add(table, key, {action, life, f.name, f.type, delta_of(f)});
      else
        w.add(table, key, {action, life, {}, {}, {}});
    }
    const auto origin = id();
    std::vector<codec::seen_increase> seen;
    for (auto n = in_.below(3); n > 0; --n) seen.push_back({id(), in_.number()});
    std::sort(seen.begin(), seen.end(),
              [](const auto& a, const auto& b) { return a.replica < b.replica; });
    const auto n = seq(origin);
    return w.encode(origin, n, joinery::causal::hlc_from_ms(1'000'000 + in_.number()), seen);
  }

  joinery::detail::base_origin base_origin() {
    const auto h = head();
    return {h.origin, h.seq, joinery::causal::hlc_from_ms(1'000'000 + in_.number()), h.chain};
  }
  /// A chunk of a snapshot: one of the other's, changed or not, or one that is made up.
  bytes chunk() {
    using joinery::detail::chunk_kind;
    if (in_.chance(128) && !scene_.chunks.empty()) return changed(in_.pick(scene_.chunks));
    const auto kind = static_cast<chunk_kind>(in_.below(7));
    auto out = joinery::detail::chunk_of(kind);
    byte_writer w{out};
    switch (kind) {
      case chunk_kind::begin: w.u8(static_cast<std::uint8_t>(in_.below(3))); break;
      case chunk_kind::origins:
        for (auto n = in_.below(5); n > 0; --n)
          joinery::detail::write_base_origin(w, base_origin());
        break;
      case chunk_kind::versions:
        for (auto n = in_.below(4); n > 0; --n) {
          w.varint(in_.number());
          joinery::detail::write_places(w, places());
        }
        break;
      case chunk_kind::records: records(w); break;
      default:
        if (in_.chance(20)) w.raw(in_.block());
    }
    return out;
  }

  bytes request() {
    joinery::detail::snapshot_request r;
    for (auto n = in_.below(4); n > 0; --n) r.reached.push_back(base_origin());
    r.records_done = in_.chance(60);
    r.table = in_.chance(128) ? "plants" : "";
    r.key = bytes{in_.block().substr(0, 30)};
    for (auto n = in_.below(3); n > 0; --n) r.needed.emplace_back(id(), in_.number());
    return changed(joinery::detail::write_request(r));
  }

  /// The same bytes, or with a change somewhere.
  bytes changed(bytes data) {
    if (in_.chance(190)) return data;
    for (auto n = 1 + in_.below(2); n > 0; --n) {
      const auto at = in_.u16() % (data.size() + 1);
      switch (in_.below(4)) {
        case 0: data.insert(at, in_.block().substr(0, 64)); break;
        case 1: data.erase(at, 1 + in_.below(9)); break;
        case 2: data.resize(at); break;
        default:
          if (at < data.size()) data[at] = static_cast<char>(in_.u8());
      }
    }
    return data;
  }

 private:
  bytes some_key() {
    return in_.chance(220) ? bytes{in_.pick(key_names)} : bytes{in_.block().substr(0, 500)};
  }
  std::vector<joinery::detail::place_seq> places() {
    std::vector<joinery::detail::place_seq> out;
    for (auto n = in_.below(4); n > 0; --n) out.push_back({in_.number(), in_.number()});
    return out;
  }
  void records(byte_writer& w) {
    const auto ids = in_.below(3);
    w.varint(ids);
    for (auto n = ids; n > 0; --n) w.raw(id().view());
    joinery::detail::write_places(w, places());
    for (const auto key : key_names) {
      if (in_.chance(128)) continue;
      w.block(in_.pick(table_names));
      w.block(key);
      w.block(in_.chance(128) ? some_record() : bytes{in_.block()});
    }
  }
  /// Packed by hand: a cell with one field, of whatever replicas.
  bytes some_record() {
    bytes out, state;
    byte_writer w{out};
    const auto& f = in_.pick(some_fields());
    joinery::causal::version context;
    const auto by = static_cast<joinery::causal::replica_index>(in_.below(4));
    context.set(by, 1 + in_.number());
    const auto delta = in_.pick(f.deltas);
    crdt::apply(f.type, {}, delta, {{by, context.at(by)}, 7, context}).onto(state);
    bytes presence;
    byte_writer p{presence};
    p.varint(by);
    p.varint(context.at(by));
    w.varint(1 + in_.number());
    w.u8(in_.chance(20) ? 1 : 0);
    w.block(in_.chance(220) ? presence : bytes{});
    if (state.empty()) return out;
    w.block(f.name);
    w.varint(f.type.code());
    w.block(state);
    return out;
  }

  input& in_;
  node& victim_;
  node& other_;
  const scene& scene_;
};

}  // namespace fuzz
