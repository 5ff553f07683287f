// An evicted replica comes back: what its new store makes again, and what others' changes decide.
#include <catch2/catch.hpp>

#include "joinery/replica/rejoin.hpp"
#include "tests/replica/circle.hpp"
#include "tests/replica/sport_like.hpp"

using namespace replica_tests;

namespace {

using db_type = replica<app, memory_storage>;

/// A device of the sport-like schema.
struct device {
  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<db_type> db;

  explicit device(std::uint64_t seed) : dice(seed) {
    options.space = space_named("rejoin");
    options.full_retry_ms = 0;
    options.time = &time;
    options.random = &dice;
    options.large_field_bytes = dice.chance(50) ? 0 : 16384;
    open();
  }
  void open() {
    db.reset();
    db.emplace(db_type::open(disk.share(), options).value());
  }
  void crash() {
    db.reset();
    disk.crash(0);
    open();
  }
  auto& engine() { return db->endpoint(); }
  [[nodiscard]] replica_id id() { return engine().self(); }
  template <class F>
  void write(F&& body) {
    time.now += 10;
    db->write(body).value();
  }
};

void hear(device& to, device& from) {
  to.engine().admits(from.id()).value();
  from.engine().admits(to.id()).value();
  std::vector<bytes> log;
  from.engine()
      .read_log(
          1, [&](auto, const auto&, auto, bytes_view data) { return log.emplace_back(data), true; })
      .value();
  const std::vector<bytes_view> views(log.begin(), log.end());
  to.engine().ingest(views).value();
}
void meet(device& a, device& b) {
  hear(a, b);
  hear(b, a);
}

/// Two members, a third that goes its own way and is evicted, and the store it comes back with.
struct return_of_one {
  device stays{1}, other{2}, gone{3}, back{4};

  /// `before`: what all three have. `apart`: what the third does alone, and the others meanwhile.
  template <class Before, class Gone, class Others>
  return_of_one(Before&& before, Gone&& by_gone, Others&& by_others) {
    for (auto* d : {&stays, &other, &gone})
      d->write([&](auto& tx) { tx.template create<entry>("of " + d->id().hex()); });
    stays.write(before);
    meet(stays, other);
    meet(stays, gone);
    meet(stays, other);
    stays.engine().close_membership().value();
    meet(stays, other);
    meet(stays, gone);
    by_gone(gone);
    by_others(stays);
    stays.engine().evict(gone.id()).value();
    stays.engine().admit(back.id()).value();
    meet(stays, other);
    other.time.now += other.options.acknowledge_after_ms;
    other.engine().tend().value();
    meet(stays, other);
    meet(stays, back);
    back.time.now += back.options.acknowledge_after_ms;
    back.engine().tend().value();
    meet(stays, back);
    meet(other, back);
  }
  rejoin_report run() { return joinery::rejoin(gone.engine(), back.engine()).value(); }
  void spread() {
    meet(stays, back);
    meet(other, back);
    CHECK(stays.db->digest().value() == back.db->digest().value());
    CHECK(other.db->digest().value() == back.db->digest().value());
  }
};

}  // namespace

