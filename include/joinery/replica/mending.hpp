// mending: the part of an engine that deals with damage in its store.
//
// Purpose: what the engine's readers and writers do when a checksum does not fit, the scrub that
// finds it early, and what sessions ask for and give. A base of `engine`, whose members it uses.
// Invariants: as `repairs`; a peer is given only what is durable here.
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/replica/cold_reader.hpp"
#include "joinery/replica/intake.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/repairs.hpp"
#include "joinery/replica/scrubbing.hpp"

namespace joinery::detail {

template <class Engine>
class mending {
 public:
  /// Examines up to `entries` entries of the store, going on from where the last call ended, and
  /// mends what can be mended. True when all have been examined.
  result<bool> scrub(std::size_t entries) {
    scrub_under_way_ = true;
    auto done = scrubbing_.step(self().storage_, entries,
                                [&](auto where, bytes_view key) { found_damaged(where, key); });
    if (!done) return done;
    if (repairs_.ledger().met_any())
      if (auto settled = repairs_.settle(self().storage_, self().state_, self().now_ms()); !settled)
        return settled.error();
    if (*done) {
      last_scrub_ms_ = self().now_ms();
      scrub_under_way_ = false;
    }
    return done;
  }

  /// Grows whenever something was found damaged or mended.
  [[nodiscard]] std::uint64_t damage_seen() const noexcept {
    return repairs_.ledger().count() + 2 * repairs_.ledger().repaired();
  }
  /// What peers are to be asked for.
  result<std::vector<wanted>> list_wanted() {
    return repairs_.list_wanted(self().storage_, self().state_);
  }

  /// What a peer asks for; nothing when it is not here.
  result<std::optional<bytes>> give(const wanted& what) {
    using nothing = std::optional<bytes>;
    if (!what.is_record()) return logged(what.origin, what.seq);
    if (repairs_.stopped_at() || !self().state_.names.find(what.table)) return nothing{};
    if (auto synced = self().flush(); !synced) return synced.error();
    const auto packed = self().whole_record(what.table, what.key, most_given);
    const auto code = packed ? errc{} : packed.error().code;
    if (code == errc::quarantined || code == errc::too_large) return nothing{};
    if (!packed) return packed.error();
    if (packed->empty()) return nothing{};
    return nothing{write_record_answer(*packed, self().state_.replicas, self().state_.seen,
                                       self().state_.names)};
  }

  /// Takes what a peer gave for `what`. True when it mended something; what is not proven to be the
  /// same, or does not fit yet, is left.
  result<bool> take_back(const wanted& what, bytes_view data) {
    if (what.is_record()) return repairs_.take_record(self().storage_, self().state_, what, data);
    const auto origin = self().state_.replicas.find(what.origin);
    if (!origin) return false;
    const auto given = repairs_.restore(self().storage_, {*origin, what.seq}, data);
    if (!given) return given.error();
    if (*given != given_back::mended) return false;
    if (auto done = go_on(); !done) return done.error();
    static_cast<void>(repairs_.rebuild(self().storage_, self().state_));
    return true;
  }

 protected:
  mending() = default;

  void tell_faults(replica_status& s) const {
    s.blocked = gate_.block();
    if (s.blocked) s.blocked->free_bytes = free_bytes_of(self().storage_);
    s.poisoned = is_poisoned(self().storage_);
    s.damaged = repairs_.ledger().count();
    s.damaged_entries = repairs_.ledger().list();
    s.repaired = repairs_.ledger().repaired();
    s.stopped_at = repairs_.stopped_at();
    s.last_scrub_ms = last_scrub_ms_;
  }

  // Walks a table, mending on the way. Its rest is shown even when a record is missing from it, and
  // that must not go unsaid.
  template <class F>
  result<> walk(state::name_index index, std::string_view table, bytes_view from, F&& each) {
    auto cold = self().cold();
    bytes next{from};
    bool stopped = false;
    const auto one = [&](bytes_view key, bytes_view packed) {
      stopped = !each(key, packed);
      return !stopped;
    };
    for (;;) {
      auto walked = self().state_.records.walk_on(cold, index, next, one);
      if (!walked && mends(walked.error())) continue;
      if (!walked || stopped) return walked;
      if (repairs_.ledger().missing_from(index, from))
        return damage::quarantined("table " + std::string{table});
      return {};
    }
  }

  // The log was read up to `next`, where `read` says what came of it.
  result<> found_while_reading_log(std::uint64_t next, const result<>& read) {
    if (read || read.error().code != errc::checksum) return read;
    const auto damaged =
        repairs_.log_damaged(self().storage_, self().state_, next, self().now_ms());
    if (!damaged) return damaged.error();
    return *damaged ? repairs_.lost_to_peer(next) : read;
  }

  // Whether an error was damage that is out of the way now: what met it may try again.
  [[nodiscard]] bool mends(const error& e) {
    return e.code == errc::checksum && repairs_.ledger().met_any() &&
           repairs_.settle(self().storage_, self().state_, self().now_ms());
  }

  [[nodiscard]] bool scrub_is_due() {
    const auto now = self().now_ms();
    return self().options_.scrub_every_ms > 0 &&
           (scrub_under_way_ ||
            (now > last_scrub_ms_ && now - last_scrub_ms_ >= self().options_.scrub_every_ms));
  }

