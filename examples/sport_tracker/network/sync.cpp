// sync: goes to a peer that serves; once, or to stay.
#include <algorithm>
#include <ostream>
#include <thread>

#include "sport_tracker/network/report.hpp"
#include "sport_tracker/network/station.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;
using joinery::error;
using joinery::sync::event;
using joinery::sync::event_kind;
using joinery::transport::link_info;

constexpr std::chrono::milliseconds first_pause{500};
constexpr std::chrono::milliseconds longest_pause{30'000};
constexpr int most_renewals = 5;

joinery::sync::session_options session_options_of(const sync_options& o) {
  joinery::sync::session_options s;
  s.once = !o.live;
  if (o.pace_ms > 0) s.window = joinery::sync::min_window;
  return s;
}

/// What will be the same however often one asks.
bool is_final(errc code) {
  switch (code) {
    case errc::invalid_argument:
    case errc::unsupported:
    case errc::wrong_space:
    case errc::fork:
    case errc::schema_conflict:
    case errc::diverged:
    case errc::poisoned:
    case errc::read_only: return true;
    default: return false;
  }
}

class visit {
 public:
  visit(const network_context& c, const sync_options& o)
      : c_(c), o_(o), here_(c, {session_options_of(o)}, calls()), pause_(here_.io()) {}

  int run() {
    if (o_.live) here_.open_console();
    here_.peers().connect(o_.where).value();
    here_.run();
    if (failure_) throw joinery::failure(*failure_);
    if (o_.live) return 0;
    if (!certificate_) throw joinery::failure(unfinished());
    c_.out << "received " << count_of(merged_.integrated, "changeset") << " with "
           << count_of(merged_.records, "record") << ", sent " << count_of(sent_, "changeset")
           << "\nin sync, digest " << certificate_->hex() << std::endl;
    return 0;
  }

 private:
  hub::callbacks calls() {
    hub::callbacks calls;
    calls.on_event = [this](const link_info& link, const event& e) { happened(link, e); };
    calls.on_closed = [this](const link_info& link, const std::optional<error>& why) {
      closed(link, why);
    };
    return calls;
  }

  void happened(const link_info& link, const event& e) {
    report(c_, link, e);
    if (const auto* session = here_.peers().session(link.id)) sent_ = session->sent();
    if (e.kind == event_kind::received) {
      merged_ += e.report;
      if (o_.pace_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(o_.pace_ms));
    }
    if (e.kind == event_kind::in_sync) {
      next_pause_ = first_pause;
      certificate_ = e.digest;
      held_ = e.held_here + e.held_there;
    }
  }

  void closed(const link_info& link, const std::optional<error>& why) {
    here_.link_closed();
    if (here_.stopping()) return;
    if (why && why->code == errc::renewed && ++renewals_ <= most_renewals) {
      report_closed(c_, link, why);
      if (const auto again = here_.peers().connect(o_.where); !again) closed({}, again.error());
      return;
    }
    if (!o_.live || (why && is_final(why->code))) {
      failure_ = why;
      return here_.stop();
    }
    report_closed(c_, link, why);
    if (c_.verbose) c_.err << "connecting again in " << next_pause_.count() << " ms" << std::endl;
    pause_.expires_after(next_pause_);
    next_pause_ = std::min(next_pause_ * 2, longest_pause);
    pause_.async_wait([this](boost::system::error_code fault) {
      if (fault || here_.stopping()) return;
      const auto again = here_.peers().connect(o_.where);
      if (!again) closed({}, again.error());
    });
  }

  [[nodiscard]] error unfinished() const {
    if (held_ > 0) {
      return {errc::gap, count_of(held_, "changeset") + " could not be merged yet", o_.where,
              "sync again later, or with the device that they come from"};
    }
    return {errc::closed, "the states were not compared to the end", o_.where, "sync again"};
  }

  const network_context& c_;
  const sync_options& o_;
  station here_;
  boost::asio::steady_timer pause_;
  joinery::ingest_report merged_;
  std::uint64_t sent_ = 0;
  std::uint64_t held_ = 0;
  int renewals_ = 0;  ///< how often one of the two took a new replica id
  std::chrono::milliseconds next_pause_ = first_pause;
  std::optional<joinery::crypto::digest> certificate_;
  std::optional<error> failure_;
};

}  // namespace

int sync(const network_context& c, const sync_options& o) { return visit(c, o).run(); }

}  // namespace sport_tracker
