// identity: the part of an engine that knows who it is.
//
// Purpose: new ids for copies and stores that were put back, what was given away under the present
// one, and forks of other origins: what sessions need to settle both by themselves.
// Invariants: a replica never writes under an id that a copy of it may write under as well, once
// that can be known; a fork that was found stays known.
// Thread-safety: as the engine, which it is a part of.
#pragma once

#include <span>

#include "joinery/replica/fork_ledger.hpp"
#include "joinery/replica/renewal.hpp"
#include "joinery/replica/status.hpp"

namespace joinery::detail {

template <class Engine>
class identity_of {
 public:
  /// Takes a new replica id, for a store that is a copy of another or was put back from an older
  /// image. What it wrote up to `common` stays as it is; what it wrote since goes on under the new
  /// id. Sessions do this by themselves. Where the log does not reach back to the beginning,
  /// records that it changed since are quarantined until a peer gives them. Errors: gap (the log
  /// does not even reach back to `common`), read_only, and the storage's.
  result<> renew(std::uint64_t common) {
    if (auto bad = unwritable()) return *bad;
    const auto kept = self().retention_.hold(self().retention_.floor().position);
    if (auto done = self().finish_join(); !done) return done;
    if (auto done = self().checkpoint(); !done) return done;
    auto restamped = renew_store(self().storage_, state(), marks_, self().retention_.floor(),
                                 fresh_id(), common, self().now_ms());
    if (!restamped) return restamped.error();
    return *restamped ? reload() : result<>{};
  }
  /// Whether memory knows what the store holds. After a renewal whose end could not be read it does
  /// not, and nothing is answered before it could be. Errors: the storage's.
  result<> known() { return lost_ ? reload() : result<>{}; }
  [[nodiscard]] bool may_renew() const noexcept {
    return self().options_.renew && !self().read_only_;
  }
  /// How far what this replica wrote may be known to others: what a session has sent or was about
  /// to, and what others' changesets have seen.
  [[nodiscard]] std::uint64_t given_away() const {
    auto out = marks_.offered;
    if (const auto own = state().replicas.find(state().self))
      for (causal::replica_index r = 0; r < state().origins.size(); ++r)
        if (r != *own) out = std::max(out, state().origins[r].seen.at(*own));
    return out;
  }
  /// To be called before what is durable is sent to a peer: it may be known from now on.
  result<> offer() {
    const auto last = self().durable_.own(state());
    if ((last <= marks_.offered && !unnoted_) || self().read_only_) return {};
    auto done = self().storage_.write([&](auto& writer) -> result<> {
      own_marks::put_offered(writer, last);
      return {};
    });
    if (done && self().storage_.mode() == history::durability::interval)
      done = self().storage_.sync();
    // A full device still gives what it has; the note is made when there is room.
    unnoted_ = !done && done.error().code == errc::full;
    if (done || unnoted_) marks_.offered = std::max(marks_.offered, last);
    return unnoted_ ? result<>{} : done;
  }
  /// While somebody follows, each commit notes in its own transaction that it is offered.
  void follow(bool on) noexcept { followers_ += on ? 1u : ~0u; }
  /// Random, of this object: tells a store that meets itself from one that meets its copy.
  [[nodiscard]] const replica_id& instance() {
    if (instance_.is_none()) instance_ = fresh_id();
    return instance_;
  }

  /// The origins whose history is known to part.
  [[nodiscard]] std::vector<fork_report> forks() const { return ledger_.forks(); }
  /// Keeps a changeset that stands under a dot for which the log has another: see `fork_ledger`.
  result<bool> note_fork(const replica_id& origin, std::uint64_t seq, bytes_view theirs) {
    if (self().read_only_) return false;
    return ledger_.note(self().storage_, state(), origin, seq, theirs);
  }
  /// What may go to a peer that shares the history of `origin` up to `common` only.
  result<clean_versions> clean_of(const replica_id& origin, std::uint64_t common) {
    return fork_ledger::clean_of(self().storage_, state(), origin, common);
  }
  /// A changeset of the log; empty when it is not there.
  result<bytes> changeset_at(const replica_id& origin, std::uint64_t seq) {
    const auto r = state().replicas.find(origin);
    return r ? fork_ledger::logged(self().storage_, self().state_, {*r, seq})
             : result<bytes>{bytes{}};
  }

 protected:
  void tell_identity(replica_status& s) const {
    s.former_ids = marks_.former;
    s.forks = forks();
  }

  // Why nothing can be written, if so.
  [[nodiscard]] std::optional<error> unwritable() {
    if (auto done = known(); !done) return done.error();
    if (self().read_only_)
      return error{errc::read_only, "a change to a replica that was opened for reading", "",
                   "open it for writing"};
    if (auto running = self().repairs_.running(); !running) return running.error();
    return std::nullopt;
  }

  random_source& random() {
    return self().options_.random != nullptr ? *self().options_.random : system_random_;
  }

  // To be called in the transaction of each commit, and once it is done.
  template <history::storage_writer W>
  void note_commit(W& writer, std::uint64_t seq) const {
    if (followers_ > 0) own_marks::put_offered(writer, seq);
  }
  void committed(std::uint64_t seq) {
    if (followers_ > 0) marks_.offered = seq;
  }

  // The batch was refused, since it shows a fork. Best effort: it stays refused in any case.
  void keep_evidence(std::span<const bytes_view> changesets) {
    for (const auto data : changesets)
      if (const auto dot = codec::peek_dot(data); dot && dot->first != state().self)
        if (const auto noted = note_fork(dot->first, dot->second, data); noted && *noted) return;
  }

  result<> load_identity() {
    auto done = self().storage_.read([&](auto& view) -> result<> {
      auto marks = own_marks::read(view);
      if (!marks) return marks.error();
      marks_ = std::move(*marks);
      return {};
    });
    return done ? ledger_.load(self().storage_) : done;
  }

  // Bytes that lie elsewhere than when they were last written are those of a copy.
  result<> take_place() {
    const auto place = place_of(self().storage_);
    if (self().read_only_ || place.empty() || place == marks_.place) return {};
    if (!marks_.place.empty() && self().options_.renew) return renew(~std::uint64_t{0});
    return self().storage_.write([&](auto& writer) -> result<> {
      marks_.place = place;
      marks_.put(writer);
      return {};
    });
  }

  own_marks marks_;

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }
  replica_state& state() noexcept { return self().state_; }
  const replica_state& state() const noexcept { return self().state_; }

  // The store is another than memory knows; of two concurrent writes the other one may now show.
  result<> reload() {
    self().readers_->suspend(state(), true);
    self().drop_tail();
    self().durable_.hold(state());  // what peers see until the state is there again
    self().state_ = {};
    self().held_ = {};
    self().snapshots_ = {};
    lost_ = false;  // loading reads as all others do
    auto done = self().load();
    lost_ = !done;
    self().readers_->suspend(state(), lost_);
    if (done) self().notify_reset();
    return done;
  }

  [[nodiscard]] replica_id fresh_id() { return new_replica_id(random()); }

  system_random system_random_;
  fork_ledger ledger_;
  unsigned followers_ = 0;
  bool unnoted_ = false;  ///< `offered` is not stored yet
  replica_id instance_;
  bool lost_ = false;  ///< memory no longer knows what the store holds
};

}  // namespace joinery::detail
