// model: an adaptive prefix code over bytes, and numbers written with one.
//
// Purpose: both sides count the symbols that went through and make the same new code from time to
// time, so that no table ever travels and a message of ten operations costs what it would in a
// long stream.
// Invariants: writer and reader that saw the same symbols have the same code. A symbol that has
// none yet goes as the escape and eight bits.
// Thread-safety: none; one model belongs to one stream.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "joinery/codec/transit/bits.hpp"
#include "joinery/codec/transit/code_lengths.hpp"

namespace joinery::codec::transit {

namespace detail {

/// Counts symbols, and says when it is time for a new code.
class symbol_history {
 public:
  /// True when a new code is due.
  bool count(std::size_t symbol) noexcept {
    counts_.add_seen(symbol);
    return ++seen_ >= due_;
  }
  bool count_new(std::size_t symbol) noexcept {
    counts_.add(escape_symbol);
    if (due_ - seen_ > soon) due_ = seen_ + soon;
    counts_.add(symbol);
    return ++seen_ >= due_;
  }
  /// How many symbols with a code can be counted before a new one is due.
  [[nodiscard]] std::size_t until_due() const noexcept { return due_ - seen_; }
  /// Counts them, one by one, without asking; `counted` says how many they were.
  void count_in_run(std::size_t symbol) noexcept { counts_.add_seen(symbol); }
  void counted(std::size_t n) noexcept { seen_ += static_cast<std::uint32_t>(n); }
  /// The counts for a new code. The past counts half once there is much of it.
  const symbol_counts& renew() noexcept {
    if (seen_ >= much) seen_ = counts_.halve();
    if (counts_[escape_symbol] == 0) counts_.add(escape_symbol);
    due_ = seen_ + std::clamp(seen_ / 2, 4u, 2048u);
    return counts_;
  }

 private:
  static constexpr std::uint32_t much = 12'000;
  static constexpr std::uint32_t soon = 8;

  symbol_counts counts_;
  std::uint32_t seen_ = 0;
  std::uint32_t due_ = 4;
};

/// Learns symbols that went another way, one after the other; makes the code once, at the end:
/// nothing went in those between. `has_code(symbol)` tells, `gets_code(symbol)` is told.
template <class Has, class Gets, class Make>
void learn_all(symbol_history& history, bytes_view symbols, Has&& has_code, Gets&& gets_code,
               Make&& make_code) {
  symbol_counts of_code;
  bool due = false;
  for (const char c : symbols) {
    const auto symbol = static_cast<std::uint8_t>(c);
    if (!(has_code(symbol) ? history.count(symbol) : history.count_new(symbol))) continue;
    of_code = history.renew();
    due = true;
    of_code.for_each([&](std::size_t s, std::uint32_t) { gets_code(s); });
  }
  if (due) make_code(of_code);
}

constexpr unsigned bits_of(std::uint64_t value) noexcept {
  return static_cast<unsigned>(std::bit_width(value));
}

}  // namespace detail

/// The writer's side.
class model_writer {
 public:
  /// The most bits that can go along with a symbol.
  static constexpr unsigned most_along = bit_writer::most - longest_code - 8;

  /// Puts a symbol, and the lowest `n` bits of `more` right behind it. Precondition:
  /// `n <= most_along`, and no higher bit is set.
  [[gnu::always_inline]] void put(bit_writer& out, std::uint8_t symbol, std::uint64_t more = 0,
                                  unsigned n = 0) {
    const auto code = codes_[symbol];
    if (code == 0) return put_new(out, symbol, more, n);
    const auto length = code & 15u;
    out.put(code >> 4 | more << length, length + n);
    if (history_.count(symbol)) renew();
  }
  /// Puts all of them.
  void put(bit_writer& out, bytes_view symbols) {
    while (!symbols.empty()) {
      const auto n = put_run(out, symbols.substr(0, history_.until_due() - 1));
      symbols.remove_prefix(n);
      if (symbols.empty()) return;
      put(out, static_cast<std::uint8_t>(symbols.front()));  // new, or a new code is due
      symbols.remove_prefix(1);
    }
  }
  /// Symbols that went another way.
  void learn(bytes_view symbols) {
    detail::learn_all(
        history_, symbols, [&](std::uint8_t symbol) { return codes_[symbol] != 0; },
        [&](std::size_t symbol) { codes_[symbol] |= 1; },
        [&](const symbol_counts& counts) { make_code(counts); });
  }
  /// How many bits `symbol` takes now.
  [[nodiscard]] unsigned cost(std::uint8_t symbol) const noexcept {
    return codes_[symbol] != 0 ? codes_[symbol] & 15u : (codes_[escape_symbol] & 15u) + 8;
  }

 private:
  /// Puts symbols up to the first without a code; gives how many.
  std::size_t put_run(bit_writer& out, bytes_view symbols) {
    std::size_t n = 0;
    while (n < symbols.size()) {
      std::uint64_t word = 0;
      unsigned filled = 0;
      bool stopped = false;
      for (; filled + longest_code <= bit_writer::most && n < symbols.size(); ++n) {
        const auto symbol = static_cast<std::uint8_t>(symbols[n]);
        const auto code = codes_[symbol];
        stopped = code == 0;
        if (stopped) break;
        word |= static_cast<std::uint64_t>(code >> 4) << filled;
        filled += code & 15u;
        history_.count_in_run(symbol);
      }
      out.put(word, filled);
      if (stopped) break;
    }
    history_.counted(n);
    return n;
  }
  [[gnu::noinline]] void put_new(bit_writer& out, std::uint8_t symbol, std::uint64_t more,
                                 unsigned n) {
    const auto escape = codes_[escape_symbol];
    const auto length = escape & 15u;
    out.put(escape >> 4 | (symbol | more << 8) << length, length + 8 + n);
    if (history_.count_new(symbol)) renew();
  }
  [[gnu::noinline]] void renew() { make_code(history_.renew()); }
  void make_code(const symbol_counts& counts) {
    assign_codes(counts, [&](const coded_symbol& c) {
      codes_[c.symbol] = static_cast<std::uint16_t>(c.code << 4 | c.length);
    });
  }

