// A replica on LMDB: opened again, killed, grown, locked, read beside its writer.
#include <catch2/catch.hpp>

#include <csignal>

#include "joinery/store/lmdb.hpp"
#include "tests/replica/peer.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using store::lmdb;
using store_tests::in_child;
using store_tests::temporary_directory;
using disk_engine = engine<lmdb>;

namespace {

replica_options disk_options() {
  replica_options o;
  o.space = space_named("engine tests");
  o.cache_bytes = 4000;
  o.snapshot_records = 8;
  o.snapshot_step_records = 3;
  return o;
}

result<disk_engine> open_disk(const std::string& path,
                              const replica_options& options = disk_options(),
                              durability mode = durability::commit, bool read_only = false) {
  auto storage = lmdb::open({.path = path,
                             .mode = mode,
                             .read_only = read_only,
                             .initial_map_bytes = std::size_t{1} << 20});
  if (!storage) return storage.error();
  return disk_engine::open(std::move(*storage), options);
}

template <class Engine>
result<std::optional<causal::dot>> add_one(Engine& e, std::string_view key,
                                           std::size_t padding = 0) {
  changeset_writer w;
  w.add("table", key,
        {cell_action::update, 1, "count", crdt::kind::pn_counter, crdt::pn_counter::add(1)});
  if (padding > 0)
    w.add("table", key,
          {cell_action::update, 1, "text", crdt::kind::lww,
           crdt::lww<std::string>::set(std::string(padding, 'x'))});
  return e.commit(w);
}

template <class Engine>
batch log_of(Engine& e) {
  batch out;
  e.read_log(1, [&](auto, const auto&, auto, bytes_view data) {
     out.emplace_back(data);
     return true;
   }).value();
  return out;
}

/// The digest of a replica in memory that gets the log of `e` and nothing else.
template <class Engine>
std::string digest_of_log(Engine& e) {
  peer p{99};
  p.options.max_clock_drift_ms = ~std::uint64_t{0};
  p.reopen();
  const auto log = log_of(e);
  if (!log.empty()) CHECK(p.take(log).value().integrated == log.size());
  return p.digest();
}
template <class Engine>
std::string digest_of(Engine& e) {
  return e.digest().value().hex();
}

std::string key_of(std::uint64_t n) { return "key " + std::to_string(n % 37); }

// --- Killing ---

/// One acknowledgement: what the child has been told is kept.
struct acknowledgement {
  replica_id origin;
  std::uint64_t seq = 0;
  std::array<unsigned char, 32> chain{};
};

/// Writes, takes in what `peers` has, takes snapshots; says what is durable on `out`, until it is
/// killed.
int work_until_killed(const std::string& path, durability mode, const batch& peers,
                      const replica_id& peer_id, int out, std::uint64_t seed) {
  auto opened = open_disk(path, disk_options(), mode);
  if (!opened) return 1;
  auto& e = *opened;
  testing::prng dice{seed};
  for (;;) {
    const auto what = dice.below(100);
    if (what < 60) {
      if (!add_one(e, key_of(dice.next()), dice.below(200))) return 2;
    } else if (what < 90) {
      const auto index = e.replicas().find(peer_id);
      auto at = index ? e.seen().at(*index) : 0;
      std::vector<bytes_view> some;
      for (auto n = 1 + dice.below(4); n > 0 && at < peers.size(); --n) some.push_back(peers[at++]);
      if (dice.chance(30)) std::reverse(some.begin(), some.end());
      if (!e.ingest(some)) return 3;
    } else if (what < 95) {
      if (!e.checkpoint()) return 4;
    } else if (!e.flush()) {
      return 5;
    }
    for (const auto& h : e.heads()) {
      acknowledgement a{h.origin, h.seq, {}};
      std::memcpy(a.chain.data(), h.chain.view().data(), 32);
      if (::write(out, &a, sizeof a) != sizeof a) return 6;
    }
  }
}

void kill_again_and_again(durability mode, int kills) {
  temporary_directory home;
  const auto path = home.path();
  peer other{5};
  for (int n = 0; n < 4000; ++n) {
    changeset_writer w;
    w.add("table", key_of(static_cast<std::uint64_t>(n)),
          {cell_action::update, 1, "count", crdt::kind::pn_counter, crdt::pn_counter::add(1)});
    other.e->commit(w).value();
  }
  const auto peers = other.log();
  const auto peer_id = other.id();
  std::map<std::pair<replica_id, std::uint64_t>, std::array<unsigned char, 32>> chains;
  testing::prng dice{11};
  std::uint64_t grown = 0;
  for (int n = 0; n < kills; ++n) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const auto child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      ::_exit(work_until_killed(path, mode, peers, peer_id, ends[1], dice.next()));
    }
    ::close(ends[1]);
    // Killed after a random number of acknowledgements, at no matter what.
    const auto patience = 5 + dice.below(70);
    acknowledgement a;
    std::uint64_t heard = 0;
    std::map<replica_id, std::uint64_t> last;
    while (::read(ends[0], &a, sizeof a) == sizeof a) {
      const auto [at, fresh] = chains.try_emplace({a.origin, a.seq}, a.chain);
      if (at->second != a.chain) FAIL("a sequence number has other bytes than before");
      last[a.origin] = std::max(last[a.origin], a.seq);
      if (++heard == patience) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CAPTURE(n, status);
    REQUIRE(WIFSIGNALED(status));

    auto e = open_disk(path, disk_options(), mode).value();
    for (const auto& [origin, seq] : last)
      CHECK(e.seen().at(e.replicas().find(origin).value()) >= seq);
    for (const auto& [name, chain] : chains) {
      const auto there = e.chain_at(name.first, name.second).value();
      if (!there || std::memcmp(there->view().data(), chain.data(), 32) != 0)
        FAIL("an acknowledged changeset is missing or another: " << name.second);
    }
    CHECK(digest_of(e) == digest_of_log(e));
    CHECK(e.log_size() >= grown);
    grown = e.log_size();
  }
  CHECK(grown > static_cast<std::uint64_t>(kills));
}

}  // namespace

