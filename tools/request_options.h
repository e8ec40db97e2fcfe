// The options that become fields of a request, and the request.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

using Json = nlohmann::ordered_json;

// Parses JSON text of a file; a Failure names `path` and the place.
Json ParseJson(const std::string& text, const std::string& path);

// Parses what the library says.
Json LibraryJson(const std::string& text);

// A member that is a string, else `otherwise`: files and services may say anything.
std::string StringOf(const Json& object, const char* name, const std::string& otherwise = "");

// JSON text of a value; a Failure if a string in it is not UTF-8.
std::string DumpJson(const Json& value);

// The groups of options that become fields of a request.
inline constexpr const char* kSamplingGroup = "Sampling (defaults are the model's own)";
inline constexpr const char* kConversationGroup = "Conversation";

struct RequestOptions {
  void AddSampling(CLI::App* command);
  void AddChat(CLI::App* command);

  // The fields of sampling, on an otherwise empty request.
  Json SamplingFields() const;
  // The same, with thinking, effort, tools and response format.
  Json ChatFields() const;

  std::optional<double> temperature, top_p, min_p;
  std::optional<int64_t> top_k, seed, max_tokens, logprobs;
  std::vector<std::string> stop;

  std::string system, effort, tools_file;
  bool think = false, no_think = false, json_object = false;
};
