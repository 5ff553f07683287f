// query: records by an indexed field.
//
// Purpose: `db.query<workout>().by<&workout::started_at>().from(monday).limit(20).for_each(…)`: the
// living records of a table in the order of a field's values (then of their keys), all of them or a
// range, forwards or backwards, at once or page by page.
// Invariants: a query is a value; it sees the state at the moment when it gets there, so changes
// made between two pages, or by the callback itself, are seen behind the cursor and not before it.
// By a set, tally or map a record stands once under each of its values. A register that was never
// written is under none.
// Thread-safety: as the replica, which it must not outlive.
#pragma once

#include "joinery/crdt/value.hpp"
#include "joinery/replica/row.hpp"

namespace joinery {

/// A part of a query's rows, and where to go on.
template <class Record>
struct query_page {
  std::vector<row<Record>> rows;
  bytes next;  ///< for `after`; opaque, may be stored; empty when there is nothing more
};

template <class Record, class Value>
class field_query {
 public:
  field_query(detail::tables_port& from, std::string_view table, std::string_view field,
              crdt::shape type)
      : from_(&from), table_(table), q_{std::string{table}, std::string{field}, type} {}

  // --- Which records ---

  [[nodiscard]] field_query equal(const Value& v) const { return between(v, v); }
  /// Both ends included.
  [[nodiscard]] field_query between(const Value& least, const Value& most) const {
    return from(least).up_to(most);
  }
  /// `least` and above.
  [[nodiscard]] field_query from(const Value& least) const {
    auto q = *this;
    q.q_.range.low = crdt::encode_value(least);
    return q;
  }
  /// `most` and below.
  [[nodiscard]] field_query up_to(const Value& most) const {
    return ended(crdt::encode_value(most), state::value_range::end::at_most);
  }
  [[nodiscard]] field_query below(const Value& bound) const {
    return ended(crdt::encode_value(bound), state::value_range::end::below);
  }
  /// Texts (or blobs) that begin with this.
  [[nodiscard]] field_query prefix(const Value& beginning)
      const requires std::same_as<Value, std::string> || std::same_as<Value, crdt::blob> {
    auto encoded = crdt::encode_value(beginning);
    encoded.pop_back();  // the end of the text
    auto q = ended(encoded, state::value_range::end::prefix);
    q.q_.range.low = std::move(encoded);
    return q;
  }
  /// The greatest values first.
  [[nodiscard]] field_query descending() const {
    auto q = *this;
    q.q_.descending = true;
    return q;
  }
  /// At most this many rows.
  [[nodiscard]] field_query limit(std::size_t most) const {
    auto q = *this;
    q.limit_ = most;
    return q;
  }
  /// Goes on behind a page: give the same query the page's `next`. An empty one is the beginning.
  [[nodiscard]] field_query after(bytes_view cursor) const {
    auto q = *this;
    q.cursor_ = bytes{cursor};
    return q;
  }

  // --- What of them ---
  // All throw `failure`: invalid_argument for a cursor of another query, and read errors.

  /// Calls `each(key, const Record&)`, which may return false to stop, and may write.
  template <class F>
  void for_each(F&& each) const {
    walk([&](bytes_view, bytes_view key, const shared_bytes& packed) {
      const auto access = from_->row(table_, key, packed);
      return detail::call_with_record<Record>(each, *access);
    });
  }
  /// The rows up to the limit, and a cursor.
  [[nodiscard]] query_page<Record> page() const {
    query_page<Record> out;
    auto one_more = *this;
    if (limit_ < unlimited) ++one_more.limit_;
    state::index_entry last;
    one_more.walk([&](bytes_view value, bytes_view key, const shared_bytes& packed) {
      if (out.rows.size() == limit_) {
        out.next = from_->cursor_behind(q_, last.value, last.key);
        return false;
      }
      out.rows.emplace_back(from_->row(table_, key, packed));
      last = {bytes{value}, bytes{key}};
      return true;
    });
    return out;
  }
  [[nodiscard]] std::size_t count() const {
    std::size_t n = 0;
    walk([&](bytes_view, bytes_view, bytes_view) { return ++n, true; });
    return n;
  }

 private:
  static constexpr std::size_t unlimited = ~std::size_t{0};

  field_query ended(bytes high, state::value_range::end how) const {
    auto q = *this;
    q.q_.range.high = std::move(high);
    q.q_.range.upper = how;
    return q;
  }
  void walk(function_ref<bool(bytes_view, bytes_view, const shared_bytes&)> each) const {
    if (limit_ == 0) return;
    auto q = q_;
    q.batch = std::min(q.batch, limit_);
    std::size_t n = 0;
    from_->scan_index(std::move(q), cursor_,
                      [&](bytes_view value, bytes_view key, const shared_bytes& packed) {
                        return each(value, key, packed) && ++n < limit_;
                      });
  }

  detail::tables_port* from_;
  std::string_view table_;  // the schema's: rows may outlive the query
  index_query q_;
  std::size_t limit_ = unlimited;
  bytes cursor_;
};

template <class Schema, class Record>
class table_query {
 public:
  explicit table_query(detail::tables_port& from) : from_(&from) {}

  /// By the field that the member pointers lead to, as in the table's `index<…>`.
  template <auto... Path>
  [[nodiscard]] auto by() const {
    using table = typename Schema::template find<Record>;
    static_assert(table::template has_index<Path...>,
                  "joinery: a query goes by a field that its table has an index for: add "
                  "index<&record::field> to the table");
    using option = schema::index_option<Path...>;
    using field = typename option::template field<Record>;
    using value = typename schema::index_value<field>::type;
    return field_query<Record, value>{*from_, table::name, option::template name<Record>,
                                      field::type()};
  }

 private:
  detail::tables_port* from_;
};

}  // namespace joinery