TEST_CASE("what never reached the others is made again, once") {
  return_of_one r{[](tx_type& tx) {
                    auto a = tx.create<athlete>("ana");
                    a.xp += 100;
                    a.badges.insert(1);
                    a.badges.insert(2);
                    a.gear[1].insert(7);
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      auto a = tx.edit<athlete>("ana");
                      a.xp += 20;
                      a.name = 5;
                      a.badges.insert(3);
                      a.badges.erase(1);
                      a.badges.erase(2);
                      a.gear[1].insert(8);
                      a.gear[2].insert(9);
                      a.laps[1][2] += 4;
                      a.grants.grant(1, 10);
                      a.longest.put(42);
                      a.shares = true;
                    });
                    d.write([](tx_type& tx) { tx.create<entry>("post").likes += 3; });
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      auto a = tx.edit<athlete>("ana");
                      a.xp += 1;
                      a.badges.insert(2);  // an add that the other did not see
                    });
                  }};
  const auto report = r.run();
  CHECK(report.changesets == 2);
  CHECK(report.superseded == 1);
  const auto check = [&] {
    const auto a = r.back.db->find<athlete>("ana");
    CHECK(*a->xp == 121);
    CHECK(*a->name == 5);
    CHECK(a->badges.get() == std::vector{2, 3});
    CHECK(a->gear[1].get() == std::vector{7, 8});
    CHECK(a->gear[2].get() == std::vector{9});
    CHECK(*a->laps[1][2] == 4);
    CHECK(*a->grants == 10);
    CHECK(a->longest.get() == 42);
    CHECK(*a->shares);
    CHECK(*r.back.db->find<entry>("post")->likes == 3);
  };
  check();
  CHECK(r.run().changesets == 0);  // nothing twice
  r.back.crash();
  CHECK(r.run().changesets == 0);
  check();
  r.spread();
  // Another store of the same user finds that it is done.
  device second{9};
  r.stays.engine().admit(second.id()).value();
  meet(r.stays, second);
  CHECK(joinery::rejoin(r.gone.engine(), second.engine()).value().changesets == 0);
  // What the old one does later can be fetched as well.
  r.gone.write([](tx_type& tx) { tx.edit<athlete>("ana").xp += 1000; });
  CHECK(r.run().changesets == 1);
  CHECK(*r.back.db->find<athlete>("ana")->xp == 1121);
}

TEST_CASE("a record that others deleted meanwhile comes back whole, never as a husk") {
  return_of_one r{[](tx_type& tx) {
                    auto a = tx.create<athlete>("ana");
                    a.xp += 100;
                    a.badges.insert(1);
                    a.gear[1].insert(7);
                    a.name = 3;
                    tx.create<athlete>("bea").xp += 7;
                    tx.create<entry>("post").likes += 2;
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.edit<athlete>("ana").xp += 20;
                      tx.edit<entry>("post").likes += 1;
                    });
                    d.write([](tx_type& tx) {
                      tx.edit<athlete>("bea").xp += 1;
                      tx.erase<athlete>("bea");
                    });
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.erase<athlete>("ana");
                      tx.erase<athlete>("bea");
                      tx.erase<entry>("post");  // delete_wins
                    });
                  }};
  const auto report = r.run();
  CHECK(report.recreated == 1);
  CHECK(report.left_dead == 2);
  const auto a = r.back.db->find<athlete>("ana");
  REQUIRE(a);
  CHECK(*a->xp == 120);
  CHECK(a->badges.get() == std::vector{1});
  CHECK(a->gear[1].get() == std::vector{7});
  CHECK(*a->name == 3);
  CHECK_FALSE(r.back.db->find<athlete>("bea"));
  CHECK_FALSE(r.back.db->find<entry>("post"));
  r.spread();
}

