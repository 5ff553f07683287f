// Walks every page that one image of an LMDB file uses, before LMDB does.
//
// Purpose: a file that was cut off, overwritten or has rotted gives an error that says where, not
// SIGBUS or a failed assertion inside LMDB. Also what makes a legitimately short file (its last
// pages are free) different from a cut one.
// Invariants: reads only below the file's end; takes memory for one bit a page, the list of free
// pages and 32 pages; every page is visited once, so that it ends on any input. Values are opaque
// here: their checksums are the history's.
// Thread-safety: a value. The image must not change meanwhile: hold the writer's lock or a read
// transaction on it.
#pragma once

#include <bit>
#include <vector>

#include "joinery/store/detail/lmdb_format.hpp"

namespace joinery::store::detail {

class lmdb_check {
 public:
  lmdb_check(const file& data, std::size_t page_bytes, const lmdb_format::meta& image,
             std::string where)
      : data_(data),
        page_bytes_(page_bytes),
        image_(image),
        where_(std::move(where)),
        used_(static_cast<std::size_t>(data.size() / page_bytes)) {}

  /// An error for the first fault found.
  result<> run() {
    claim(0, 2);
    walk_tree(image_.names, kind::names);
    walk_tree(image_.free, kind::free_pages);
    for (const auto page : free_) {
      if (page < used_.size()) claim(page, 1);
    }
    if (fault_) return *fault_;
    return {};
  }

 private:
  enum class kind { names, free_pages, entries };
  struct walk {
    kind what;
    bool integers;
    bytes last_key;
    bool any = false;
    std::size_t entries = 0;
    int levels = 0;
  };

  bool fail(const std::string& what, std::size_t page) {
    if (!fault_) {
      fault_ = lmdb_format::damaged("the data file is damaged: " + what,
                                    where_ + ", page " + std::to_string(page));
    }
    return false;
  }

  /// Notes that `count` pages from `first` are in use; false when that cannot be.
  bool claim(std::size_t first, std::size_t count) {
    if (fault_) return false;
    if (first > used_.size() || count > used_.size() - first) {
      return fail("it is cut off before a page that it uses", first);
    }
    for (std::size_t page = first; page < first + count; ++page) {
      if (used_[page]) return fail("a page is used twice", page);
      used_[page] = true;
    }
    return true;
  }

  std::optional<bytes> read(std::size_t first, std::size_t size) {
    auto raw = data_.read_at(std::uint64_t{first} * page_bytes_, size);
    if (!raw) {
      if (!fault_) fault_ = raw.error();
      return std::nullopt;
    }
    if (raw->size() != size)
      return fail("it is cut off before a page that it uses", first), std::nullopt;
    if (lmdb_format::load<lmdb_format::page>(*raw).number != first) {
      return fail("a page with the number of another", first), std::nullopt;
    }
    return std::move(*raw);
  }

  bool walk_tree(const lmdb_format::tree& tree, kind what) {
    if (fault_) return false;
    constexpr int most_levels = 32;  // LMDB's own limit
    walk w{what, (tree.flags & lmdb_format::integer_keys) != 0, {}};
    w.levels = tree.depth;
    const bool empty = tree.root == lmdb_format::no_root;
    if (w.levels > most_levels || empty != (w.levels == 0)) {
      return fail("a tree of an impossible depth", empty ? 0 : tree.root);
    }
    if (!empty && !walk_page(w, tree.root, 1)) return false;
    // LMDB edits the tree of free pages while it saves it: only the others' counts are told
    // exactly.
    if (what != kind::free_pages && w.entries != tree.entries) {
      return fail("a tree with " + std::to_string(w.entries) + " entries that should have " +
                      std::to_string(tree.entries),
                  tree.root);
    }
    return true;
  }

  bool walk_page(walk& w, std::size_t number, int level) {
    if (!claim(number, 1)) return false;
    const auto raw = read(number, page_bytes_);
    if (!raw) return false;
    const auto head = lmdb_format::load<lmdb_format::page>(*raw);
    const bool branch = level < w.levels;
    if (head.flags != (branch ? lmdb_format::branch_page : lmdb_format::leaf_page))
      return fail("a page of the wrong kind", number);
    if (head.lower < sizeof head || head.lower > head.upper || head.upper > page_bytes_ ||
        head.lower % 2 != 0) {
      return fail("a page whose bounds are impossible", number);
    }
    const std::size_t count = (head.lower - sizeof head) / 2;
    if (count < (branch && w.what != kind::free_pages ? 2U : 1U))
      return fail("an empty page", number);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = lmdb_format::load<std::uint16_t>(*raw, sizeof head + 2 * i);
      if (at < head.upper || at % 2 != 0 || at + sizeof(lmdb_format::node) > page_bytes_) {
        return fail("an entry outside its page", number);
      }
      const auto node = lmdb_format::load<lmdb_format::node>(*raw, at);
      const auto rest = bytes_view(*raw).substr(at + sizeof node);
      if (node.key_size > rest.size()) return fail("a key that leaves its page", number);
      if (branch ? !walk_page(w, child_of(node), level + 1)
                 : !visit(w, number, node, rest.substr(0, node.key_size),
                          rest.substr(node.key_size))) {
        return false;
      }
    }
    return true;
  }

