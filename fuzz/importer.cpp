// Fuzzer of the sport tracker's importer: the GPX and TCX files that it reads.
//
// Strategy: the first byte chooses the size of the pieces in which the document comes, the rest is
// the document. fuzz/importer.dict has the words of both formats.
// Invariants: a workout or a typed error; the same one in whatever pieces the bytes come (but for
// the bound on a single tag, which is looked at between pieces). Memory is bounded by the limits,
// here lowered so that they are met.
#include "fuzz/support/input.hpp"
#include "sport_tracker/import/workout_parser.hpp"

namespace fuzz::of_imports {

using namespace joinery;
using sport_tracker::import_limits;
using sport_tracker::workout_parser;
using sport_tracker::workout_summary;

result<workout_summary> parse(bytes_view document, std::size_t piece, std::size_t most_tag) {
  import_limits limits;
  limits.max_points = 50;
  limits.max_depth = 16;
  limits.max_text_bytes = 500;
  limits.max_tag_bytes = most_tag;
  workout_parser parser{"file", limits};
  while (!document.empty()) {
    if (auto fed = parser.feed(document.substr(0, piece)); !fed) {
      const auto again = parser.feed("more");
      demand(!again && again.error().code == fed.error().code, "an error that does not stay");
      return fed.error();
    }
    document.remove_prefix(std::min(piece, document.size()));
  }
  return parser.finish();
}

void run(bytes_view data) {
  input in{data};
  const auto piece = std::size_t{1} + in.u8() % 40;
  const auto document = in.rest();
  const auto any = document.size() + 1;
  const auto whole = parse(document, any, any);
  const auto pieces = parse(document, piece, any);
  if (const auto strict = parse(document, piece, 100); strict)
    demand(whole && *whole == *strict, "a lower limit gives another workout");
  demand(whole.has_value() == pieces.has_value(), "pieces make a difference");
  if (!whole) {
    const auto code = whole.error().code;
    demand(code == errc::malformed || code == errc::unsupported || code == errc::too_large,
           "an error of another kind");
    demand(pieces.error().code == code, "pieces give another error");
    return;
  }
  demand(*whole == *pieces, "pieces give another workout");
}

bytes gpx() {
  bytes out = R"(<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1">)";
  out += "<metadata><name>Evening</name></metadata><trk><name>a</name><type>running</type><trkseg>";
  for (const auto* point : {"1\"><ele>500", "2\"><ele>510"})
    out += bytes{R"(<trkpt lat="48" lon="1)"} + point +
           "</ele><time>2024-05-01T06:00:00Z</time></trkpt>";
  return out + "</trkseg></trk></gpx>";
}

bytes tcx() {
  bytes out = R"(<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/)";
  out += R"(TrainingCenterDatabase/v2"><Activities><Activity Sport="Running">)";
  out += R"(<Id>2024-05-01T06:00:00Z</Id><Lap StartTime="2024-05-01T06:00:00Z">)";
  out += "<TotalTimeSeconds>60.5</TotalTimeSeconds><DistanceMeters>200</DistanceMeters>";
  out += "<Calories>12</Calories><AverageHeartRateBpm><Value>120</Value></AverageHeartRateBpm>";
  out += "<Track><Trackpoint><Time>2024-05-01T06:00:10Z</Time><Position>";
  out += "<LatitudeDegrees>48</LatitudeDegrees><LongitudeDegrees>11</LongitudeDegrees></Position>";
  out += "<AltitudeMeters>5</AltitudeMeters><HeartRateBpm><Value>130</Value></HeartRateBpm>";
  out += "</Trackpoint></Track></Lap><Notes>n</Notes></Activity></Activities>";
  return out + "</TrainingCenterDatabase>";
}

std::vector<bytes> seeds() {
  return {'\6' + gpx(), '\1' + tcx(), '\47' + gpx().substr(0, 250), '\2' + bytes{"<gpx/>"}};
}

const registration here{{"importer", run, seeds, {64, 512u << 10, 100}}};

}  // namespace fuzz::of_imports
