// tcp_hub: any number of sessions of one endpoint over TCP.
//
// Purpose: listens and connects on the caller's io_context, keeps a link for each peer, and passes
// on to the others what one of them brought in.
// Invariants: no threads of its own; callbacks come from `io_context::run`, never from within a
// call of the hub's, and may call the hub. At most `max_links` connections; more wait in the
// system's queue.
// Thread-safety: none; use it, and its endpoint, from the io_context's one thread. The endpoint
// must outlive the hub, and the hub must be gone before the io_context is.
#pragma once

#include <map>

#include "joinery/transport/detail/tcp_dial.hpp"
#include "joinery/transport/tcp_link.hpp"

namespace joinery::transport {

struct tcp_options {
  sync::session_options session{};
  std::size_t max_links = 256;
  std::uint64_t connect_timeout_ms = 10'000;  ///< for resolving and connecting together
};

template <sync::endpoint E>
class tcp_hub {
 public:
  using link = tcp_link<E>;
  using callbacks = typename link::callbacks;

  tcp_hub(detail::asio::io_context& io, E& e, tcp_options options, callbacks calls)
      : io_(io), endpoint_(e), acceptor_(io), pause_(io) {
    self_->options = options;
    self_->calls = std::move(calls);
    self_->hub = this;
  }
  tcp_hub(const tcp_hub&) = delete;
  tcp_hub& operator=(const tcp_hub&) = delete;
  ~tcp_hub() {
    self_->hub = nullptr;
    close();
  }

  /// Waits for peers at `where`, such as "127.0.0.1:0" or "[::]:7000". Gives the port. Errors:
  /// invalid_argument, io.
  result<std::uint16_t> listen(std::string_view where) {
    const auto at = parse_address(where);
    if (!at) return at.error();
    detail::error_code ec;
    const auto numeric = detail::asio::ip::make_address(at->host, ec);
    if (ec)
      return error{errc::invalid_argument, "listening needs an address in numbers",
                   std::string{where}, "for example 127.0.0.1:7000 or [::]:7000"};
    const detail::tcp::endpoint local{numeric, at->port};
    if (acceptor_.is_open())
      return error{errc::invalid_argument, "this hub listens already", std::string{where}, ""};
    acceptor_.open(local.protocol(), ec);
    if (!ec) acceptor_.set_option(detail::tcp::acceptor::reuse_address{true}, ec);
    if (!ec) acceptor_.bind(local, ec);
    if (!ec) acceptor_.listen(detail::tcp::acceptor::max_listen_connections, ec);
    if (ec) {
      detail::error_code ignored;
      acceptor_.close(ignored);
      return detail::io_error("listening", std::string{where}, ec);
    }
    accept();
    return acceptor_.local_endpoint(ec).port();
  }

  /// Connects to `where`, such as "example.org:7000". Gives the link's id; what becomes of it is
  /// told by the callbacks. Errors: invalid_argument, flooded (too many links).
  result<std::uint64_t> connect(std::string_view where) {
    return connect(where, self_->options.session);
  }
  result<std::uint64_t> connect(std::string_view where, const sync::session_options& options) {
    const auto to = parse_address(where);
    if (!to) return to.error();
    if (links() >= self_->options.max_links)
      return error{errc::flooded, "too many connections", std::string{where},
                   "see tcp_options::max_links"};
    const link_info info{++last_id_, to->text(), false, {}};
    auto done = [self = self_, info, options](result<detail::tcp::socket> socket) {
      if (self->hub == nullptr) return;
      self->hub->dials_.erase(info.id);
      if (socket) return self->hub->add(std::move(*socket), info, options);
      self->hub->accept();
      if (self->calls.on_closed) self->calls.on_closed(info, socket.error());
    };
    auto dial = std::make_shared<detail::tcp_dial>(io_, *to, std::move(done));
    dials_.emplace(info.id, dial);
    dial->start(self_->options.connect_timeout_ms);
    return info.id;
  }

