// digest and hasher: 256-bit hashes that a peer cannot forge (BLAKE2b, RFC 7693, by libsodium).
//
// Purpose: digests of canonical states and of each origin's chain of changesets, and ids derived
// from names.
// Invariants: a hasher gives its digest once.
// Thread-safety: a hasher is used by one thread; digests are values.
#pragma once

#include <sodium/core.h>
#include <sodium/crypto_generichash_blake2b.h>

#include <array>
#include <compare>
#include <cstring>
#include <optional>

#include "joinery/base/bytes.hpp"

namespace joinery::crypto {

struct digest {
  std::array<unsigned char, 32> data{};

  friend constexpr auto operator<=>(const digest&, const digest&) = default;

  [[nodiscard]] bytes_view view() const noexcept {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  [[nodiscard]] std::string hex() const { return to_hex(view()); }
  static std::optional<digest> from_bytes(bytes_view raw) noexcept {
    if (raw.size() != 32) return std::nullopt;
    digest out;
    std::memcpy(out.data.data(), raw.data(), 32);
    return out;
  }
};

class hasher {
 public:
  hasher() noexcept {
    // Else libsodium does without what this processor is good at. On failure it goes on so.
    [[maybe_unused]] static const int ready = sodium_init();
    crypto_generichash_blake2b_init(&state_, nullptr, 0, 32);
  }

  hasher& add(bytes_view data) noexcept {
    crypto_generichash_blake2b_update(&state_, reinterpret_cast<const unsigned char*>(data.data()),
                                      data.size());
    return *this;
  }
  [[nodiscard]] digest finish() noexcept {
    digest out;
    crypto_generichash_blake2b_final(&state_, out.data.data(), out.data.size());
    return out;
  }

 private:
  crypto_generichash_blake2b_state state_;
};

}  // namespace joinery::crypto
