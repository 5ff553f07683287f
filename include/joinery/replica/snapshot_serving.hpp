// snapshot_serving: hands a replica's state to a peer, chunk by chunk.
//
// Purpose: fuzzy but exact: no long read and no copy. Each chunk of records is read at the version
// of its moment and says so; the changesets between the base and the end follow from the log, and
// the receiver folds into each record what its chunk had not seen.
// Invariants: what stands above the base stays in the log while this lives; only durable changesets
// show.
// Thread-safety: none; belongs to one session and is used with its engine.
#pragma once

#include <deque>
#include <unordered_map>

#include "joinery/replica/cold_reader.hpp"
#include "joinery/replica/retention.hpp"
#include "joinery/replica/snapshot_chunk.hpp"

namespace joinery::detail {

class snapshot_serving {
 public:
  /// Everything anew, at the version that `state` has now, which must be durable.
  static snapshot_serving all(const replica_state& state, retention& log, std::size_t chunk_bytes) {
    snapshot_serving s;
    s.joins_ = state.joins;
    for (causal::replica_index r = 0; r < state.seen.size(); ++r)
      if (state.seen.at(r) > 0) s.order_.push_back(r);
    s.base_ = state.seen;
    s.tail_from_ = state.last_position + 1;
    s.kept_ = log.hold(state.last_position);
    s.ready_.push_back(begin_chunk(false));
    s.put_origins(state, chunk_bytes);
    s.put_versions(state, chunk_bytes);
    return s;
  }

  /// The rest of what a peer has staged; nothing when this log cannot go on from there.
  template <history::storage S>
  static result<std::optional<snapshot_serving>> rest(const snapshot_request& wanted, S& storage,
                                                      const replica_state& state, retention& log) {
    snapshot_serving s;
    s.joins_ = state.joins;
    if (wanted.reached.empty() || !s.has_all(wanted, state))
      return std::optional<snapshot_serving>{};
    for (causal::replica_index r = 0; r < log.floor().version.size(); ++r)
      if (log.floor().version.at(r) > s.base_.at(r)) return std::optional<snapshot_serving>{};
    s.tail_from_ = state.last_position + 1;
    bool same = true;
    auto read = storage.read([&](auto& view) -> result<> {
      for (const auto& o : wanted.reached) {
        const auto r = *state.replicas.find(o.id);
        auto there = history::find_changeset(view, {r, o.seq}, state.log);
        if (!there) return there.error();
        same = same && *there && (*there)->chain == o.chain;
      }
      for (causal::replica_index r = 0; r < state.seen.size(); ++r) {
        if (state.seen.at(r) <= s.base_.at(r)) continue;
        auto next = history::find_position(view, {r, s.base_.at(r) + 1});
        if (!next) return next.error();
        same = same && next->has_value();
        if (*next) s.tail_from_ = std::min(s.tail_from_, **next);
      }
      return {};
    });
    if (!read) return read.error();
    if (!same) return std::optional<snapshot_serving>{};
    s.kept_ = log.hold(s.tail_from_ - 1);
    s.table_ = wanted.table;
    s.after_ = wanted.key;
    s.records_done_ = wanted.records_done;
    s.ready_.push_back(begin_chunk(true));
    return std::optional<snapshot_serving>{std::move(s)};
  }

  /// The next chunk of about `limit` bytes; nothing once the tail is due. The state must be
  /// durable.
  template <state::cold_records C>
  result<std::optional<bytes>> next(replica_state& state, C& cold, std::size_t limit) {
    if (!ready_.empty()) {
      auto out = std::move(ready_.front());
      ready_.pop_front();
      return std::optional<bytes>{std::move(out)};
    }
    if (!records_done_) {
      auto some = read_records(state, cold, limit);
      if (!some) return some.error();
      if (!some->empty()) return std::optional<bytes>{std::move(*some)};
      records_done_ = true;
    }
    if (std::exchange(tail_said_, true)) return std::optional<bytes>{};
    return std::optional<bytes>{chunk_of(chunk_kind::tail)};
  }

  /// Whether the replica has itself joined a snapshot since: then its log lacks what it has, and
  /// this must begin anew.
  [[nodiscard]] bool outdated(const replica_state& state) const { return joins_ != state.joins; }
  /// Where the tail begins in the log, and what of the log is not part of it.
  [[nodiscard]] std::uint64_t tail_from() const noexcept { return tail_from_; }
  [[nodiscard]] const causal::version& base() const noexcept { return base_; }

 private:
  bool has_all(const snapshot_request& wanted, const replica_state& state) {
    for (const auto& o : wanted.reached) {
      const auto r = state.replicas.find(o.id);
      if (!r || o.seq > state.seen.at(*r) || base_.at(*r) > 0) return false;
      order_.push_back(*r);
      base_.set(*r, o.seq);
    }
    return std::all_of(wanted.needed.begin(), wanted.needed.end(), [&](const auto& n) {
      const auto r = state.replicas.find(n.first);
      return r && n.second <= state.seen.at(*r);
    });
  }

