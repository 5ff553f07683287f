// snapshot_in: takes a snapshot from a peer.
//
// Purpose: asks for what is offered, as soon as no other session is receiving one, puts chunks
// together, and sends the changesets that follow them to the same place.
// Invariants: nothing is taken that was not asked for; at most one unfinished chunk is held.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/sync/greeting.hpp"
#include "joinery/sync/incoming.hpp"
#include "joinery/sync/snapshot_out.hpp"

namespace joinery::sync {

template <endpoint E>
class snapshot_in {
 public:
  [[nodiscard]] bool active() const noexcept { return state_ != stage::idle; }
  /// Whether changesets belong to the snapshot.
  [[nodiscard]] bool receiving() const noexcept { return state_ == stage::receiving; }
  /// Whether it waits for another session to be done.
  [[nodiscard]] bool waiting() const noexcept { return state_ == stage::offered; }
  [[nodiscard]] bool assembling() const noexcept { return chunk_.busy(); }

  /// The peer has begun for the `round`th time: what it offered before is void.
  void follow(std::uint64_t round) {
    if (std::exchange(round_, round) == round) return;
    state_ = stage::idle;
    chunk_.forget();
  }

  /// Errors: protocol.
  result<> offered(E& e) {
    if (!bootstrapping<E> || active()) return out_of_place(message::snapshot_offer, "now");
    if constexpr (bootstrapping<E>) joins_ = e.joins();
    state_ = stage::offered;
    return {};
  }

  /// Whether one was offered, and not asked for yet.
  [[nodiscard]] bool pending() const noexcept { return state_ == stage::offered; }
  /// Asks for it, if it can be taken now. Errors: gap (another session brought one meanwhile: the
  /// offer is void); those of the endpoint.
  result<> ask(E& e, outbox& out) {
    if constexpr (bootstrapping<E>) {
      if (state_ != stage::offered) return {};
      auto request = e.request_snapshot(session_);
      if (!request) return request.error();
      if (!*request) return {};
      if (joins_ != e.joins())
        return error{errc::gap, "a snapshot came from another peer meanwhile", "",
                     "connect again: it goes on from there"};
      for (std::size_t at = 0; at < (*request)->size(); at += piece)
        out.put(message::snapshot_request,
                encode(part{(*request)->size(), at, bytes_view{**request}.substr(at, piece)}));
      state_ = stage::receiving;
    }
    return {};
  }

  /// Takes a piece of a chunk. Gives the heads that came with the snapshot once it is joined.
  /// Errors: protocol, too_large; those of the endpoint.
  result<std::optional<std::vector<history::head>>> take(E& e, bytes_view payload) {
    using heads = std::optional<std::vector<history::head>>;
    const auto next = read_part(payload);
    if (!next) return unreadable("snapshot_chunk");
    if (!receiving()) return out_of_place(message::snapshot_chunk, "that was not asked for");
    if constexpr (bootstrapping<E>) {
      const auto whole = chunk_.add(*next);
      if (!whole) return whole.error();
      if (!*whole) return heads{};
      auto joined = e.take_chunk(**whole, session_);
      if (joined && *joined) state_ = stage::idle;
      return joined;
    }
    return heads{};
  }

  /// The session is over.
  void release() { session_.reset(); }

  result<> take_tail(E& e, std::span<const bytes_view> changesets) {
    if constexpr (bootstrapping<E>) return e.take_tail(changesets, session_);
    return {};
  }

 private:
  enum class stage { idle, offered, receiving };
  static constexpr std::size_t piece = 32u << 10;  // every peer takes frames of this size

  stage state_ = stage::idle;
  std::uint64_t joins_ = 0;
  std::uint64_t round_ = 0;
  std::shared_ptr<const void> session_ = std::make_shared<char>();
  assembler chunk_{"a chunk of a snapshot", max_snapshot_chunk};
};

}  // namespace joinery::sync
