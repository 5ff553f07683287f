// LMDB's file format, version 1, as far as it must be judged before LMDB touches a file.
//
// Purpose: LMDB 0.9 trusts a file whose first page looks right: a short or damaged one ends in
// SIGBUS, a division by zero or a failed assertion. The two meta pages are read and judged here
// first.
// Invariants: the structures have the layout of LMDB on this machine (its files are not portable
// between word sizes and byte orders); nothing here follows a page number without comparing it with
// the file's size.
// Thread-safety: pure functions and values.
#pragma once

#include <array>
#include <cstring>

#include "joinery/store/detail/posix_file.hpp"

namespace joinery::store::detail::lmdb_format {

struct page {
  std::size_t number;
  std::uint16_t pad, flags;
  std::uint16_t lower, upper;  // of an overflow page's first: together its count of pages
};
// In the file a page has exactly one of these flags; LMDB would write through the map to one that
// says "dirty".
inline constexpr std::uint16_t branch_page = 1, leaf_page = 2, overflow_page = 4, meta_page = 8;

struct node {
  std::uint16_t low, high;  // on a big-endian machine the other way round
  std::uint16_t flags, key_size;
};
inline constexpr std::uint16_t big_node = 1, tree_node = 2, duplicates_node = 4;

struct tree {
  std::uint32_t pad;  // of the first tree: the page size
  std::uint16_t flags, depth;
  std::size_t branch_pages, leaf_pages, overflow_pages, entries, root;
};
inline constexpr std::size_t no_root = static_cast<std::size_t>(-1);
inline constexpr std::uint16_t integer_keys = 8;

struct meta {
  std::uint32_t magic, version;
  std::size_t address, map_bytes;
  tree free, names;
  std::size_t last_page, transaction;
};
inline constexpr std::uint32_t magic = 0xBEEFC0DE, version = 1;
inline constexpr std::size_t least_page_bytes = 512, most_page_bytes = 0x8000;
inline constexpr std::size_t most_map_bytes =
    sizeof(std::size_t) > 4 ? std::size_t{1} << 46 : ~std::size_t{0};

static_assert(sizeof(node) == 8 && sizeof(page) == sizeof(std::size_t) + 8);
static_assert(sizeof(tree) == 8 + 5 * sizeof(std::size_t));

/// A structure at `offset` of `from`, which must hold it.
template <class T>
T load(bytes_view from, std::size_t offset = 0) noexcept {
  T out;
  std::memcpy(&out, from.data() + offset, sizeof out);
  return out;
}

/// What the two meta pages say together.
struct header {
  std::size_t page_bytes = 0;
  std::array<meta, 2> metas{};

  [[nodiscard]] const meta& newest() const noexcept {
    return metas[metas[0].transaction < metas[1].transaction ? 1 : 0];
  }
  /// How much of the file the newest image may use.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept {
    return (newest().last_page + 1) * std::uint64_t{page_bytes};
  }
};

inline error damaged(std::string what, std::string where) {
  return {errc::malformed, std::move(what), std::move(where),
          "keep the directory for inspection, and restore the store from a backup or start an "
          "empty one and sync it with a peer"};
}

inline result<meta> read_meta(bytes_view raw, const std::string& where) {
  if (raw.size() < sizeof(page) + sizeof(meta)) {
    return damaged("the data file ends within its first two pages", where);
  }
  if ((load<page>(raw).flags & meta_page) == 0) {
    return damaged("the data file is not one of LMDB's, or its first pages are damaged", where);
  }
  const auto out = load<meta>(raw, sizeof(page));
  if (out.magic != magic) return damaged("the data file is not one of LMDB's", where);
  if (out.version != version) {
    return error{errc::unsupported,
                 "the data file has LMDB's format version " + std::to_string(out.version), where,
                 "this program reads version 1: open it with the program that wrote it"};
  }
  return out;
}

/// Whether page `number` has nothing but what LMDB writes there before any transaction, or a part
/// of that.
inline bool is_beginning(bytes_view raw, std::size_t number) {
  bytes there{raw.substr(0, sizeof(page) + sizeof(meta))};
  there.resize(sizeof(page) + sizeof(meta), '\0');
  const struct {
    page front;
    std::uint32_t magic_number, version_number;
  } first{{number, 0, meta_page, 0, 0}, magic, version};
  bytes expected(sizeof(first), '\0');
  std::memcpy(expected.data(), &first, sizeof(first));
  for (std::size_t at = 0; at < expected.size(); ++at)
    if (there[at] != '\0' && there[at] != expected[at]) return false;
  const auto m = load<meta>(there, sizeof(page));
  return m.transaction == 0 && m.last_page <= 1;
}

/// The header of a data file, or nothing when no transaction was ever written: the file is empty,
/// or a crash caught LMDB while it wrote the first two pages. `after_crash`: then any part of them
/// may be missing, which in a store that was closed is damage.
inline result<std::optional<header>> read_header(const file& data, const std::string& where,
                                                 bool after_crash) {
  const auto size = data.size();
  auto start = data.read_at(0, 2 * most_page_bytes);
  if (!start) return start.error();
  const auto usual = std::min(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), start->size());
  if (after_crash && size <= 2 * usual && is_beginning(bytes_view(*start).substr(0, usual), 0) &&
      is_beginning(bytes_view(*start).substr(usual), 1)) {
    return std::optional<header>{};
  }
  if (size <= 2 * most_page_bytes && size % least_page_bytes == 0 &&
      start->find_first_not_of('\0') == bytes::npos) {  // at most its length reached the device
    return std::optional<header>{};
  }
  header out;
  const auto first = read_meta(*start, where);
  if (!first) return first.error();
  out.metas[0] = *first;
  out.page_bytes = first->free.pad;
  const auto unit = out.page_bytes;
  if (unit < least_page_bytes || unit > most_page_bytes || (unit & (unit - 1)) != 0) {
    return damaged("an impossible page size: " + std::to_string(unit), where);
  }
  const auto second_page = bytes_view(*start).substr(std::min(unit, start->size()));
  if (first->transaction == 0 && first->last_page == 1 && size <= 2 * unit &&
      second_page.find_first_not_of('\0') == bytes_view::npos) {
    return std::optional<header>{};
  }
  const auto second = read_meta(second_page, where);
  if (!second) return second.error();
  out.metas[1] = *second;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const auto& m = out.metas[slot];
    const bool in_its_slot = m.transaction == 0 || m.transaction % 2 == slot;
    if (m.free.pad != unit || !in_its_slot || m.free.flags != integer_keys || m.names.flags != 0 ||
        m.map_bytes > most_map_bytes || m.last_page < 1 || m.last_page >= m.map_bytes / unit) {
      return damaged("meta page " + std::to_string(slot) + " contradicts itself", where);
    }
  }
  if (size < 2 * unit) return damaged("the data file ends within its first two pages", where);
  return std::optional<header>{out};
}

}  // namespace joinery::store::detail::lmdb_format
