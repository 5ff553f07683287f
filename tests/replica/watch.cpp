// What watchers are told: every visible change, once, in order, with its changeset.
#include <catch2/catch.hpp>

#include "tests/replica/sport_like.hpp"

using namespace replica_tests;

namespace {

/// A replica in memory, and all that is watched there kept up to date by nothing but the events.
class watched {
 public:
  explicit watched(std::uint64_t seed) : dice(seed) {
    options.space = space_named("watched");
    options.time = &time;
    options.random = &dice;
    open();
  }

  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<replica_type> db;
  std::vector<std::string> wrong;
  std::size_t events = 0;

  void open() {
    everything_ = {};
    db.reset();
    db.emplace(replica_type::open(disk.share(), options).value());
    mirror_ = packed_records();
    seen_ = db->endpoint().seen();
    everything_ = db->endpoint().watch({}, [this](const state::change_batch& b) { follow(b); });
  }

  /// Empty when the events told all that happened.
  std::string differences() {
    std::string out;
    for (const auto& each : std::exchange(wrong, {})) out += each + "\n";
    const auto now = packed_records();
    for (const auto& [which, packed] : now)
      if (state::visible_change(mirror_[which], packed))
        out += "not told of " + which.first + " " + which.second + "\n";
    return out;
  }

  std::vector<bytes> log() {
    std::vector<bytes> out;
    db->endpoint()
        .read_log(1,
                  [&](auto, const auto&, auto, bytes_view data) {
                    out.emplace_back(data);
                    return true;
                  })
        .value();
    return out;
  }
  void take(const std::vector<bytes>& changesets) {
    const std::vector<bytes_view> views(changesets.begin(), changesets.end());
    db->endpoint().ingest(views).value();
  }
  void write_something(int operations) {
    db->write([&](tx_type& tx) {
        for (int n = 0; n < operations; ++n) perform(tx, random_operation(dice, 3));
      }).value();
  }

 private:
  using name = std::pair<std::string, std::string>;

  std::map<name, bytes> packed_records() {
    std::map<name, bytes> out;
    for (const auto* table : {"athletes", "entries"})
      db->endpoint()
          .for_each(table, {},
                    [&](bytes_view key, bytes_view packed) {
                      out[{table, std::string{key}}] = bytes{packed};
                      return true;
                    })
          .value();
    return out;
  }

  void follow(const state::change_batch& b) {
    const auto& engine = db->endpoint();
    const auto at = *engine.replicas().find(b.from.replica);
    if (b.from.seq <= seen_.at(at)) wrong.push_back("a changeset told twice or out of order");
    seen_.set(at, b.from.seq);
    if (b.from.local != (b.from.replica == engine.self())) wrong.push_back("local or not");
    if (b.records.empty()) wrong.push_back("an empty batch");
    for (const auto& r : b.records) {
      if (schema::is_system_table(r.table)) continue;
      ++events;
      auto& known = mirror_[{r.table, bytes{r.key.view()}}];
      // What is not told of may have moved the record in ways that nobody sees.
      if (known != r.before && state::visible_change(known, r.before))
        wrong.push_back("the record was otherwise before: " + bytes{r.key.view()});
      if (state::visible_change(r.before, r.after) != r.kind) wrong.push_back("the kind");
      known = r.after;
    }
  }

  std::map<name, bytes> mirror_;
  causal::version seen_;
  subscription everything_;
};

struct told {
  std::vector<std::string> lines;
  auto into() {
    return [this](const change_batch<entry>& b) {
      for (const auto& c : b) {
        std::string line = c.key + " " + std::string{name_of(c.kind)};
        if (c.before) line += " from " + std::to_string(*c.before->text);
        if (c.after) line += " to " + std::to_string(*c.after->text);
        lines.push_back(line + (b.from().local ? "" : ", of a peer"));
      }
    };
  }
  std::vector<std::string> take() { return std::exchange(lines, {}); }
};
using lines = std::vector<std::string>;

void set(replica_type& db, std::string_view key, int text) {
  db.write([&](tx_type& tx) { tx.create<entry>(key).text = text; }).value();
}

}  // namespace

