// Taking fields apart: the parts, one after the other, are the field, whatever is done to them.
#include <catch2/catch.hpp>

#include "joinery/crdt/coalesce.hpp"
#include "joinery/state/canonical.hpp"
#include "joinery/state/clean_up.hpp"
#include "joinery/testing/prng.hpp"
#include "tests/state/shelf.hpp"

using namespace state_tests;
using testing::prng;

namespace {

const crdt::shape shapes[] = {crdt::kind::or_set, crdt::kind::tally,
                              crdt::shape::map_of(crdt::kind::lww),
                              crdt::shape::map_of(crdt::shape::map_of(crdt::kind::or_set))};

/// Elements that meet: some alike at their beginnings, some longer than a part's key.
bytes random_element(prng& dice) {
  const std::size_t lengths[] = {1, 2, 63, 64, 65, 66, 130};
  bytes out(dice.pick(lengths), 'e');
  out[dice.below(out.size())] = static_cast<char>(dice.below(3));
  out.back() = static_cast<char>('a' + dice.below(3));
  return out;
}

bytes random_delta(crdt::shape type, prng& dice) {
  bytes out;
  byte_writer w{out};
  switch (type.outer()) {
    case crdt::kind::or_set:
      w.u8(dice.chance(70) ? 1 : 0);
      w.raw(random_element(dice));
      break;
    case crdt::kind::tally:
      w.varint(dice.below(300));
      w.raw(random_element(dice));
      break;
    case crdt::kind::map: {
      w.block(random_element(dice));
      const auto life = 1 + dice.below(2);
      const auto what = dice.below(10);
      const auto action = what < 6   ? crdt::cell_action::update
                          : what < 8 ? crdt::cell_action::erase
                                     : crdt::cell_action::create;
      const bool updates = action == crdt::cell_action::update;
      w.raw(crdt::detail::cell_delta(life, action,
                                     updates ? random_delta(type.inner(), dice) : bytes{}));
      break;
    }
    default: w.zigzag(0); w.raw(random_element(dice));
  }
  return out;
}

version random_version(prng& dice) {
  version out;
  for (causal::replica_index r = 0; r < 3; ++r) out.set(r, dice.below(40));
  return out;
}

/// A record of four fields of entries, and one besides; no matter which history led to it.
bytes random_record(prng& dice) {
  bytes record;
  const auto ops = dice.below(40);
  for (std::uint64_t n = 1; n <= ops; ++n) {
    const causal::dot at{static_cast<causal::replica_index>(dice.below(3)), n};
    auto context = random_version(dice);
    context.raise(at);
    const auto which = static_cast<name_index>(dice.below(5));
    const auto type = which < 4 ? shapes[which] : crdt::shape{crdt::kind::lww};
    const auto action = dice.chance(5) ? crdt::cell_action::erase : crdt::cell_action::update;
    state::apply_op(record, action, 1, {which, type},
                    action == crdt::cell_action::update ? random_delta(type, dice) : bytes{},
                    {at, n, context});
  }
  return record;
}

using parts = std::map<bytes, bytes>;
using all_parts = std::map<field_id, parts>;

/// Takes some of the record's fields apart.
all_parts take_some(bytes& record, std::uint64_t which) {
  all_parts out;
  for (name_index n = 0; n < 4; ++n)
    if ((which >> n & 1) != 0)
      take_apart(record, {n, shapes[n]}, generation::at(0, 7, n + 1),
                 [&](bytes_view begins, bytes part) {
                   CHECK(out[{n, shapes[n]}].emplace(begins, std::move(part)).second);
                 });
  return out;
}
auto reading(const all_parts& all) {
  return [&all](const packed_field& f, auto&& each) -> result<> {
    const auto of_field = all.find(f.id);
    if (of_field == all.end()) return {};
    for (const auto& [begins, part] : of_field->second)
      if (!each(bytes_view{begins}, bytes_view{part})) break;
    return {};
  };
}

parts split(crdt::shape type, bytes_view state) {
  parts out;
  crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
    byte_writer w{out[bytes{beginning(e.key)}]};
    crdt::detail::write_entry(w, e.key, e.payload);
  });
  for (const auto& [begins, part] : out) CHECK(crdt::valid(type, part, 3));
  return out;
}
bytes in_a_row(const parts& all) {
  bytes out;
  for (const auto& [begins, part] : all) out += part;
  return out;
}

}  // namespace

TEST_CASE("a record that was taken apart is the same again when it is put together") {
  prng dice{1};
  for (int n = 0; n < 400; ++n) {
    const auto record = random_record(dice);
    auto rest = record;
    const auto all = take_some(rest, dice.below(16));
    CHECK(has_large_fields(crdt::read_cell(rest).value) == !all.empty());
    CHECK(whole_record(rest, reading(all)).value() == record);
    const auto cut = whole_record(rest, reading(all), 0);
    CHECK((!cut && cut.error().code == errc::too_large) == !all.empty());
    if (!all.empty()) CHECK_THROWS_AS(join_record(rest, {}, rest, {}), failure);
  }
}

