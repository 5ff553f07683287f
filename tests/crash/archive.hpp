// archive: every changeset that was ever seen, and what a state made of some of them alone is.
//
// Purpose: the account that recovered stores are compared with. It looks at logs only: a digest
// comes from a fresh replica in memory that takes the changesets of a version, and nothing else.
// Invariants: one dot has one changeset: `learn` tells of any other.
// Thread-safety: none.
#pragma once

#include <catch2/catch.hpp>

#include <map>

#include "tests/crash/sport.hpp"

namespace crash_tests {

/// How many changesets of each origin.
using versions = std::map<replica_id, std::uint64_t>;

inline std::string show(const versions& of, const std::map<replica_id, std::string>& names) {
  std::string out;
  for (const auto& [id, seq] : of) {
    const auto name = names.find(id);
    if (!out.empty()) out += ' ';
    out += (name == names.end() ? id.hex().substr(0, 4) : name->second) + ":" + std::to_string(seq);
  }
  return out.empty() ? "nothing" : out;
}
inline bool covers(const versions& a, const versions& b) {
  for (const auto& [id, seq] : b) {
    const auto there = a.find(id);
    if (seq > 0 && (there == a.end() || there->second < seq)) return false;
  }
  return true;
}
inline versions united(versions a, const versions& b) {
  for (const auto& [id, seq] : b) a[id] = std::max(a[id], seq);
  return a;
}
template <class Db>
versions version_of(Db& db) {
  versions out;
  const auto& e = db.endpoint();
  for (causal::replica_index r = 0; r < e.seen().size(); ++r)
    if (e.seen().at(r) > 0) out[e.replicas()[r]] = e.seen().at(r);
  return out;
}

class archive {
 public:
  /// Takes what the log of `db` has from `position` on; gives where to go on. What is known must
  /// have the same bytes.
  template <class Db>
  std::uint64_t learn(Db& db, std::uint64_t position = 1) {
    auto next = position;
    db.endpoint()
        .read_log(position,
                  [&](auto at, const auto&, auto, bytes_view data) {
                    next = at + 1;
                    add(data);
                    return true;
                  })
        .value();
    return next;
  }
  void add(bytes_view data) {
    const auto dot = codec::peek_dot(data);
    REQUIRE(dot.has_value());
    const auto [there, fresh] = known_.try_emplace(*dot, order_.size());
    if (fresh)
      order_.push_back({dot->first, dot->second, bytes{data}});
    else if (order_[there->second].data != data)
      FAIL("dot " << dot->first.hex() << ":" << dot->second << " has other bytes than before");
  }

  [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  /// A fresh replica with exactly the changesets of `version`.
  struct replayed {
    manual_clock time{~std::uint64_t{0} >> 17};
    prng dice{~std::uint64_t{0}};  // nobody else's
    std::optional<memory_replica> db;
  };
  [[nodiscard]] std::unique_ptr<replayed> replay(const versions& version) const {
    auto out = std::make_unique<replayed>();
    auto options = small_options(out->time, out->dice);
    options.retain_log_bytes = ~std::uint64_t{0};
    options.cache_bytes = options.large_field_bytes = std::size_t{1} << 30;
    options.snapshot_records = options.snapshot_log_bytes = std::size_t{1} << 30;
    options.acknowledge_after_ms = ~std::uint64_t{0};
    options.retain_log_ms = ~std::uint64_t{0};
    options.scrub_every_ms = 0;
    out->db.emplace(memory_replica::open(memory_storage{}, options).value());
    std::vector<bytes_view> batch;
    std::uint64_t missing = 0;
    for (const auto& [origin, seq] : version) missing += seq;
    for (const auto& c : order_) {
      const auto wanted = version.find(c.origin);
      if (wanted == version.end() || c.seq > wanted->second) continue;
      batch.push_back(c.data);
      --missing;
    }
    INFO("changesets that the account lacks");
    REQUIRE(missing == 0);
    if (!batch.empty())
      REQUIRE(out->db->endpoint().ingest(batch).value().integrated == batch.size());
    return out;
  }
  std::string digest(const versions& version) {
    auto& known = digests_[version];
    if (known.empty()) known = replay(version)->db->digest().value().hex();
    return known;
  }
  /// The same, of `version` alone: what came after may have become something else.
  [[nodiscard]] archive only(const versions& version) const {
    archive out;
    for (const auto& c : order_) {
      const auto wanted = version.find(c.origin);
      if (wanted == version.end() || c.seq > wanted->second) continue;
      out.known_[{c.origin, c.seq}] = out.order_.size();
      out.order_.push_back(c);
    }
    return out;
  }

 private:
  struct changeset {
    replica_id origin;
    std::uint64_t seq;
    bytes data;
  };
  std::map<std::pair<replica_id, std::uint64_t>, std::size_t> known_;
  std::vector<changeset> order_;  // respects causality: so do the logs it comes from
  std::map<versions, std::string> digests_;
};

}  // namespace crash_tests
