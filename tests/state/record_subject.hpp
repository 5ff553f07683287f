// Records as the enumeration sees them: by the engine's own functions over packed records.
//
// Purpose: `records_of<N, Fields…>` is N records with these fields as one state: a block for each
// record. A delta says which record, what is done to it (state/record.hpp), and in which field.
// Thread-safety: pure functions.
#pragma once

#include "joinery/state/conflicts.hpp"
#include "tests/crdt/subjects.hpp"

namespace state_tests {

using namespace joinery;
using crdt::cell_action;
using crdt_tests::maybe_delta;
using crdt_tests::number;
using oracle::op;
using oracle::verb;

template <std::size_t Records, class... Fields>
struct records_of {
  static constexpr std::array<crdt::shape, sizeof...(Fields)> types{Fields::type()...};
  static constexpr bool one_field = sizeof...(Fields) == 1;
  using packed_records = std::array<bytes, Records>;

  static oracle::shape shape() {
    oracle::shape fields{oracle::type::product, {crdt_tests::subject<Fields>::shape()...}};
    if (one_field) fields = oracle::shape{fields.inside.front()};
    const auto record = crdt_tests::around(oracle::type::cell, std::move(fields));
    if (Records == 1) return record;
    return {oracle::type::product, std::vector<oracle::shape>(Records, record)};
  }

  static packed_records unpack(bytes_view state) {
    packed_records out;
    byte_reader in{state};
    for (auto& r : out)
      if (!in.at_end()) r = in.block();
    return out;
  }
  static bytes pack(const packed_records& records) {
    bytes out;
    byte_writer w{out};
    for (const auto& r : records) w.block(r);
    return out;
  }

  static state::field_id field(std::size_t i) {
    return {static_cast<state::name_index>(i), types[i]};
  }
  /// Names in another order than their indexes: the canonical form goes by names.
  static const state::name_table& names() {
    static const auto table = [] {
      state::name_table t;
      for (std::size_t i = 0; i < sizeof...(Fields); ++i)
        t.add(std::string(1, static_cast<char>('z' - i)));
      return t;
    }();
    return table;
  }

  static cell_action action_of(verb what) {
    switch (what) {
      case verb::create: return cell_action::create;
      case verb::amend: return cell_action::amend;
      case verb::erase: return cell_action::erase;
      case verb::erase_final: return cell_action::erase_final;
      default: return cell_action::update;
    }
  }

  static maybe_delta delta(bytes_view state, const op& asked) {
    const bool several = Records > 1;
    const auto& o = several ? asked.inner.front() : asked;
    const auto which = several ? static_cast<std::size_t>(asked.key) : 0;
    const auto records = unpack(state);
    const auto cell = crdt::read_cell(records[which]);
    const auto action = action_of(o.what);
    if (!cell.alive() && action != cell_action::create) return std::nullopt;
    bytes out;
    byte_writer w{out};
    w.u8(static_cast<std::uint8_t>(which));
    w.u8(static_cast<std::uint8_t>(action));
    w.varint(crdt::incarnation_to_create(cell));
    if (!crdt::carries_delta(action)) return out;
    const auto& change = o.inner.front();
    const auto at = one_field ? 0 : static_cast<std::size_t>(change.key);
    const auto inner = delta_of_field(state::field_state(cell.value, field(at)), at,
                                      one_field ? change : change.inner.front());
    if (!inner) return std::nullopt;
    w.u8(static_cast<std::uint8_t>(at));
    w.raw(*inner);
    return out;
  }
  static maybe_delta delta_of_field(bytes_view now, std::size_t at, const op& o) {
    maybe_delta out;
    std::size_t i = 0;
    const auto try_one = [&]<class C>() {
      if (i++ == at) out = crdt_tests::subject<C>::delta(C{bytes{now}}, o);
    };
    (try_one.template operator()<Fields>(), ...);
    return out;
  }