  // What the scrub found.
  void found_damaged(history::area where, bytes_view key) {
    if (where == history::area::log) {
      static_cast<void>(repairs_.log_damaged(self().storage_, self().state_,
                                             history::position_of(key), self().now_ms()));
    } else if (where == history::area::records) {
      record_damaged(key);
    } else if (where == history::area::staged && self().state_.joining && key[0] == 'r') {
      record_damaged(key.substr(1));
    } else if (where == history::area::staged) {
      static_cast<void>(self().storage_.read_only() ? result<>{} : self().drop_staged());
    } else if (where == history::area::local && history::index_of(key) != 0) {
      self().found_local_damaged(key);
    } else if (history::has_number_rows(where)) {
      row_damaged(history::index_of(key));
    } else {
      repairs_.ledger().note(damage::quarantine_key(where, key), self().now_ms());
    }
  }

  // A row of numbers, in one of its places. What fails is found by the next scrub; where nothing
  // tells what it said, it is the entries of the log that were lost.
  void row_damaged(std::uint32_t row) {
    bool mended = false;
    result<> done;
    if (!self().storage_.read_only())
      done = self().storage_.write([&](auto& writer) -> result<> {
        mended = history::mend_row(writer, row);
        return {};
      });
    if (done && mended)
      repairs_.ledger().mended();
    else
      self().state_.proven.doubt();
  }

  void record_damaged(bytes_view full) {
    const auto table = history::index_of(full);
    const auto key = history::after_index(full);
    const auto* slot = self().state_.records.find(table, key);
    if (slot == nullptr || self().storage_.read_only())
      repairs_.ledger().met(table, key);
    else if (!slot->dirty())  // else the snapshot writes it, with what belongs to it
      write_again(table, key, *slot);
  }

  // A record that memory still has; what fails is found by the next scrub.
  template <class Slot>
  void write_again(state::name_index table, bytes_view key, const Slot& slot) {
    const auto done = self().storage_.write([&](auto& writer) -> result<> {
      if (state::is_parts(table))
        history::put_part(writer, table, key, slot.position, slot.packed);
      else
        history::put_record(writer, table, key, slot.position, slot.number(), slot.packed);
      if (self().state_.joining) writer.erase(history::area::staged, staged_key(table, key));
      return {};
    });
    if (done) repairs_.ledger().mended();
  }

  // Replay goes on after a damaged changeset was put back; until then nothing but that is done.
  result<> go_on() {
    if (!repairs_.may_go_on()) return {};
    auto replayed = self().read_rest_of_tail();
    if (!replayed)
      return repairs_.stop(self().storage_, self().state_, replayed.error(), self().now_ms());
    repairs_.go_on();
    static_cast<void>(self().gather_indexed());
    self().all_is_durable();
    return repairs_.settle(self().storage_, self().state_, self().now_ms());
  }

  // The bytes of a durable changeset; nothing when it is not here, or damaged.
  result<std::optional<bytes>> logged(const replica_id& origin, std::uint64_t seq) {
    std::optional<bytes> out;
    const auto index = self().state_.replicas.find(origin);
    if (!index) return out;
    auto done = self().storage_.read([&](auto& view) -> result<> {
      auto position = history::find_position(view, {*index, seq});
      if (!position) return position.error();
      if (!*position || **position > self().durable_.position()) return {};
      auto data = history::changeset_at(view, **position, self().state_.log);
      if (!data) return data.error().code == errc::checksum ? result<>{} : data.error();
      out = std::move(*data);
      return {};
    });
    if (!done) return done.error();
    return out;
  }

  // A changeset that is known must have the bytes that the log has. Where those are damaged, it
  // brings them back.
  result<> same_as_logged(causal::dot at, bytes_view data) {
    std::uint64_t position = 0;
    auto same = self().storage_.read([&](auto& view) -> result<> {
      auto place = history::find_position(view, at);
      if (!place) return place.error();
      if (!*place) return {};
      position = **place;
      auto logged = history::changeset_at(view, position, self().state_.log);
      if (!logged) return logged.error();
      if (!*logged || **logged == data) return {};
      return intake::forked({self().state_.replicas[at.replica], at.seq});
    });
    if (same || same.error().code != errc::checksum || position == 0) return same;
    const auto damaged =
        repairs_.log_damaged(self().storage_, self().state_, position, self().now_ms());
    if (!damaged) return damaged.error();
    const auto given = repairs_.restore(self().storage_, at, data);
    if (!given) return given.error();
    if (*given != given_back::refused) return {};
    return intake::forked({self().state_.replicas[at.replica], at.seq});
  }

  // Stopped within the log: peers see all of it. It was durable, and they may have been told.
  result<> show_whole_log() {
    return self().storage_.read([&](auto& view) -> result<> {
      auto heads = heads_of_dots(view, self().state_.replicas);
      if (!heads) return heads.error();
      self().durable_.reaches(history::log_end(view), std::move(*heads));
      return {};
    });
  }

  repairs repairs_;
  write_gate gate_;
  std::uint64_t last_scrub_ms_ = 0;

 private:
  // A record travels as one message.
  static constexpr std::size_t most_given = codec::max_changeset / 2;

  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }

  scrubbing scrubbing_;
  bool scrub_under_way_ = false;
};

}  // namespace joinery::detail
