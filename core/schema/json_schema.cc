#include "core/schema/json_schema.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/utf8.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"
#include "core/schema/json_pattern.h"
#include "core/schema/schema_nodes.h"
#include "core/schema/valijson_adapter.h"
#include "core/schema/value_format.h"

namespace finback {
namespace {

namespace rule = valijson::constraints;

constexpr size_t kMaxPatterns = 500;

// What judging one value against one schema may cost: steps of roughly equal price, and nesting.
constexpr int64_t kMaxSteps = 20000000;
constexpr int64_t kPatternSteps = 2000;
constexpr int kMaxNesting = 300;  // a level takes up to 280 bytes of stack
constexpr size_t kMaxProblems = 3;

}  // namespace

// The keywords of each subschema as valijson's typed constraints. Subschemas refer to each other by
// node alone, so that valijson never recurses.
struct JsonSchema::Compiled {
  std::string path;
  std::vector<SchemaNode> nodes;  // constraints point into them
  std::vector<std::unique_ptr<valijson::Schema>> schemas;
  std::map<std::string, JsonPattern, std::less<>> patterns;

  void AddPattern(uint32_t node, const std::string& pattern, const std::string& step) {
    if (patterns.contains(pattern)) return;
    if (patterns.size() == kMaxPatterns) {
      FailAt(path, Format("has more than %zu patterns", kMaxPatterns));
    }
    patterns.emplace(pattern, JsonPattern(pattern, SchemaNodePath(nodes, node, path) + step));
  }

  void AddPatterns(uint32_t node) {
    const Json& json = nodes[node].json;
    if (const Json* pattern = json.Find("pattern")) AddPattern(node, pattern->text, ".pattern");
    if (const Json* map = json.Find("patternProperties")) {
      for (const auto& [pattern, stub] : map->members) {
        AddPattern(node, pattern, ".patternProperties." + Shown(pattern));
      }
    }
  }

  void Compile(uint32_t node, valijson::SchemaParser* parser) {
    AddPatterns(node);
    schemas.push_back(std::make_unique<valijson::Schema>());
    try {
      parser->populateSchema(JsonAdapter(nodes[node].json), *schemas.back());
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      const std::string_view reason = error.what();
      if (reason.starts_with("Failed to allocate")) throw std::bad_alloc();
      FailAt(SchemaNodePath(nodes, node, path), Shown(reason));
    }
  }
};

namespace {

// ---- Judging ----

std::string Spelled(double value) {
  std::string text;
  JsonWriter(&text).Number(value);
  return text;
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool IsWhole(const Json& value) {
  return value.IsInteger() || (value.kind == Json::Kind::kFloat && std::isfinite(value.number) &&
                               value.number == std::floor(value.number));
}

bool HasType(const Json& value, rule::TypeConstraint::JsonType type) {
  using Type = rule::TypeConstraint;
  switch (type) {
    case Type::kAny:
      return true;
    case Type::kArray:
      return value.IsArray();
    case Type::kBoolean:
      return value.IsBool();
    case Type::kInteger:
      return IsWhole(value);
    case Type::kNull:
      return value.IsNull();
    case Type::kNumber:
      return value.IsNumber();
    case Type::kObject:
      return value.IsObject();
    case Type::kString:
      return value.IsString();
  }
  return false;
}

const char* TypeName(rule::TypeConstraint::JsonType type) {
  using Type = rule::TypeConstraint;
  switch (type) {
    case Type::kAny:
      return "anything";
    case Type::kArray:
      return "a list";
    case Type::kBoolean:
      return "true or false";
    case Type::kInteger:
      return "an integer";
    case Type::kNull:
      return "null";
    case Type::kNumber:
      return "a number";
    case Type::kObject:
      return "an object";
    case Type::kString:
      return "a string";
  }
  return "";
}

bool IsMultiple(const Json& value, double divisor) {
  const double quotient = value.number / divisor;
  if (!std::isfinite(quotient)) return true;  // beyond what doubles can tell
  // 0.3 is a multiple of 0.1, though not in binary.
  return std::fabs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::fabs(quotient));
}

struct Problem {
  size_t depth = 0;  // of the place, in steps from the root
  std::string place, expected, found;

  std::string Text() const { return place + ": expected " + expected + ", found " + found; }
};

// The value against the schema, node by node. Each visit judges the current value; what is wrong
// goes to *problems_, or nowhere when only the verdict is wanted.
class Judge final : public rule::ConstraintVisitor {
 public:
  Judge(const std::vector<std::unique_ptr<valijson::Schema>>& schemas,
        const std::map<std::string, JsonPattern, std::less<>>& patterns, const std::string& path)
      : schemas_(schemas), patterns_(patterns), path_(path) {}