TEST_CASE("events alone keep a copy up to date, whatever is written, received and restarted") {
  std::size_t events = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    prng dice{seed};
    watched nodes[] = {watched{seed * 10}, watched{seed * 10 + 1}, watched{seed * 10 + 2}};
    for (auto& n : nodes) {
      n.options.cache_bytes = dice.below(2000);
      n.open();
    }
    for (int step = 0; step < 60; ++step) {
      auto& n = nodes[dice.below(3)];
      n.time.now += dice.below(20);
      const auto what = dice.below(10);
      if (what < 5) n.write_something(1 + static_cast<int>(dice.below(5)));
      if (what >= 5 && what < 9) {
        auto log = nodes[dice.below(3)].log();
        std::erase_if(log, [&](const auto&) { return dice.chance(30); });
        if (dice.chance(50)) dice.shuffle(log);
        n.take(log);
      }
      if (what == 9) n.open();
      CAPTURE(seed, step);
      REQUIRE(n.differences().empty());
    }
    for (auto& n : nodes) events += n.events;
  }
  CHECK(events > 1000);
}

TEST_CASE("what a watcher keeps of a record stays as it was told, whatever becomes of the record") {
  watched a{5};
  std::vector<state::record_change> kept;
  std::vector<std::pair<bytes, bytes>> copies;
  std::map<std::pair<std::string, bytes>, bytes> last;
  std::size_t gaps = 0;
  const auto watching = a.db->endpoint().watch({}, [&](const state::change_batch& b) {
    for (const auto& r : b.records) {
      auto& known = last[{r.table, bytes{r.key.view()}}];
      if (!known.empty() && state::visible_change(known, r.before)) ++gaps;
      known = bytes{r.after.view()};
      if (kept.size() % 3 == 0) {  // of the others the memory is used again
        copies.emplace_back(r.before.view(), r.after.view());
        kept.push_back(r);
      } else {
        kept.emplace_back();
        copies.emplace_back();
      }
    }
  });
  for (int n = 0; n < 300; ++n) a.write_something(4);
  CHECK(kept.size() > 300);
  CHECK(gaps == 0);
  std::size_t changed = 0;
  for (std::size_t i = 0; i < kept.size(); ++i)
    changed += kept[i].before == copies[i].first && kept[i].after == copies[i].second ? 0 : 1;
  CHECK(changed == 0);
  CHECK(a.differences().empty());
}

TEST_CASE("a record, a range and a table hear of their own, with old and new values") {
  watched a{1}, b{2};
  told one, some, all;
  const auto s1 = a.db->watch<entry>("m", one.into());
  const auto s2 = a.db->watch<entry>(key_range{"b", "n"}, some.into());
  const auto s3 = a.db->watch<entry>(all.into());
  std::size_t athletes = 0;
  const auto s4 =
      a.db->watch<athlete>([&](const auto& batch) { athletes += batch.changes().size(); });

  a.db->write([](tx_type& tx) {
        tx.create<entry>("a").text = 1;
        tx.create<entry>("m").text = 2;
        tx.create<entry>("n").text = 3;
      })
      .value();
  CHECK(one.take() == lines{"m created to 2"});
  CHECK(some.take() == lines{"m created to 2"});
  CHECK(all.take() == lines{"a created to 1", "m created to 2", "n created to 3"});

  b.take(a.log());
  b.db->write([](tx_type& tx) { tx.edit<entry>("m").text = 5; }).value();
  a.take(b.log());
  CHECK(one.take() == lines{"m updated from 2 to 5, of a peer"});
  a.db->write([](tx_type& tx) {
        tx.erase<entry>("m");
        tx.create<entry>("m").likes += 1;
      })
      .value();
  CHECK(one.take() == lines{"m replaced from 5 to 0"});
  a.db->write([](tx_type& tx) { tx.erase<entry>("m"); }).value();
  CHECK(some.take() ==
        lines{"m updated from 2 to 5, of a peer", "m replaced from 5 to 0", "m deleted from 0"});
  CHECK(athletes == 0);
  // A touch, and a transaction of nothing, show nobody anything.
  all.take();
  a.db->write([](tx_type& tx) { tx.create<entry>("a"); }).value();
  a.db->write([](tx_type&) {}).value();
  CHECK(all.take().empty());
}

TEST_CASE("an update that did not see the deletion revives, and the event says so") {
  watched a{1}, b{2};
  a.db->write([](tx_type& tx) { tx.create<athlete>("ana").name = 1; }).value();
  b.take(a.log());
  std::vector<change_kind> kinds;
  const auto s = a.db->watch<athlete>("ana", [&](const auto& batch) {
    for (const auto& c : batch) kinds.push_back(c.kind);
  });
  a.db->write([](tx_type& tx) { tx.erase<athlete>("ana"); }).value();
  b.db->write([](tx_type& tx) { tx.edit<athlete>("ana").xp += 5; }).value();
  a.take(b.log());
  CHECK(kinds == std::vector{change_kind::deleted, change_kind::revived});
}