  /// The endpoint has something new for the peers. Cheap; call it after each commit.
  void notify() {
    if (std::exchange(self_->notified, true)) return;
    detail::asio::post(io_, [self = self_] {
      self->notified = false;
      if (self->hub != nullptr) self->hub->each([](link& l) { l.wake(); });
    });
  }

  /// Accepts nobody any more, and says bye to all.
  void finish() {
    stop_accepting();
    detail::asio::post(io_, [self = self_] {
      if (self->hub != nullptr) self->hub->each([](link& l) { l.finish(); });
    });
  }

  /// Ends everything at once, without callbacks.
  void close() {
    stop_accepting();
    for (const auto& [id, dial] : std::exchange(dials_, {})) dial->cancel();
    for (const auto& [id, l] : std::exchange(links_, {})) l->close();
  }

  /// How many connections there are, those under way included.
  [[nodiscard]] std::size_t links() const noexcept { return links_.size() + dials_.size(); }
  /// The session of a link; null when it is not connected.
  [[nodiscard]] const sync::session<E>* session(std::uint64_t id) const {
    const auto at = links_.find(id);
    return at == links_.end() ? nullptr : &at->second->session();
  }

 private:
  /// What handlers that may outlive the hub hold on to.
  struct shared {
    tcp_hub* hub = nullptr;
    tcp_options options;
    callbacks calls;
    bool notified = false;
  };

  /// After an accept that failed, for want of descriptors perhaps.
  static constexpr std::chrono::milliseconds accept_pause{100};

  void accept() {
    if (accepting_ || !acceptor_.is_open() || links() >= self_->options.max_links) return;
    accepting_ = true;
    acceptor_.async_accept([self = self_](const detail::error_code& ec, detail::tcp::socket s) {
      if (self->hub != nullptr) self->hub->accepted(ec, std::move(s));
    });
  }

  void accepted(const detail::error_code& ec, detail::tcp::socket socket) {
    accepting_ = false;
    if (ec == detail::asio::error::operation_aborted) return;
    if (ec) {
      pause_.expires_after(accept_pause);
      pause_.async_wait([self = self_](const detail::error_code& e) {
        if (!e && self->hub != nullptr) self->hub->accept();
      });
      return;
    }
    detail::error_code gone;
    const auto peer = socket.remote_endpoint(gone);
    if (!gone)
      add(std::move(socket),
          {++last_id_, address{peer.address().to_string(), peer.port()}.text(), true, {}},
          self_->options.session);
    accept();
  }

  void add(detail::tcp::socket socket, link_info info, const sync::session_options& options) {
    callbacks calls;
    calls.on_event = [self = self_](const link_info& from, const sync::event& e) {
      if (self->hub == nullptr) return;
      if (e.kind == sync::event_kind::received && e.report.integrated > 0) self->hub->notify();
      if (self->calls.on_event) self->calls.on_event(from, e);
    };
    calls.on_closed = [self = self_](const link_info& from, const std::optional<error>& why) {
      if (self->hub == nullptr) return;
      self->hub->links_.erase(from.id);
      self->hub->accept();
      if (self->calls.on_closed) self->calls.on_closed(from, why);
    };
    const auto id = info.id;
    auto l = std::make_shared<link>(std::move(socket), endpoint_, options, std::move(info),
                                    std::move(calls));
    links_.emplace(id, l);
    l->start();
  }

  /// Calls `f` for every link, whatever it does to them.
  template <class F>
  void each(F f) {
    std::vector<std::shared_ptr<link>> all;
    for (const auto& [id, l] : links_) all.push_back(l);
    for (const auto& l : all) f(*l);
  }

  void stop_accepting() {
    detail::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

  detail::asio::io_context& io_;
  E& endpoint_;
  detail::tcp::acceptor acceptor_;
  detail::asio::steady_timer pause_;
  std::shared_ptr<shared> self_ = std::make_shared<shared>();
  std::map<std::uint64_t, std::shared_ptr<detail::tcp_dial>> dials_;
  std::map<std::uint64_t, std::shared_ptr<link>> links_;
  std::uint64_t last_id_ = 0;
  bool accepting_ = false;
};

}  // namespace joinery::transport
