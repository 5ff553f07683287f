// Fuzzer of what stands in a store, entry by entry.
//
// Strategy: the first byte chooses what an entry is read as; then its key, and its value with the
// checksum. After a mutation the checksum of nearly every entry is set right again.
// Invariants: an entry whose checksum does not fit its place, key and content is never opened; one
// that fits is read as a value or refused with an error of `malformed`. A value is written to bytes
// that are read as the same and written to the same again. Keys that are taken apart are put
// together again. Memory and time grow with the input.
#include "fuzz/support/input.hpp"
#include "joinery/codec/changeset.hpp"
#include "joinery/history/floor.hpp"
#include "joinery/history/snapshot.hpp"
#include "joinery/replica/held.hpp"
#include "joinery/replica/staged_progress.hpp"
#include "joinery/state/index_key.hpp"

namespace fuzz::of_stored_entries {

using namespace joinery;
using history::area;

template <class T>
const T* value_of(const result<T>& r) {
  if (r) return &*r;
  demand(r.error().code == errc::malformed, "an error of another kind");
  return nullptr;
}

bytes written(const history::dot_run& run) {
  bytes out;
  byte_writer w{out};
  history::write_run(w, run);
  return out;
}

template <class Read, class Write>
void check_round(bytes_view content, Read read, Write write) {
  const auto first = read(content);
  const auto* value = value_of(first);
  if (value == nullptr) return;
  const bytes again = write(*value);
  const auto second = read(again);
  demand(second && write(*second) == again, "a canonical form that changes");
}

void check_part_key(bytes_view key) {
  const auto table = state::parts_of(3);
  const auto read = state::read_part_key(table, key);
  if (!read) return;
  demand(read->first.field.type.valid() && state::table_of(table) == read->first.table, "a part");
  demand(state::parts_prefix(read->first).append(read->second) == key, "a key of another part");
}

void check_index_key(bytes_view key, bytes_view content) {
  const auto read = state::read_index_key(key);
  if (!read || read->key.empty()) return;
  // Of a value that is cut in the key, the whole stands in the content.
  const bytes value = read->cut ? bytes{content} : read->value;
  const auto entry = state::index_storage_entry(history::index_of(key), value, read->key);
  const bool same_form = entry.content.empty() != read->cut && value.starts_with(read->value);
  const bool whole = !read->cut || read->value == state::read_index_key(entry.key)->value;
  demand(!same_form || !whole || entry.key == key, "an entry of an index under another key");
}

// Records of the store, by number.
constexpr bytes_view keys[] = {"", "key", "key 2", "another"};

// An entry of the log gives as many changesets as it says, the same at a second reading, or none
// from where it is at fault.
void check_log_entry(bytes_view content) {
  static_cast<void>(history::has_many_frames(content));
  const auto count = history::entry_count(content);
  std::vector<bytes> all;
  history::entry_cursor cursor;
  const auto key_of = [](std::uint32_t number) {
    return number < std::size(keys) ? std::optional{keys[number]} : std::nullopt;
  };
  const auto read = cursor.visit(content, 0, key_of, [&](std::uint64_t n, bytes_view data) {
    demand(n == all.size(), "changesets in order");
    all.emplace_back(data);
    return true;
  });
  const auto* whole = value_of(read);
  if (whole == nullptr) return;
  demand(count && *count == all.size(), "as many as it says");
  const auto from = all.size() / 2;
  auto next = from;
  const auto again = cursor.visit(content, from, key_of, [&](std::uint64_t n, bytes_view data) {
    demand(n == next && data == all[n], "the same again");
    return ++next > 0;
  });
  demand(again && next == all.size(), "all of it again");
}

struct entry {
  std::uint8_t form = 0;
  area where{};
  bytes_view key;
  bytes_view value;
};
constexpr area areas[] = {area::meta,    area::meta, area::meta, area::meta,   area::staged,
                          area::records, area::held, area::dots, area::indexes};

entry read_entry(bytes_view data) {
  input in{data};
  entry e;
  e.form = static_cast<std::uint8_t>(in.below(std::size(areas)));
  e.where = areas[e.form];
  e.key = in.block();
  e.value = in.rest();
  return e;
}

void check_content(const entry& e, bytes_view content) {
  switch (e.form) {
    case 0: return check_round(content, history::read_mark, history::write_mark);
    case 1: return check_round(content, history::read_floor, history::write_floor);
    case 2: return check_round(content, detail::read_progress, detail::write_progress);
    case 3: return check_round(content, detail::read_join, detail::write_join);
    case 4:
      static_cast<void>(value_of(detail::open_staged_origin(e.key, e.value)));
      static_cast<void>(value_of(detail::open_staged(e.key, e.value)));
      return;
    case 5:
      static_cast<void>(value_of(history::open_record(e.key, e.value)));
      return check_part_key(e.key);
    case 6:
      if (const auto name = detail::held_changesets::name_of(e.key))
        demand(detail::held_changesets::storage_key(*name) == e.key, "a key of another changeset");
      return;
    case 7:
      check_log_entry(content);
      return check_round(
          content, [&](bytes_view c) { return history::read_run_content(e.key, c); }, written);
    case 8: return check_index_key(e.key, content);
    default: return;
  }
}

void run(bytes_view data) {
  const auto e = read_entry(data);
  const auto place = static_cast<std::uint8_t>(e.where);
  const auto content = codec::unsealed(place, e.key, e.value);
  if (!content) {
    const auto refused = history::open_sealed(e.where, e.key, e.value);
    demand(!refused && refused.error().code == errc::checksum, "a damaged entry that is opened");
    return;
  }
  demand(codec::sealed(place, e.key, *content) == e.value, "a seal that is not its own");
  demand(!codec::unsealed(static_cast<std::uint8_t>(place + 1), e.key, e.value), "another place");
  check_content(e, *content);
}

bytes mend(bytes_view mutated, prng& dice) {
  const auto e = read_entry(mutated);
  if (e.value.size() < 8 || dice.chance(10)) return bytes{mutated};
  bytes out{mutated.substr(0, mutated.size() - e.value.size())};
  return out += codec::sealed(static_cast<std::uint8_t>(e.where), e.key, e.value.substr(8));
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  const auto add = [&](std::uint8_t form, bytes_view key, bytes_view content) {
    bytes one(1, static_cast<char>(form));
    write_block(one, key);
    out.push_back(one += codec::sealed(static_cast<std::uint8_t>(areas[form]), key, content));
  };
  causal::version v;
  v.set(0, 5);
  v.set(2, 300);
  history::origin_state origin{7, 99, {}, v};
  add(0, "snapshot", history::write_mark({12, 99, {origin, origin}, 4000}));
  add(1, "floor", history::write_floor({3, 100, v, v, {4, 9}, v}));
  add(2, "staging", detail::write_progress({detail::staged_phase::tail, "t", "key", 9, 1, v}));
  add(3, "join", detail::write_join({12, v, v}));
  bytes staged;
  byte_writer w{staged};
  w.varint(2);
  history::write_origins(w, {origin});
  add(4, "o" + history::index_key(1), staged);
  add(4, "r" + history::record_key(1, "key"), "\1record");
  const state::part_group group{3, "key", {2, crdt::kind::or_set}, {1, 77}};
  add(5, state::part_key(group, "element"), "\7part");
  add(6, detail::held_changesets::storage_key({replica_id{{1}}, 4}), "changeset");
  add(7, history::dot_key({1, 4}), bytes(40, '\1'));
  auto run = history::dot_run::begin({1, 4}, 9, {});
  for (const std::uint64_t at : {10u, 12u, 30u}) run.extend(at, {});
  add(7, history::dot_key({1, 4}), written(run));
  for (const bool by_number : {false, true}) {
    history::entry_packer packer{by_number};
    const std::uint32_t numbers[] = {3, 0, 2};
    for (int n = 0; n < 3; ++n) {
      codec::changeset_writer c;
      for (const auto key : {"another", "key", "key 2"})
        c.add("t", key, {crdt::cell_action::create, 1, {}, {}, {}});
      packer.add(c.encode(replica_id{{1}}, 4, 99, {}), by_number
                                                           ? codec::transit::record_numbers{numbers}
                                                           : codec::transit::record_numbers{});
      packer.add("no changeset");
    }
    add(7, "log", packer.finish());
  }
  const auto index = state::index_storage_entry(7, bytes("a\0b", 3), "key");
  add(8, index.key, index.content);
  add(8, state::index_storage_entry(7, bytes(200, 'v'), "key").key, bytes(200, 'v'));
  return out;
}

// A frame of an entry of the log may claim strings as large as a changeset.
const registration here{{"stored", run, seeds, {256, 32u << 20, 100}, mend}};

}  // namespace fuzz::of_stored_entries
