// durable_log: how far the log is on the device, and the heads there: what sessions may show.
//
// Purpose: after each commit that is durable the heads are those of the state, which nobody lists:
// there may be thousands. A list is kept while the state is ahead of the device, stopped at damage,
// or read anew.
// Invariants: nothing is shown that the device may lose.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

class durable_log {
 public:
  /// All that `state` has is durable. `by_commits`: as everything will be that is put into it.
  void reaches(const replica_state& state, bool by_commits) {
    position_ = state.last_position;
    heads_.reset();
    if (!by_commits) hold(state);
  }
  void reaches(std::uint64_t position, std::vector<history::head> heads) {
    position_ = position;
    heads_ = std::move(heads);
  }
  /// The heads stay as they are, whatever becomes of `state`.
  void hold(const replica_state& state) { heads_ = heads(state); }

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] std::vector<history::head> heads(const replica_state& state) const {
    if (heads_) return *heads_;
    std::vector<history::head> out;
    out.reserve(state.origins.size());
    for (causal::replica_index r = 0; r < state.origins.size(); ++r)
      if (const auto& o = state.origins[r]; o.seq > 0)
        out.push_back({state.replicas[r], o.seq, o.chain});
    return out;
  }
  /// The number of the replica's own last changeset there; 0 when there is none.
  [[nodiscard]] std::uint64_t own(const replica_state& state) const {
    if (!heads_) {
      const auto own = state.replicas.find(state.self);
      return own && *own < state.origins.size() ? state.origins[*own].seq : 0;
    }
    for (const auto& h : *heads_)
      if (h.origin == state.self) return h.seq;
    return 0;
  }

 private:
  std::uint64_t position_ = 0;
  std::optional<std::vector<history::head>> heads_;  // none: those of the state
};

}  // namespace joinery::detail
