// The power fails at every moment of a replica's life on LMDB.
//
// Every call that changes its files is recorded. For each, the directory is laid out as the device
// may hold it then: all that was written, only what was synced, or that and some of the rest, torn
// at any byte. The real engine opens it.
//
// Environment: JOINERY_CRASH_POINTS=all goes through all of them; CI takes a share. `./dev crash`
// sets it.
#include <catch2/catch.hpp>

#include <cstdio>

#include "tests/crash/recorded_life.hpp"

using namespace crash_tests;

namespace {

bool all_points() {
  const char* const wanted = std::getenv("JOINERY_CRASH_POINTS");
  return wanted != nullptr && std::string{wanted} == "all";
}

const char* name_of(survival how) {
  return how == survival::all ? "all" : how == survival::none ? "only what is synced" : "some";
}

std::string describe(const recorded_call& c) {
  return c.name + " of " + (c.file.empty() ? "the directory" : c.file) + " at " +
         std::to_string(c.place) + ", " + std::to_string(c.data.size()) + " bytes";
}

/// Stops a life at its calls and brings it back.
class power_failures {
 public:
  explicit power_failures(recorded_life& life) : life_(life) {}

  void at_every(std::size_t stride, unsigned again_percent) {
    device disk;
    prng dice{5};
    const auto& calls = life_.calls();
    auto next = dice.below(stride);
    for (std::size_t n = 0; n < calls.size(); ++n) {
      disk.begin(calls[n]);
      if (calls[n].file == "data.mdb") open_for_sure_ = true;
      if (calls[n].data.starts_with("closed")) open_for_sure_ = false;
      if (n == next) {
        next += 1 + dice.below(2 * stride - 1);
        for (const auto how : {survival::all, survival::none, survival::some, survival::some})
          at(n, disk, how, again_percent);
      }
      disk.end(calls[n]);
    }
  }
  std::size_t points = 0, again = 0;

 private:
  void at(std::size_t n, const device& disk, survival how, unsigned again_percent) {
    const auto seed = n * 7 + points;
    prng dice{seed};
    const auto& m = life_.at(n);
    const auto image = disk.image(how, dice);
    INFO("call " << n << " (" << describe(life_.calls()[n]) << "), surviving: " << name_of(how)
                 << ", seed " << seed);
    ++points;
    says_whether_it_is_open(image);
    life_.folder.lay_out(image, dice);
    const bool deep = dice.chance(50);
    const bool twice = dice.below(100) < again_percent;
    recorder second;
    if (twice) watch(&second, life_.folder.path());
    const auto had = check(m, seed, deep, !twice, life_.all);
    watch(nullptr);
    if (twice) fails_again(m, second, image, life_.all.only(united(had, m.peer_has)), dice);
  }

  /// The power fails once more, while the store recovers from the first time.
  void fails_again(const recorded_life::mark& m, const recorder& second, const file_image& image,
                   archive all, prng& dice) {
    device disk{image};
    const auto stop = dice.below(second.calls().size());
    for (std::size_t n = 0; n <= stop; ++n) {
      disk.begin(second.calls()[n]);
      if (n < stop) disk.end(second.calls()[n]);
    }
    INFO("and again at call " << stop << " (" << describe(second.calls()[stop])
                              << ") of what came next");
    ++again;
    life_.folder.lay_out(disk.image(survival::some, dice), dice);
    check(m, dice.next(), true, true, all);
  }

  /// Gives what the store had.
  versions check(const recorded_life::mark& m, std::uint64_t seed, bool deep, bool sync,
                 archive& all) {
    survivor s{life_.folder.path(), life_.mode(), seed, life_.now_ms()};
    s.open();
    const auto had = version_of(*s.db);
    const bool is_itself = s.db->status().self == life_.self();
    if (is_itself || !m.promised.self.is_none()) {
      s.keeps(m.promised, all);
      s.finishes();
      if (!deep) return had;
      if (sync) {
        auto peer = memory_replica::open(m.peer->clone(), small_options(s.time, s.dice)).value();
        if (admits(peer)) s.meets(peer);
      }
      if (s.db->status().membership.self != member_state::member) return had;
    }
    // What it writes from here on is another history than the life's.
    auto other = all.only(united(version_of(*s.db), m.peer_has));
    s.goes_on(other, 2);
    return had;
  }

  /// The first moments come before that.
  bool admits(memory_replica& peer) const {
    for (const auto& m : peer.members().value())
      if (m.id == life_.self()) return true;
    return false;
  }

  /// The next opening must know that the store was not closed.
  void says_whether_it_is_open(const file_image& image) const {
    if (!open_for_sure_) return;
    const auto lock = image.find("joinery.lock");
    REQUIRE(lock != image.end());
    CHECK(lock->second.starts_with("process"));
  }

  recorded_life& life_;
  bool open_for_sure_ = false;
};

void fail_everywhere(durability mode, std::uint64_t seed, int steps, std::size_t stride) {
  recorded_life life{mode, seed, steps};
  CHECK(life.joins >= 3);
  CHECK(life.trimmed > 20);
  CHECK(life.cleaned > 0);
  CHECK(life.snapshots > 20);
  CHECK(life.parts > 0);
  CHECK(life.growths > 65'536);
  power_failures power{life};
  power.at_every(stride, 10);
  std::printf(
      "power loss, %s, seed %llu: %zu calls, %zu changesets; stopped %zu times, %zu again "
      "while recovering\n",
      mode == durability::commit ? "commit" : "interval", static_cast<unsigned long long>(seed),
      life.calls().size(), life.all.size(), power.points, power.again);
}

}  // namespace

TEST_CASE("the device knows that a store is open before anything is written to the store") {
  store_folder folder;
  lmdb::open({.path = folder.path()}).value().close().value();
  device disk{folder.content()};
  recorder calls;
  watch(&calls, folder.path());
  auto storage = lmdb::open({.path = folder.path()}).value();
  store_tests::put(storage, history::area::meta, "k", "v").value();
  watch(nullptr);
  prng dice{1};
  std::size_t written = 0;
  for (const auto& call : calls.calls()) {
    disk.begin(call);
    if (call.file == "data.mdb" && call.kind == call_kind::write) {
      CHECK(disk.image(survival::none, dice).at("joinery.lock").starts_with("process"));
      ++written;
    }
    disk.end(call);
  }
  CHECK(written > 0);
}

TEST_CASE("the power may fail at any moment while a store is made: the next opening makes it") {
  store_folder folder;
  recorder calls;
  watch(&calls, folder.path());
  lmdb::open({.path = folder.path()}).value();
  watch(nullptr);
  device disk;
  prng dice{3};
  for (const auto& call : calls.calls()) {
    disk.begin(call);
    for (int n = 0; n < 60; ++n) {
      folder.lay_out(disk.image(n == 0 ? survival::none : survival::some, dice), dice);
      auto storage = lmdb::open({.path = folder.path()});
      INFO(describe(call) << ": " << (storage ? "ok" : storage.error().text()));
      REQUIRE(storage.has_value());
      REQUIRE(store_tests::put(*storage, history::area::meta, "k", "v"));
    }
    disk.end(call);
  }
}

TEST_CASE("whenever the power fails, what was acknowledged is there, and the state is the log's") {
  const auto mode = GENERATE(durability::commit, durability::interval);
  if (!all_points()) return fail_everywhere(mode, 1, 60, JOINERY_SANITIZED != 0 ? 60 : 24);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) fail_everywhere(mode, seed, 200, 1);
}