  std::vector<Problem> Run(const Json& value) {
    std::vector<Problem> problems;
    problems_ = &problems;
    value_ = &value;
    ApplyNode(0);
    return problems;
  }

  bool visit(const AllOfConstraint& all) override {
    bool fits = true;
    all.applyToSubschemas([&](unsigned, const valijson::Subschema* schema) {
      fits = Apply(*schema) && fits;
      return fits || problems_ != nullptr;
    });
    return fits;
  }

  bool visit(const AnyOfConstraint& any) override { return OneFits(any); }

  bool visit(const OneOfConstraint& one) override {
    size_t count = 0;
    one.applyToSubschemas([&](unsigned, const valijson::Subschema* schema) {
      count += FitsQuietly(*schema) ? 1 : 0;
      return count < 2;
    });
    if (count == 1) return true;
    if (count == 0) return OneFits(one);
    return Fail("what fits exactly one alternative", Found() + " that fits several");
  }

  bool visit(const NotConstraint& negated) override {
    if (!FitsQuietly(*negated.getSubschema())) return true;
    return Fail("what \"not\" does not exclude", Found());
  }

  bool visit(const ConditionalConstraint& rule_) override {
    const valijson::Subschema* chosen =
        FitsQuietly(*rule_.getIfSubschema()) ? rule_.getThenSubschema() : rule_.getElseSubschema();
    return chosen == nullptr || Apply(*chosen);
  }

  bool visit(const ConstConstraint& constant) override {
    const Json& wanted = static_cast<const FrozenJson*>(constant.getValue())->json();
    return Equal(*value_, wanted) || Fail(DescribeJson(wanted), Found());
  }

  bool visit(const EnumConstraint& values) override {
    constexpr size_t kShownValues = 12;
    bool fits = false;
    std::string list;
    size_t count = 0;
    values.applyToValues([&](const valijson::adapters::FrozenValue& value) {
      const Json& wanted = static_cast<const FrozenJson&>(value).json();
      fits = Equal(*value_, wanted);
      if (problems_ != nullptr && count < kShownValues) {
        if (count > 0) list += ", ";
        list += wanted.IsString() ? Quoted(wanted.text) : DescribeJson(wanted);
      }
      ++count;
      return !fits;
    });
    if (fits) return true;
    if (count > kShownValues) list += Format(", %zu more", count - kShownValues);
    return Fail("one of " + list, Found());
  }

  bool visit(const TypeConstraint& types) override {
    bool fits = false;
    std::string names;
    types.applyToNamedTypes([&](TypeConstraint::JsonType type) {
      fits = HasType(*value_, type);
      names += (names.empty() ? "" : " or ") + std::string(TypeName(type));
      return !fits;
    });
    return fits || Fail(names, Found());
  }

  bool visit(const MinimumConstraint& minimum) override {
    const double limit = minimum.getMinimum();
    const bool open = minimum.getExclusiveMinimum();
    if (!value_->IsNumber() || (open ? value_->number > limit : value_->number >= limit)) {
      return true;
    }
    return Fail((open ? "a number above " : "a number of at least ") + Spelled(limit), Found());
  }

  bool visit(const MaximumConstraint& maximum) override {
    const double limit = maximum.getMaximum();
    const bool open = maximum.getExclusiveMaximum();
    if (!value_->IsNumber() || (open ? value_->number < limit : value_->number <= limit)) {
      return true;
    }
    return Fail((open ? "a number below " : "a number of at most ") + Spelled(limit), Found());
  }

  bool visit(const MultipleOfIntConstraint& multiple) override {
    const int64_t divisor = multiple.getDivisor();
    if (!value_->IsNumber()) return true;
    const bool exact = value_->IsInteger() && value_->Integer(0) == value_->Integer(1);
    const bool fits = exact ? value_->Integer(0) % divisor == 0
                            : IsMultiple(*value_, static_cast<double>(divisor));
    return fits || Fail("a multiple of " + std::to_string(divisor), Found());
  }

  bool visit(const MultipleOfDoubleConstraint& multiple) override {
    if (!value_->IsNumber() || IsMultiple(*value_, multiple.getDivisor())) return true;
    return Fail("a multiple of " + Spelled(multiple.getDivisor()), Found());
  }

