// fork_ledger: two changesets under one dot, kept as evidence.
//
// Purpose: what a replica knows of origins whose history parts: where, both changesets, and what in
// its own log depends on its own branch, so that this is not sent to peers that have the other.
// Keys: `evidence` has replica id → varint seq, 32 bytes hash of our changeset, 32 of theirs, block
// our changeset, block theirs; a changeset that is too large to be kept, or no longer in the log,
// is empty.
// Invariants: one fork for each origin, at most `most_forks` of them, with at most `most_bytes` of
// changesets; it never goes away.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <map>
#include <unordered_map>

#include "joinery/replica/fork_report.hpp"
#include "joinery/replica/replica_state.hpp"
#include "joinery/replica/store_layout.hpp"

namespace joinery::detail {

/// The last changeset of each replica that does not depend on a branch; not listed: none does.
using clean_versions = std::unordered_map<replica_id, std::uint64_t>;

class fork_ledger {
 public:
  static constexpr std::size_t most_forks = 1024;
  static constexpr std::size_t most_kept_bytes = 64u << 10;  ///< of one changeset
  static constexpr std::size_t most_bytes = 8u << 20;        ///< of all

  [[nodiscard]] std::vector<fork_report> forks() const {
    std::vector<fork_report> out;
    for (const auto& [origin, fork] : forks_) out.push_back(fork);
    return out;
  }

  template <history::storage S>
  result<> load(S& storage) {
    return storage.read([&](auto& view) -> result<> {
      result<> outcome;
      forks_.clear();
      kept_ = 0;
      view.scan(history::area::evidence, {}, [&](bytes_view key, bytes_view value) {
        auto content = history::open_sealed(history::area::evidence, key, value);
        if (!content)
          outcome = content.error();
        else if (const auto fork = read(key, *content))
          forks_.emplace(fork->origin, *fork), kept_ += content->size();
        else
          outcome = error{errc::malformed, "evidence of a fork that is not readable",
                          "evidence entry 0x" + to_hex(key), "restore the store from a backup"};
        return outcome.has_value();
      });
      return outcome;
    });
  }

  /// Keeps `theirs`, which stands under the dot (`origin`, `seq`), where the log has another. True
  /// when it is news. Empty bytes stand for a changeset that is too large. Errors: malformed (it is
  /// no changeset of that dot, or the one that the log has), not_found (none was ever there).
  template <history::storage S>
  result<bool> note(S& storage, const replica_state& state, const replica_id& origin,
                    std::uint64_t seq, bytes_view theirs) {
    if (forks_.contains(origin) || forks_.size() >= most_forks) return false;
    const auto index = state.replicas.find(origin);
    auto ours = index ? logged(storage, state, {*index, seq}) : result<bytes>{bytes{}};
    if (!ours) return ours.error();
    const auto where = "changeset " + std::to_string(seq) + " of replica " + origin.hex();
    if (!index || state.seen.at(*index) < seq)
      return error{errc::not_found, "a fork at a changeset that is not here", where, ""};
    const bool fits = theirs.empty() || (codec::decode_changeset(theirs).has_value() &&
                                         codec::peek_dot(theirs) == std::pair{origin, seq});
    if (!fits || (theirs == *ours && !ours->empty()))
      return error{errc::malformed, "evidence of a fork that proves none", where,
                   "the peer is at fault"};
    const fork_report fork{origin, seq, hash(*ours), hash(theirs)};
    bytes content;
    byte_writer w{content};
    w.varint(seq);
    w.raw(fork.ours.view());
    w.raw(fork.theirs.view());
    for (const auto data : {bytes_view{*ours}, theirs})
      w.block(data.size() > most_kept_bytes || kept_ >= most_bytes ? bytes_view{} : data);
    auto stored = storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::evidence, origin.view(), content);
      return {};
    });
    if (!stored) return stored.error();
    forks_.emplace(origin, fork);
    kept_ += content.size();
    return true;
  }

  /// What of this log may go to a peer that shares the history of `origin` up to `common` only.
  template <history::storage S>
  static result<clean_versions> clean_of(S& storage, const replica_state& state,
                                         const replica_id& origin, std::uint64_t common) {
    clean_versions out{{origin, common}};
    const auto branch = state.replicas.find(origin);
    if (!branch || state.seen.at(*branch) <= common) return out;
    struct step {
      causal::replica_index by = 0;
      std::uint64_t seq = 0;
      std::uint64_t increase = 0;
    };
    std::vector<step> steps;  // the changesets that saw more of `origin`, from the fork on
    auto done = storage.read([&](auto& view) -> result<> {
      steps.clear();
      auto position = history::find_position(view, {*branch, common + 1});
      if (!position) return position.error();
      result<> outcome;
      const auto from = position->value_or(1);
      auto scanned = history::scan_log(view, from, [&](std::uint64_t, bytes_view data) {
        auto c = codec::decode_changeset(data);
        if (!c) return outcome = c.error(), false;
        for (const auto& s : c->seen)
          if (const auto by = state.replicas.find(c->origin); by && s.replica == origin)
            steps.push_back({*by, c->seq, s.increase});
        return true;
      });
      return scanned ? outcome : scanned;
    });
    if (!done) return done.error();
    // Backwards from what each has seen now to what it had seen then.
    std::unordered_map<causal::replica_index, std::uint64_t> seen;
    for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
      const auto [now, fresh] = seen.try_emplace(s->by, state.origins[s->by].seen.at(*branch));
      if (now->second > common) out[state.replicas[s->by]] = s->seq - 1;
      now->second -= std::min(now->second, s->increase);
    }
    // Who had seen it before all that the log still tells depends on it throughout.
    for (causal::replica_index r = 0; r < state.origins.size(); ++r) {
      const auto first = seen.find(r);
      const auto before = first != seen.end() ? first->second : state.origins[r].seen.at(*branch);
      if (r != *branch && before > common) out[state.replicas[r]] = 0;
    }
    return out;
  }

  /// A changeset of the log; empty when it is not there.
  template <history::storage S>
  static result<bytes> logged(S& storage, const replica_state& state, causal::dot at) {
    bytes out;
    auto done = storage.read([&](auto& view) -> result<> {
      auto data = history::changeset_of(view, at, state.log);
      if (!data) return data.error();
      out = data->value_or(bytes{});
      return {};
    });
    if (!done) return done.error();
    return out;
  }

 private:
  static crypto::digest hash(bytes_view data) { return crypto::hasher{}.add(data).finish(); }

  static std::optional<fork_report> read(bytes_view key, bytes_view content) {
    fork_report out;
    byte_reader in{content};
    const auto origin = replica_id::from_bytes(key);
    out.seq = in.varint();
    const auto ours = crypto::digest::from_bytes(in.take(32));
    const auto theirs = crypto::digest::from_bytes(in.take(32));
    in.block();
    in.block();
    if (!origin || !ours || !theirs || !in.finished()) return std::nullopt;
    out.origin = *origin;
    out.ours = *ours;
    out.theirs = *theirs;
    return out;
  }

  std::map<replica_id, fork_report> forks_;
  std::size_t kept_ = 0;  ///< bytes of evidence
};

}  // namespace joinery::detail
