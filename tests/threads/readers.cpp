// Threads read whole versions while another one writes and syncs.
#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "joinery/history/memory_storage.hpp"
#include "joinery/store/lmdb.hpp"
#include "joinery/testing/prng.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/store/support.hpp"
#include "tests/threads/bank.hpp"

using namespace thread_tests;
using history::memory_storage;

namespace {

constexpr int accounts = 40;

std::string key(int n) { return "account " + std::to_string(100 + n); }

/// Digests by version, as the writer saw them.
class ledger {
 public:
  void note(std::uint64_t changesets, const crypto::digest& d) {
    const std::lock_guard lock(mutex_);
    digests_[changesets] = d.hex();
  }
  /// Whether this is the digest of that version, as far as that was noted.
  bool agrees(std::uint64_t changesets, const crypto::digest& d) {
    const std::lock_guard lock(mutex_);
    const auto at = digests_.find(changesets);
    if (at == digests_.end()) return true;
    ++compared_;
    return at->second == d.hex();
  }
  int compared() {
    const std::lock_guard lock(mutex_);
    return compared_;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> digests_;
  int compared_ = 0;
};

/// Sums over all accounts: what is in them, and how many moves they remember.
template <class Reader>
std::pair<std::int64_t, std::size_t> sums(const Reader& r) {
  std::pair<std::int64_t, std::size_t> out{};
  r.template for_each<account>([&](auto, const account& a) {
    out.first += *a.balance;
    out.second += a.moves.size();
  });
  return out;
}

/// Moves an amount between two accounts; each move is remembered in both.
template <class Db>
void move_some(Db& db, testing::prng& dice, int number) {
  const auto from = static_cast<int>(dice.below(accounts));
  const auto to = (from + 1 + static_cast<int>(dice.below(accounts - 1))) % accounts;
  const auto amount = static_cast<std::int64_t>(dice.below(100));
  db.write([&](auto& tx) {
      auto a = tx.template create<account>(key(from));
      a.balance -= amount;
      a.moves.insert(number);
      auto b = tx.template create<account>(key(to));
      b.balance += amount;
      b.moves.insert(number);
    }).value();
}

template <class Db>
class reading {
 public:
  reading(Db& db, ledger& known, const std::atomic<bool>& done)
      : thread_([this, &db, &known, &done] {
          try {
            while (!done) round(db, known);
          } catch (const std::exception& e) {
            wrong_ = e.what();
          }
        }) {}
  std::string join() {
    thread_.join();
    return wrong_;
  }
  [[nodiscard]] int rounds() const { return rounds_; }

 private:
  void round(Db& db, ledger& known) {
    const auto made = db.reader();
    if (!made) throw failure(made.error());
    const auto& r = *made;
    try {
      const auto first = sums(r);
      // Twice as many as moves that the version has; the first changeset made the accounts.
      if (first.first != 0) throw std::runtime_error("money was made or lost");
      if (first.second != 2 * (r.log_size() - 1)) throw std::runtime_error("half a changeset");
      const auto digest = r.digest().value();
      if (!known.agrees(r.log_size(), digest)) throw std::runtime_error("another version's digest");
      const auto row = r.template find<account>(key(rounds_ % accounts));
      if (!row) throw std::runtime_error("an account is missing");
      if (sums(r) != first) throw std::runtime_error("it changed");
      ++rounds_;
    } catch (const failure& f) {  // only a store on disk gives readers up, when it grows
      if (f.error().code != errc::reader_expired) throw;
    }
  }

