#include "core/json/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/utf8.h"

namespace finback {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The length of the longest JSON number that `text` begins with; 0 if none. Sets `*is_integer`.
size_t NumberLength(std::string_view text, bool* is_integer) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i > begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  if (i < text.size() && text[i] == '0') {
    ++i;
  } else if (!digits()) {
    return 0;
  }
  *is_integer = true;
  size_t length = i;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return length;
    length = i;
    *is_integer = false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return length;
    length = i;
    *is_integer = false;
  }
  return length;
}

// Whether a non-zero JSON number that no double holds is too large (else it is too small).
bool IsHuge(std::string_view spelling) {
  const size_t mark = spelling.find_first_of("eE");
  const std::string_view mantissa = spelling.substr(0, mark);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  long long exponent = static_cast<long long>(point) - static_cast<long long>(first);
  if (mark != std::string_view::npos) {
    const bool negative = spelling[mark + 1] == '-';
    long long written = 0;
    for (char c : spelling.substr(mark + 1)) {
      if (IsDigit(c)) written = std::min(written * 10 + (c - '0'), 1000000000000000LL);
    }
    exponent += negative ? -written : written;
  }
  return exponent > 0;
}

// The nearest double, whatever the process's locale.
double NearestDouble(std::string_view spelling) {
  double value = 0;
  const auto result = std::from_chars(spelling.data(), spelling.data() + spelling.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    value = IsHuge(spelling) ? std::numeric_limits<double>::infinity() : 0.0;
    if (spelling[0] == '-') value = -value;
  }
  return value;
}

struct Failure {
  std::string reason;
  size_t byte = 0;
};

struct Number {
  std::string_view spelling;
  bool is_integer = false;
};

// What nlohmann's parser cannot do (spelling and range of numbers, Python's literals, depth, NUL
// bytes) is done here, before it: every number is noted and overwritten by a 0 and blanks, so that
// byte offsets stay, and the n-th number event stands for the n-th note.
class NumberScan {
 public:
  NumberScan(std::string_view text, JsonNumbers mode) : text_(text), mode_(mode), masked_(text) {}

  bool Run(Failure* failure) {
    int depth = 0;
    for (size_t i = 0; i < text_.size();) {
      const char c = text_[i];
      if (c == '"') {
        i = SkipString(i);
      } else if (c == '\0') {
        *failure = {"NUL byte", i};
        return false;
      } else if (c == '[' || c == '{') {
        if (++depth > kJsonMaxDepth) {
          *failure = {Format("nested deeper than %d levels", kJsonMaxDepth), i};
          return false;
        }
        ++i;
      } else if (c == ']' || c == '}') {
        depth = std::max(depth - 1, 0);
        ++i;
      } else {
        const size_t length = NoteNumber(i);
        if (c == '-' && length == 0) {  // else a number blanked behind it would complete it
          *failure = {"invalid number", i};
          return false;
        }
        if (mode_ == JsonNumbers::kStrict && length > 0 && IsOutOfRange(numbers_.back())) {
          *failure = {"number out of range", i};
          return false;
        }
        i += std::max<size_t>(length, 1);
      }
    }
    return true;
  }

  const std::string& masked() const { return masked_; }
  const std::vector<Number>& numbers() const { return numbers_; }

 private:
  size_t SkipString(size_t begin) const {
    for (size_t i = begin + 1; i < text_.size(); ++i) {
      if (text_[i] == '"') return i + 1;
      if (text_[i] == '\\') ++i;
    }
    return text_.size();
  }

  size_t NoteNumber(size_t begin) {
    const std::string_view rest = text_.substr(begin);
    Number number;
    size_t length = 0;
    if (rest[0] == '-' || IsDigit(rest[0])) length = NumberLength(rest, &number.is_integer);
    if (length == 0 && mode_ == JsonNumbers::kPython) {
      for (std::string_view literal : {"NaN", "Infinity", "-Infinity"}) {
        if (rest.substr(0, literal.size()) == literal) length = literal.size();
      }
    }
    if (length == 0) return 0;
    number.spelling = rest.substr(0, length);
    numbers_.push_back(number);
    memset(masked_.data() + begin, ' ', length);
    masked_[begin] = '0';
    return length;
  }

  static bool IsOutOfRange(const Number& number) {
    return !number.is_integer && std::isinf(NearestDouble(number.spelling));
  }

  std::string_view text_;
  JsonNumbers mode_;
  std::string masked_;
  std::vector<Number> numbers_;
};

