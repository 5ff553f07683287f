// retention: drops the log below what is worth keeping.
//
// Purpose: the log grows with every changeset; the snapshot says the same in less. Once the log is
// larger or older than the options say, its oldest entries are dropped, a few in each transaction,
// as far as the snapshot covers them.
// Invariants: a log entry, whole, its dot entries and the floor go in one transaction; what is
// read of an entry before that, is read in bounded steps; nothing above a pin is dropped, nor,
// unless the log is twice as large as it may be, a changeset of this replica that no peer is known
// to have, or what clean-up has not read.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <memory>
#include <span>

#include "joinery/history/floor.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

class retention {
 public:
  /// Keeps what stands above a log position, for as long as the pin lives.
  using pin = std::shared_ptr<const std::uint64_t>;

  [[nodiscard]] const history::log_floor& floor() const noexcept { return floor_; }
  /// The floor as it is stored, after opening or after a snapshot was joined.
  void restored(history::log_floor floor) {
    floor_ = std::move(floor);
    log_changed();
  }
  [[nodiscard]] const std::optional<error>& last_error() const noexcept { return last_error_; }
  [[nodiscard]] std::uint64_t log_bytes(const replica_state& state) const noexcept {
    return size_of(state, floor_);
  }

  pin hold(std::uint64_t position) {
    auto fresh = std::make_shared<const std::uint64_t>(position);
    pins_.push_back(fresh);
    return fresh;
  }
  /// Some peer is known to have an own changeset, and those before it. Stored with the next move of
  /// the floor: forgetting it costs nothing but room.
  void acknowledged(causal::dot at) { floor_.acknowledged.raise(at); }

  /// Drops some entries, in one transaction, when it is time. `former`: ids that this store wrote
  /// under before. `covered` is the position that the stored snapshot stands for, `read` the one up
  /// to which clean-up has read. True when there is more to drop at once.
  template <history::storage S>
  result<bool> step(S& storage, const replica_state& state, std::span<const replica_id> former,
                    std::uint64_t covered, std::uint64_t read, std::uint64_t now_ms,
                    const replica_options& limits) {
    const rules r{limits, covered_and_unpinned(covered), read, now_ms, former};
    auto due = is_due(storage, state, r);
    if (!due || !*due) return due;
    std::vector<entry> going;
    auto chosen = choose(storage, state, r, going);
    if (!chosen) return last_error_ = chosen.error(), chosen;
    if (going.empty()) return chosen;
    auto after = floor_;
    auto stored = storage.write([&](auto& writer) -> result<> {
      after = floor_;
      for (const auto& e : going) drop_entry(writer, after, e.first, e.changesets);
      history::put_sealed(writer, history::area::meta, "floor", history::write_floor(after));
      return {};
    });
    if (!stored) return last_error_ = stored.error(), stored.error();
    last_error_.reset();
    floor_ = std::move(after);
    return chosen;
  }
  /// Entries of the log were written anew.
  void log_changed() { next_.reset(); }

 private:
  static constexpr std::size_t step_entries = 256;
  static constexpr std::size_t step_bytes = 1u << 20;

  /// An entry of the log, as far as it was read.
  struct entry {
    std::uint64_t first = 0;
    std::vector<history::dropped> changesets;
    causal::hlc oldest = 0;
    causal::hlc newest = 0;
    std::size_t size = 0;
    causal::version tops;  ///< the last one of each origin
    bool whole = false;

    [[nodiscard]] std::uint64_t last() const noexcept { return first + changesets.size() - 1; }
  };
  struct rules {
    const replica_options& limits;
    std::uint64_t last = 0;  ///< what may go at all
    std::uint64_t read = 0;  ///< what may go before the log is much too large
    std::uint64_t now_ms = 0;
    std::span<const replica_id> former;  ///< ids that this store wrote under before
  };

  std::uint64_t covered_and_unpinned(std::uint64_t position) {
    std::erase_if(pins_, [](const auto& p) { return p.expired(); });
    for (const auto& p : pins_)
      if (const auto held = p.lock()) position = std::min(position, *held);
    return position;
  }

  // Once begun, it goes on a little below the limits, so that a full log is not trimmed with every
  // single write.
  template <history::storage S>
  result<bool> is_due(S& storage, const replica_state& state, const rules& r) {
    if (floor_.first() > r.last) return false;
    if (next_ && next_->first != floor_.first()) next_.reset();  // a step that was not stored
    if (!next_) {
      auto read = read_on(storage, state, floor_, 1);
      if (!read) return read.error();
      if (!next_) return false;
    }
    if (!dropping_)
      dropping_ =
          size_of(state, floor_) > r.limits.retain_log_bytes || too_old(next_->oldest, r, 64);
    return dropping_;
  }

