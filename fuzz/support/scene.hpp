// scene: two replicas that are about to meet, and how they came to differ.
//
// Purpose: what the fuzzers of sessions and snapshots start from, made once and copied for each
// input.
// Invariants: a scene's two stores are sound, and depend on nothing but its number.
// Thread-safety: none.
#pragma once

#include "fuzz/support/node.hpp"

namespace fuzz {

enum class scene_kind : std::uint8_t {
  both,        ///< each has some changes that the other lacks
  behind,      ///< the victim is below the floor of the other's log
  ahead,       ///< the other is below the victim's
  members,     ///< a closed space of three
  copied,      ///< the other is a copy of the victim that was written to
  beginning,   ///< the victim has nothing yet
  interrupted  ///< as `behind`, with part of a snapshot staged
};
inline constexpr std::size_t scene_count = 7;

struct scene {
  memory_storage victim;
  memory_storage other;
  std::vector<bytes> chunks;  ///< a whole snapshot of the other's
  std::vector<bytes> log;     ///< of the other
};

/// Hands over all that `from` shows.
inline void give_log(node& from, node& to) {
  std::vector<bytes> log;
  from.e
      ->read_log(from.e->log_floor().first(),
                 [&](auto, const auto&, auto, bytes_view data) {
                   log.emplace_back(data);
                   return true;
                 })
      .value();
  const std::vector<bytes_view> views(log.begin(), log.end());
  to.e->ingest(views).value();
}

namespace scenes {

inline void record_snapshot(node& from, scene& out) {
  auto serving = from.e->serve_snapshot(joinery::detail::write_request({}), 300).value();
  while (const auto chunk = from.e->next_chunk(serving, 300).value()) out.chunks.push_back(*chunk);
  from.e
      ->read_log(from.e->log_floor().first(),
                 [&](auto, const auto&, auto, bytes_view data) {
                   out.log.emplace_back(data);
                   return true;
                 })
      .value();
}

inline void close_space(node& victim, node& other, node& third) {
  victim.e->close_membership().value();
  give_log(victim, other);
  third.open().value();
  victim.e->admit(third.e->self(), "third").value();
  give_log(victim, third);
  give_log(victim, other);
  third.write(4).value();
  give_log(third, other);
  other.e->evict(third.e->self()).value();
}

}  // namespace scenes

inline scene make_scene(scene_kind kind) {
  node victim{1}, other{2}, third{3};
  victim.open().value();
  other.open().value();
  const auto writes = [](node& n, unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; ++i) n.write(i).value(), n.time.now += 7;
  };
  if (kind != scene_kind::beginning) writes(victim, 0, 7);
  writes(other, 5, 7);
  if (kind != scene_kind::beginning) give_log(other, victim), give_log(victim, other);
  if (kind == scene_kind::members) scenes::close_space(victim, other, third);
  if (kind == scene_kind::copied) {
    other.e.reset();
    other.disk.put_back(victim.disk.clone());
    other.open().value();
  }
  if (kind != scene_kind::beginning) writes(victim, 20, 3);
  writes(other, 31, 5);
  if (kind == scene_kind::behind || kind == scene_kind::interrupted) other.forget_log();
  if (kind == scene_kind::ahead) victim.forget_log();
  if (kind != scene_kind::copied) writes(other, 50, 2);
  scene out;
  if (kind != scene_kind::members) scenes::record_snapshot(other, out);
  if (kind == scene_kind::interrupted) {
    victim.e->request_snapshot({}).value();
    for (std::size_t n = 0; n < out.chunks.size() / 2; ++n)
      victim.e->take_chunk(out.chunks[n]).value();
  }
  victim.e.reset();
  other.e.reset();
  out.victim = victim.disk.clone();
  out.other = other.disk.clone();
  return out;
}

inline const scene& scene_of(scene_kind kind) {
  static std::optional<scene> all[scene_count];
  auto& one = all[static_cast<std::size_t>(kind)];
  if (!one) one = make_scene(kind);
  return *one;
}

/// A node on a copy of `image`, with limits that an input chooses.
inline void wake_up(node& n, const memory_storage& image, unsigned choice) {
  n.disk.put_back(image.clone());
  constexpr std::size_t caches[] = {64u << 20, 0, 400};
  constexpr std::size_t large[] = {16u << 10, 0, 8};
  n.options.cache_bytes = caches[choice % 3];
  n.options.large_field_bytes = large[choice / 3 % 3];
  if (choice % 3 != 0) {
    n.options.snapshot_records = 2;
    n.options.snapshot_step_records = 2;
  }
  n.open().value();
}

}  // namespace fuzz
