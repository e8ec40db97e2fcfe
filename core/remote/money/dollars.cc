#include "core/remote/money/dollars.h"

#include <algorithm>
#include <cinttypes>
#include <limits>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr int64_t kPlaces = 12;  // of a pico-dollar
constexpr size_t kShownPlaces = 6;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A decimal number taken apart: 0.DIGITS times ten to the power of `point`; no leading zeros.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t point = 0;
};

// Digits from `*text`, which loses them.
std::string_view TakeDigits(std::string_view* text) {
  const size_t end = std::find_if_not(text->begin(), text->end(), IsDigit) - text->begin();
  const std::string_view digits = text->substr(0, end);
  text->remove_prefix(end);
  return digits;
}

bool TakeOne(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// An exponent beyond this decides alone: no text is long enough to make up for it.
int64_t ReadExponent(std::string_view digits) {
  constexpr int64_t kFar = 1'000'000'000'000;
  int64_t value = 0;
  for (const char c : digits) value = std::min(value * 10 + (c - '0'), kFar);
  return value;
}

std::optional<Decimal> TakeApart(std::string_view text) {
  Decimal decimal;
  decimal.negative = TakeOne(&text, "-");
  const std::string_view whole = TakeDigits(&text);
  if (whole.empty()) return std::nullopt;
  decimal.digits = whole;
  decimal.point = static_cast<int64_t>(whole.size());
  if (TakeOne(&text, ".")) {
    const std::string_view fraction = TakeDigits(&text);
    if (fraction.empty()) return std::nullopt;
    decimal.digits += fraction;
  }
  if (TakeOne(&text, "eE")) {
    const bool minus = !text.empty() && text.front() == '-';
    TakeOne(&text, "+-");
    const std::string_view exponent = TakeDigits(&text);
    if (exponent.empty()) return std::nullopt;
    decimal.point += minus ? -ReadExponent(exponent) : ReadExponent(exponent);
  }
  if (!text.empty()) return std::nullopt;
  const size_t zeros = std::min(decimal.digits.find_first_not_of('0'), decimal.digits.size());
  decimal.digits.erase(0, zeros);
  decimal.point -= static_cast<int64_t>(zeros);
  return decimal;
}

}  // namespace

std::string FormatDollars(int64_t pico) {
  // Unsigned, because the lowest int64 has no positive counterpart.
  const uint64_t bits = static_cast<uint64_t>(pico);
  const uint64_t size = pico < 0 ? 0 - bits : bits;
  std::string text = Format("%s%" PRIu64 ".%012" PRIu64, pico < 0 ? "-" : "", size / kPicoPerDollar,
                            size % kPicoPerDollar);
  const size_t shortest = text.find('.') + 1 + kShownPlaces;
  while (text.size() > shortest && text.back() == '0') text.pop_back();
  return text;
}

std::optional<int64_t> ParseDollars(std::string_view text) {
  const std::optional<Decimal> decimal = TakeApart(text);
  if (!decimal) return std::nullopt;
  if (decimal->digits.empty()) return 0;
  const int64_t places = decimal->point + kPlaces;  // digits of the result
  if (places < 0) return 0;
  if (places > std::numeric_limits<int64_t>::digits10 + 1) return std::nullopt;
  const auto digit = [&](int64_t i) {
    return i < static_cast<int64_t>(decimal->digits.size()) ? decimal->digits[i] - '0' : 0;
  };
  int64_t value = 0;
  for (int64_t i = 0; i < places; ++i) {
    if (__builtin_mul_overflow(value, int64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, int64_t{digit(i)}, &value)) return std::nullopt;
  }
  if (digit(places) >= 5 && __builtin_add_overflow(value, int64_t{1}, &value)) return std::nullopt;
  return decimal->negative ? -value : value;
}

int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

int64_t SaturatingMultiply(int64_t a, int64_t b) {
  int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) != (b < 0) ? std::numeric_limits<int64_t>::min()
                            : std::numeric_limits<int64_t>::max();
}

}  // namespace finback
