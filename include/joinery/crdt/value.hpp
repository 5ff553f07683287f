// Values: C++ values as bytes whose order is the values' order.
//
// Purpose: `encode_value` and `decode_value`, the edge between typed programs and the packed
// states, which only compare and copy bytes. The encoding is that of the FoundationDB tuple layer
// (its design/tuple.md) for one element: self-describing, canonical, and order-preserving, so
// max_of<T> and sorted sets need no types.
// Invariants: equal values have equal bytes and a < b exactly when bytes(a) < bytes(b), within one
// type. NaN is refused; -0.0 is stored as 0.0; `decode_value` accepts only what `encode_value`
// writes.
// Thread-safety: pure functions. Specialise `value_traits<T>` for a type of your own.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "joinery/base/cursor.hpp"
#include "joinery/base/error.hpp"
#include "joinery/base/id128.hpp"

namespace joinery::crdt {

/// A value known only as its encoded bytes: what a replica holds for fields that its program does
/// not know.
struct opaque {
  bytes encoded;
  friend auto operator<=>(const opaque&, const opaque&) = default;
};

/// Raw bytes as a value; a `std::string` is text.
struct blob {
  bytes data;
  friend auto operator<=>(const blob&, const blob&) = default;
};

/// How T is written and read. `write(writer, value)` appends one element; `read(reader)` takes one
/// or fails the reader; `name` tells the type apart from others in a schema's fingerprint.
template <class T>
struct value_traits;

namespace detail {

enum tag : std::uint8_t {
  tag_null = 0x00,
  tag_bytes = 0x01,
  tag_text = 0x02,
  tag_tuple = 0x05,
  tag_int_zero = 0x14,  // minus n for negatives of n bytes, plus n for positives
  tag_double = 0x21,
  tag_false = 0x26,
  tag_true = 0x27,
};

// Zero bytes inside are followed by 0xFF, and a lone zero ends the run: order survives
// concatenation.
inline void write_escaped(byte_writer& out, bytes_view data) {
  for (const char c : data) {
    out.u8(static_cast<std::uint8_t>(c));
    if (c == '\0') out.u8(0xFF);
  }
  out.u8(0);
}
inline bytes read_escaped(byte_reader& in) {
  bytes out;
  while (in.ok()) {
    const auto c = in.u8();
    if (!in.ok()) break;
    if (c == 0) {
      if (in.at_end() || static_cast<std::uint8_t>(in.rest().front()) != 0xFF) return out;
      in.u8();
    }
    out.push_back(static_cast<char>(c));
  }
  return {};
}

inline void write_int(byte_writer& out, bool negative, std::uint64_t magnitude) {
  unsigned n = 0;
  while (n < 8 && magnitude >> (8 * n) != 0) ++n;
  out.u8(static_cast<std::uint8_t>(negative ? tag_int_zero - n : tag_int_zero + n));
  // Negative numbers are stored as their complement, so that -1 sorts above -2.
  const auto stored = negative ? ~magnitude : magnitude;
  for (unsigned i = n; i-- > 0;) out.u8(static_cast<std::uint8_t>(stored >> (8 * i)));
}
struct wide_int {
  bool negative = false;
  std::uint64_t magnitude = 0;
};
inline wide_int read_int(byte_reader& in) {
  const auto lead = in.u8();
  if (lead < tag_int_zero - 8 || lead > tag_int_zero + 8) return in.fail(), wide_int{};
  const bool negative = lead < tag_int_zero;
  const auto n = static_cast<unsigned>(negative ? tag_int_zero - lead : lead - tag_int_zero);
  std::uint64_t raw = 0;
  for (unsigned i = 0; i < n; ++i) raw = raw << 8 | in.u8();
  if (negative) raw = n == 8 ? ~raw : ~raw & ((std::uint64_t{1} << (8 * n)) - 1);
  if (n > 0 && raw >> (8 * (n - 1)) == 0) in.fail();  // not the shortest form
  return {negative, raw};
}

template <class T>
concept plain_integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                        !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                        !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <class T>
inline constexpr bool may_begin_as_absent = false;
template <class T>
inline constexpr bool may_begin_as_absent<std::optional<T>> = true;
template <>
inline constexpr bool may_begin_as_absent<opaque> = true;

}  // namespace detail

template <>
struct value_traits<bool> {
  static constexpr std::string_view name = "bool";
  static void write(byte_writer& out, bool value) {
    out.u8(value ? detail::tag_true : detail::tag_false);
  }
  static bool read(byte_reader& in) {
    const auto t = in.u8();
    if (t != detail::tag_true && t != detail::tag_false) in.fail();
    return t == detail::tag_true;
  }
};

/// Every integer type is one type on disk: widening a field needs no migration, and a value that
/// does not fit is a `type_mismatch` when read.
template <detail::plain_integer T>
struct value_traits<T> {
  static constexpr std::string_view name = "int";
  static void write(byte_writer& out, T value) {
    if constexpr (std::signed_integral<T>) {
      const auto wide = static_cast<std::int64_t>(value);
      const auto u = static_cast<std::uint64_t>(wide);
      detail::write_int(out, wide < 0, wide < 0 ? ~u + 1 : u);
    } else {
      detail::write_int(out, false, value);
    }
  }
  static T read(byte_reader& in) {
    const auto wide = detail::read_int(in);
    if (!in.ok()) return T{};
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (wide.negative) {
      if (std::unsigned_integral<T> || wide.magnitude > most + 1) return in.fail(), T{};
      return static_cast<T>(~wide.magnitude + 1);
    }
    if (wide.magnitude > most) return in.fail(), T{};
    return static_cast<T>(wide.magnitude);
  }
};

template <class T>
  requires std::is_enum_v<T> && requires { value_traits<std::underlying_type_t<T>>::name; }
struct value_traits<T> {
  using number = std::underlying_type_t<T>;
  static constexpr std::string_view name = "int";
  static void write(byte_writer& out, T value) {
    value_traits<number>::write(out, static_cast<number>(value));
  }
  static T read(byte_reader& in) { return static_cast<T>(value_traits<number>::read(in)); }
};

template <>
struct value_traits<double> {
  static constexpr std::string_view name = "double";
  static void write(byte_writer& out, double value) {
    if (std::isnan(value))
      throw failure(
          {errc::invalid_argument, "NaN is not a value", "", "store an absent value instead"});
    auto bits = std::bit_cast<std::uint64_t>(value == 0.0 ? 0.0 : value);
    bits = bits >> 63 ? ~bits : bits | std::uint64_t{1} << 63;
    out.u8(detail::tag_double);
    out.fixed64(bits);
  }
  static double read(byte_reader& in) {
    if (in.u8() != detail::tag_double) in.fail();
    auto bits = in.fixed64();
    bits = bits >> 63 ? bits & ~(std::uint64_t{1} << 63) : ~bits;
    const auto value = std::bit_cast<double>(bits);
    if (std::isnan(value) || (value == 0.0 && std::signbit(value))) in.fail();
    return in.ok() ? value : 0.0;
  }
};

template <>
struct value_traits<std::string> {
  static constexpr std::string_view name = "text";
  static void write(byte_writer& out, std::string_view value) {
    out.u8(detail::tag_text);
    detail::write_escaped(out, value);
  }
  static std::string read(byte_reader& in) {
    if (in.u8() != detail::tag_text) in.fail();
    return detail::read_escaped(in);
  }
};

template <>
struct value_traits<blob> {
  static constexpr std::string_view name = "bytes";
  static void write(byte_writer& out, const blob& value) {
    out.u8(detail::tag_bytes);
    detail::write_escaped(out, value.data);
  }
  static blob read(byte_reader& in) {
    if (in.u8() != detail::tag_bytes) in.fail();
    return {detail::read_escaped(in)};
  }
};

template <class Tag>
struct value_traits<id128<Tag>> {
  static constexpr std::string_view name = "id";
  static void write(byte_writer& out, const id128<Tag>& value) {
    out.u8(detail::tag_bytes);
    detail::write_escaped(out, value.view());
  }
  static id128<Tag> read(byte_reader& in) {
    const auto raw = value_traits<blob>::read(in);
    const auto id = id128<Tag>::from_bytes(raw.data);
    if (!id) in.fail();
    return id.value_or(id128<Tag>{});
  }
};

/// A point in time is stored as milliseconds since 1970-01-01 UTC: cut to them, towards the past.
/// What a coarser clock reads must be one of its ticks.
template <class Duration>
struct value_traits<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  static_assert(std::integral<typename Duration::rep>, "joinery: a stored time counts whole ticks");
  using point = std::chrono::time_point<std::chrono::system_clock, Duration>;
  using milliseconds = std::chrono::duration<std::int64_t, std::milli>;
  using ticks = std::chrono::duration<std::int64_t, typename Duration::period>;
  static constexpr std::string_view name = "time";

