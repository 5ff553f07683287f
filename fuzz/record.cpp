// Fuzzer of records on their way between replicas, and of what a snapshot is made of.
//
// Strategy: the first byte chooses a form: two portable records with an operation on the first, a
// chunk's records, a request for a snapshot, or the answer to a refetch; the rest is its bytes.
// Invariants: reading gives a value or nothing. A portable record that is let through becomes a
// record under the receiver's own indexes and is the same again on its way out; it keeps
// well-formed under joins, operations and the canonical form. A request is written as it was read;
// records of a chunk ascend. Memory and time grow with the input.
#include "fuzz/support/input.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/replica/snapshot_chunk.hpp"
#include "joinery/replica/wanted.hpp"

namespace fuzz::of_records {

using namespace joinery;

constexpr causal::replica_index replicas = 4;

causal::version some_version(input& in) {
  causal::version out;
  for (causal::replica_index r = 0; r < replicas; ++r) out.set(r, in.number());
  return out;
}

struct packed {
  state::name_table names;
  crdt::reindexing same{{0, 1, 2, 3}, false};

  [[nodiscard]] bytes out(bytes_view record) const {
    return state::portable_record(record, same, names);
  }
  void check(bytes_view record, const char* after) const {
    demand(record.empty() || state::valid_portable(out(record), replicas),
           std::string{"a record that is malformed after "} + after);
    auto canonical = same;
    canonical.canonical = true;
    const auto final_form = state::canonical_record(record, canonical, names);
    demand(record.empty() || state::valid_portable(final_form, replicas), "the canonical form");
  }
};

void check_records(bytes_view data) {
  input in{data};
  const auto seen_a = some_version(in), seen_b = some_version(in);
  const auto a = in.block(), b = in.block();
  packed p;
  if (!state::valid_portable(a, replicas)) return;
  const auto ours = state::local_record(a, p.same, p.names);
  demand(p.out(ours) == a, "a record that is another one on its way out");
  p.check(ours, "it came in");
  if (state::valid_portable(b, replicas)) {
    const auto theirs = state::local_record(b, p.same, p.names);
    p.check(state::join_record(ours, seen_a, theirs, seen_b), "a join");
    p.check(state::join_record(theirs, seen_b, ours, seen_a), "the join the other way");
  }
  const auto action = static_cast<crdt::cell_action>(in.below(5));
  const auto incarnation = std::min<std::uint64_t>(in.number() + 1, codec::max_incarnation);
  const auto type = crdt::shape::from_code(static_cast<std::uint32_t>(in.number()));
  const auto field = p.names.add(in.chance(128) ? "f" : "fresh");
  const auto by = static_cast<causal::replica_index>(in.below(replicas));
  const auto delta = in.rest();
  if (crdt::carries_delta(action) && (!type.valid() || !crdt::valid_delta(type, delta))) return;
  auto context = seen_a;
  context.raise({by, std::min(context.at(by), codec::max_seq) + 1});
  auto changed = ours;
  state::apply_op(changed, action, incarnation, {field, type}, delta,
                  {{by, context.at(by)}, 7, context});
  p.check(changed, "an operation");
}

void check_chunk(bytes_view data) {
  input in{data};
  const auto base = in.below(3);
  const auto chunk = detail::read_records_chunk(in.rest(), base);
  if (!chunk) return;
  demand(!chunk->records.empty(), "a chunk of nothing");
  for (const auto& p : chunk->above) demand(p.place < base + chunk->ids.size(), "a place");
  const detail::records_chunk::record* last = nullptr;
  for (const auto& r : chunk->records) {
    demand(last == nullptr || std::tie(last->table, last->key) < std::tie(r.table, r.key), "order");
    last = &r;
  }
}

void check_request(bytes_view data) {
  if (const auto r = detail::read_request(data))
    demand(detail::write_request(*r) == data, "a request that is written differently");
}

void check_answer(bytes_view data) {
  if (const auto a = detail::read_record_answer(data))
    for (const auto& [id, seq] : a->seen) demand(seq > 0 && seq <= codec::max_seq, "a version");
}

void run(bytes_view data) {
  constexpr void (*forms[])(bytes_view) = {check_records, check_chunk, check_request, check_answer};
  input in{data};
  const auto check = in.pick(forms);
  check(in.rest());
}

/// A portable record with a few fields.
bytes some_record(int value) {
  packed p;
  causal::version seen;
  seen.set(1, 3);
  seen.set(0, 1);
  const causal::stamp by{{1, 3}, 70, seen};
  bytes record;
  const auto change = [&](std::string_view name, crdt::shape type, bytes_view delta) {
    state::apply_op(record, crdt::cell_action::update, 1, {p.names.add(name), type}, delta, by);
  };
  change("f", crdt::kind::lww, crdt::lww<int>::set(value));
  change("g", crdt::kind::or_set, crdt::or_set<int>::insert(value));
  change("h", crdt::kind::pn_counter, bytes(1, '\6'));
  // Key 1, incarnation 1, an update: the insertion of 5.
  change("m", crdt::shape::map_of(crdt::kind::or_set), bytes("\2\x15\1\1\1\1\x15\5", 8));
  return p.out(record);
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  const bytes versions("\1\3\0\0\1\4\0\0", 8);
  bytes records = bytes(1, '\0') + versions;
  write_block(records, some_record(1));
  write_block(records, some_record(300));
  out.push_back(records + bytes("\1\0\1\1\2\0\2", 7) + crdt::lww<int>::set(9));
  replica_id id, other;
  id.data.fill(5);
  other.data.fill(6);
  bytes chunk("\1\2", 2);
  byte_writer w{chunk};
  w.varint(2);
  w.raw(id.view());
  w.raw(other.view());
  detail::write_places(w, {{0, 3}, {3, 1}});
  for (const auto* key : {"a", "b"}) {
    w.block("table");
    w.block(key);
    w.block(some_record(7));
  }
  out.push_back(chunk);
  detail::snapshot_request r;
  r.reached = {{id, 3, 70, {}}, {other, 1, 9, {}}};
  r.table = "table";
  r.key = "key";
  r.needed = {{id, 4}};
  out.push_back('\2' + detail::write_request(r));
  out.push_back('\2' + detail::write_request({}));
  bytes answer(1, '\3');
  byte_writer a{answer};
  a.varint(4);
  for (const char n : {'\1', '\2', '\3', '\4'}) {
    a.raw(bytes(16, n));
    a.varint(9);
  }
  a.raw(some_record(3));
  out.push_back(answer);
  return out;
}

const registration here{{"record", run, seeds, {256, 64u << 10, 100}}};

}  // namespace fuzz::of_records
