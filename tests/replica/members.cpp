// Who is in a closed space, who counts, and what that lets everybody clean.
#include <catch2/catch.hpp>

#include "tests/replica/circle.hpp"

using namespace replica_tests;

namespace {

member_state state_in(peer& p, const replica_id& id) {
  for (const auto& m : p.e->members().value())
    if (m.id == id) return m.state;
  return member_state::unknown;
}

/// Three that know each other, the first of which closed the membership.
struct closed_circle {
  peer a{1}, b{2}, c{3};
  closed_circle() {
    a.set("of a", 1).value();
    b.set("of b", 1).value();
    c.set("of c", 1).value();
    for (auto* p : {&b, &c}) meet(a, *p);
    a.e->close_membership().value();
    for (auto* p : {&b, &c}) meet(a, *p);
  }
  std::vector<peer*> all() { return {&a, &b, &c}; }
};

}  // namespace

TEST_CASE("in a space with open membership nothing is cleaned, and nobody acknowledges") {
  peer a{1}, b{2};
  a.set("x", 1).value();
  meet(a, b);
  b.erase("x").value();
  CHECK(rest({&a, &b}) == 1);
  CHECK(a.e->log_size() == 2);
  CHECK(dead_bytes(a) > 0);
  CHECK(dead_bytes(b) > 0);
  CHECK(a.e->members().value().empty());
  CHECK_FALSE(a.e->status().membership.closed);
  CHECK(failed_with(a.e->admit(b.id()), errc::invalid_argument));
  CHECK(failed_with(a.e->evict(b.id()), errc::invalid_argument));
}

TEST_CASE("closing admits this replica and every origin that it knows, in one changeset") {
  peer a{1}, b{2}, c{3};
  b.set("x", 1).value();
  meet(a, b);
  const auto before = a.e->log_size();
  CHECK(a.e->close_membership().value());
  CHECK_FALSE(a.e->close_membership().value());  // it is closed already
  CHECK(a.e->log_size() == before + 1);
  meet(a, b);
  CHECK(a.digest() == b.digest());
  for (auto* p : {&a, &b}) {
    CHECK(p->e->members().value().size() == 2);
    CHECK(state_in(*p, a.id()) == member_state::member);
    CHECK(state_in(*p, b.id()) == member_state::member);
    CHECK(p->e->status().membership.closed);
    CHECK(p->e->status().membership.members == 2);
  }
  CHECK(failed_with(a.e->admits(c.id()), errc::not_a_member));
  CHECK(a.e->admits(b.id()));
  a.crash();
  CHECK(failed_with(a.e->admits(c.id()), errc::not_a_member));
}

TEST_CASE("admission is a changeset, and its name can be written later") {
  closed_circle o;
  peer d{4};
  CHECK(failed_with(hear(d, o.a), errc::not_a_member));
  CHECK(failed_with(hear(o.a, d), errc::not_a_member));
  o.b.e->admit(d.id(), "watch").value();
  CHECK_FALSE(o.b.e->admit(d.id(), "watch").value());
  CHECK(failed_with(hear(d, o.a), errc::not_a_member));  // a has not heard of it
  meet(d, o.b);
  meet(o.a, o.b);
  meet(d, o.a);
  CHECK(d.digest() == o.a.digest());
  CHECK(o.a.e->members().value().size() == 4);
  o.a.e->admit(d.id(), "watch of Ana").value();
  meet(o.a, o.b);
  std::string name;
  for (const auto& m : o.b.e->members().value())
    if (m.id == d.id()) name = m.name;
  CHECK(name == "watch of Ana");
  CHECK(failed_with(d.e->admit(replica_id{}), errc::invalid_argument));
}

TEST_CASE("only members admit and evict, and the last one stays") {
  closed_circle o;
  peer d{4};
  meet(o.a, o.b);
  CHECK(failed_with(o.a.e->evict(d.id()), errc::not_found));
  o.a.e->evict(o.b.id()).value();
  CHECK_FALSE(o.a.e->evict(o.b.id()).value());
  CHECK(failed_with(o.a.e->admit(o.b.id()), errc::invalid_argument));  // never under the old id
  o.a.e->evict(o.c.id()).value();
  CHECK(failed_with(o.a.e->evict(o.a.id()), errc::invalid_argument));
  o.b.take(lacking(o.a, o.b)).value();  // by some way it hears of it
  CHECK(o.b.e->status().membership.self != member_state::member);
  CHECK(failed_with(o.b.e->admit(d.id()), errc::not_a_member));
  CHECK(o.b.get("of a") == 1);  // it goes on reading
  CHECK(o.b.set("of b", 2));    // and writing for itself
}

