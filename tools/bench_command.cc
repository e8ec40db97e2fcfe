// finback bench: how fast this machine is at it, next to how fast it could be.
#include <cstdio>
#include <cstring>

#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/request_options.h"
#include "tools/text.h"

namespace {

struct BenchOptions {
  EngineOptions engine;
  std::string shape, folder, kinds, prefill, prefill_depths, depths, together, streams;
  std::optional<int64_t> experts, tokens, repeats;
  bool costs = false, json = false;
};

// "0,4,128" as a list; "8K" and "1M" are numbers too; "none" is no number.
Json NumberList(const char* option, const std::string& text) {
  Json list = Json::array();
  if (text == "none") return list;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    size_t digits = 0;
    int64_t value = 0;
    while (digits < item.size() && digits < 12 && item[digits] >= '0' && item[digits] <= '9') {
      value = value * 10 + (item[digits++] - '0');
    }
    const std::string unit = item.substr(digits);
    if (unit == "K" || unit == "k") {
      value *= 1024;
    } else if (unit == "M" || unit == "m") {
      value *= 1024 * 1024;
    } else if (!unit.empty() || digits == 0) {
      throw Failure(kExitUsage, std::string(option) + ": \"" + item + "\" is no number",
                    "numbers are separated by commas and may end in K or M: 0,8K,1M");
    }
    list.push_back(value);
    begin = end + 1;
  }
  return list;
}

Json Settings(const BenchOptions& options) {
  Json settings = Json::object();
  if (!options.shape.empty()) settings["shape"] = options.shape;
  if (!options.folder.empty()) settings["folder"] = options.folder;
  const std::pair<const char*, const std::string*> lists[] = {
      {"kinds", &options.kinds},
      {"prefill", &options.prefill},
      {"prefill_depths", &options.prefill_depths},
      {"depths", &options.depths},
      {"together", &options.together},
      {"streams", &options.streams}};
  for (const auto& [name, text] : lists) {
    std::string option = std::string("--") + name;
    if (const size_t low = option.find('_'); low != std::string::npos) option[low] = '-';
    if (!text->empty()) settings[name] = NumberList(option.c_str(), *text);
  }
  if (options.experts) settings["experts"] = *options.experts;
  if (options.tokens) settings["tokens"] = *options.tokens;
  if (options.repeats) settings["repeats"] = *options.repeats;
  if (options.costs) settings["measure"] = false;
  return settings;
}

// ---- The table ---------------------------------------------------------------------------------

// A column: its head, and its width, to the right.
struct Column {
  const char* head;
  int width;
};

void Line(const std::vector<Column>& columns, const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& cell = cells[i];
    const auto width = static_cast<size_t>(columns[i].width);
    line += std::string(cell.size() < width ? width - cell.size() : 0, ' ') + cell + "  ";
  }
  WriteOut(line.substr(0, line.find_last_not_of(' ') + 1) + "\n");
}

void Head(const std::vector<Column>& columns) {
  std::vector<std::string> heads;
  for (const Column& column : columns) heads.emplace_back(column.head);
  Line(columns, heads);
}

std::string Figure(const Json& value, double unit = 1) {
  return value.is_number() ? ThreeDigits(value.get<double>() / unit) : "-";
}

std::string Percent(const Json& value) {
  return value.is_number() ? ThreeDigits(100 * value.get<double>()) + " %" : "-";
}

// The best and the median of a figure, as cells.
void AddBoth(const Json& value, double unit, std::vector<std::string>* cells) {
  const bool is_there = value.is_object();
  cells->push_back(is_there ? Figure(value["best"], unit) : "-");
  cells->push_back(is_there ? Figure(value["median"], unit) : "-");
}

std::string BestShare(const Json& value) {
  return value.is_object() ? Percent(value["best"]) : "-";
}

// 8192 -> "8K"
std::string Tokens(const Json& value) {
  const auto tokens = value.get<int64_t>();
  if (tokens >= 1 << 20 && tokens % (1 << 20) == 0) return std::to_string(tokens >> 20) + "M";
  if (tokens >= 1 << 10 && tokens % (1 << 10) == 0) return std::to_string(tokens >> 10) + "K";
  return std::to_string(tokens);
}

