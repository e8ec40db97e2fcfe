#include "core/service_rules/strict_schema.h"

#include <algorithm>
#include <string_view>

#include "core/base/contains.h"

namespace finback {
namespace {

constexpr std::string_view kScalars[] = {"string", "number", "integer", "boolean", "null"};
constexpr const char* kNumbers[] = {"minimum",    "maximum", "exclusiveMinimum", "exclusiveMaximum",
                                    "multipleOf", "const",   "default"};
constexpr std::string_view kFormats[] = {"email", "hostname", "ipv4", "ipv6", "uuid"};

class StrictJudge {
 public:
  explicit StrictJudge(ProblemList* problems) : problems_(*problems) {}

  void Judge(const Json& schema, const std::string& path) {
    const Json* type = schema.Find("type");
    if (type != nullptr || schema.Find("anyOf") != nullptr) {
      problems_.String(schema, path + ".", "description");
    }
    if (type != nullptr) return JudgeTyped(*type, schema, path);
    if (const Json* any = schema.Find("anyOf")) return JudgeAny(*any, path + ".anyOf");
    const Json* reference = schema.Find("$ref");
    if (reference == nullptr) {
      problems_.Add(path, "has none of type, anyOf and $ref", "say its type");
    } else if (!reference->IsString()) {
      problems_.AddKind(path + ".$ref", "a string", *reference);
    }
  }

  void JudgeObject(const Json& schema, const std::string& path, bool is_top) {
    const Json* properties = problems_.Object(schema, path + ".", "properties");
    if (!is_top && (properties == nullptr || properties->members.empty())) {
      problems_.Add(path + ".properties",
                    "an object without properties is not allowed in strict mode",
                    "name its properties, or use another type");
    }
    if (const Json* open = problems_.Bool(schema, path + ".", "additionalProperties")) {
      if (open->boolean) {
        problems_.Add(path + ".additionalProperties", "must be false in strict mode",
                      "say false, or leave it out");
      }
    }
    if (const Json* required = FindGiven(schema, "required")) {
      JudgeRequired(*required, properties, path + ".required");
    }
    if (properties == nullptr) return;
    for (const auto& [name, property] : properties->members) {
      Judge(property, path + ".properties." + Shown(name));
    }
  }

 private:
  void JudgeTyped(const Json& type, const Json& schema, const std::string& path) {
    const char* kFix = "say object, array, string, number, integer, boolean or null";
    if (type.IsArray()) {
      for (const Json& item : type.items) {
        if (item.IsString() && Contains(kScalars, item.text)) continue;
        problems_.Add(path + ".type", "a list of types has no objects and no arrays in strict mode",
                      "use anyOf");
        return;
      }
    } else if (!type.IsString()) {
      problems_.Add(path + ".type", "is no type", kFix);
    } else if (type.text == "object") {
      JudgeObject(schema, path, false);
    } else if (type.text == "array") {
      const Json* items = schema.Find("items");
      if (items == nullptr) {
        problems_.Add(path + ".items", "is missing", "say what the items are");
      } else {
        Judge(*items, path + ".items");
      }
    } else if (!Contains(kScalars, type.text)) {
      problems_.Add(path + ".type", "the service knows no type " + Quoted(type.text), kFix);
    }
    if (IsText(&type, "number") || IsText(&type, "integer")) JudgeNumbers(type, schema, path);
    if (IsText(&type, "string")) JudgeTexts(schema, path);
    const Json* format = IsText(&type, "string") ? FindGiven(schema, "format") : nullptr;
    if (format != nullptr && !(format->IsString() && Contains(kFormats, format->text))) {
      problems_.Add(path + ".format", "is none that strict mode knows",
                    "say email, hostname, ipv4, ipv6 or uuid, or leave it out");
    }
  }

  void JudgeNumbers(const Json& type, const Json& schema, const std::string& path) {
    const bool is_integer = type.text == "integer";
    for (const char* name : kNumbers) {
      const Json* value = FindGiven(schema, name);
      if (value == nullptr || (is_integer ? value->IsInteger() : value->IsNumber())) continue;
      problems_.AddKind(path + "." + name, is_integer ? "a whole number" : "a number", *value);
    }
  }

  void JudgeTexts(const Json& schema, const std::string& path) {
    problems_.String(schema, path + ".", "pattern");
    const Json* choices = FindGiven(schema, "enum");
    if (choices == nullptr) return;
    const auto is_string = [](const Json& item) { return item.IsString(); };
    if (!choices->IsArray() ||
        !std::all_of(choices->items.begin(), choices->items.end(), is_string)) {
      problems_.Add(path + ".enum", "must be a list of strings", "give strings");
    }
  }

  void JudgeAny(const Json& any, const std::string& path) {
    if (!any.IsArray()) return problems_.AddKind(path, "a list of schemas", any);
    for (size_t i = 0; i < any.items.size(); ++i) Judge(any.items[i], ItemPath(path, i));
  }

  void JudgeRequired(const Json& required, const Json* properties, const std::string& path) {
    if (!required.IsArray()) return problems_.AddKind(path, "a list", required);
    size_t known = 0;
    for (const Json& name : required.items) {
      const bool is_known =
          name.IsString() && properties != nullptr && properties->Find(name.text) != nullptr;
      if (is_known) ++known;
      if (!is_known) {
        problems_.Add(path, "names what is no property", "name the properties, or leave it out");
        return;
      }
    }
    if (properties != nullptr && known < properties->members.size()) {
      problems_.Add(path, "must name all properties in strict mode",
                    "name the others too, or leave it out");
    }
  }

  ProblemList& problems_;
};

}  // namespace

void FindStrictProblem(const Json& parameters, const std::string& path, ProblemList* problems) {
  StrictJudge judge(problems);
  if (IsText(parameters.Find("type"), "object")) {
    problems->String(parameters, path + ".", "description");
    return judge.JudgeObject(parameters, path, true);
  }
  problems->Add(path + ".type", "the parameters must be of type \"object\"",
                "say \"type\": \"object\"");
}

}  // namespace finback
