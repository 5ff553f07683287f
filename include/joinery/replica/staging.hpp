// staging: a snapshot from a peer, until it is whole.
//
// Purpose: takes chunks in as they come, under this replica's own indexes, where nothing sees them;
// then folds the changesets of the tail into them. When it has reached all that any chunk had seen,
// every staged record is exact at one version, and may be joined.
// Keys: `meta` has "staging" → sealed progress. `staged` has "r…" (pending_join.hpp); "o", fixed32
// place → sealed origin; "v", fixed64 number → sealed version of some chunks; number 0 is the base.
// Invariants: each message is one transaction, progress included, so that a transfer goes on where
// it was cut; what is malformed changes nothing; bounded in bytes.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <set>
#include <span>
#include <unordered_map>

#include "joinery/replica/options.hpp"
#include "joinery/replica/pending_join.hpp"
#include "joinery/replica/replica_state.hpp"
#include "joinery/replica/snapshot_chunk.hpp"
#include "joinery/replica/staged_progress.hpp"
#include "joinery/replica/store_layout.hpp"

namespace joinery::detail {

class staging {
 public:
  /// What is staged already, for the peer that is to go on.
  [[nodiscard]] snapshot_request request(const replica_state& state) const {
    snapshot_request out;
    if (at_.phase < staged_phase::records) return out;
    for (const auto& o : origins_)
      out.reached.push_back({state.replicas[o.index], o.known.seq, o.known.time, o.known.chain});
    out.records_done = at_.phase == staged_phase::tail;
    out.table = at_.table;
    out.key = at_.key;
    for (causal::replica_index r = 0; r < at_.needed.size(); ++r)
      if (at_.needed.at(r) > seen_.at(r))
        out.needed.emplace_back(state.replicas[r], at_.needed.at(r));
    return out;
  }
  [[nodiscard]] bool empty() const noexcept { return at_.phase == staged_phase::none; }
  /// The version that the staged records stand for once all of the tail is in.
  [[nodiscard]] const causal::version& seen() const noexcept { return seen_; }
  [[nodiscard]] const std::vector<staged_origin>& origins() const noexcept { return origins_; }

  template <history::storage S>
  result<> load(S& storage) {
    staging fresh;
    auto done = storage.read([&](auto& view) -> result<> {
      fresh = {};
      auto stored = history::get_sealed(view, history::area::meta, "staging");
      if (!stored) return stored.error();
      if (!*stored) return {};
      auto progress = read_progress(**stored);
      if (!progress) return progress.error();
      fresh.at_ = std::move(*progress);
      result<> outcome;
      view.scan(history::area::staged, "o", [&](bytes_view key, bytes_view value) {
        if (key[0] != 'o') return false;
        auto o = open_staged_origin(key, value);
        if (!o)
          outcome = o.error();
        else
          fresh.put_origin(std::move(*o));
        return outcome.has_value();
      });
      return outcome;
    });
    if (done) *this = std::move(fresh);
    return done;
  }

  /// Takes one chunk. Errors: malformed, protocol, fork, clock_drift, too_large; the storage's.
  template <history::storage S>
  result<chunk_kind> take(S& storage, replica_state& state, const replica_options& limits,
                          std::uint64_t latest_ms, bytes_view chunk) {
    if (chunk.empty()) return bad("an empty chunk");
    const auto kind = static_cast<chunk_kind>(static_cast<std::uint8_t>(chunk[0]));
    const auto content = chunk.substr(1);
    result<> done;
    switch (kind) {
      case chunk_kind::begin: done = begin(storage, content); break;
      case chunk_kind::origins:
        done = take_origins(storage, state, limits, latest_ms, content);
        break;
      case chunk_kind::versions: done = take_versions(storage, content); break;
      case chunk_kind::records: done = take_records(storage, state, limits, content); break;
      case chunk_kind::tail: done = complete_records(storage, content); break;
      case chunk_kind::end:
        if (!content.empty() || at_.phase != staged_phase::tail || !seen_.covers(at_.needed))
          done = bad("its end before all of it was there");
        break;
      default: done = bad("a chunk of an unknown kind");
    }
    if (!done) return done.error();
    return kind;
  }

