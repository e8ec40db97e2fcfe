#include "core/schema/schema_nodes.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "core/json/json_fields.h"

namespace finback {
namespace {

enum class Shape : uint8_t {
  kSchema,        // of something inside the value
  kSameSchema,    // of the value itself
  kSameList,      // a list of such
  kSchemaMap,     // name -> schema of a member
  kPatternMap,    // pattern -> schema of members
  kItems,         // a schema, or a list of them by position
  kPrefixItems,   // a list of schemas by position
  kDependencies,  // name -> names or a schema of the value itself
  kReference,
  kTypes,
  kNames,  // a list of member names
  kValues,
  kAny,
  kNumber,
  kPositive,
  kCount,
  kBool,
  kPattern,
  kString,
  kRefused,  // asserts something that is not judged here
};

struct Keyword {
  std::string_view name;
  Shape shape;
};

// Whatever is not listed says nothing about which values fit.
constexpr Keyword kKeywords[] = {
    {"$ref", Shape::kReference},
    {"type", Shape::kTypes},
    {"enum", Shape::kValues},
    {"const", Shape::kAny},
    {"allOf", Shape::kSameList},
    {"anyOf", Shape::kSameList},
    {"oneOf", Shape::kSameList},
    {"not", Shape::kSameSchema},
    {"if", Shape::kSameSchema},
    {"then", Shape::kSameSchema},
    {"else", Shape::kSameSchema},
    {"properties", Shape::kSchemaMap},
    {"patternProperties", Shape::kPatternMap},
    {"additionalProperties", Shape::kSchema},
    {"propertyNames", Shape::kSchema},
    {"required", Shape::kNames},
    {"minProperties", Shape::kCount},
    {"maxProperties", Shape::kCount},
    {"dependencies", Shape::kDependencies},
    {"dependentRequired", Shape::kDependencies},
    {"dependentSchemas", Shape::kDependencies},
    {"items", Shape::kItems},
    {"prefixItems", Shape::kPrefixItems},
    {"additionalItems", Shape::kSchema},
    {"contains", Shape::kSchema},
    {"minItems", Shape::kCount},
    {"maxItems", Shape::kCount},
    {"uniqueItems", Shape::kBool},
    {"minimum", Shape::kNumber},
    {"maximum", Shape::kNumber},
    {"exclusiveMinimum", Shape::kNumber},
    {"exclusiveMaximum", Shape::kNumber},
    {"multipleOf", Shape::kPositive},
    {"minLength", Shape::kCount},
    {"maxLength", Shape::kCount},
    {"pattern", Shape::kPattern},
    {"format", Shape::kString},
    {"unevaluatedProperties", Shape::kRefused},
    {"unevaluatedItems", Shape::kRefused},
    {"minContains", Shape::kRefused},
    {"maxContains", Shape::kRefused},
    {"$dynamicRef", Shape::kRefused},
    {"$recursiveRef", Shape::kRefused},
};

constexpr std::string_view kTypeNames[] = {"array",  "boolean", "integer", "null",
                                           "number", "object",  "string"};

Json Container(Json::Kind kind) {
  Json json;
  json.kind = kind;
  return json;
}

Json Stub(uint32_t node) {
  Json index = Container(Json::Kind::kInteger);
  index.number = node;
  index.text = std::to_string(node);
  Json stub = Container(Json::Kind::kObject);
  stub.members.emplace_back(kNodeKeyword, std::move(index));
  return stub;
}

// The member of that name, made when it is missing.
Json* Member(Json* object, std::string_view name, Json::Kind kind) {
  for (auto& [key, value] : object->members) {
    if (key == name) return &value;
  }
  return &object->members.emplace_back(std::string(name), Container(kind)).second;
}

// A member's name as part of a path, on one line.
std::string NameStep(std::string_view name) {
  std::string step = "." + Shown(name);
  for (char& c : step) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) c = '?';
  }
  return step;
}

void ExpectKind(const Json& json, bool fits, const char* expected, const std::string& path) {
  if (!fits) FailAt(path, Format("expected %s, found %s", expected, KindName(json)));
}