TEST_CASE("idle members acknowledge with an empty changeset, and a space at rest falls silent") {
  closed_circle o;
  rest(o.all());
  const auto quiet = o.a.e->log_size();
  CHECK(rest(o.all()) == 0);
  o.a.set("x", 1).value();
  meet(o.a, o.b);
  meet(o.a, o.c);
  o.b.e->tend().value();
  CHECK(o.b.e->log_size() == quiet + 1);  // not at once
  rest(o.all());
  CHECK(o.a.e->log_size() == quiet + 3);  // the change, and one answer of each
  CHECK(rest(o.all()) == 0);
  for (auto* p : o.all()) {
    CHECK(p->digest() == o.a.digest());
    CHECK(p->e->status().membership.waiting_for.empty());
    for (const auto& m : p->e->members().value()) CHECK(m.lag == 0);
  }
  // An empty changeset is one like all others: in the log, after a crash, and out of order.
  o.c.crash();
  CHECK(o.c.digest() == o.a.digest());
  peer late{9};
  auto log = o.a.log();
  std::reverse(log.begin(), log.end());
  for (const auto& data : log) late.take(data).value();
  CHECK(late.digest() == o.a.digest());
  CHECK(late.e->status().held == 0);
}

TEST_CASE("an answer that is due is given after a restart, also by who never wrote") {
  closed_circle o;
  peer d{4};
  o.a.e->admit(d.id()).value();
  meet(o.a, d);
  d.reopen();
  d.time.now = o.a.time.now + d.options.acknowledge_after_ms;
  d.e->tend().value();
  CHECK(d.e->log_size() == o.a.e->log_size() + 1);
  d.reopen();
  d.e->tend().value();
  CHECK(d.e->log_size() == o.a.e->log_size() + 1);
}

TEST_CASE("a dead record is cleaned once every member is known to have all its changes") {
  closed_circle o;
  peer plain{8};  // takes everything, and never cleans
  plain.options.clean_up_records = 0;
  plain.reopen();
  rest(o.all());
  o.a.set("x", 1).value();
  o.a.set("y", 1).value();
  meet(o.a, o.b);
  meet(o.a, o.c);
  o.b.erase("x").value();
  meet(o.a, o.b);
  for (auto* p : {&o.a, &o.b}) p->time.now += p->options.acknowledge_after_ms;
  for (int round = 0; round < 5; ++round) {
    for (auto* p : {&o.a, &o.b}) p->e->tend().value();
    meet(o.a, o.b);
  }
  CHECK(dead_bytes(o.a) > 0);  // c has not heard of it
  CHECK(o.a.e->status().membership.waiting_for == std::vector{o.c.id()});
  rest(o.all());
  for (auto* p : o.all()) {
    CHECK(dead_bytes(*p) == 0);
    CHECK(p->e->status().membership.cells_cleaned == 1);
    CHECK(p->e->status().membership.waiting_for.empty());
  }
  plain.take(o.a.log()).value();
  plain.e->tend().value();
  CHECK(dead_bytes(plain) > 0);
  CHECK(plain.digest() == o.a.digest());
  // What was cleaned stays clean, in the snapshot as well, and its incarnation is not forgotten.
  for (auto* p : o.all()) {
    p->e->checkpoint().value();
    p->crash();
    CHECK(dead_bytes(*p) == 0);
    CHECK(p->digest() == plain.digest());
  }
  o.c.set("x", 5).value();
  plain.take(lacking(o.c, plain)).value();
  CHECK(crdt::read_cell(o.c.e->record("table", "x").value()).incarnation == 2);
  CHECK(plain.digest() == o.c.digest());
}

TEST_CASE("a member counts from its admission, whether it writes or not") {
  closed_circle o;
  peer d{4};
  rest(o.all());
  o.a.e->admit(d.id()).value();
  o.a.set("x", 1).value();
  o.a.erase("x").value();
  rest(o.all());
  for (auto* p : o.all()) {
    CHECK(dead_bytes(*p) > 0);
    CHECK(p->e->status().membership.waiting_for == std::vector{d.id()});
  }
  auto all = o.all();
  all.push_back(&d);
  rest(all);
  for (auto* p : all) CHECK(dead_bytes(*p) == 0);
}

TEST_CASE("an evicted member stops counting when its eviction is stable among the rest") {
  closed_circle o;
  rest(o.all());
  o.a.set("x", 1).value();
  o.a.erase("x").value();
  o.a.e->evict(o.c.id()).value();
  o.a.e->tend().value();
  CHECK(state_in(o.a, o.c.id()) == member_state::leaving);
  CHECK(dead_bytes(o.a) > 0);
  CHECK(failed_with(hear(o.a, o.c), errc::not_a_member));
  CHECK(failed_with(hear(o.c, o.a), errc::not_a_member));
  rest({&o.a, &o.b});
  for (auto* p : {&o.a, &o.b}) {
    CHECK(state_in(*p, o.c.id()) == member_state::evicted);
    CHECK(dead_bytes(*p) == 0);
    CHECK(p->digest() == o.a.digest());
  }
  o.a.crash();
  CHECK(state_in(o.a, o.c.id()) == member_state::evicted);
}

