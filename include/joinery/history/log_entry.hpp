// log_entry: changesets at consecutive positions of the log, as one stored value.
//
// Purpose: what is written together stands together: as it is, or packed by the transit coder,
// which names a record or a field once for all changesets of the entry. Every entry can be read by
// itself, but for the keys of records that go by number (record_numbers.hpp). Format:
// docs/format.md.
// Invariants: an entry gives back exactly the bytes that were put in. A packed entry is a row of
// frames of about `frame_bytes` each, which are unpacked one after the other: reading takes memory
// for one, and for what the coder remembers of those before it.
// Thread-safety: none.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "joinery/base/result.hpp"
#include "joinery/codec/transit/decoder.hpp"
#include "joinery/codec/transit/encoder.hpp"

namespace joinery::history {

enum class entry_form : std::uint8_t {
  plain,
  packed,
  numbered,  ///< packed, records go by their numbers, and a checksum tells that they were the same
};
inline constexpr auto last_entry_form = entry_form::numbered;

/// Changesets of one entry, at most.
inline constexpr std::uint64_t most_in_entry = 1u << 16;
/// Bytes of changesets in one frame, but for the last of them.
inline constexpr std::size_t frame_bytes = 64u << 10;
/// What entries remember of records and origins, as for the transit form.
inline constexpr std::uint64_t entry_memory = 32u << 20;

inline error unreadable_entry() {
  return {errc::malformed, "an entry of the log that cannot be read", "log", "restore the store"};
}

/// Packs changesets, one after the other.
class entry_packer {
 public:
  /// Whether records may go by number.
  explicit entry_packer(bool by_number = false) : by_number_(by_number) {}

  void add(bytes_view changeset, codec::transit::record_numbers numbers = {}) {
    encoder_.add(changeset, numbers);
    if (by_number_) sum_ = codec::checksum(changeset, sum_);
    ++count_;
    size_ += changeset.size();
    if (size_ - framed_ >= frame_bytes) end_frame();
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// Bytes of the changesets.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// The entry's content. Precondition: `count() > 0`. Ends this.
  bytes finish() {
    if (encoder_.count() > 0) end_frame(true);
    bytes out;
    out.reserve(frames_.size() + 8);
    byte_writer w{out};
    w.u8(static_cast<std::uint8_t>(by_number_ ? entry_form::numbered : entry_form::packed));
    w.varint(count_);
    w.raw(frames_);
    return out;
  }

 private:
  void end_frame(bool last = false) {
    frame_.clear();
    encoder_.finish(frame_, last);
    byte_writer{frames_}.block(frame_);
    if (by_number_) byte_writer{frames_}.fixed64(sum_);
    framed_ = size_;
  }

  bool by_number_;
  std::uint64_t sum_ = 0;  ///< of the changesets up to here
  codec::transit::encoder encoder_{entry_memory};
  bytes frames_;
  bytes frame_;
  std::uint64_t count_ = 0;
  std::size_t size_ = 0;
  std::size_t framed_ = 0;
};

/// How many bytes `plain_entry` takes.
inline std::size_t plain_entry_size(std::span<const bytes_view> changesets) noexcept {
  auto size = 1 + varint_size(changesets.size());
  for (const auto c : changesets) size += varint_size(c.size()) + c.size();
  return size;
}
/// Appends an entry's content to `out`, its changesets as they are.
inline void plain_entry(bytes& out, std::span<const bytes_view> changesets) {
  byte_writer w{out};
  w.u8(static_cast<std::uint8_t>(entry_form::plain));
  w.varint(changesets.size());
  for (const auto c : changesets) w.block(c);
}

/// How many changesets an entry holds. Errors: malformed.
inline result<std::uint64_t> entry_count(bytes_view content) {
  byte_reader in{content};
  const auto form = in.u8();
  const auto count = in.varint_up_to(most_in_entry);
  if (!in.ok() || form > static_cast<std::uint8_t>(last_entry_form) || count == 0)
    return unreadable_entry();
  return count;
}

inline entry_form form_of(bytes_view content) {
  return static_cast<entry_form>(byte_reader{content}.u8());
}

/// Whether an entry is made of several frames.
inline bool has_many_frames(bytes_view content) {
  byte_reader in{content};
  const auto form = static_cast<entry_form>(in.u8());
  const bool packed = form != entry_form::plain;
  in.varint();
  in.block();
  if (form == entry_form::numbered) in.fixed64();
  return packed && in.ok() && !in.at_end();
}

/// A place in an entry, from which its changesets are read on.
class entry_cursor {
 public:
  /// Visits the changesets from the `index`-th on: `each(index, changeset) -> bool`, false stops.
  /// `content` must be the same at every call. `keys`: of the records that go by number. True when
  /// all were visited. Errors: malformed; what comes before the fault is visited. After one it
  /// begins anew.
  template <class F>
  result<bool> visit(bytes_view content, std::uint64_t index, codec::transit::numbered_keys keys,
                     F&& each) {
    byte_reader in{content};
    const auto form = static_cast<entry_form>(in.u8());
    const auto count = entry_count(content);
    if (!count) return count.error();
    in.varint();
    if (form == entry_form::plain) return visit_plain(in, *count, index, each);
    if (index < first_) *this = entry_cursor{};
    const auto frames = in.rest();
    for (;;) {
      for (; index - first_ < frame_.size(); ++index)
        if (!each(index, frame_[static_cast<std::size_t>(index - first_)])) return false;
      if (first_ + frame_.size() == *count)
        return next_ == frames.size() ? result<bool>{true} : unreadable_entry();
      if (!read_frame(frames, *count, form == entry_form::numbered ? &keys : nullptr)) {
        *this = entry_cursor{};
        return unreadable_entry();
      }
    }
  }

