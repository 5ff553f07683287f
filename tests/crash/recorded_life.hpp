// recorded_life: a replica on LMDB that does everything there is to do, with all its calls
// recorded, and with marks of what was promised when.
//
// Purpose: the history whose every moment the tests of power loss stop at.
// Invariants: the same seed and mode give the same life.
// Thread-safety: none.
#pragma once

#include "tests/crash/recording.hpp"
#include "tests/crash/store_folder.hpp"
#include "tests/crash/survivor.hpp"

namespace crash_tests {

class recorded_life {
 public:
  struct mark {
    std::size_t calls = 0;  ///< how many were made before it
    bool open = false;      ///< the store is in use
    promise promised;
    std::shared_ptr<memory_storage> peer;  ///< the other replica's storage
    versions peer_has;
  };

  recorded_life(durability mode, std::uint64_t seed, int steps)
      : mode_(mode), dice_(seed), ids_(seed + 1000) {
    open_peer(6000);
    for (int n = 0; n < 25; ++n) change(*peer_, dice_).value();
    peer_->close_membership().value();
    note();
    calls_.before_each = [this] { note_peer_alone(); };
    watch(&calls_, folder.path());
    open();
    peer_->admit(db_->status().self).value();
    peer_forgets();
    sync({});
    for (int n = 0; n < steps; ++n) {
      if (n == steps / 3 || n == steps * 2 / 3) fall_behind();
      if (n % 20 == 19) settle();
      step();
    }
    sync({});
    close();
    watch(nullptr);
    joins += db_joins_;
  }
  ~recorded_life() { watch(nullptr); }
  recorded_life(const recorded_life&) = delete;
  recorded_life& operator=(const recorded_life&) = delete;

  [[nodiscard]] const std::vector<recorded_call>& calls() const { return calls_.calls(); }
  /// What had been promised when `call` began.
  [[nodiscard]] const mark& at(std::size_t call) const {
    const auto after = std::upper_bound(marks_.begin(), marks_.end(), call,
                                        [](std::size_t c, const mark& m) { return c < m.calls; });
    return *std::prev(after);
  }
  [[nodiscard]] std::uint64_t now_ms() const { return time_.now; }
  [[nodiscard]] const replica_id& self() const { return marks_.back().promised.self; }
  [[nodiscard]] durability mode() const { return mode_; }

  store_folder folder;
  archive all;
  /// What happened in it, so that a test can see to it that it did.
  std::uint64_t joins = 0, trimmed = 0, cleaned = 0, snapshots = 0, parts = 0, growths = 0;

 private:
  void note() {
    mark m{calls_.calls().size(), db_.has_value(), {}, {}, {}};
    if (!marks_.empty()) m.promised = marks_.back().promised;
    if (db_) note_durable(m.promised, *db_);
    m.promised.edits = durable_edits_;
    note_peer(m);
    learn();
    marks_.push_back(std::move(m));
  }
  /// What the peer has of it must be there, and so must what the peer was told to be.
  void note_peer(mark& m) {
    m.peer_has = version_of(*peer_);
    const auto own = m.peer_has.find(m.promised.self);
    if (own != m.peer_has.end()) m.promised.told[own->first] = own->second;
    const auto& e = peer_->endpoint();
    if (const auto self = e.replicas().find(e.self()))
      m.promised.told[e.self()] = e.log_floor().acknowledged.at(*self);
    m.peer = marks_.empty() || m.peer_has != marks_.back().peer_has
                 ? std::make_shared<memory_storage>(peer_disk_.clone())
                 : marks_.back().peer;
  }
  /// The peer may have written, and sent it, since the last mark.
  void note_peer_alone() {
    if (!peer_ || version_of(*peer_) == marks_.back().peer_has) return;
    auto m = marks_.back();
    m.calls = calls_.calls().size();
    note_peer(m);
    marks_.push_back(std::move(m));
  }
  void learn() {
    if (db_) learned_ = all.learn(*db_, learned_);
    learned_from_peer_ = all.learn(*peer_, learned_from_peer_);
  }

