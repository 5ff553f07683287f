// Fuzzer of changesets.
//
// Strategy: the input is a changeset, as a peer would send it.
// Invariants: decoding gives a changeset or one of three typed errors. One that decodes has every
// delta well-formed, ids that are not none, numbers within their limits and names within theirs;
// what peeks at it says the same. Encoded again it has the same operations, and from then on the
// same bytes. Memory and time grow with the input.
#include <tuple>

#include "fuzz/support/input.hpp"
#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/or_set.hpp"

namespace fuzz::of_changesets {

using namespace joinery;
using codec::changeset;
using codec::changeset_writer;
using crdt::cell_action;

bytes encoded(const changeset& c) {
  changeset_writer w;
  for (const auto& op : c.ops) {
    const auto& r = c.records[op.record];
    const auto field = crdt::carries_delta(op.action) ? c.names[op.field] : bytes_view{};
    w.add(c.names[r.table], r.key, {op.action, op.incarnation, field, op.type, bytes{op.delta}});
  }
  return w.encode(c.origin, c.seq, c.time, c.seen);
}

bool same_operations(const changeset& a, const changeset& b) {
  const auto told = [](const changeset& c, const codec::record_op& op) {
    const auto& r = c.records[op.record];
    const auto field = crdt::carries_delta(op.action) ? c.names[op.field] : bytes_view{};
    return std::tuple{c.names[r.table], r.key, op.action, op.incarnation, field, op.type, op.delta};
  };
  if (a.ops.size() != b.ops.size()) return false;
  for (std::size_t n = 0; n < a.ops.size(); ++n)
    if (told(a, a.ops[n]) != told(b, b.ops[n])) return false;
  return a.origin == b.origin && a.seq == b.seq && a.time == b.time &&
         a.seen.size() == b.seen.size();
}

void check(const changeset& c) {
  demand(!c.origin.is_none() && c.seq > 0 && c.seq <= codec::max_seq && c.time > 0, "a head");
  demand(c.names.size() <= codec::max_names, "too many names");
  for (const auto& s : c.seen)
    demand(s.increase > 0 && s.replica != c.origin && !s.replica.is_none(), "an increase");
  for (const auto& r : c.records)
    demand(r.table < c.names.size() && !r.key.empty() && r.key.size() <= codec::max_key,
           "a record");
  for (const auto& op : c.ops) {
    demand(op.record < c.records.size() && op.incarnation > 0, "an operation");
    if (!crdt::carries_delta(op.action)) continue;
    demand(op.field < c.names.size() && op.type.valid(), "an update");
    demand(crdt::valid_delta(op.type, op.delta), "a delta that was let through");
  }
}

void run(bytes_view data) {
  const auto c = codec::decode_changeset(data);
  if (!c) {
    const auto code = c.error().code;
    demand(code == errc::malformed || code == errc::unsupported || code == errc::too_large,
           "an error of another kind");
    return;
  }
  check(*c);
  demand(codec::peek_dot(data) == std::pair{c->origin, c->seq}, "another dot at a glance");
  demand(codec::peek_time(data) == c->time, "another stamp at a glance");
  const auto again = encoded(*c);
  const auto second = codec::decode_changeset(again);
  demand(second.has_value() && same_operations(*c, *second), "it is not what it was read from");
  demand(encoded(*second) == again, "a canonical form that changes");
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  replica_id me, other;
  me.data.fill(1);
  other.data.fill(2);
  changeset_writer w;
  out.push_back(w.encode(me, 1, 1, {}));
  w.add("t", "key", {cell_action::create, 1, {}, {}, {}});
  out.push_back(w.encode(me, 2, 700, {{other, 3}}));
  w.add("t", "key", {cell_action::update, 1, "name", crdt::kind::lww, crdt::lww<int>::set(70'000)});
  w.add("t", "key", {cell_action::amend, 1, "flag", crdt::kind::flag, bytes(1, '\1')});
  w.add("t", "second", {cell_action::erase, 3, {}, {}, {}});
  w.add("u", "third", {cell_action::erase_final, 2, {}, {}, {}});
  for (const auto type : {crdt::kind::pn_counter, crdt::kind::g_counter})
    w.add("u", "n", {cell_action::update, 1, "count", type, bytes(1, '\6')});
  for (const auto type : {crdt::kind::max_of, crdt::kind::min_of})
    w.add("u", "n", {cell_action::update, 1, "most", type, crdt::encode_value(5)});
  w.add("u", "n",
        {cell_action::update, 1, "tally", crdt::kind::tally, "\5" + crdt::encode_value(5)});
  w.add("u", "n",
        {cell_action::update, 1, "set", crdt::kind::or_set, crdt::or_set<int>{}.insert(9)});
  // Key 1, incarnation 1, an update: the insertion of 5.
  w.add("u", "n",
        {cell_action::update, 1, "map", crdt::shape::map_of(crdt::kind::or_set),
         bytes("\2\x15\1\1\1\1\x15\5", 8)});
  out.push_back(w.encode(me, 1u << 20, causal::hlc{1} << 40, {{other, 1u << 16}}));
  return out;
}

const registration here{{"changeset", run, seeds, {256, 64u << 10, 100}}};

}  // namespace fuzz::of_changesets
