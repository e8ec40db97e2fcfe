// What a mistyped name was probably meant to be.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

// The candidate that is few typing mistakes away, or the only one that begins with `word`; "" if
// none is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// "did you mean NAME?", or "" if nothing is near.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

// One of some values; the error lists them and says which is near.
CLI::Validator OneOf(std::vector<std::string> values);
