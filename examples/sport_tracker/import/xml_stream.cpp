#include "sport_tracker/import/xml_stream.hpp"

#include <expat.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <type_traits>
#include <vector>

#include "sport_tracker/import/refusal.hpp"
#include "sport_tracker/import/text_values.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;

// A character that XML forbids: no namespace URI can contain it.
constexpr char separator = '\f';
constexpr std::size_t piece_bytes = 64 * 1024;

struct parser_deleter {
  void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};
using parser_handle = std::unique_ptr<std::remove_pointer_t<XML_Parser>, parser_deleter>;

struct frame {
  int place;
  bool wants_text;
  XML_Size line, column;
};

xml_element element_of(const XML_Char* name, const XML_Char** attributes) {
  const std::string_view whole{name};
  const auto cut = whole.rfind(separator);
  if (cut == std::string_view::npos) return {{}, whole, attributes};
  return {whole.substr(0, cut), whole.substr(cut + 1), attributes};
}

constexpr const char* export_again = "export the workout again, or use another file";

/// What Expat's complaint means to the person with the file.
refusal meaning_of(XML_Error fault) {
  switch (fault) {
    case XML_ERROR_NO_ELEMENTS:
    case XML_ERROR_UNCLOSED_TOKEN:
    case XML_ERROR_UNCLOSED_CDATA_SECTION:
    case XML_ERROR_PARTIAL_CHAR:
      return {errc::malformed, "the file ends before the XML does: it is cut off",
              "download or export the file again"};
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
      return {errc::unsupported, "the text encoding is unknown or not the one that is declared",
              "save the file as UTF-8"};
    case XML_ERROR_NO_MEMORY:
      return {errc::too_large, "not enough memory to read the file", "use a smaller file"};
    default:
      return {errc::malformed, std::string{"not well-formed XML: "} + XML_ErrorString(fault),
              export_again};
  }
}

}  // namespace

std::optional<std::string_view> xml_element::attribute(std::string_view wanted) const noexcept {
  for (const auto* at = attributes; at != nullptr && *at != nullptr; at += 2) {
    if (at[0] == wanted) return std::string_view{at[1]};
  }
  return std::nullopt;
}

struct xml_stream::impl {
  std::string file;
  import_limits limits;
  xml_reader& reader;
  parser_handle parser;
  std::vector<frame> open{};  // the elements around the current position
  std::string text{};         // what stood since the last tag, when the innermost element wants it
  std::size_t text_bytes = 0;
  XML_Index fed_bytes = 0;
  std::optional<joinery::error> fault{};
  std::exception_ptr thrown{};  // what is not a refusal, kept until Expat's frames are gone

  impl(std::string name, const import_limits& bounds, xml_reader& to)
      : file(std::move(name)),
        limits(bounds),
        reader(to),
        parser(XML_ParserCreateNS(nullptr, separator)) {
    if (!parser) throw std::bad_alloc{};
    XML_SetUserData(parser.get(), this);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  }

  joinery::error placed(refusal why, XML_Size line, XML_Size column) const {
    return {why.code, std::move(why.what),
            file + ":" + std::to_string(line) + ":" + std::to_string(column),
            std::move(why.advice)};
  }
  joinery::error placed_here(refusal why) const {
    return placed(std::move(why), XML_GetCurrentLineNumber(parser.get()),
                  XML_GetCurrentColumnNumber(parser.get()) + 1);
  }

  void stop() const noexcept { XML_StopParser(parser.get(), XML_FALSE); }

  /// Runs one callback of Expat; nothing thrown in it reaches Expat. A refusal is placed at
  /// `where`, or here.
  template <class Action>
  void guarded(Action&& action, const frame* where = nullptr) noexcept {
    if (fault || thrown) return;  // Expat may still deliver an event or two after a stop
    try {
      try {
        action();
      } catch (refusal& why) {
        fault = where != nullptr ? placed(std::move(why), where->line, where->column)
                                 : placed_here(std::move(why));
        stop();
      }
    } catch (...) {
      thrown = std::current_exception();
      stop();
    }
  }

