// A replica that keeps as little as it can, beside one that keeps everything: they never differ.
#include <catch2/catch.hpp>

#include <map>

#include "joinery/replica/replica.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/replica/sport_like.hpp"

using namespace replica_tests;
using transport::sync_once;

namespace {

bool failed_with(const result<>& r, errc code) { return !r && r.error().code == code; }

struct device {
  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<replica_type> db;

  explicit device(std::uint64_t seed) : dice(seed) {
    options.space = space_named("whole engine");
    options.time = &time;
    options.random = &dice;
  }
  void open() {
    db.reset();
    db.emplace(replica_type::open(disk.share(), options).value());
  }
  auto& engine() { return db->endpoint(); }
  [[nodiscard]] replica_id id() { return engine().self(); }
  std::string digest() { return db->digest().value().hex(); }

  /// Forgets all that it may: memory, the log, what the dead hold.
  void be_lean(std::size_t cache_bytes) {
    options.cache_bytes = cache_bytes;
    options.retain_log_bytes = 600;
    options.snapshot_records = 4;
    options.snapshot_step_records = 8;
    options.clean_up_records = 64;
    options.large_field_bytes = 20;
  }
  /// Keeps all of it.
  void keep_everything() {
    options.cache_bytes = std::size_t{1} << 30;
    options.retain_log_bytes = ~std::uint64_t{0} / 4;
    options.retain_log_ms = ~std::uint64_t{0} / 4;
    options.snapshot_records = std::size_t{1} << 30;
    options.snapshot_log_bytes = std::size_t{1} << 30;
    options.clean_up_records = 0;
    options.large_field_bytes = ~std::size_t{0};
  }
  void work(int keys, int transactions) {
    for (int n = 0; n < transactions; ++n)
      db->write([&](auto& tx) {
          for (auto left = 1 + dice.below(4); left > 0; --left)
            perform(tx, random_operation(dice, keys));
        }).value();
  }
};

/// Where the floor of one passes the other meanwhile, the next session serves a snapshot.
result<> meet(device& a, device& b) {
  auto met = sync_once(a.engine(), b.engine());
  for (int n = 0; n < 3 && failed_with(met, errc::gap); ++n)
    met = sync_once(a.engine(), b.engine());
  return met;
}

class fleet {
 public:
  device lean, hoarder, third;
  std::optional<device> guest;  // comes and goes: each time an empty store under a new id
  std::uint64_t joined = 0;     // snapshots, by guests
  int guests = 0;

  fleet(std::uint64_t seed, std::size_t cache_bytes)
      : lean(10 * seed + 1), hoarder(10 * seed + 2), third(10 * seed + 3), seed_(seed) {
    lean.be_lean(cache_bytes);
    hoarder.keep_everything();
    for (auto* d : {&lean, &hoarder, &third}) d->open();
    for (auto* d : {&lean, &hoarder, &third})
      d->db->write([](auto& tx) { tx.template create<entry>("first"); }).value();
    for (int n = 0; n < 2; ++n)
      for (auto* d : {&hoarder, &third}) meet(lean, *d).value();
    hoarder.engine().close_membership().value();
    rest();
  }
  std::vector<device*> all() {
    std::vector<device*> out{&lean, &hoarder, &third};
    if (guest) out.push_back(&*guest);
    return out;
  }

  /// Everybody tends, and meets everybody, until nothing happens any more.
  void rest() {
    for (int round = 0; round < 12; ++round) {
      std::uint64_t before = 0, after = 0;
      for (auto* d : all()) before += d->engine().log_size();
      for (auto* d : all()) {
        d->time.now += d->options.acknowledge_after_ms;
        for (int n = 0; n < 30; ++n) d->engine().tend().value();
      }
      for (auto* a : all())
        for (auto* b : all())
          if (a < b) meet(*a, *b).value();
      for (auto* d : all()) after += d->engine().log_size();
      if (before == after) return;
    }
  }
  void change_guest() {
    if (guest) {
      lean.engine().evict(guest->id()).value();
      guest.reset();
      rest();
    }
    guest.emplace(1000 * seed_ + static_cast<std::uint64_t>(++guests));
    guest->be_lean(4000);
    guest->open();
    lean.engine().admit(guest->id()).value();
    lean.engine().checkpoint().value();
    meet(lean, *guest).value();
    joined += guest->engine().joins();
    CHECK(guest->digest() == lean.digest());
  }
  void check_equal() {
    const auto digest = hoarder.digest();
    for (auto* d : all()) REQUIRE(d->digest() == digest);
  }

