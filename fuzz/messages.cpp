// Fuzzer of the messages of a session.
//
// Strategy: the first byte chooses a message, the rest is its payload: what a frame of a peer holds
// once its checksum fits. (`changes` is transit.cpp's.)
// Invariants: reading gives a value or nothing. A value keeps the limits of the protocol, and is
// written to bytes that are read as the same and written to the same again. An error that a peer
// tells is cut and shown without control characters. Memory and time grow with the input.
#include "joinery/sync/messages.hpp"
#include "fuzz/support/input.hpp"
#include "joinery/sync/fork_messages.hpp"
#include "joinery/sync/hello.hpp"
#include "joinery/sync/refetch.hpp"
#include "joinery/sync/refusal.hpp"

namespace fuzz::of_messages {

using namespace joinery;

/// What `read` gives is written, read and written again.
template <class Read, class Write>
auto check_round(bytes_view payload, Read read, Write write) {
  const auto m = read(payload);
  if (!m) return m;
  const bytes again = write(*m);
  const auto second = read(again);
  demand(second.has_value(), "what was written is not read");
  demand(write(*second) == again, "a canonical form that changes");
  return m;
}

void check_hello(bytes_view payload) {
  const auto m = sync::read_hello(payload);
  if (!m || m->space.is_none()) return;
  demand(m->max_frame >= sync::min_frame_limit || m->version != sync::protocol_version,
         "a frame limit too small");
  if (m->version != sync::protocol_version) return;
  demand(m->head_count <= sync::max_origins && m->credit <= sync::max_window, "a limit");
  check_round(payload, sync::read_hello, [](const auto& h) { return sync::encode(h); });
}
void check_heads(bytes_view payload) {
  check_round(
      payload, [](bytes_view p) { return sync::read_heads(p); },
      [](const auto& heads) { return sync::encode_heads(heads); });
}
void check_part(bytes_view payload) {
  check_round(payload, sync::read_part, [](const auto& m) { return sync::encode(m); });
}
void check_ack(bytes_view payload) {
  check_round(payload, sync::read_ack, [](const auto& m) { return sync::encode(m); });
}
void check_credit(bytes_view payload) {
  const auto amount = check_round(payload, sync::read_credit, sync::encode_credit);
  demand(!amount || (*amount > 0 && *amount <= sync::max_window), "an amount of credit");
}
void check_digest(bytes_view payload) {
  check_round(payload, sync::read_digest, [](const auto& m) { return sync::encode(m); });
}
void check_empty(bytes_view payload) {
  if (!sync::read_empty(payload)) return;
  demand(sync::read_empty(sync::encode_empty()), "an empty message");
}
void check_inquiry(bytes_view payload) {
  check_round(payload, sync::read_inquiry, [](const sync::inquiry_message& m) {
    return std::visit([](const auto& each) { return sync::encode_inquiry(each); }, m);
  });
}
void check_refetch(bytes_view payload) {
  check_round(payload, sync::read_refetch, sync::encode_refetch);
}
void check_refetched(bytes_view payload) {
  const auto m =
      check_round(payload, sync::read_refetched, [](const auto& p) { return sync::encode(p); });
  demand(!m || m->total <= codec::max_changeset, "an answer too large");
}
void check_refusal(bytes_view payload) {
  const auto e = sync::read_refusal(payload);
  demand(name_of(e.code) != "unknown", "a code that is not known");
  for (const auto* text : {&e.what, &e.where, &e.advice}) {
    demand(text->size() < sync::max_refusal_text + 50, "a text too long");
    for (const char c : *text)
      demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "a control character");
  }
}

using checker = void (*)(bytes_view);
const checker checkers[] = {check_hello,   check_heads,     check_part,   check_ack,
                            check_credit,  check_digest,    check_empty,  check_inquiry,
                            check_refetch, check_refetched, check_refusal};

void run(bytes_view data) {
  input in{data};
  const auto check_one = in.pick(checkers);
  check_one(in.rest());
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  const auto add = [&](char type, bytes_view payload) {
    out.push_back(bytes(1, type).append(payload));
  };
  replica_id id;
  replica_id other;
  id.data.fill(9);
  other.data.fill(4);
  crypto::digest chain;
  chain.data.fill(3);
  sync::hello h;
  h.space.data.fill(1);
  h.replica = id;
  h.max_frame = 1u << 20;
  h.credit = 1u << 20;
  h.memory = 1u << 20;
  h.head_count = 2;
  add(0, sync::encode(h));
  const std::vector<history::head> heads{{id, 7, chain}, {other, 1, chain}};
  add(1, sync::encode_heads(heads));
  add(2, sync::encode(sync::part{100, 10, "piece"}));
  add(3, sync::encode(sync::ack{9, 2, heads}));
  add(3, sync::encode(sync::ack{9, 2, {}, {{1, 300, {'a', 'b'}}}}));
  for (const auto amount : {std::uint64_t{70'000}, sync::max_window, sync::max_window + 1})
    add(4, sync::encode_credit(amount));
  add(5, sync::encode(sync::state_digest{chain, chain}));
  add(6, sync::encode_empty());
  add(7, sync::encode_inquiry(sync::chain_question{id, 5}));
  add(7, sync::encode_inquiry(sync::chain_answer{id, 5, chain}));
  add(7, sync::encode_inquiry(sync::fork_notice{id, 5, "changeset", true}));
  add(7, sync::encode_inquiry(sync::fresh_start{3, true}));
  add(7, sync::encode_inquiry(sync::twin_notice{3, id, chain}));
  add(8, sync::encode_refetch({id, 4, {}, {}}));
  add(8, sync::encode_refetch({{}, 0, "table", "key"}));
  add(9, sync::encode(sync::part{9, 0, "123456789"}));
  add(10, sync::encode(error{errc::malformed, "what", "where", "advice"}));
  return out;
}

const registration here{{"messages", run, seeds, {256, 64u << 10, 100}}};

}  // namespace fuzz::of_messages