void PrintSubject(const Json& report) {
  const Json& subject = report["checkpoint"];
  std::string kinds;
  for (const Json& kind : subject["kinds"]) kinds += (kinds.empty() ? "" : ",") + kind.dump();
  const bool random = StringOf(subject, "weights") == "random";
  WriteOut((random ? "random weights in the shape of " + StringOf(subject, "shape")
                   : StringOf(subject, "folder")) +
           ", " + subject["layers"].dump() + " of " + subject["layers_of_whole"].dump() +
           " layers (" + kinds + "), " + subject["experts"].dump() + " experts");
  if (subject.contains("bytes")) WriteOut(", " + Figure(subject["bytes"], 1e9) + " GB");
  WriteOut("\n");
  for (const Json& note : report["notes"]) WriteOut("note: " + note.get<std::string>() + "\n");
  if (report.contains("isa")) {
    WriteOut("instruction set " + StringOf(report, "isa") + ", threads " +
             report["threads"].dump() + ", prompts in chunks of " + report["chunk_tokens"].dump() +
             "\n");
  }
}

void PrintCosts(const Json& token) {
  WriteOut("\nWhat a token of all " + token["layers"].dump() + " layers costs (counted)\n");
  WriteOut("  model " + Figure(token["model_bytes"], 1e9) +
           " GB; read for a token: " + Figure(token["weight_bytes"], 1e9) +
           " GB of weights, of them " + Figure(token["expert_bytes"], 1e9) + " of experts; " +
           Figure(token["linear_operations"], 1e9) + " G operations\n");
  const std::vector<Column> columns = {
      {"depth", 7}, {"memory read MB", 14}, {"held MB", 9}, {"attention G", 11}, {"index G", 8}};
  Head(columns);
  for (const Json& row : token["at_depth"]) {
    Line(columns, {Tokens(row["depth"]), Figure(row["cache_bytes_read"], 1e6),
                   Figure(row["cache_bytes_held"], 1e6), Figure(row["attention_operations"], 1e9),
                   Figure(row["indexer_operations"], 1e9)});
  }
}

void PrintRoofs(const Json& roofs) {
  WriteOut("\nRoofs of this machine, all threads\n");
  const std::vector<Column> columns = {{"", 14}, {"best", 8}, {"median", 8}};
  Head(columns);
  const std::pair<const char*, const char*> rows[] = {
      {"read GB/s", "read_bytes_per_second"},
      {"F32 GFLOP/s", "f32_operations_per_second"},
      {"BF16 GFLOP/s", "bf16_operations_per_second"},
      {"int8 Gop/s", "int8_operations_per_second"}};
  for (const auto& [name, key] : rows) {
    std::vector<std::string> cells = {name};
    AddBoth(roofs[key], 1e9, &cells);
    Line(columns, cells);
  }
}

void PrintDecode(const Json& parts, const Json& layers) {
  if (parts.empty()) return;
  WriteOut("\nDecode, tokens/s\n");
  const std::string whole = "all " + layers.dump();
  const std::vector<Column> columns = {{"depth", 7},       {"best", 7},        {"median", 7},
                                       {whole.c_str(), 7}, {"weights MB", 10}, {"memory MB", 9},
                                       {"of read", 8},     {"forks", 6},       {"alone", 7}};
  Head(columns);
  for (const Json& part : parts) {
    if (part["skipped"].is_string()) {
      WriteOut("  " + Tokens(part["depth"]) + ": " + StringOf(part, "skipped") + "\n");
      continue;
    }
    std::vector<std::string> cells = {Tokens(part["depth"])};
    AddBoth(part["tokens_per_second"], 1, &cells);
    for (std::string cell :
         {Figure(part["whole_model_tokens_per_second"]), Figure(part["weight_bytes"], 1e6),
          Figure(part["cache_bytes"], 1e6), BestShare(part["of_read_roof"]),
          Figure(part["forks_per_layer"]), Percent(part["alone_share"])}) {
      cells.push_back(std::move(cell));
    }
    Line(columns, cells);
  }
}