TEST_CASE("each changeset is one batch, and a failed transaction is none") {
  watched a{1}, b{2};
  for (int n = 0; n < 5; ++n) set(*a.db, "k", n);
  std::vector<std::uint64_t> seqs;
  const auto s = b.db->watch<entry>([&](const change_batch<entry>& batch) {
    seqs.push_back(batch.from().seq);
    CHECK(batch.from().replica == a.db->status().self);
    CHECK(batch.from().time > 0);
  });
  auto log = a.log();
  std::reverse(log.begin(), log.end());
  b.take(log);
  b.take(log);
  CHECK(seqs == std::vector<std::uint64_t>{1, 2, 3, 4, 5});

  told all;
  const auto t = a.db->watch<entry>(all.into());
  CHECK(!a.db->write([](tx_type& tx) {
    tx.create<entry>("k").text = 9;
    throw failure({errc::invalid_argument, "no", "", ""});
  }));
  a.disk.fail_nth(memory_operation::put, 1, errc::io);
  CHECK(!a.db->write([](tx_type& tx) { tx.create<entry>("k").text = 9; }));
  CHECK(all.take().empty());
  set(*a.db, "k", 9);
  CHECK(all.take() == lines{"k updated from 4 to 9"});
}

TEST_CASE("a callback reads the new state, writes, watches and ends watchings") {
  watched a{1};
  lines story;
  std::optional<subscription> first, second, late;
  first = a.db->watch<entry>([&](const change_batch<entry>& b) {
    const auto& c = b.changes()[0];
    story.push_back("first " + c.key);
    CHECK(a.db->find<entry>(c.key));  // nothing is locked, and it is there
    if (c.key == "one") {
      set(*a.db, "two", 2);  // told to all after this batch
      story.push_back("first wrote");
      late = a.db->watch<entry>(
          [&](const auto& later) { story.push_back("late " + later.changes()[0].key); });
    }
    if (c.key == "two") {
      second.reset();  // not told of this batch any more
      first.reset();   // itself
    }
  });
  second = a.db->watch<entry>(
      [&](const change_batch<entry>& b) { story.push_back("second " + b.changes()[0].key); });
  set(*a.db, "one", 1);
  // "two" was committed before `late` began to watch.
  CHECK(story == lines{"first one", "first wrote", "second one", "first two"});
  story.clear();
  set(*a.db, "three", 3);
  CHECK(story == lines{"late three"});
  late->end();
  CHECK(!late->active());
  set(*a.db, "four", 4);
  CHECK(story == lines{"late three"});
}

TEST_CASE("what a callback throws fails no write, and the others are told") {
  std::string heard;
  watched a{1};
  a.options.watch_failed = [&](const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      heard = e.what();
    }
  };
  a.open();
  int after = 0;
  const auto s = a.db->watch<entry>([](const auto&) { throw std::runtime_error("no screen"); });
  const auto t = a.db->watch<entry>([&](const auto&) { ++after; });
  set(*a.db, "k", 1);
  set(*a.db, "k", 2);
  CHECK(after == 2);
  CHECK(heard == "no screen");
  CHECK(a.db->status().watch_failures == 2);
  CHECK(a.db->status().changesets == 2);
}

TEST_CASE("a reset tells every watcher to read again") {
  watched a{1};
  int resets = 0;
  const auto s = a.db->watch<entry>("nothing", [&](const change_batch<entry>& b) {
    resets += b.is_reset() ? 1 : 0;
    CHECK(b.changes().empty());
  });
  const auto t = a.db->watch<athlete>([&](const auto& b) { resets += b.is_reset() ? 1 : 0; });
  a.db->endpoint().notify_reset();
  CHECK(resets == 2);
}

TEST_CASE("a subscription may outlive its replica, and frees what its callback holds") {
  const auto held = std::make_shared<int>(1);
  subscription s;
  {
    watched a{1};
    s = a.db->watch<entry>([held](const auto&) {});
    CHECK(held.use_count() > 1);
    s.end();
    CHECK(held.use_count() == 1);
    s = a.db->watch<entry>([held](const auto&) {});
  }
  CHECK(held.use_count() == 1);
  CHECK(!s.active());
}