TEST_CASE("later lives of others stand, and own deletions and lives are made again") {
  return_of_one r{[](tx_type& tx) {
                    tx.create<athlete>("ana").xp += 100;
                    tx.create<athlete>("bea").xp += 100;
                    tx.create<athlete>("cleo").xp += 100;
                    auto d = tx.create<athlete>("dora");
                    d.gear[1].insert(1);
                    d.laps[1][1] += 5;
                    d.laps[2][1] += 5;
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.edit<athlete>("ana").xp += 20;
                      tx.erase<athlete>("bea");
                      tx.erase<athlete>("cleo");
                      auto dora = tx.edit<athlete>("dora");
                      dora.gear[1].insert(2);
                      dora.laps[2].erase(1);
                    });
                    d.write([](tx_type& tx) { tx.create<athlete>("bea").xp += 1; });
                    d.write([](tx_type& tx) { tx.edit<athlete>("dora").laps[2][1] += 3; });
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.erase<athlete>("ana");
                      tx.edit<athlete>("cleo").xp += 5;  // the deletion did not see it
                      auto dora = tx.edit<athlete>("dora");
                      dora.gear.erase(1);
                      dora.laps.erase(1);
                    });
                    d.write([](tx_type& tx) { tx.create<athlete>("ana").xp += 2; });
                  }};
  r.run();
  CHECK(*r.back.db->find<athlete>("ana")->xp == 2);
  CHECK(*r.back.db->find<athlete>("bea")->xp == 1);
  CHECK(*r.back.db->find<athlete>("cleo")->xp == 105);
  const auto dora = r.back.db->find<athlete>("dora");
  CHECK(dora->gear[1].get() == std::vector{1, 2});  // the entry came back whole
  CHECK(dora->laps.keys() == std::vector{2});
  CHECK(*dora->laps[2][1] == 3);
  r.spread();
}

TEST_CASE("a field of any kind comes back with its record, and what was made again counts once") {
  const auto shown = [](device& d) { return show_record(*d.db->find<athlete>("ana")); };
  return_of_one r{[](tx_type& tx) {
                    auto a = tx.create<athlete>("ana");
                    a.name = 3;
                    a.motto = 4;
                    a.badges.insert(1);
                    a.xp += -100;
                    a.visits += 5;
                    a.grants.grant(1, 10);
                    a.grants.grant(2, 20);
                    a.longest.put(42);
                    a.first.put(7);
                    a.shares = true;
                    a.gear[1].insert(7);
                    a.gear.create(2);
                    a.laps[1][2] += 4;
                    a.laps[9][9] += 9;
                    a.laps.erase(9);
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      auto a = tx.edit<athlete>("ana");
                      a.visits += 1;
                      a.grants.grant(3, 30);
                      a.laps[1][3] += 5;
                    });
                    d.write([](tx_type& tx) { tx.edit<athlete>("ana").xp += 1; });
                  },
                  [](device& d) { d.write([](tx_type& tx) { tx.erase<athlete>("ana"); }); }};
  const auto before = shown(r.gone);
  const auto report = r.run();
  CHECK(report.recreated == 1);
  CHECK(report.superseded == 0);
  CHECK(shown(r.back) == before);
  CHECK(r.run().changesets == 0);
  CHECK(shown(r.back) == before);
  r.spread();
  CHECK(shown(r.other) == before);
}

TEST_CASE("a life that was begun after one's own deletion is made again, whoever else deleted") {
  return_of_one r{[](tx_type& tx) {
                    tx.create<athlete>("ana").xp += 100;
                    auto bea = tx.create<athlete>("bea");
                    bea.gear[1].insert(1);
                    bea.laps[1][1] += 100;
                    bea.laps[2][1] += 100;
                    tx.create<entry>("post").likes += 100;
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.edit<athlete>("ana").xp += 1;
                      auto bea = tx.edit<athlete>("bea");
                      bea.gear[1].insert(2);
                      bea.laps[1][1] += 1;
                      bea.laps[2][1] += 1;
                      tx.edit<entry>("post").likes += 1;
                    });
                    d.write([](tx_type& tx) {
                      tx.erase<athlete>("ana");
                      auto bea = tx.edit<athlete>("bea");
                      bea.gear.erase(1);
                      bea.laps[1].erase(1);
                      bea.laps.erase(2);
                      tx.erase<entry>("post");
                    });
                    d.write([](tx_type& tx) {
                      tx.create<athlete>("ana").xp += 20;
                      auto bea = tx.edit<athlete>("bea");
                      bea.gear[1].insert(3);
                      bea.laps[1][1] += 30;
                      bea.laps[2][1] += 40;
                      tx.create<entry>("post").likes += 50;
                    });
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      tx.erase<athlete>("ana");
                      auto bea = tx.edit<athlete>("bea");
                      bea.gear.erase(1);
                      bea.laps[1].erase(1);
                      bea.laps[2].erase(1);
                      tx.erase<entry>("post");
                    });
                  }};
  const auto report = r.run();
  CHECK(report.left_dead == 0);
  CHECK(report.recreated == 0);
  const auto ana = r.back.db->find<athlete>("ana");
  REQUIRE(ana);
  CHECK(*ana->xp == 20);
  const auto bea = r.back.db->find<athlete>("bea");
  REQUIRE(bea);
  CHECK(bea->gear[1].get() == std::vector{3});
  CHECK(*bea->laps[1][1] == 30);
  CHECK(*bea->laps[2][1] == 40);
  const auto post = r.back.db->find<entry>("post");
  REQUIRE(post);
  CHECK(*post->likes == 50);
  r.spread();
}

