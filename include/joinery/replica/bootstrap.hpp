// bootstrap: the part of an engine that knows where its log ends below, serves snapshots, and joins
// one from a peer.
//
// Purpose: a peer that is below the log's floor gets the state instead, and then the tail. It is
// joined into whatever the receiver has of its own: a short transaction moves version, floor and
// mark, and the records follow, when they are read or a few at a time.
// Invariants: until the join nothing of a snapshot shows; afterwards all of it does. A crash leaves
// the one or the other.
// Thread-safety: as the engine, which is the only one to derive from it.
#pragma once

#include <memory>

#include "joinery/replica/compaction.hpp"
#include "joinery/replica/snapshot_serving.hpp"
#include "joinery/replica/snapshotting.hpp"
#include "joinery/replica/staging.hpp"

namespace joinery::detail {

template <class Engine>
class bootstrap {
 public:
  /// How many snapshots were joined since the replica was opened: what a join brought is not in the
  /// log.
  [[nodiscard]] std::uint64_t joins() const { return self().state_.joins; }

  /// Up to where the log may lack changesets, and the position up to which its entries are gone.
  [[nodiscard]] const history::log_floor& log_floor() const noexcept {
    return self().retention_.floor();
  }
  /// A peer is known to have `heads`, durably. Own changesets that no peer has stay in the log.
  void acknowledged(std::span<const history::head> heads) {
    for (const auto& h : heads)
      if (wrote(h.origin))
        if (const auto ours = chain_at(h.origin, h.seq); ours && *ours && **ours == h.chain)
          self().retention_.acknowledged({*self().state_.replicas.find(h.origin), h.seq});
  }

  /// The chain of an origin at a changeset; nothing when that is not here, or it is damaged, which
  /// is mended in a session.
  result<std::optional<crypto::digest>> chain_at(const replica_id& origin, std::uint64_t seq) {
    std::optional<crypto::digest> chain;
    auto position = position_of(origin, seq);
    if (!position) return position.error();
    if (!*position) return chain;
    const causal::dot at{*self().state_.replicas.find(origin), seq};
    auto done = self().storage_.read([&](auto& view) -> result<> {
      auto place = history::find_changeset(view, at, self().state_.log);
      if (place && *place) chain = (*place)->chain;
      return place || place.error().code == errc::checksum ? result<>{} : place.error();
    });
    if (!done) return done.error();
    return chain;
  }

  result<std::optional<std::uint64_t>> log_position(const replica_id& origin, std::uint64_t seq) {
    auto position = position_of(origin, seq);
    if (position && *position &&
        seq <= self().retention_.floor().version.at(*self().state_.replicas.find(origin)))
      position->reset();
    return position;
  }

  // --- To a peer that is behind ---

  /// Begins, or goes on with, what the peer asks for in its request. Errors: malformed; the
  /// storage's.
  result<snapshot_serving> serve_snapshot(bytes_view request, std::size_t chunk_bytes) {
    auto& e = self();
    const auto wanted = read_request(request);
    if (!wanted)
      return error{errc::malformed, "a request for a snapshot that cannot be read", "",
                   "the peer is at fault"};
    if (auto done = e.flush(); !done) return done.error();
    if (auto done = e.fold_rest(); !done) return done.error();
    if (auto whole = whole_state(); !whole) return whole.error();
    auto rest = snapshot_serving::rest(*wanted, e.storage_, e.state_, e.retention_);
    if (!rest) return rest.error();
    if (*rest) return std::move(**rest);
    return snapshot_serving::all(e.state_, e.retention_, chunk_bytes);
  }
  /// The next chunk; nothing once the tail is due.
  result<std::optional<bytes>> next_chunk(snapshot_serving& s, std::size_t chunk_bytes) {
    auto& e = self();
    if (auto done = e.flush(); !done) return done.error();
    if (auto done = e.fold_rest(); !done) return done.error();
    if (s.outdated(e.state_)) s = snapshot_serving::all(e.state_, e.retention_, chunk_bytes);
    auto cold = e.cold();
    if (auto whole = whole_state(); !whole) return whole.error();
    auto chunk = s.next(e.state_, cold, chunk_bytes);
    while (!chunk && e.mends(chunk.error())) {
      if (auto whole = whole_state(); !whole) return whole.error();
      s = snapshot_serving::all(e.state_, e.retention_, chunk_bytes);
      chunk = s.next(e.state_, cold, chunk_bytes);
    }
    return chunk;
  }
  [[nodiscard]] bool outdated(const snapshot_serving& s) const { return s.outdated(self().state_); }
  /// What the peer has once it has the records, before the tail.
  [[nodiscard]] std::vector<history::head> base_of(const snapshot_serving& s) const {
    std::vector<history::head> out;
    for (causal::replica_index r = 0; r < s.base().size(); ++r)
      if (s.base().at(r) > 0) out.push_back({self().state_.replicas[r], s.base().at(r), {}});
    return out;
  }

