// outbox: frames that wait to be sent.
//
// Purpose: messages go in, bytes come out; data is compressed where that pays, but for changesets,
// which come in their transit form.
// Invariants: holds whole frames only, until they are taken. Its owner keeps it short: see
// session_options::low_water.
// Thread-safety: none; guarded by the session.
#pragma once

#include <utility>

#include "joinery/sync/messages.hpp"

namespace joinery::sync {

class outbox {
 public:
  /// Gives the bytes that the message takes on the wire.
  std::size_t put(message type, bytes_view payload) {
    const bool data =
        type == message::part || type == message::schema || type == message::snapshot_chunk;
    // What a peer of another version must be able to read keeps the frame of all versions.
    const bool plain = type == message::hello || type == message::heads ||
                       type == message::schema || type == message::error;
    ++messages_;
    const auto append = plain ? codec::append_frame : codec::append_short_frame;
    return append(pending_, static_cast<std::uint8_t>(type), payload, data ? &squeeze_ : nullptr);
  }
  void put(message type) { put(type, encode_empty()); }

  [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }
  [[nodiscard]] bool empty() const noexcept { return pending_.empty(); }
  /// How many messages were ever put.
  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }
  bytes take() { return std::exchange(pending_, {}); }
  void clear() { pending_.clear(); }

 private:
  bytes pending_;
  codec::compressor squeeze_;
  std::uint64_t messages_ = 0;
};

}  // namespace joinery::sync