 private:
  std::uint64_t seed_;
};

}  // namespace

TEST_CASE("who cleans, evicts, forgets and starts anew has the same state as who does none of it") {
  for (std::uint64_t seed = 1; seed <= (JOINERY_SANITIZED ? 2 : 6); ++seed) {
    CAPTURE(seed);
    fleet f{seed, seed % 2 == 0 ? 0u : 3000u};
    prng dice{seed};
    std::uint64_t cleaned = 0;
    for (int round = 0; round < 40; ++round) {
      for (auto* d : f.all()) d->work(12, static_cast<int>(dice.below(3)));
      const auto devices = f.all();
      for (int meetings = 0; meetings < 2; ++meetings) {
        auto& a = *devices[dice.below(devices.size())];
        auto& b = *devices[dice.below(devices.size())];
        if (&a == &b) continue;
        const auto met = meet(a, b);
        if (!met) CHECK(met.error().code == errc::not_a_member);  // has not heard of a guest yet
      }
      for (auto* d : devices) d->engine().tend().value();
      if (dice.below(8) == 0) f.lean.engine().checkpoint().value();
      if (dice.below(8) == 0) {
        cleaned += f.lean.db->status().membership.cells_cleaned;
        f.lean.open();
      }
      if (round % 13 == 6) f.change_guest();
      if (round % 10 == 9) {
        f.rest();
        f.check_equal();
      }
    }
    f.rest();
    f.check_equal();
    const auto lean = f.lean.db->status(), hoarder = f.hoarder.db->status();
    CHECK(cleaned + lean.membership.cells_cleaned > 0);
    CHECK(hoarder.membership.cells_cleaned == 0);
    CHECK(lean.log_floor > 0);
    CHECK(hoarder.log_floor == 0);
    CHECK(f.joined >= 3);
    CHECK(lean.records_in_memory < hoarder.records_in_memory);
    f.hoarder.open();  // all of it from the log alone
    f.check_equal();
  }
}

TEST_CASE("a memory of 1 MB over more than that: the same state, and the bound holds") {
  constexpr int part = JOINERY_SANITIZED ? 8 : 1;  // of it all, where everything takes longer
  constexpr std::size_t bound = (1u << 20) / part;
  constexpr int count = 3000 / part;
  const auto long_key = [](int n) { return std::string(250, 'k') + std::to_string(n); };
  fleet f{50, bound};
  for (int n = 0; n < count; n += 100)
    f.third.db
        ->write([&](auto& tx) {
          for (int k = n; k < n + 100; ++k) {
            auto r = tx.template create<athlete>(long_key(k));
            for (int badge = 0; badge < 4; ++badge) r.badges.insert(1000 * k + badge);
            r.xp += k;
          }
        })
        .value();
  meet(f.third, f.lean).value();
  f.change_guest();
  for (int n = 0; n < count; n += 5)
    f.lean.db
        ->write([&](auto& tx) {
          const auto key = long_key(n);
          if (n % 2 == 0)
            tx.template erase<athlete>(key);
          else
            tx.template find<athlete>(key)->xp += 1;
        })
        .value();
  f.rest();
  for (int n = 0; n < 500 && f.lean.db->status().membership.cleaning; ++n)
    f.lean.engine().tend().value();
  f.check_equal();
  const auto lean = f.lean.db->status();
  CHECK(lean.memory_bytes < bound + (64u << 10));
  CHECK(lean.records_in_memory < count);
  CHECK(f.hoarder.db->status().memory_bytes > bound + bound / 4);
  CHECK(lean.membership.cells_cleaned >= count / 10);
  CHECK(lean.log_floor > 0);
}