  // Reads on in the first entry of a log with that floor, `most` changesets at most.
  template <history::storage S>
  result<> read_on(S& storage, const replica_state& state, const history::log_floor& floor,
                   std::size_t most) {
    const auto first = floor.first();
    return storage.read([&](auto& view) -> result<> {
      const auto value = view.get(history::area::log, history::position_key(first));
      if (!value) return {};
      if (!next_) {
        entry begun;
        begun.first = first;
        next_ = std::move(begun);
      }
      bool strange = false;
      history::log_reader once;  // a first look must not stay in memory
      auto read = (most == 1 ? once : state.log)
                      .visit(view, first, *value, first + next_->changesets.size(),
                             [&](std::uint64_t, bytes_view data) {
                               if (most-- == 0) return false;
                               strange = !describe(*next_, data, state);
                               return !strange;
                             });
      if (strange || !read) next_.reset();
      if (!read) return read.error();
      if (next_) next_->whole = *read;
      return {};
    });
  }

  // What goes in one step. True when there is more to do at once.
  template <history::storage S>
  result<bool> choose(S& storage, const replica_state& state, const rules& r,
                      std::vector<entry>& going) {
    std::size_t count = 0, bytes_going = 0;
    auto after = floor_;
    for (;;) {
      if (count >= step_entries || bytes_going >= step_bytes) return true;
      if (!next_ || !next_->whole) {
        const auto begun = next_ ? next_->changesets.size() : 0;
        if (auto read = read_on(storage, state, after, step_entries - count); !read)
          return read.error();
        if (!next_) break;
        count += next_->changesets.size() - begun;
        bytes_going += next_->size;
      }
      if (!next_->whole) return true;
      if (!droppable(*next_, state, r, after)) break;
      after.dropped_bytes += next_->size;
      after.position = next_->last();
      std::erase_if(after.joins, [&](auto join) { return join <= after.position; });
      going.push_back(std::move(*next_));
      next_.reset();
    }
    dropping_ = false;
    return false;
  }

  // Takes a changeset into what is known of an entry; false when it is none of this log.
  static bool describe(entry& e, bytes_view data, const replica_state& state) {
    constexpr std::size_t may_be_empty = 1024;
    const auto name = codec::peek_dot(data);
    const auto time = codec::peek_time(data);
    const auto by = name ? state.replicas.find(name->first) : std::nullopt;
    if (!by || !time) return false;
    const causal::dot at{*by, name->second};
    bool changes = true;
    if (data.size() < may_be_empty)
      if (const auto whole = codec::decode_changeset(data)) changes = !whole->ops.empty();
    if (e.changesets.empty()) e.oldest = *time;
    e.oldest = std::min(e.oldest, *time);
    e.newest = std::max(e.newest, *time);
    e.tops.raise(at);
    e.size += data.size();
    e.changesets.push_back({at, data.size(), changes});
    return true;
  }

  static std::uint64_t size_of(const replica_state& state, const history::log_floor& floor) {
    return state.logged_bytes - std::min(state.logged_bytes, floor.dropped_bytes);
  }
  // `slack`: this part of the age more is let pass; 0 for none.
  static bool too_old(causal::hlc stamp, const rules& r, std::uint64_t slack) {
    const auto made = causal::hlc_ms(stamp);
    const auto keep = r.limits.retain_log_ms;
    const auto more = slack == 0 ? 0 : keep / slack;
    return r.now_ms > made && r.now_ms - made > keep && r.now_ms - made - keep > more;
  }
  // Whether it has a changeset of this replica, and no peer is known to have that.
  static bool only_here(const entry& e, const replica_state& state, const rules& r,
                        const history::log_floor& after) {
    const auto lost = [&](const replica_id& id) {
      const auto own = state.replicas.find(id);
      const auto top = own ? e.tops.at(*own) : 0;
      return top > 0 && !after.acknowledged.seen({*own, top});
    };
    return lost(state.self) || std::any_of(r.former.begin(), r.former.end(), lost);
  }
  static bool droppable(const entry& e, const replica_state& state, const rules& r,
                        const history::log_floor& after) {
    const auto limit = r.limits.retain_log_bytes;
    const auto size = size_of(state, after);
    if (e.last() > r.last || (size <= limit - limit / 16 && !too_old(e.newest, r, 0))) return false;
    const bool needed = e.last() > r.read || only_here(e, state, r, after);
    return !needed || size / 2 > limit;
  }

  history::log_floor floor_;
  std::vector<std::weak_ptr<const std::uint64_t>> pins_;
  std::optional<entry> next_;  // the log's first entry, as far as it was looked at
  bool dropping_ = false;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
