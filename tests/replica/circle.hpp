// A circle of replicas that meet as sessions would: only those who admit each other, and in order.
//
// Purpose: what the tests of membership share.
// Thread-safety: none.
#pragma once

#include <deque>

#include "tests/replica/peer.hpp"

namespace replica_tests {

inline bool knows(peer& p, const replica_id& origin, std::uint64_t seq) {
  const auto r = p.e->replicas().find(origin);
  return r && p.e->seen().at(*r) >= seq;
}

/// What `from` has and `to` lacks, in order, at most `limit` of it.
inline batch lacking(peer& from, peer& to, std::size_t limit = ~std::size_t{0}) {
  batch out;
  for (auto& data : from.log()) {
    const auto name = codec::peek_dot(data);
    if (out.size() < limit && !knows(to, name->first, name->second)) out.push_back(std::move(data));
  }
  return out;
}

/// `to` takes from `from` what it lacks, if each admits the other.
inline result<ingest_report> hear(peer& to, peer& from, std::size_t limit = ~std::size_t{0}) {
  if (auto in = to.e->admits(from.id()); !in) return in.error();
  if (auto in = from.e->admits(to.id()); !in) return in.error();
  const auto news = lacking(from, to, limit);
  std::vector<bytes_view> views(news.begin(), news.end());
  return to.e->ingest_from(from.id(), views);
}
inline void meet(peer& a, peer& b) {
  hear(a, b).value();
  hear(b, a).value();
}

/// Lets time pass, and everybody tend and meet, until nothing happens any more; how many rounds
/// that took.
inline int rest(const std::vector<peer*>& all) {
  for (int round = 0; round < 20; ++round) {
    std::uint64_t before = 0, after = 0;
    for (auto* p : all) before += p->e->log_size();
    for (auto* p : all) {
      p->time.now += p->options.acknowledge_after_ms;
      for (int n = 0; n < 8; ++n) p->e->tend().value();
    }
    for (auto* a : all)
      for (auto* b : all)
        if (a != b) meet(*a, *b);
    for (auto* p : all) after += p->e->log_size();
    if (before == after) return round;
  }
  return 20;
}

/// How many bytes dead records hold besides incarnation and mark, in memory or behind it.
inline std::size_t dead_bytes(peer& p) {
  std::size_t out = 0;
  p.e->for_each("table", {},
                [&](bytes_view, bytes_view packed) {
                  const auto c = crdt::read_cell(packed);
                  if (!c.alive()) out += c.presence.size() + c.value.size();
                  return true;
                })
      .value();
  return out;
}

}  // namespace replica_tests
