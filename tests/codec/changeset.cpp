// Changesets as bytes: there and back, cut short, damaged, hostile.
#include <catch2/catch.hpp>

#include <functional>

#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/space_name.hpp"
#include "joinery/testing/prng.hpp"

using namespace joinery;
using codec::changeset_writer;
using codec::decode_changeset;
using codec::pack_writer;
using crdt::cell_action;
using crdt::kind;
using crdt::shape;

namespace {

replica_id some_id(int n) {
  replica_id id;
  id.data.fill(static_cast<unsigned char>(n));
  return id;
}

std::string text_of(cell_action a, std::uint64_t incarnation, std::string_view field, shape type,
                    bytes_view delta) {
  const bool update = crdt::carries_delta(a);
  return std::to_string(static_cast<int>(a)) + " " + std::to_string(incarnation) +
         (update
              ? " " + std::string{field} + " " + std::to_string(type.code()) + " " + to_hex(delta)
              : "") +
         "\n";
}

/// A changeset of random valid operations, and what they are.
struct sample {
  replica_id origin;
  std::uint64_t seq = 1;
  causal::hlc time = 1;
  std::vector<codec::seen_increase> seen;
  changeset_writer writer;
  std::map<std::pair<std::string, bytes>, std::string> wanted;

  explicit sample(testing::prng& dice, bool first = false) : origin(some_id(9)) {
    seq = first ? 1 : 1 + dice.below(dice.chance(50) ? 100 : codec::max_seq);
    time = 1 + dice.below(dice.chance(50) ? 1000 : 1ull << 40);
    if (!first)
      for (int n = 0; n < 5; ++n)
        if (dice.chance(30)) seen.push_back({some_id(n + 1), 1 + dice.below(1000)});
    static const std::string tables[] = {"t", "another table", std::string(64, 'n')};
    static const std::string fields[] = {"f", "a field with a longer name", "g.h"};
    for (auto n = dice.below(8); n > 0; --n) {
      const auto& table = dice.pick(tables);
      const bytes key(1 + dice.below(dice.chance(90) ? 3 : 400),
                      static_cast<char>(dice.below(256)));
      for (auto left = 1 + dice.below(4); left > 0; --left) {
        changeset_writer::op op;
        op.action = static_cast<cell_action>(dice.below(5));
        op.incarnation = 1 + dice.below(dice.chance(90) ? 2 : codec::max_incarnation);
        if (crdt::carries_delta(op.action)) {
          op.field = dice.pick(fields);
          std::tie(op.type, op.delta) = random_delta(dice);
        }
        wanted[{table, key}] += text_of(op.action, op.incarnation, op.field, op.type, op.delta);
        writer.add(table, key, std::move(op));
      }
    }
  }
  [[nodiscard]] bytes make() const { return writer.encode(origin, seq, time, seen); }

  static std::pair<shape, bytes> random_delta(testing::prng& dice) {
    const auto number = static_cast<int>(dice.below(5));
    switch (dice.below(10)) {
      case 0:
        return {kind::lww,
                crdt::lww<int>::set(number, static_cast<std::int64_t>(dice.below(4)) - 1)};
      case 1: return {kind::mv, crdt::lww<std::string>::set("text")};
      case 2: return {kind::or_set, crdt::or_set<int>::insert(number)};
      case 3: return {kind::or_set, crdt::or_set<int>::erase(number)};
      case 4: return {kind::pn_counter, crdt::pn_counter::add(number - 2)};
      case 5: return {kind::g_counter, crdt::g_counter::add(number)};
      case 6: return {kind::tally, crdt::tally<int>::grant(number, dice.below(100))};
      case 7: return {kind::max_of, crdt::max_of<int>::put(number)};
      case 8: return {kind::flag, crdt::flag::set(number > 2)};
      default: {
        using inner = crdt::map<int, crdt::or_set<int>>;
        using outer = crdt::map<int, inner>;
        return {outer::type(),
                outer{}.update(number, inner{}.update(1, crdt::or_set<int>::insert(3)))};
      }
    }
  }
};

/// An engine with a store of its own.
struct receiver {
  history::memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice{7};
  engine<history::memory_storage> e;
  receiver() : e(open()) {}
  engine<history::memory_storage> open() {
    return engine<history::memory_storage>::open(disk.share(),
                                                 {.space = space_named("changesets"),
                                                  .time = &time,
                                                  .random = &dice,
                                                  .max_clock_drift_ms = ~std::uint64_t{0}})
        .value();
  }
  result<ingest_report> take(bytes_view data) { return e.ingest({&data, 1}); }
};

/// Writes the seven items of a changeset, each by its own function; what is not given is as it
/// should be.
struct by_hand {
  using part = std::function<void(pack_writer&)>;
  part format = [](auto& w) { w.u64(1); };
  part origin = [](auto& w) { w.binary(some_id(9).view()); };
  part seq = [](auto& w) { w.u64(1); };
  part time = [](auto& w) { w.u64(77); };
  part seen = [](auto& w) { w.array(0); };
  part names = [](auto& w) { w.array(2), w.text("t"), w.text("f"); };
  part records = [](auto& w) { w.array(1), record(w, 0, "k", [](auto& o) { o.array(0); }); };
  std::size_t items = 7;