  // --- From a peer that is ahead ---

  /// What to ask a peer for. Nothing while the snapshot is taken from another session: `session` is
  /// whatever lives as long as that.
  result<std::optional<bytes>> request_snapshot(const std::shared_ptr<const void>& session) {
    const auto other = receiving_.lock();
    if (other && other != session) return std::optional<bytes>{};
    if (auto bad = self().unwritable()) return *bad;
    if (auto done = finish_join(); !done) return done.error();
    receiving_ = session;
    return std::optional<bytes>{write_request(staging_.request(self().state_))};
  }

  /// Takes one chunk. When it was the last, the snapshot is joined: gives the heads that are
  /// covered now. Errors: malformed, fork, clock_drift, too_large (what is staged is dropped); the
  /// storage's.
  result<std::optional<std::vector<history::head>>> take_chunk(
      bytes_view chunk, const std::shared_ptr<const void>& session = {}) {
    using heads = std::vector<history::head>;
    auto& e = self();
    if (auto may = writable(session); !may) return may.error();
    auto kind = staging_.take(e.storage_, e.state_, e.options_, e.latest_ms(), chunk);
    e.gate_.tried(kind ? result<>{} : kind.error(), chunk.size(), e.now_ms());
    if (!kind) return failed(kind.error());
    if (*kind != chunk_kind::end) return std::optional<heads>{};
    auto joined = join();
    if (!joined) return failed(joined.error());
    receiving_.reset();
    return std::optional<heads>{std::move(*joined)};
  }

  /// Takes changesets that follow the snapshot's records. Errors: as `take_chunk`. Whether they may
  /// come in at all was judged by the peer, which holds them: this replica may not know of the
  /// admissions yet that stand in the records before them.
  result<> take_tail(std::span<const bytes_view> changesets,
                     const std::shared_ptr<const void>& session = {}) {
    auto& e = self();
    if (auto may = writable(session); !may) return may;
    auto done = staging_.take_tail(e.storage_, e.state_, e.options_, e.latest_ms(), changesets);
    std::size_t size = 0;
    for (const auto data : changesets) size += data.size();
    e.gate_.tried(done, size, e.now_ms());
    return done ? done : failed(done.error());
  }

 protected:
  // Where a durable changeset stands.
  result<std::optional<std::uint64_t>> position_of(const replica_id& origin, std::uint64_t seq) {
    std::optional<std::uint64_t> position;
    const auto r = self().state_.replicas.find(origin);
    if (!r || seq == 0) return position;
    auto done = self().storage_.read([&](auto& view) -> result<> {
      auto found = history::find_position(view, {*r, seq});
      if (!found) return found.error();
      position = *found;
      return {};
    });
    if (!done) return done.error();
    if (position && *position > self().durable_.position()) position.reset();
    return position;
  }

  /// Once, before the log is replayed.
  result<> load_bootstrap() {
    auto& e = self();
    compaction_.log_changed();
    pending_.reset();
    join_cursor_.clear();
    auto read = e.storage_.read([&](auto& view) -> result<> {
      auto stored = history::get_sealed(view, history::area::meta, "join");
      if (!stored) return stored.error();
      leftovers_ = view.last(history::area::staged).has_value();
      if (!*stored) return {};
      auto join = read_join(**stored);
      if (!join) return join.error();
      pending_ = std::make_shared<const pending_join>(std::move(*join));
      return {};
    });
    if (!read) return read;
    const auto& joins = e.retention_.floor().joins;
    e.state_.joined_at = joins.empty() ? 0 : joins.back();
    e.state_.joining = pending_ != nullptr;
    auto loaded = staging_.load(e.storage_);
    if (loaded || e.read_only_ || loaded.error().code != errc::checksum) return loaded;
    return drop_staged();
  }

  /// Drops a few of the oldest log entries, when it is time, or else merges a few. True when there
  /// is more to do.
  result<bool> trim_log() {
    auto& e = self();
    auto more = e.retention_.step(e.storage_, e.state_, e.marks_.former, e.snapshots_.position(),
                                  e.upkeep_.read_up_to(), e.now_ms(), e.options_);
    if (more && *more) return more;
    constexpr int steps = 4;
    if (!e.repairs_.ledger().log_entries().empty()) return compaction_.log_changed(), false;
    for (int n = 0; n < steps; ++n) {
      const auto stored = compaction_.stored();
      more = compaction_.step(e.storage_, e.state_, e.retention_.floor(), e.snapshots_.position(),
                              e.options_);
      if (compaction_.stored() != stored) e.retention_.log_changed();
      if (!more || !*more) break;
    }
    if (!more && more.error().code == errc::checksum)
      for (const auto at : compaction_.reading_at())
        static_cast<void>(e.repairs_.log_damaged(e.storage_, e.state_, at, e.now_ms()));
    return more;
  }