  bool visit(const MinLengthConstraint& limit) override {
    return !value_->IsString() ||
           NoFewer(CountCharacters(value_->text), limit.getMinLength(), "character");
  }
  bool visit(const MaxLengthConstraint& limit) override {
    return !value_->IsString() ||
           AtMost(CountCharacters(value_->text), limit.getMaxLength(), "character");
  }
  bool visit(const MinItemsConstraint& limit) override {
    return !value_->IsArray() || NoFewer(value_->items.size(), limit.getMinItems(), "item");
  }
  bool visit(const MaxItemsConstraint& limit) override {
    return !value_->IsArray() || AtMost(value_->items.size(), limit.getMaxItems(), "item");
  }
  bool visit(const MinPropertiesConstraint& limit) override {
    return !value_->IsObject() ||
           NoFewer(value_->members.size(), limit.getMinProperties(), "member");
  }
  bool visit(const MaxPropertiesConstraint& limit) override {
    return !value_->IsObject() ||
           AtMost(value_->members.size(), limit.getMaxProperties(), "member");
  }

  bool visit(const PatternConstraint& constraint) override {
    if (!value_->IsString()) return true;
    std::string pattern;
    constraint.getPattern(pattern);
    return Finds(pattern, value_->text) ||
           Fail("a string that matches " + Quoted(pattern), Found());
  }

  bool visit(const FormatConstraint& format) override {
    if (!value_->IsString() || FitsFormat(format.getFormat(), value_->text)) return true;
    return Fail("a string of format " + Quoted(format.getFormat()), Found());
  }

  bool visit(const RequiredConstraint& required) override {
    if (!value_->IsObject()) return true;
    bool fits = true;
    required.applyToRequiredProperties([&](const auto& name) {
      fits = HasMember(name.c_str()) && fits;
      return fits || problems_ != nullptr;
    });
    return fits;
  }

  bool visit(const PropertiesConstraint& properties) override;
  bool visit(const DependenciesConstraint& dependencies) override;

  bool visit(const PropertyNamesConstraint& names) override {
    if (!value_->IsObject()) return true;
    const Json& object = *value_;
    for (const auto& member : object.members) {
      Json name;
      name.kind = Json::Kind::kString;
      name.text = member.first;
      value_ = &name;
      const bool fits = FitsQuietly(*names.getSubschema());
      value_ = &object;
      if (!fits) return Fail("member names as \"propertyNames\" demands", Quoted(member.first));
    }
    return true;
  }

  bool visit(const SingularItemsConstraint& items) override {
    bool fits = true;
    for (size_t i = 0; value_->IsArray() && i < value_->items.size(); ++i) {
      fits = ApplyTo(value_->items[i], {nullptr, i}, *items.getItemsSubschema()) && fits;
      if (!fits && problems_ == nullptr) return false;
    }
    return fits;
  }

  bool visit(const LinearItemsConstraint& items) override {
    if (!value_->IsArray()) return true;
    bool fits = true;
    const auto& list = value_->items;
    items.applyToItemSubschemas([&](unsigned i, const valijson::Subschema* schema) {
      if (i >= list.size()) return false;
      fits = ApplyTo(list[i], {nullptr, i}, *schema) && fits;
      return true;
    });
    const valijson::Subschema* rest = items.getAdditionalItemsSubschema();
    const size_t count = items.getItemSubschemaCount();
    if (rest == nullptr) return AtMost(list.size(), count, "item") && fits;
    for (size_t i = count; i < list.size(); ++i) {
      fits = ApplyTo(list[i], {nullptr, i}, *rest) && fits;
    }
    return fits;
  }

  bool visit(const ContainsConstraint& contains) override {
    if (!value_->IsArray()) return true;
    const Json& list = *value_;
    bool found = false;
    for (size_t i = 0; i < list.items.size() && !found; ++i) {
      value_ = &list.items[i];
      found = FitsQuietly(*contains.getSubschema());
    }
    value_ = &list;
    return found || Fail("a list with an item as \"contains\" demands", Found());
  }

  bool visit(const UniqueItemsConstraint&) override {
    const auto& items = value_->items;
    for (size_t i = 0; value_->IsArray() && i < items.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (Equal(items[i], items[j])) {
          return Fail("items that differ", Format("[%zu] equal to [%zu]", i, j));
        }
      }
    }
    return true;
  }

  bool visit(const PolyConstraint& constraint) override {
    return ApplyNode(static_cast<const NodeConstraint&>(constraint).node());
  }

 private:
  struct Step {
    const std::string* name;  // nullptr: an index
    size_t index;
  };

  void Spend(size_t steps) {
    steps_ += static_cast<int64_t>(std::min<size_t>(steps, kMaxSteps));
    if (steps_ > kMaxSteps) FailAt(path_, "judging this answer takes too much work");
  }

  bool ApplyNode(uint32_t node) { return Apply(*schemas_[node]); }

