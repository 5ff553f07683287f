// The limit of everything that is stored: LMDB itself, with nothing around it, in a folder beside
// the store that is measured.
#pragma once

#include <lmdb.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "report.hpp"

namespace bench {

/// A folder for stores, below the current one, gone when the program ends. Not in a temporary
/// directory: that may be memory, where a sync costs nothing.
inline std::string data_folder(const std::string& name) {
  struct cleared {
    std::filesystem::path path = std::filesystem::current_path() / "bench-data";
    cleared() { std::filesystem::remove_all(path); }
    ~cleared() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const cleared all;
  const auto folder = all.path / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

class raw_lmdb {
 public:
  explicit raw_lmdb(std::string folder, unsigned flags = 0) : folder_(std::move(folder)) {
    open(flags);
  }
  ~raw_lmdb() { mdb_env_close(env_); }
  raw_lmdb(const raw_lmdb&) = delete;
  raw_lmdb& operator=(const raw_lmdb&) = delete;

  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// One transaction. `body(transaction&)`.
  template <class F>
  void write(F&& body) {
    transaction t{*this, 0};
    body(t);
    t.commit();
  }
  template <class F>
  void read(F&& body) const {
    transaction t{*this, MDB_RDONLY};
    body(t);
  }

  class transaction {
   public:
    transaction(const raw_lmdb& of, unsigned flags) : of_(of) {
      good(mdb_txn_begin(of.env_, nullptr, flags, &t_));
    }
    ~transaction() {
      if (t_ != nullptr) mdb_txn_abort(t_);
    }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;

    void put(std::string_view key, std::string_view value, unsigned flags = 0) {
      auto k = of(key), v = of(value);
      good(mdb_put(t_, of_.table_, &k, &v, flags));
    }
    /// Under a number that is greater than all before it.
    void append(std::uint64_t number, std::string_view value) {
      char key[8];
      for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
      put({key, sizeof key}, value, MDB_APPEND);
    }
    [[nodiscard]] std::string_view get(std::string_view key) {
      auto k = of(key);
      MDB_val v{};
      good(mdb_get(t_, of_.table_, &k, &v));
      return {static_cast<const char*>(v.mv_data), v.mv_size};
    }
    /// `each(key, value)` in order.
    template <class F>
    void scan(F&& each) {
      MDB_cursor* c = nullptr;
      good(mdb_cursor_open(t_, of_.table_, &c));
      MDB_val k{}, v{};
      while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0)
        each(std::string_view{static_cast<const char*>(k.mv_data), k.mv_size},
             std::string_view{static_cast<const char*>(v.mv_data), v.mv_size});
      mdb_cursor_close(c);
    }
    void commit() {
      good(mdb_txn_commit(t_));
      t_ = nullptr;
    }

   private:
    static MDB_val of(std::string_view s) { return {s.size(), const_cast<char*>(s.data())}; }
    const raw_lmdb& of_;
    MDB_txn* t_ = nullptr;
  };

 private:
  static void good(int status) {
    if (status != 0) fail(std::string{"LMDB: "} + mdb_strerror(status));
  }
  void open(unsigned flags) {
    good(mdb_env_create(&env_));
    good(mdb_env_set_mapsize(env_, std::size_t{1} << 34));
    good(mdb_env_open(env_, folder_.c_str(), flags, 0600));
    MDB_txn* t = nullptr;
    good(mdb_txn_begin(env_, nullptr, flags & MDB_RDONLY, &t));
    good(mdb_dbi_open(t, nullptr, 0, &table_));
    good(mdb_txn_commit(t));
  }

  std::string folder_;
  MDB_env* env_ = nullptr;
  MDB_dbi table_ = 0;
};

}  // namespace bench
