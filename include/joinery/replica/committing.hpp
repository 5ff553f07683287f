// committing: how local transactions become changesets, one by one or several in one write.
//
// Purpose: a base of `engine`, whose members it uses. A sync costs as much as hundreds of
// transactions, so that what several threads want committed at once is gathered and stored
// together (group_writer.hpp); each transaction stays a changeset of its own.
// Invariants: what is gathered has dots and stamps that follow each other, and is nowhere else
// until `commit_group`, which stores all of it or nothing. Nothing else may be committed or taken
// in meanwhile. A transaction that asks for a record which a gathered one changed has to have those
// committed first.
// Thread-safety: as the engine.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "joinery/codec/changeset_writer.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

template <class Engine>
class committing {
 public:
  /// The dot and stamp that the next transaction would have.
  [[nodiscard]] std::pair<causal::dot, causal::hlc> next_own_stamp() {
    auto clock = self().state_.clock;
    if (!gathered_.empty()) clock.observe(last_);
    return {next_dot(), clock.next(self().now_ms())};
  }

  /// Makes a transaction's operations the next gathered changeset; gives its dot. Nothing is
  /// stored. Errors: as of a commit.
  result<causal::dot> add_to_group(const codec::changeset_writer& changes) {
    if (auto bad = self().unwritable()) return *bad;
    if (auto may = self().upkeep_.may_write(self().state_, self().options_); !may)
      return may.error();
    const auto described = self().with_descriptors(changes);
    if (!described) return described.error();
    auto data = encode(*described ? **described : changes);
    if (!data) return data.error();
    const auto at = next_dot();
    if (*described) describes_ = true;  // once: the next would not know of it
    gathered_.push_back(std::move(*data));
    bytes_ += gathered_.back().size();
    changes.for_each_record(
        [&](std::string_view table, bytes_view key, const auto&) { touched_.emplace(table, key); });
    return at;
  }
  [[nodiscard]] bool has_group() const noexcept { return !gathered_.empty(); }
  /// Whether a gathered changeset is about this record.
  [[nodiscard]] bool group_touches(std::string_view table, bytes_view key) const {
    return !touched_.empty() && touched_.contains({std::string{table}, bytes{key}});
  }
  /// Whether so much is gathered that it should be committed.
  [[nodiscard]] bool group_is_full() const noexcept {
    return describes_ || gathered_.size() >= 256 || bytes_ >= std::size_t{1} << 20;
  }
  /// Stores what is gathered, in one durable write. After an error none of it was made.
  result<> commit_group() {
    if (gathered_.empty()) return {};
    const auto all = std::exchange(gathered_, {});
    touched_.clear();
    bytes_ = 0;
    describes_ = false;
    const std::vector<bytes_view> views(all.begin(), all.end());
    if (auto done = self().take(views, true); !done) return done.error();
    return {};
  }

 protected:
  /// Why nothing else may be taken in now.
  [[nodiscard]] std::optional<error> in_group() const {
    if (!has_group()) return std::nullopt;
    return error{errc::invalid_argument, "a change beside those that were gathered", "",
                 "commit the group first: use the replica through its group_writer alone"};
  }
  result<std::optional<causal::dot>> commit_shared(const codec::changeset_writer& changes) {
    if (auto may = self().upkeep_.may_write(self().state_, self().options_); !may)
      return may.error();
    const auto described = self().with_descriptors(changes);
    if (!described) return described.error();
    return append(*described ? **described : changes);
  }
  result<std::optional<causal::dot>> append(const codec::changeset_writer& changes) {
    const auto at = next_dot();
    const auto data = encode(changes);
    if (!data) return data.error();
    const bytes_view view{*data};
    if (auto done = self().take({&view, 1}, true); !done) return done.error();
    return std::optional<causal::dot>{at};
  }

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }

  [[nodiscard]] causal::dot next_dot() {
    auto& state = self().state_;
    const auto own = state.index_of(state.self);
    return {own, state.seen.at(own) + 1 + gathered_.size()};
  }
  result<bytes> encode(const codec::changeset_writer& changes) {
    auto& state = self().state_;
    const auto [at, time] = next_own_stamp();
    auto data = changes.encode(
        state.self, at.seq, time,
        gathered_.empty() ? state.newly_seen() : std::vector<codec::seen_increase>{});
    const auto limit = self().options_.max_changeset_bytes;
    if (data.size() > limit)
      return error{errc::too_large, "a transaction of " + std::to_string(data.size()) + " bytes",
                   "", "split it: the limit is " + std::to_string(limit)};
    last_ = time;
    return data;
  }

  std::vector<bytes> gathered_;  // changesets
  std::size_t bytes_ = 0;
  bool describes_ = false;  // one of them brings the space descriptors
  causal::hlc last_ = 0;    // the stamp of the last of them
  std::set<std::pair<std::string, bytes>> touched_;
};

}  // namespace joinery::detail
