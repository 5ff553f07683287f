// Threads whose transactions are committed together.
#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <thread>

#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/group_writer.hpp"
#include "joinery/testing/prng.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/threads/bank.hpp"

using namespace thread_tests;
using history::memory_storage;

namespace {

/// A storage whose writes take a while, and are counted; or fail.
class slow_storage {
 public:
  struct figures {
    std::atomic<int> writes{0};
    std::atomic<bool> broken{false};
    std::atomic<bool> throws{false};
  };
  using pinned = memory_storage::pinned;

  explicit slow_storage(std::shared_ptr<figures> f) : figures_(std::move(f)) {}

  template <class Body>
  result<> write(Body&& body) {
    if (figures_->broken) return error{errc::io, "the device is at fault", "", ""};
    if (figures_->throws) throw std::bad_alloc{};
    ++figures_->writes;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return in_.write(std::forward<Body>(body));
  }
  template <class Body>
  result<> read(Body&& body) {
    return in_.read(std::forward<Body>(body));
  }
  result<> sync() { return in_.sync(); }
  result<pinned> pin() { return in_.pin(); }
  [[nodiscard]] history::durability mode() const { return in_.mode(); }
  [[nodiscard]] bool read_only() const { return in_.read_only(); }

 private:
  memory_storage in_;
  std::shared_ptr<figures> figures_;
};

using db_type = replica<bank, slow_storage>;
using transaction_type = db_type::transaction;

db_type opened(testing::prng& dice, const std::shared_ptr<slow_storage::figures>& figures) {
  replica_options options;
  options.space = space_named("groups");
  options.random = &dice;
  return db_type::open(slow_storage{figures}, options).value();
}

/// One transaction in the group of `db`, of this thread alone.
template <class F>
result<detail::gathered> gather(db_type& db, int& settled, F&& body) {
  return db.port().gather(
      [&](detail::drafts_port& drafts) {
        transaction_type tx{drafts};
        body(tx);
      },
      [&] {
        ++settled;
        return db.port().commit_gathered();
      });
}

}  // namespace

TEST_CASE("threads share writes, and their transactions stay serial") {
  constexpr int threads = 6, each = 60;
  testing::prng dice{21}, more_dice{22};
  const auto figures = std::make_shared<slow_storage::figures>();
  auto db = opened(dice, figures);
  group_writer writer{db};
  writer.write([](auto& tx) { tx.template create<account>("shared"); }).value();
  figures->writes = 0;

  std::vector<std::vector<std::int64_t>> seen(threads);
  std::vector<std::vector<causal::dot>> dots(threads);
  std::atomic<int> wrong{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      const auto own = "own " + std::to_string(t);
      for (int n = 0; n < each; ++n) {
        std::optional<std::int64_t> before;
        auto done = writer.write([&](auto& tx) {
          auto a = tx.template create<account>(n % 6 == 0 ? std::string{"shared"} : own);
          if (n % 6 == 0) before = *a.balance;
          a.balance += 1;
          a.moves.insert(t * 1000 + n);
          if (n % 10 == 9) throw failure({errc::invalid_argument, "changed its mind", "", ""});
        });
        if (n % 10 == 9) {
          wrong += done ? 1 : 0;
          continue;
        }
        if (!done || !*done) {
          ++wrong;
          continue;
        }
        dots[static_cast<std::size_t>(t)].push_back(**done);
        if (before) seen[static_cast<std::size_t>(t)].push_back(*before);
        // Made before this returned, and shown to readers.
        const auto reader = db.reader().value();
        wrong += reader.log_size() >= (*done)->seq ? 0 : 1;
      }
    });
  for (auto& t : all) t.join();
  CHECK(wrong == 0);

  std::set<std::int64_t> balances;
  std::set<causal::dot> made;
  std::size_t shared = 0, count = 0;
  for (const auto& s : seen) {
    balances.insert(s.begin(), s.end());
    shared += s.size();
  }
  for (const auto& d : dots) {
    made.insert(d.begin(), d.end());
    count += d.size();
  }
  CHECK(balances.size() == shared);  // nobody saw what another one was about to change
  CHECK(made.size() == count);
  CHECK(count == threads * each * 9 / 10);
  CHECK(*db.find<account>("shared")->balance == static_cast<std::int64_t>(shared));
  std::int64_t sum = 0;
  db.for_each<account>([&](auto, const account& a) { sum += *a.balance; });
  CHECK(sum == static_cast<std::int64_t>(count));
  CHECK(figures->writes < static_cast<int>(count) * 2 / 3);

  auto other = opened(more_dice, std::make_shared<slow_storage::figures>());
  CHECK(
      writer.alone([&](auto& d) { transport::sync_once(d.endpoint(), other.endpoint()).value(); }));
  CHECK(db.digest().value() == other.digest().value());
}

