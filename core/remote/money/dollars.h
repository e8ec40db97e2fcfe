// Money as whole pico-dollars (1e-12 USD) in int64: nine million dollars, and no rounding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finback {

inline constexpr int64_t kPicoPerDollar = 1'000'000'000'000;

// "0.004770", "0.000000003625": exact, at least six decimal places.
std::string FormatDollars(int64_t pico);

// A JSON number or the text of one ("110.00", "1e-05"). Exact to a pico-dollar; finer digits, which
// services produce by printing doubles, are rounded to the nearest. Nothing when it is not a number
// or does not fit.
std::optional<int64_t> ParseDollars(std::string_view decimal);

// Sums and products that stay at the end of the range instead of passing it.
int64_t SaturatingAdd(int64_t a, int64_t b);
int64_t SaturatingMultiply(int64_t a, int64_t b);

}  // namespace finback
