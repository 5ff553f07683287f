// expect: error: .*joinery: a struct belongs to exactly one table
#include "joinery/schema/schema.hpp"

struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (joinery::lww<int>, likes));
};
struct draft_post {
  BOOST_HANA_DEFINE_STRUCT(draft_post, (joinery::lww<int>, likes));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"posts", post>, joinery::table<"drafts", draft_post>>;
#else
using app = joinery::tables<joinery::table<"posts", post>, joinery::table<"drafts", post>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
