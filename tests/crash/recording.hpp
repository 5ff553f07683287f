// recording: what a process did to its files, call by call, and what a device may hold of it after
// the power failed.
//
// Purpose: `recorder` keeps every write, sync, truncation and removal. `device` goes through them
// and says, at each, what is certain to be there and what may be there, in whole, in part or not.
// Invariants: a sync makes what was written to its file before durable, and one of the directory
// the names of its files; a write on an O_DSYNC descriptor is durable once it returned. All else
// may survive or not, each write for itself, torn at any byte or with any of its sectors.
// Thread-safety: none.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "joinery/testing/prng.hpp"
#include "tests/crash/system_calls.hpp"

namespace crash_tests {

using joinery::bytes;
using joinery::bytes_view;
using joinery::testing::prng;

/// The files of a directory.
using file_image = std::map<std::string, bytes>;

struct recorded_call {
  call_kind kind{};
  std::string name, file;
  std::uint64_t place = 0;
  bytes data;
  bool synced = false;
};

/// LMDB's file of locks is memory that happens to be a file: nobody trusts it after a crash.
inline bool is_memory(const std::string& file) { return file == "lock.mdb"; }

class recorder final : public watcher {
 public:
  std::function<void()> before_each{};

  verdict judge(const system_call&) override {
    if (before_each) before_each();
    return {};
  }
  void done(const system_call& call) override {
    if (is_memory(call.file) || call.kind == call_kind::forget_cached) return;
    calls_.push_back({call.kind, call.name, call.file, call.place, bytes{call.data}, call.synced});
  }
  [[nodiscard]] const std::vector<recorded_call>& calls() const noexcept { return calls_; }

 private:
  std::vector<recorded_call> calls_;
};

/// How much of what is not certain survives.
enum class survival : std::uint8_t { all, none, some };

class device {
 public:
  device() = default;
  /// Everything in `durable` is certain.
  explicit device(const file_image& durable) {
    for (const auto& [name, content] : durable) files_[name] = {content, {}, true, false};
  }

  /// The next call begins: it may or may not reach the device.
  void begin(const recorded_call& call) {
    if (call.kind == call_kind::sync) return;
    auto& f = files_[call.file];
    if (call.kind == call_kind::unlink)
      f.going = true;
    else
      f.pending.push_back({&call, false});
  }
  /// It has returned.
  void end(const recorded_call& call) {
    if (call.kind == call_kind::sync && call.file.empty()) {
      for (auto& [name, f] : files_) f.named = true;
      std::erase_if(files_, [](const auto& f) { return f.second.going; });
      return;
    }
    auto& f = files_[call.file];
    if (call.kind == call_kind::sync) {
      for (const auto& p : f.pending) apply(f.durable, *p.call, ~std::size_t{0});
      f.pending.clear();
    } else if (call.synced && call.kind == call_kind::write) {
      f.pending.back().certain = true;
    }
  }

  /// What a sync that fails leaves of one file: the system forgets what it could not write.
  void lose(const std::string& name, prng& dice) {
    auto& f = files_[name];
    f.durable = content_of(f, survival::some, dice);
    f.pending.clear();
  }

  [[nodiscard]] file_image image(survival how, prng& dice) const {
    file_image out;
    for (const auto& [name, f] : files_) {
      const bool there =
          f.named || how == survival::all || (how == survival::some && dice.chance(50));
      const bool gone = f.going && (how == survival::all || dice.chance(50));
      if (there && !gone) out[name] = content_of(f, how, dice);
    }
    return out;
  }

 private:
  static constexpr std::size_t sector = 512;

  struct written {
    const recorded_call* call;
    bool certain;
  };
  struct file {
    bytes durable;
    std::vector<written> pending;  // since the last sync, oldest first
    bool named = false;            // its name is certain to be in the directory
    bool going = false;            // it was removed, perhaps
  };

  static void put(bytes& to, std::uint64_t at, bytes_view data) {
    if (to.size() < at + data.size()) to.resize(at + data.size(), '\0');
    to.replace(at, data.size(), data);
  }
  static void apply(bytes& to, const recorded_call& call, std::size_t most) {
    if (call.kind == call_kind::truncate)
      to.resize(call.place, '\0');
    else
      put(to, call.place, bytes_view{call.data}.substr(0, most));
  }
  /// Some of its sectors.
  static void tear(bytes& to, const recorded_call& call, prng& dice) {
    const bytes_view data{call.data};
    for (std::size_t at = 0; at < data.size();) {
      const auto size = std::min(sector - (call.place + at) % sector, data.size() - at);
      if (dice.chance(50)) put(to, call.place + at, data.substr(at, size));
      at += size;
    }
  }

  static bytes content_of(const file& f, survival how, prng& dice) {
    auto out = f.durable;
    std::size_t whole = out.size();
    const auto mood = dice.below(100);  // some crashes leave nearly all, some nearly nothing
    for (const auto& p : f.pending) {
      whole = std::max<std::size_t>(whole, p.call->place + p.call->data.size());
      if (how == survival::all || p.certain ||
          (how == survival::some && dice.chance(unsigned(mood)))) {
        apply(out, *p.call, ~std::size_t{0});
      } else if (how == survival::some && p.call->kind == call_kind::write && dice.chance(50)) {
        if (dice.chance(50))
          apply(out, *p.call, dice.below(p.call->data.size() + 1));
        else
          tear(out, *p.call, dice);
      }
    }
    // The new length may be there before the bytes.
    if (how == survival::some && out.size() < whole && dice.chance(30)) out.resize(whole, '\0');
    return out;
  }

  std::map<std::string, file> files_;
};

}  // namespace crash_tests
