// serve: waits for peers, and stays in sync with them.
#include <ostream>

#include "sport_tracker/network/report.hpp"
#include "sport_tracker/network/station.hpp"

namespace sport_tracker {

int serve(const network_context& c, const serve_options& o) {
  std::optional<station> here;
  hub::callbacks calls;
  calls.on_event = [&](const auto& link, const auto& event) { report(c, link, event); };
  calls.on_closed = [&](const auto& link, const auto& why) {
    report_closed(c, link, why);
    here->link_closed();
  };
  here.emplace(c, joinery::transport::tcp_options{}, std::move(calls));
  const joinery::transport::address where{o.address, o.port};
  const auto port = here->peers().listen(where.text()).value();
  c.out << "listening on " << joinery::transport::address{o.address, port}.text() << std::endl;
  here->open_console();
  here->run();
  return 0;
}

}  // namespace sport_tracker
