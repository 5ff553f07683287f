// dots: where each origin's changesets stand in the log, and their chains.
//
// Purpose: finds a changeset by its dot. Consecutive changesets of an origin that stand in one
// entry of the log make a run, with one entry here: the chain at its end; those within it are
// worked out from the changesets (log.hpp).
// Keys: `dots` has fixed32 replica index, fixed64 first seq → sealed fixed64 first position, 32
// bytes chain at the last; then, of more than one, varint count, and, unless their positions are
// consecutive, varint step to the next position*.
// Invariants: runs of an origin do not overlap, and stand within one entry of the log; an anchor,
// whose changeset is not in the log, is a run of one.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include <vector>

#include "joinery/history/head.hpp"
#include "joinery/history/log_entry.hpp"
#include "joinery/history/sealed.hpp"

namespace joinery::history {

/// A run of an origin's changesets.
struct dot_run {
  dot first;
  std::uint64_t position = 0;  ///< of the first
  std::uint64_t end = 0;       ///< of the last
  crypto::digest chain;        ///< at the last
  std::uint64_t count = 1;
  std::vector<std::uint32_t> steps;  ///< from position to position; empty: all are 1

  [[nodiscard]] std::uint64_t last() const noexcept { return first.seq + count - 1; }
  /// Where the `n`-th stands, from 0.
  [[nodiscard]] std::uint64_t position_at(std::uint64_t n) const noexcept {
    if (steps.empty()) return position + n;
    auto at = position;
    for (std::size_t i = 0; i < n; ++i) at += steps[i];
    return at;
  }
  [[nodiscard]] std::uint64_t position_of(std::uint64_t seq) const noexcept {
    return position_at(seq - first.seq);
  }

  /// How far the next one stands from the `n`-th.
  [[nodiscard]] std::uint64_t step(std::uint64_t n) const noexcept {
    return steps.empty() ? 1 : steps[static_cast<std::size_t>(n)];
  }
  /// Calls `each(dot, position)` for its changesets, or for the first `most` of them.
  template <class F>
  void for_each(F&& each, std::uint64_t most = ~std::uint64_t{0}) const {
    auto at = position;
    for (std::uint64_t n = 0; n < count && n < most; ++n) {
      each(dot{first.replica, first.seq + n}, at);
      if (n + 1 < count) at += step(n);
    }
  }

  /// The run's next changeset stands at `at`.
  void extend(std::uint64_t at, const crypto::digest& next) {
    const auto step = at - end;
    if (step != 1 && steps.empty()) steps.assign(static_cast<std::size_t>(count - 1), 1);
    if (step != 1 || !steps.empty()) steps.push_back(static_cast<std::uint32_t>(step));
    ++count;
    chain = next;
    end = at;
  }
  /// The run goes on with another.
  void extend(const dot_run& further) {
    further.for_each([&](dot, std::uint64_t at) { extend(at, further.chain); });
  }
  static dot_run begin(dot d, std::uint64_t at, const crypto::digest& chain) {
    dot_run r;
    r.first = d;
    r.position = r.end = at;
    r.chain = chain;
    return r;
  }
  /// The first `n` of it, which end with `at_end`.
  [[nodiscard]] dot_run beginning(std::uint64_t n, const crypto::digest& at_end) const {
    auto out = begin(first, position, at_end);
    for_each(
        [&](dot d, std::uint64_t at) {
          if (d != first) out.extend(at, at_end);
        },
        n);
    return out;
  }
};

inline void write_run(byte_writer& w, const dot_run& run) {
  w.fixed64(run.position);
  w.raw(run.chain.view());
  if (run.count > 1) w.varint(run.count);
  for (const auto step : run.steps) w.varint(step);
}
template <storage_writer W>
void put_run(W& to, const dot_run& run) {
  constexpr std::size_t position_chain_and_count = 8 + 32 + 3;
  put_sealed_in_place(to, area::dots, dot_key(run.first),
                      position_chain_and_count + run.steps.size(), [&](bytes& value) {
                        byte_writer w{value};
                        write_run(w, run);
                      });
}

/// Errors: malformed.
inline result<dot_run> read_run_content(bytes_view key, bytes_view content) {
  byte_reader in{content};
  dot_run run;
  run.first = {index_of(key), byte_reader{after_index(key)}.fixed64()};
  run.position = in.fixed64();
  const auto chain = crypto::digest::from_bytes(in.take(32));
  if (in.ok() && !in.at_end()) {
    run.count = in.varint_up_to(most_in_entry);
    if (run.count < 2) in.fail();
    if (!in.at_end())
      for (std::uint64_t i = 1; i < run.count && in.ok(); ++i)
        run.steps.push_back(static_cast<std::uint32_t>(in.varint_up_to(most_in_entry)));
  }
  if (!in.finished() || !chain || key.size() != 12 || run.first.seq > codec::max_seq ||
      run.position > ~std::uint64_t{0} - most_in_entry * most_in_entry)
    return error{errc::malformed, "a dot entry that cannot be read", "dots entry 0x" + to_hex(key),
                 "restore the store"};
  run.chain = *chain;
  run.end = run.position_at(run.count - 1);
  return run;
}
/// Errors: also checksum.
inline result<dot_run> read_run(bytes_view key, bytes_view value) {
  const auto content = open_sealed(area::dots, key, value);
  if (!content) return content.error();
  return read_run_content(key, *content);
}

/// The last run of an origin that begins at or before `at.seq`; nothing when there is none.
/// Errors: checksum, malformed.
template <storage_view V>
result<std::optional<dot_run>> run_before(V& from, dot at) {
  result<std::optional<dot_run>> out{std::optional<dot_run>{}};
  from.scan_back(area::dots, dot_key({at.replica, at.seq + 1}),
                 [&](bytes_view key, bytes_view value) {
                   if (key.size() < 4 || index_of(key) != at.replica) return false;
                   auto run = read_run(key, value);
                   if (run)
                     out = std::optional<dot_run>{std::move(*run)};
                   else
                     out = run.error();
                   return false;
                 });
  return out;
}

/// The run that the changeset `at` is in; nothing when it is in none.
template <storage_view V>
result<std::optional<dot_run>> find_run(V& from, dot at) {
  auto run = run_before(from, at);
  if (run && *run && (*run)->last() < at.seq) run->reset();
  return run;
}

/// Visits all runs: `each(run) -> bool`, false stops. Those that cannot be read are left out.
template <storage_view V, class F>
void for_each_run(V& from, F&& each) {
  from.scan(area::dots, {}, [&](bytes_view key, bytes_view value) {
    const auto run = read_run(key, value);
    return !run || each(*run);
  });
}

}  // namespace joinery::history
