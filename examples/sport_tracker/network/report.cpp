#include "sport_tracker/network/report.hpp"

#include <ostream>

#include "sport_tracker/text.hpp"

namespace sport_tracker {

std::string count_of(std::uint64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

void report(const network_context& c, const joinery::transport::link_info& link,
            const joinery::sync::event& event) {
  if (!c.verbose) return;
  using joinery::sync::event_kind;
  const auto peer = "peer " + short_key(event.peer.hex());
  switch (event.kind) {
    case event_kind::greeted:
      c.err << peer << " at " << link.address << ": connected" << std::endl;
      break;
    case event_kind::received:
      c.err << peer << ": received " << count_of(event.report.integrated, "changeset") << " with "
            << count_of(event.report.records, "record");
      if (event.report.held > 0) c.err << ", " << event.report.held << " held";
      c.err << std::endl;
      break;
    case event_kind::in_sync:
      c.err << peer << (event.forked > 0 ? ": in sync but for forks" : ": in sync");
      if (event.digest) c.err << ", digest " << event.digest->hex();
      c.err << std::endl;
      break;
    case event_kind::paused:
      c.err << peer << ": paused: " << printable(event.failure->text()) << std::endl;
      break;
    case event_kind::finished: c.err << peer << ": said bye" << std::endl; break;
    case event_kind::failed: break;  // told when the link is closed
  }
}

void report_closed(const network_context& c, const joinery::transport::link_info& link,
                   const std::optional<joinery::error>& why) {
  if (!why) return;
  // That a peer went away is no fault of ours.
  if (why->code == joinery::errc::closed && !c.verbose) return;
  const bool fault = why->code != joinery::errc::renewed;
  c.err << (fault ? "error: " : "note: ") << link.address << ": " << printable(why->text())
        << std::endl;
}

}  // namespace sport_tracker