TEST_CASE("a replica on disk that is killed again and again keeps all that it acknowledged") {
  kill_again_and_again(durability::commit, 25);
}
TEST_CASE("with interval durability too, a kill takes nothing that was synced") {
  kill_again_and_again(durability::interval, 12);
}

TEST_CASE("a replica on disk is the same after it was opened again, with snapshots and without") {
  temporary_directory home;
  std::string digest;
  replica_id self;
  for (int round = 0; round < 4; ++round) {
    auto e = open_disk(home.path()).value();
    if (round > 0) {
      CHECK(digest_of(e) == digest);
      CHECK(e.self() == self);
    }
    self = e.self();
    for (std::uint64_t n = 0; n < 50; ++n) add_one(e, key_of(n * 7)).value();
    if (round % 2 == 0) e.checkpoint().value();
    CHECK(e.status().changesets == static_cast<std::uint64_t>(round + 1) * 50);
    digest = digest_of(e);
    CHECK(digest == digest_of_log(e));
  }
}

TEST_CASE("a store grows under commits, batches and snapshots") {
  temporary_directory home;
  peer other{5};
  auto e = open_disk(home.path()).value();
  const auto small = e.storage().status().value().map_bytes;
  for (std::uint64_t n = 0; n < 60; ++n) {
    add_one(e, key_of(n), 60'000).value();
    add_one(*other.e, key_of(n), 60'000).value();
  }
  std::vector<bytes_view> views;
  const auto log = other.log();
  for (const auto& data : log) views.push_back(data);
  CHECK(e.ingest(views).value().integrated == 60);
  e.checkpoint().value();
  CHECK(e.storage().status().value().map_bytes > 4 * small);
  CHECK(digest_of(e) == digest_of_log(e));
}

TEST_CASE("a store is open for writing once, and opened only for its own space") {
  temporary_directory home;
  {
    auto e = open_disk(home.path()).value();
    add_one(e, "k").value();
    CHECK(failed_with(open_disk(home.path()), errc::locked));
    CHECK(in_child([&] { return failed_with(open_disk(home.path()), errc::locked) ? 0 : 1; }) == 0);
    add_one(e, "k").value();
  }
  auto options = disk_options();
  options.space = space_named("another");
  CHECK(failed_with(open_disk(home.path(), options), errc::wrong_space));
  CHECK(open_disk(home.path()).value().log_size() == 2);
}

TEST_CASE(
    "a reader beside a writer sees one moment, changes nothing, and a later one when it opens "
    "again") {
  temporary_directory home;
  auto e = open_disk(home.path()).value();
  for (std::uint64_t n = 0; n < 30; ++n) add_one(e, key_of(n)).value();
  const auto first = digest_of(e);
  int to_reader[2], to_writer[2];
  REQUIRE(::pipe(to_reader) == 0);
  REQUIRE(::pipe(to_writer) == 0);
  const auto reader = ::fork();
  if (reader == 0) {
    char c = 'x';
    auto opened = open_disk(home.path(), disk_options(), durability::commit, true);
    if (!opened) ::_exit(1);
    {
      auto r = std::move(*opened);
      const bool good = digest_of(r) == first && failed_with(add_one(r, "k"), errc::read_only) &&
                        r.checkpoint() && r.flush() && r.tend() && r.status().read_only;
      if (::write(to_writer[1], &c, 1) != 1 || ::read(to_reader[0], &c, 1) != 1) ::_exit(2);
      if (!good || digest_of(r) != first || r.log_size() != 30) ::_exit(3);
    }
    auto again = open_disk(home.path(), disk_options(), durability::commit, true);
    ::_exit(again && again->log_size() == 60 && digest_of(*again) == digest_of_log(*again) ? 0 : 4);
  }
  char c = 0;
  REQUIRE(::read(to_writer[0], &c, 1) == 1);
  for (std::uint64_t n = 0; n < 30; ++n) add_one(e, key_of(n * 5)).value();
  e.checkpoint().value();
  REQUIRE(::write(to_reader[1], &c, 1) == 1);
  int status = 0;
  ::waitpid(reader, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  for (const int fd : {to_reader[0], to_reader[1], to_writer[0], to_writer[1]}) ::close(fd);
}

TEST_CASE("a reader of a store that holds no replica is told so") {
  temporary_directory home;
  { lmdb::open({.path = home.path()}).value(); }
  CHECK(failed_with(open_disk(home.path(), disk_options(), durability::commit, true),
                    errc::not_found));
}

TEST_CASE("damage on disk is told with its place") {
  for (const auto where :
       {area::meta, area::roster, area::names, area::log, area::dots, area::records}) {
    temporary_directory home;
    {
      auto e = open_disk(home.path()).value();
      for (std::uint64_t n = 0; n < 20; ++n) add_one(e, key_of(n)).value();
      e.checkpoint().value();
    }
    {
      auto storage = lmdb::open({.path = home.path()}).value();
      storage
          .write([&](auto& w) -> result<> {
            const auto [key, value] = *w.last(where);
            bytes k{key}, v{value};
            v.back() = static_cast<char>(v.back() ^ 0x40);
            w.put(where, k, v);
            return {};
          })
          .value();
    }
    auto e = open_disk(home.path());
    std::string said = e ? "ok" : e.error().text();
    if (e) {
      if (auto d = e->digest(); !d)
        said = d.error().text();
      else if (auto l = e->read_log(1, [](auto...) { return true; }); !l)
        said = l.error().text();
      else if (auto p = e->log_position(e->self(), 20); !p)
        said = p.error().text();
    }
    CAPTURE(history::name_of(where));
    if (where == area::records) {  // made anew from the log
      CHECK(said == "ok");
      CHECK(e->status().repaired == 1);
    } else if (where == area::log) {  // in the snapshot already, and not to be served
      CHECK_THAT(said, Catch::StartsWith("gap") && Catch::Contains("log position 20"));
    } else {
      CHECK_THAT(said, Catch::StartsWith("checksum") &&
                           Catch::Contains(std::string{history::name_of(where)}));
    }
  }
}

TEST_CASE("on disk too, peers see nothing that is not synced") {
  temporary_directory home;
  auto options = disk_options();
  manual_clock time{1'000'000};
  options.time = &time;
  options.sync_interval_ms = 1000;
  {
    auto e = open_disk(home.path(), options, durability::interval).value();
    e.flush().value();
    add_one(e, "k").value();
    add_one(e, "k").value();
    CHECK(e.heads().empty());
    CHECK(log_of(e).empty());
    CHECK(e.log_end() == 1);
    time.now += 1000;
    e.tend().value();
    CHECK(e.heads().front().seq == 2);
    add_one(e, "k").value();
    CHECK(e.heads().front().seq == 2);
  }
  auto e = open_disk(home.path(), options, durability::interval).value();
  CHECK(e.heads().front().seq == 3);
}
