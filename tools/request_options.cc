#include "tools/request_options.h"

#include <algorithm>

#include "tools/failure.h"
#include "tools/files.h"
#include "tools/nearest.h"
#include "tools/text.h"

Json ParseJson(const std::string& text, const std::string& path) {
  const std::string name = path == "-" ? "standard input" : path;
  CheckIsText(text, name);
  if (IsBlank(text)) throw Failure(kExitFailure, name + " is empty: JSON was expected");
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const size_t at = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const std::string place =
        "line " +
        std::to_string(
            std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1);
    throw Failure(kExitFailure,
                  name + " is not JSON: " +
                      (at >= text.size() ? "it ends too early, in " + place
                                         : place + " cannot be read from `" +
                                               ValidUtf8(text.substr(at, 24)) + "` on"));
  } catch (const Json::exception&) {
    throw Failure(kExitFailure, name + " is not JSON that can be held: a number is too large");
  }
}

Json LibraryJson(const std::string& text) {
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw Failure(kExitFailure, "the library's JSON cannot be read");
  return value;
}

std::string DumpJson(const Json& value) {
  try {
    return value.dump();
  } catch (const Json::exception&) {
    throw Failure(kExitFailure, "the text is not valid UTF-8");
  }
}

std::string StringOf(const Json& object, const char* name, const std::string& otherwise) {
  if (!object.is_object()) return otherwise;
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

void RequestOptions::AddSampling(CLI::App* command) {
  const std::string group = kSamplingGroup;
  const auto number = [&](const char* name, auto& value, const char* text) {
    command->add_option(name, value, text)->group(group)->type_name("N");
  };
  number("--temperature", temperature, "0 takes the likeliest token");
  number("--top-p", top_p, "Sample from the likeliest tokens of this total probability");
  number("--top-k", top_k, "Sample from this many likeliest tokens; 0 means all");
  number("--min-p", min_p, "Drop tokens this much less likely than the likeliest");
  number("--seed", seed, "Same seed, same text");
  number("--max-tokens", max_tokens, "Stop after so many tokens, reasoning included");
  number("--logprobs", logprobs, "With --json: this many likeliest tokens at each place, 0 to 20");
  command->add_option("--stop", stop, "Stop before this text; may be given again")
      ->allow_extra_args(false)
      ->group(group)
      ->type_name("TEXT");
}

void RequestOptions::AddChat(CLI::App* command) {
  const std::string group = kConversationGroup;
  command->add_option("--system", system, "System message")->group(group)->type_name("TEXT");
  CLI::Option* on = command->add_flag("--think", think, "Think before answering")->group(group);
  CLI::Option* off = command->add_flag("--no-think", no_think, "Answer at once")->group(group);
  off->excludes(on);
  // The spelling of other programs, understood without a word.
  command->add_flag("--nothink", no_think)->group("")->excludes(on);
  command->add_option("--effort", effort, "Reasoning effort: none, low, high or max")
      ->group(group)
      ->type_name("LEVEL");
  command
      ->add_option("--tools", tools_file,
                   "JSON file with a list of tool definitions that are offered")
      ->group(group)
      ->type_name("FILE");
  command->add_flag("--json-object", json_object, "Ask for an answer that is a JSON object")
      ->group(group);
}

Json RequestOptions::SamplingFields() const {
  Json request = Json::object();
  const auto set = [&](const char* name, const auto& value) {
    if (value) request[name] = *value;
  };
  set("temperature", temperature);
  set("top_p", top_p);
  set("top_k", top_k);
  set("min_p", min_p);
  set("seed", seed);
  set("max_tokens", max_tokens);
  for (const std::string& text : stop) CheckIsText(text, "--stop");
  if (!stop.empty()) request["stop"] = stop;
  return request;
}

Json RequestOptions::ChatFields() const {
  Json request = SamplingFields();
  if (logprobs) {
    request["logprobs"] = true;
    request["top_logprobs"] = *logprobs;
  }
  if (think) request["thinking"] = {{"type", "enabled"}};
  if (no_think) request["thinking"] = {{"type", "disabled"}};
  CheckIsText(effort, "--effort");
  if (!effort.empty()) request["reasoning_effort"] = effort;
  if (json_object) request["response_format"] = {{"type", "json_object"}};
  if (!tools_file.empty()) {
    const Json tools = ParseJson(ReadFile(tools_file), tools_file);
    request["tools"] = tools.is_object() && tools.contains("tools") ? tools["tools"] : tools;
  }
  return request;
}
