// A replica takes a new id: what it wrote before the fork stays, what came after goes on under the
// new one, and every change counts once.
#include <catch2/catch.hpp>

#include "tests/replica/peer.hpp"

using namespace replica_tests;

namespace {

void add(peer& p, std::string_view key, int amount) {
  changeset_writer w;
  const auto cell = crdt::read_cell(p.e->record("table", key).value());
  const auto life = cell.incarnation + (cell.alive() ? 0 : 1);
  w.add(
      "table", key,
      {cell_action::update, life, "count", crdt::kind::pn_counter, crdt::pn_counter::add(amount)});
  w.add("table", key,
        {cell_action::update, life, "tags", crdt::kind::or_set, crdt::or_set<int>::insert(amount)});
  p.e->commit(w).value();
}
std::int64_t sum(peer& p, std::string_view key) {
  const auto cell = crdt::read_cell(p.e->record("table", key).value());
  const auto name = p.e->names().find("count");
  if (!cell.alive() || !name) return 0;
  return crdt::detail::counter_sum(state::field_state(cell.value, {*name, crdt::kind::pn_counter}))
      .value;
}

/// Gives `to` all that `from` shows.
void pass(peer& from, peer& to) { to.take(from.log()).value(); }

std::uint64_t seq_of(peer& p, const replica_id& id) {
  const auto r = p.e->replicas().find(id);
  return r ? p.e->seen().at(*r) : 0;
}

}  // namespace

TEST_CASE("a store put back goes on under a new id, and nothing counts twice") {
  peer a{1};
  peer b{2};
  add(a, "xp", 10);
  pass(a, b);
  add(b, "xp", 1);
  pass(b, a);
  const auto image = a.disk.clone();
  add(a, "xp", 100);  // on the way to b, and then lost here
  a.erase("xp").value();
  add(a, "xp", 1000);
  pass(a, b);
  CHECK(sum(b, "xp") == 1000);

  a.e.reset();
  a.disk.put_back(image);
  a.open().value();
  const auto old_id = a.id();
  add(a, "xp", 5);
  add(a, "other", 7);
  a.erase("other").value();
  add(a, "other", 8);
  a.set("text", 3).value();
  const auto wrote = a.e->log_size();
  a.e->renew(1).value();  // what the session finds out: the two agree on the first

  CHECK(a.id() != old_id);
  CHECK(a.e->status().former_ids == std::vector{old_id});
  CHECK(a.e->log_size() == wrote);
  CHECK(seq_of(a, old_id) == 1);
  CHECK(seq_of(a, a.id()) == 5);
  CHECK(sum(a, "xp") == 16);
  CHECK(sum(a, "other") == 8);
  CHECK(a.get("text") == 3);

  pass(b, a);
  pass(a, b);
  CHECK(sum(a, "xp") == 1000);  // the later incarnation supersedes
  CHECK(sum(b, "other") == 8);
  CHECK(a.digest() == b.digest());
  add(a, "xp", 1);
  pass(a, b);
  CHECK(sum(b, "xp") == 1001);
  const auto before = a.digest();
  CHECK(before == b.digest());
  a.reopen();
  CHECK(a.digest() == before);
  CHECK(a.e->status().former_ids == std::vector{old_id});
}