  [[nodiscard]] bytes make() const {
    bytes out;
    pack_writer w{out};
    w.array(items);
    for (const auto* p : {&format, &origin, &seq, &time, &seen, &names, &records}) (*p)(w);
    return out;
  }
  static void record(pack_writer& w, std::uint64_t table, bytes_view key, const part& ops) {
    w.array(3);
    w.u64(table);
    w.binary(key);
    ops(w);
  }
  static part one_op(std::uint64_t action, std::uint64_t incarnation) {
    return [=](auto& w) {
      w.array(1), record(w, 0, "k", [&](auto& o) {
        o.array(1), o.array(2), o.u64(action), o.u64(incarnation);
      });
    };
  }
  static part one_update(std::uint64_t field, std::uint64_t type, bytes delta) {
    return [=](auto& w) {
      w.array(1), record(w, 0, "k", [&](auto& o) {
        o.array(1), o.array(5), o.u64(1), o.u64(1), o.u64(field), o.u64(type), o.binary(delta);
      });
    };
  }
};

bool refused(bytes_view data, errc code = errc::malformed) {
  const auto c = decode_changeset(data);
  return !c && c.error().code == code;
}

}  // namespace

TEST_CASE("a changeset decodes to what was encoded") {
  testing::prng dice{1};
  for (int n = 0; n < 500; ++n) {
    const sample s{dice};
    const auto data = s.make();
    const auto c = decode_changeset(data).value();
    CHECK(c.origin == s.origin);
    CHECK(c.seq == s.seq);
    CHECK(c.time == s.time);
    REQUIRE(c.seen.size() == s.seen.size());
    for (std::size_t i = 0; i < c.seen.size(); ++i) {
      CHECK(c.seen[i].replica == s.seen[i].replica);
      CHECK(c.seen[i].increase == s.seen[i].increase);
    }
    std::map<std::pair<std::string, bytes>, std::string> got;
    for (const auto& op : c.ops) {
      const auto& r = c.records[op.record];
      got[{std::string{c.names[r.table]}, bytes{r.key}}] +=
          text_of(op.action, op.incarnation,
                  crdt::carries_delta(op.action) ? c.names[op.field] : "", op.type, op.delta);
    }
    CHECK(got == s.wanted);
    CHECK(codec::peek_dot(data) == std::pair{s.origin, s.seq});
  }
}

TEST_CASE("names stand once in a changeset, and small numbers in one byte") {
  changeset_writer w;
  for (int n = 0; n < 100; ++n) {
    const bytes key(1, static_cast<char>('0' + n));
    w.add("a table with a long name", key,
          {cell_action::update, 1, "a field with a long name", kind::flag, crdt::flag::set(true)});
  }
  CHECK(w.encode(some_id(1), 1, 1, {}).size() < 100 * 14 + 100);
}

TEST_CASE("a changeset that is cut anywhere, or goes on, is refused") {
  testing::prng dice{2};
  for (int n = 0; n < 10; ++n) {
    const auto data = sample{dice}.make();
    for (std::size_t size = 0; size < data.size(); ++size)
      CHECK(refused(bytes_view{data}.substr(0, size)));
    CHECK(refused(data + '\0'));
    CHECK(refused(data + data));
  }
}

