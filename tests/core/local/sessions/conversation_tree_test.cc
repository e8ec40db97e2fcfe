// Conversations through the backend, as clients have them: what is reused, what comes back as it
// was written, and answers with the bits of an engine that keeps nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/file_map.h"
#include "core/engine/request.h"
#include "core/json/json_writer.h"
#include "core/local/local_backend.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

constexpr uint64_t kSeed = 17;

struct Turn {
  std::string role, text, reasoning;
};
using Conversation = std::vector<Turn>;

struct Answer {
  Turn turn;
  Usage usage;
};

// A random one, with room for long conversations.
std::string MakeModel() {
  const std::string folder = MakeRandomModel(testing::TempDir() + "/finback_tree_model", kSeed);
  const std::string path = folder + "/config.json";
  std::string config = ReadFile(path, 1u << 20);
  const std::string limit = "\"max_position_embeddings\": 4096";
  const size_t at = config.find(limit);
  if (at == std::string::npos) throw std::logic_error("the limit is spelled in another way");
  config.replace(at, limit.size(), "\"max_position_embeddings\": 65536");
  std::ofstream(path) << config;
  return folder;
}

const std::string& ModelFolder() {
  static const std::string folder = MakeModel();
  return folder;
}

std::shared_ptr<Backend> Open(int32_t kept = 16, std::vector<std::string>* log = nullptr,
                              const std::string& cache_folder = "") {
  EngineOptions options;
  options.model = ModelFolder();
  options.threads = 1;
  options.context_tokens = 32768;
  options.kept_conversations = kept;
  options.cache_folder = cache_folder;
  if (log != nullptr) {
    options.log = [log](LogLevel, const char* message) { log->push_back(message); };
  }
  return OpenLocalBackend(options);
}

std::string Quoted(std::string_view text) {
  std::string json;
  JsonWriter(&json).String(text);
  return json;
}

std::string RequestJson(const Conversation& turns, int max_tokens) {
  std::string json = "{\"messages\": [";
  for (const Turn& turn : turns) {
    if (&turn != &turns.front()) json += ", ";
    json += "{\"role\": \"" + turn.role + "\", \"content\": " + Quoted(turn.text);
    if (!turn.reasoning.empty()) json += ", \"reasoning_content\": " + Quoted(turn.reasoning);
    json += "}";
  }
  return json + "], \"max_tokens\": " + std::to_string(max_tokens) +
         ", \"drop_thinking\": false, \"temperature\": 1, \"seed\": 5}";
}

Answer Ask(Backend* backend, const Conversation& turns, int max_tokens = 12) {
  const auto stream = backend->Start(ParseChatRequest(RequestJson(turns, max_tokens)));
  Answer answer;
  answer.turn.role = "assistant";
  Event event;
  while (stream->Step(&event)) {
    if (event.kind == EventKind::kReasoning) answer.turn.reasoning += event.text;
    if (event.kind == EventKind::kContent) answer.turn.text += event.text;
  }
  answer.usage = stream->usage();
  return answer;
}

std::string Words(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < bytes) text += static_cast<char>('a' + random() % 26);
  return text;
}

int64_t Computed(const Answer& answer) {
  return answer.usage.prompt_tokens - answer.usage.cached_tokens;
}

TEST(ConversationTree, ALongPromptComputesWhatIsNewAndABlockAtMost) {
  const auto backend = Open();
  Conversation turns = {{"system", Words(6000, 1), ""}, {"user", Words(13800, 2), ""}};
  const Answer first = Ask(backend.get(), turns);
  ASSERT_GT(first.usage.prompt_tokens, 15000);
  EXPECT_EQ(first.usage.cached_tokens, 0);
  const Conversation asked = turns;

  turns.push_back(first.turn);
  turns.push_back({"user", Words(80, 3), ""});
  const Answer second = Ask(backend.get(), turns);
  EXPECT_LE(Computed(second), 100 + 40) << "words of this model come back as bytes";

  Conversation dropped = turns;
  dropped[2].reasoning.clear();
  EXPECT_LE(Computed(Ask(backend.get(), dropped)), 100 + 20 + 512) << "without the reasoning";

  Conversation changed = turns;
  changed[3].text = Words(90, 4);
  EXPECT_LE(Computed(Ask(backend.get(), changed)), 110 + 20) << "another last message";

  Conversation other = asked;
  other[1].text = Words(500, 5);
  EXPECT_LE(Computed(Ask(backend.get(), other)), 520) << "the system text is known, to the token";
  EXPECT_LE(Computed(Ask(backend.get(), turns)), 100 + 20) << "nobody has driven out the first";
}

