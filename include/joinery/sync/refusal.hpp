// refusal: an error as one session tells it to the other.
//
// Purpose: both ends of a broken session end with the same kind of error, and each knows who found
// it.
// Invariants: what a peer says is cut to a bounded length and shown without control characters.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/result.hpp"
#include "joinery/codec/pack.hpp"

namespace joinery::sync {

inline constexpr std::size_t max_refusal_text = 500;

/// MessagePack [code, what, where, advice].
inline bytes encode(const error& e) {
  bytes out;
  codec::pack_writer w{out};
  w.array(4);
  w.u64(static_cast<std::uint64_t>(e.code));
  for (const auto* text : {&e.what, &e.where, &e.advice})
    w.text(std::string_view{*text}.substr(0, max_refusal_text));
  return out;
}

/// The peer's error, marked as such; one of `protocol` when it cannot be read or its code is
/// unknown here.
inline error read_refusal(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(4);
  const auto number = in.u64_up_to(0xFFFF);
  const auto text = [&in] {
    std::string out{in.text().substr(0, max_refusal_text)};
    for (auto& c : out)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    return out;
  };
  error e{static_cast<errc>(number), "the peer says: " + text(), text(), text()};
  if (!in.finished())
    return {errc::protocol, "the peer failed, and its reason is unreadable", "", ""};
  if (name_of(e.code) == "unknown") e.code = errc::protocol;
  return e;
}

}  // namespace joinery::sync
