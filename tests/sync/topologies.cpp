#include <catch2/catch.hpp>
#include <memory>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;

namespace {

/// Replicas and the links between them.
struct network {
  std::vector<std::unique_ptr<fake_endpoint>> peers;
  std::vector<std::unique_ptr<connection>> links;

  explicit network(int n) {
    for (int i = 0; i < n; ++i) peers.push_back(std::make_unique<fake_endpoint>(i + 1));
  }
  void join(std::size_t a, std::size_t b) {
    links.push_back(std::make_unique<connection>(*peers[a], *peers[b]));
  }
  void run() {
    for (bool moved = true; moved;) {
      std::uint64_t before = 0, after = 0;
      for (const auto& l : links) before += l->wire.carried();
      for (const auto& l : links) {
        l->a.wake(0);
        l->b.wake(0);
        l->wire.step(0);
      }
      for (const auto& l : links) after += l->wire.carried();
      moved = before != after;
    }
  }
  [[nodiscard]] std::uint64_t sent() const {
    std::uint64_t n = 0;
    for (const auto& l : links) n += l->a.sent() + l->b.sent();
    return n;
  }
  void check_equal(std::size_t changesets) const {
    for (const auto& p : peers) {
      CHECK(p->log().size() == changesets);
      CHECK(p->content() == peers.front()->content());
    }
    for (const auto& l : links) {
      CHECK(l->a.in_sync());
      CHECK(l->b.in_sync());
    }
  }
};

}  // namespace

TEST_CASE("a star: the hub relays, each changeset crosses each link once") {
  network net{6};
  for (std::size_t i = 1; i < 6; ++i) net.join(0, i);
  net.run();
  for (int round = 0; round < 4; ++round) {
    for (auto& p : net.peers) p->commit();
    net.run();
  }
  net.check_equal(24);
  CHECK(net.sent() == 24 * 5);
}

TEST_CASE("a ring and a mesh: no changeset crosses a link more than once each way") {
  const bool mesh = GENERATE(false, true);
  network net{5};
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = i + 1; j < 5; ++j)
      if (mesh || j == i + 1 || (i == 0 && j == 4)) net.join(i, j);
  for (int round = 0; round < 4; ++round) {
    for (auto& p : net.peers) p->commit();
    net.run();
  }
  net.check_equal(20);
  CHECK(net.sent() <= 20 * 2 * net.links.size());
  const auto before = net.sent();
  net.run();
  CHECK(net.sent() == before);
}

TEST_CASE("a line of replicas that come and go converges") {
  network net{4};
  for (auto& p : net.peers) p->commit();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i + 1 < 4; ++i) {
      connection c{*net.peers[i], *net.peers[i + 1]};
      c.run();
      CHECK(c.a.in_sync());
    }
  }
  net.check_equal(4);
}
