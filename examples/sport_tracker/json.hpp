// json: a JSON value to be printed.
//
// Purpose: what the program says in JSON is put together from records, which takes joinery's
// façade; how it is written is a library's. Both are slow to compile, so no unit has both.
// Invariants: members of an object stand in the order in which they were put.
// Thread-safety: as a std::string.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sport_tracker {

class json {
 public:
  json();  ///< null
  json(bool v);
  json(double v);
  json(const std::string& v);
  json(const char* v) : json(std::string{v}) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  json(T v) : json(whole{std::is_signed_v<T>, static_cast<std::uint64_t>(v)}) {}
  template <class T>
  json(const std::vector<T>& all) : json(array()) {
    for (const auto& each : all) add(each);
  }
  template <class... T>
  json(const std::tuple<T...>& all) : json(array()) {
    std::apply([this](const auto&... each) { (add(each), ...); }, all);
  }
  json(json&& other) noexcept;
  json& operator=(json&& other) noexcept;
  ~json();

  static json object();
  static json array();

  /// A member of an object; precondition: this is one.
  void put(const std::string& name, json value);
  /// One more of an array; precondition: this is one.
  void add(json value);

  /// In lines, indented by two. What is no UTF-8 is replaced, the same way everywhere.
  [[nodiscard]] std::string text() const;

 private:
  struct whole {
    bool has_sign;
    std::uint64_t value;
  };
  explicit json(whole v);

  struct content;
  std::unique_ptr<content> content_;
};

}  // namespace sport_tracker