  static void write(byte_writer& out, point value) {
    const ticks t{static_cast<std::int64_t>(value.time_since_epoch().count())};
    if (t.count() > most / per_tick::num || t.count() < least / per_tick::num)
      throw failure({errc::invalid_argument, "a time that milliseconds cannot reach", "", ""});
    // The first tick of a finer clock may lie in a millisecond that began before it.
    const auto ms = std::chrono::floor<milliseconds>(t).count();
    value_traits<std::int64_t>::write(out, std::max(ms, least / per_tick::den));
  }
  static point read(byte_reader& in) {
    const milliseconds ms{value_traits<std::int64_t>::read(in)};
    if (ms.count() > most / per_tick::den || ms.count() < least / per_tick::den)
      return in.fail(), point{};
    const auto t = std::chrono::ceil<ticks>(ms);
    if (t.count() > most / per_tick::num || std::chrono::floor<milliseconds>(t) != ms ||
        !std::in_range<typename Duration::rep>(t.count()))
      return in.fail(), point{};
    return point{Duration{static_cast<typename Duration::rep>(t.count())}};
  }

 private:
  using per_tick = std::ratio_divide<typename Duration::period, std::milli>;  // milliseconds
  static constexpr auto most = std::numeric_limits<std::int64_t>::max();
  static constexpr auto least = std::numeric_limits<std::int64_t>::min();
};