  /// The same of an entry that names no record by its number.
  template <class F>
  result<bool> visit(bytes_view content, std::uint64_t index, F&& each) {
    return visit(content, index, codec::transit::no_numbered_keys, each);
  }

 private:
  template <class F>
  static result<bool> visit_plain(byte_reader& in, std::uint64_t count, std::uint64_t index,
                                  F&& each) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto changeset = in.block();
      if (!in.ok()) return unreadable_entry();
      if (i >= index && !each(i, changeset)) return false;
    }
    return in.finished() ? result<bool>{true} : unreadable_entry();
  }

  /// `keys`: null where no record goes by number.
  bool read_frame(bytes_view frames, std::uint64_t count, codec::transit::numbered_keys* keys) {
    if (!decoder_) decoder_ = std::make_unique<codec::transit::decoder>(entry_memory);
    byte_reader in{frames.substr(std::min(next_, frames.size()))};
    const auto frame = in.block();
    const auto sum = keys != nullptr ? in.fixed64() : 0;
    first_ += frame_.size();
    frame_ = {};
    if (!in.ok()) return false;
    next_ += in.position();
    constexpr auto most = frame_bytes + codec::max_changeset;
    auto read =
        keys != nullptr ? decoder_->decode(frame, most, *keys) : decoder_->decode(frame, most);
    if (!read || read->empty() || read->size() > count - first_) return false;
    if (keys != nullptr)
      for (const auto changeset : *read) sum_ = codec::checksum(changeset, sum_);
    if (sum_ != sum) return false;
    frame_ = *read;
    return true;
  }

  std::unique_ptr<codec::transit::decoder> decoder_;
  std::uint64_t sum_ = 0;              ///< of the changesets up to here, if records go by number
  std::size_t next_ = 0;               ///< the next frame's place among the frames
  std::uint64_t first_ = 0;            ///< the index of the first changeset of the frame
  std::span<const bytes_view> frame_;  ///< the changesets of the frame that was read last
};

}  // namespace joinery::history