TEST_CASE("what others did meanwhile decides over removals and over lives that they ended") {
  return_of_one r{[](tx_type& tx) {
                    auto a = tx.create<athlete>("ana");
                    a.shares = true;
                    for (int n = 1; n <= 6; ++n) a.gear[n].insert(n);
                    tx.create<athlete>("bea").shares = true;
                    for (const char* key : {"seen", "unseen", "gone"})
                      tx.create<entry>(key).likes += 1;
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      auto a = tx.edit<athlete>("ana");
                      a.shares = false;
                      a.gear.erase(1);
                      a.gear.erase(2);
                      a.gear.erase(3);
                      a.gear[4].insert(40);
                      a.gear[5].insert(50);
                      a.gear.erase(5);
                      a.gear.create(7);
                      tx.edit<athlete>("bea").shares = false;
                      tx.create<athlete>("bea");  // a touch
                      for (const char* key : {"seen", "unseen", "gone"}) tx.erase<entry>(key);
                    });
                  },
                  [](device& d) {
                    d.write([](tx_type& tx) {
                      auto a = tx.edit<athlete>("ana");
                      a.shares = true;
                      a.gear[1].insert(10);
                      a.gear.erase(3);
                      a.gear.erase(4);
                      a.gear.erase(5);
                      tx.edit<entry>("unseen").likes += 1;
                      tx.erase<entry>("gone");
                    });
                    d.write([](tx_type& tx) { tx.edit<athlete>("ana").gear[4].insert(41); });
                  }};
  r.run();
  const auto ana = r.back.db->find<athlete>("ana");
  CHECK(*ana->shares);                                 // enabled by one that did not see it
  CHECK(ana->gear[1].get() == std::vector{1, 10});     // touched meanwhile
  CHECK(ana->gear[4].get() == std::vector{41});        // another life
  CHECK(ana->gear.keys() == std::vector{1, 4, 6, 7});  // the others are gone for both
  CHECK_FALSE(*r.back.db->find<athlete>("bea")->shares);
  // delete_wins: over updates that it did not see as well.
  for (const char* key : {"seen", "unseen", "gone"}) CHECK_FALSE(r.back.db->find<entry>(key));
  r.spread();
}