  detail::symbol_history history_;
  std::array<std::uint16_t, symbol_count> codes_{};  ///< code << 4 | length; 0: none
};

/// The reader's side.
class model_reader {
 public:
  std::uint8_t get(bit_reader& in) {
    const auto [symbol, size] = get(in.peek());
    in.skip(size);
    return symbol;
  }
  struct got {
    std::uint8_t symbol;
    unsigned size;  ///< of its code
  };
  /// What the next bits begin with: `model_writer::most_along` are left behind it.
  [[gnu::always_inline]] got get(std::uint64_t word) {
    if (!table_) return get_new(word, 0);
    const unsigned entry = (*table_)[word & looked_at_];
    const auto symbol = entry >> 4, size = entry & 15u;
    if (symbol == escape_symbol) return get_new(word >> size, size);
    if (history_.count(symbol)) renew();
    return {static_cast<std::uint8_t>(symbol), size};
  }
  /// Fills `out`.
  void get(bit_reader& in, bytes& out) {
    for (std::size_t at = 0; at < out.size();) {
      if (table_) at += get_run(in, out.data() + at, std::min(out.size() - at, until_due()));
      if (at < out.size()) out[at++] = static_cast<char>(get(in));  // new, or a new code is due
    }
  }
  void learn(bytes_view symbols) {
    detail::learn_all(
        history_, symbols, [&](std::uint8_t symbol) { return known_[symbol]; },
        [&](std::size_t symbol) { known_[symbol] = true; },
        [&](const symbol_counts& counts) { make_code(counts); });
  }

 private:
  using table = std::array<std::uint16_t, 1u << longest_code>;

  [[nodiscard]] std::size_t until_due() const noexcept { return history_.until_due() - 1; }
  /// Gets symbols up to the first without a code, `most` at most; gives how many.
  std::size_t get_run(bit_reader& in, char* out, std::size_t most) {
    constexpr unsigned enough = bit_writer::most - longest_code;
    std::size_t n = 0;
    for (bool stopped = false; n < most && !stopped;) {
      auto word = in.peek();
      unsigned used = 0;
      for (; used <= enough && n < most; ++n) {
        const unsigned entry = (*table_)[word & looked_at_];
        stopped = entry >> 4 == escape_symbol;
        if (stopped) break;
        history_.count_in_run(entry >> 4);
        out[n] = static_cast<char>(entry >> 4);
        word >>= entry & 15u;
        used += entry & 15u;
      }
      in.skip(used);
    }
    history_.counted(n);
    return n;
  }

  [[gnu::noinline]] got get_new(std::uint64_t word, unsigned size) {
    const auto symbol = static_cast<std::uint8_t>(word);
    if (known_[symbol] ? history_.count(symbol) : history_.count_new(symbol)) renew();
    return {symbol, size + 8};
  }
  [[gnu::noinline]] void renew() { make_code(history_.renew()); }
  void make_code(const symbol_counts& counts) {
    if (!table_) table_ = std::make_unique<table>();
    unsigned bits = 0;  // by so many it is filled
    assign_codes(counts, [&](const coded_symbol& c) {
      known_[c.symbol] = true;
      for (; bits < c.length; ++bits) {  // shorter codes came first: one bit more repeats them
        const auto size = std::ptrdiff_t{1} << bits;
        std::copy_n(table_->begin(), size, table_->begin() + size);
      }
      (*table_)[c.code] = static_cast<std::uint16_t>(c.symbol << 4 | c.length);
    });
    looked_at_ = detail::low_bits(bits);
  }

  detail::symbol_history history_;
  std::array<bool, symbol_count> known_{};
  std::unique_ptr<table> table_;  ///< by the next bits: symbol << 4 | length of its code
  std::uint64_t looked_at_ = 0;   ///< these of them: as many as the longest code has
};

/// A number: a symbol that says how large it is, with its two highest bits after the first, and
/// the rest as they are.
inline void put_number(model_writer& model, bit_writer& out, std::uint64_t value) {
  if (value < 16) return model.put(out, static_cast<std::uint8_t>(value));
  const auto high = detail::bits_of(value) - 1;  // at least 4
  const auto rest = high - 2;
  const auto symbol = static_cast<std::uint8_t>(16 + (high - 4) * 4 + ((value >> rest) & 3));
  const auto more = value & detail::low_bits(rest);
  if (rest <= model_writer::most_along) return model.put(out, symbol, more, rest);
  model.put(out, symbol);
  out.put_long(more, rest);
}
inline std::uint64_t get_number(model_reader& model, bit_reader& in) {
  const auto word = in.peek();
  const auto got = model.get(word);
  const unsigned symbol = got.symbol;
  in.skip(got.size);
  if (symbol < 16) return symbol;
  const auto rest = (symbol - 16) / 4 + 2;
  const auto high = (std::uint64_t{4} | ((symbol - 16) & 3)) << rest;
  if (rest > model_writer::most_along) return high | in.get_long(rest);
  in.skip(rest);
  return high | (word >> got.size & detail::low_bits(rest));
}

}  // namespace joinery::codec::transit