TEST_CASE("who was admitted only by an evicted one goes with it, unless a member admits it too") {
  closed_circle o;
  peer d{4}, e{5};
  o.c.e->admit(d.id()).value();
  o.c.e->admit(e.id()).value();
  meet(o.c, o.a);
  o.a.e->admit(e.id()).value();
  CHECK(state_in(o.a, e.id()) == member_state::member);
  o.a.e->evict(o.c.id()).value();
  CHECK(state_in(o.a, d.id()) == member_state::leaving);
  CHECK(state_in(o.a, e.id()) == member_state::member);
  CHECK(failed_with(o.a.e->admits(d.id()), errc::not_a_member));
  meet(o.a, o.b);
  meet(o.a, e);
  rest({&o.a, &o.b, &e});
  for (auto* p : {&o.a, &o.b, &e}) CHECK(state_in(*p, d.id()) == member_state::evicted);
}

TEST_CASE("what a member took from an evicted one before it knew is taken in by all") {
  closed_circle o;
  rest(o.all());
  o.a.e->evict(o.c.id()).value();
  o.c.set("late", 3).value();
  hear(o.b, o.c).value();  // b does not know
  meet(o.a, o.b);
  CHECK(o.a.get("late") == 3);
  rest({&o.a, &o.b});
  CHECK(o.a.digest() == o.b.digest());
  // Now all know: nothing more of it comes in, whoever brings it.
  o.c.set("too late", 4).value();
  const auto news = lacking(o.c, o.a);
  CHECK(failed_with(o.a.take(news), errc::not_a_member));
  CHECK(o.a.get("too late") == 0);
}

TEST_CASE("a device that awaits its admission does not write before") {
  closed_circle o;
  peer d{4};
  d.options.await_admission = true;
  d.reopen();
  CHECK(failed_with(d.set("x", 1), errc::not_admitted));
  o.a.e->admit(d.id()).value();
  hear(d, o.a, 2).value();  // a cut session: the admission is not in it
  CHECK(failed_with(d.set("x", 1), errc::not_admitted));
  meet(o.a, d);
  CHECK(d.set("x", 1));
  meet(o.a, d);
  CHECK(o.a.get("x") == 1);
}

TEST_CASE("what was written before the writer saw its admission is refused everywhere") {
  closed_circle o;
  peer d{4};
  d.set("x", 1).value();  // nobody told it that there is a closed space
  o.a.e->admit(d.id()).value();
  CHECK(failed_with(hear(o.a, d), errc::not_a_member));
  CHECK(hear(d, o.a));
  d.set("y", 1).value();
  CHECK(failed_with(hear(o.a, d), errc::not_a_member));
  CHECK(o.a.e->status().held == 0);
  // Also where it comes from others, once all know that the space is closed.
  rest({&o.a, &o.b, &o.c});
  CHECK(failed_with(o.b.take(lacking(d, o.b)), errc::not_a_member));
}

TEST_CASE("a batch is judged with the admissions in it") {
  closed_circle o;
  peer d{4};
  rest(o.all());
  o.a.e->admit(d.id()).value();
  meet(o.a, d);
  d.set("x", 1).value();
  meet(o.a, d);
  CHECK(hear(o.b, o.a)->integrated == 2);  // the admission, and what the admitted one wrote
  o.c.take(o.a.log()).value();
  CHECK(o.c.digest() == o.a.digest());
}

TEST_CASE("the stable position and the walk survive a restart; losing them costs a walk") {
  closed_circle o;
  rest(o.all());
  for (int i = 0; i < 20; ++i) o.a.set("r" + std::to_string(i), i).value();
  for (int i = 0; i < 20; ++i) o.a.erase("r" + std::to_string(i)).value();
  for (auto* p : o.all()) {
    p->options.clean_up_records = 7;
    p->reopen();
  }
  rest(o.all());
  for (auto* p : o.all()) CHECK(dead_bytes(*p) == 0);
  o.a.crash();  // the snapshot had nothing of it
  CHECK(dead_bytes(o.a) > 0);
  rest(o.all());
  CHECK(dead_bytes(o.a) == 0);
  const auto stable = o.a.e->status().membership.stable_position;
  o.a.e->checkpoint().value();
  o.a.crash();
  CHECK(o.a.e->status().membership.stable_position == stable);
  CHECK_FALSE(o.a.e->status().membership.cleaning);
  CHECK(dead_bytes(o.a) == 0);
  CHECK(o.a.digest() == o.b.digest());
}
