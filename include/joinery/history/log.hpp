// The operation log: every changeset, in an order that respects causality.
//
// Purpose: appends changesets and finds them again, by position or by dot, over any storage.
// Keys: `log` has fixed64 first position → sealed entry (log_entry.hpp); `dots`: see dots.hpp.
// Positions count from 1.
// Invariants: positions and each replica's seqs are contiguous; what one write appends makes few
// entries; every value's checksum is bound to its key.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include <array>

#include "joinery/history/dots.hpp"
#include "joinery/history/record_numbers.hpp"

namespace joinery::history {

/// Where a changeset stands, and the digest of its origin's changesets up to it.
struct log_place {
  std::uint64_t position = 0;
  crypto::digest chain;
};

// --- Entries ---

/// Whether the log of this storage is worth packing: on a device it is.
template <class W>
bool packs_log(const W& to) {
  if constexpr (requires { to.packs_log(); })
    return to.packs_log();
  else
    return false;
}

/// Puts the entry that begins at `first`. `numbers`: of each changeset's records, as far as they
/// have any in this store.
template <storage_writer W>
void put_entry(W& to, std::uint64_t first, std::span<const bytes_view> changesets,
               std::span<const codec::transit::record_numbers> numbers = {}) {
  constexpr std::size_t worth_packing = 1024;
  const auto key = position_key(first);
  const auto size = plain_entry_size(changesets);
  if (packs_log(to) && size >= worth_packing) {
    const auto any = [](auto of) {
      return std::any_of(of.begin(), of.end(), [](auto number) { return number != 0; });
    };
    entry_packer packer{std::any_of(numbers.begin(), numbers.end(), any)};
    for (std::size_t i = 0; i < changesets.size(); ++i)
      packer.add(changesets[i], i < numbers.size() ? numbers[i] : codec::transit::record_numbers{});
    const auto content = packer.finish();
    if (content.size() < size) return put_sealed(to, area::log, key, content);
  }
  put_sealed_in_place(to, area::log, key, size,
                      [&](bytes& value) { plain_entry(value, changesets); });
}

/// The first position of the entry that `position` is in, if any is: of the last one that begins
/// at or before it. With its sealed value.
template <storage_view V>
std::optional<std::pair<std::uint64_t, bytes_view>> entry_before(V& from, std::uint64_t position) {
  std::optional<std::pair<std::uint64_t, bytes_view>> out;
  const auto end =
      position == ~std::uint64_t{0} ? bytes(log_key_bytes + 1, '\xFF') : position_key(position + 1);
  from.scan_back(area::log, end, [&](bytes_view key, bytes_view value) {
    out.emplace(position_of(key), value);
    return false;
  });
  return out;
}

/// The last position of an entry. Of a damaged one it is what the dots tell.
template <storage_view V>
std::uint64_t last_of_entry(V& from, std::uint64_t first, bytes_view value) {
  const auto content = open_sealed(area::log, position_key(first), value);
  const auto count = content ? entry_count(*content) : result<std::uint64_t>{content.error()};
  if (count) return first + *count - 1;
  auto last = first;
  auto next = ~std::uint64_t{0};
  from.scan(area::log, position_key(first + 1), [&](bytes_view key, bytes_view) {
    next = position_of(key);
    return false;
  });
  for_each_run(from, [&](const dot_run& run) {
    if (run.position >= first && run.position < next) last = std::max(last, run.end);
    return true;
  });
  return std::min(last, next - 1);
}

/// The position of the last changeset; 0 when there is none.
template <storage_view V>
std::uint64_t log_end(V& from) {
  const auto newest = from.last(area::log);
  if (!newest) return 0;
  return last_of_entry(from, position_of(newest->first), newest->second);
}

/// Reads entries; remembers where it was in the packed ones that it read last, so that whoever
/// reads on in pieces does not begin anew each time.
class log_reader {
 public:
  /// Visits the changesets of an entry, from `position` on: `each(position, changeset) -> bool`.
  /// `keys`: of the records that go by number. True when all were visited. Errors: checksum, also
  /// where records are named whose keys are not known any more; malformed.
  template <storage_view V, class F>
  result<bool> visit(keys_by_number<V>& keys, std::uint64_t first, bytes_view value,
                     std::uint64_t position, F&& each) {
    const auto content = open_sealed(area::log, position_key(first), value);
    if (!content) return content.error();
    auto next = std::max(first, position);
    for (;;) {
      const auto read =
          cursor_for(first, value)
              .visit(*content, next - first, keys, [&](std::uint64_t index, bytes_view data) {
                next = first + index + 1;
                return each(first + index, data);
              });
      if (read || form_of(*content) != entry_form::numbered) return read;
      // The entry tells whether its keys were the right ones: only if not are rows looked at
      // closely.
      if (!keys.look_closely()) return misread(first);
    }
  }
  template <storage_view V, class F>
  result<bool> visit(V& from, std::uint64_t first, bytes_view value, std::uint64_t position,
                     F&& each) {
    keys_by_number<V> keys{from};
    return visit(keys, first, value, position, each);
  }