  /// A little of what is left to do after a join, or after a snapshot was given up.
  result<> bootstrap_step() {
    if (pending_) return self().tail_ ? result<>{} : join_step();
    if (!leftovers_ || !staging_.empty()) return {};
    auto more = clear_staged(self().storage_);
    if (!more) return more.error();
    leftovers_ = *more;
    return {};
  }

  // Nothing of a joined snapshot is left to be written.
  result<> finish_join() {
    if (auto done = self().fold_rest(); !done) return done;
    while (pending_)
      if (auto done = join_step(); !done) return done;
    return {};
  }

  // What was staged is of no use: the next transfer begins anew.
  result<> drop_staged() {
    leftovers_ = true;
    receiving_.reset();
    return staging_.drop(self().storage_);
  }

  joined_snapshot pending_;  // whose records are not all written yet; null when there is none

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }

  // What is missing here would be taken for absent by a peer.
  result<> whole_state() {
    auto& e = self();
    const auto& ledger = e.repairs_.ledger();
    if (ledger.met_any())
      if (auto done = e.repairs_.settle(e.storage_, e.state_, e.now_ms()); !done) return done;
    return ledger.missing_records().empty() ? result<>{} : damage::quarantined("the state");
  }

  // Whether it was this store, under this id or a former one.
  [[nodiscard]] bool wrote(const replica_id& id) const {
    const auto& former = self().marks_.former;
    return id == self().state_.self || std::find(former.begin(), former.end(), id) != former.end();
  }

  // `session`: who brings it; null when that is certain.
  result<> writable(const std::shared_ptr<const void>& session) {
    auto& e = self();
    if (session && session != receiving_.lock())
      return error{errc::gap, "the snapshot that this session brought was dropped", "",
                   "connect again: it begins anew"};
    if (auto bad = e.unwritable()) return *bad;
    return e.gate_.admit(e.now_ms(), e.options_.full_retry_ms);
  }

  // What a peer got wrong, or is damaged, is dropped; what the storage failed at may be tried
  // again.
  error failed(error e) {
    const bool spoilt = e.code == errc::malformed || e.code == errc::unsupported ||
                        e.code == errc::fork || e.code == errc::clock_drift ||
                        e.code == errc::too_large || e.code == errc::checksum;
    if (!spoilt) return e;
    if (auto dropped = drop_staged(); !dropped) return dropped.error();
    return e;
  }

  result<std::vector<history::head>> join() {
    auto& e = self();
    std::vector<history::head> reached;
    for (const auto& o : staging_.origins())
      reached.push_back({e.state_.replicas[o.index], o.known.seq, o.known.chain});
    if (auto same = compare_chains(reached); !same) return same.error();
    if (e.state_.seen.covers(staging_.seen())) {  // somebody else was quicker
      if (auto dropped = staging_.drop(e.storage_); !dropped) return dropped.error();
      leftovers_ = true;
      return reached;
    }
    // Every record as it is now stands in the storage, for the version of this moment.
    if (auto done = e.checkpoint(); !done) return done.error();
    e.repairs_.ledger().meet_owners(true);
    if (auto done = e.repairs_.settle(e.storage_, e.state_, e.now_ms()); !done) return done.error();
    if (auto done = flip(); !done) return done.error();
    if (e.storage_.mode() == history::durability::commit)
      e.all_is_durable();
    else if (auto done = e.flush(); !done)
      return done.error();
    e.upkeep_.took_snapshot(e.now_ms());
    static_cast<void>(e.schema_may_have_changed());  // what fails now is seen at the next opening
    e.notify_reset();
    if (auto released = e.take({}, false); !released) return released.error();
    return reached;
  }

  // Where both know an origin's chain at one changeset it must be the same.
  result<> compare_chains(const std::vector<history::head>& reached) {
    for (const auto& h : reached) {
      auto ours = self().chain_at(h.origin, h.seq);
      if (!ours) return ours.error();
      if (*ours && **ours != h.chain)
        return error{errc::fork, "two histories of one replica: the changesets differ",
                     "replica " + h.origin.hex() + " at or before " + std::to_string(h.seq),
                     "a store was copied or put back and written to"};
    }
    return {};
  }

