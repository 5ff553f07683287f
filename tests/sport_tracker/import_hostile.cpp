// Files that are broken or mean harm: an error with its place, and bounded memory and time.
#include <catch2/catch.hpp>

#include "import_documents.hpp"

using namespace import_tests;
using sport_tracker::workout_parser;

namespace {

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

/// Feeds `head`, then `filling` again and again up to `bytes`; gives the error and how far it came.
struct flood_outcome {
  joinery::error fault;
  std::size_t fed_bytes;
};
flood_outcome flood(std::string_view head, std::string_view filling, std::size_t bytes) {
  workout_parser parser("file.xml");
  REQUIRE(parser.feed(head));
  const std::string piece = repeated(filling, 1 + 16'384 / filling.size());
  for (std::size_t fed = 0; fed < bytes; fed += piece.size()) {
    if (auto more = parser.feed(piece); !more) return {more.error(), fed};
  }
  const auto ended = parser.finish();
  REQUIRE_FALSE(ended);
  return {ended.error(), bytes};
}

const std::string small_gpx =
    "<?xml version=\"1.0\"?>\n<gpx xmlns=\"http://www.topografix.com/GPX/1/1\"><trk>"
    "<name>\xC4\x8C<![CDATA[x]]></name><type>running</type><trkseg><trkpt lat=\"1.5\" lon='2'>"
    "<ele>3</ele><time>2024-05-04T06:00:00Z</time><extensions><hr>99</hr></extensions></trkpt>"
    "<!-- end --></trkseg></trk></gpx>";
const std::string small_tcx =
    "<TrainingCenterDatabase><Activities><Activity Sport=\"Running\"><Id>2024-05-04T06:00:00Z</Id>"
    "<Lap StartTime=\"2024-05-04T06:00:00Z\"><TotalTimeSeconds>9</TotalTimeSeconds><Track>"
    "<Trackpoint><Time>2024-05-04T06:00:00Z</Time><HeartRateBpm><Value>99</Value></HeartRateBpm>"
    "</Trackpoint></Track></Lap></Activity></Activities></TrainingCenterDatabase>";

}  // namespace

TEST_CASE("an empty file and a file of blanks are errors at their first line") {
  check_refused("", errc::malformed, "empty", "file.xml:1:1");
  CHECK(error_of("   \n\n").code == errc::malformed);
}

TEST_CASE("a file cut off at any byte is an error and never a workout") {
  for (const auto* document : {&small_gpx, &small_tcx}) {
    REQUIRE(read(*document));
    for (std::size_t size = 0; size < document->size(); ++size) {
      const auto cut = read(std::string_view{*document}.substr(0, size));
      INFO(size);
      REQUIRE_FALSE(cut);
      REQUIRE(cut.error().code == errc::malformed);
      REQUIRE(cut.error().where.substr(0, 9) == "file.xml:");
    }
  }
  check_refused(small_gpx.substr(0, small_gpx.size() - 3), errc::malformed, "cut off",
                "file.xml:2:" + std::to_string(small_gpx.size() - small_gpx.find('\n') - 7));
}

TEST_CASE("a changed byte gives a workout or an error, never a crash") {
  for (const auto* document : {&small_gpx, &small_tcx}) {
    for (std::size_t at = 0; at < document->size(); ++at) {
      for (const char byte : {'\0', '<', '>', '&', '"', '9', '-', ' ', '\x7f', '\xff'}) {
        auto changed = *document;
        changed[at] = byte;
        const auto outcome = read(changed);
        if (!outcome) REQUIRE_FALSE(outcome.error().what.empty());
      }
    }
  }
}

TEST_CASE("the same bytes give the same workout however they are cut") {
  const auto whole = workout_of(small_gpx);
  for (const std::size_t size : {1u, 2u, 3u, 7u, 100u}) {
    workout_parser parser("file.xml");
    for (std::size_t at = 0; at < small_gpx.size(); at += size) {
      REQUIRE(parser.feed(std::string_view{small_gpx}.substr(at, size)));
    }
    const auto pieces = parser.finish();
    REQUIRE(pieces);
    CHECK(*pieces == whole);
  }
}

TEST_CASE("after an error every call gives that error") {
  workout_parser parser("file.xml");
  const auto first = parser.feed("<html>");
  REQUIRE_FALSE(first);
  const auto second = parser.feed(small_gpx);
  REQUIRE_FALSE(second);
  CHECK(second.error().what == first.error().what);
  const auto last = parser.finish();
  REQUIRE_FALSE(last);
  CHECK(last.error().where == first.error().where);
}

TEST_CASE("what is not TCX or GPX is refused at its root") {
  check_refused("\n <html><body/></html>", errc::unsupported, "neither TCX nor GPX",
                "file.xml:2:2");
  check_refused("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", errc::unsupported, "\"svg\"",
                "file.xml:1:1");
  CHECK(error_of("{\"sport\": \"run\"}").code == errc::malformed);
  CHECK(error_of(std::string("\x1f\x8b\x08\x00\x00", 5)).code == errc::malformed);
  CHECK(error_of(std::string(10'000, '\0')).code == errc::malformed);
}

TEST_CASE("XML that is not well-formed is refused at its place") {
  check_refused(gpx("<trk></trkseg>"), errc::malformed, "mismatched tag", "file.xml:2:8");
  check_refused(gpx("<x:trk/>"), errc::malformed, "unbound prefix", "file.xml:2:1");
  check_refused(gpx("<trk a=\"1\" a=\"2\"/>"), errc::malformed, "duplicate attribute",
                "file.xml:2:12");
  check_refused(gpx("&nbsp;"), errc::malformed, "undefined entity", "file.xml:2:1");
  check_refused(gpx("<trk>\x01</trk>"), errc::malformed, "invalid token", "file.xml:2:6");
  check_refused(gpx("<trk>\xC3\x28</trk>"), errc::malformed, "invalid token", "file.xml:2:6");
  check_refused(small_tcx + "<more/>", errc::malformed, "junk after document",
                "file.xml:1:" + std::to_string(small_tcx.size() + 1));
}

TEST_CASE("other encodings are read or refused by name") {
  std::string utf16 = "\xFF\xFE";
  for (const char c : gpx_points(gpx_point())) utf16 += {c, '\0'};
  CHECK(workout_of(utf16).points == 1);
  CHECK(workout_of("\xEF\xBB\xBF" + small_gpx).points == 1);
  CHECK(workout_of("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" +
                   gpx("<trk><name>Z\xFCrich</name><trkseg>" + gpx_point() + "</trkseg></trk>"))
            .title == "Zürich");
  CHECK(error_of("<?xml version=\"1.0\" encoding=\"klingon\"?><gpx/>").code == errc::unsupported);
}

TEST_CASE("a DOCTYPE of any kind is refused before its entities exist") {
  std::string laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE gpx [<!ENTITY l0 \"lol\">";
  for (int i = 1; i < 30; ++i) {
    laughs += "<!ENTITY l" + std::to_string(i) + " \"" +
              repeated("&l" + std::to_string(i - 1) + ";", 10) + "\">";
  }
  laughs += "]><gpx><trk><name>&l29;</name></trk></gpx>";
  for (const std::string& document :
       {laughs, std::string{"<!DOCTYPE gpx><gpx/>"},
        std::string{"<!DOCTYPE gpx SYSTEM \"file:///etc/passwd\"><gpx/>"},
        std::string{"<!DOCTYPE gpx [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><gpx>&x;</gpx>"},
        std::string{"<!DOCTYPE gpx [<!ENTITY % p \"<!ELEMENT a ANY>\"> %p;]><gpx/>"}}) {
    const auto fault = error_of(document);
    CHECK(fault.code == errc::unsupported);
    CHECK_THAT(fault.what, Catch::Contains("DOCTYPE"));
    CHECK_THAT(fault.where, Catch::StartsWith("file.xml:"));
  }
}

TEST_CASE("elements nest 64 deep and no deeper") {
  const auto nested = [](std::size_t depth) {
    return "<gpx><trk><trkseg>" + gpx_point() + "</trkseg></trk>" + repeated("<a>", depth - 1) +
           repeated("</a>", depth - 1) + "</gpx>";
  };
  CHECK(read(nested(64)));
  const auto fault = error_of(nested(65));
  CHECK(fault.code == errc::too_large);
  CHECK_THAT(fault.what, Catch::Contains("nested more than 64 deep"));

  const auto endless = flood("<gpx>", "<a>", 3'000'000);
  CHECK(endless.fault.code == errc::too_large);
  CHECK(endless.fed_bytes == 0);
}

TEST_CASE("a text of 64 KiB is read and a longer one refused, used or not") {
  const auto named = [](std::size_t size) {
    return gpx("<trk><name>" + std::string(size, 'n') + "</name><trkseg>" + gpx_point() +
               "</trkseg></trk>");
  };
  CHECK(workout_of(named(65'536)).title == std::string(200, 'n'));
  CHECK(error_of(named(65'537)).code == errc::too_large);
  CHECK(error_of(gpx("<wpt><desc>" + std::string(65'537, 'd') + "</desc></wpt>")).code ==
        errc::too_large);
}

TEST_CASE("a hundred megabytes of blanks in one place are refused after the first of them") {
  for (const char* head : {"<gpx>", "<gpx><trk><name>", "<gpx><trk><name><![CDATA["}) {
    const auto outcome = flood(head, " ", 100'000'000);
    CHECK(outcome.fault.code == errc::too_large);
    CHECK_THAT(outcome.fault.what, Catch::Contains("65536"));
    CHECK(outcome.fed_bytes < 200'000);
  }
}

TEST_CASE("an endless tag, attribute, comment or instruction is refused within bounds") {
  for (const char* head :
       {"<", "<gpx ", "<gpx a=\"", "<!--", "<?", "<gpx><", "<gpx><b a='", "<gpx><!-- ",
        "<gpx><?pi ", "<gpx></gpx><!-- ", "<gpx>&", "<gpx></", "<!DOCTYPE "}) {
    INFO(head);
    const auto outcome = flood(head, "x", 100'000'000);
    CHECK(outcome.fed_bytes < 500'000);
  }
  // Many attributes in one tag.
  CHECK(flood("<gpx ", "a='' ", 10'000'000).fed_bytes < 500'000);
}

TEST_CASE("a comment of less than 256 KiB is passed over") {
  CHECK(read(gpx("<!--" + std::string(200'000, 'x') + "--><trk><trkseg>" + gpx_point() +
                 "</trkseg></trk>")));
}

TEST_CASE("a file has no more bytes than the limit") {
  import_limits limits;
  limits.max_file_bytes = small_gpx.size();
  CHECK(read(small_gpx, limits));
  const auto fault = error_of(small_gpx + " ", limits);
  CHECK(fault.code == errc::too_large);
  CHECK_THAT(fault.what, Catch::Contains(std::to_string(small_gpx.size())));
}

TEST_CASE("a file has no more points than the limit") {
  import_limits limits;
  limits.max_points = 3;
  CHECK(read(gpx_points(repeated(gpx_point(), 3)), limits));
  const auto fault = error_of(gpx_points(repeated(gpx_point() + "\n", 4)), limits);
  CHECK(fault.code == errc::too_large);
  CHECK(fault.where == "file.xml:5:1");
  CHECK(error_of(tcx_lap(tcx_track(repeated("<Trackpoint/>", 4))), limits).code == errc::too_large);
}

TEST_CASE("a refused value is shown short and without control characters") {
  const auto fault =
      error_of(gpx_points(gpx_point("<ele>\x7f\xC2\x9B"
                                    "31m" +
                                    std::string(10'000, 'A') + "</ele>")));
  CHECK(fault.what.size() < 120);
  CHECK(fault.what.find('\x7f') == std::string::npos);
  CHECK(fault.what.find('\x9B') == std::string::npos);
}