TEST_CASE("random work on records that nobody else changed meanwhile comes back as it was") {
  constexpr int keys = 8, untouched = 5;
  const auto shown = [](device& d) {
    std::string out;
    for (int k = 0; k < untouched; ++k) {
      const auto a = d.db->find<athlete>(key_of(k));
      const auto e = d.db->find<entry>(key_of(k));
      out += (a ? show_record(*a) : "none") + (e ? show_record(*e) : "none") + "\n";
    }
    return out;
  };
  constexpr std::uint64_t rounds = JOINERY_SANITIZED ? 15 : 60;
  std::size_t living = 0;
  for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
    CAPTURE(seed);
    prng dice{seed};
    const auto work = [&](tx_type& tx, int from) {
      for (auto left = 1 + dice.below(12); left > 0; --left) {
        auto o = random_operation(dice, keys);
        if (o.key >= from) perform(tx, o);
      }
    };
    return_of_one r{[&](tx_type& tx) {
                      for (int n = 0; n < 4; ++n) work(tx, 0);
                    },
                    [&](device& d) {
                      for (int n = 0; n < 6; ++n) d.write([&](tx_type& tx) { work(tx, 0); });
                    },
                    [&](device& d) {
                      for (int n = 0; n < 6; ++n)
                        d.write([&](tx_type& tx) { work(tx, untouched); });
                    }};
    const auto before = shown(r.gone);
    for (int k = 0; k < untouched; ++k)
      living += (r.gone.db->find<athlete>(key_of(k)) ? 1U : 0U) +
                (r.gone.db->find<entry>(key_of(k)) ? 1U : 0U);
    r.run();
    REQUIRE(shown(r.back) == before);
    CHECK(r.run().changesets == 0);
    r.spread();
    REQUIRE(shown(r.other) == before);
  }
  CHECK(living > 3 * rounds);
  CHECK(living < 2 * untouched * rounds);
}

TEST_CASE("a rejoin that is cut off goes on where it was") {
  const auto fill = [](device& d) {
    for (int i = 0; i < 6; ++i)
      d.write([&](tx_type& tx) {
        for (int k = 0; k < 3; ++k) {
          auto e = tx.create<entry>("post " + std::to_string(3 * i + k));
          for (int n = 0; n < 5; ++n) e.replies[n] = n;
          e.likes += 1;
        }
      });
  };
  const auto nothing = [](auto&) {};
  return_of_one r{[](tx_type& tx) { tx.create<athlete>("ana"); }, fill, nothing};
  r.back.disk.fail_nth(memory_operation::commit, 2, errc::io);
  CHECK_FALSE(joinery::rejoin(r.gone.engine(), r.back.engine(), 300));
  r.back.disk.clear_faults();
  r.back.crash();
  const auto some = r.back.db->endpoint().log_size();
  r.gone.write([](tx_type& tx) { tx.edit<entry>("post 0").likes += 10; });  // not part of that
  r.run();
  CHECK(r.back.db->endpoint().log_size() > some);
  for (int i = 0; i < 18; ++i)
    CHECK(*r.back.db->find<entry>("post " + std::to_string(i))->likes == (i == 0 ? 11 : 1));
  r.spread();
}

TEST_CASE("a rejoin in which any call fails is ended by the next one, and makes nothing twice") {
  const auto fill = [](device& d) {
    d.write([](tx_type& tx) {
      auto a = tx.edit<athlete>("ana");
      a.xp += 7;
      a.gear[1].insert(3);
    });
    for (int i = 0; i < 3; ++i)
      d.write([&](tx_type& tx) {
        auto e = tx.create<entry>("post " + std::to_string(i));
        e.replies[i] = i;
        e.likes += 1;
      });
  };
  const auto nothing = [](auto&) {};
  for (const bool at_old : {true, false})
    for (const auto what : {memory_operation::read, memory_operation::put, memory_operation::erase,
                            memory_operation::commit}) {
      for (std::uint64_t nth = 1;; nth += JOINERY_SANITIZED ? 4 : 1) {
        CAPTURE(at_old, static_cast<int>(what), nth);
        return_of_one r{[](tx_type& tx) { tx.create<athlete>("ana").xp += 1; }, fill, nothing};
        auto& victim = at_old ? r.gone : r.back;
        victim.disk.fail_nth(what, nth, nth % 2 == 0 ? errc::io : errc::full);
        const auto done = joinery::rejoin(r.gone.engine(), r.back.engine(), 150);
        const bool reached = !victim.disk.has_faults();
        if (!done) CHECK((done.error().code == errc::io || done.error().code == errc::full));
        victim.disk.clear_faults();
        if (victim.disk.poisoned()) victim.crash();
        r.run();
        CHECK(*r.back.db->find<athlete>("ana")->xp == 8);
        for (int i = 0; i < 3; ++i)
          CHECK(*r.back.db->find<entry>("post " + std::to_string(i))->likes == 1);
        r.spread();
        if (!reached) break;
      }
    }
}