void PrintTogether(const Json& parts) {
  if (parts.empty()) return;
  WriteOut("\nSeveral tokens of one sequence at once\n");
  const std::vector<Column> columns = {{"tokens", 7},  {"tokens/s", 9},     {"weights MB", 10},
                                       {"of read", 8}, {"cost of one", 11}, {"predicted", 9},
                                       {"ratio", 6}};
  Head(columns);
  for (const Json& part : parts) {
    if (part["skipped"].is_string()) {
      WriteOut("  " + part["tokens"].dump() + ": " + StringOf(part, "skipped") + "\n");
      continue;
    }
    const Json& cost = part["cost_of_one"];
    Line(columns, {part["tokens"].dump(), Figure(part["tokens_per_second"]["best"]),
                   Figure(part["weight_bytes"], 1e6), BestShare(part["of_read_roof"]),
                   Figure(cost["measured"]), Figure(cost["predicted"]),
                   cost.contains("of_predicted") ? Figure(cost["of_predicted"]) : "-"});
  }
}

void PrintStreams(const Json& parts) {
  if (parts.empty()) return;
  WriteOut("\nSeveral streams, a thread each\n");
  const std::vector<Column> columns = {
      {"streams", 7}, {"tokens/s", 9}, {"in a pass", 9}, {"of one", 7}, {"predicted", 9}};
  Head(columns);
  for (const Json& part : parts) {
    if (part["skipped"].is_string()) {
      WriteOut("  " + part["streams"].dump() + ": " + StringOf(part, "skipped") + "\n");
      continue;
    }
    Line(columns, {part["streams"].dump(), Figure(part["tokens_per_second"]["best"]),
                   Figure(part["streams_per_pass"]), Figure(part["times_one"]["measured"]),
                   Figure(part["times_one"]["predicted"])});
  }
}

void PrintPrefill(const Json& parts, const Json& layers) {
  if (parts.empty()) return;
  WriteOut("\nPrefill, tokens/s\n");
  const std::string whole = "all " + layers.dump();
  const std::vector<Column> columns = {
      {"tokens", 7},  {"from", 6},   {"best", 7},    {"median", 7}, {whole.c_str(), 7},
      {"GFLOP/s", 8}, {"of F32", 8}, {"of BF16", 8}, {"forks", 6},  {"alone", 7}};
  Head(columns);
  for (const Json& part : parts) {
    if (part["skipped"].is_string()) {
      WriteOut("  " + Tokens(part["tokens"]) + ": " + StringOf(part, "skipped") + "\n");
      continue;
    }
    std::vector<std::string> cells = {part["tokens"].dump(), Tokens(part["depth"])};
    AddBoth(part["tokens_per_second"], 1, &cells);
    for (std::string cell : {Figure(part["whole_model_tokens_per_second"]),
                             Figure(part["linear_operations_per_second"]["best"], 1e9),
                             BestShare(part["of_f32_roof"]), BestShare(part["of_bf16_roof"]),
                             Figure(part["forks_per_layer"]), Percent(part["alone_share"])}) {
      cells.push_back(std::move(cell));
    }
    Line(columns, cells);
  }
}

// Shares of the time, a column a part.
void PrintPhases(const Json& report) {
  std::vector<Column> columns = {{"", 18}};
  std::vector<const Json*> parts;
  std::vector<std::string> heads = {""};
  for (const char* kind : {"decode", "prefill"}) {
    for (const Json& part : report[kind]) {
      if (part["skipped"].is_string()) continue;
      parts.push_back(&part);
      const std::string at = "at " + Tokens(part["depth"]);
      heads.push_back(kind[0] == 'd' ? at : part["tokens"].dump() + " " + at);
      columns.push_back({"", std::max(6, static_cast<int>(heads.back().size()))});
    }
  }
  if (parts.empty()) return;
  WriteOut("\nWhere the time goes, %\n");
  Line(columns, heads);
  for (const auto& [name, value] : (*parts[0])["phases"].items()) {
    std::vector<std::string> cells = {name};
    for (const Json* part : parts) {
      char text[16];
      std::snprintf(text, sizeof text, "%.1f", 100 * (*part)["phases"][name].get<double>());
      cells.emplace_back(text);
    }
    Line(columns, cells);
  }
}