TEST_CASE(
    "a damaged changeset gives a value or an error, and an engine takes all of it or nothing") {
  testing::prng dice{3};
  std::size_t accepted = 0, refusals = 0, errors = 0;
  receiver to;
  auto digest = to.e.digest().value();
  for (int n = 0; n < 4000; ++n) {
    auto data = sample{dice, true}.make();
    for (auto left = 1 + dice.below(3); left > 0 && !data.empty(); --left) {
      const auto at = dice.below(data.size());
      switch (dice.below(4)) {
        case 0: data[at] = static_cast<char>(dice.next()); break;
        case 1: data[at] = static_cast<char>(data[at] ^ 1 << dice.below(8)); break;
        case 2: data.erase(at, 1 + dice.below(4)); break;
        default: data.insert(at, 1 + dice.below(4), static_cast<char>(dice.next()));
      }
    }
    const auto c = decode_changeset(data);
    (c ? accepted : refusals) += 1;
    CHECK(decode_changeset(data).has_value() == c.has_value());
    const auto before = to.e.log_size();
    const auto done = to.take(data);
    if (!c) CHECK_FALSE(done);
    if (done && to.e.log_size() > before) {
      digest = to.e.digest().value();
    } else {
      errors += done ? 0 : 1;
      REQUIRE(to.e.digest().value() == digest);
    }
    // One store for many, until its first changeset of an origin is taken.
    if (n % 20 == 19) {
      to.e.checkpoint().value();
      auto again = to.open();
      REQUIRE(again.digest().value() == digest);
      to.~receiver();
      new (&to) receiver;
      digest = to.e.digest().value();
    }
  }
  CHECK(accepted > 50);
  CHECK(refusals > 1000);
  CHECK(errors > 1000);
}

TEST_CASE("what is not in the format is refused, well framed or not") {
  CHECK(decode_changeset(by_hand{}.make()));
  const auto with = [](auto set) {
    by_hand h;
    set(h);
    return h.make();
  };
  using h = by_hand;
  CHECK(refused(""));
  CHECK(refused(with([](h& c) { c.items = 6; })));
  CHECK(refused(with([](h& c) { c.format = [](auto& w) { w.u64(0); }; })));
  CHECK(refused(with([](h& c) { c.format = [](auto& w) { w.text("1"); }; })));
  CHECK(refused(with([](h& c) { c.format = [](auto& w) { w.u64(2); }; }), errc::unsupported));
  CHECK(refused(with([](h& c) { c.origin = [](auto& w) { w.binary(std::string(15, 'x')); }; })));
  CHECK(refused(with([](h& c) { c.origin = [](auto& w) { w.binary(std::string(16, '\0')); }; })));
  CHECK(refused(with([](h& c) { c.origin = [](auto& w) { w.text(some_id(9).view()); }; })));
  CHECK(refused(with([](h& c) { c.seq = [](auto& w) { w.u64(0); }; })));
  CHECK(refused(with([](h& c) { c.seq = [](auto& w) { w.u64(codec::max_seq + 1); }; })));
  CHECK(refused(with([](h& c) { c.time = [](auto& w) { w.u64(0); }; })));
  const auto seen = [&](std::vector<codec::seen_increase> list) {
    return with([&](h& c) {
      c.seen = [list](auto& w) {
        w.array(list.size());
        for (const auto& s : list) w.array(2), w.binary(s.replica.view()), w.u64(s.increase);
      };
    });
  };
  CHECK(decode_changeset(seen({{some_id(1), 1}, {some_id(2), 1}})));
  CHECK(refused(seen({{some_id(2), 1}, {some_id(1), 1}})));
  CHECK(refused(seen({{some_id(1), 1}, {some_id(1), 1}})));
  CHECK(refused(seen({{some_id(9), 1}})));
  CHECK(refused(seen({{some_id(1), 0}})));
  CHECK(refused(seen({{some_id(0), 1}})));
  CHECK(refused(seen({{some_id(1), codec::max_seq + 1}})));
  const auto names = [&](std::vector<std::string> list) {
    return with([&](h& c) {
      c.names = [list](auto& w) {
        w.array(list.size());
        for (const auto& n : list) w.text(n);
      };
    });
  };
  CHECK(decode_changeset(names({std::string(64, 'x')})));
  CHECK(refused(names({})));
  CHECK(refused(names({""})));
  CHECK(refused(names({std::string(65, 'x')})));
  CHECK(refused(names(std::vector<std::string>(4097, "x"))));
  const auto records = [&](h::part p) { return with([&](h& c) { c.records = std::move(p); }); };
  const auto no_ops = [](auto& o) { o.array(0); };
  const auto keys = [&](std::vector<std::pair<std::uint64_t, bytes>> list) {
    return records([=](auto& w) {
      w.array(list.size());
      for (const auto& [table, key] : list) h::record(w, table, key, no_ops);
    });
  };
  CHECK(decode_changeset(keys({})));
  CHECK(decode_changeset(keys({{0, std::string(400, 'k')}})));
  CHECK(refused(keys({{0, std::string(401, 'k')}})));
  CHECK(refused(keys({{0, ""}})));
  CHECK(refused(keys({{2, "k"}})));
  CHECK(decode_changeset(keys({{1, "a"}, {0, "a"}, {0, "b"}})));  // by name: f, then t
  CHECK(refused(keys({{0, "a"}, {1, "a"}})));
  CHECK(refused(keys({{0, "b"}, {0, "a"}})));
  CHECK(refused(records(h::one_op(4, 1))));
  CHECK(refused(records(h::one_op(5, 1))));
  CHECK(refused(records(h::one_op(0, 0))));
  CHECK(refused(records(h::one_op(1, 1))));
  CHECK(refused(records(h::one_op(0, codec::max_incarnation + 1))));
  CHECK(decode_changeset(records(h::one_op(3, codec::max_incarnation))));
  const auto flag = crdt::flag::set(true);
  CHECK(decode_changeset(records(h::one_update(1, 9, flag))));
  CHECK(refused(records(h::one_update(2, 9, flag))));
  CHECK(refused(records(h::one_update(1, 0, flag))));
  CHECK(refused(records(h::one_update(1, 11, flag)), errc::unsupported));
  CHECK(refused(records(h::one_update(1, 0x0B0A, flag)), errc::unsupported));
  CHECK(refused(records(h::one_update(1, 10, flag))));
  CHECK(refused(records(h::one_update(1, 0x100000000, flag))));
  CHECK(refused(records(h::one_update(1, 0x0A0A0A0A, flag))));
  CHECK(refused(records(h::one_update(1, 9, "\2"))));
  CHECK(refused(records(h::one_update(1, 9, ""))));
  for (std::uint64_t code = 0; code <= 10; ++code)
    CHECK(refused(records(h::one_update(1, code, ""))));
}