TEST_CASE("the canonical state does not show which fields are apart, nor a digest of it") {
  prng dice{2};
  for (int n = 0; n < 150; ++n) {
    causal::roster replicas;
    name_table names;
    version seen;
    for (unsigned char r = 0; r < 3; ++r) {
      replica_id id;
      id.data.fill(static_cast<unsigned char>(9 - r));
      seen.set(replicas.add(id), 40);
    }
    for (const auto* name : {"d", "b", "c", "a", "e", "table"}) names.add(name);
    working_set whole, apart;
    shelf stored;
    for (const auto* key : {"x", "y", "z"}) {
      auto record = random_record(dice);
      whole.make(5, key, 1).packed = record;
      const auto all = take_some(record, dice.below(16));
      apart.make(5, key, 1).packed = record;
      for (const auto& [field, of_field] : all)
        for (const auto& [begins, part] : of_field) {
          const part_group group{5, key, field, generation::at(0, 7, field.name + 1u)};
          if (dice.chance(50)) {
            stored.records[{parts_of(5), part_key(group, begins)}] = {part, 1};
            continue;
          }
          auto& slot = apart.make(parts_of(5), part_key(group, begins), 1);
          slot.packed = part;
          apart.changed(slot, 1);
        }
      whole.changed(*whole.find(5, key), 1);
      apart.changed(*apart.find(5, key), 1);
    }
    bytes a, b;
    canonical_state(replicas, seen, names, whole, stored, [&](bytes_view p) { a += p; }).value();
    canonical_state(replicas, seen, names, apart, stored, [&](bytes_view p) { b += p; }).value();
    CHECK(a == b);
  }
}

TEST_CASE("parts are changed, joined, renamed and cleaned each for itself") {
  prng dice{3};
  for (int n = 0; n < 400; ++n) {
    const auto x = random_record(dice), y = random_record(dice);
    const auto seen_x = random_version(dice), seen_y = random_version(dice);
    for (name_index which = 0; which < 4; ++which) {
      const auto type = shapes[which];
      const bytes a{field_state(crdt::read_cell(x).value, {which, type})};
      const bytes b{field_state(crdt::read_cell(y).value, {which, type})};
      auto in_x = split(type, a);
      const auto in_y = split(type, b);
      CHECK(in_a_row(in_x) == a);

      parts joined;
      for (const parts* side : {static_cast<const parts*>(&in_x), &in_y})
        for (const auto& [begins, part] : *side) joined[begins];
      for (auto& [begins, part] : joined) {
        const auto of = [begins = begins](const parts& all) {
          const auto at = all.find(begins);
          return at == all.end() ? bytes{} : at->second;
        };
        part = crdt::join(type, of(in_x), seen_x, of(in_y), seen_y);
      }
      CHECK(in_a_row(joined) == crdt::join(type, a, seen_x, b, seen_y));

      const crdt::reindexing map{{2, 0, 1}, dice.chance(50)};
      parts renamed;
      for (const auto& [begins, part] : in_x) renamed[begins] = crdt::reindex(type, part, map);
      CHECK(in_a_row(renamed) == crdt::reindex(type, a, map));

      auto cleaned_parts = in_x;
      for (auto& [begins, part] : cleaned_parts)
        if (auto done = clean_part(type, part)) part = done->record;
      const auto whole = clean_part(type, a);
      CHECK(in_a_row(cleaned_parts) == (whole ? whole->record : a));

      const auto delta = random_delta(type, dice);
      const causal::stamp by{{1, 50}, 50, seen_y};
      auto changed = a;
      crdt::apply(type, changed, delta, by).onto(changed);
      auto& part = in_x[bytes{beginning(crdt::coalescing_key(type, delta))}];
      crdt::apply(type, part, delta, by).onto(part);
      CHECK(in_a_row(in_x) == changed);
    }
  }
}

TEST_CASE("what a part is called says whose it is, in the order of the entries") {
  prng dice{4};
  std::map<bytes, bytes> in_order;
  const bytes longest(400, '\xFF');
  for (int n = 0; n < 300; ++n) {
    const part_group group{5, longest, {0xFFFFFFFF, shapes[3]}, generation::at(7, 1u << 30, 9)};
    const auto element = random_element(dice);
    const auto key = part_key(group, element);
    CHECK(key.size() + 5 <= 511);  // with the table, and in quarantine
    const auto name = read_part_key(parts_of(5), key);
    REQUIRE(name);
    CHECK(name->first.table == 5);
    CHECK(name->first.key == longest);
    CHECK(name->first.field == group.field);
    CHECK(name->first.made == group.made);
    CHECK(name->second == beginning(element));
    const auto [at, fresh] = in_order.emplace(key, beginning(element));
    CHECK(at->second == beginning(element));
  }
  CHECK(std::is_sorted(in_order.begin(), in_order.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; }));
  for (std::size_t n = 0; n < 30; ++n) CHECK_FALSE(read_part_key(parts_of(5), bytes(n, '\0')));
}
