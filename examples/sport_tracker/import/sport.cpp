#include "sport_tracker/import/sport.hpp"

#include <string>

namespace sport_tracker {
namespace {

struct entry {
  std::string_view word;
  sport kind;
};

constexpr entry table[] = {
    {"running", sport::run},
    {"run", sport::run},
    {"jogging", sport::run},
    {"trailrunning", sport::run},
    {"trailrun", sport::run},
    {"trackrunning", sport::run},
    {"streetrunning", sport::run},
    {"treadmillrunning", sport::run},
    {"virtualrun", sport::run},
    {"biking", sport::ride},
    {"bike", sport::ride},
    {"cycling", sport::ride},
    {"ride", sport::ride},
    {"roadbiking", sport::ride},
    {"roadcycling", sport::ride},
    {"mountainbiking", sport::ride},
    {"mountainbikeride", sport::ride},
    {"mtb", sport::ride},
    {"gravelcycling", sport::ride},
    {"gravelride", sport::ride},
    {"indoorcycling", sport::ride},
    {"virtualride", sport::ride},
    {"ebikeride", sport::ride},
    {"swimming", sport::swim},
    {"swim", sport::swim},
    {"lapswimming", sport::swim},
    {"poolswimming", sport::swim},
    {"openwaterswimming", sport::swim},
    {"walking", sport::walk},
    {"walk", sport::walk},
    {"casualwalking", sport::walk},
    {"speedwalking", sport::walk},
    {"nordicwalking", sport::walk},
    {"hiking", sport::hike},
    {"hike", sport::hike},
    {"sup", sport::sup},
    {"standuppaddling", sport::sup},
    {"standuppaddleboarding", sport::sup},
    {"paddleboarding", sport::sup},
};

}  // namespace

std::string_view name_of(sport kind) noexcept {
  switch (kind) {
    case sport::run: return "run";
    case sport::ride: return "ride";
    case sport::swim: return "swim";
    case sport::walk: return "walk";
    case sport::hike: return "hike";
    case sport::sup: return "sup";
    case sport::other: break;
  }
  return "other";
}

sport sport_from(std::string_view as_written) {
  std::string word;
  for (const char c : as_written) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-' || c == '_') continue;
    word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  for (const auto& known : table) {
    if (known.word == word) return known.kind;
  }
  return sport::other;
}

}  // namespace sport_tracker
