// The tail of the log that waits after an opening: nobody sees that it does.
#include <catch2/catch.hpp>

#include "tests/replica/large.hpp"

using namespace large_tests;

namespace {

// Profiles of two devices that meet now and then; the one under test writes its snapshot at some
// moment, so that the rest is the tail of its log.
struct open_later {
  using database = replica<indexed_app, memory_storage>;

  explicit open_later(std::uint64_t seed) : dice(seed) {
    options.space = space_named("large fields");
    options.time = &time;
    options.random = &dice;
    other_options = options;
    const std::size_t large[] = {0, 40, ~std::size_t{0}};
    options.large_field_bytes = dice.pick(large);
    options.cache_bytes = dice.chance(50) ? 0 : 1u << 20;
    live.emplace(database::open(disk.share(), options).value());
    other.emplace(database::open(memory_storage{}, other_options).value());
    const auto steps = 5 + dice.below(30);
    const auto snapshot = dice.below(steps);
    for (std::uint64_t n = 0; n < steps; ++n) {
      change(dice.chance(50) ? *live : *other);
      if (dice.chance(30)) hear(*live, *other);
      if (dice.chance(30)) hear(*other, *live);
      if (n == snapshot) live->checkpoint().value();
    }
    reopen(disk.clone());
  }

  void reopen(memory_storage from) {
    kept.clear();
    late.reset();
    late_disk = std::move(from);
    late.emplace(database::open(late_disk.share(), options).value());
  }

  std::string key() { return "p" + std::to_string(dice.below(6)); }
  void change(database& db) {
    const auto k = key();
    db.write([&](auto& tx) {
        if (dice.chance(10) && tx.template find<profile>(k)) {
          tx.template erase<profile>(k);
          return;
        }
        auto p = tx.template create<profile>(k);
        for (auto n = dice.below(4); n > 0; --n) shown.change(p, dice);
        p.notes[element(dice.below(9))] = std::string(dice.below(9), 'x');
      }).value();
  }
  static void hear(database& to, database& from) {
    from.flush().value();
    std::vector<bytes> log;
    from.endpoint()
        .read_log(1, [&](auto, const auto&, auto,
                         bytes_view data) { return log.emplace_back(data), true; })
        .value();
    const std::vector<bytes_view> views(log.begin(), log.end());
    to.endpoint().ingest(views).value();
  }

  // Everything of a record that can be asked for.
  template <class Db>
  static std::string told(Db& db, const std::string& k) {
    const auto p = db.template find<profile>(k);
    if (!p) return "none";
    std::string out;
    p->badges.for_each([&](const std::string& e) { out += e + ","; });
    p->laps.for_each_key(
        [&](const std::string& e) { out += e + "=" + std::to_string(p->laps[e].get()) + ","; });
    for (std::uint64_t n = 0; n < 9; ++n) {
      const auto e = element(n);
      out += std::to_string(p->grants.at(e).value_or(0)) + ",";
      if (p->notes.contains(e)) out += "'" + p->notes[e].get() + "',";
    }
    return out;
  }
  template <class E>
  static std::string walked(E& e) {
    std::string out;
    e.for_each("profiles", {}, [&](bytes_view k, const bytes_view packed) {
       out += std::string{k} + " " + to_hex(packed) + "\n";
       return true;
     }).value();
    return out;
  }
  static std::string keys_of(reader<indexed_app>& r) {
    std::string out;
    r.for_each<profile>([&](bytes_view k, const profile&) { out += std::string{k} + ","; });
    return out;
  }
  static std::string listed(database& db, const std::string& e) {
    std::string out;
    db.query<profile>().by<&profile::badges>().equal(e).for_each(
        [&](bytes_view k, const profile&) { out += std::string{k} + ","; });
    return out;
  }

  void same(const std::string& k) { CHECK(told(*late, k) == told(*live, k)); }
  void ask() {
    switch (dice.below(10)) {
      case 0: return same(key());
      case 1: CHECK(walked(late->endpoint()) == walked(live->endpoint())); return;
      case 2: {
        const auto e = element(dice.below(60));
        CHECK(listed(*late, e) == listed(*live, e));
        return;
      }
      case 3: CHECK(late->conflicts().value().size() == live->conflicts().value().size()); return;
      case 4: CHECK(late->digest().value() == live->digest().value()); return;
      case 5:
        change(*other);
        hear(*live, *other);
        return hear(*late, *other);
      case 6: late->tend().value(); return;
      case 7: {
        auto then = late->reader().value(), mine = live->reader().value();
        for (auto n = dice.below(3); n > 0; --n) {
          const auto k = key();
          CHECK(told(then, k) == told(mine, k));
        }
        CHECK(keys_of(then) == keys_of(mine));
        CHECK(then.conflicts().value().size() == mine.conflicts().value().size());
        CHECK(then.digest().value() == mine.digest().value());
        return;
      }
      case 8:
        kept.emplace_back(late->reader().value(), live->digest().value());
        if (dice.chance(50)) same(key());
        return;
      default:
        if (dice.chance(50)) late->checkpoint().value();
        return reopen(late_disk.clone());
    }
  }

  testing::prng dice;
  manual_clock time{1'000'000};
  model shown;
  replica_options options, other_options;
  memory_storage disk, late_disk;
  std::optional<database> live, other, late;
  std::vector<std::pair<reader<indexed_app>, crypto::digest>> kept;
};

}  // namespace

TEST_CASE("a tail that is folded in as it is needed equals one that was folded at once") {
  const std::uint64_t seeds = JOINERY_SANITIZED ? 40 : 300;
  std::uint64_t waiting = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    open_later o{seed};
    waiting += o.late->status().dirty_records == 0 && o.live->status().dirty_records > 0 ? 1 : 0;
    for (int n = 0; n < 8; ++n) o.ask();
    for (int n = 0; n < 6; ++n) o.same("p" + std::to_string(n));
    CHECK(o.late->digest().value() == o.live->digest().value());
    for (auto& [then, digest] : o.kept) CHECK(then.digest().value() == digest);
  }
  CHECK(waiting > seeds / 4);
}
