// address: a host and a port, from text.
//
// Purpose: reads `host:port`, `1.2.3.4:port` and `[::1]:port`.
// Invariants: the host is not empty; whether it exists is the resolver's business.
// Thread-safety: values.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>

#include "joinery/base/result.hpp"

namespace joinery::transport {

struct address {
  std::string host;
  std::uint16_t port = 0;

  [[nodiscard]] std::string text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
};

/// Errors: invalid_argument.
inline result<address> parse_address(std::string_view text) {
  const auto bad = [&](const char* what) {
    return error{errc::invalid_argument, what, std::string{text},
                 "write host:port, or [address]:port for IPv6"};
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("an address without a port");
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2)
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of("[]:") != std::string_view::npos)
    return bad("an IPv6 address stands in brackets");
  if (host.empty()) return bad("an address without a host");
  address a{std::string{host}, 0};
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), a.port);
  if (digits.empty() || fault != std::errc{} || end != digits.data() + digits.size())
    return bad("a port is a number from 0 to 65535");
  return a;
}

}  // namespace joinery::transport