// Removes earlier values of repeated keys: the last value moves to the key's first position.
void MergeDuplicateKeys(std::vector<std::pair<std::string, Json>>* members) {
  std::vector<uint32_t> order(members->size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  const auto& list = *members;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int difference = list[a].first.compare(list[b].first);
    return difference != 0 ? difference < 0 : a < b;
  });
  std::vector<bool> superseded;
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && list[order[end]].first == list[order[i]].first) ++end;
    if (end - i > 1) {
      superseded.resize(order.size());
      (*members)[order[i]].second = std::move((*members)[order[end - 1]].second);
      for (size_t j = i + 1; j < end; ++j) superseded[order[j]] = true;
    }
    i = end;
  }
  if (superseded.empty()) return;
  size_t kept = 0;
  for (size_t i = 0; i < members->size(); ++i) {
    if (superseded[i]) continue;
    if (kept != i) (*members)[kept] = std::move((*members)[i]);
    ++kept;
  }
  members->resize(kept);
}

// nlohmann's message without its own position and without the text it quotes (which is the user's
// and may be long).
std::string ShortReason(std::string_view message) {
  size_t begin = message.find("column ");
  begin = begin == std::string_view::npos ? 0 : message.find(": ", begin);
  begin = begin == std::string_view::npos ? 0 : begin + (begin > 0 ? 2 : 0);
  message.remove_prefix(begin);
  std::string reason(message.substr(0, message.find("; last read: '")));
  if (reason.size() < message.size()) {
    const size_t expected = message.rfind("'; expected ");
    if (expected != std::string_view::npos) reason += message.substr(expected + 1);
  }
  reason.resize(CutUtf8(reason, 200).size());
  for (char& c : reason) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return reason;
}

class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Builder(const std::vector<Number>& numbers) : numbers_(numbers) {}

  bool null() {
    Add();
    return true;
  }
  bool boolean(bool value) {
    Json* json = Add();
    json->kind = Json::Kind::kBool;
    json->boolean = value;
    return true;
  }
  bool number_integer(number_integer_t) { return AddNumber(); }
  bool number_unsigned(number_unsigned_t) { return AddNumber(); }
  bool number_float(number_float_t, const string_t&) { return AddNumber(); }
  bool string(string_t& value) {
    Json* json = Add();
    json->kind = Json::Kind::kString;
    json->text = std::move(value);
    return true;
  }
  bool binary(binary_t&) { return false; }
  bool start_object(size_t) { return Open(Json::Kind::kObject); }
  bool key(string_t& name) {
    open_.back()->members.emplace_back(std::move(name), Json());
    return true;
  }
  bool end_object() {
    MergeDuplicateKeys(&open_.back()->members);
    open_.pop_back();
    return true;
  }
  bool start_array(size_t) { return Open(Json::Kind::kArray); }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const std::exception& error) {
    failure_ = {ShortReason(error.what()), position > 0 ? position - 1 : 0};
    return false;
  }

  Json TakeRoot() { return std::move(root_); }
  const Failure& failure() const { return failure_; }

 private:
  Json* Add() {
    if (open_.empty()) return &root_;
    Json* parent = open_.back();
    if (parent->IsObject()) return &parent->members.back().second;
    return &parent->items.emplace_back();
  }

  bool Open(Json::Kind kind) {
    Json* json = Add();
    json->kind = kind;
    open_.push_back(json);
    return true;
  }

  bool AddNumber() {
    if (next_number_ >= numbers_.size()) return false;
    const Number& number = numbers_[next_number_++];
    Json* json = Add();
    json->text = number.spelling;
    if (number.is_integer) {
      constexpr double kLargest = std::numeric_limits<double>::max();
      json->kind = Json::Kind::kInteger;
      json->number = std::clamp(NearestDouble(number.spelling), -kLargest, kLargest);
      return true;
    }
    json->kind = Json::Kind::kFloat;
    if (number.spelling == "NaN") {
      json->number = std::numeric_limits<double>::quiet_NaN();
    } else if (number.spelling.back() == 'y') {
      const double infinity = std::numeric_limits<double>::infinity();
      json->number = number.spelling[0] == '-' ? -infinity : infinity;
    } else {
      json->number = NearestDouble(number.spelling);
    }
    return true;
  }

  const std::vector<Number>& numbers_;
  size_t next_number_ = 0;
  Json root_;
  std::vector<Json*> open_;  // stable: a container does not grow while its last element is open
  Failure failure_{"not a JSON document", 0};
};

