#include "joinery/transport/tcp.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;
using namespace std::chrono_literals;
using transport::link_info;
using transport::tcp_options;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

using hub = transport::tcp_hub<fake_endpoint>;

/// A hub, its endpoint, and what its callbacks told.
struct node {
  fake_endpoint e;
  int in_sync = 0;
  int accepted = 0;
  std::vector<std::optional<error>> closed{};
  std::optional<hub> h{};

  node(asio::io_context& io, int id, const tcp_options& options = {}) : e(id) {
    hub::callbacks calls;
    calls.on_event = [this](const link_info& from, const sync::event& event) {
      in_sync += event.kind == sync::event_kind::in_sync ? 1 : 0;
      accepted += event.kind == sync::event_kind::greeted && from.accepted ? 1 : 0;
    };
    calls.on_closed = [this](const link_info&, const std::optional<error>& why) {
      closed.push_back(why);
    };
    h.emplace(io, e, options, calls);
  }

  std::string listen(const std::string& on = "127.0.0.1") {
    const auto port = h->listen(on + ":0");
    REQUIRE(port);
    return on + ":" + std::to_string(*port);
  }
  void commit(bytes payload = "x") {
    e.commit(std::move(payload));
    h->notify();
  }
};

template <class P>
bool run_until(asio::io_context& io, P done, std::chrono::milliseconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    io.restart();
    io.run_one_for(10ms);
  }
  return true;
}

tcp_options once() {
  tcp_options o;
  o.session.once = true;
  return o;
}

}  // namespace

TEST_CASE("two replicas sync over TCP, and hang up when they are done") {
  asio::io_context io;
  node a{io, 1, once()}, b{io, 2, once()};
  for (int i = 0; i < 50; ++i) a.e.commit(noise(1000, static_cast<std::uint64_t>(i)));
  a.e.commit(noise(3 << 20));
  b.e.commit();
  const auto where = a.listen();
  REQUIRE(b.h->connect(where));
  REQUIRE(run_until(io, [&] { return a.closed.size() + b.closed.size() == 2; }));
  CHECK_FALSE(a.closed[0]);
  CHECK_FALSE(b.closed[0]);
  CHECK(a.in_sync == 1);
  CHECK(b.in_sync == 1);
  CHECK(a.e.content() == b.e.content());
  CHECK(a.h->links() + b.h->links() == 0);
}

TEST_CASE("live links push, and a hub passes on what one peer brought") {
  asio::io_context io;
  node middle{io, 1}, left{io, 2}, right{io, 3};
  const auto where = middle.listen("[::1]");
  REQUIRE(left.h->connect(where));
  REQUIRE(right.h->connect(where));
  for (int i = 0; i < 5; ++i) {
    left.commit();
    right.commit();
    const auto all = static_cast<std::size_t>(2 * i + 2);
    REQUIRE(
        run_until(io, [&] { return left.e.log().size() == all && right.e.log().size() == all; }));
  }
  CHECK(left.e.content() == right.e.content());
  CHECK(left.e.duplicates + right.e.duplicates == 0);
  left.h->finish();
  REQUIRE(run_until(io, [&] { return left.closed.size() == 1; }));
  CHECK_FALSE(left.closed[0]);
}