TEST_CASE("a record that stands twice in a changeset is refused, by any index of its table") {
  for (const std::uint64_t second : {0u, 1u}) {
    by_hand h;
    h.names = [](auto& w) { w.array(2), w.text("t"), w.text("t"); };
    h.records = [=](auto& w) {
      w.array(2);
      for (const std::uint64_t table : {std::uint64_t{0}, second})
        by_hand::record(w, table, "k", [](auto& o) { o.array(1), o.array(2), o.u64(0), o.u64(1); });
    };
    CHECK(refused(h.make()));
  }
}

TEST_CASE("lengths and nesting that promise too much are refused at once") {
  const auto raw = [](std::initializer_list<int> list) {
    bytes out;
    for (const int b : list) out.push_back(static_cast<char>(b));
    return out;
  };
  CHECK(refused(raw({0xDD, 0xFF, 0xFF, 0xFF, 0xFF})));                   // an array of 2^32 - 1
  CHECK(refused(raw({0x97, 0x01, 0xC6, 0xFF, 0xFF, 0xFF, 0xFF})));       // a bin of 2^32 - 1
  CHECK(refused(raw({0x97, 0x01, 0xDB, 0xFF, 0xFF, 0xFF, 0xFF, 'x'})));  // a str of 2^32 - 1
  CHECK(refused(raw({0xDF, 0xFF, 0xFF, 0xFF, 0xFF})));                   // a map
  CHECK(refused(raw({0xC0})));
  CHECK(refused(raw({0xC1})));
  CHECK(refused(raw({0xD0, 0xFF})));              // a negative number
  CHECK(refused(raw({0xC7, 0x01, 0x01, 0x01})));  // an ext
  CHECK(refused(bytes(1'000'000, '\x91')));       // a million arrays deep
  CHECK(refused(bytes(1'000'000, '\x81')));
  CHECK(refused(bytes(codec::max_changeset + 1, '\0'), errc::too_large));
  // The head in a longer form than need be: its dot could not be read off.
  auto longer = by_hand{}.make();
  longer.replace(20, 1, raw({0xCC, 0x01}));
  CHECK(refused(longer));
}

TEST_CASE("eight mebibytes of the smallest operations end soon") {
  by_hand h;
  constexpr std::uint32_t count = 2'500'000;
  h.records = [](auto& w) {
    w.array(1), by_hand::record(w, 0, "k", [](auto& o) {
      o.array(count);
      for (std::uint32_t n = 0; n < count; ++n) o.array(2), o.u64(0), o.u64(1);
    });
  };
  const auto data = h.make();
  REQUIRE(data.size() < codec::max_changeset);
  receiver to;
  CHECK(to.take(data).value().operations == count);
}