// repr() of a Python float: shortest digits that read back, an exponent below -4 and from 16 on.
void AppendPythonFloat(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "NaN";
    return;
  }
  if (std::signbit(value)) *out += '-';
  value = std::fabs(value);
  if (std::isinf(value)) {
    *out += "Infinity";
    return;
  }
  char buffer[40];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view spelled(buffer, static_cast<size_t>(result.ptr - buffer));
  const size_t mark = spelled.find('e');
  std::string digits;
  for (char c : spelled.substr(0, mark)) {
    if (IsDigit(c)) digits += c;
  }
  int exponent = 0;  // of the first digit
  for (char c : spelled.substr(mark + 2)) exponent = exponent * 10 + (c - '0');
  if (spelled[mark + 1] == '-') exponent = -exponent;

  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    *out += digits[0];
    if (count > 1) *out += "." + digits.substr(1);
    *out += Format("e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    *out += "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else if (count <= exponent + 1) {
    *out += digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  } else {
    const size_t whole = static_cast<size_t>(exponent) + 1;
    *out += digits.substr(0, whole) + "." + digits.substr(whole);
  }
}

}  // namespace

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;

const Json* Json::Find(std::string_view name) const {
  for (const auto& member : members) {
    if (member.first == name) return &member.second;
  }
  return nullptr;
}

int64_t Json::Integer(int64_t fallback) const {
  if (kind != Kind::kInteger) return fallback;
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end ? value : fallback;
}

Json ParseJson(std::string_view text, const char* what, JsonNumbers numbers, Code code) {
  const auto fail = [&](const Failure& failure) {
    Throw(code, "%s: %s at byte %zu", what, failure.reason.c_str(), failure.byte);
  };
  const size_t invalid = FindInvalidUtf8(text);
  if (invalid != kValidUtf8) fail({"invalid UTF-8", invalid});
  if (numbers == JsonNumbers::kPython && text.starts_with(kByteOrderMark)) {
    fail({"unexpected byte-order mark", 0});
  }
  NumberScan scan(text, numbers);
  Failure failure;
  if (!scan.Run(&failure)) fail(failure);
  Builder builder(scan.numbers());
  const std::string& masked = scan.masked();
  const char* begin = masked.data();
  if (!nlohmann::json::sax_parse(begin, begin + masked.size(), &builder)) fail(builder.failure());
  return builder.TakeRoot();
}

void AppendJsonString(std::string_view text, std::string* out) {
  if (FindInvalidUtf8(text) != kValidUtf8) return AppendJsonString(ValidUtf8(text), out);
  constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  for (char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += "\\u00";
          *out += kHex[c >> 4];
          *out += kHex[c & 15];
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

void AppendPythonJson(const Json& value, std::string* out) {
  switch (value.kind) {
    case Json::Kind::kNull:
      *out += "null";
      break;
    case Json::Kind::kBool:
      *out += value.boolean ? "true" : "false";
      break;
    case Json::Kind::kInteger:
      *out += value.text == "-0" ? "0" : value.text;
      break;
    case Json::Kind::kFloat:
      AppendPythonFloat(value.number, out);
      break;
    case Json::Kind::kString:
      AppendJsonString(value.text, out);
      break;
    case Json::Kind::kArray: {
      *out += '[';
      const char* separator = "";
      for (const Json& item : value.items) {
        *out += separator;
        AppendPythonJson(item, out);
        separator = ", ";
      }
      *out += ']';
      break;
    }
    case Json::Kind::kObject: {
      *out += '{';
      const char* separator = "";
      for (const auto& member : value.members) {
        *out += separator;
        AppendJsonString(member.first, out);
        *out += ": ";
        AppendPythonJson(member.second, out);
        separator = ", ";
      }
      *out += '}';
      break;
    }
  }
}

const char* KindName(const Json& json) {
  switch (json.kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return "a boolean";
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      return "a number";
    case Json::Kind::kString:
      return "a string";
    case Json::Kind::kArray:
      return "a list";
    case Json::Kind::kObject:
      return "an object";
  }
  return "nothing";
}

bool IsJsonObject(std::string_view text, Json* json) {
  Json scratch;
  if (json == nullptr) json = &scratch;
  try {
    *json = ParseJson(text, "JSON");
  } catch (const Error&) {
    return false;
  }
  return json->IsObject();
}

bool SameJson(const Json& a, const Json& b) {
  if (a.IsNumber() && b.IsNumber()) return a.text == b.text || a.number == b.number;
  if (a.kind != b.kind || a.items.size() != b.items.size() || a.text != b.text ||
      a.boolean != b.boolean || a.members.size() != b.members.size()) {
    return false;
  }
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!SameJson(a.items[i], b.items[i])) return false;
  }
  for (const auto& [name, value] : a.members) {
    const Json* other = b.Find(name);
    if (other == nullptr || !SameJson(value, *other)) return false;
  }
  return true;
}

std::string JsonText(const Json& json) {
  std::string text;
  AppendPythonJson(json, &text);
  return text;
}

}  // namespace finback
