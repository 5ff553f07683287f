// The endpoint concept: what a session exchanges changesets with.
//
// Purpose: a replica models it, and so does a relay that knows no schema.
// Invariants: only durable changesets are shown; the log is in an order that respects causality,
// positions ascend and never change their meaning. `ingest` is all or nothing.
// Thread-safety: a session calls its endpoint from the thread that calls the session.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "joinery/base/result.hpp"
#include "joinery/history/floor.hpp"
#include "joinery/history/head.hpp"
#include "joinery/replica/fork_report.hpp"
#include "joinery/replica/report.hpp"
#include "joinery/schema/descriptor.hpp"

namespace joinery::sync {

/// Called for each log entry from a position on: (position, origin, seq, changeset bytes). False
/// stops. An archetype: `read_log` takes any callable of this signature.
struct log_visitor {
  bool operator()(std::uint64_t, const replica_id&, std::uint64_t, bytes_view) const;
};

template <class E>
concept endpoint = requires(E& e, const replica_id& id, std::uint64_t n, log_visitor visit,
                            std::span<const bytes_view> changesets) {
  { e.space() } -> std::convertible_to<space_id>;
  { e.self() } -> std::convertible_to<replica_id>;
  { e.descriptor() } -> std::convertible_to<const schema::descriptor&>;
  /// Every origin's last durable changeset.
  { e.heads() } -> std::same_as<std::vector<history::head>>;
  /// The chain digest of `id` at `n` ≥ 1; nothing when it is not known here (above its head, or
  /// long forgotten).
  { e.chain_at(id, n) } -> std::same_as<result<std::optional<crypto::digest>>>;
  /// One past the position of the last durable changeset.
  { e.log_end() } -> std::same_as<std::uint64_t>;
  /// The position of the changeset (`id`, `seq`); nothing when it is not in the log.
  { e.log_position(id, n) } -> std::same_as<result<std::optional<std::uint64_t>>>;
  /// Visits the durable log from a position on, in order.
  { e.read_log(n, visit) } -> std::same_as<result<>>;
  /// Integrates what a peer sent, in one durable transaction (durable once `heads` shows it).
  { e.ingest(changesets) } -> std::same_as<result<ingest_report>>;
  /// The digest of the canonical state at exactly the version that `heads` shows after the call.
  { e.digest() } -> std::same_as<result<crypto::digest>>;
};

/// How far each replica's changesets do not depend on a branch; not listed: all of them.
using clean_versions = std::unordered_map<replica_id, std::uint64_t>;

/// An endpoint that can settle what comes of copied stores: take a new id, and live with forks of
/// other origins. Sessions of any other end with errc::fork when they find one.
template <class E>
concept settling_endpoint = endpoint<E> &&
    requires(E& e, const replica_id& id, std::uint64_t n, bytes_view changeset) {
  /// Whether a session may let it take a new id.
  { e.may_renew() } -> std::same_as<bool>;
  /// Takes one; what it wrote after `n` goes on under that.
  { e.renew(n) } -> std::same_as<result<>>;
  /// How far its own changesets may be known to others.
  { e.given_away() } -> std::same_as<std::uint64_t>;
  /// What is durable is about to be given away.
  { e.offer() } -> std::same_as<result<>>;
  /// A session lives, or no longer.
  e.follow(true);
  /// Of this object alone.
  { e.instance() } -> std::convertible_to<replica_id>;
  /// The forks that are known.
  { e.forks() } -> std::same_as<std::vector<fork_report>>;
  /// Keeps evidence of one; empty when the changeset was too large to come along.
  { e.note_fork(id, n, changeset) } -> std::same_as<result<bool>>;
  /// What may go to a peer that shares the history of `id` up to `n` only.
  { e.clean_of(id, n) } -> std::same_as<result<clean_versions>>;
  /// The changeset (`id`, `n`); empty when it is not there.
  { e.changeset_at(id, n) } -> std::same_as<result<bytes>>;
};

/// An endpoint that serves peers below its log's floor, and is itself served when it is below
/// theirs: what is asked for, and chunks, are bytes to a session. See replica/bootstrap.hpp.
template <class E>
concept bootstrapping = endpoint<E> &&
    requires(E& e, bytes_view data, std::size_t limit, std::span<const bytes_view> changesets,
             const std::shared_ptr<const void>& session) {
  { e.replicas() } -> std::convertible_to<const causal::roster&>;
  /// All that is integrated, durable or not.
  { e.seen() } -> std::convertible_to<const causal::version&>;
  /// Makes it durable.
  { e.flush() } -> std::same_as<result<>>;
  { e.log_floor() } -> std::convertible_to<const history::log_floor&>;
  { e.joins() } -> std::same_as<std::uint64_t>;
  e.serve_snapshot(data, limit);
  { e.request_snapshot(session) } -> std::same_as<result<std::optional<bytes>>>;
  { e.take_chunk(data) } -> std::same_as<result<std::optional<std::vector<history::head>>>>;
  { e.take_tail(changesets) } -> std::same_as<result<>>;
};

}  // namespace joinery::sync
