// fake_endpoint: an endpoint in memory, for tests of sessions.
//
// Purpose: keeps changesets and chains, checks that it is given each once and in causal order, and
// can be told to misbehave. Its state is its set of changesets.
// Thread-safety: none.
#pragma once

#include <map>
#include <set>

#include "joinery/codec/changeset.hpp"
#include "joinery/replica/space_name.hpp"
#include "joinery/sync/session.hpp"

namespace sync_tests {

using namespace joinery;

inline replica_id rid(int n) {
  replica_id id;
  id.data.fill(static_cast<unsigned char>(n));
  return id;
}

/// `size` bytes that do not compress.
inline bytes noise(std::size_t size, std::uint64_t seed = 1) {
  bytes out(size, '\0');
  for (auto& c : out) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(seed >> 56);
  }
  return out;
}

class fake_endpoint {
 public:
  struct entry {
    replica_id origin;
    std::uint64_t seq = 0;
    bytes data;
    crypto::digest chain;
  };

  explicit fake_endpoint(int id, std::string_view name = "tests")
      : space_(space_named(name)), self_(rid(id)) {}

  // --- The tests' side ---

  /// Writes a changeset of this replica's own, with `payload` in it.
  void commit(bytes payload = "x") {
    codec::changeset_writer w;
    bytes delta;
    byte_writer out{delta};
    out.varint(0);
    out.block(payload);
    w.add("t", "k", {crdt::cell_action::update, 1, "f", crdt::kind::lww, delta});
    std::vector<codec::seen_increase> seen;
    for (auto& [origin, seq] : seqs_) {
      const auto before = told_[origin];
      if (origin != self_ && seq > before) seen.push_back({origin, seq - before});
      told_[origin] = seq;
    }
    const auto seq = seqs_[self_] + 1;
    append(self_, seq, w.encode(self_, seq, ++time_, seen));
    if (!interval) flush();
  }
  void flush() { durable_ = log_.size(); }

  bool interval = false;                 ///< nothing is durable before `flush`
  std::optional<error> refuse_ingest{};  ///< what the next `ingest` gives
  bool corrupt_digest = false;
  bool hold_everything = false;  ///< as if all stamps were in the future
  std::size_t floor = 0;         ///< log entries below are forgotten
  schema::descriptor schema_{};
  std::size_t ingested = 0;    ///< changesets that were new
  std::size_t duplicates = 0;  ///< changesets that came again
  std::size_t batches = 0;
  std::size_t digests = 0;  ///< how often the digest was worked out

  [[nodiscard]] const std::vector<entry>& log() const { return log_; }
  void become(int id) { self_ = rid(id); }

  /// What it has, whatever the order of arrival.
  [[nodiscard]] std::set<bytes> content() const {
    std::set<bytes> out;
    for (const auto& e : log_) out.insert(e.data);
    return out;
  }

  // --- The session's side ---

  [[nodiscard]] space_id space() const { return space_; }
  [[nodiscard]] replica_id self() const { return self_; }
  [[nodiscard]] const schema::descriptor& descriptor() const { return schema_; }

  [[nodiscard]] std::vector<history::head> heads() const {
    std::map<replica_id, history::head> last;
    for (std::size_t i = 0; i < durable_; ++i)
      last[log_[i].origin] = {log_[i].origin, log_[i].seq, log_[i].chain};
    std::vector<history::head> out;
    for (const auto& [origin, head] : last) out.push_back(head);
    return out;
  }
  result<std::optional<crypto::digest>> chain_at(const replica_id& origin,
                                                 std::uint64_t seq) const {
    const auto at = find(origin, seq);
    return at ? std::optional{log_[*at].chain} : std::nullopt;
  }
  [[nodiscard]] std::uint64_t log_end() const { return durable_ + 1; }
  result<std::optional<std::uint64_t>> log_position(const replica_id& o, std::uint64_t seq) const {
    const auto at = find(o, seq);
    return at && *at >= floor ? std::optional<std::uint64_t>{*at + 1} : std::nullopt;
  }
  template <class F>
  result<> read_log(std::uint64_t from, F&& each) const {
    for (auto i = std::max<std::uint64_t>(from, 1) - 1; i < durable_; ++i)
      if (!each(i + 1, log_[i].origin, log_[i].seq, bytes_view{log_[i].data})) break;
    return {};
  }

  result<ingest_report> ingest(std::span<const bytes_view> changesets) {
    if (refuse_ingest) return *refuse_ingest;
    ++batches;
    ingest_report report;
    auto seqs = seqs_;
    auto seen = seen_;
    std::vector<std::pair<history::head, bytes_view>> fresh;
    for (const auto data : changesets) {
      const auto c = codec::decode_changeset(data);
      if (!c) return c.error();
      const auto where = sync::text_of(c->origin, c->seq);
      if (c->seq <= seqs[c->origin]) {
        const auto at = find_any(c->origin, c->seq);
        if (at && log_[*at].data != data) return error{errc::fork, "other bytes", where, ""};
        ++report.duplicates;
        continue;
      }
      if (hold_everything) {
        ++report.held;
        continue;
      }
      if (c->seq != seqs[c->origin] + 1) return error{errc::gap, "not the next", where, ""};
      auto& saw = seen[c->origin];
      for (const auto& s : c->seen)
        if (saw[s.replica] + s.increase > seqs[s.replica])
          return error{errc::gap, "before what it saw", where, ""};
      for (const auto& s : c->seen) saw[s.replica] += s.increase;
      ++seqs[c->origin];
      fresh.push_back({{c->origin, c->seq, {}}, data});
    }
    for (const auto& [name, data] : fresh) append(name.origin, name.seq, bytes{data});
    seen_ = std::move(seen);
    report.integrated = fresh.size();
    ingested += report.integrated;
    duplicates += report.duplicates;
    if (!interval) flush();
    return report;
  }

  result<crypto::digest> digest() {
    ++digests;
    auto d = sync::heads_digest(heads());
    if (corrupt_digest) d.data[0] ^= 1;
    return d;
  }

 private:
  void append(const replica_id& origin, std::uint64_t seq, bytes data) {
    const auto at = find_any(origin, seq - 1);
    const auto before = at ? log_[*at].chain : history::chain_start(space_, origin);
    const auto chain = history::chain_next(before, data);
    index_[{origin, seq}] = log_.size();
    log_.push_back({origin, seq, std::move(data), chain});
    seqs_[origin] = seq;
  }
  [[nodiscard]] std::optional<std::size_t> find_any(const replica_id& o, std::uint64_t seq) const {
    const auto at = index_.find({o, seq});
    return at == index_.end() ? std::nullopt : std::optional{at->second};
  }
  [[nodiscard]] std::optional<std::size_t> find(const replica_id& o, std::uint64_t seq) const {
    const auto at = find_any(o, seq);
    return at && *at < durable_ ? at : std::nullopt;
  }

  space_id space_;
  replica_id self_;
  std::vector<entry> log_;
  std::map<std::pair<replica_id, std::uint64_t>, std::size_t> index_;
  std::map<replica_id, std::uint64_t> seqs_;
  std::map<replica_id, std::uint64_t> told_;  ///< of others, in our own changesets
  std::map<replica_id, std::map<replica_id, std::uint64_t>> seen_;
  std::size_t durable_ = 0;
  causal::hlc time_ = 1;
};

static_assert(sync::endpoint<fake_endpoint>);

}  // namespace sync_tests
