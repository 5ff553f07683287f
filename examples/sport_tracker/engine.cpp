#include "sport_tracker/engine.hpp"

#include "joinery/separate.hpp"
#include "joinery/tool/inspect.hpp"

namespace sport_tracker {

storage_engine& engine_of(database& db) { return db.endpoint(); }

joinery::result<joinery::store::lmdb_status> disk_status(database& db) {
  return db.endpoint().storage().status();
}

joinery::result<> inspect(database& db, std::ostream& out, const std::string& table,
                          const std::optional<std::string>& key) {
  joinery::tool::inspect_options options;
  options.table = table;
  options.key = key;
  return joinery::tool::inspect(db.endpoint(), out, options);
}

}  // namespace sport_tracker
