// finback inspect: what is in a checkpoint, and what running it would take.
#include <cstdio>

#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/request_options.h"
#include "tools/text.h"

namespace {

constexpr size_t kFilesByName = 8;

struct InspectOptions {
  EngineOptions engine;
  bool json = false;
};

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// "1,234,567 (1.23 MB)", "999".
std::string Bytes(int64_t bytes) {
  return Grouped(bytes) + (bytes < 1000 ? "" : " (" + ShortBytes(bytes) + ")");
}

std::string Value(const std::string& name, const Json& value, bool bytes) {
  if (value.is_number_integer()) {
    const bool is_id = EndsWith(name, "_id") || EndsWith(name, "theta");
    if (bytes || name == "bytes" || EndsWith(name, "_bytes")) return Bytes(value.get<int64_t>());
    return is_id ? value.dump() : Grouped(value.get<int64_t>());
  }
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::string list;
    for (const Json& item : value) {
      list +=
          (list.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : item.dump());
    }
    return list;
  }
  return value.dump();
}

void Row(int indent, const std::string& name, const std::string& value) {
  char line[64];
  std::snprintf(line, sizeof line, "%*s%-*s ", indent, "", 26 - indent, name.c_str());
  WriteOut(line + value + "\n");
}

// {"count", "bytes"}: one row.
bool IsTotal(const Json& value) {
  return value.is_object() && value.size() == 2 && value.contains("count") &&
         value.contains("bytes");
}

bool IsFileList(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_object();
}

bool HoldsBytes(const std::string& name) {
  return name == "read_per_token" || name == "cache" || EndsWith(name, "_bytes");
}

// A few files by name, many as one row.
void PrintFiles(const Json& files, int indent, const std::string& name) {
  int64_t bytes = 0;
  for (const Json& file : files) bytes += file.value("bytes", int64_t{0});
  Row(indent, name, std::to_string(files.size()) + ", " + Bytes(bytes));
  if (files.size() > kFilesByName) return;
  for (const Json& file : files) {
    Row(indent + 2, file.value("name", ""), Bytes(file.value("bytes", int64_t{0})));
  }
}

// Objects become indented blocks. `bytes`: all numbers below are bytes.
void PrintBlock(const Json& block, int indent, bool bytes) {
  for (const auto& [name, value] : block.items()) {
    if (IsTotal(value)) {
      char row[96];
      std::snprintf(row, sizeof row, "%8s tensors  %s", Grouped(value["count"]).c_str(),
                    Bytes(value["bytes"]).c_str());
      Row(indent, name, row);
    } else if (IsFileList(value)) {
      PrintFiles(value, indent, name);
    } else if (value.is_object()) {
      WriteOut(std::string(static_cast<size_t>(indent), ' ') + name + "\n");
      PrintBlock(value, indent + 2, bytes || HoldsBytes(name));
    } else if (name == "budget_bytes" && value == 0) {
      Row(indent, name, "no limit");
    } else {
      Row(indent, name, Value(name, value, bytes));
    }
  }
}

// Whether the model runs on this machine, and what to do if not: one sentence.
std::string Verdict(const Json& info) {
  if (StringOf(info, "backend") == "service") {
    return "Answers come from a service; nothing is computed or kept in memory here.";
  }
  const Json plan = info.value("memory", Json::object());
  const int64_t weights = plan.value("mapped_bytes", int64_t{0});
  const int64_t copied = plan.value("copied_bytes", int64_t{0});
  const int64_t conversation =
      plan.value("sequence_bytes", int64_t{0}) + plan.value("scratch_bytes", int64_t{0});
  const int64_t budget = plan.value("budget_bytes", int64_t{0});
  const int64_t tokens = plan.value("context_tokens", int64_t{0});
  const std::string needed =
      ShortBytes(weights + copied) +
      (copied > 0 ? " of weights, already copied, and " : " of weights and ") +
      ShortBytes(conversation) + " for a conversation of " + Grouped(tokens) + " tokens";
  if (budget > 0 && conversation > budget) {
    return "Does not fit: " + needed + ", and --memory allows " + ShortBytes(budget) +
           ": allow more, or lower --context.";
  }
  const int64_t available = plan.value("available_bytes", int64_t{-1});
  if (available < 0) return "Takes " + needed + "; this system does not say what is free.";
  const std::string free = ShortBytes(available) + (plan.value("available_limited", false)
                                                        ? " is left of this process's memory limit"
                                                        : " of memory is available");
  if (conversation > available) {
    return "Does not fit: " + needed + ", and " + free + ": lower --context.";
  }
  if (weights + conversation > available) {
    return "Runs, but slowly: " + needed + ", and " + free +
           ", so that weights are read from the disk again and again; more memory is what helps.";
  }
  return "Fits: " + needed + ", and " + free + ".";
}

int RunInspect(const InspectOptions& options) {
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const std::string text = finback_engine_info(engine.get());
  if (options.json) {
    WriteOut(text + "\n");
  } else {
    const Json info = LibraryJson(text);
    WriteOut(Verdict(info) + "\n\n");
    PrintBlock(info, 0, false);
  }
  FlushOut();
  return kExitOk;
}

}  // namespace

void AddInspectCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app->add_subcommand("inspect", "What is in a checkpoint and what it takes to run");
  command->footer(
      "Reads the headers alone: "
      "config, tensors by kind, the memory plan for --context tokens, and\n"
      "the bytes that one decoded token reads.");
  command->add_flag("--json", options->json, "Print it as one JSON object");
  options->engine.AddModel(command, ModelArgument::kPositional);
  options->engine.AddContext(command);
  options->engine.AddComputing(command);
  options->engine.AddReporting(command);
  command->callback([options, action] { *action = [options] { return RunInspect(*options); }; });
}
