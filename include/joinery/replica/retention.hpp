// retention: drops the log below what is worth keeping.
//
// Purpose: the log grows with every changeset; the snapshot says the same in less. Once the log is
// larger or older than the options say, its oldest entries are dropped, a few in each transaction,
// as far as the snapshot covers them.
// Invariants: a log entry, its dot entry and the floor go in one transaction; nothing above a pin
// is dropped, nor, unless the log is twice as large as it may be, a changeset of this replica that
// no peer is known to have, or what clean-up has not read.
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
  void restored(history::log_floor floor) { floor_ = std::move(floor); }
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
    auto after = floor_;
    std::optional<entry> next;
    auto stored = storage.write([&](auto& writer) -> result<> {
      after = floor_;
      next.reset();
      std::vector<entry> going;
      if (auto found = choose(writer, state, r, going, next); !found) return found;
      for (const auto& e : going)
        drop_changeset(writer, after, e.at, e.position, e.size, e.changes);
      if (!going.empty())
        history::put_sealed(writer, history::area::meta, "floor", history::write_floor(after));
      return {};
    });
    if (!stored) return last_error_ = stored.error(), stored.error();
    last_error_.reset();
    const bool moved = after.position != floor_.position;
    floor_ = std::move(after);
    oldest_ = next;
    if (!next) dropping_ = false;
    return moved && next && droppable(*next, state, r, floor_);
  }

 private:
  static constexpr std::size_t step_entries = 256;
  static constexpr std::size_t step_bytes = 1u << 20;

  struct entry {
    std::uint64_t position = 0;
    causal::dot at;
    causal::hlc time = 0;
    std::size_t size = 0;
    bool changes = true;
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
    if (!oldest_) {
      auto read = storage.read([&](auto& view) -> result<> {
        return history::scan_log(view, floor_.first(), [&](std::uint64_t at, bytes_view data) {
          oldest_ = describe(at, data, state);
          return false;
        });
      });
      if (!read) return read.error();
      if (!oldest_) return false;
    }
    if (!dropping_)
      dropping_ = size_of(state, floor_) > r.limits.retain_log_bytes || too_old(*oldest_, r, 64);
    if (dropping_ && !droppable(*oldest_, state, r, floor_)) dropping_ = false;
    return dropping_;
  }

  template <class View>
  result<> choose(View& view, const replica_state& state, const rules& r, std::vector<entry>& going,
                  std::optional<entry>& next) {
    std::size_t bytes_going = 0;
    auto after = floor_;
    return history::scan_log(view, floor_.first(), [&](std::uint64_t at, bytes_view data) {
      const auto e = describe(at, data, state);
      if (!e) return false;
      next = e;
      if (going.size() >= step_entries || bytes_going >= step_bytes) return false;
      if (!droppable(*e, state, r, after)) return false;
      after.dropped_bytes += e->size;
      bytes_going += e->size;
      going.push_back(*e);
      if (const auto whole = codec::decode_changeset(data))
        going.back().changes = !whole->ops.empty();
      next.reset();
      return true;
    });
  }

  static std::optional<entry> describe(std::uint64_t position, bytes_view data,
                                       const replica_state& state) {
    const auto name = codec::peek_dot(data);
    const auto time = codec::peek_time(data);
    const auto r = name ? state.replicas.find(name->first) : std::nullopt;
    if (!r || !time) return std::nullopt;
    return entry{position, {*r, name->second}, *time, data.size()};
  }

  static std::uint64_t size_of(const replica_state& state, const history::log_floor& floor) {
    return state.logged_bytes - std::min(state.logged_bytes, floor.dropped_bytes);
  }
  // `slack`: this part of the age more is let pass; 0 for none.
  static bool too_old(const entry& e, const rules& r, std::uint64_t slack) {
    const auto made = causal::hlc_ms(e.time);
    const auto keep = r.limits.retain_log_ms;
    const auto more = slack == 0 ? 0 : keep / slack;
    return r.now_ms > made && r.now_ms - made > keep && r.now_ms - made - keep > more;
  }
  static bool is_own(causal::replica_index by, const replica_state& state, const rules& r) {
    const auto& id = state.replicas[by];
    return id == state.self || std::find(r.former.begin(), r.former.end(), id) != r.former.end();
  }
  static bool droppable(const entry& e, const replica_state& state, const rules& r,
                        const history::log_floor& after) {
    const auto limit = r.limits.retain_log_bytes;
    const auto size = size_of(state, after);
    if (e.position > r.last || (size <= limit - limit / 16 && !too_old(e, r, 0))) return false;
    const bool needed =
        e.position > r.read || (is_own(e.at.replica, state, r) && !after.acknowledged.seen(e.at));
    return !needed || size / 2 > limit;
  }

  history::log_floor floor_;
  std::vector<std::weak_ptr<const std::uint64_t>> pins_;
  std::optional<entry> oldest_;  // in the log, when it was looked up
  bool dropping_ = false;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
