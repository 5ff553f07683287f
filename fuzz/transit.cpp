// Fuzzer of the transit form of changesets.
//
// Strategy: the first byte chooses. Even: the rest are blocks, each what a session would send as
// one changeset (a real one, a damaged one, anything), in frames of a few; they go through an
// encoder and its decoder. Odd: the rest are blocks, each a frame as a peer would send it, and go
// into one decoder.
// Invariants: what was encoded comes out as the same bytes, in frames no longer than was said; a
// frame of a peer gives changesets within the caller's limit or one of two typed errors, which
// stays. Memory and time grow with the input and the limit.
#include "fuzz/support/input.hpp"
#include "joinery/codec/changeset.hpp"
#include "joinery/codec/transit/decoder.hpp"
#include "joinery/codec/transit/encoder.hpp"
#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/or_set.hpp"

namespace fuzz::of_transit {

using namespace joinery;
using codec::transit::decoder;
using codec::transit::encoder;

constexpr std::size_t most = 128u << 10;

void check_round(input& in, std::uint64_t memory) {
  encoder e{memory};
  decoder d{memory};
  std::size_t size = 0;
  std::vector<bytes_view> sent;
  while (in.more() || !sent.empty()) {
    if (in.more() && sent.size() < 4) {
      const auto changeset = in.block();
      const auto before = e.bound();
      e.add(changeset);
      demand(e.bound() <= before + codec::transit::most_added(changeset.size()), "a bound");
      size += changeset.size();
      sent.push_back(changeset);
      if (in.more() && in.chance(128)) continue;
    }
    const auto bound = e.bound();
    bytes frame;
    e.finish(frame);
    demand(frame.size() <= bound, "a frame longer than it was to be");
    const auto got = d.decode(frame, std::max(most, size));
    demand(got && std::equal(got->begin(), got->end(), sent.begin(), sent.end()),
           "other changesets than were sent");
    sent.clear();
    size = 0;
  }
}

void check_frames(input& in, std::uint64_t memory) {
  decoder d{memory};
  while (in.more()) {
    const auto got = d.decode(in.block(), most);
    if (!got) {
      const auto code = got.error().code;
      demand(code == errc::malformed || code == errc::too_large, "an error of another kind");
      demand(!d.decode("\x01", most), "a fault that does not stay");
      return;
    }
    std::size_t size = 0;
    for (const auto c : *got) {
      size += c.size();
      static_cast<void>(codec::decode_changeset(c).has_value());
    }
    demand(!got->empty() && size <= most, "more than was allowed");
  }
}

void run(bytes_view data) {
  input in{data};
  const auto choice = in.u8();
  const std::uint64_t memory = (choice & 2) != 0 ? 1u << 20 : codec::transit::min_memory;
  (choice & 1) == 0 ? check_round(in, memory) : check_frames(in, memory);
}

std::vector<bytes> some_changesets() {
  using enum crdt::cell_action;
  std::vector<bytes> out;
  replica_id me, other;
  me.data.fill(5);
  other.data.fill(7);
  for (std::uint64_t seq = 1; seq <= 6; ++seq) {
    codec::changeset_writer w;
    const auto key = "key " + std::to_string(seq % 3);
    w.add("workouts", key, {create, 1, {}, {}, {}});
    w.add("workouts", key,
          {update, 1, "name", crdt::kind::lww, crdt::lww<std::string>::set("a run in the rain")});
    w.add("workouts", key,
          {update, seq, "km", crdt::kind::lww,
           crdt::lww<std::int64_t>::set(-300 * static_cast<int>(seq))});
    w.add("profiles", "me", {update, 1, "xp", crdt::kind::pn_counter, crdt::pn_counter::add(70)});
    w.add("profiles", "me",
          {amend, 1, "tags", crdt::kind::or_set, crdt::or_set<std::string>::insert("rain")});
    if (seq % 2 == 0) w.add("posts", key, {erase, 1, {}, {}, {}});
    out.push_back(w.encode(seq < 5 ? me : other, seq, seq << 20, {{seq < 5 ? other : me, 2}}));
  }
  return out;
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  const auto changesets = some_changesets();
  for (const char choice : {'\0', '\2'})
    for (const char together : {'\0', '\xFF'}) {
      bytes rounds(1, choice);
      for (const auto& c : changesets) {
        write_block(rounds, c);
        rounds.push_back(together);
      }
      out.push_back(rounds);
    }
  for (const char choice : {'\1', '\3'})
    for (const std::size_t each : {1u, 3u}) {
      encoder e{choice == '\3' ? 1u << 20 : codec::transit::min_memory};
      bytes frames(1, choice);
      for (std::size_t i = 0; i < changesets.size(); ++i) {
        e.add(changesets[i]);
        if ((i + 1) % each > 0) continue;
        bytes frame;
        e.finish(frame);
        write_block(frames, frame);
      }
      out.push_back(frames);
    }
  // Through the zstd stream, and what makes much of little.
  encoder e{codec::transit::min_memory};
  bytes frames(1, '\1');
  for (int i = 0; i < 3; ++i) {
    e.add(bytes(20'000, 'a'));
    bytes frame;
    e.finish(frame);
    write_block(frames, frame);
  }
  out.push_back(frames);
  return out;
}

// The operations of a frame are kept until it is decoded, some twenty bytes for each of the limit.
const registration here{{"transit", run, seeds, {256, 6u << 20, 250}}};

}  // namespace fuzz::of_transit