void CheckPattern(std::string_view pattern, const std::string& path) {
  if (pattern.size() > kMaxPatternBytes) {
    FailAt(path, Format("a pattern has at most %zu bytes", kMaxPatternBytes));
  }
  if (pattern.find('\0') != std::string_view::npos) FailAt(path, "a NUL is not supported here");
}

void CheckName(std::string_view name, const std::string& path) {
  if (name.find('\0') != std::string_view::npos) FailAt(path, "a NUL is not supported here");
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// A token of a JSON pointer in a URI fragment: %41 and ~0, ~1 decoded.
std::string DecodeToken(std::string_view token) {
  std::string bytes;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '%' && i + 2 < token.size() && HexDigit(token[i + 1]) >= 0 &&
        HexDigit(token[i + 2]) >= 0) {
      bytes += static_cast<char>(HexDigit(token[i + 1]) * 16 + HexDigit(token[i + 2]));
      i += 2;
    } else {
      bytes += token[i];
    }
  }
  std::string decoded;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool escape = bytes[i] == '~' && i + 1 < bytes.size();
    if (escape && (bytes[i + 1] == '0' || bytes[i + 1] == '1')) {
      decoded += bytes[++i] == '0' ? '~' : '/';
    } else {
      decoded += bytes[i];
    }
  }
  return decoded;
}

const Json* ElementAt(const Json& array, std::string_view token) {
  if (token.empty() || token.size() > 9) return nullptr;
  size_t index = 0;
  for (const char c : token) {
    if (c < '0' || c > '9') return nullptr;
    index = index * 10 + static_cast<size_t>(c - '0');
  }
  return index < array.items.size() ? &array.items[index] : nullptr;
}

// Breadth first over an explicit list, so that no input decides how deep the stack gets.
class Splitter {
 public:
  Splitter(const Json& root, const std::string& path) : root_(root), path_(path) {}

  std::vector<SchemaNode> Run() {
    NodeOf(root_, 0, "");
    for (uint32_t node = 0; node < nodes_.size(); ++node) Split(node);
    RefuseCycles();
    return std::move(nodes_);
  }

 private:
  std::string Path(uint32_t node, const std::string& step = {}) const {
    return SchemaNodePath(nodes_, node, path_) + step;
  }

  uint32_t NodeOf(const Json& schema, uint32_t parent, const std::string& step) {
    const auto found = index_.find(&schema);
    if (found != index_.end()) return found->second;
    const uint32_t node = static_cast<uint32_t>(nodes_.size());
    if (node == kMaxSchemaNodes) {
      FailAt(path_, Format("has more than %zu subschemas", kMaxSchemaNodes));
    }
    nodes_.push_back({{}, {}, parent, step});
    sources_.push_back(&schema);
    index_.emplace(&schema, node);
    return node;
  }

  // What stands for the schema inside its parent.
  Json Child(const Json& schema, uint32_t node, const std::string& step) {
    if (schema.IsBool()) return schema;
    ExpectKind(schema, schema.IsObject(), "a schema", Path(node, step));
    return Stub(NodeOf(schema, node, step));
  }

  Json SameChild(const Json& schema, uint32_t node, const std::string& step) {
    Json stub = Child(schema, node, step);
    if (!schema.IsBool()) nodes_[node].same_value.push_back(index_.at(&schema));
    return stub;
  }

  Json Children(const Json& list, uint32_t node, const std::string& step, Shape shape) {
    ExpectKind(list, list.IsArray(), "a list of schemas", Path(node, step));
    if (list.items.empty()) FailAt(Path(node, step), "must not be empty");
    Json stubs = Container(Json::Kind::kArray);
    for (size_t i = 0; i < list.items.size(); ++i) {
      const std::string here = Format("%s[%zu]", step.c_str(), i);
      stubs.items.push_back(shape == Shape::kSameList ? SameChild(list.items[i], node, here)
                                                      : Child(list.items[i], node, here));
    }
    return stubs;
  }

  Json ChildMap(const Json& map, uint32_t node, const std::string& step, Shape shape) {
    ExpectKind(map, map.IsObject(), "an object of schemas", Path(node, step));
    Json stubs = Container(Json::Kind::kObject);
    for (const auto& [name, schema] : map.members) {
      const std::string here = step + NameStep(name);
      if (shape == Shape::kPatternMap) {
        CheckPattern(name, Path(node, here));
      } else {
        CheckName(name, Path(node, here));
      }
      stubs.members.emplace_back(name, Child(schema, node, here));
    }
    return stubs;
  }

