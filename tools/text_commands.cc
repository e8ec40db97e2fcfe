// finback encode, parse and tokenize: text in, text out.
#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/request_options.h"
#include "tools/token_ids.h"

namespace {

// ---- encode

struct EncodeOptions {
  EngineOptions engine;
  std::string file = "-", effort_prefix;
  bool think = false, no_think = false, keep_thinking = false, no_bos = false, request = false;
  bool ids = false, check_service = false, json = false;
};

void PrintIds(const finback_tokens* tokens) {
  const int32_t* ids = finback_tokens_data(tokens);
  std::string line;
  for (size_t i = 0; i < finback_tokens_count(tokens); ++i) {
    if (i != 0) line += ' ';
    line += std::to_string(ids[i]);
  }
  WriteOut(line + "\n");
  FlushOut();
}

void PrintText(const finback_text* text) {
  WriteOut({finback_text_data(text), finback_text_size(text)});
  FlushOut();
}

// The input with the command line's fields added behind its own, where the last of two equal names
// counts. Joined as text: a JSON library would change numbers that the encoder
// passes on as spelled.
std::string EncodeInput(const EncodeOptions& options) {
  std::string text = ReadFile(options.file);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const size_t end = text.find_last_not_of(" \t\r\n");
  if (begin == std::string::npos) throw Failure(kExitFailure, "no messages: the input is empty");
  text = text.substr(begin, end - begin + 1);
  std::string fields;
  if (options.think) fields += R"(, "thinking_mode": "thinking")";
  if (options.no_think) fields += R"(, "thinking_mode": "chat")";
  if (options.keep_thinking) fields += R"(, "drop_thinking": false)";
  if (options.no_bos) fields += R"(, "add_bos": false)";
  if (!options.effort_prefix.empty()) {
    fields += ", \"effort_prefix\": " + DumpJson(options.effort_prefix);
  }
  if (options.check_service) fields += R"(, "check_service": true)";
  if (text.front() == '[') return "{\"messages\": " + text + fields + "}";
  if (fields.empty() || text.front() != '{' || text.back() != '}') return text;
  text.pop_back();
  const bool empty = text.find_first_not_of(" \t\r\n", 1) == std::string::npos;
  return text + (empty ? fields.substr(2) : fields) + "}";
}

// What the service would refuse, for people: where and what, and below it what to do.
int PrintProblems(const std::string& list, bool as_json) {
  const Json problems = LibraryJson(list);
  if (as_json) {
    WriteOut(list + "\n");
  } else if (problems.empty()) {
    WriteOut("The service would take this request.\n");
  } else {
    for (const Json& problem : problems) {
      const std::string path = StringOf(problem, "path");
      WriteOut((path.empty() ? "request" : path) + ": " + StringOf(problem, "message") + "\n  " +
               StringOf(problem, "fix") + "\n");
    }
  }
  FlushOut();
  return problems.empty() ? kExitOk : kExitFailure;
}

int RunEncode(const EncodeOptions& options) {
  const bool shaped = options.think || options.no_think || options.keep_thinking ||
                      options.no_bos || !options.effort_prefix.empty();
  const bool is_request = options.request || options.ids;
  if (shaped && (is_request || options.check_service)) {
    throw Failure(
        kExitUsage,
        "--think, --no-think, --keep-thinking, --no-bos and --effort-prefix have no effect "
        "with --request, --ids and --check-service",
        "a request says it itself: thinking, reasoning_effort, drop_thinking");
  }
  if (!is_request && options.engine.has_any()) {
    throw Failure(kExitUsage, "--model and --set have no effect without --request or --ids",
                  options.check_service ? "the check needs no model"
                                        : "messages alone are encoded without a model");
  }
  if (options.json && !options.check_service) {
    throw Failure(kExitUsage, "--json has no effect without --check-service");
  }
  if (options.check_service) {
    const std::string json = EncodeInput(options);
    const TextHandle list(Checked(finback_encode_messages(json.c_str())));
    return PrintProblems({finback_text_data(list.get()), finback_text_size(list.get())},
                         options.json);
  }
  if (!is_request) {
    const std::string json = EncodeInput(options);
    PrintText(TextHandle(Checked(finback_encode_messages(json.c_str()))).get());
    return kExitOk;
  }
  const std::string request = ReadFile(options.file);
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  if (options.ids) {
    PrintIds(
        TokensHandle(Checked(finback_engine_encode_tokens(engine.get(), request.c_str()))).get());
  } else {
    PrintText(TextHandle(Checked(finback_engine_encode(engine.get(), request.c_str()))).get());
  }
  return kExitOk;
}

// ---- parse

struct ParseOptions {
  std::string file = "-";
  bool think = false, no_think = false, strict = false;
};

int RunParse(const ParseOptions& options) {
  const std::string text = ReadFile(options.file);
  const TextHandle message(Checked(finback_parse_completion(
      text.data(), text.size(), options.no_think ? 0 : 1, options.strict ? 1 : 0)));
  PrintText(message.get());
  WriteOut("\n");
  FlushOut();
  return kExitOk;
}

// ---- tokenize

struct TokenizeOptions {
  EngineOptions engine;
  std::string text;
  bool has_text = false, ids = false, special = false, count = false;
};

int RunTokenize(const TokenizeOptions& options) {
  const bool alone = !options.has_text || options.text == "-";
  const std::string input =
      alone ? ReadFile("-") : options.text + (options.ids ? " " : "") + ReadPiped();
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  if (options.ids) {
    const std::vector<int32_t> ids = ParseTokenIds(input, "the input");
    PrintText(
        TextHandle(Checked(finback_engine_detokenize(engine.get(), ids.data(), ids.size()))).get());
    return kExitOk;
  }
  const TokensHandle tokens(Checked(
      finback_engine_tokenize(engine.get(), input.data(), input.size(), options.special ? 1 : 0)));
  if (options.count) {
    WriteOut(std::to_string(finback_tokens_count(tokens.get())) + "\n");
    FlushOut();
  } else {
    PrintIds(tokens.get());
  }
  return kExitOk;
}

}  // namespace

void AddEncodeCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<EncodeOptions>();
  CLI::App* command = app->add_subcommand("encode", "Messages (JSON) to the model's prompt");
  command->footer(
      "The input is a list of messages, or an object with messages and perhaps tools, context,\n"
      "thinking_mode, drop_thinking, add_bos, effort_prefix. No model is needed, except with\n"
      "--request or --ids. The prompt alone goes to standard output, with no newline added.");
  command->add_option("FILE", options->file, "JSON file; without it or with -, standard input");
  CLI::Option* think = command->add_flag("--think", options->think, "Thinking mode (the default)");
  command->add_flag("--no-think", options->no_think, "Chat mode")->excludes(think);
  command->add_flag("--nothink", options->no_think)->group("")->excludes(think);
  command->add_flag("--keep-thinking", options->keep_thinking, "Keep earlier turns' reasoning");
  command->add_flag("--no-bos", options->no_bos, "Do not begin with begin-of-sentence");
  command->add_option("--effort-prefix", options->effort_prefix, "none, max or beyond_max")
      ->type_name("LEVEL");
  CLI::Option* request = command->add_flag(
      "--request", options->request,
      "The input is a Chat Completions request, encoded as the model would see it");
  CLI::Option* ids = command->add_flag("--ids", options->ids, "The same, printed as token ids");
  command
      ->add_flag("--check-service", options->check_service,
                 "The input is such a request: say what DeepSeek's service would refuse of it, and "
                 "end with 1 if there is anything")
      ->excludes(request)
      ->excludes(ids);
  command->add_flag("--json", options->json, "With --check-service: a list of path, message, fix");
  options->engine.AddModel(command, ModelArgument::kOption);
  options->engine.AddReporting(command);
  command->callback([options, action] { *action = [options] { return RunEncode(*options); }; });
}

void AddParseCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<ParseOptions>();
  CLI::App* command = app->add_subcommand("parse", "A completion's text to a message (JSON)");
  command->footer("The text is what a model wrote after the generation prompt, markup and all.");
  command->add_option("FILE", options->file, "Text file; without it or with -, standard input");
  CLI::Option* think = command->add_flag("--think", options->think,
                                         "The text begins inside reasoning (the default)");
  command->add_flag("--no-think", options->no_think, "The text begins with the answer")
      ->excludes(think);
  command->add_flag("--nothink", options->no_think)->group("")->excludes(think);
  command->add_flag("--strict", options->strict,
                    "Any deviation from the published form is an error");
  command->callback([options, action] { *action = [options] { return RunParse(*options); }; });
}

void AddTokenizeCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app->add_subcommand("tokenize", "Text to token ids, or back");
  command->footer(
      "Standard input counts byte for byte, its last newline too. With TEXT and piped input, TEXT\n"
      "comes first and right behind it the input.");
  CLI::Option* text = command->add_option("TEXT", options->text,
                                          "The text or ids; without it or with -, standard input");
  text->type_name("");
  CLI::Option* ids = command->add_flag("--ids", options->ids, "The input is ids; print their text");
  command->add_flag("--special", options->special, "Recognize special tokens in the text")
      ->excludes(ids);
  command->add_flag("--count", options->count, "Print only how many tokens")->excludes(ids);
  options->engine.AddModel(command, ModelArgument::kOption);
  options->engine.AddReporting(command);
  command->callback([options, text, action] {
    options->has_text = text->count() != 0;
    *action = [options] { return RunTokenize(*options); };
  });
}
