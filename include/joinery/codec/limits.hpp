// Limits on what is read from outside.
//
// Purpose: one place for the bounds that untrusted bytes are held to.
// Invariants: a writer of joinery never exceeds what a reader accepts.
// Thread-safety: constants.
#pragma once

#include <cstddef>
#include <cstdint>

namespace joinery::codec {

inline constexpr std::size_t max_key = 400;     ///< bytes of a record's key (LMDB keys end at 511)
inline constexpr std::size_t max_name = 64;     ///< bytes of a table's or field's name
inline constexpr std::size_t max_names = 4096;  ///< names in one changeset
inline constexpr std::size_t max_changeset = 8u << 20;  ///< bytes of a changeset
inline constexpr std::uint64_t max_incarnation = std::uint64_t{1} << 48;
inline constexpr std::uint64_t max_seq = std::uint64_t{1} << 62;

}  // namespace joinery::codec
