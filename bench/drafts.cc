// What drafts bring: decodes given answers behind given prompts with and without them, in turns.
// The answers are forced: what the model would say does not matter, so that any weights do, random
// ones too, and steps cost what they cost. For bench/drafts.py, and by hand.
//
//   drafts MODEL TOKENIZER_FOLDER ROUNDS THREADS SOURCE,.. NAME PROMPT_FILE ANSWER_FILE [NAME ..]
//
// One line for each text, source of drafts and round: name, source, tokens, seconds, steps, drafts
// proposed, and accepted of them; what steps take, to standard error.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/base/file_map.h"
#include "core/local/drafts/drafter.h"
#include "core/local/sessions/session.h"
#include "core/network/model.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {
namespace {

struct Text {
  std::string name;
  std::vector<int32_t> prompt, answer;
};

struct Outcome {
  double seconds = 0;
  size_t steps = 0, proposed = 0, accepted = 0;
};

constexpr size_t kMostFileBytes = size_t{1} << 24;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<int32_t> Encode(const Tokenizer& tokenizer, const char* path) {
  std::vector<int32_t> ids;
  tokenizer.Encode(ReadFile(path, kMostFileBytes), AddedTokens::kRecognize, &ids);
  return ids;
}

void Prefill(const Text& text, SessionState* session, Drafter* drafter) {
  const std::span<const int32_t> prompt = text.prompt;
  size_t position = static_cast<size_t>(session->Rewind(prompt, {}).tokens);
  const auto evaluate = [&](size_t count, LogitRows rows) {
    Segment segment{nullptr, prompt.subspan(position, count), rows};
    drafter->Watch(position, &segment);
    session->Evaluate(segment);
    drafter->Watched(position, segment);
    position += count;
  };
  if (position + 1 < prompt.size()) evaluate(prompt.size() - 1 - position, LogitRows::kNone);
  session->Keep(SessionState::Stream::kRuns);
  evaluate(1, LogitRows::kLast);
}

// As a stream decodes (core/local/local_stream.cc), with the answer in place of a sampler.
Outcome Decode(const Text& text, SessionState* session, Drafter* drafter) {
  Outcome outcome;
  Sequence& memory = session->sequence();
  const double begin = Seconds();
  const size_t count = text.answer.size();
  for (size_t i = 0; i + 1 < count; ++i) {
    const int32_t id = text.answer[i];
    if (drafter->Follow(id)) {
      ++outcome.accepted;
      continue;
    }
    const size_t position = text.prompt.size() + i;
    memory.RollBack(memory.position() - static_cast<int64_t>(position));
    const double before = Seconds();
    const Segment segment = drafter->Propose(id, position, std::min(count - i - 2, kMostDrafts));
    session->Evaluate(segment);
    drafter->Done((Seconds() - before) * 1e9);
    outcome.proposed += drafter->proposed();
    ++outcome.steps;
  }
  outcome.seconds = Seconds() - begin;
  return outcome;
}

struct Source {
  std::string name;
  DraftSources sources;
  SharedAccount account;
};

// off, lookup, block or auto; with a number behind a colon so many drafts a step, whatever they
// cost. Null where the model has no block.
std::unique_ptr<Source> SourceOf(const std::string& name, bool has_block) {
  auto source = std::make_unique<Source>();
  source->name = name;
  const size_t colon = name.find(':');
  const std::string kind = name.substr(0, colon);
  const bool both = kind == "auto";
  source->sources = {both || kind == "lookup", (both && has_block) || kind == "block"};
  if (kind == "block" && !has_block) return nullptr;
  if (colon != std::string::npos) {
    source->account.Store(Account::Always(static_cast<size_t>(atoi(&name[colon + 1]))));
  }
  return source;
}

// What steps with 1, 2, .. rows take, and a guess of the block, in us, as the account knows it.
void PrintCosts(const Source& source, const Account& account) {
  fprintf(stderr, "%s: us a step", source.name.c_str());
  for (size_t rows = 1; rows <= kMostDrafts + 1; ++rows) {
    fprintf(stderr, " %.0f", account.CostOf(rows) / 1e3);
  }
  fprintf(stderr, "; a guess %.0f\n", account.CostOfGuess() / 1e3);
}

int Run(int argc, char** argv) {
  ModelOptions options;
  options.threads = atoi(argv[4]);
  const auto model = Model::Open(argv[1], options);
  const auto tokenizer = Tokenizer::Load(argv[2]);
  MemoryBudget budget(0);
  for (int at = 6; at + 2 < argc; at += 3) {
    std::vector<std::unique_ptr<Source>> sources;
    const std::string names = std::string(argv[5]) + ",";
    for (size_t begin = 0, end; (end = names.find(',', begin)) != names.npos; begin = end + 1) {
      auto source = SourceOf(names.substr(begin, end - begin), DraftBlock::IsIn(*model));
      if (source != nullptr) sources.push_back(std::move(source));
    }
    const Text text{argv[at], Encode(*tokenizer, argv[at + 1]), Encode(*tokenizer, argv[at + 2])};
    const int64_t tokens = static_cast<int64_t>(text.prompt.size() + text.answer.size());
    Scheduler scheduler(*model, {.context_tokens = tokens, .chunk_tokens = 256});
    Conversations conversations(&budget, {2, 0});
    std::unique_ptr<SessionState> session;
    for (int round = atoi(argv[3]); round > 0; --round) {
      for (const auto& source : sources) {
        if (session == nullptr || source->sources.block) {  // a block is told of whole prompts
          session = std::make_unique<SessionState>(&scheduler, SessionShape{tokens, 256, 1},
                                                   &budget, &conversations);
        }
        Drafter drafter(*model, source->sources, &budget, &source->account);
        drafter.Begin(text.prompt, text.answer.size());
        Prefill(text, session.get(), &drafter);
        const Outcome o = Decode(text, session.get(), &drafter);
        printf("%s,%s,%zu,%.6f,%zu,%zu,%zu\n", text.name.c_str(), source->name.c_str(),
               text.answer.size(), o.seconds, o.steps, o.proposed, o.accepted);
        fflush(stdout);
      }
    }
    for (const auto& source : sources) PrintCosts(*source, source->account.Load());
  }
  return 0;
}

}  // namespace
}  // namespace finback

int main(int argc, char** argv) {
  if (argc < 9) {
    fprintf(stderr,
            "drafts MODEL TOKENIZER_FOLDER ROUNDS THREADS SOURCE,.. NAME PROMPT ANSWER ..\n");
    return 2;
  }
  try {
    return finback::Run(argc, argv);
  } catch (const std::exception& error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
