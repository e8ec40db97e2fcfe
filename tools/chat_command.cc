// finback chat: a conversation on the terminal, or one answer.
#include "tools/answer.h"
#include "tools/cache_folder.h"
#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/terminal_chat.h"
#include "tools/text.h"

namespace {

struct ChatOptions {
  EngineOptions engine;
  RequestOptions request;
  std::string prompt, request_file;
  bool has_prompt = false, json = false, show_reasoning = false, no_cache = false;
};

Json UserMessage(const std::string& text) { return {{"role", "user"}, {"content", text}}; }

// The question: the argument, an empty line and what standard input holds, or one of the two.
std::string Question(const ChatOptions& options) {
  const bool alone = !options.has_prompt || options.prompt == "-";
  if (!alone) CheckIsText(options.prompt, "the question");
  std::string input = alone ? ReadFile("-") : ReadPiped();
  CheckIsText(input, "standard input");
  // Text typed or piped: the newline that ends it is not part of the question.
  while (!input.empty() && (input.back() == '\n' || input.back() == '\r')) input.pop_back();
  std::string question = alone ? "" : options.prompt;
  if (!IsBlank(input)) question += (IsBlank(question) ? "" : "\n\n") + input;
  if (IsBlank(question)) {
    throw Failure(kExitUsage,
                  alone ? "no prompt: standard input is empty" : "no prompt: the question is empty",
                  "give one as an argument, pipe one in, or start on a terminal to chat");
  }
  return question;
}

std::string OneRequest(const ChatOptions& options) {
  if (!options.request_file.empty()) {
    std::string request = ReadFile(options.request_file);
    CheckIsText(request, options.request_file == "-" ? "standard input" : options.request_file);
    return request;
  }
  Json request = options.request.ChatFields();
  Json messages = Json::array();
  if (!options.request.system.empty()) {
    CheckIsText(options.request.system, "--system");
    messages.push_back({{"role", "system"}, {"content", options.request.system}});
  }
  messages.push_back(UserMessage(Question(options)));
  request["messages"] = messages;
  if (IsTerminal(stderr)) request["progress"] = true;
  return DumpJson(request);
}

int AnswerOnce(const ChatOptions& options) {
  const std::string request = OneRequest(options);
  InstallInterrupts(SecondInterrupt::kEndsProgram);
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const StreamHandle stream(Checked(finback_engine_chat(engine.get(), request.c_str())));
  AnswerStyle style;
  style.content = !options.json;
  style.tool_calls = true;
  if (options.show_reasoning || (IsTerminal(stderr) && !options.json)) style.reasoning = stderr;
  if (options.json) style.tool_calls = false;
  const Answer answer = ShowAnswer(stream.get(), style, &progress);
  if (options.engine.verbose()) {
    std::fprintf(stderr, "finback: %s\n", DescribeSpeed(answer).c_str());
  }
  if (answer.cancelled) throw Failure(kExitFailure, "stopped");
  if (options.json) {
    WriteOut(answer.response_text + "\n");
    FlushOut();
  } else if (answer.finish_reason == "length") {
    std::fputs("finback: the answer was cut: --max-tokens or --context is reached\n", stderr);
  }
  return kExitOk;
}

// The file is answered as it is: what would change the request belongs into it.
void RefuseRequestOptions(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string& group = option->get_group();
    const bool shapes =
        group == kSamplingGroup || group == kConversationGroup || option->check_lname("nothink");
    if (option->count() == 0 || !shapes) continue;
    throw Failure(
        kExitUsage,
        option->get_name() + " has no effect with --request, which answers the file as it is",
        "write the field into the file, or leave the option out");
  }
}

int RunChat(ChatOptions options) {
  const bool interactive = !options.has_prompt && !options.json && options.request_file.empty() &&
                           IsTerminal(stdin) && IsTerminal(stdout);
  if (!interactive) return AnswerOnce(options);
  InstallInterrupts(SecondInterrupt::kStopsAgain);
  if (!options.no_cache) options.engine.SetDefault("cache_folder", DefaultCacheFolder());
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  return TerminalChat(engine.get(), options.request, options.engine.verbose(), &progress)
      .Run(options.engine.DescribeBudget());
}

}  // namespace

void AddChatCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app->add_subcommand("chat", "Chat on the terminal, or answer one prompt");
  command->footer(
      "Without PROMPT: a conversation if this is a terminal (/help lists its commands), else the\n"
      "prompt is read from standard input. With both, the question is PROMPT, an empty line and the\n"
      "input: git diff | finback chat \"Explain this\". In a script that has other uses for its\n"
      "standard input, say </dev/null. The answer goes to standard output; the reasoning is\n"
      "shown dim on a terminal only. Without --model: FINBACK_MODEL, else the installed krill.");
  CLI::Option* prompt = command->add_option("PROMPT", options->prompt,
                                            "The question, in quotes; - reads standard input");
  prompt->type_name("");
  command->add_flag("--json", options->json, "Print the whole response as a JSON object");
  command->add_flag("--show-reasoning", options->show_reasoning,
                    "Write the reasoning to standard error, terminal or not");
  command
      ->add_option("--request", options->request_file,
                   "Answer the Chat Completions request in this JSON file, as it is")
      ->type_name("FILE")
      ->excludes(prompt);
  command->add_flag("--no-cache", options->no_cache,
                    "Do not keep what a terminal's conversation has computed (finback cache)");
  options->engine.AddVerbose(command);
  options->engine.AddModel(command, ModelArgument::kOption);
  options->request.AddChat(command);
  options->request.AddSampling(command);
  options->engine.AddService(command);
  options->engine.AddContext(command);
  options->engine.AddComputing(command);
  command->callback([options, command, prompt, action] {
    options->has_prompt = prompt->count() != 0;
    if (!options->request_file.empty()) RefuseRequestOptions(*command);
    if (options->request.logprobs && !options->json) {
      throw Failure(kExitUsage, "--logprobs is shown with --json alone");
    }
    *action = [options] { return RunChat(*options); };
  });
}