  void put_origins(const replica_state& state, std::size_t limit) {
    auto chunk = chunk_of(chunk_kind::origins);
    for (const auto r : order_) {
      const auto& o = state.origins[r];
      byte_writer w{chunk};
      write_base_origin(w, {state.replicas[r], o.seq, o.time, o.chain});
      if (chunk.size() < limit) continue;
      ready_.push_back(std::exchange(chunk, chunk_of(chunk_kind::origins)));
    }
    if (chunk.size() > 1) ready_.push_back(std::move(chunk));
  }

  void put_versions(const replica_state& state, std::size_t limit) {
    const auto places = place_of_each();
    auto chunk = chunk_of(chunk_kind::versions);
    for (std::size_t place = 0; place < order_.size(); ++place) {
      const auto& seen = state.origins[order_[place]].seen;
      std::vector<place_seq> list;
      const auto flush = [&] {
        byte_writer w{chunk};
        w.varint(place);
        write_places(w, list);
        list.clear();
        if (chunk.size() >= limit)
          ready_.push_back(std::exchange(chunk, chunk_of(chunk_kind::versions)));
      };
      for (causal::replica_index r = 0; r < seen.size(); ++r) {
        if (seen.at(r) == 0) continue;
        list.push_back({places.at(r), seen.at(r)});
        if (list.size() * 8 >= limit) flush();
      }
      if (!list.empty()) flush();
    }
    if (chunk.size() > 1) ready_.push_back(std::move(chunk));
  }

  [[nodiscard]] std::unordered_map<causal::replica_index, std::uint64_t> place_of_each() const {
    std::unordered_map<causal::replica_index, std::uint64_t> places;
    for (std::size_t place = 0; place < order_.size(); ++place) places[order_[place]] = place;
    return places;
  }

  // The head of a chunk of records, and how replica indexes are named in it.
  bytes records_head(const replica_state& state, crdt::reindexing& map) const {
    auto out = chunk_of(chunk_kind::records);
    byte_writer w{out};
    map.to.assign(state.replicas.size(), 0);
    for (std::size_t place = 0; place < order_.size(); ++place)
      map.to[order_[place]] = static_cast<causal::replica_index>(place);
    std::vector<place_seq> above;
    std::vector<causal::replica_index> fresh;
    for (causal::replica_index r = 0; r < state.seen.size(); ++r) {
      if (state.seen.at(r) <= base_.at(r)) continue;
      if (base_.at(r) == 0) {
        map.to[r] = static_cast<causal::replica_index>(order_.size() + fresh.size());
        fresh.push_back(r);
      }
      above.push_back({map.to[r], state.seen.at(r)});
    }
    w.varint(fresh.size());
    for (const auto r : fresh) w.raw(state.replicas[r].view());
    write_places(w, above);
    return out;
  }

  template <state::cold_records C>
  result<bytes> read_records(replica_state& state, C& cold, std::size_t limit) {
    crdt::reindexing map;
    auto out = records_head(state, map);
    const auto empty = out.size();
    std::vector<std::string> tables;
    for (state::name_index n = 0; n < state.names.size(); ++n)
      if (state.names[n] >= table_) tables.emplace_back(state.names[n]);
    std::sort(tables.begin(), tables.end());
    for (const auto& table : tables) {
      if (table != table_) after_.clear();
      table_ = table;
      const bytes from = after_.empty() ? bytes{} : after_ + '\0';
      bool full = false;
      result<> whole;
      const auto index = *state.names.find(table);
      auto walked =
          state.records.for_each(cold, index, from, [&](bytes_view key, bytes_view packed) {
            auto record = state::whole_record(packed, [&](const auto& f, auto&& each) {
              return state.records.for_each_part(cold, {index, key, f.id, f.parts}, {}, each);
            });
            if (!record) return whole = record.error(), false;
            const auto portable = state::portable_record(*record, map, state.names);
            const auto size = table.size() + key.size() + portable.size();
            full = out.size() > empty && out.size() + size > limit;
            if (full) return false;
            byte_writer w{out};
            w.block(table);
            w.block(key);
            w.block(portable);
            after_ = key;
            return true;
          });
      if (!walked) return walked.error();
      if (!whole) return whole.error();
      if (full) break;
    }
    return out.size() > empty ? out : bytes{};
  }

  std::uint64_t joins_ = 0;
  std::vector<causal::replica_index> order_;  // place → index here
  causal::version base_;
  std::deque<bytes> ready_;
  std::string table_;  // the cursor: the last record that was put
  bytes after_;
  bool records_done_ = false;
  bool tail_said_ = false;
  std::uint64_t tail_from_ = 0;
  retention::pin kept_;
};

}  // namespace joinery::detail