TEST_CASE("what a group gathers is stored together, or not at all") {
  testing::prng dice{23};
  const auto figures = std::make_shared<slow_storage::figures>();
  auto db = opened(dice, figures);
  db.write([](auto& tx) { tx.template create<account>("first"); }).value();
  const auto size = db.endpoint().log_size();
  int settled = 0;
  const auto add = [&](const std::string& key, int move) {
    return gather(db, settled,
                  [&](auto& tx) {
                    auto a = tx.template create<account>(key);
                    a.balance += static_cast<std::int64_t>(a.moves.size()) + 1;
                    a.moves.insert(move);
                  })
        .value();
  };

  figures->writes = 0;
  CHECK(add("a", 1).waits);
  CHECK(add("b", 1).waits);
  CHECK(settled == 0);
  CHECK(figures->writes == 0);
  CHECK(db.endpoint().log_size() == size);
  CHECK(!db.find<account>("a"));
  // Beside a group nothing is taken in.
  CHECK(db.write([](auto& tx) { tx.template create<account>("c"); }).error().code ==
        errc::invalid_argument);

  // Asking for a record that waits settles the group first, and shows the record.
  add("a", 2);
  CHECK(settled == 1);
  CHECK(figures->writes == 1);
  CHECK(db.endpoint().log_size() == size + 2);
  db.port().commit_gathered().value();
  CHECK(*db.find<account>("a")->balance == 3);
  CHECK(*db.find<account>("b")->balance == 1);

  // A failing write makes none of it, and its numbers are used again.
  add("a", 3);
  add("b", 2);
  figures->broken = true;
  CHECK(db.port().commit_gathered().error().code == errc::io);
  figures->broken = false;
  CHECK(*db.find<account>("a")->balance == 3);
  CHECK(db.endpoint().log_size() == size + 3);
  const auto at = add("b", 3).at;
  db.port().commit_gathered().value();
  CHECK(at->seq == db.endpoint().seen().total());
  CHECK(*db.find<account>("b")->balance == 3);
}

TEST_CASE("what storing a group throws reaches every transaction in it") {
  testing::prng dice{25};
  const auto figures = std::make_shared<slow_storage::figures>();
  auto db = opened(dice, figures);
  group_writer writer{db};
  const auto create = [&](const std::string& key, auto&& meanwhile) {
    try {
      return writer.write([&](auto& tx) {
        tx.template create<account>(key);
        meanwhile();
      })
                 ? 1
                 : 0;
    } catch (const std::bad_alloc&) {
      return -1;
    }
  };
  CHECK(create("first", [] {}) == 1);
  figures->throws = true;
  std::atomic<bool> inside{false};
  int one = 0, other = 0;
  std::thread waits([&] {
    one = create("a", [&] {
      inside = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the other one arrives
    });
  });
  while (!inside) std::this_thread::yield();
  std::thread stores([&] { other = create("b", [] {}); });
  stores.join();
  figures->throws = false;
  CHECK(create("c", [] {}) == 1);
  waits.join();
  CHECK(one == -1);
  CHECK(other == -1);
  CHECK(!db.find<account>("a"));
  CHECK(db.endpoint().seen().total() == 2);
}

TEST_CASE("a write from inside a transaction or a callback is refused") {
  testing::prng dice{24};
  auto db = opened(dice, std::make_shared<slow_storage::figures>());
  group_writer writer{db};
  std::vector<errc> refused;
  const auto again = [&] {
    const auto done = writer.write([](auto& tx) { tx.template create<account>("b"); });
    refused.push_back(done ? errc{} : done.error().code);
  };
  const auto watching = db.watch<account>([&](const auto&) { again(); });
  CHECK(writer.write([&](auto& tx) {
    tx.template create<account>("a");
    again();
  }));
  CHECK(refused == std::vector{errc::invalid_argument, errc::invalid_argument});
}
