// Fuzzer of what a store holds.
//
// Strategy: the entries of a real store, in which every area has some, are changed: bits flipped,
// values cut, moved to other keys, erased, and new ones added, with checksums that fit or not. The
// real engine then opens it, reads everything, scrubs, is tended, writes, meets a sound replica,
// and is opened again.
// Invariants: a store is opened or refused with a typed error, and so is each call after that. When
// only damage was done that checksums show, and something is read, it is what was there: a digest
// is given only of the right state. Memory and time are bounded.
#include "fuzz/support/input.hpp"
#include "fuzz/support/scene.hpp"
#include "joinery/transport/pipe.hpp"

namespace fuzz::of_stores {

using history::area;

struct original {
  memory_storage disk;
  appearance looks;
};

void with_tables(node& n) {
  using crdt::kind;
  n.options.indexes = {{"plants", "name", kind::lww}, {"plants", "tags", kind::or_set}};
  n.options.local_descriptor.tables = {
      {"notes", joinery::schema::delete_rule::update_wins, {{"name", kind::lww, "int"}}}};
  n.options.local_indexes = {{"notes", "name", kind::lww}};
  n.options.cache_bytes = 0;
  n.options.large_field_bytes = 8;
  n.options.snapshot_records = 3;
}

void write_note(node& n, bytes_view key, int value) {
  codec::changeset_writer local;
  local.add("notes", key,
            {crdt::cell_action::update, 1, "name", crdt::kind::lww, crdt::lww<int>::set(value)});
  static_cast<void>(n.e->commit({}, local).has_value());
}

/// A changeset of a replica that nobody else knows.
bytes of_stranger(std::uint64_t seq, int value) {
  replica_id stranger;
  stranger.data.fill(0x77);
  codec::changeset_writer w;
  w.add("plants", "strange",
        {crdt::cell_action::update, 1, "name", crdt::kind::lww, crdt::lww<int>::set(value)});
  return w.encode(stranger, seq, joinery::causal::hlc_from_ms(1'000'000) + seq, {});
}

original make() {
  node n{21};
  with_tables(n);
  n.disk.put_back(scene_of(scene_kind::interrupted).victim.clone());
  n.open().value();
  for (const auto* key : {"x", "y"}) write_note(n, key, 5);
  const auto first = of_stranger(1, 1), other = of_stranger(1, 2), early = of_stranger(5, 3);
  const bytes_view good[] = {first, early};
  n.e->ingest(good).value();
  for (unsigned i = 60; i < 70; ++i) n.write(i).value();
  n.e->checkpoint().value();
  for (unsigned i = 70; i < 74; ++i) n.write(i).value();
  const bytes_view fork[] = {other};
  static_cast<void>(n.e->ingest(fork).has_value());
  original out;
  out.looks = appearance_of(n);
  n.e.reset();
  out.disk = n.disk.clone();
  return out;
}
const original& made() {
  static const original one = make();
  return one;
}

/// The entry of an area that comes `n`th, counted in a circle.
std::optional<std::pair<bytes, bytes>> entry_at(memory_storage& disk, area where, std::size_t n) {
  std::vector<std::pair<bytes, bytes>> all;
  disk.read([&](auto& view) -> result<> {
        view.scan(where, {}, [&](bytes_view key, bytes_view value) {
          all.emplace_back(key, value);
          return true;
        });
        return {};
      })
      .value();
  if (all.empty()) return std::nullopt;
  return all[n % all.size()];
}

class trial {
 public:
  explicit trial(input& in) : in_(in), node_(22), other_(23) {
    with_tables(node_);
    if (in.chance(60)) node_.options.accept_schema_conflicts = true;
    node_.disk.put_back(made().disk.clone());
    begin_measuring();
    for (auto n = 1 + in.below(6); n > 0; --n) damage();
    if (!note(node_.open())) return;
    use();
    node_.disk.reopen();
    if (!note(node_.open())) return;
    use();
  }

 private:
  template <class R>
  static bool note(const R& done) {
    if (done) return true;
    demand(name_of(done.error().code) != "unknown", "an error without a name");
    return false;
  }

  // --- Damage ---