  bool Apply(const valijson::Subschema& schema) {
    Spend(1);
    if (schema.getAlwaysInvalid()) return Fail("nothing", Found());
    if (++depth_ > kMaxNesting) FailAt(path_, "judging this answer nests too deep");
    const bool fits = problems_ == nullptr ? schema.applyStrict(accept_) : schema.apply(accept_);
    --depth_;
    return fits;
  }

  bool ApplyTo(const Json& value, Step step, const valijson::Subschema& schema) {
    const Json* outer = value_;
    value_ = &value;
    place_.push_back(step);
    const bool fits = Apply(schema);
    place_.pop_back();
    value_ = outer;
    return fits;
  }

  bool FitsQuietly(const valijson::Subschema& schema) {
    std::vector<Problem>* const outer = problems_;
    problems_ = nullptr;
    const bool fits = Apply(schema);
    problems_ = outer;
    return fits;
  }

  template <typename Alternatives>
  bool OneFits(const Alternatives& alternatives);

  bool Fail(std::string expected, std::string found) {
    if (problems_ != nullptr && problems_->size() < kMaxProblems) {
      problems_->push_back({place_.size(), Place(), std::move(expected), std::move(found)});
    }
    return false;
  }

  std::string Found() const { return problems_ == nullptr ? "" : DescribeJson(*value_); }

  std::string Place() const {
    std::string text = "$";
    for (const Step& step : place_) {
      if (step.name == nullptr) {
        text += Format("[%zu]", step.index);
      } else {
        text += IsPlainName(*step.name) ? "." + *step.name : "[" + Quoted(*step.name) + "]";
      }
    }
    return text;
  }

  bool NoFewer(size_t count, uint64_t limit, const char* unit) {
    return count >= limit || FailCount("at least", count, limit, unit);
  }
  bool AtMost(size_t count, uint64_t limit, const char* unit) {
    return count <= limit || FailCount("at most", count, limit, unit);
  }
  bool FailCount(const char* relation, size_t count, uint64_t limit, const char* unit) {
    return Fail(Format("%s %llu %s%s", relation, static_cast<unsigned long long>(limit), unit,
                       limit == 1 ? "" : "s"),
                std::to_string(count));
  }

  bool HasMember(std::string_view name) {
    Spend(1 + value_->members.size() / 8);
    if (value_->Find(name) != nullptr) return true;
    return Fail("a member " + Quoted(name), "none");
  }

  bool Finds(std::string_view pattern, std::string_view text) {
    Spend(kPatternSteps + text.size());
    return patterns_.find(pattern)->second.Finds(text);
  }

  bool Equal(const Json& a, const Json& b);

  const std::vector<std::unique_ptr<valijson::Schema>>& schemas_;
  const std::map<std::string, JsonPattern, std::less<>>& patterns_;
  const std::string& path_;
  const Json* value_ = nullptr;
  std::vector<Step> place_;  // of the value
  std::vector<Problem>* problems_ = nullptr;
  int64_t steps_ = 0;
  int depth_ = 0;
  valijson::Subschema::ApplyFunction accept_ = [this](const rule::Constraint& constraint) {
    return constraint.accept(*this);
  };
};

bool Judge::visit(const PropertiesConstraint& properties) {
  if (!value_->IsObject()) return true;
  const auto& members = value_->members;
  std::vector<bool> known(members.size(), false);
  bool fits = true;
  const auto judge = [&](size_t i, const valijson::Subschema& schema) {
    known[i] = true;
    fits = ApplyTo(members[i].second, {&members[i].first, 0}, schema) && fits;
    return fits || problems_ != nullptr;
  };
  properties.applyToProperties([&](const auto& name, const valijson::Subschema* schema) {
    Spend(1 + members.size() / 8);
    const std::string_view wanted(name.data(), name.size());
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].first == wanted) return judge(i, *schema);
    }
    return true;
  });
  properties.applyToPatternProperties([&](const auto& pattern, const valijson::Subschema* schema) {
    bool go_on = fits || problems_ != nullptr;
    for (size_t i = 0; i < members.size() && go_on; ++i) {
      if (Finds({pattern.data(), pattern.size()}, members[i].first)) go_on = judge(i, *schema);
    }
    return go_on;
  });
  const valijson::Subschema* others = properties.getAdditionalPropertiesSubschema();
  for (size_t i = 0; i < members.size() && (fits || problems_ != nullptr); ++i) {
    if (known[i]) continue;
    if (others != nullptr) {
      judge(i, *others);
    } else {
      place_.push_back({&members[i].first, 0});
      fits = Fail("no member of this name", problems_ ? DescribeJson(members[i].second) : "");
      place_.pop_back();
    }
  }
  return fits;
}

