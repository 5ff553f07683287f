// snapshot_out: serves a snapshot to a peer that the log cannot serve.
//
// Purpose: offers it, waits for what the peer asks for, sends the chunks under its credit, then has
// the log's tail sent, and says when all is there.
// Invariants: holds one chunk at a time; when the endpoint itself joins a snapshot meanwhile, all
// begins anew.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/replica/snapshot_chunk.hpp"
#include "joinery/sync/incoming.hpp"
#include "joinery/sync/outgoing.hpp"

namespace joinery::sync {

/// The largest chunk that is taken: one record may fill it.
inline constexpr std::size_t max_snapshot_chunk = 256u << 20;

template <endpoint E>
class snapshot_out {
 public:
  /// Nothing, for an endpoint that serves none.
  [[nodiscard]] bool active() const noexcept { return false; }
  void begin(const outgoing<E>&) {}
  void release() {}
  result<> asked(E&, bytes_view, const outgoing<E>&) {
    return error{errc::protocol, "a request for a snapshot", "", ""};
  }
  result<bool> send(E&, outgoing<E>&, outbox&) { return false; }
};

template <endpoint E>
  requires bootstrapping<E>
class snapshot_out<E> {
 public:
  /// From the offer on until the end.
  [[nodiscard]] bool active() const noexcept { return step_ != step::none; }
  /// The log's cursor begins, or begins again.
  void begin(const outgoing<E>& log) {
    serving_.reset();
    request_.forget();
    chunk_.clear();
    offset_ = 0;
    step_ = log.behind() ? step::offer : step::none;
  }
  /// The session is over.
  void release() { serving_.reset(); }

  /// A piece of the peer's request came in. Errors: protocol, too_large, malformed; those of the
  /// endpoint.
  result<> asked(E& e, bytes_view payload, const outgoing<E>& log) {
    const auto piece = read_part(payload);
    if (!piece || step_ != step::offered)
      return error{errc::protocol, "a request for a snapshot that was not offered", "",
                   "the peer is at fault"};
    const auto whole = request_.add(*piece);
    if (!whole) return whole.error();
    if (!*whole) return {};
    auto serving = e.serve_snapshot(**whole, log.frame_bytes());
    if (!serving) return serving.error();
    serving_.emplace(std::move(*serving));
    step_ = step::chunks;
    return {};
  }

  /// Puts one frame. False when there is nothing to send now. Errors: those of the endpoint.
  result<bool> send(E& e, outgoing<E>& log, outbox& out) {
    if (log.withholds())
      return error{errc::gap,
                   "the peer lacks what this log no longer holds, and has another branch", "",
                   "a snapshot would mix the two: sync it with a replica that has its branch"};
    if (step_ == step::offer) {
      out.put(message::snapshot_offer);
      step_ = step::offered;
      return true;
    }
    if (step_ == step::tail && !log.within_changeset() && e.outdated(*serving_))
      step_ = step::chunks;
    if (step_ == step::tail) {
      if (!log.at_end(e)) return log.send(e, out);
      chunk_ = joinery::detail::chunk_of(joinery::detail::chunk_kind::end);
      step_ = step::end;
    }
    if (step_ != step::chunks && step_ != step::end) return false;
    if (chunk_.empty() && step_ == step::chunks) {
      auto next = e.next_chunk(*serving_, log.frame_bytes());
      if (!next) return next.error();
      if (!*next) {
        step_ = step::tail;
        log.tail(e.base_of(*serving_), serving_->tail_from());
        return send(e, log, out);
      }
      chunk_ = std::move(**next);
      if (chunk_.size() > max_snapshot_chunk)
        return error{errc::too_large, "a record of " + std::to_string(chunk_.size()) + " bytes", "",
                     "a snapshot sends records of at most " + std::to_string(max_snapshot_chunk)};
    }
    return send_piece(e, log, out);
  }

 private:
  enum class step { none, offer, offered, chunks, tail, end };
  static constexpr std::size_t max_request = 16u << 20;

  result<bool> send_piece(E& e, outgoing<E>& log, outbox& out) {
    const auto n = log.piece_of(chunk_.size() - offset_);
    if (n == 0) return false;
    const auto piece = bytes_view{chunk_}.substr(offset_, n);
    log.spend(out.put(message::snapshot_chunk, encode(part{chunk_.size(), offset_, piece})));
    offset_ += n;
    if (offset_ < chunk_.size()) return true;
    chunk_.clear();
    offset_ = 0;
    if (step_ != step::end) return true;
    step_ = step::none;
    serving_.reset();
    log.tail_over(e);
    return true;
  }

  using serving_type =
      typename decltype(std::declval<E&>().serve_snapshot(bytes_view{}, std::size_t{}))::value_type;

  step step_ = step::none;
  std::optional<serving_type> serving_;
  assembler request_{"a request for a snapshot", max_request};
  bytes chunk_;
  std::size_t offset_ = 0;
};

}  // namespace joinery::sync