TEST(ConversationTree, AnAnswerThatComesBackIsWhatWasSampled) {
  EngineOptions options;
  options.model = MakeScriptedModel(testing::TempDir() + "/finback_written_back_model",
                                    Chain({"<think>", "h", "</think>", "\n", "o", "k", kEosText}));
  options.threads = 1;
  const auto backend = OpenLocalBackend(options);
  Conversation turns = {{"user", "ok?", ""}};
  const Answer first = Ask(backend.get(), turns);
  EXPECT_EQ(first.turn.reasoning, "h");
  EXPECT_EQ(first.turn.text, "ok") << "the newline is markup";
  EXPECT_EQ(first.usage.completion_tokens, 6);
  turns.push_back(first.turn);
  turns.push_back({"user", "\nok", ""});
  const Answer second = Ask(backend.get(), turns);
  EXPECT_EQ(second.usage.cached_tokens, first.usage.prompt_tokens + 5) << "with its newline";
  turns[1].text = "oK";
  EXPECT_LE(Ask(backend.get(), turns).usage.cached_tokens, first.usage.prompt_tokens + 2);
}

TEST(ConversationTree, TheLogSaysWherePromptsPartAndNothingOfThem) {
  std::vector<std::string> log;
  const auto backend = Open(16, &log);
  Conversation turns = {{"system", Words(700, 1), ""}, {"user", "secret one", ""}};
  Ask(backend.get(), turns);
  turns[1].text = "secret two";
  log.clear();
  Ask(backend.get(), turns);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("from a kept conversation"), std::string::npos) << log[0];
  EXPECT_NE(log[0].find("in messages[1] (user)"), std::string::npos) << log[0];
  EXPECT_EQ(log[0].find("secret"), std::string::npos);
}

// Random turns of random conversations that have gone on, by edits and with reasoning dropped: each
// answer of `ask` is that of an engine that computes all of it anew. Returns the cached tokens.
int64_t GrowTree(uint64_t seed, int rounds, const std::function<Answer(const Conversation&)>& ask) {
  std::mt19937_64 random(seed);
  const auto plain = Open(0);  // knows what it has sampled, too
  std::vector<Conversation> tree = {{{"system", Words(300, seed), ""}, {"user", "Go on.", ""}}};
  int64_t cached = 0;
  for (int round = 0; round < rounds; ++round) {
    Conversation turns = tree[random() % tree.size()];
    switch (random() % 4) {
      case 0:  // an edit of any message, and what followed is gone
        turns.resize(1 + random() % turns.size());
        turns.back().text = Words(1 + random() % 200, random());
        break;
      case 1:
        for (Turn& turn : turns) turn.reasoning.clear();
        break;
      default:
        break;
    }
    if (turns.back().role != "user") turns.push_back({"user", Words(random() % 300, random()), ""});
    const Answer answer = ask(turns);
    const Answer fresh = Ask(plain.get(), turns);
    EXPECT_EQ(fresh.usage.cached_tokens, 0);
    cached += answer.usage.cached_tokens;
    EXPECT_EQ(answer.usage.prompt_tokens, fresh.usage.prompt_tokens) << "seed " << seed;
    EXPECT_EQ(answer.turn.text, fresh.turn.text) << "seed " << seed << " round " << round;
    EXPECT_EQ(answer.turn.reasoning, fresh.turn.reasoning) << "seed " << seed;
    if (testing::Test::HasFailure()) break;
    turns.push_back(answer.turn);
    tree.push_back(turns);
  }
  return cached;
}

TEST(ConversationTree, RandomTreesHaveTheBitsOfAFreshEngine) {
  // As few as make kept ones give way to others.
  const auto backend = Open(4);
  const auto ask = [&](const Conversation& turns) { return Ask(backend.get(), turns); };
  EXPECT_GT(GrowTree(std::random_device{}(), 25, ask), 0);
}

TEST(ConversationTree, RandomTreesGoOnInOtherProcessesAndAfterRestarts) {
  const std::string folder = testing::TempDir() + "finback_tree_cache";
  std::filesystem::remove_all(folder);
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  std::shared_ptr<Backend> backends[2];
  int64_t from_disk = 0;
  const auto ask = [&](const Conversation& turns) {
    std::shared_ptr<Backend>& backend = backends[random() % 2];
    if (backend == nullptr || random() % 4 == 0) backend = Open(4, nullptr, folder);
    const Answer answer = Ask(backend.get(), turns);
    from_disk += answer.usage.disk_tokens;
    return answer;
  };
  GrowTree(seed, 25, ask);
  EXPECT_GT(from_disk, 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace finback
