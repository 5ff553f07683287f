// log_repair: puts a damaged changeset of the log back.
//
// Purpose: the chain digests beside the log prove that bytes from elsewhere are the very ones that
// stood there.
// Invariants: nothing is put into the log that its chain does not prove; positions never change.
// Thread-safety: none; called by the replica's owner.
#pragma once

#include "joinery/replica/damage.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

/// The dots of the changesets at `positions`, as far as they are known.
template <history::storage S>
result<std::map<std::uint64_t, causal::dot>> dots_at(S& storage,
                                                     const std::set<std::uint64_t>& positions) {
  std::map<std::uint64_t, causal::dot> out;
  auto read = storage.read([&](auto& view) -> result<> {
    out.clear();
    view.scan(history::area::dots, {}, [&](bytes_view key, bytes_view value) {
      const auto content = history::open_sealed(history::area::dots, key, value);
      const auto position = content ? byte_reader{*content}.fixed64() : 0;
      if (key.size() == 12 && positions.contains(position))
        out[position] = {history::index_of(key), byte_reader{history::after_index(key)}.fixed64()};
      return out.size() < positions.size();
    });
    return {};
  });
  if (!read) return read.error();
  return out;
}

/// The last changeset of each origin, by the dots alone: for a log that cannot be read throughout.
template <history::storage_view V>
result<std::vector<history::head>> heads_of_dots(V& view, const causal::roster& replicas) {
  std::vector<history::head> out;
  result<> outcome;
  view.scan(history::area::dots, {}, [&](bytes_view key, bytes_view value) {
    auto content = history::open_sealed(history::area::dots, key, value);
    const auto index = history::index_of(key);
    if (!content || key.size() != 12 || index >= replicas.size()) {
      outcome = content ? error{errc::malformed, "a dot of no replica", "dots", "restore the store"}
                        : content.error();
      return false;
    }
    byte_reader in{*content};
    in.fixed64();
    const auto chain = crypto::digest::from_bytes(in.rest()).value_or(crypto::digest{});
    if (out.empty() || out.back().origin != replicas[index])
      out.push_back({replicas[index], 0, {}});
    out.back().seq = byte_reader{history::after_index(key)}.fixed64();
    out.back().chain = chain;
    return true;
  });
  if (!outcome) return outcome.error();
  return out;
}

/// Where `data` belongs, if they are the bytes of the changeset `at`; nothing when they are not.
template <history::storage_view V>
result<std::optional<std::uint64_t>> proven(V& view, const replica_state& state, causal::dot at,
                                            bytes_view data) {
  auto place = history::find_changeset(view, at);
  if (!place) return place.error();
  if (!*place) return std::optional<std::uint64_t>{};
  auto before = history::chain_start(state.space, state.replicas[at.replica]);
  if (at.seq > 1) {
    auto previous = history::find_changeset(view, causal::dot{at.replica, at.seq - 1});
    if (!previous) return previous.error();
    if (!*previous) return std::optional<std::uint64_t>{};
    before = (*previous)->chain;
  }
  if (history::chain_next(before, data) != (*place)->chain) return std::optional<std::uint64_t>{};
  return std::optional<std::uint64_t>{(*place)->position};
}

/// Puts `data` back if they are the bytes of the changeset `at`; gives its position, or nothing
/// when they are not.
template <history::storage S>
result<std::optional<std::uint64_t>> put_back(S& storage, const replica_state& state,
                                              causal::dot at, bytes_view data) {
  std::optional<std::uint64_t> position;
  auto done = storage.write([&](auto& writer) -> result<> {
    auto found = proven(writer, state, at, data);
    if (!found) return found.error();
    position = *found;
    if (!position) return {};
    const auto key = history::position_key(*position);
    history::put_sealed(writer, history::area::log, key, data);
    writer.erase(history::area::quarantine, damage::quarantine_key(history::area::log, key));
    return {};
  });
  if (!done) return done.error();
  return position;
}

}  // namespace joinery::detail
