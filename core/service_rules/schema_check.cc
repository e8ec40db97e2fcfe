#include "core/service_rules/schema_check.h"

#include <algorithm>
#include <string_view>

#include "core/base/contains.h"
#include "core/schema/json_pattern.h"
#include "core/schema/json_schema.h"

namespace finback {
namespace {

constexpr char kFix[] = "give a JSON Schema";

// What each keyword must be. %s: what `items` may be besides, in drafts before 2020-12.
constexpr char kKeywords[] = R"json({"$ref": "#/$defs/schema", "$defs": {
  "text": {"type": "string"},
  "count": {"type": "integer", "minimum": 0},
  "names": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
  "list": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/schema"}},
  "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/schema"}},
  "type": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
  "schema": {"type": ["object", "boolean"], "properties": {
    "$schema": {"type": "string", "pattern": "^https?://json-schema\\.org/draft(/20|-0)"},
    "$id": {"$ref": "#/$defs/text"}, "$ref": {"$ref": "#/$defs/text"},
    "$anchor": {"$ref": "#/$defs/text"}, "$comment": {"$ref": "#/$defs/text"},
    "$dynamicRef": {"$ref": "#/$defs/text"}, "$dynamicAnchor": {"$ref": "#/$defs/text"},
    "title": {"$ref": "#/$defs/text"}, "description": {"$ref": "#/$defs/text"},
    "format": {"$ref": "#/$defs/text"}, "pattern": {"$ref": "#/$defs/text"},
    "contentEncoding": {"$ref": "#/$defs/text"}, "contentMediaType": {"$ref": "#/$defs/text"},
    "type": {"anyOf": [{"$ref": "#/$defs/type"}, {"type": "array", "minItems": 1,
      "uniqueItems": true, "items": {"$ref": "#/$defs/type"}}]},
    "enum": {"type": "array"}, "examples": {"type": "array"},
    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
    "minimum": {"type": "number"}, "maximum": {"type": "number"},
    "exclusiveMinimum": {"type": "number"}, "exclusiveMaximum": {"type": "number"},
    "minLength": {"$ref": "#/$defs/count"}, "maxLength": {"$ref": "#/$defs/count"},
    "minItems": {"$ref": "#/$defs/count"}, "maxItems": {"$ref": "#/$defs/count"},
    "minContains": {"$ref": "#/$defs/count"}, "maxContains": {"$ref": "#/$defs/count"},
    "minProperties": {"$ref": "#/$defs/count"}, "maxProperties": {"$ref": "#/$defs/count"},
    "uniqueItems": {"type": "boolean"}, "deprecated": {"type": "boolean"},
    "readOnly": {"type": "boolean"}, "writeOnly": {"type": "boolean"},
    "required": {"$ref": "#/$defs/names"},
    "dependentRequired": {"type": "object", "additionalProperties": {"$ref": "#/$defs/names"}},
    "$defs": {"$ref": "#/$defs/map"}, "definitions": {"$ref": "#/$defs/map"},
    "properties": {"$ref": "#/$defs/map"}, "patternProperties": {"$ref": "#/$defs/map"},
    "dependentSchemas": {"$ref": "#/$defs/map"},
    "allOf": {"$ref": "#/$defs/list"}, "anyOf": {"$ref": "#/$defs/list"},
    "oneOf": {"$ref": "#/$defs/list"}, "prefixItems": {"$ref": "#/$defs/list"},
    "items": {"anyOf": [%s{"$ref": "#/$defs/schema"}]},
    "additionalProperties": {"$ref": "#/$defs/schema"},
    "propertyNames": {"$ref": "#/$defs/schema"}, "contains": {"$ref": "#/$defs/schema"},
    "not": {"$ref": "#/$defs/schema"}, "if": {"$ref": "#/$defs/schema"},
    "then": {"$ref": "#/$defs/schema"}, "else": {"$ref": "#/$defs/schema"},
    "unevaluatedItems": {"$ref": "#/$defs/schema"},
    "unevaluatedProperties": {"$ref": "#/$defs/schema"}
  }}}})json";