  /// One entry of a leaf; `rest` is what follows its key in the page.
  bool visit(walk& w, std::size_t page, const lmdb_format::node& node, bytes_view key,
             bytes_view rest) {
    ++w.entries;
    if (key.empty() || (w.integers && key.size() != sizeof(std::size_t))) {
      return fail("a key of an impossible size", page);
    }
    if (w.any && !in_order(w, key)) return fail("keys out of order", page);
    w.last_key.assign(key);
    w.any = true;
    if ((node.flags & lmdb_format::duplicates_node) != 0) {
      return fail("an entry with several values, which joinery never writes", page);
    }
    const auto size = size_of(node);
    const bool big = (node.flags & lmdb_format::big_node) != 0;
    if ((big ? sizeof(std::size_t) : size) > rest.size())
      return fail("a value that leaves its page", page);
    if (big) return visit_big(w, page, lmdb_format::load<std::size_t>(rest), size);
    return visit_value(w, page, node.flags, rest.substr(0, size));
  }

  bool visit_big(walk& w, std::size_t page, std::size_t first, std::size_t size) {
    using head_type = lmdb_format::page;
    if (first >= used_.size()) return fail("it is cut off before a page that it uses", first);
    const auto raw = read(first, sizeof(head_type));
    if (!raw) return false;
    const auto head = lmdb_format::load<head_type>(*raw);
    const auto count = lmdb_format::load<std::uint32_t>(*raw, offsetof(head_type, lower));
    if (head.flags != lmdb_format::overflow_page ||
        count < (sizeof head - 1 + size) / page_bytes_ + 1) {
      return fail("a large value without its pages", page);
    }
    if (!claim(first, count)) return false;
    if (w.what != kind::free_pages) return true;
    const auto value = read(first, sizeof head + size);
    return value && visit_value(w, page, 0, bytes_view(*value).substr(sizeof head));
  }

  bool visit_value(walk& w, std::size_t page, unsigned flags, bytes_view value) {
    if (w.what == kind::free_pages) return visit_free(page, value);
    if ((flags & lmdb_format::tree_node) == 0) return true;
    if (w.what != kind::names || value.size() != sizeof(lmdb_format::tree)) {
      return fail("a tree where none can be", page);
    }
    return walk_tree(lmdb_format::load<lmdb_format::tree>(value), kind::entries);
  }

  /// A list of free pages: its length, then their numbers, the highest first.
  bool visit_free(std::size_t page, bytes_view list) {
    constexpr auto unit = sizeof(std::size_t);
    const auto count = list.size() < unit ? 1 : lmdb_format::load<std::size_t>(list);
    if (count > list.size() / unit - (list.size() < unit ? 0 : 1)) {
      return fail("a list of free pages that is too short", page);
    }
    auto above = image_.last_page + 1;
    for (std::size_t i = 1; i <= count; ++i) {
      const auto free = lmdb_format::load<std::size_t>(list, i * unit);
      if (free < 2 || free >= above) return fail("an impossible list of free pages", page);
      free_.push_back(above = free);
    }
    return true;
  }

  static bool in_order(const walk& w, bytes_view key) noexcept {
    if (!w.integers) return bytes_view(w.last_key) < key;
    return lmdb_format::load<std::size_t>(w.last_key) < lmdb_format::load<std::size_t>(key);
  }
  static constexpr bool little = std::endian::native == std::endian::little;
  static std::size_t size_of(const lmdb_format::node& n) noexcept {
    return little ? n.low | std::size_t{n.high} << 16 : n.high | std::size_t{n.low} << 16;
  }
  static std::size_t child_of(const lmdb_format::node& n) noexcept {
    if constexpr (sizeof(std::size_t) > 4) {
      return size_of(n) | static_cast<std::size_t>(std::uint64_t{n.flags} << 32);
    } else {
      return size_of(n);
    }
  }

  const file& data_;
  std::size_t page_bytes_;
  lmdb_format::meta image_;
  std::string where_;
  std::vector<bool> used_;
  std::vector<std::size_t> free_;
  std::optional<error> fault_;
};

}  // namespace joinery::store::detail
