// version: a version vector over replica indexes.
//
// Purpose: for each replica, how many of its changesets have been integrated: the causal context of
// the whole space (Parker et al. 1983; delivery is causal, so no holes need to be told).
// Invariants: contiguous by construction: `at(r) == n` says that 1 … n of r are all in.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <vector>

#include "joinery/causal/dot.hpp"

namespace joinery::causal {

class version {
 public:
  [[nodiscard]] seq_number at(replica_index replica) const noexcept {
    return replica < seqs_.size() ? seqs_[replica] : 0;
  }
  [[nodiscard]] bool seen(dot d) const noexcept { return d.seq <= at(d.replica); }

  void set(replica_index replica, seq_number seq) {
    if (replica >= seqs_.size()) {
      if (seq == 0) return;
      seqs_.resize(replica + std::size_t{1});
    }
    seqs_[replica] = seq;
  }
  void raise(dot d) {
    if (!seen(d)) set(d.replica, d.seq);
  }
  /// Pointwise greatest: what a join of two states has seen.
  void merge(const version& other) {
    for (replica_index r = 0; r < other.size(); ++r) raise({r, other.at(r)});
  }
  /// Whether everything in `other` is in this.
  [[nodiscard]] bool covers(const version& other) const noexcept {
    for (replica_index r = 0; r < other.size(); ++r)
      if (other.at(r) > at(r)) return false;
    return true;
  }
  /// One past the greatest index that may be above 0.
  [[nodiscard]] replica_index size() const noexcept {
    return static_cast<replica_index>(seqs_.size());
  }
  /// How many bytes it takes on the heap.
  [[nodiscard]] std::size_t memory() const noexcept {
    return seqs_.capacity() * sizeof(seq_number);
  }
  /// How many changesets it names in all.
  [[nodiscard]] std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const auto seq : seqs_) sum += seq;
    return sum;
  }

  friend bool operator==(const version& a, const version& b) noexcept {
    return a.covers(b) && b.covers(a);
  }

 private:
  std::vector<seq_number> seqs_;
};

}  // namespace joinery::causal