  void CheckNames(const Json& list, const std::string& path) const {
    ExpectKind(list, list.IsArray(), "a list of names", path);
    for (const Json& name : list.items) {
      ExpectKind(name, name.IsString(), "a list of names", path);
      CheckName(name.text, path);
    }
  }

  void AddDependencies(const Json& map, uint32_t node, const std::string& step) {
    ExpectKind(map, map.IsObject(), "an object", Path(node, step));
    for (const auto& [name, value] : map.members) {
      const std::string here = step + NameStep(name);
      CheckName(name, Path(node, here));
      Json stub = value;
      if (value.IsArray()) {
        CheckNames(value, Path(node, here));
      } else {
        stub = SameChild(value, node, here);
      }
      Json* all = Member(&nodes_[node].json, "dependencies", Json::Kind::kObject);
      if (all->Find(name) != nullptr) FailAt(Path(node, here), "is given twice");
      all->members.emplace_back(name, std::move(stub));
    }
  }

  void AddReference(const Json& reference, uint32_t node, const std::string& step) {
    ExpectKind(reference, reference.IsString(), "a string", Path(node, step));
    const std::string_view text = reference.text;
    if (text.empty() || text[0] != '#') {
      FailAt(Path(node, step),
             "only references inside the schema are followed, got \"" + Shown(text) + "\"");
    }
    const Json* target = &root_;
    for (std::string_view rest = text.substr(1); !rest.empty() && target != nullptr;) {
      if (rest[0] != '/') {
        FailAt(Path(node, step), "expected \"#/...\", got \"" + Shown(text) + "\"");
      }
      const size_t end = std::min(rest.find('/', 1), rest.size());
      const std::string token = DecodeToken(rest.substr(1, end - 1));
      target = target->IsArray() ? ElementAt(*target, token) : target->Find(token);
      rest.remove_prefix(end);
    }
    if (target == nullptr) {
      FailAt(Path(node, step), "nothing is at \"" + Shown(text) + "\"");
    }
    Json stub = SameChild(*target, node, step);
    Member(&nodes_[node].json, "allOf", Json::Kind::kArray)->items.push_back(std::move(stub));
  }

  void CheckTypes(const Json& types, const std::string& path) const {
    const auto check = [&](const Json& type) {
      ExpectKind(type, type.IsString(), "a type or a list of types", path);
      if (std::find(std::begin(kTypeNames), std::end(kTypeNames), type.text) ==
          std::end(kTypeNames)) {
        FailAt(path, "unknown type \"" + Shown(type.text) + "\"");
      }
    };
    if (!types.IsArray()) return check(types);
    if (types.items.empty()) FailAt(path, "must not be empty");
    for (const Json& type : types.items) check(type);
  }

  // Keywords whose value stays as it is.
  void CheckValue(const Json& value, Shape shape, const std::string& path) const {
    switch (shape) {
      case Shape::kTypes:
        return CheckTypes(value, path);
      case Shape::kNames:
        return CheckNames(value, path);
      case Shape::kValues:
        return ExpectKind(value, value.IsArray(), "a list of values", path);
      case Shape::kNumber:
        return ExpectKind(value, value.IsNumber(), "a number", path);
      case Shape::kPositive:
        return ExpectKind(value, value.IsNumber() && value.number > 0, "a number above 0", path);
      case Shape::kCount:
        return ExpectKind(value, value.Integer(-1) >= 0, "an integer from 0 on", path);
      case Shape::kBool:
        return ExpectKind(value, value.IsBool(), "a boolean", path);
      case Shape::kPattern:
        ExpectKind(value, value.IsString(), "a string", path);
        return CheckPattern(value.text, path);
      case Shape::kString:
        return ExpectKind(value, value.IsString() && !value.text.empty(), "a name", path);
      default:
        return;
    }
  }

  void Put(uint32_t node, std::string_view name, Json value) {
    *Member(&nodes_[node].json, name, value.kind) = std::move(value);
  }

