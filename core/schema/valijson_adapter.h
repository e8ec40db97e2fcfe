// Our Json as valijson reads it, and the constraint that stands for another schema node. For
// json_schema.cc alone. Everything here is a view: the Json outlives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string>
#include <utility>
#include <vector>

// g++ 12 warns inside std::regex, which valijson pulls in, when sanitizers are on (GCC bug 105562).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
// valijson fails by exceptions only if told so, and would print from its destructors.
#define VALIJSON_USE_EXCEPTIONS 1
#define fprintf(...) static_cast<void>(0)
#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/internal/basic_adapter.hpp>
#include <valijson/internal/frozen_value.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#undef fprintf

#include "core/json/json.h"

namespace finback {

class JsonAdapter;
using JsonMember = std::pair<std::string, JsonAdapter>;

class JsonItems {
 public:
  class const_iterator {
   public:
    explicit const_iterator(const Json* at) : at_(at) {}
    JsonAdapter operator*() const;
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) { return const_iterator(at_++); }
    bool operator==(const const_iterator& other) const { return at_ == other.at_; }
    void advance(ptrdiff_t count) { at_ += count; }

   private:
    const Json* at_;
  };

  JsonItems() = default;
  explicit JsonItems(const std::vector<Json>& items) : data_(items.data()), size_(items.size()) {}
  const_iterator begin() const { return const_iterator(data_); }
  const_iterator end() const { return const_iterator(data_ + size_); }
  size_t size() const { return size_; }

 private:
  const Json* data_ = nullptr;
  size_t size_ = 0;
};

class JsonMembers {
 public:
  using Source = std::pair<std::string, Json>;
  class const_iterator {
   public:
    explicit const_iterator(const Source* at) : at_(at) {}
    JsonMember operator*() const;
    valijson::adapters::DerefProxy<JsonMember> operator->() const;
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const const_iterator& other) const { return at_ == other.at_; }

   private:
    const Source* at_;
  };

  JsonMembers() = default;
  explicit JsonMembers(const std::vector<Source>& members)
      : data_(members.data()), size_(members.size()) {}
  const_iterator begin() const { return const_iterator(data_); }
  const_iterator end() const { return const_iterator(data_ + size_); }
  const_iterator find(const std::string& name) const {
    const auto found = std::find_if(data_, data_ + size_,
                                    [&](const Source& member) { return member.first == name; });
    return const_iterator(found);
  }
  size_t size() const { return size_; }

 private:
  const Source* data_ = nullptr;
  size_t size_ = 0;
};

class FrozenJson : public valijson::adapters::FrozenValue {
 public:
  explicit FrozenJson(const Json* json) : json_(json) {}
  FrozenValue* clone() const override { return new FrozenJson(json_); }
  bool equalTo(const valijson::adapters::Adapter&, bool) const override { return false; }
  const Json& json() const { return *json_; }

 private:
  const Json* json_;
};

class JsonView {
 public:
  explicit JsonView(const Json* json) : json_(json) {}

  valijson::adapters::FrozenValue* freeze() const { return new FrozenJson(json_); }
  opt::optional<JsonItems> getArrayOptional() const {
    return isArray() ? opt::make_optional(JsonItems(json_->items)) : opt::optional<JsonItems>();
  }
  opt::optional<JsonMembers> getObjectOptional() const {
    return isObject() ? opt::make_optional(JsonMembers(json_->members))
                      : opt::optional<JsonMembers>();
  }
  bool getArraySize(size_t& size) const { return Give(isArray(), json_->items.size(), &size); }
  bool getObjectSize(size_t& size) const { return Give(isObject(), json_->members.size(), &size); }
  bool getBool(bool& value) const { return Give(isBool(), json_->boolean, &value); }
  bool getDouble(double& value) const { return Give(isDouble(), json_->number, &value); }
  bool getInteger(int64_t& value) const { return Give(isInteger(), json_->Integer(0), &value); }
  bool getString(std::string& value) const { return Give(isString(), json_->text, &value); }
  static bool hasStrictTypes() { return true; }
  bool isArray() const { return json_->IsArray(); }
  bool isBool() const { return json_->IsBool(); }
  bool isDouble() const { return json_->IsNumber() && !isInteger(); }
  // What int64 cannot hold goes as a double.
  bool isInteger() const { return json_->IsInteger() && json_->Integer(0) == json_->Integer(1); }
  bool isNull() const { return json_->IsNull(); }
  bool isNumber() const { return json_->IsNumber(); }
  bool isObject() const { return json_->IsObject(); }
  bool isString() const { return json_->IsString(); }

 private:
  template <typename T>
  static bool Give(bool fits, const T& value, T* out) {
    if (fits) *out = value;
    return fits;
  }

  const Json* json_;
};

class JsonAdapter : public valijson::adapters::BasicAdapter<JsonAdapter, JsonItems, JsonMember,
                                                            JsonMembers, JsonView> {
 public:
  explicit JsonAdapter(const Json& json) : BasicAdapter(JsonView(&json)) {}
};

inline JsonAdapter JsonItems::const_iterator::operator*() const { return JsonAdapter(*at_); }
inline JsonMember JsonMembers::const_iterator::operator*() const {
  return JsonMember(at_->first, JsonAdapter(at_->second));
}
inline valijson::adapters::DerefProxy<JsonMember> JsonMembers::const_iterator::operator->() const {
  return valijson::adapters::DerefProxy<JsonMember>(**this);
}

}  // namespace finback

template <>
struct valijson::adapters::AdapterTraits<finback::JsonAdapter> {
  typedef finback::Json DocumentType;
};

namespace finback {

// {"node": N} inside a subschema: the value must satisfy nodes[N].
class NodeConstraint : public valijson::constraints::PolyConstraint {
 public:
  explicit NodeConstraint(uint32_t node) : node_(node) {}
  uint32_t node() const { return node_; }
  bool validate(const valijson::adapters::Adapter&, const std::vector<std::string>&,
                valijson::ValidationResults*) const override {
    return false;  // the visitor below never asks
  }

 private:
  valijson::constraints::Constraint* cloneInto(void* place) const override {
    return new (place) NodeConstraint(node_);
  }
  size_t sizeOf() const override { return sizeof(NodeConstraint); }

  uint32_t node_;
};

class NodeBuilder : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const valijson::adapters::Adapter& value) const override {
    return new NodeConstraint(static_cast<uint32_t>(value.asInteger()));
  }
};

}  // namespace finback
