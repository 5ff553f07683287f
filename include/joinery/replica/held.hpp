// held_changesets: what has arrived too early.
//
// Purpose: changesets whose predecessors have not come yet, or that are stamped too far in the
// future. They are kept in the storage, shown to nobody, and let in when their time has come.
// Invariants: bounded in bytes and number; a changeset is held once.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <map>
#include <utility>

#include "joinery/base/bytes.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/history/log.hpp"

namespace joinery::detail {

class held_changesets {
 public:
  using name = std::pair<replica_id, std::uint64_t>;

  static bytes storage_key(const name& n) {
    bytes key{n.first.view()};
    byte_writer{key}.fixed64(n.second);
    return key;
  }
  static std::optional<name> name_of(bytes_view key) {
    const auto id = replica_id::from_bytes(key.substr(0, 16));
    if (!id || key.size() != 24) return std::nullopt;
    return name{*id, byte_reader{key.substr(16)}.fixed64()};
  }

  [[nodiscard]] bool contains(const name& n) const { return held_.contains(n); }
  void add(const name& n, bytes changeset) {
    size_ += changeset.size();
    held_.emplace(n, std::move(changeset));
  }
  void erase(const name& n) {
    const auto at = held_.find(n);
    if (at == held_.end()) return;
    size_ -= at->second.size();
    held_.erase(at);
  }

  [[nodiscard]] std::size_t count() const noexcept { return held_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return held_.empty(); }

  /// The changeset `n`; null when it is not held.
  [[nodiscard]] const bytes* find(const name& n) const {
    const auto at = held_.find(n);
    return at == held_.end() ? nullptr : &at->second;
  }
  /// Whatever is held and `seen(name)` says is known by now.
  template <class F>
  [[nodiscard]] std::vector<name> known(F&& seen) const {
    std::vector<name> out;
    for (const auto& [n, changeset] : held_)
      if (seen(n)) out.push_back(n);
    return out;
  }
  /// Each origin that has something held, once.
  [[nodiscard]] std::vector<replica_id> origins() const {
    std::vector<replica_id> out;
    for (const auto& [n, changeset] : held_)
      if (out.empty() || out.back() != n.first) out.push_back(n.first);
    return out;
  }

 private:
  std::map<name, bytes> held_;
  std::size_t size_ = 0;
};

}  // namespace joinery::detail