void PrintLoad(const Json& load, const Json& memory) {
  WriteOut("\nLoad, s: make " + Figure(load["make_seconds"]) + ", open " +
           Figure(load["open_seconds"]) + ", touch all weights " + Figure(load["touch_seconds"]) +
           ", first token " + Figure(load["first_token_seconds"]) + "\n");
  WriteOut("Memory, GB: planned " + Figure(memory["planned_bytes"], 1e9) + " (weights " +
           Figure(memory["weight_bytes"], 1e9) + ", sequence of " +
           Tokens(memory["context_tokens"]) + " tokens " + Figure(memory["sequence_bytes"], 1e9) +
           ", scratch " + Figure(memory["scratch_bytes"], 1e9) + "), peak " +
           Figure(memory["peak_bytes"], 1e9) + ", in huge pages " +
           Figure(memory["huge_page_bytes"], 1e9) + "\n");
}

void Print(const Json& report) {
  PrintSubject(report);
  PrintCosts(report["token"]);
  if (!report.contains("roofs")) return;
  const Json& layers = report["token"]["layers"];
  PrintRoofs(report["roofs"]);
  PrintDecode(report["decode"], layers);
  PrintTogether(report["together"]);
  PrintStreams(report["streams"]);
  PrintPrefill(report["prefill"], layers);
  PrintPhases(report);
  PrintLoad(report["load"], report["memory"]);
}

int RunBench(const BenchOptions& options) {
  const std::string settings = DumpJson(Settings(options));
  InstallInterrupts(SecondInterrupt::kEndsProgram);
  ProgressLine progress;
  const OptionsHandle library = options.engine.Options();
  if (!options.engine.has_model()) Check(finback_options_set(library.get(), "model", ""));
  Check(finback_options_set_progress(library.get(), ProgressLine::Callback, &progress));
  const TextHandle text(finback_benchmark(library.get(), settings.c_str()));
  progress.Clear();
  if (!text && finback_last_error_code() == FINBACK_ERROR_BUDGET) {
    throw Failure(kExitFailure, finback_last_error(),
                  "--folder keeps the weights on the disk, where they take no memory of their own");
  }
  Checked(text.get());
  const std::string json = finback_text_data(text.get());
  if (options.json) {
    WriteOut(json + "\n");
  } else {
    Print(LibraryJson(json));
  }
  FlushOut();
  return kExitOk;
}

}  // namespace

void AddBenchCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      app->add_subcommand("bench", "How fast this machine is, and how fast it could be");
  command->footer(
      "Without a model: random weights in memory, of a few layers in their real sizes, which stand\n"
      "for all. Lists are numbers with commas, such as 0,8K,1M, or none. docs/hardware.md explains\n"
      "the figures.");
  options->engine.AddModel(command, ModelArgument::kOption);
  command->add_option("--shape", options->shape, "flash (default), pro or tiny")
      ->type_name("SHAPE");
  command->add_option("--kinds", options->kinds, "A layer each: 0 window, 4 CSA, 128 HCA")
      ->type_name("LIST");
  command->add_option("--experts", options->experts, "Experts a layer; fewer take less memory")
      ->type_name("N");
  command->add_option("--folder", options->folder, "Keep the random weights there, and reuse them")
      ->type_name("FOLDER");
  command->add_option("--depths", options->depths, "Tokens behind which one is decoded")
      ->type_name("LIST");
  command->add_option("--together", options->together, "Tokens of one sequence at once")
      ->type_name("LIST");
  command->add_option("--streams", options->streams, "Streams that decode at once")
      ->type_name("LIST");
  command->add_option("--prefill", options->prefill, "Lengths of prompts")->type_name("LIST");
  command->add_option("--prefill-depths", options->prefill_depths, "Tokens before the prompts")
      ->type_name("LIST");
  command->add_option("--tokens", options->tokens, "Tokens that are decoded at a depth")
      ->type_name("N");
  command->add_option("--repeats", options->repeats, "Measurements of each")->type_name("N");
  command->add_flag("--costs", options->costs, "Count what a token costs; measure nothing");
  command->add_flag("--json", options->json, "Print everything as one JSON object");
  options->engine.AddMachine(command);
  options->engine.AddReporting(command);
  command->callback([options, action] { *action = [options] { return RunBench(*options); }; });
}