  /// Folds changesets of the tail into what is staged; those that are in it already are left out.
  /// Errors: as `take`.
  template <history::storage S>
  result<> take_tail(S& storage, replica_state& state, const replica_options& limits,
                     std::uint64_t latest_ms, std::span<const bytes_view> changesets) {
    if (at_.phase != staged_phase::tail) return bad("changesets before all records were there");
    const undo before{*this};
    std::map<std::size_t, staged_origin> changed;
    auto done = storage.write([&](auto& writer) -> result<> {
      before.restore(*this, changed);
      for (const auto data : changesets) {
        auto c = codec::decode_changeset(data);
        if (!c) return c.error();
        if (auto in = fold(writer, state, latest_ms, *c, data, changed); !in) return in;
      }
      put_new_names(writer, state);
      for (const auto& [place, was] : changed) put_staged_origin(writer, place, origins_[place]);
      return put_progress(writer, limits, at_);
    });
    if (done) return all_names_stored(state), done;
    before.restore(*this, changed);
    state.forget_unstored();
    return done;
  }

  /// Forgets everything. What is in the storage is cleared by `clear_staged`.
  template <history::storage S>
  result<> drop(S& storage) {
    *this = {};
    return storage.write([&](auto& writer) -> result<> {
      writer.erase(history::area::meta, "staging");
      return {};
    });
  }

  static error bad(std::string what) {
    return {errc::malformed, "a snapshot with " + std::move(what), "", "the peer is at fault"};
  }