  // The one moment at which the snapshot becomes part of the replica.
  result<> flip() {
    auto& e = self();
    auto& state = e.state_;
    pending_join join{state.last_position + 1, state.seen, staging_.seen()};
    history::snapshot_mark mark{join.position, state.clock.highest(), state.origins,
                                state.logged_bytes};
    auto floor = e.retention_.floor();
    floor.joins.push_back(join.position);
    std::vector<causal::dot> advanced;
    for (const auto& o : staging_.origins()) {
      if (o.known.seq <= state.seen.at(o.index)) continue;
      mark.origins[o.index] = o.known;
      mark.time = std::max(mark.time, o.known.time);
      advanced.push_back({o.index, o.known.seq});
      floor.version.raise(advanced.back());
      floor.changed.raise(advanced.back());
    }
    const auto known = e.held_.known([&](const held_changesets::name& n) {
      const auto r = state.replicas.find(n.first);
      return r && n.second <= std::max(state.seen.at(*r), join.other.at(*r));
    });
    using history::area;
    auto stored = e.storage_.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, area::meta, "snapshot", history::write_mark(mark));
      history::put_sealed(writer, area::meta, "floor", history::write_floor(floor));
      history::put_sealed(writer, area::meta, "join", write_join(join));
      writer.erase(area::meta, "staging");
      for (const auto d : advanced)
        history::put_dot(writer, d, {join.position, mark.origins[d.replica].chain});
      for (const auto& n : known) writer.erase(area::held, held_changesets::storage_key(n));
      // A record whose own half is missing comes whole from a peer, or not at all.
      for (const auto& r : e.repairs_.ledger().missing_records())
        writer.erase(area::staged, staged_key(r.table, r.key));
      return {};
    });
    if (!stored) return stored;
    const std::lock_guard lock(state.publication);
    for (const auto& n : known) e.held_.erase(n);
    state.origins = std::move(mark.origins);
    state.seen.merge(join.other);
    state.clock.observe(mark.time);
    state.last_position = join.position;
    ++state.joins;
    state.records.begin_anew();
    staging_ = {};
    pending_ = std::make_shared<const pending_join>(std::move(join));
    join_cursor_.clear();
    state.joined_at = pending_->position;
    state.joining = true;
    e.snapshots_.restored(pending_->position);
    e.retention_.restored(std::move(floor));
    return {};
  }

  // Some staged records are joined and written; or, when there are no more, the join is over.
  result<> join_step() {
    auto& e = self();
    std::vector<bytes> keys;
    auto read = e.storage_.read([&](auto& view) -> result<> {
      const bytes from = join_cursor_.empty() ? bytes{"r"} : join_cursor_ + '\0';
      view.scan(history::area::staged, from, [&](bytes_view key, bytes_view) {
        if (key[0] != 'r' || keys.size() >= e.options_.snapshot_step_records) return false;
        keys.emplace_back(key);
        return true;
      });
      return {};
    });
    if (!read) return read;
    if (keys.empty() && join_cursor_.empty()) return end_join();
    auto cold = e.cold();
    bytes done_up_to;
    std::vector<bytes> lost;  // staged halves of records whose own half is missing
    std::size_t size = 0;
    for (const auto& key : keys) {
      if (size >= e.options_.snapshot_step_bytes) break;
      const auto table = history::index_of(bytes_view{key}.substr(1));
      const auto name = history::after_index(bytes_view{key}.substr(1));
      auto slot = e.state_.records.load(cold, table, name);
      if (!slot && e.mends(slot.error())) slot = e.state_.records.load(cold, table, name);
      done_up_to = key;
      if (!slot && slot.error().code != errc::quarantined) return slot.error();
      if (!slot) {
        lost.push_back(key);
        continue;
      }
      const std::lock_guard lock(e.state_.publication);
      e.state_.records.changed(**slot, (*slot)->position);
      size += (*slot)->packed.size();
    }
    if (!lost.empty())
      if (auto erased = e.storage_.write([&](auto& writer) -> result<> {
            for (const auto& key : lost) writer.erase(history::area::staged, key);
            return {};
          });
          !erased)
        return erased;
    join_cursor_ = std::move(done_up_to);
    auto written = e.snapshots_.step(e.storage_, e.state_, e.options_);
    if (!written) return written.error();
    e.state_.records.shrink(e.options_.cache_bytes);
    return {};
  }

  result<> end_join() {
    auto& e = self();
    auto stored = e.storage_.write([&](auto& writer) -> result<> {
      writer.erase(history::area::meta, "join");
      return {};
    });
    if (!stored) return stored;
    const std::lock_guard lock(e.state_.publication);
    pending_.reset();
    e.state_.joining = false;
    leftovers_ = true;
    return {};
  }

  staging staging_;
  compaction compaction_;
  bytes join_cursor_;
  bool leftovers_ = false;
  std::weak_ptr<const void> receiving_;  // the session that the snapshot comes from
};

}  // namespace joinery::detail
