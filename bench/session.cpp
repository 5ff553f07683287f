// A session between two replicas of a space that many others have written to, when next to nothing
// changed since they met: what it carries, and what it takes. The limit is a version that names all
// of them, an id and a number each: what a session must not cost.
// Lines: session-bytes/others: session-time/others:
#include "fitness_engine.hpp"
#include "joinery/transport/pipe.hpp"

namespace {

using namespace bench;

struct space {
  memory_engine a = open_in_memory();
  memory_engine b = open_in_memory();
  std::uint64_t written = 0;

  explicit space(std::uint32_t others) {
    const auto all = of_others(others, fitness_table);
    feed(a, all);
    feed(b, all);
    meet();
  }

  /// One of them writes ten operations.
  void write() {
    joinery::codec::changeset_writer tx;
    for (std::uint32_t i = 1; i <= ops_of_changeset; ++i)
      tx.add(fitness_table, fitness_key(i),
             tag_op(static_cast<std::uint32_t>(1000 + written), true));
    a.commit(tx).value();
    ++written;
  }

  /// A session until both say bye; how many bytes it carried. Digests of the states are compared by
  /// `verify_equal` instead, so that the session itself is what is measured.
  std::uint64_t meet() {
    joinery::sync::session_options options;
    options.once = true;
    options.verify = false;
    std::uint64_t now = 0;
    joinery::sync::session at_a{a, options, now};
    joinery::sync::session at_b{b, options, now};
    joinery::transport::pipe wire{at_a, at_b};
    while (!at_a.ended() || !at_b.ended()) {
      wire.run(now);
      now += 10;
      check(now < 100'000, "the session comes to an end");
    }
    check(!at_a.failure() && !at_b.failure(), "the session ends well");
    return wire.carried();
  }
};

sample session(std::uint32_t others, bool bytes_of_it) {
  static std::map<std::uint32_t, std::unique_ptr<space>> made;
  auto& s = made[others];
  if (!s) s = std::make_unique<space>(others);
  s->write();
  sample out;
  std::uint64_t carried = 0;
  out.seconds = seconds_of_core([&] { carried = s->meet(); });
  verify_equal(s->a, s->b);
  if (!bytes_of_it) {
    out.joinery = out.seconds * 1e3;
    return out;
  }
  out.joinery = static_cast<double>(carried);
  out.limit = others * 17.0;  // 16 bytes of id, and a small number
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::uint32_t others : {10u, 100u, 1'000u, 10'000u}) {
    const auto n = "/others:" + std::to_string(others);
    const auto by = others == 10'000 ? measure::ratio_at_most : measure::nothing;
    line("session-bytes" + n, {"B", by, 0.1}, [=] { return session(others, true); });
    line("session-time" + n, {"ms"}, [=] { return session(others, false); });
  }
  return run(argc, argv);
}