TEST_CASE("a renewed replica shows what a replica shows that got only its log") {
  testing::prng dice{7};
  for (int round = 0; round < 50; ++round) {
    peer a{dice.next()};
    peer b{dice.next()};
    a.options.snapshot_records = 1 + dice.below(3);
    a.options.snapshot_step_records = 1;
    a.options.cache_bytes = dice.below(400);
    a.open().value();
    const auto some_work = [&](peer& p) {
      for (auto n = dice.below(6); n > 0; --n) {
        const std::string key(1, static_cast<char>('a' + dice.below(3)));
        const auto what = dice.below(4);
        if (what == 0 && crdt::read_cell(p.e->record("table", key).value()).alive())
          p.erase(key).value();
        else if (what == 1)
          p.set(key, static_cast<int>(dice.below(9))).value();
        else
          add(p, key, static_cast<int>(dice.below(9)));
      }
    };
    some_work(a);
    some_work(b);
    pass(b, a);
    some_work(a);
    pass(a, b);
    const auto common = seq_of(a, a.id());
    some_work(b);
    pass(b, a);
    some_work(a);
    if (dice.chance(30)) a.e->checkpoint().value();
    some_work(b);
    pass(b, a);
    some_work(a);
    std::vector<std::string> shown;
    for (const auto* key : {"a", "b", "c"}) shown.push_back(std::to_string(sum(a, key)));
    const auto old_id = a.id();
    if (dice.chance(50)) {
      a.e->renew(common).value();
      if (dice.chance(30)) a.e->renew(0).value();
    } else {
      a.e->renew(std::max(common, seq_of(a, a.id()) - dice.below(2))).value();
    }
    std::size_t n = 0;
    for (const auto* key : {"a", "b", "c"}) CHECK(shown[n++] == std::to_string(sum(a, key)));
    peer fresh{dice.next()};
    pass(a, fresh);
    CHECK(fresh.digest() == a.digest());
    CHECK(fresh.e->status().held == 0);
    some_work(a);
    pass(a, b);
    pass(b, a);
    CHECK(a.digest() == b.digest());
    a.reopen();
    CHECK(a.digest() == b.digest());
    CHECK(seq_of(b, old_id) <= seq_of(a, old_id));
  }
}

TEST_CASE("a renewal whose end cannot be read answers nothing, and goes on when it can be") {
  for (std::uint64_t n = 1, unread = 0;; ++n) {
    CAPTURE(n);
    peer a{1};
    add(a, "one", 1);
    add(a, "two", 2);
    const auto old_id = a.id();
    const auto before = a.e->heads();
    auto during = before;
    a.disk.fail_nth(memory_operation::read, n, errc::io);
    const auto done = a.e->renew(1);
    if (a.disk.has_faults()) {
      REQUIRE(done);
      CHECK(unread > 1);
      break;
    }
    CHECK((done || done.error().code == errc::io));
    if (!done && a.id() != old_id) {
      ++unread;
      during = a.e->heads();
      a.disk.fail_nth(memory_operation::read, 1, errc::io);
      const auto absent = a.e->record("table", "one");
      CHECK(failed_with(absent, errc::io));  // and not absent
      a.disk.fail_nth(memory_operation::read, 1, errc::io);
      CHECK(failed_with(a.e->ingest({}), errc::io));
      CHECK(failed_with(a.e->read_now(), errc::locked));
    }
    CHECK(sum(a, "one") == 1);
    CHECK(sum(a, "two") == 2);
    a.e->read_now().value();
    // A session that asked meanwhile was told the one or the other, and not that there is nothing.
    CHECK((during == before || during == a.e->heads()));
    add(a, "two", 3);
    CHECK(sum(a, "two") == 5);
  }
}

TEST_CASE("a renewal that fails anywhere is done or not done, and never half") {
  for (const auto at : {memory_operation::put, memory_operation::erase, memory_operation::commit}) {
    for (const bool lands : {false, true}) {
      for (std::uint64_t n = 1;; ++n) {
        peer a{1};
        peer b{2};
        a.options.snapshot_records = 1;
        a.open().value();
        add(a, "one", 1);
        pass(a, b);
        add(b, "one", 2);
        pass(b, a);
        add(a, "one", 3);
        add(a, "two", 4);
        a.e->checkpoint().value();  // or the first commit is a snapshot's
        const auto old_id = a.id();
        a.disk.fail_nth(at, n, errc::io, lands);
        const auto done = a.e->renew(1);
        a.disk.clear_faults();
        CAPTURE(static_cast<int>(at), n, lands);
        if (!done) {
          CHECK(done.error().code == errc::io);
          a.crash();
          const bool happened = a.id() != old_id;
          CHECK(happened == (at == memory_operation::commit && lands));
          CHECK(seq_of(a, old_id) == (happened ? 1 : 3));
          CHECK(seq_of(a, a.id()) == (happened ? 2 : 3));
        }
        CHECK(sum(a, "one") == 6);
        CHECK(sum(a, "two") == 4);
        CHECK(a.e->log_size() == 4);
        peer fresh{3};
        pass(a, fresh);
        CHECK(fresh.digest() == a.digest());
        if (done) {
          CHECK(n > 1);
          break;
        }
      }
    }
  }
}