TEST_CASE("two peers stay live while a third reads nothing") {
  asio::io_context io;
  node a{io, 1}, b{io, 2};
  const auto where = a.listen();
  const auto port = transport::parse_address(where)->port;
  REQUIRE(b.h->connect(where));

  // The third says a good hello, and then nothing; it reads nothing either.
  fake_endpoint stalled{3};
  fake_session speaker{stalled, {}, 0};
  tcp::socket socket{io};
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  asio::write(socket, asio::buffer(speaker.take_output()));
  REQUIRE(run_until(io, [&] { return a.accepted == 2; }));

  for (int i = 0; i < 100; ++i) a.commit(noise(200'000, static_cast<std::uint64_t>(i)));
  b.commit();
  REQUIRE(run_until(io, [&] { return a.e.log().size() == 101 && b.e.log().size() == 101; }));
  CHECK(a.closed.empty());
  CHECK(a.h->links() == 2);
}

TEST_CASE("a refused connection and a host that is none are told") {
  asio::io_context io;
  node a{io, 1};
  std::uint16_t unused = 0;
  {
    tcp::acceptor probe{io, {asio::ip::make_address("127.0.0.1"), 0}};
    unused = probe.local_endpoint().port();
  }
  const auto where = "127.0.0.1:" + std::to_string(unused);
  REQUIRE(a.h->connect(where));
  REQUIRE(run_until(io, [&] { return a.closed.size() == 1; }));
  REQUIRE(a.closed[0]);
  CHECK(a.closed[0]->code == errc::io);
  CHECK(a.closed[0]->where == where);
  CHECK(a.h->links() == 0);
  CHECK(a.h->connect("no port").error().code == errc::invalid_argument);
}

TEST_CASE("a connection that takes too long is given up") {
  asio::io_context io;
  tcp_options o;
  o.connect_timeout_ms = 50;
  node a{io, 1, o};
  // A queue of one that nobody accepts from fills up; further attempts then hang.
  tcp::acceptor full{io};
  const tcp::endpoint local{asio::ip::make_address("127.0.0.1"), 0};
  full.open(local.protocol());
  full.bind(local);
  full.listen(0);
  const auto port = full.local_endpoint().port();
  for (int i = 0; i < 8; ++i) REQUIRE(a.h->connect("127.0.0.1:" + std::to_string(port)));
  REQUIRE(run_until(io, [&] { return !a.closed.empty(); }));
  REQUIRE(a.closed[0]);
  CHECK(a.closed[0]->code == errc::io);
}

TEST_CASE("a peer killed midway costs nothing but the time: the next connection goes on") {
  asio::io_context io;
  tcp_options o = once();
  o.session.batch = 8 << 10;
  node a{io, 1, o};
  for (int i = 0; i < 2000; ++i) a.e.commit(noise(2000, static_cast<std::uint64_t>(i)));
  const auto where = a.listen();
  node b{io, 2, o};
  for (std::size_t part = 1; part <= 3; ++part) {
    REQUIRE(b.h->connect(where));
    REQUIRE(run_until(io, [&] { return b.e.log().size() > part * 400; }));
    b.h->close();  // as a process that dies: no bye
    REQUIRE(run_until(io, [&] { return a.closed.size() == part; }));
    CHECK(a.closed.back()->code == errc::closed);
  }
  CHECK(b.e.log().size() < 2000);
  REQUIRE(b.h->connect(where));
  REQUIRE(run_until(io, [&] { return b.closed.size() == 1; }));
  CHECK_FALSE(b.closed[0]);
  CHECK(a.e.content() == b.e.content());
  CHECK(b.e.duplicates == 0);
}

TEST_CASE("both ends learn why a session failed, though the connection closes at once") {
  asio::io_context io;
  node a{io, 1}, b{io, 2};
  for (int i = 0; i < 5; ++i) a.e.commit(noise(100'000));
  a.e.floor = 3;
  const auto where = a.listen();
  REQUIRE(b.h->connect(where));
  REQUIRE(run_until(io, [&] { return a.closed.size() + b.closed.size() == 2; }));
  CHECK(a.closed[0]->code == errc::gap);
  CHECK(b.closed[0]->code == errc::gap);
  CHECK(b.closed[0]->what.find("the peer says") == 0);
}

TEST_CASE("no more peers are accepted than may be, and the others wait their turn") {
  asio::io_context io;
  tcp_options o;
  o.max_links = 2;
  node a{io, 1, o};
  const auto where = a.listen();
  node b{io, 2}, c{io, 3}, d{io, 4};
  for (auto* n : {&b, &c, &d}) REQUIRE(n->h->connect(where));
  REQUIRE(run_until(io, [&] { return a.accepted == 2; }));
  run_until(
      io, [] { return false; }, 50ms);
  CHECK(a.accepted == 2);
  b.h->close();
  c.h->close();
  REQUIRE(run_until(io, [&] { return a.accepted == 3; }));
}

TEST_CASE("a hub may be destroyed in the midst of everything") {
  asio::io_context io;
  node a{io, 1};
  for (int i = 0; i < 500; ++i) a.e.commit(noise(5000));
  const auto where = a.listen();
  for (int polls = 0; polls < 60; ++polls) {
    node b{io, 2};
    REQUIRE(b.h->connect(where));
    b.h->notify();
    for (int i = 0; i < polls; ++i) {
      io.restart();
      io.poll_one();
    }
  }
  a.h.reset();
  io.restart();
  io.run_for(100ms);
  CHECK(io.stopped());
}

TEST_CASE("a hub may be closed from its own callbacks") {
  asio::io_context io;
  fake_endpoint e{1}, f{2};
  e.commit();
  std::optional<hub> h;
  hub::callbacks calls;
  int events = 0;
  calls.on_event = [&](const link_info&, const sync::event&) {
    ++events;
    h.reset();
  };
  h.emplace(io, e, tcp_options{}, calls);
  node b{io, 2};
  const auto where = b.listen();
  REQUIRE(h->connect(where));
  REQUIRE(run_until(io, [&] { return !h && b.closed.size() == 1; }));
  CHECK(events == 1);
}

TEST_CASE("what cannot be listened at or connected to is an error at once") {
  asio::io_context io;
  node a{io, 1}, b{io, 2};
  for (const char* none : {"", "127.0.0.1", "127.0.0.1:70000"}) {
    CAPTURE(none);
    const auto port = a.h->listen(none);
    REQUIRE_FALSE(port);
    CHECK(port.error().code == errc::invalid_argument);
    const auto link = a.h->connect(none);
    REQUIRE_FALSE(link);
    CHECK(link.error().code == errc::invalid_argument);
  }
  const auto where = a.listen();
  const auto taken = b.h->listen(where);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == errc::io);
  CHECK(taken.error().where == where);
  b.listen();  // the failure left nothing behind
  CHECK(b.h->links() == 0);
}

TEST_CASE("no more connections are begun than there may be, those under way included") {
  asio::io_context io;
  tcp_options one;
  one.max_links = 1;
  node a{io, 1}, b{io, 2, one};
  const auto where = a.listen();
  const auto first = b.h->connect(where);
  REQUIRE(first);
  CHECK(b.h->session(*first) == nullptr);  // not connected yet
  const auto second = b.h->connect(where);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::flooded);
  REQUIRE(run_until(io, [&] { return b.in_sync > 0; }));
  CHECK(b.h->session(*first) != nullptr);
  CHECK(b.h->session(*first + 1) == nullptr);
  CHECK_FALSE(b.h->connect(where));
}

TEST_CASE("something that is not joinery is turned away") {
  asio::io_context io;
  node a{io, 1};
  const auto where = a.listen();
  tcp::socket socket{io};
  socket.connect({asio::ip::make_address("127.0.0.1"), transport::parse_address(where)->port});
  asio::write(socket, asio::buffer(std::string{"GET / HTTP/1.1\r\n\r\n"}));
  socket.shutdown(tcp::socket::shutdown_send);
  REQUIRE(run_until(io, [&] { return a.closed.size() == 1; }));
  CHECK(a.closed[0]->code == errc::too_large);
}

TEST_CASE("a peer that hears the last word and does not hang up is hung up on") {
  asio::io_context io;
  node a{io, 1};
  const auto where = a.listen();
  tcp::socket socket{io};
  socket.connect({asio::ip::make_address("127.0.0.1"), transport::parse_address(where)->port});
  asio::write(socket, asio::buffer(std::string{"GET / HTTP/1.1\r\n\r\n"}));
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run_until(io, [&] { return a.closed.size() == 1; }));
  CHECK(std::chrono::steady_clock::now() - begin >= 1s);
  CHECK(a.closed[0]->code == errc::too_large);
  CHECK(a.h->links() == 0);
  // It was told why, and then the end.
  char heard[1000];
  std::size_t size = 0;
  boost::system::error_code end;
  while (!end) size += socket.read_some(asio::buffer(heard), end);
  CHECK(size > 0);
  CHECK(end == asio::error::eof);
}

TEST_CASE("a host is found by its name; who is closed meanwhile is told nothing") {
  asio::io_context io;
  node a{io, 1}, b{io, 2, once()};
  const auto where = a.listen();
  a.e.commit();
  const auto named = "localhost" + where.substr(where.rfind(':'));
  REQUIRE(b.h->connect(named));
  CHECK(b.h->links() == 1);
  b.h->close();
  CHECK(b.h->links() == 0);
  run_until(
      io, [] { return false; }, 50ms);
  CHECK(b.closed.empty());
  CHECK(a.accepted == 0);
  REQUIRE(b.h->connect(named));
  REQUIRE(run_until(io, [&] { return b.closed.size() == 1; }));
  CHECK_FALSE(b.closed[0]);
  CHECK(a.e.content() == b.e.content());
}

TEST_CASE("a hub without callbacks syncs all the same, and listens at one address") {
  asio::io_context io;
  fake_endpoint e{1}, f{2};
  e.commit();
  hub a{io, e, {}, {}}, b{io, f, {}, {}};
  const auto port = a.listen("127.0.0.1:0");
  REQUIRE(port);
  const auto again = a.listen("127.0.0.1:0");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == errc::invalid_argument);
  REQUIRE(b.connect("127.0.0.1:" + std::to_string(*port)));
  REQUIRE(run_until(io, [&] { return f.log().size() == 1; }));
  CHECK(e.content() == f.content());
  a.finish();
  REQUIRE(run_until(io, [&] { return a.links() + b.links() == 0; }));
  REQUIRE(b.connect("127.0.0.1:" + std::to_string(*port)));  // nobody listens any more
  REQUIRE(run_until(io, [&] { return b.links() == 0; }));
}

TEST_CASE("when there are no descriptors left peers wait, and come in when there are some again") {
  asio::io_context io;
  node a{io, 1};
  const auto where = a.listen();
  tcp::socket waiting{io};
  waiting.open(tcp::v4());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(waiting.native_handle());
  REQUIRE(next > 0);
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  waiting.connect({asio::ip::make_address("127.0.0.1"), transport::parse_address(where)->port});
  run_until(
      io, [] { return false; }, 50ms);
  const auto links = a.h->links();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(links == 0);
  REQUIRE(run_until(io, [&] { return a.h->links() == 1; }));
  CHECK(a.closed.empty());
}

TEST_CASE("addresses are read as people write them") {
  using transport::parse_address;
  CHECK(parse_address("example.org:80")->host == "example.org");
  CHECK(parse_address("127.0.0.1:65535")->port == 65535);
  CHECK(parse_address("[::1]:7000")->host == "::1");
  CHECK(parse_address("[::1]:7000")->text() == "[::1]:7000");
  for (const auto* bad : {"", "host", ":80", "host:", "host:65536", "host:8o", "::1:80", "[]:80",
                          "host:-1", "[::1]", "[::1:80"})
    CHECK(parse_address(bad).error().code == errc::invalid_argument);
}
