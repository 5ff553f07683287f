// A device that is full or fails, at every call of a replica's work on LMDB in turn.
//
// What a failed sync leaves is what systems leave: the pages that were not written are dropped, the
// cache shows them for a while, and the next sync says that all is well.
//
// Environment: JOINERY_CRASH_POINTS=all goes through all calls; CI takes a share.
#include <catch2/catch.hpp>

#include <cstdio>
#include <deque>

#include "tests/crash/store_folder.hpp"
#include "tests/crash/survivor.hpp"

using namespace crash_tests;

namespace {

enum class fault : std::uint8_t {
  no_room,
  no_room_for_long,
  write_fails,
  half_written,
  sync_fails
};

constexpr const char* name_of(fault f) {
  constexpr const char* names[] = {"no room once", "no room for long", "a write fails",
                                   "a write is cut short", "a sync fails"};
  return names[static_cast<std::size_t>(f)];
}

/// Fails the n-th call that it can fail, and keeps account of what the device really has.
class bad_device final : public watcher {
 public:
  bad_device(store_folder& folder, fault what, std::size_t call, std::uint64_t seed)
      : folder_(folder), what_(what), left_(call), disk_(folder.content()), dice_(seed) {}

  bool happened = false;
  std::string where;
  void mend() { mended_ = true; }
  /// What would be left if the power failed now.
  file_image without_power() { return disk_.image(survival::none, dice_); }

  verdict judge(const system_call& call) override {
    const auto said = judge_quietly(call);
    if (is_memory(call.file)) return said;
    if (said.error == 0 && call.kind != call_kind::forget_cached) {
      calls_.push_back({call.kind, call.name, call.file, call.place,
                        bytes{call.data.substr(0, said.part)}, call.synced});
      disk_.begin(calls_.back());
    } else if (call.kind == call_kind::sync && !call.file.empty()) {
      disk_.lose(call.file, dice_);
    } else if (call.kind == call_kind::forget_cached) {
      const auto really = disk_.image(survival::all, dice_);
      if (really.contains(call.file)) folder_.put(call.file, really.at(call.file));
    }
    return said;
  }
  void done(const system_call& call) override {
    if (!is_memory(call.file) && call.kind != call_kind::forget_cached) disk_.end(calls_.back());
  }

 private:
  [[nodiscard]] bool concerns(const system_call& call) const {
    // What lies in its place already, as meta pages and our lock file do, needs no room.
    constexpr std::size_t page = 512;
    const bool takes_room = call.file == "data.mdb" && call.data.size() >= page;
    switch (what_) {
      case fault::no_room:
      case fault::no_room_for_long: return call.kind == call_kind::write && takes_room;
      case fault::sync_fails: return call.kind == call_kind::sync && !call.file.empty();
      default: return call.kind == call_kind::write && !is_memory(call.file);
    }
  }
  verdict judge_quietly(const system_call& call) {
    if (mended_ || !concerns(call)) return {};
    if (happened && what_ != fault::no_room_for_long) return {};
    if (!happened && left_-- > 0) return {};
    if (!happened) where = std::string{call.name} + " of " + call.file;
    happened = true;
    if (what_ == fault::half_written) return {call.data.size() / 2, 0, false};
    const bool full = what_ == fault::no_room || what_ == fault::no_room_for_long;
    return {0, full ? ENOSPC : EIO, false};
  }

  store_folder& folder_;
  fault what_;
  std::size_t left_;
  device disk_;
  prng dice_;
  std::deque<recorded_call> calls_;
  bool mended_ = false;
};

/// A store in use, a peer, and work that meets a fault.
class troubled_life {
 public:
  explicit troubled_life(durability mode) : mode_(mode) {
    manual_clock time{1'000'000};
    prng dice{41};
    auto peer = memory_replica::open(peer_.share(), small_options(time, dice)).value();
    {
      auto db = open_on_disk(folder_.path(), mode, small_options(time, dice)).value();
      for (int n = 0; n < 12; ++n) change(db, dice).value();
      for (int n = 0; n < 8; ++n) change(peer, dice).value();
      transport::sync_once(db.endpoint(), peer.endpoint()).value();
      for (int n = 0; n < 4; ++n) change(peer, dice).value();
      all_.learn(db);
      db.flush().value();
      note_durable(begun_, db);
    }
    all_.learn(peer);
    image_ = folder_.content();
  }

  /// False when the work is done before it makes that many calls.
  bool meets(fault what, std::size_t call) {
    prng dice{call + 1000};
    folder_.lay_out(image_, dice);
    run r{*this, what, call};
    watch(&r.device, folder_.path());
    r.work();
    const bool happened = r.device.happened;
    INFO(name_of(what) << " at call " << call << " (" << r.device.where << "), seen: " << r.seen);
    if (happened) r.tells();
    r.device.mend();
    if (happened) r.recovers();
    r.db.reset();
    if (happened) r.survives();
    watch(nullptr);
    return happened;
  }

 private:
  struct run {
    run(troubled_life& l, fault f, std::size_t call)
        : life(l), what(f), device(l.folder_, f, call, call + 7), promised(l.begun_), all(l.all_) {
      peer.emplace(memory_replica::open(peer_disk.share(), small_options(time, ids)).value());
    }

