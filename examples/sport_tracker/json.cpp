#include "sport_tracker/json.hpp"

#include <nlohmann/json.hpp>

namespace sport_tracker {

struct json::content {
  nlohmann::ordered_json value;
};

json::json() : content_(std::make_unique<content>()) {}
json::json(bool v) : json() { content_->value = v; }
json::json(double v) : json() { content_->value = v; }
json::json(const std::string& v) : json() { content_->value = v; }
json::json(whole v) : json() {
  if (v.has_sign)
    content_->value = static_cast<std::int64_t>(v.value);
  else
    content_->value = v.value;
}
json::json(json&&) noexcept = default;
json& json::operator=(json&&) noexcept = default;
json::~json() = default;

json json::object() {
  json out;
  out.content_->value = nlohmann::ordered_json::object();
  return out;
}
json json::array() {
  json out;
  out.content_->value = nlohmann::ordered_json::array();
  return out;
}

void json::put(const std::string& name, json value) {
  content_->value[name] = std::move(value.content_->value);
}
void json::add(json value) { content_->value.push_back(std::move(value.content_->value)); }

std::string json::text() const {
  return content_->value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sport_tracker
