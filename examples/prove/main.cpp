// Proves a schema: `prove 1000` simulates a thousand seeds on it.
#include <joinery/testing/prove.hpp>

#include "schema.hpp"

int main(int argc, char** argv) {
  return joinery::testing::prove<gym::schema, gym::older_schema>(
      argc, argv, "joinery::testing::simulation<gym::schema, gym::older_schema>");
}