  void start_text() noexcept {
    text.clear();
    text_bytes = 0;
  }

  void start_element(const xml_element& element) {
    if (open.size() == limits.max_depth) {
      throw refusal{errc::too_large,
                    "elements are nested more than " + std::to_string(limits.max_depth) + " deep",
                    export_again};
    }
    if (!open.empty() && open.back().wants_text) {
      throw refusal{errc::malformed,
                    "the element " + quoted(element.name) + " stands where a plain value belongs",
                    export_again};
    }
    start_text();
    const auto [place, wants_text] = reader.enter(open.empty() ? 0 : open.back().place, element);
    open.push_back({place, wants_text, XML_GetCurrentLineNumber(parser.get()),
                    XML_GetCurrentColumnNumber(parser.get()) + 1});
  }

  void add_text(std::string_view more) {
    text_bytes += more.size();
    if (text_bytes > limits.max_text_bytes) {
      throw refusal{errc::too_large,
                    "a text of more than " + std::to_string(limits.max_text_bytes) + " bytes",
                    "remove the text, it is not part of a workout"};
    }
    if (!open.empty() && open.back().wants_text) text.append(more);
  }

  static impl& self(void* data) noexcept { return *static_cast<impl*>(data); }
  static void XMLCALL on_start(void* data, const XML_Char* name, const XML_Char** attributes) {
    self(data).guarded([&] { self(data).start_element(element_of(name, attributes)); });
  }
  static void XMLCALL on_end(void* data, const XML_Char*) {
    auto& me = self(data);
    if (me.fault || me.thrown) return;  // an empty tag that was refused has no frame
    const frame innermost = me.open.back();
    me.guarded([&] { me.reader.leave(innermost.place, me.text); }, &innermost);
    me.open.pop_back();
    me.start_text();
  }
  static void XMLCALL on_text(void* data, const XML_Char* more, int length) {
    self(data).guarded([&] { self(data).add_text({more, static_cast<std::size_t>(length)}); });
  }
  static void XMLCALL on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*,
                                 int) {
    self(data).guarded([] {
      throw refusal{errc::unsupported, "a DOCTYPE, which no workout file needs, is not accepted",
                    "remove the DOCTYPE and its entities"};
    });
  }

  /// One call of Expat.
  void parse(std::string_view piece, bool last) {
    const auto status = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()),
                                  last ? XML_TRUE : XML_FALSE);
    if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
    if (fault) return;
    if (status != XML_STATUS_OK) {
      fault = placed_here(meaning_of(XML_GetErrorCode(parser.get())));
      return;
    }
    // What Expat holds back is a tag or comment without an end so far.
    fed_bytes += static_cast<XML_Index>(piece.size());
    const auto done = std::max<XML_Index>(XML_GetCurrentByteIndex(parser.get()), 0);
    if (static_cast<std::uint64_t>(fed_bytes - done) > limits.max_tag_bytes) {
      fault = placed_here(
          {errc::too_large,
           "a tag or comment of more than " + std::to_string(limits.max_tag_bytes) + " bytes",
           export_again});
    }
  }
};

xml_stream::xml_stream(std::string file, const import_limits& limits, xml_reader& reader)
    : impl_(std::make_unique<impl>(std::move(file), limits, reader)) {}
xml_stream::~xml_stream() = default;

joinery::result<void> xml_stream::feed(joinery::bytes_view data) {
  while (!data.empty() && !impl_->fault) {
    const auto size = std::min(data.size(), piece_bytes);
    impl_->parse(data.substr(0, size), false);
    data.remove_prefix(size);
  }
  if (impl_->fault) return *impl_->fault;
  return {};
}

joinery::result<void> xml_stream::finish() {
  if (!impl_->fault) impl_->parse({}, true);
  if (impl_->fault) return *impl_->fault;
  return {};
}

}  // namespace sport_tracker