  void open() {
    db_.emplace(open_on_disk(folder.path(), mode_, small_options(time_, ids_)).value());
    note();
  }
  void close() {
    look();
    db_.reset();
    durable_edits_ = edits_;
    note();
  }
  void open_peer(std::uint64_t retained) {
    peer_.reset();
    auto options = small_options(time_, ids_);
    options.retain_log_bytes = retained;
    peer_.emplace(memory_replica::open(peer_disk_.share(), options).value());
  }
  /// The peer drops all of its log.
  void peer_forgets() {
    learn();
    open_peer(0);
    peer_->checkpoint().value();
    open_peer(6000);
    note();
  }
  /// The peer goes so far ahead that only a snapshot helps, into which own work is merged.
  void fall_behind() {
    for (int n = 0; n < 20; ++n) change(*peer_, dice_).value();
    peer_forgets();
    for (int n = 0; n < 3; ++n) write();
    transport::pipe_options cut;
    cut.cut_after = 3000 + dice_.below(3000);
    sync(cut);
    write();
    sync({});
  }
  /// Both hear that the other has everything, so that what is dead can be cleaned.
  void settle() {
    for (int n = 0; n < 3; ++n) {
      sync({});
      tend();
    }
  }
  void tend() {
    time_.now += 1000 + dice_.below(1500);
    for (int n = 0; n < 3; ++n) {
      db_->tend().value();
      peer_->tend().value();
      note();
    }
  }
  void write() {
    change(*db_, dice_).value();
    note();
  }
  void edit() {
    edit_draft(*db_).value();
    ++edits_;
    if (mode_ == durability::commit) durable_edits_ = edits_;
    note();
  }
  void flush(bool checkpoint) {
    (checkpoint ? db_->checkpoint() : db_->flush()).value();
    durable_edits_ = edits_;
    note();
  }

  void step() {
    time_.now += 20;
    const auto what = dice_.below(100);
    if (what < 42) return write();
    if (what < 50) return edit();
    if (what < 64) {
      for (auto n = 1 + dice_.below(4); n > 0; --n) change(*peer_, dice_).value();
    } else if (what < 78) {
      transport::pipe_options o;
      if (dice_.chance(40)) o.cut_after = dice_.below(4000);
      sync(o);
    } else if (what < 84) {
      flush(dice_.chance(60));
    } else if (what < 96) {
      tend();
    } else {
      close();
      open();
    }
  }

  void sync(transport::pipe_options o) {
    sync::session_options so;
    so.once = true;
    so.batch = 512;
    so.low_water = 600;
    o.chunk = 300 + dice_.below(2000);
    {
      sync::session here{db_->endpoint(), so, time_.now};
      sync::session there{peer_->endpoint(), so, time_.now};
      transport::pipe wire{here, there, o};
      for (int n = 0; n < 4000 && !(here.ended() && there.ended()); ++n) {
        if (!wire.step(time_.now)) time_.now += 50;
        note();
      }
      wire.cut();
      if (!o.cut_after) {
        INFO((here.failure() ? here.failure()->text() : std::string{}));
        REQUIRE(here.state() == sync::session_state::finished);
      }
    }
    note();
  }

  /// Counts what happened until the store is closed.
  void look() {
    const auto status = db_->status();
    trimmed = std::max(trimmed, status.log_floor);
    cleaned += status.membership.cells_cleaned;
    snapshots = std::max(snapshots, status.snapshot);
    db_joins_ += db_->endpoint().joins();
    growths = db_->endpoint().storage().status().value().map_bytes;
    std::size_t n = 0;
    db_->endpoint()
        .storage()
        .read([&](auto& view) -> result<> {
          view.scan(history::area::records, history::index_key(state::parts_of(0)),
                    [&](bytes_view, bytes_view) { return ++n > 0; });
          return {};
        })
        .value();
    parts = std::max<std::uint64_t>(parts, n);
  }

  durability mode_;
  prng dice_, ids_;
  manual_clock time_{1'000'000};
  recorder calls_;
  std::vector<mark> marks_;
  memory_storage peer_disk_;
  std::optional<memory_replica> peer_;
  std::optional<disk_replica> db_;
  std::uint64_t learned_ = 1, learned_from_peer_ = 1, db_joins_ = 0;
  std::int64_t edits_ = 0, durable_edits_ = 0;
};

}  // namespace crash_tests
