// MessagePack, written and read within limits.
//
// Purpose: the envelope of changesets and session messages, so that any program with a MessagePack
// library can take them apart. `pack_writer` writes; `pack_reader` checks the whole document once
// and is then pulled item by item.
// Invariants: a reader accepts exactly one value that fills its bytes, nested at most `max_depth`
// deep; an array is never longer than the document; it takes nine bytes of memory for each item.
// Its first fault is sticky, as in `byte_reader`.
// Thread-safety: none needed; both are short-lived values.
#pragma once

#include <limits>
#include <vector>

#include "joinery/base/cursor.hpp"

#include <msgpack/null_visitor.hpp>
#include <msgpack/pack.hpp>
#include <msgpack/parse.hpp>
#include <msgpack/unpack.hpp>

namespace joinery::codec {

class pack_writer {
 public:
  explicit pack_writer(bytes& out) : sink_{out}, packer_(sink_) {}

  void array(std::size_t n) { packer_.pack_array(static_cast<std::uint32_t>(n)); }
  void u64(std::uint64_t value) { packer_.pack_uint64(value); }
  void boolean(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void text(std::string_view value) {
    packer_.pack_str(static_cast<std::uint32_t>(value.size()));
    packer_.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
  }
  void binary(bytes_view value) {
    packer_.pack_bin(static_cast<std::uint32_t>(value.size()));
    packer_.pack_bin_body(value.data(), static_cast<std::uint32_t>(value.size()));
  }

 private:
  struct sink {
    bytes& out;
    void write(const char* data, std::size_t n) { out.append(data, n); }
  };
  sink sink_;
  msgpack::packer<sink> packer_;
};

class pack_reader {
 public:
  static constexpr std::uint32_t max_depth = 8;

  explicit pack_reader(bytes_view data) : data_(data) {
    collector each{*this, data};
    std::size_t at = 0;
    ok_ = data.size() <= 0xFFFFFFFF && msgpack::parse(data.data(), data.size(), at, each) &&
          at == data.size();
    if (!ok_) types_.clear();
  }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool finished() const noexcept { return ok_ && at_ == types_.size(); }

  /// The length of the array that comes next; its items follow.
  std::size_t array() { return static_cast<std::size_t>(next(type::array)); }
  /// As `array`, for one that must have `n` items.
  void array_of(std::size_t n) {
    if (array() != n) fail();
  }
  std::uint64_t u64() { return next(type::number); }
  std::uint64_t u64_up_to(std::uint64_t limit) {
    const auto v = u64();
    if (v > limit) return fail(), std::uint64_t{0};
    return v;
  }
  bool boolean() { return next(type::boolean) != 0; }
  /// Views into the document.
  std::string_view text() { return view(next(type::text)); }
  bytes_view binary() { return view(next(type::binary)); }

  void fail() noexcept {
    ok_ = false;
    at_ = types_.size();
  }

 private:
  enum class type : std::uint8_t { array, number, boolean, text, binary };

  std::uint64_t next(type expected) {
    if (at_ == types_.size() || types_[at_] != expected) return fail(), std::uint64_t{0};
    return values_[at_++];
  }
  // Where a str or bin stands, as one number.
  [[nodiscard]] bytes_view view(std::uint64_t place) const {
    return data_.substr(static_cast<std::size_t>(place >> 32), place & 0xFFFFFFFF);
  }

  // Accepts the subset of MessagePack that joinery writes; everything else ends the parse.
  struct collector : msgpack::null_visitor {
    pack_reader& to;
    bytes_view all;
    std::uint32_t depth = 0;
    collector(pack_reader& reader, bytes_view data) : to(reader), all(data) {}

    bool add(type t, std::uint64_t value) {
      to.types_.push_back(t);
      to.values_.push_back(value);
      return true;
    }
    bool add(type t, const char* data, std::uint32_t size) {
      // An empty one may be given as a pointer to elsewhere.
      const auto at = size == 0 ? 0 : static_cast<std::uint64_t>(data - all.data());
      return add(t, at << 32 | size);
    }
    bool visit_nil() { return false; }
    bool visit_boolean(bool v) { return add(type::boolean, v ? 1 : 0); }
    bool visit_positive_integer(std::uint64_t v) { return add(type::number, v); }
    bool visit_negative_integer(std::int64_t) { return false; }
    bool visit_float32(float) { return false; }
    bool visit_float64(double) { return false; }
    bool visit_str(const char* v, std::uint32_t n) { return add(type::text, v, n); }
    bool visit_bin(const char* v, std::uint32_t n) { return add(type::binary, v, n); }
    bool visit_ext(const char*, std::uint32_t) { return false; }
    bool start_array(std::uint32_t n) {
      return ++depth <= max_depth && n <= all.size() && add(type::array, n);
    }
    bool end_array() {
      --depth;
      return true;
    }
    bool start_map(std::uint32_t) { return false; }
    void parse_error(std::size_t, std::size_t) {}
    void insufficient_bytes(std::size_t, std::size_t) {}
  };

  bytes_view data_;
  std::vector<type> types_;
  std::vector<std::uint64_t> values_;
  std::size_t at_ = 0;
  bool ok_ = false;
};

}  // namespace joinery::codec
