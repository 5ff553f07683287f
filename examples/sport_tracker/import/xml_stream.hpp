// xml_stream: XML in pieces, to a reader, within limits. The only file that knows Expat.
//
// Purpose: turn bytes into calls of an `xml_reader` without holding the document, and every fault
// into an error with the place "file:line:column".
// Invariants: namespaces are resolved. A DOCTYPE is refused before anything in it is read, so no
// entity but the five of XML exists. Memory is bounded by the limits. After an error every call
// gives it again.
// Thread-safety: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "joinery/base/bytes.hpp"
#include "joinery/base/result.hpp"
#include "sport_tracker/import/import_limits.hpp"

namespace sport_tracker {

/// A start tag; valid during the call.
struct xml_element {
  std::string_view space;  ///< the namespace's URI, empty when there is none
  std::string_view name;   ///< without prefix
  const char* const* attributes = nullptr;

  /// The attribute `wanted` (of no namespace).
  [[nodiscard]] std::optional<std::string_view> attribute(std::string_view wanted) const noexcept;
};

/// Receives the elements. `place` is the reader's own number for where it stands; 0 is outside the
/// root.
class xml_reader {
 public:
  struct step {
    int place;
    /// The element holds a value: its text is handed to `leave`, no element is allowed in it.
    bool wants_text;
  };
  virtual ~xml_reader() = default;
  /// An element begins at `parent`. May throw `refusal`.
  virtual step enter(int parent, const xml_element& element) = 0;
  /// The element that was entered as `place` ends. May throw `refusal`.
  virtual void leave(int place, std::string_view text) = 0;
};

class xml_stream {
 public:
  /// `file` is the name that errors show; `reader` outlives this.
  xml_stream(std::string file, const import_limits& limits, xml_reader& reader);
  ~xml_stream();
  xml_stream(const xml_stream&) = delete;
  xml_stream& operator=(const xml_stream&) = delete;

  /// The next bytes, any number of them.
  joinery::result<void> feed(joinery::bytes_view data);
  /// There are no more bytes.
  joinery::result<void> finish();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace sport_tracker