bool Judge::visit(const DependenciesConstraint& dependencies) {
  if (!value_->IsObject()) return true;
  bool fits = true;
  dependencies.applyToPropertyDependencies([&](const auto& name, const auto& needed) {
    if (value_->Find(std::string_view(name.data(), name.size())) == nullptr) return true;
    for (const auto& other : needed) fits = HasMember(other.c_str()) && fits;
    return fits || problems_ != nullptr;
  });
  dependencies.applyToSchemaDependencies([&](const auto& name, const valijson::Subschema* schema) {
    if (value_->Find(std::string_view(name.data(), name.size())) == nullptr) return true;
    fits = Apply(*schema) && fits;
    return fits || problems_ != nullptr;
  });
  return fits;
}

// When none fits, the alternative that failed deepest inside the value is taken for the one that
// was meant; those that failed at the same place are put into one sentence.
template <typename Alternatives>
bool Judge::OneFits(const Alternatives& alternatives) {
  constexpr size_t kShownAlternatives = 6;
  std::vector<Problem>* const outer = problems_;
  std::vector<Problem> nearest;
  bool fits = false;
  size_t count = 0;
  alternatives.applyToSubschemas([&](unsigned, const valijson::Subschema* schema) {
    std::vector<Problem> problems;
    problems_ = outer == nullptr ? nullptr : &problems;
    fits = Apply(*schema);
    problems_ = outer;
    if (fits || problems.empty()) return !fits;
    if (nearest.empty() || problems[0].depth > nearest[0].depth) {
      nearest = std::move(problems);
      count = 1;
    } else if (problems[0].place == nearest[0].place && problems[0].found == nearest[0].found &&
               count < kShownAlternatives) {
      nearest.resize(1);
      if (problems[0].expected != nearest[0].expected) {
        nearest[0].expected += " or " + problems[0].expected;
        ++count;
      }
    }
    return true;
  });
  if (fits) return true;
  if (outer == nullptr) return false;
  if (nearest.empty()) return Fail("one of no alternatives", Found());
  for (Problem& problem : nearest) {
    if (outer->size() < kMaxProblems) outer->push_back(std::move(problem));
  }
  return false;
}

// As JSON Schema has it: 1 and 1.0 are equal, the order of members is nothing.
bool Judge::Equal(const Json& a, const Json& b) {
  Spend(1);
  if (a.IsNumber() && b.IsNumber()) {
    if (a.number != b.number) return false;
    return !(a.IsInteger() && b.IsInteger()) || a.number == 0 || a.text == b.text;
  }
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Json::Kind::kBool:
      return a.boolean == b.boolean;
    case Json::Kind::kString:
      if (a.text.size() != b.text.size()) return false;
      Spend(a.text.size() / 64);
      return a.text == b.text;
    case Json::Kind::kArray:
      return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                        [this](const Json& x, const Json& y) { return Equal(x, y); });
    case Json::Kind::kObject:
      if (a.members.size() != b.members.size()) return false;
      for (const auto& [name, value] : a.members) {
        Spend(1 + b.members.size() / 8);
        const Json* other = b.Find(name);
        if (other == nullptr || !Equal(value, *other)) return false;
      }
      return true;
    default:
      return true;
  }
}

}  // namespace

std::string DescribeJson(const Json& value) {
  switch (value.kind) {
    case Json::Kind::kString:
      return "a string " + Quoted(value.text);
    case Json::Kind::kArray:
      return value.items.empty() ? "an empty list" : "a list";
    case Json::Kind::kObject:
      return value.members.empty() ? "an empty object" : "an object";
    default:
      return Described(value);
  }
}

JsonSchema::JsonSchema(const Json& schema, const std::string& path) {
  auto compiled = std::make_unique<Compiled>();
  compiled->path = path;
  compiled->nodes = SplitSchema(schema, path);
  valijson::SchemaParser parser;
  auto builder = std::make_unique<NodeBuilder>();
  parser.addConstraintBuilder(kNodeKeyword, builder.get());
  builder.release();  // the parser's, now that it has it
  for (uint32_t node = 0; node < compiled->nodes.size(); ++node) compiled->Compile(node, &parser);
  compiled_ = std::move(compiled);
}
JsonSchema::~JsonSchema() = default;
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;

std::string JsonSchema::Problem(const Json& value) const {
  Judge judge(compiled_->schemas, compiled_->patterns, compiled_->path);
  std::string text;
  for (const auto& problem : judge.Run(value)) {
    if (!text.empty()) text += "; ";
    text += problem.Text();
  }
  return text;
}

}  // namespace finback