 private:
  struct place {
    std::uint64_t first = 0;
    bytes seal;  ///< the checksum of the value
    std::size_t size = 0;
    std::uint64_t used = 0;
    entry_cursor cursor;
  };

  static error misread(std::uint64_t first) {
    return {errc::checksum, "an entry of the log names records that are not known, or others",
            "log position " + std::to_string(first),
            "sync with a replica that has the changesets: they are fetched again"};
  }

  entry_cursor& cursor_for(std::uint64_t first, bytes_view value) {
    auto* oldest = &places_[0];
    const auto seal = value.substr(0, 8);
    for (auto& p : places_) {
      if (p.used > 0 && p.first == first && p.size == value.size() && p.seal == seal) {
        p.used = ++uses_;
        return p.cursor;
      }
      if (p.used < oldest->used) oldest = &p;
    }
    *oldest = {first, bytes{seal}, value.size(), ++uses_, {}};
    return oldest->cursor;
  }

  std::array<place, 3> places_;
  std::uint64_t uses_ = 0;
};

/// Whether an entry is whole, with the keys of the records that it names by number. One that gives
/// more than a write puts in counts as damaged, before it takes long.
template <storage_view V>
bool is_whole_entry(keys_by_number<V>& keys, bytes_view key, bytes_view value) {
  const auto content = open_sealed(area::log, key, value);
  if (!content || form_of(*content) != entry_form::numbered) return content.has_value();
  std::size_t size = 0;
  const auto read = log_reader{}.visit(keys, position_of(key), value, 0, [&](auto, bytes_view c) {
    size += c.size();
    return size <= frame_bytes + codec::max_changeset;
  });
  return read && *read;
}

/// Visits the log from `position` on: `each(position, changeset) -> bool`, false stops.
template <storage_view V, class F>
result<> scan_log(V& from, std::uint64_t position, log_reader& reader, F&& each) {
  result<> outcome;
  auto start = position;
  const auto before = entry_before(from, position);
  if (before && before->first < position &&
      last_of_entry(from, before->first, before->second) >= position)
    start = before->first;
  keys_by_number<V> keys{from};
  from.scan(area::log, position_key(start), [&](bytes_view key, bytes_view value) {
    auto all = reader.visit(keys, position_of(key), value, position, each);
    if (!all) outcome = all.error();
    return all && *all;
  });
  return outcome;
}
template <storage_view V, class F>
result<> scan_log(V& from, std::uint64_t position, F&& each) {
  log_reader reader;
  return scan_log(from, position, reader, each);
}

/// The changeset at `position`; nothing when none is. Errors: checksum, malformed.
template <storage_view V>
result<std::optional<bytes>> changeset_at(V& from, std::uint64_t position, log_reader& reader) {
  std::optional<bytes> out;
  auto scanned = scan_log(from, position, reader, [&](std::uint64_t at, bytes_view data) {
    if (at == position) out = bytes{data};
    return false;
  });
  if (!scanned) return scanned.error();
  return out;
}

// --- Writing ---

struct appended {
  dot at;
  bytes_view data;
  crypto::digest chain;
  codec::transit::record_numbers numbers = {};
};

/// Says where the changeset `at` stands, or, as an anchor, what its chain is.
template <storage_writer W>
void put_dot(W& to, dot at, const log_place& place) {
  put_run(to, dot_run::begin(at, place.position, place.chain));
}

/// Puts the runs of changesets that make one entry, from position `first` on.
template <storage_writer W>
void put_runs(W& to, std::uint64_t first, std::span<const appended> changesets) {
  if (changesets.size() == 1) return put_dot(to, changesets[0].at, {first, changesets[0].chain});
  constexpr std::size_t looked_at = 16;  // of an origin that comes up seldom there are more runs
  std::vector<dot_run> runs;
  for (std::size_t i = 0; i < changesets.size(); ++i) {
    const auto& c = changesets[i];
    const auto begin = runs.size() > looked_at ? runs.end() - looked_at : runs.begin();
    const auto run = std::find_if(begin, runs.end(), [&](const auto& r) {
      return r.first.replica == c.at.replica && r.last() + 1 == c.at.seq;
    });
    if (run == runs.end())
      runs.push_back(dot_run::begin(c.at, first + i, c.chain));
    else
      run->extend(first + i, c.chain);
  }
  for (const auto& run : runs) put_run(to, run);
}

/// Appends changesets from position `first` on, in few entries.
template <storage_writer W>
void append_changesets(W& to, std::uint64_t first, std::span<const appended> changesets) {
  std::vector<bytes_view> data;
  std::vector<codec::transit::record_numbers> numbers;
  for (std::size_t i = 0; i < changesets.size();) {
    std::size_t size = 0;
    data.clear();
    numbers.clear();
    for (auto j = i; j < changesets.size() && data.size() < most_in_entry; ++j) {
      size += changesets[j].data.size();
      if (size > frame_bytes && !data.empty()) break;
      data.push_back(changesets[j].data);
      numbers.push_back(changesets[j].numbers);
    }
    put_entry(to, first + i, data, numbers);
    put_runs(to, first + i, changesets.subspan(i, data.size()));
    i += data.size();
  }
}
template <storage_writer W>
void append_changeset(W& to, dot at, const log_place& place, bytes_view changeset) {
  const appended one{at, changeset, place.chain};
  append_changesets(to, place.position, {&one, 1});
}

// --- By dot ---

/// The position of the changeset `at`; nothing when it is not in the log. Of an anchor it says
/// nothing.
template <storage_view V>
result<std::optional<std::uint64_t>> find_position(V& from, dot at) {
  auto run = find_run(from, at);
  if (!run) return run.error();
  if (!*run) return std::optional<std::uint64_t>{};
  return std::optional{(*run)->position_of(at.seq)};
}

/// The bytes of the changeset `at`; nothing when it is not in the log.
template <storage_view V>
result<std::optional<bytes>> changeset_of(V& from, dot at, log_reader& reader) {
  auto position = find_position(from, at);
  if (!position) return position.error();
  if (!*position) return std::optional<bytes>{};
  return changeset_at(from, **position, reader);
}

/// The chain before a run; nothing when it is not known. Errors: checksum, malformed.
template <storage_view V>
result<std::optional<crypto::digest>> chain_before(V& from, const dot_run& run) {
  using chain = std::optional<crypto::digest>;
  if (run.first.seq > 1) {
    auto before = run_before(from, {run.first.replica, run.first.seq - 1});
    if (!before) return before.error();
    if (!*before || (*before)->last() != run.first.seq - 1) return chain{};
    return chain{(*before)->chain};
  }
  auto space = get_sealed(from, area::meta, "space");
  if (!space) return space.error();
  auto origin = get_sealed(from, area::roster, index_key(run.first.replica));
  if (!origin) return origin.error();
  const auto s = space_id::from_bytes(space->value_or(bytes_view{}));
  const auto o = replica_id::from_bytes(origin->value_or(bytes_view{}));
  if (!s || !o) return chain{};
  return chain{chain_start(*s, *o)};
}

/// The place of the changeset `at`; nothing when it is not in the log. Errors: checksum, also
/// where `at` is within a run and the changesets before it in there are damaged; malformed.
template <storage_view V>
result<std::optional<log_place>> find_changeset(V& from, dot at, log_reader& reader) {
  using place = std::optional<log_place>;
  auto run = find_run(from, at);
  if (!run) return run.error();
  if (!*run) return place{};
  const auto& r = **run;
  if (at.seq == r.last()) return place{{r.position_of(at.seq), r.chain}};
  auto chain = chain_before(from, r);
  if (!chain) return chain.error();
  if (!*chain) return place{};
  auto seq = r.first.seq;
  auto next = r.position;
  auto scanned = scan_log(from, r.position, reader, [&](std::uint64_t position, bytes_view data) {
    if (position < next) return true;
    if (position > next) return false;
    *chain = chain_next(**chain, data);
    if (seq++ == at.seq) return false;
    next += r.step(seq - 1 - r.first.seq);
    return true;
  });
  if (!scanned) return scanned.error();
  if (seq != at.seq + 1) return place{};
  return place{{next, **chain}};
}
template <storage_view V>
result<std::optional<log_place>> find_changeset(V& from, dot at) {
  log_reader reader;
  return find_changeset(from, at, reader);
}

}  // namespace joinery::history