// Whether the schema says that it is of a draft in which `items` may be a list.
bool IsOldDraft(const Json& schema) {
  const Json* draft = schema.Find("$schema");
  return draft != nullptr && draft->IsString() &&
         draft->text.find("draft/2020-12") == std::string::npos;
}

// Where a JSON pointer leads; nullptr: nowhere.
const Json* Follow(const Json& root, std::string_view pointer) {
  const Json* at = &root;
  while (!pointer.empty() && at != nullptr) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::string step;
    for (size_t i = 1; i < end; ++i) {
      const bool is_escape = pointer[i] == '~' && i + 1 < end;
      if (is_escape) ++i;
      step += !is_escape ? pointer[i] : pointer[i] == '1' ? '/' : '~';
    }
    if (at->IsArray()) {
      const bool is_index = !step.empty() && step.size() < 9 &&
                            step.find_first_not_of("0123456789") == std::string::npos;
      const size_t index = is_index ? std::stoul(step) : at->items.size();
      at = index < at->items.size() ? &at->items[index] : nullptr;
    } else {
      at = at->Find(step);
    }
    pointer.remove_prefix(end);
  }
  return at;
}

class ReferenceJudge {
 public:
  ReferenceJudge(const Json& root, ProblemList* problems) : root_(root), problems_(*problems) {}

  void Judge(const Json& value, const std::string& path) {
    constexpr std::string_view kData[] = {"const", "enum", "default", "examples"};
    for (size_t i = 0; i < value.items.size(); ++i) Judge(value.items[i], ItemPath(path, i));
    for (const auto& [name, below] : value.members) {
      if (Contains(kData, name)) continue;
      const std::string here = path + "." + Shown(name);
      if (name == "$ref" && below.IsString()) JudgeReference(below.text, here);
      if (name == "pattern" && below.IsString()) JudgePattern(below.text, here);
      if (name == "patternProperties") {
        for (const auto& [pattern, schema] : below.members) JudgePattern(pattern, here);
      }
      Judge(below, here);
    }
  }

 private:
  void JudgeReference(const std::string& reference, const std::string& path) {
    if (reference.empty() || reference[0] != '#') {
      problems_.Add(path, "refers to another document", "put what it refers to into $defs");
    } else if ((reference.size() == 1 || reference[1] == '/') &&
               Follow(root_, std::string_view(reference).substr(1)) == nullptr) {
      problems_.Add(path, "refers to what is not there", "put what it refers to into $defs");
    }
  }

  void JudgePattern(const std::string& pattern, const std::string& path) {
    try {
      JsonPattern(pattern, path);
    } catch (const Error&) {
      problems_.Add(path, "is no regular expression", "give one, or leave it out");
    }
  }

  const Json& root_;
  ProblemList& problems_;
};

}  // namespace

void FindSchemaProblem(const Json& schema, const std::string& path, ProblemList* problems) {
  const std::string keywords =
      Format(kKeywords, IsOldDraft(schema) ? R"({"$ref": "#/$defs/list"}, )" : "");
  std::string found;
  try {
    found = JsonSchema(ParseJson(keywords, "keywords")).Problem(schema);
  } catch (const Error&) {
    found = "$: is too large to be judged";
  }
  if (found.empty()) return ReferenceJudge(schema, problems).Judge(schema, path);
  // "$.properties.a.type: what is wrong; $...": the first of them.
  const size_t colon = std::min(found.find(": "), found.size());
  const std::string where = found[0] == '$' ? path + found.substr(1, colon - 1) : path;
  const std::string words = colon + 2 < found.size() ? found.substr(colon + 2) : found;
  problems->Add(where, words.substr(0, words.find("; $")), kFix);
}

}  // namespace finback
