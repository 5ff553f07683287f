#include "sport_tracker/import/workout_parser.hpp"

#include "joinery/crypto/hash.hpp"
#include "sport_tracker/import/gpx_reader.hpp"
#include "sport_tracker/import/refusal.hpp"
#include "sport_tracker/import/tcx_reader.hpp"
#include "sport_tracker/import/text_values.hpp"
#include "sport_tracker/import/xml_stream.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;

/// Chooses the format by the document's root, then hands everything on to its reader.
class any_format final : public xml_reader {
 public:
  explicit any_format(const import_limits& limits) : limits_(limits) {}

  step enter(int parent, const xml_element& element) override {
    if (!chosen_) chosen_ = choose(element);
    return chosen_->enter(parent, element);
  }
  void leave(int place, std::string_view text) override { chosen_->leave(place, text); }
  [[nodiscard]] workout_summary summary() const { return chosen_->summary(); }

 private:
  [[nodiscard]] std::unique_ptr<format_reader> choose(const xml_element& root) const {
    if (root.name == "gpx") return std::make_unique<gpx_reader>(limits_, root.space);
    if (root.name == "TrainingCenterDatabase") {
      return std::make_unique<tcx_reader>(limits_, root.space);
    }
    throw refusal{errc::unsupported,
                  "neither TCX nor GPX: the root element is " + quoted(root.name),
                  "export the workout as TCX or GPX"};
  }

  import_limits limits_;
  std::unique_ptr<format_reader> chosen_;
};

}  // namespace

struct workout_parser::impl {
  std::string file;
  import_limits limits;
  any_format reader;
  xml_stream xml;
  joinery::crypto::hasher hasher{};
  std::uint64_t bytes = 0;
  std::optional<joinery::error> fault{};

  impl(const std::string& name, const import_limits& bounds)
      : file(name), limits(bounds), reader(bounds), xml(name, bounds, reader) {}
};

workout_parser::workout_parser(std::string file, const import_limits& limits)
    : impl_(std::make_unique<impl>(file, limits)) {}
workout_parser::~workout_parser() = default;

joinery::result<void> workout_parser::feed(joinery::bytes_view data) {
  auto& me = *impl_;
  if (me.fault) return *me.fault;
  me.bytes += data.size();
  if (me.bytes > me.limits.max_file_bytes) {
    me.fault = joinery::error{
        errc::too_large,
        "the file has more than " + std::to_string(me.limits.max_file_bytes) + " bytes", me.file,
        "split it: one file is one workout"};
    return *me.fault;
  }
  me.hasher.add(data);
  if (auto fed = me.xml.feed(data); !fed) me.fault = fed.error();
  if (me.fault) return *me.fault;
  return {};
}

joinery::result<workout_summary> workout_parser::finish() {
  auto& me = *impl_;
  if (me.fault) return *me.fault;
  if (me.bytes == 0) {
    return joinery::error{errc::malformed, "the file is empty", me.file + ":1:1",
                          "download or export the file again"};
  }
  if (auto ended = me.xml.finish(); !ended) return ended.error();
  try {
    auto out = me.reader.summary();
    out.content_hash = me.hasher.finish();
    return out;
  } catch (refusal& why) {
    return joinery::error{why.code, std::move(why.what), me.file, std::move(why.advice)};
  }
}

}  // namespace sport_tracker
