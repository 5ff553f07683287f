// How a snapshot that is being received lies in its storage.
//
// Purpose: the entries of area `staged` and the progress beside them, written and read.
// Keys: see staging.hpp.
// Invariants: every value is sealed; what is read back is what was written, or an error.
// Thread-safety: as the view, writer or storage that is passed in.
#pragma once

#include "joinery/replica/pending_join.hpp"

namespace joinery::detail {

enum class staged_phase : std::uint8_t {
  none,     ///< nothing is staged
  base,     ///< the base's origins and their versions are coming in
  records,  ///< the base is whole; records are coming in
  tail,     ///< the records are there; changesets are coming in
};

struct staged_progress {
  staged_phase phase = staged_phase::none;
  std::string table;  ///< the last record that came in
  bytes key;
  std::uint64_t size = 0;      ///< in bytes, of the staged records
  std::uint64_t versions = 0;  ///< the number of the last version of chunks
  causal::version needed;      ///< what some chunk had seen above the base
};

inline bytes write_progress(const staged_progress& p) {
  bytes out;
  byte_writer w{out};
  w.u8(static_cast<std::uint8_t>(p.phase));
  w.block(p.table);
  w.block(p.key);
  w.varint(p.size);
  w.varint(p.versions);
  history::write_version(w, p.needed);
  return out;
}
inline result<staged_progress> read_progress(bytes_view content) {
  byte_reader in{content};
  staged_progress p;
  const auto phase = in.u8();
  p.phase = static_cast<staged_phase>(phase);
  p.table = in.block();
  p.key = in.block();
  p.size = in.varint();
  p.versions = in.varint();
  p.needed = history::read_version(in);
  if (!in.finished() || phase > 3)
    return error{errc::malformed, "the progress of a snapshot is not readable",
                 "meta entry staging", "restore the store"};
  return p;
}

/// What the staged snapshot knows of an origin.
struct staged_origin {
  causal::replica_index index = 0;
  history::origin_state known;
};

/// Gives the bytes that it takes.
template <history::storage_writer W>
std::size_t put_staged_origin(W& to, std::size_t place, const staged_origin& o) {
  bytes content;
  byte_writer w{content};
  w.varint(o.index);
  history::write_origins(w, {o.known});
  history::put_sealed(to, history::area::staged,
                      "o" + history::index_key(static_cast<std::uint32_t>(place)), content);
  return content.size() + 16;
}
inline result<staged_origin> open_staged_origin(bytes_view key, bytes_view value) {
  auto content = history::open_sealed(history::area::staged, key, value);
  if (!content) return content.error();
  byte_reader in{*content};
  staged_origin o;
  o.index = static_cast<causal::replica_index>(in.varint_up_to(0xFFFFFFFF));
  auto origins = history::read_origins(in);
  if (!in.finished() || origins.size() != 1)
    return error{errc::malformed, "an origin of a snapshot is not readable", "staged",
                 "restore the store"};
  o.known = std::move(origins.front());
  return o;
}

/// Gives the bytes that the entry takes.
template <history::storage_writer W>
std::size_t put_staged(W& to, bytes_view key, const staged_record& r) {
  bytes content;
  byte_writer w{content};
  w.varint(r.number);
  w.raw(r.packed);
  history::put_sealed(to, history::area::staged, key, content);
  return key.size() + content.size() + sizeof(std::uint64_t);
}

inline bytes staged_version_key(std::uint64_t number) {
  bytes key{"v"};
  byte_writer{key}.fixed64(number);
  return key;
}
/// Gives the bytes that it takes.
template <history::storage_writer W>
std::size_t put_staged_version(W& to, std::uint64_t number, const causal::version& version) {
  bytes content;
  byte_writer w{content};
  history::write_version(w, version);
  history::put_sealed(to, history::area::staged, staged_version_key(number), content);
  return content.size() + 16;
}
/// The version `number` of chunks, above the base; 0 is the base itself.
template <history::storage_view V>
result<causal::version> get_staged_version(V& view, std::uint64_t number) {
  if (number == 0) return causal::version{};
  auto content = history::get_sealed(view, history::area::staged, staged_version_key(number));
  if (!content) return content.error();
  byte_reader in{content->value_or(bytes_view{})};
  auto version = history::read_version(in);
  if (!in.finished())
    return error{errc::malformed, "a version of a snapshot is not readable", "staged",
                 "restore the store"};
  return version;
}

/// Erases some of what area `staged` holds, in one transaction. True when there is more.
template <history::storage S>
result<bool> clear_staged(S& storage, std::size_t most = 512) {
  bool more = false;
  auto done = storage.write([&](auto& writer) -> result<> {
    std::vector<bytes> keys;
    more = false;
    writer.scan(history::area::staged, bytes_view{"\0", 1}, [&](bytes_view key, bytes_view) {
      more = keys.size() == most;
      if (!more) keys.emplace_back(key);
      return !more;
    });
    for (const auto& key : keys) writer.erase(history::area::staged, key);
    return {};
  });
  if (!done) return done.error();
  return more;
}
template <history::storage S>
result<> clear_all_staged(S& storage) {
  for (;;) {
    auto more = clear_staged(storage);
    if (!more) return more.error();
    if (!*more) return {};
  }
}

}  // namespace joinery::detail