  std::string wrong_;
  std::atomic<int> rounds_{0};
  std::thread thread_;  // last: it uses the others
};

template <class Storage>
void run(Storage first, Storage second, int moves) {
  testing::prng dice{11}, more_dice{12};
  replica_options options;
  options.space = space_named("threads");
  options.random = &dice;
  options.cache_bytes = 6'000;
  options.snapshot_records = 8;
  options.snapshot_step_records = 3;
  options.large_field_bytes = 40;
  using db_type = replica<bank, Storage>;
  auto a = db_type::open(std::move(first), options).value();
  options.random = &more_dice;
  options.large_field_bytes = ~std::size_t{0};
  auto b = db_type::open(std::move(second), options).value();
  a.write([](auto& tx) {
     for (int n = 0; n < accounts; ++n) tx.template create<account>(key(n));
   }).value();
  transport::sync_once(a.endpoint(), b.endpoint()).value();

  ledger known;
  std::atomic<bool> done{false};
  {
    reading<db_type> one{a, known, done}, two{a, known, done}, three{a, known, done};
    // This thread writes here and there, and carries a sync on, one step at a time.
    sync::session to_b{a.endpoint(), {}, 0};
    sync::session to_a{b.endpoint(), {}, 0};
    transport::pipe wire{to_b, to_a};
    for (int n = 0; n < moves; ++n) {
      if (n % 3 == 0)
        move_some(b, dice, n);
      else
        move_some(a, dice, n);
      for (auto* s : {&to_b, &to_a}) s->wake(static_cast<std::uint64_t>(n));
      wire.step(static_cast<std::uint64_t>(n));
      if (n % 4 == 0) known.note(a.endpoint().log_size(), a.digest().value());
      if (n % 50 == 0) std::this_thread::yield();
    }
    // Readers come round at the last version, too.
    known.note(a.endpoint().log_size(), a.digest().value());
    const auto all_came_round = [&] {
      return known.compared() > 0 && one.rounds() > 0 && two.rounds() > 0 && three.rounds() > 0;
    };
    for (int n = 0; n < 5000 && !all_came_round(); ++n)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    done = true;
    for (auto* r : {&one, &two, &three}) {
      CHECK(r->join() == "");
      CHECK(r->rounds() > 0);
    }
  }
  CHECK(known.compared() > 0);
  CHECK(a.status().readers == 0);
  transport::sync_once(a.endpoint(), b.endpoint()).value();
  CHECK(a.digest().value() == b.digest().value());
  CHECK(a.endpoint().log_size() == static_cast<std::uint64_t>(moves) + 1);
}

}  // namespace

TEST_CASE("three threads read whole versions while a fourth writes and syncs, in memory") {
  run(memory_storage{}, memory_storage{}, 300);
}

TEST_CASE("and on disk, where the map grows meanwhile") {
  store_tests::temporary_directory folder;
  const auto open = [&](const char* name) {
    return store::lmdb::open({.path = folder.path(name),
                              .mode = history::durability::interval,
                              .initial_map_bytes = 300'000})
        .value();
  };
  run(open("one"), open("two"), 200);
}

TEST_CASE("threads read whole versions while the tail of the log is folded in") {
  testing::prng dice{13};
  replica_options options;
  options.space = space_named("threads");
  options.random = &dice;
  options.large_field_bytes = 40;
  memory_storage disk;
  std::uint64_t moves = 0;
  const auto make = [&] {
    return replica<bank, memory_storage>::open(disk.share(), options).value();
  };
  make()
      .write([](auto& tx) {
        for (int n = 0; n < accounts; ++n) tx.template create<account>(key(n));
      })
      .value();
  for (int opening = 0; opening < 8; ++opening) {
    auto a = make();
    ledger known;
    std::atomic<bool> done{false};
    reading one{a, known, done}, two{a, known, done};
    for (int n = 0; n < accounts; ++n) {
      CHECK(a.find<account>(key(n)));
      if (n % 4 == 0) move_some(a, dice, static_cast<int>(++moves));
      if (n % 8 == 0) std::this_thread::yield();
    }
    known.note(a.endpoint().log_size(), a.digest().value());
    for (int n = 0; n < 5000 && (one.rounds() == 0 || two.rounds() == 0); ++n)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    done = true;
    CHECK(one.join() == "");
    CHECK(two.join() == "");
    CHECK(sums(a.reader().value()) == std::pair<std::int64_t, std::size_t>{0, 2 * moves});
    if (opening == 4) a.checkpoint().value();
  }
}
