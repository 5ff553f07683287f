// Fuzzer of descriptors: what a peer says of its schema.
//
// Strategy: the input is a descriptor.
// Invariants: decoding gives a descriptor or one of two typed errors; what decodes keeps the limits
// and has unique names, is encoded to bytes that decode to the same and are encoded to the same
// again, has a fingerprint that does not depend on the order of tables and fields, and does not
// contradict itself. Memory and time grow with the input.
#include <set>

#include "fuzz/support/input.hpp"
#include "joinery/codec/descriptor.hpp"

namespace fuzz::of_descriptors {

using namespace joinery;

void check(const schema::descriptor& d) {
  demand(d.tables.size() <= codec::max_tables, "too many tables");
  std::set<std::string> tables;
  for (const auto& t : d.tables) {
    demand(!t.name.empty() && t.name.size() <= codec::max_name, "a table's name");
    demand(tables.insert(t.name).second, "a table twice");
    demand(t.fields.size() <= codec::max_fields, "too many fields");
    std::set<std::string> fields;
    for (const auto& f : t.fields) {
      demand(!f.name.empty() && f.name.size() <= codec::max_name, "a field's name");
      demand(fields.insert(f.name).second, "a field twice");
      demand(f.type.valid() && f.values.size() <= codec::max_values_text, "a field's type");
      demand(f.formers.size() <= codec::max_formers, "too many former forms");
    }
  }
}

void run(bytes_view data) {
  const auto d = codec::decode_descriptor(data);
  if (!d) {
    demand(d.error().code == errc::malformed || d.error().code == errc::unsupported,
           "an error of another kind");
    return;
  }
  check(*d);
  const auto again = codec::encode_descriptor(*d);
  const auto second = codec::decode_descriptor(again);
  demand(second.has_value() && *second == *d, "it is not what it was read from");
  demand(codec::encode_descriptor(*second) == again, "a canonical form that changes");
  auto turned = *d;
  std::reverse(turned.tables.begin(), turned.tables.end());
  for (auto& t : turned.tables) std::reverse(t.fields.begin(), t.fields.end());
  demand(codec::fingerprint(turned) == codec::fingerprint(*d), "a fingerprint of the order");
  demand(!schema::contradiction(*d, turned), "a contradiction in itself");
}

std::vector<bytes> seeds() {
  schema::descriptor d;
  std::vector<bytes> out{codec::encode_descriptor(d)};
  using crdt::kind;
  d.tables.push_back(
      {"workouts",
       schema::delete_rule::update_wins,
       {{"sport", kind::lww, "text"}, {"tags", crdt::shape::map_of(kind::or_set), "text int"}}});
  out.push_back(codec::encode_descriptor(d));
  schema::field_descriptor xp{"xp", kind::tally, "id"};
  xp.formers = {{"xp", kind::pn_counter, "int"}, {"points", kind::lww, "int"}};
  d.tables.push_back({"people", schema::delete_rule::delete_wins, {xp}});
  out.push_back(codec::encode_descriptor(d));
  return out;
}

const registration here{{"descriptor", run, seeds, {640, 64u << 10, 100}}};

}  // namespace fuzz::of_descriptors