TEST_CASE("what was copied to another place is another replica, and what was moved is not") {
  peer a{1};
  a.disk.set_place("here");
  a.reopen();
  add(a, "xp", 1);
  const auto id = a.id();
  a.disk.set_place("");  // a storage that cannot tell
  a.reopen();
  CHECK(a.id() == id);
  a.disk.set_place("here");
  a.reopen();
  CHECK(a.id() == id);
  peer copy{2};
  copy.disk = a.disk.clone();
  copy.disk.set_place("there");
  SECTION("by itself") {
    copy.reopen();
    CHECK(copy.id() != id);
    CHECK(copy.e->status().former_ids == std::vector{id});
    const auto second = copy.id();
    copy.reopen();
    CHECK(copy.id() == second);
    add(copy, "xp", 10);
    add(a, "xp", 100);
    pass(a, copy);
    pass(copy, a);
    CHECK(sum(a, "xp") == 111);
    CHECK(a.digest() == copy.digest());
  }
  SECTION("not when the program does not want it") {
    copy.options.renew = false;
    copy.reopen();
    CHECK(copy.id() == id);
  }
}

TEST_CASE("what was offered is known after a restart, before it is sent") {
  for (const auto mode : {durability::commit, durability::interval}) {
    peer a{1, mode};
    a.options.sync_interval_ms = 1'000'000;
    add(a, "xp", 1);
    CHECK(a.e->given_away() == 0);
    a.e->flush().value();
    a.e->offer().value();
    CHECK(a.e->given_away() == 1);
    a.crash();
    CHECK(a.e->given_away() == 1);
    add(a, "xp", 2);
    a.e->flush().value();
    CHECK(a.e->given_away() == 1);
    a.e->follow(true);
    add(a, "xp", 3);
    CHECK(a.e->given_away() == 3);
    a.e->flush().value();
    a.e->follow(false);
    a.crash();
    CHECK(a.e->given_away() == 3);
    // What others have seen was given away, whatever the marks say.
    peer b{2};
    pass(a, b);
    add(b, "xp", 4);
    a.e->renew(~std::uint64_t{0}).value();
    CHECK(a.e->given_away() == 0);
    pass(b, a);
    CHECK(a.e->given_away() == 0);
    CHECK(sum(a, "xp") == 10);
  }
}

TEST_CASE("evidence of forks is kept within bounds, and forks are told of without it as well") {
  const auto numbered = [](int n) {
    auto id = some_id(1 + n % 255);
    id.data[0] = static_cast<unsigned char>(n / 255);
    return id;
  };
  peer b{1};
  constexpr int most = 1024;
  batch all;
  for (int n = 0; n <= most; ++n) all.push_back(forged{numbered(n)}.make());
  b.take(all).value();
  SECTION("so many forks, and no more") {
    for (int n = 0; n <= most; ++n) {
      const auto theirs = forged{.origin = numbered(n), .value = 8}.make();
      REQUIRE(b.e->note_fork(numbered(n), 1, theirs).value() == (n < most));
    }
    CHECK(b.e->status().forks.size() == most);
    b.reopen();
    CHECK(b.e->status().forks.size() == most);
  }
  SECTION("a changeset that is too large for it") {
    changeset_writer w;
    w.add("table", "k",
          {cell_action::update, 1, "text", crdt::kind::lww,
           crdt::lww<std::string>::set(std::string(70'000, 'x'))});
    const auto theirs = w.encode(numbered(3), 1, causal::hlc_from_ms(1'000'000), {});
    const auto before = b.content().size();
    CHECK(b.e->note_fork(numbered(3), 1, theirs).value());
    CHECK(b.content().size() < before + 1000);
    b.reopen();
    const auto forks = b.e->status().forks;
    REQUIRE(forks.size() == 1);
    CHECK(forks[0].origin == numbered(3));
    CHECK(forks[0].ours == crypto::hasher{}.add(all[3]).finish());
    CHECK(forks[0].theirs == crypto::hasher{}.add(theirs).finish());
    CHECK_FALSE(b.e->note_fork(numbered(3), 1, forged{.origin = numbered(3), .value = 8}.make())
                    .value());  // the first one stays
    CHECK(b.digest().size() == 64);
  }
}