template <>
struct value_traits<opaque> {
  static constexpr std::string_view name = "opaque";
  static void write(byte_writer& out, const opaque& value) { out.raw(value.encoded); }
  static opaque read(byte_reader& in) { return {bytes{in.take(in.left())}}; }
};

template <class T>
concept value = requires(byte_writer& out, byte_reader& in, const T& v) {
  { value_traits<T>::name } -> std::convertible_to<std::string_view>;
  value_traits<T>::write(out, v);
  { value_traits<T>::read(in) } -> std::same_as<T>;
};

/// Absent sorts before every value. Its byte must not begin one, so optionals do not nest.
template <value T>
struct value_traits<std::optional<T>> {
  static_assert(!detail::may_begin_as_absent<T>,
                "joinery: an optional of an optional cannot tell its two absences apart");
  static constexpr std::string_view name = value_traits<T>::name;
  static void write(byte_writer& out, const std::optional<T>& v) {
    if (v)
      value_traits<T>::write(out, *v);
    else
      out.u8(detail::tag_null);
  }
  static std::optional<T> read(byte_reader& in) {
    if (!in.at_end() && in.rest().front() == '\0') return in.u8(), std::nullopt;
    return value_traits<T>::read(in);
  }
};

namespace detail {

// "tuple(int,text)": tuples of other elements are other types.
template <class... T>
struct tuple_name {
  static constexpr std::size_t size =
      7 + ((std::string_view{value_traits<T>::name}.size() + 1) + ...) - 1;
  static constexpr auto data = [] {
    std::array<char, size> out{};
    auto at = std::copy_n("tuple(", 6, out.begin());
    const auto add = [&](std::string_view part) {
      at = std::copy(part.begin(), part.end(), at);
      *at++ = ',';
    };
    (add(value_traits<T>::name), ...);
    out.back() = ')';
    return out;
  }();
  static constexpr std::string_view view{data.data(), size};
};

}  // namespace detail

template <value... T>
  requires(sizeof...(T) > 0)  // nothing at all would be no bytes at all
struct value_traits<std::tuple<T...>> {
  static constexpr std::string_view name = detail::tuple_name<T...>::view;
  static void write(byte_writer& out, const std::tuple<T...>& v) {
    std::apply([&](const T&... each) { (write_element<T>(out, each), ...); }, v);
  }
  static std::tuple<T...> read(byte_reader& in) {
    return std::tuple<T...>{read_element<T>(in)...};  // braces: left to right
  }

 private:
  // Each element is a run of its own, so that a nested null cannot be taken for the tuple's end.
  template <class E>
  static void write_element(byte_writer& out, const E& each) {
    bytes inner;
    byte_writer w{inner};
    value_traits<E>::write(w, each);
    out.u8(detail::tag_tuple);
    detail::write_escaped(out, inner);
  }
  template <class E>
  static E read_element(byte_reader& in) {
    if (in.u8() != detail::tag_tuple) in.fail();
    const auto inner = detail::read_escaped(in);
    byte_reader r{inner};
    auto v = value_traits<E>::read(r);
    if (!r.finished()) in.fail();
    return v;
  }
};

template <value T>
void encode_value_to(bytes& out, const T& v) {
  byte_writer w{out};
  value_traits<T>::write(w, v);
}
template <value T>
[[nodiscard]] bytes encode_value(const T& v) {
  bytes out;
  encode_value_to(out, v);
  return out;
}

/// Nothing when the bytes are not exactly one T.
template <value T>
[[nodiscard]] std::optional<T> decode_value(bytes_view data) {
  byte_reader in{data};
  auto v = value_traits<T>::read(in);
  if (!in.finished()) return std::nullopt;
  return v;
}

}  // namespace joinery::crdt