    troubled_life& life;
    fault what;
    bad_device device;
    manual_clock time{5'000'000};
    prng dice{3}, ids{99};
    promise promised;
    archive all;
    memory_storage peer_disk = life.peer_.clone();
    std::optional<memory_replica> peer;
    std::optional<disk_replica> db;
    std::int64_t done = 0;
    std::string seen;  ///< the first error
    errc code{};

    /// Notes what an operation came to; true when it went well.
    template <class Result>
    bool well(const Result& r) {
      if (!r && seen.empty()) {
        seen = r.error().text();
        code = r.error().code;
      }
      if (r && db && !db->status().poisoned) note();
      return r.has_value();
    }
    void note() {
      note_durable(promised, *db);
      all.learn(*db, db->endpoint().log_floor().first());
      if (life.mode_ == durability::commit) promised.edits = done;
      const auto has = version_of(*peer);
      if (has.contains(promised.self)) promised.told[promised.self] = has.at(promised.self);
    }

    void work() {
      auto opened = open_on_disk(life.folder_.path(), life.mode_, small_options(time, ids));
      if (!well(opened)) return;
      db.emplace(std::move(*opened));
      for (int round = 0; round < 2; ++round) {
        for (int n = 0; n < 4; ++n)
          if (time.now += 30; !well(change(*db, dice))) return;
        const auto edited = edit_draft(*db);
        if (edited) ++done;
        if (!well(edited)) return;
        if (!well(db->checkpoint())) return;
        promised.edits = done;
        if (!well(transport::sync_once(db->endpoint(), peer->endpoint()))) return;
        if (time.now += 3000; !well(db->tend())) return;
        if (device.happened) return;
      }
    }

    /// Whoever asks is told, with the right word, and can still read where that means something.
    void tells() {
      const bool full = what == fault::no_room || what == fault::no_room_for_long;
      if (!seen.empty()) {
        CHECK((code == errc::full || (!full && (code == errc::io || code == errc::poisoned))));
      }
      if (!db) return;
      const auto status = db->status();
      if (full) {
        CHECK_FALSE(status.poisoned);
        if (code == errc::full && what == fault::no_room_for_long) {
          const auto refused = change(*db, dice);
          CHECK((!refused && refused.error().code == errc::full));
          CHECK(db->status().blocked.has_value());
          CHECK_FALSE(db->status().blocked->why.text().empty());
        }
        CHECK(db->digest().has_value());
        std::size_t rows = 0;
        db->for_each<workout>([&](std::string_view, const workout&) { ++rows; });
        CHECK(rows > 0);
      } else if (status.poisoned) {
        const auto refused = change(*db, dice);
        CHECK((!refused && refused.error().code == errc::poisoned));
        const auto digest = db->digest();
        CHECK((!digest && digest.error().code == errc::poisoned));
      }
    }
    /// With room again it goes on by itself; a poisoned one does not, whatever the device says.
    void recovers() {
      if (!db) return;
      const bool poisoned = db->status().poisoned;
      time.now += 5000;
      static_cast<void>(db->tend().has_value());
      const auto written = change(*db, dice);
      CHECK(written.has_value() == !poisoned);
      if (poisoned) return;
      CHECK_FALSE(db->status().blocked);
      CHECK(db->checkpoint().has_value());
      CHECK_FALSE(db->status().last_snapshot_error);
      promised.edits = done;
      note();
    }
    /// The next opening finds everything; and what it shows as durable, found there or written
    /// then, really is on the device.
    void survives() {
      promise found;
      file_image at_first;
      {
        survivor s{life.folder_.path(), life.mode_, 17, time.now};
        s.open();
        s.keeps(promised, all);
        note_durable(found, *s.db);
        at_first = device.without_power();
        s.finishes();
        all.learn(*peer);
        s.meets(*peer);
        all.learn(*peer);
        s.goes_on(all, 2);
        s.db->flush().value();
        note_durable(promised, *s.db);
      }
      watch(nullptr);
      has(device.without_power(), promised);
      has(at_first, found);
    }
    void has(const file_image& image, const promise& p) {
      life.folder_.lay_out(image, dice);
      survivor s{life.folder_.path(), life.mode_, 18, time.now};
      s.open();
      s.keeps(p, all);
    }
  };

  durability mode_;
  store_folder folder_;
  memory_storage peer_;
  archive all_;
  promise begun_;
  file_image image_;
};

}  // namespace

TEST_CASE("a device that is full or fails at any call is told of, and nothing is lost") {
  const auto mode = GENERATE(durability::commit, durability::interval);
  const char* const wanted = std::getenv("JOINERY_CRASH_POINTS");
  const bool every = wanted != nullptr && std::string{wanted} == "all";
  const std::size_t stride = every ? 1 : JOINERY_SANITIZED != 0 ? 17 : 5;
  troubled_life life{mode};
  std::printf("device faults, %s:", mode == durability::commit ? "commit" : "interval");
  for (const auto what : {fault::no_room, fault::no_room_for_long, fault::write_fails,
                          fault::half_written, fault::sync_fails}) {
    std::size_t times = 0;
    for (std::size_t call = 0; life.meets(what, call); call += stride) ++times;
    CHECK(times > 1);
    std::printf(" %s %zu;", name_of(what), times);
  }
  std::printf("\n");
}