 private:
  template <history::storage S>
  result<> begin(S& storage, bytes_view content) {
    if (content.size() != 1 || static_cast<std::uint8_t>(content[0]) > 1)
      return bad("a beginning that cannot be read");
    if (content[0] != 0)
      return at_.phase >= staged_phase::records ? result<>{} : bad("a rest without a beginning");
    if (!empty())
      if (auto dropped = drop(storage); !dropped) return dropped;
    if (auto cleared = clear_all_staged(storage); !cleared) return cleared;
    at_.phase = staged_phase::base;
    return storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, "staging", write_progress(at_));
      return {};
    });
  }

  template <history::storage S>
  result<> take_origins(S& storage, replica_state& state, const replica_options& limits,
                        std::uint64_t latest_ms, bytes_view content) {
    if (at_.phase != staged_phase::base) return bad("origins in the wrong place");
    const auto own = *state.replicas.find(state.self);
    std::vector<staged_origin> fresh;
    for (byte_reader in{content}; !in.at_end();) {
      const auto o = read_base_origin(in);
      if (!o || origins_.size() + fresh.size() >= max_snapshot_origins)
        return state.forget_unstored(), bad("origins that cannot be read");
      if (causal::hlc_ms(o->time) > latest_ms) return state.forget_unstored(), too_early(o->id);
      const auto index = state.index_of(o->id);
      const bool twice =
          seen_.at(index) > 0 ||
          std::any_of(fresh.begin(), fresh.end(), [&](const auto& f) { return f.index == index; });
      if (twice) return state.forget_unstored(), bad("an origin that is named twice");
      if (index == own && o->seq > state.seen.at(own))
        return state.forget_unstored(), outlived(o->id, o->seq);
      fresh.push_back({index, {o->seq, o->time, o->chain, {}}});
      fresh.back().known.seen.set(index, o->seq);
      if (auto fits = take_room(fresh.back().known.seen.size()); !fits)
        return state.forget_unstored(), fits;
    }
    auto next = at_;
    auto stored = storage.write([&](auto& writer) -> result<> {
      put_new_names(writer, state);
      next.size = at_.size;
      for (std::size_t n = 0; n < fresh.size(); ++n)
        next.size += put_staged_origin(writer, origins_.size() + n, fresh[n]);
      return put_progress(writer, limits, next);
    });
    if (!stored) return state.forget_unstored(), stored;
    all_names_stored(state);
    at_ = std::move(next);
    for (auto& o : fresh) put_origin(std::move(o));
    return {};
  }

  template <history::storage S>
  result<> take_versions(S& storage, bytes_view content) {
    if (at_.phase != staged_phase::base) return bad("versions in the wrong place");
    std::map<std::uint64_t, staged_origin> changed;
    byte_reader in{content};
    while (!in.at_end()) {
      const auto place = in.varint();
      const auto list = read_places(in, origins_.size());
      if (!in.ok() || place >= origins_.size()) return bad("versions that cannot be read");
      auto& o = changed.try_emplace(place, origins_[place]).first->second;
      for (const auto& p : list) {
        const auto& seen = origins_[p.place];
        if (p.seq > seen.known.seq || (p.place == place && p.seq != seen.known.seq))
          return bad("a version beyond its base");
        o.known.seen.set(seen.index, p.seq);
      }
      if (auto fits = take_room(list.size() + o.known.seen.size()); !fits) return fits;
    }
    auto stored = storage.write([&](auto& writer) -> result<> {
      for (const auto& [place, o] : changed)
        put_staged_origin(writer, static_cast<std::size_t>(place), o);
      return {};
    });
    if (!stored) return stored;
    for (auto& [place, o] : changed) origins_[place] = std::move(o);
    return {};
  }

  template <history::storage S>
  result<> take_records(S& storage, replica_state& state, const replica_options& limits,
                        bytes_view content) {
    if (at_.phase != staged_phase::base && at_.phase != staged_phase::records)
      return bad("records in the wrong place");
    const auto chunk = read_records_chunk(content, origins_.size());
    if (!chunk) return bad("records that cannot be read");
    const auto& first = chunk->records.front();
    if (std::pair<std::string_view, bytes_view>{first.table, first.key} <=
        std::pair<std::string_view, bytes_view>{at_.table, at_.key})
      return bad("records out of order");
    auto next = at_;
    next.phase = staged_phase::records;
    next.table = chunk->records.back().table;
    next.key = chunk->records.back().key;
    crdt::reindexing map;
    auto read_at = version_of(*chunk, state, map);
    if (!read_at) return state.forget_unstored(), read_at.error();
    if (*read_at != last_version_ || last_number_ != at_.versions) ++next.versions;
    next.needed.merge(*read_at);

    std::vector<std::pair<bytes, bytes>> local;
    for (const auto& r : chunk->records) {
      auto packed = state::local_record(r.portable, map, state.names);
      if (!packed.empty()) local.emplace_back(staged_key(state.names.add(r.table), r.key), packed);
    }
    auto stored = storage.write([&](auto& writer) -> result<> {
      put_new_names(writer, state);
      next.size = at_.size;
      if (next.versions != at_.versions)
        next.size += put_staged_version(writer, next.versions, *read_at);
      for (const auto& [key, packed] : local)
        next.size += put_staged(writer, key, {next.versions, packed});
      return put_progress(writer, limits, next);
    });
    if (!stored) return state.forget_unstored(), stored;
    all_names_stored(state);
    at_ = std::move(next);
    last_version_ = std::move(*read_at);
    last_number_ = at_.versions;
    return {};
  }

  // The version at which a chunk was read, above the base, and what its places mean here.
  result<causal::version> version_of(const records_chunk& chunk, replica_state& state,
                                     crdt::reindexing& map) const {
    for (const auto& o : origins_) map.to.push_back(o.index);
    std::set<causal::replica_index> named(map.to.begin(), map.to.end());
    for (const auto& id : chunk.ids) {
      map.to.push_back(state.index_of(id));
      if (!named.insert(map.to.back()).second) return bad("an origin that is named twice");
    }
    causal::version at;
    for (const auto& p : chunk.above) {
      const auto r = map.to[p.place];
      if (p.seq <= seen_.at(r)) return bad("a version below its base");
      if (state.replicas[r] == state.self && p.seq > state.seen.at(r))
        return outlived(state.self, p.seq);
      at.set(r, p.seq);
    }
    return at;
  }

  template <history::storage S>
  result<> complete_records(S& storage, bytes_view content) {
    if (at_.phase == staged_phase::none || !content.empty())
      return bad("a tail in the wrong place");
    auto next = at_;
    next.phase = staged_phase::tail;
    auto stored = storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, "staging", write_progress(next));
      return {};
    });
    if (stored) at_ = std::move(next);
    return stored;
  }

  // `changed` gets each origin that moves, as it was.
  template <history::storage_writer W>
  result<> fold(W& writer, replica_state& state, std::uint64_t latest_ms, const codec::changeset& c,
                bytes_view data, std::map<std::size_t, staged_origin>& changed) {
    const auto index = state.index_of(c.origin);
    const auto before = seen_.at(index);
    if (c.seq <= before) return {};
    if (c.seq != before + 1) return bad("a hole in its tail");
    if (c.origin == state.self && c.seq > state.seen.at(index)) return outlived(c.origin, c.seq);
    if (causal::hlc_ms(c.time) > latest_ms) return too_early(c.origin);
    if (!place_.contains(index)) {
      if (origins_.size() >= max_snapshot_origins) return bad("too many origins");
      put_origin({index, {0, 0, history::chain_start(state.space, c.origin), {}}});
    }
    const auto place = place_.at(index);
    changed.try_emplace(place, origins_[place]);
    auto& origin = origins_[place].known;
    if (c.time <= origin.time) return bad("a stamp that is not above its origin's previous one");
    for (const auto& s : c.seen) {
      const auto r = state.replicas.find(s.replica);
      const auto known = r ? seen_.at(*r) : 0;
      if (!r || s.increase > known - std::min(known, origin.seen.at(*r)))
        return bad("a changeset before what it has seen");
    }
    const causal::dot at{index, c.seq};
    state.advance(origin, at, c, history::chain_next(origin.chain, data));
    seen_.raise(at);
    const causal::stamp by{at, c.time, origin.seen};
    for (std::size_t i = 0; i < c.ops.size();)
      if (auto done = fold_record(writer, state, c, i, by); !done) return done;
    return {};
  }

  // Folds the operations on one record, from the `i`-th on, and moves `i` behind them.
  template <history::storage_writer W>
  result<> fold_record(W& writer, replica_state& state, const codec::changeset& c, std::size_t& i,
                       const causal::stamp& by) {
    const auto record = c.ops[i].record;
    const auto& where = c.records[record];
    const auto key = staged_key(state.names.add(c.names[where.table]), where.key);
    std::uint64_t number = 0;
    bytes packed;
    if (const auto value = writer.get(history::area::staged, key)) {
      auto there = open_staged(key, *value);
      if (!there) return there.error();
      number = there->number;
      packed = there->packed;
      at_.size -= std::min<std::uint64_t>(at_.size, key.size() + value->size());
    }
    if (auto found = look_up_version(writer, number); !found) return found;
    const bool has_it = last_version_.seen(by.at);
    for (; i < c.ops.size() && c.ops[i].record == record; ++i) {
      const auto& op = c.ops[i];
      state::field_id field;
      if (crdt::carries_delta(op.action)) field = {state.names.add(c.names[op.field]), op.type};
      if (!has_it) state::apply_op(packed, op.action, op.incarnation, field, op.delta, by);
    }
    at_.size += put_staged(writer, key, {number, packed});
    return {};
  }

  template <history::storage_view V>
  result<> look_up_version(V& view, std::uint64_t number) {
    if (number == last_number_) return {};
    auto version = get_staged_version(view, number);
    if (!version) return version.error();
    last_version_ = std::move(*version);
    last_number_ = number;
    return {};
  }

  template <history::storage_writer W>
  static result<> put_progress(W& writer, const replica_options& limits,
                               const staged_progress& progress) {
    if (progress.size > limits.max_staged_bytes)
      return error{errc::too_large,
                   "a snapshot of more than " + std::to_string(limits.max_staged_bytes) + " bytes",
                   "", "raise replica_options::max_staged_bytes, if the peer can be trusted"};
    history::put_sealed(writer, history::area::meta, "staging", write_progress(progress));
    return {};
  }

  // Versions are held in memory, and dense.
  result<> take_room(std::size_t entries) {
    version_entries_ += entries;
    if (version_entries_ <= max_version_entries) return {};
    return error{errc::too_large, "a snapshot whose origins' versions take too much memory", "",
                 "the peer is at fault, or the space has too many replicas"};
  }

  void put_origin(staged_origin o) {
    seen_.raise({o.index, o.known.seq});
    place_[o.index] = origins_.size();
    origins_.push_back(std::move(o));
  }

  static error too_early(const replica_id& origin) {
    return {errc::clock_drift, "a snapshot with changes from too far in the future",
            "replica " + origin.hex(), "set this device's clock, or that of the other"};
  }
  static error outlived(const replica_id& self, std::uint64_t seq) {
    return {errc::fork, "a peer knows more of this replica than the store does",
            "changeset " + std::to_string(seq) + " of replica " + self.hex(),
            "the store was put back from an older image: open it under a new replica id"};
  }

  // What a transaction of the tail may have to take back.
  struct undo {
    explicit undo(const staging& s) : at(s.at_), seen(s.seen_), origins(s.origins_.size()) {}
    void restore(staging& s, std::map<std::size_t, staged_origin>& changed) const {
      for (auto& [place, was] : changed)
        if (place < origins) s.origins_[place] = std::move(was);
      changed.clear();
      for (; s.origins_.size() > origins; s.origins_.pop_back())
        s.place_.erase(s.origins_.back().index);
      s.at_ = at;
      s.seen_ = seen;
    }
    staged_progress at;
    causal::version seen;
    std::size_t origins;
  };

  static constexpr std::uint64_t max_version_entries = std::uint64_t{1} << 24;

  staged_progress at_;
  std::vector<staged_origin> origins_;  // by place
  std::unordered_map<causal::replica_index, std::size_t> place_;
  causal::version seen_;
  causal::version last_version_;  // what `last_number_` stands for: looked up last
  std::uint64_t last_number_ = 0;
  std::uint64_t version_entries_ = 0;
};

}  // namespace joinery::detail
