// heads_comparison: what the peer has, learnt without being told all of it.
//
// Purpose: two replicas that know thousands of others differ in a few of them. They compare digests
// of ranges of origins, split those that differ, and list the heads of what is left (range-based
// set reconciliation: Meyer 2023).
// Invariants: both sides go on in rounds, with the same open ranges in the same order, which follow
// from what each told the other; in a round a range is listed when neither side has more than a few
// heads in it, and split otherwise. What is alike is not told: the peer's heads are our own there.
// Whatever the peer says, no more than the heads that it claims to have are looked for.
// Thread-safety: none; belongs to one session.
#pragma once

#include <algorithm>
#include <span>

#include "joinery/sync/messages.hpp"

namespace joinery::sync {

class heads_comparison {
 public:
  /// `ours`: each origin once. `theirs`: how many the peer has.
  heads_comparison(std::vector<history::head> ours, std::uint64_t theirs) : ours_(std::move(ours)) {
    std::sort(ours_.begin(), ours_.end(),
              [](const auto& a, const auto& b) { return a.origin < b.origin; });
    open_.push_back({{}, 0, theirs, false});
  }

  /// BLAKE2b-256 over (origin ‖ seq as 8 bytes big-endian ‖ chain) of heads that ascend by origin.
  static crypto::digest digest_of(std::span<const history::head> heads) {
    crypto::hasher h;
    bytes one;
    for (const auto& head : heads) {
      one.assign(head.origin.view());
      byte_writer{one}.fixed64(head.seq);
      one += head.chain.view();
      h.add(one);
    }
    return h.finish();
  }
  [[nodiscard]] crypto::digest digest() const { return digest_of(ours_); }
  /// The peer has the same digest: all is alike.
  void all_alike() {
    theirs_ = ours_;
    open_.clear();
  }

  /// What we say in this round, in messages of at most about `limit` bytes.
  [[nodiscard]] std::vector<bytes> round(std::size_t limit = 32u << 10) const {
    std::vector<bytes> out;
    for (std::size_t from = 0, to = 0; from < open_.size(); from = to) {
      bytes body;
      codec::pack_writer w{body};
      for (to = from; to < open_.size() && body.size() < limit; ++to) write(w, open_[to]);
      bytes message;
      codec::pack_writer head{message};
      head.array(to - from);
      out.push_back(std::move(message += body));
    }
    return out;
  }

  /// Takes one of the peer's messages; nothing when it cannot be what follows. True when the round
  /// is over: the next one is to be said, unless `done`.
  [[nodiscard]] std::optional<bool> take(bytes_view payload) {
    codec::pack_reader in{payload};
    const auto n = in.array();
    if (n == 0 || n > open_.size() - answered_) return std::nullopt;
    for (std::size_t i = 0; i < n && in.ok(); ++i) read(in, open_[answered_ + i]);
    if (!in.finished()) return std::nullopt;
    answered_ += n;
    if (answered_ < open_.size()) return false;
    open_ = std::exchange(next_, {});
    answered_ = 0;
    return true;
  }
  [[nodiscard]] bool done() const noexcept { return open_.empty(); }
  /// The peer's heads, once it is done.
  [[nodiscard]] std::vector<history::head> theirs() && { return std::move(theirs_); }

 private:
  // The origins that begin with the first `bits` bits of `from`.
  struct range {
    replica_id from;
    unsigned bits = 0;
    std::uint64_t theirs = 0;  // how many the peer says that it has in it
    bool listed = false;
  };
  static constexpr unsigned first_split = 6, split = 4;  // bits: into 64, then 16
  static constexpr std::size_t most_listed = 16;
  static constexpr unsigned id_bits = 128;

  static unsigned split_of(const range& r) { return r.bits == 0 ? first_split : split; }
  static range child(const range& r, unsigned n) {
    auto raw = bytes{r.from.view()};
    const auto width = split_of(r);
    for (unsigned b = 0; b < width; ++b) {
      const auto at = r.bits + b;
      if ((n >> (width - 1 - b) & 1) != 0)
        raw[at / 8] = static_cast<char>(static_cast<unsigned char>(raw[at / 8]) | 0x80u >> at % 8);
    }
    return {*replica_id::from_bytes(raw), r.bits + width, 0, false};
  }
  static bool covers(const range& r, const replica_id& id) {
    const auto a = r.from.view(), b = id.view();
    const auto whole = r.bits / 8;
    if (a.substr(0, whole) != b.substr(0, whole)) return false;
    if (r.bits % 8 == 0) return true;
    const auto differ = static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole]);
    return differ >> (8 - r.bits % 8) == 0;
  }
  [[nodiscard]] std::span<const history::head> within(const range& r) const {
    const auto from = std::lower_bound(ours_.begin(), ours_.end(), r.from,
                                       [](const auto& h, const auto& id) { return h.origin < id; });
    const auto to =
        std::find_if_not(from, ours_.end(), [&](const auto& h) { return covers(r, h.origin); });
    return {from, to};
  }

  void write(codec::pack_writer& w, const range& r) const {
    if (r.listed) return detail::write_heads(w, within(r));
    w.array(2u << split_of(r));
    for (unsigned n = 0; n < 1u << split_of(r); ++n) {
      const auto heads = within(child(r, n));
      w.u64(heads.size());
      w.binary(heads.empty() ? bytes_view{} : digest_of(heads).view().substr(0, digest_bytes));
    }
  }

  void read(codec::pack_reader& in, const range& r) {
    if (r.listed) {
      const auto heads = detail::read_heads(in);
      const replica_id* last = nullptr;
      for (const auto& h : heads) {
        if (!covers(r, h.origin) || (last != nullptr && h.origin <= *last)) return in.fail();
        last = &h.origin;
      }
      if (heads.size() != r.theirs) return in.fail();
      theirs_.insert(theirs_.end(), heads.begin(), heads.end());
      return;
    }
    in.array_of(2u << split_of(r));
    auto left = r.theirs;
    for (unsigned n = 0; n < 1u << split_of(r) && in.ok(); ++n) {
      const auto count = in.u64_up_to(left);
      left -= count;
      const auto digest = in.binary();
      if (digest.size() != (count == 0 ? 0 : digest_bytes)) return in.fail();
      auto c = child(r, n);
      c.theirs = count;
      const auto heads = within(c);
      const bool alike = count == heads.size() &&
                         (count == 0 || digest_of(heads).view().substr(0, digest_bytes) == digest);
      if (alike) {
        theirs_.insert(theirs_.end(), heads.begin(), heads.end());
        continue;
      }
      c.listed = std::max<std::size_t>(count, heads.size()) <= most_listed;
      if (!c.listed && c.bits + split > id_bits) return in.fail();  // nobody has so many there
      next_.push_back(c);
    }
    if (left > 0) in.fail();
  }

  static constexpr std::size_t digest_bytes = 16;

  std::vector<history::head> ours_;
  std::vector<history::head> theirs_;
  std::vector<range> open_;  // of this round
  std::vector<range> next_;
  std::size_t answered_ = 0;  // of the open ones
};

}  // namespace joinery::sync
