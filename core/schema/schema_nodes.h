// A JSON Schema taken apart: one node per subschema, in which each subschema below is a stub that
// names its node. What a hostile schema could do to a recursive reader (depth, cycles of
// references, other documents, keywords of the wrong type) is refused here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json/json.h"

namespace finback {

inline constexpr size_t kMaxSchemaNodes = 5000;
inline constexpr size_t kMaxPatternBytes = 4096;
inline constexpr char kNodeKeyword[] = "node";  // {"node": 7} stands for nodes[7]

struct SchemaNode {
  // A boolean, or an object of draft 7 keywords, each of the type it must have. Newer spellings
  // (prefixItems, dependentRequired, dependentSchemas) are put into those of draft 7; $ref stands
  // in allOf, so that what is beside it counts too; annotations and unknown keywords are gone.
  Json json;
  std::vector<uint32_t> same_value;  // the nodes below that judge the very value this one judges
  uint32_t parent = 0;               // of where it was met first; the root is its own
  std::string step;                  // from the parent: ".properties.name"
};

// nodes[0] is the schema itself. No cycle of same_value exists.
// Throws Error(kInvalidRequest) "<path>...: ...".
std::vector<SchemaNode> SplitSchema(const Json& schema, const std::string& path);

std::string SchemaNodePath(const std::vector<SchemaNode>& nodes, uint32_t node,
                           const std::string& path);

}  // namespace finback
