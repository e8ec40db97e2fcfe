// Where what a service would refuse is collected, and the kinds that values must have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/service_rules/service_problems.h"

namespace finback {

// A member that is there and not null.
inline const Json* FindGiven(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

inline bool IsText(const Json* value, std::string_view text) {
  return value != nullptr && value->IsString() && value->text == text;
}

inline std::string ItemPath(std::string_view list, size_t index) {
  return std::string(list) + Format("[%zu]", index);
}

class ProblemList {
 public:
  explicit ProblemList(std::vector<ServiceProblem>* problems) : problems_(*problems) {}

  void Add(std::string path, std::string message, std::string fix) {
    if (problems_.size() >= kMostServiceProblems) return;
    problems_.push_back({std::move(path), std::move(message), std::move(fix)});
  }

  void AddKind(const std::string& path, const char* expected, const Json& found) {
    Add(path, std::string("expected ") + expected + ", found " + KindName(found),
        std::string("give ") + expected);
  }

  // Members that may be absent or null. Each returns the value if it is of that kind.
  const Json* String(const Json& object, const std::string& path, const char* name) {
    return OfKind(object, path, name, Json::Kind::kString, "a string");
  }
  const Json* Bool(const Json& object, const std::string& path, const char* name) {
    return OfKind(object, path, name, Json::Kind::kBool, "true or false");
  }
  const Json* Object(const Json& object, const std::string& path, const char* name) {
    return OfKind(object, path, name, Json::Kind::kObject, "an object");
  }

  // A member that must be a string.
  const Json* RequiredString(const Json& object, const std::string& path, const char* name) {
    const Json* value = object.Find(name);
    if (value == nullptr) {
      Add(path + name, "is missing", "give a string");
      return nullptr;
    }
    if (value->IsString()) return value;
    AddKind(path + name, "a string", *value);
    return nullptr;
  }

  // The function of a call or a tool; nullptr if it is no object. `what` names the list.
  const Json* Function(const Json& owner, const std::string& path, const char* what,
                       const char* fix) {
    const Json* type = RequiredString(owner, path + ".", "type");
    if (type != nullptr && type->text != "function") {
      Add(path + ".type",
          std::string("the service knows no ") + what + " of type " + Quoted(type->text),
          "say function");
    }
    const Json* function = owner.Find("function");
    if (function != nullptr && function->IsObject()) return function;
    Add(path + ".function", function == nullptr ? "is missing" : "must be an object", fix);
    return nullptr;
  }

 private:
  const Json* OfKind(const Json& object, const std::string& path, const char* name, Json::Kind kind,
                     const char* expected) {
    const Json* value = FindGiven(object, name);
    if (value == nullptr || value->kind == kind) return value;
    AddKind(path + name, expected, *value);
    return nullptr;
  }

  std::vector<ServiceProblem>& problems_;
};

}  // namespace finback
