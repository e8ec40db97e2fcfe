#include "core/schema/strict_problem.h"

#include <algorithm>
#include <string_view>

#include "core/json/json_fields.h"

namespace finback {
namespace {

// What DeepSeek's strict mode takes (docs/services.md 8.3): a closed list of keywords per type, and
// objects that say everything about their members. Null and lists of types are not on the list.
enum TypeBit : unsigned {
  kObject = 1,
  kString = 2,
  kNumber = 4,
  kInteger = 8,
  kBoolean = 16,
  kArray = 32,
  kUntyped = 64,  // enum, anyOf and $ref need no type
  kNumeric = kNumber | kInteger,
  kEverything = 127,
};

struct NamedBit {
  std::string_view name;
  unsigned types;
};
constexpr NamedBit kTypes[] = {{"object", kObject},   {"string", kString},   {"number", kNumber},
                               {"integer", kInteger}, {"boolean", kBoolean}, {"array", kArray}};
constexpr NamedBit kKeywords[] = {
    {"type", kEverything},
    {"title", kEverything},
    {"description", kEverything},
    {"default", kEverything},
    {"enum", kEverything},
    {"anyOf", kEverything},
    {"$ref", kEverything},
    {"$def", kEverything},
    {"$defs", kEverything},
    {"properties", kObject},
    {"required", kObject},
    {"additionalProperties", kObject},
    {"pattern", kString},
    {"format", kString},
    {"items", kArray},
    {"const", kNumeric},
    {"minimum", kNumeric},
    {"maximum", kNumeric},
    {"exclusiveMinimum", kNumeric},
    {"exclusiveMaximum", kNumeric},
    {"multipleOf", kNumeric},
};
constexpr std::string_view kFormats[] = {"email", "hostname", "ipv4", "ipv6", "uuid"};

const NamedBit* Find(const NamedBit* begin, const NamedBit* end, std::string_view name) {
  const auto found =
      std::find_if(begin, end, [&](const NamedBit& row) { return row.name == name; });
  return found == end ? nullptr : found;
}

std::string Problem(const Json& schema, const std::string& path);

std::string ObjectProblem(const Json& schema, const std::string& path) {
  const Json* closed = schema.Find("additionalProperties");
  if (closed == nullptr || !closed->IsBool() || closed->boolean) {
    return path + ".additionalProperties: must be false in strict mode";
  }
  const Json* properties = schema.Find("properties");
  const Json* required = schema.Find("required");
  if (required != nullptr && !required->IsArray()) return path + ".required: must be a list";
  if (properties == nullptr) return "";
  if (!properties->IsObject()) return path + ".properties: must be an object";
  for (const auto& [name, member] : properties->members) {
    const auto is_name = [&name = name](const Json& item) {
      return item.IsString() && item.text == name;
    };
    const bool listed =
        required != nullptr && std::any_of(required->items.begin(), required->items.end(), is_name);
    if (!listed) return path + ".required: must list \"" + Shown(name) + "\" in strict mode";
    const std::string problem = Problem(member, path + ".properties." + Shown(name));
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string BelowProblem(const Json& schema, const std::string& path) {
  if (const Json* items = schema.Find("items")) {
    const std::string problem = Problem(*items, path + ".items");
    if (!problem.empty()) return problem;
  }
  if (const Json* any = schema.Find("anyOf")) {
    if (!any->IsArray() || any->items.empty()) return path + ".anyOf: must be a list of schemas";
    for (size_t i = 0; i < any->items.size(); ++i) {
      const std::string problem = Problem(any->items[i], path + Format(".anyOf[%zu]", i));
      if (!problem.empty()) return problem;
    }
  }
  for (const char* definitions : {"$def", "$defs"}) {
    const Json* map = schema.Find(definitions);
    if (map == nullptr) continue;
    const std::string here = path + "." + definitions;
    if (!map->IsObject()) return here + ": must be an object";
    for (const auto& [name, definition] : map->members) {
      const std::string problem = Problem(definition, here + "." + Shown(name));
      if (!problem.empty()) return problem;
    }
  }
  return "";
}

// The bit of a schema's type, or 0 and a problem.
unsigned TypeOf(const Json& schema, const std::string& path, std::string* problem) {
  const Json* type = schema.Find("type");
  if (type == nullptr) {
    for (const char* instead : {"enum", "anyOf", "$ref"}) {
      if (schema.Find(instead) != nullptr) return kUntyped;
    }
    *problem = path + ".type: is missing";
    return 0;
  }
  const NamedBit* row =
      type->IsString() ? Find(std::begin(kTypes), std::end(kTypes), type->text) : nullptr;
  if (row != nullptr) return row->types;
  *problem = path + ".type: strict mode knows object, string, number, integer, boolean and array";
  return 0;
}

std::string Problem(const Json& schema, const std::string& path) {
  if (!schema.IsObject()) return path + ": must be an object";
  std::string problem;
  const unsigned type = TypeOf(schema, path, &problem);
  if (type == 0) return problem;
  for (const auto& [name, value] : schema.members) {
    const NamedBit* row = Find(std::begin(kKeywords), std::end(kKeywords), name);
    if (row == nullptr || (row->types & type) == 0) {
      return path + "." + Shown(name) + ": not known in strict mode" +
             (row == nullptr ? "" : " for this type");
    }
  }
  if (const Json* format = schema.Find("format")) {
    const bool known = format->IsString() && std::find(std::begin(kFormats), std::end(kFormats),
                                                       format->text) != std::end(kFormats);
    if (!known) return path + ".format: strict mode knows email, hostname, ipv4, ipv6 and uuid";
  }
  if (type == kObject) {
    problem = ObjectProblem(schema, path);
    if (!problem.empty()) return problem;
  }
  return BelowProblem(schema, path);
}

}  // namespace

std::string StrictProblem(const Json& schema) {
  const Json* type = schema.Find("type");
  if (type == nullptr || !type->IsString() || type->text != "object") {
    return ".type: must be \"object\"";
  }
  return Problem(schema, "");
}

}  // namespace finback