  static void apply(bytes& state, bytes_view delta, const causal::stamp& by) {
    auto records = unpack(state);
    byte_reader in{delta};
    auto& record = records[in.u8()];
    const auto action = static_cast<cell_action>(in.u8());
    const auto incarnation = in.varint();
    if (crdt::carries_delta(action)) {
      const auto id = field(in.u8());
      state::apply_op(record, action, incarnation, id, in.rest(), by);
    } else {
      state::apply_op(record, action, incarnation, {}, {}, by);
    }
    state = pack(records);
  }
  static bytes join(bytes_view a, const causal::version& seen_by_a, bytes_view b,
                    const causal::version& seen_by_b) {
    const auto x = unpack(a), y = unpack(b);
    packed_records out;
    for (std::size_t i = 0; i < Records; ++i)
      out[i] = state::join_record(x[i], seen_by_a, y[i], seen_by_b);
    return a.empty() && b.empty() ? bytes{} : pack(out);
  }
  static bytes reindex(bytes_view state, const crdt::reindexing& map) {
    auto records = unpack(state);
    for (auto& r : records) r = state::canonical_record(r, map, names());
    return pack(records);
  }

  static std::string read(bytes_view state, const causal::roster& replicas) {
    return read_as(state, replicas, [](bytes_view value, std::size_t i) {
      return state::field_state(value, field(i));
    });
  }
  /// Reads the canonical form, as docs/format.md has it: fields by name.
  static std::string read_canonical(bytes_view state, const causal::roster& replicas) {
    return read_as(state, replicas, [](bytes_view value, std::size_t i) {
      byte_reader in{value};
      bytes_view found;
      while (!in.at_end()) {
        const auto name = in.block();
        const auto code = in.varint();
        const auto packed = in.block();
        if (name == names()[field(i).name] && code == types[i].code()) found = packed;
      }
      return found;
    });
  }
  template <class Find>
  static std::string read_as(bytes_view state, const causal::roster& replicas, Find&& find) {
    const auto records = unpack(state);
    std::string out;
    for (std::size_t r = 0; r < Records; ++r) {
      const auto shown = read_record(records[r], replicas, find);
      out += Records == 1 ? shown : std::to_string(r) + "=(" + shown + ") ";
    }
    return out;
  }
  template <class Find>
  static std::string read_record(bytes_view record, const causal::roster& replicas, Find&& find) {
    const auto cell = crdt::read_cell(record);
    if (!cell.alive()) return "dead";
    std::size_t i = 0;
    std::string out;
    const auto read_one = [&]<class C>() {
      const auto shown = crdt_tests::subject<C>::read(C{bytes{find(cell.value, i)}}, replicas);
      out += one_field ? shown : std::to_string(i) + "=(" + shown + ") ";
      ++i;
    };
    (read_one.template operator()<Fields>(), ...);
    return out;
  }

  static std::string ledger(bytes_view state, const causal::roster& replicas) {
    std::string out;
    const auto records = unpack(state);
    for (std::size_t i = 0; i < Records; ++i) {
      const auto no_parts = [](const auto&, auto&&) -> result<> { return {}; };
      const auto told = [&](const state::conflict& c) {
        if (Records > 1) out += "." + std::to_string(i);
        if (!one_field) out += "." + std::to_string('z' - c.field.front());
        for (const auto& key : c.path)
          out += "/" + std::to_string(crdt::decode_value<number>(key).value());
        out += ":";
        for (const auto& w : c.writes)
          out += " " + std::to_string(crdt::decode_value<number>(w.value).value()) + " by " +
                 std::to_string(replicas.find(w.by).value()) + " at " + std::to_string(w.time) +
                 " rank " + std::to_string(w.rank);
        out += "; ";
      };
      state::conflicts_of("t", "k", records[i], names(), replicas, no_parts, told).value();
    }
    return out;
  }

  static crdt_tests::oracle_subject subject() {
    static constexpr testing::law_subject functions{nullptr, nullptr, apply,  join,
                                                    reindex, nullptr, nullptr};
    return {&functions, shape(), delta, read, read_canonical, ledger};
  }
};

}  // namespace state_tests