  void damage() {
    const auto where = static_cast<area>(in_.below(history::area_count));
    const auto entry = entry_at(node_.disk, where, in_.u8());
    switch (in_.below(8)) {
      case 0:
      case 1:
      case 2:
        if (entry) put(where, entry->first, altered(entry->second));
        break;
      case 3:
      case 4:
        forged_ = true;
        if (entry && entry->second.size() >= 8)
          seal(where, entry->first, altered(entry->second.substr(8)));
        break;
      case 5:
        forged_ = true;
        if (entry) erase(where, entry->first);
        break;
      case 6: {
        forged_ = true;
        const bytes key{in_.block().substr(0, 200)};
        seal(where, key, in_.block());
        break;
      }
      default: {
        const auto from = entry_at(node_.disk, where, in_.u8());
        if (entry && from) put(where, entry->first, from->second);
      }
    }
  }
  bytes altered(bytes value) {
    const auto at = in_.u16() % (value.size() + 1);
    switch (in_.below(4)) {
      case 0: value.resize(at); break;
      case 1: value.insert(at, in_.block()); break;
      case 2: value = value.substr(0, at) += in_.block(); break;
      default:
        if (at < value.size()) value[at] = static_cast<char>(value[at] ^ (1 + in_.u8()));
    }
    return value;
  }
  void put(area where, const bytes& key, const bytes& value) {
    static_cast<void>(node_.disk
                          .write([&](auto& w) -> result<> {
                            w.put(where, key, value);
                            return {};
                          })
                          .has_value());
  }
  void seal(area where, const bytes& key, bytes_view content) {
    put(where, key, codec::sealed(static_cast<std::uint8_t>(where), key, content));
  }
  void erase(area where, const bytes& key) {
    static_cast<void>(node_.disk
                          .write([&](auto& w) -> result<> {
                            w.erase(where, key);
                            return {};
                          })
                          .has_value());
  }

  // --- Use ---

  void use() {
    auto& e = *node_.e;
    note(look_through(e));
    look_at_local_tables(e);
    check_digest();
    for (int n = 0; n < 200; ++n) {
      const auto done = e.scrub(20);
      if (!note(done) || *done) break;
    }
    check_digest();
    note(e.tend());
    note(node_.write(in_.u8()));
    write_note(node_, "x", 9);
    note(e.checkpoint());
    wake_up(other_, scene_of(scene_kind::interrupted).other, 0);
    const auto met = joinery::transport::sync_once(e, *other_.e);
    if (note(met) && !forged_) check_together();
    note(look_through(e));
    changed_ = true;
  }
  void look_at_local_tables(memory_engine& e) {
    note(e.local().for_each("notes", {}, [](auto, const auto&) { return true; }));
    note(e.local().record("notes", "x"));
  }
  /// Nothing but checksums stands between damage and a wrong answer.
  void check_digest() {
    const auto digest = node_.e->digest();
    if (!note(digest) || forged_ || changed_ || node_.e->self() != made().looks.self) return;
    demand(digest->hex() == made().looks.digest, "a digest of something else");
  }
  void check_together() {
    if (!node_.e->forks().empty() || !other_.e->forks().empty()) return;
    const auto ours = node_.e->digest();
    const auto theirs = other_.e->digest();
    if (ours && theirs) demand(*ours == *theirs, "in sync, and not the same");
  }

  input& in_;
  node node_, other_;
  bool forged_ = false;   // damage that no checksum shows
  bool changed_ = false;  // it has written since
};

void run(bytes_view data) {
  input in{data};
  trial{in};
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  for (char where = 0; where < static_cast<char>(history::area_count); ++where) {
    out.push_back(bytes{'\0', '\0', where, '\1', '\0', '\0', '\5', '\3', '\4'});
    out.push_back(bytes{'\0', '\1', where, '\0', '\3', '\0', '\6', '\3', '\1', where, '\2', '\4',
                        '\0', '\2', '\3', '\7'});
    out.push_back(
        bytes{'\0', '\0', where, '\1', '\6', '\4', 'k', 'e', 'y', 's', '\3', '\1', '\2', '\3'});
    out.push_back(bytes{'\0', '\1', where, '\0', '\5', where, '\0', '\7', '\1'});
  }
  return out;
}

const registration here{{"store", run, seeds, {8192, 8u << 20, 500}}};

}  // namespace fuzz::of_stores