  void TakeKeyword(const Keyword& keyword, const Json& value, uint32_t node) {
    const std::string step = "." + std::string(keyword.name);
    switch (keyword.shape) {
      case Shape::kReference:
        return AddReference(value, node, step);
      case Shape::kDependencies:
        return AddDependencies(value, node, step);
      case Shape::kSchema: {
        const bool taken =
            keyword.name == "additionalItems" && sources_[node]->Find("prefixItems") != nullptr;
        if (!taken) Put(node, keyword.name, Child(value, node, step));
        return;
      }
      case Shape::kSameSchema:
        return Put(node, keyword.name, SameChild(value, node, step));
      case Shape::kSameList: {
        // A reference may have put the list there.
        Json stubs = Children(value, node, step, keyword.shape);
        Json* list = Member(&nodes_[node].json, keyword.name, Json::Kind::kArray);
        std::move(stubs.items.begin(), stubs.items.end(), std::back_inserter(list->items));
        return;
      }
      case Shape::kSchemaMap:
      case Shape::kPatternMap:
        return Put(node, keyword.name, ChildMap(value, node, step, keyword.shape));
      case Shape::kPrefixItems:
        return Put(node, "items", Children(value, node, step, keyword.shape));
      case Shape::kItems:
        if (sources_[node]->Find("prefixItems") != nullptr) {
          return Put(node, "additionalItems", Child(value, node, step));
        }
        if (value.IsArray() && value.items.empty()) return Put(node, "items", value);
        return Put(node, "items",
                   value.IsArray() ? Children(value, node, step, keyword.shape)
                                   : Child(value, node, step));
      case Shape::kRefused:
        FailAt(Path(node, step), "is not supported");
      default:
        CheckValue(value, keyword.shape, Path(node, step));
        return Put(node, keyword.name, value);
    }
  }

  void Split(uint32_t node) {
    const Json& source = *sources_[node];
    if (source.IsBool()) {
      nodes_[node].json = source;
      return;
    }
    ExpectKind(source, source.IsObject(), "a schema", Path(node));
    nodes_[node].json = Container(Json::Kind::kObject);
    for (const Keyword& keyword : kKeywords) {
      const Json* value = source.Find(keyword.name);
      if (value != nullptr) TakeKeyword(keyword, *value, node);
    }
  }

  // Kahn's order over same_value: what never becomes free is on a cycle or behind one.
  void RefuseCycles() const {
    std::vector<size_t> waiting(nodes_.size(), 0);
    for (const SchemaNode& node : nodes_) {
      for (const uint32_t below : node.same_value) ++waiting[below];
    }
    std::vector<uint32_t> free;
    for (uint32_t node = 0; node < nodes_.size(); ++node) {
      if (waiting[node] == 0) free.push_back(node);
    }
    for (size_t i = 0; i < free.size(); ++i) {
      for (const uint32_t below : nodes_[free[i]].same_value) {
        if (--waiting[below] == 0) free.push_back(below);
      }
    }
    if (free.size() == nodes_.size()) return;
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](size_t n) { return n > 0; });
    FailAt(Path(static_cast<uint32_t>(stuck - waiting.begin())),
           "refers to itself for the same value, without end");
  }

  const Json& root_;
  const std::string& path_;
  std::vector<SchemaNode> nodes_;
  std::vector<const Json*> sources_;  // of nodes_
  std::unordered_map<const Json*, uint32_t> index_;
};

}  // namespace

std::vector<SchemaNode> SplitSchema(const Json& schema, const std::string& path) {
  return Splitter(schema, path).Run();
}

std::string SchemaNodePath(const std::vector<SchemaNode>& nodes, uint32_t node,
                           const std::string& path) {
  std::vector<uint32_t> chain;
  for (uint32_t at = node; at != 0; at = nodes[at].parent) chain.push_back(at);
  constexpr size_t kShownSteps = 8;  // references can make a path as long as the schema
  std::string text = path;
  if (chain.size() > kShownSteps) {
    chain.resize(kShownSteps);
    text += "...";
  }
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) text += nodes[*at].step;
  return text;
}

}  // namespace finback
