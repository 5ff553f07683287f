// refetch: asks the peer for what was found damaged here, and gives what it asks for.
//
// Purpose: a session mends a store on the way. A changeset is named by its dot, and its chain
// proves the answer; a record is named by table and key, and comes with the version at which it was
// read. docs/format-session.md.
// Invariants: one question at a time each way, so that answers need no credit; an answer is no
// larger than a changeset. What was asked in vain is not asked again in this session.
// Thread-safety: none; guarded by the session.
#pragma once

#include <set>

#include "joinery/replica/wanted.hpp"
#include "joinery/sync/endpoint.hpp"
#include "joinery/sync/outbox.hpp"

namespace joinery::sync {

/// An endpoint that can mend itself.
template <class E>
concept mendable = requires(E& e, const wanted& what, bytes_view data) {
  { e.damage_seen() } -> std::same_as<std::uint64_t>;
  { e.list_wanted() } -> std::same_as<result<std::vector<wanted>>>;
  { e.give(what) } -> std::same_as<result<std::optional<bytes>>>;
  { e.take_back(what, data) } -> std::same_as<result<bool>>;
};

/// `[origin, seq]` of a changeset, `[table, key]` of a record.
inline bytes encode_refetch(const wanted& what) {
  bytes out;
  codec::pack_writer w{out};
  w.array(2);
  if (what.is_record()) {
    w.text(what.table);
    w.binary(what.key);
  } else {
    w.binary(what.origin.view());
    w.u64(what.seq);
  }
  return out;
}
inline std::optional<wanted> read_refetch(bytes_view payload) {
  wanted what;
  {
    codec::pack_reader in{payload};
    in.array_of(2);
    const auto origin = replica_id::from_bytes(in.binary());
    what.seq = in.u64_up_to(codec::max_seq);
    if (in.finished() && origin && !origin->is_none() && what.seq > 0) {
      what.origin = *origin;
      return what;
    }
  }
  codec::pack_reader in{payload};
  in.array_of(2);
  what.seq = 0;
  what.table = std::string{in.text()};
  what.key = bytes{in.binary()};
  const bool sized = !what.table.empty() && what.table.size() <= codec::max_name &&
                     !what.key.empty() && what.key.size() <= codec::max_key;
  if (!in.finished() || !sized) return std::nullopt;
  return what;
}

/// A piece of an answer; the only piece of an empty one says that it is not there.
inline std::optional<part> read_refetched(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(3);
  part m;
  m.total = in.u64_up_to(codec::max_changeset);
  m.offset = in.u64();
  m.data = in.binary();
  if (!in.finished() || m.data.empty() != (m.total == 0)) return std::nullopt;
  return m;
}

template <endpoint E>
class refetch {
 public:
  explicit refetch(const session_options& options) : options_(options) {}
  /// What frames the peer takes.
  void begin(std::uint64_t max_frame) {
    piece_ = static_cast<std::size_t>(
                 std::min<std::uint64_t>({max_frame, options_.batch, codec::max_frame_body})) -
             slack;
  }

  /// The peer asks. Errors: protocol, malformed.
  result<> asked(bytes_view payload) {
    const auto what = read_refetch(payload);
    if (!what) return error{errc::malformed, "a question that cannot be read", "", ""};
    if (question_)
      return error{errc::protocol, "a second question before the first was answered", "",
                   "the peer is at fault"};
    question_ = *what;
    return {};
  }

  /// The peer answers. Errors: protocol, malformed; those of the endpoint.
  result<> answered(E& e, bytes_view payload) {
    const auto m = read_refetched(payload);
    if (!m || !open_ || m->offset != buffer_.size() || m->data.size() > m->total - m->offset)
      return error{errc::protocol, "an answer to no question", "", "the peer is at fault"};
    buffer_.append(m->data);
    if (buffer_.size() < m->total) return {};
    const auto what = *std::exchange(open_, std::nullopt);
    const auto data = std::exchange(buffer_, {});
    if constexpr (mendable<E>) {
      if (data.empty()) return {};
      auto mended = e.take_back(what, data);
      if (!mended) return mended.error();
      if (*mended) ++mended_;
    }
    return {};
  }

  /// Asks and answers what is due. `all_sent`: the peer was sent all that is here, so that it knows
  /// as much as a record that is read now. Errors: those of the endpoint.
  result<> produce(E& e, bool all_sent, outbox& out) {
    if (auto told = answer(e, all_sent, out); !told) return told;
    return ask(e, out);
  }

  /// Whether something is still to come or to go.
  [[nodiscard]] bool busy() const noexcept { return open_ || question_ || !answer_.empty(); }
  [[nodiscard]] std::uint64_t mended() const noexcept { return mended_; }

 private:
  static constexpr std::size_t slack = 64;
  static constexpr std::size_t most_asked = 32'768;

  result<> ask(E& e, outbox& out) {
    if constexpr (mendable<E>) {
      if (open_ || looked_at_ == e.damage_seen()) return {};
      const auto list = e.list_wanted();
      if (!list) return list.error();
      for (const auto& what : *list) {
        if (asked_.size() >= most_asked || !asked_.insert(what).second) continue;
        open_ = what;
        out.put(message::refetch, encode_refetch(what));
        return {};
      }
      looked_at_ = e.damage_seen();
    }
    return {};
  }

  result<> answer(E& e, bool all_sent, outbox& out) {
    if (question_ && (all_sent || !question_->is_record())) {
      const auto what = *std::exchange(question_, std::nullopt);
      if constexpr (mendable<E>) {
        auto given = e.give(what);
        if (!given) return given.error();
        if (*given && (*given)->size() <= codec::max_changeset) answer_ = std::move(**given);
      }
      sent_ = 0;
      if (answer_.empty()) put_piece({}, out);
    }
    while (!answer_.empty() && out.size() < options_.low_water) {
      const auto chunk = bytes_view{answer_}.substr(sent_, piece_);
      put_piece(chunk, out);
      sent_ += chunk.size();
      if (sent_ == answer_.size()) answer_.clear();
    }
    return {};
  }
  void put_piece(bytes_view data, outbox& out) {
    out.put(message::refetched, encode(part{answer_.size(), sent_, data}));
  }

  const session_options& options_;
  std::size_t piece_ = min_frame_limit - slack;
  std::optional<wanted> question_;  ///< of the peer, not answered
  bytes answer_;                    ///< that is being sent
  std::size_t sent_ = 0;
  std::optional<wanted> open_;  ///< our question
  bytes buffer_;                ///< what has come of its answer
  std::set<wanted> asked_;
  std::uint64_t looked_at_ = 0;
  std::uint64_t mended_ = 0;
};

}  // namespace joinery::sync
