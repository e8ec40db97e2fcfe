// finback complete: continue raw text.
#include "tools/answer.h"
#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/text.h"

namespace {

struct CompleteOptions {
  EngineOptions engine;
  RequestOptions request;
  std::string prompt;
  std::string suffix;
  bool has_prompt = false, json = false, plain = false, no_bos = false;
};

int RunComplete(const CompleteOptions& options) {
  Json request = options.request.SamplingFields();
  if (options.request.logprobs) request["logprobs"] = *options.request.logprobs;
  // Every byte of standard input counts here, the last newline too.
  const bool alone = !options.has_prompt || options.prompt == "-";
  if (!alone) CheckIsText(options.prompt, "the prompt");
  const std::string input = alone ? ReadFile("-") : ReadPiped();
  CheckIsText(input, "standard input");
  CheckIsText(options.suffix, "--suffix");
  request["prompt"] = alone ? input : options.prompt + input;
  if (!options.suffix.empty()) request["suffix"] = options.suffix;
  if (options.plain) request["recognize_special"] = false;
  if (options.no_bos) request["add_bos"] = false;
  if (IsTerminal(stderr)) request["progress"] = true;
  const std::string text = DumpJson(request);

  InstallInterrupts(SecondInterrupt::kEndsProgram);
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const StreamHandle stream(Checked(finback_engine_complete(engine.get(), text.c_str())));
  AnswerStyle style;
  style.content = !options.json;
  const Answer answer = ShowAnswer(stream.get(), style, &progress);
  if (options.engine.verbose()) {
    std::fprintf(stderr, "finback: %s\n", DescribeSpeed(answer).c_str());
  }
  if (answer.cancelled) throw Failure(kExitFailure, "stopped");
  if (options.json) {
    WriteOut(answer.response_text + "\n");
    FlushOut();
  }
  return kExitOk;
}

}  // namespace

void AddCompleteCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<CompleteOptions>();
  CLI::App* command = app->add_subcommand("complete", "Continue a text, without a conversation");
  command->footer(
      "The continuation alone goes to standard output. With PROMPT and piped input, the text is PROMPT\n"
      "and right behind it the input, byte for byte.");
  CLI::Option* prompt = command->add_option(
      "PROMPT", options->prompt, "The text to continue; without it or with -, standard input");
  prompt->type_name("");
  command->add_option("--suffix", options->suffix, "What the text goes on with (at services)")
      ->type_name("TEXT");
  command->add_flag("--json", options->json, "Print the whole response as a JSON object");
  command->add_flag("--plain", options->plain, "Take special tokens in the prompt as plain text");
  command->add_flag("--no-bos", options->no_bos, "Do not put begin-of-sentence first");
  options->engine.AddVerbose(command);
  options->engine.AddModel(command, ModelArgument::kOption);
  options->engine.AddService(command);
  options->request.AddSampling(command);
  options->engine.AddContext(command);
  options->engine.AddComputing(command);
  command->callback([options, prompt, action] {
    options->has_prompt = prompt->count() != 0;
    if (options->request.logprobs && !options->json) {
      throw Failure(kExitUsage, "--logprobs is shown with --json alone");
    }
    *action = [options] { return RunComplete(*options); };
  });
}