TEST_CASE("a record that was erased meanwhile comes back with every kind of field") {
  return_of_one r{[](tx_type& tx) {
                    auto a = tx.create<athlete>("ana");
                    a.name = 1;
                    a.motto = 2;
                    a.badges.insert(3);
                    a.xp += -4;
                    a.visits += 5;
                    a.grants.grant(6, 60);
                    a.longest.put(7);
                    a.first.put(8);
                    a.shares = true;
                    a.gear[9].insert(90);
                    a.laps[10][11] += 12;
                  },
                  [](device& d) { d.write([](tx_type& tx) { tx.edit<athlete>("ana").xp += 1; }); },
                  [](device& d) { d.write([](tx_type& tx) { tx.erase<athlete>("ana"); }); }};
  const auto before = show_record(*r.gone.db->find<athlete>("ana"));
  CHECK(before.find("grants=60") != std::string::npos);
  r.run();
  CHECK(show_record(*r.back.db->find<athlete>("ana")) == before);
  r.spread();
}

TEST_CASE("only who is out, and known to be out by all, comes back that way") {
  {
    const auto nothing = [](auto&) {};
    return_of_one r{[](tx_type& tx) { tx.create<athlete>("ana"); }, nothing, nothing};
    const auto refused = [](const auto& done, errc code) {
      return !done && done.error().code == code;
    };
    CHECK(refused(joinery::rejoin(r.other.engine(), r.back.engine()), errc::invalid_argument));
    CHECK(refused(joinery::rejoin(r.back.engine(), r.back.engine()), errc::invalid_argument));
    device stranger{7};
    CHECK(refused(joinery::rejoin(r.gone.engine(), stranger.engine()), errc::not_admitted));
    r.stays.engine().evict(r.other.id()).value();
    CHECK(refused(joinery::rejoin(r.other.engine(), r.stays.engine()), errc::invalid_argument));
  }
}

TEST_CASE("a register that is made again keeps the rank of its write") {
  using name = crdt::lww<int>;
  const auto rank = GENERATE(std::int64_t{-1}, std::int64_t{0}, std::int64_t{2});
  causal::roster replicas;
  prng dice{1};
  replicas.add(new_replica_id(dice));
  causal::version seen;
  seen.set(0, 1);
  name old, again;
  old.apply(name::set(7, rank), {{0, 1}, 1, seen});
  detail::whole_value(name::type(), old.state(), replicas, [&](const bytes& delta) {
    REQUIRE(name::rules_type::valid_delta(delta));
    again.apply(delta, {{0, 1}, 1, seen});
  });
  CHECK(again == old);
}

TEST_CASE("local tables come along, once") {
  return_of_one r{[](tx_type&) {}, [](device&) {}, [](device&) {}};
  codec::changeset_writer draft;
  draft.add("drafts", "one",
            {crdt::cell_action::update, 1, "text", crdt::kind::lww, crdt::lww<int>::set(7)});
  r.gone.engine().commit({}, draft).value();
  CHECK(r.run().local == 1);
  auto& local = r.back.engine().local();
  const auto there = local.record("drafts", "one").value();
  const crdt::lww<int, bytes_view> text{state::field_state(
      crdt::read_cell(there).value, {*local.names().find("text"), crdt::kind::lww})};
  CHECK(text.get(local.replicas()) == 7);
  draft.clear();
  draft.add("drafts", "one", {crdt::cell_action::erase, 1, {}, {}, {}});
  r.back.engine().commit({}, draft).value();
  CHECK(r.run().local == 0);
  CHECK(local.record("drafts", "one").value().empty());
  r.spread();
}
