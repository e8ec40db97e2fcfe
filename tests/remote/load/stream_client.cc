// Many streams at once through the C ABI, against stream_server: what came is compared with what
// was sent, and what it cost is printed as one JSON object. README.md has the options.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tools/handles.h"

namespace {

constexpr int kSkipped = 77;  // as CTest is told
// A socket, and libcurl's two pairs for waking up; the engine's and the program's own.
constexpr rlim_t kFilesPerStream = 6, kOtherFiles = 64;

struct Options {
  std::string url, ledger;
  int64_t streams = 500, events = 100, threads = 0, rounds = 1, cancel_every = 0;
};

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "stream_client: %s\n", what.c_str());
  std::exit(1);
}

// What the process has used of processors, in seconds.
double ProcessorSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Bytes of a line of /proc/self/smaps_rollup; 0 where there is none.
int64_t Resident(const char* name) {
  std::ifstream file("/proc/self/smaps_rollup");
  std::string word;
  while (file >> word) {
    int64_t kilobytes = 0;
    if (word == std::string(name) + ":" && file >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

// What stream_server sends, from event `first` to `last`.
std::string Expected(int64_t stream, int64_t first, int64_t last) {
  std::string text;
  for (int64_t i = first; i < last; ++i) {
    text += " s" + std::to_string(stream) + "n" + std::to_string(i);
  }
  return text;
}

// One stream and what it said.
struct Conversation {
  int64_t number = 0;
  StreamHandle stream;
  std::string reasoning, content, problem;
  int64_t texts = 0;
  bool begun = false, cancelled = false, over = false;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        threads_(options.threads > 0 ? std::min(options.threads, options.streams)
                                     : options.streams),
        all_begun_(threads_ + 1),
        measured_(threads_ + 1) {}

  void Run();
  // How many conversations were not what was sent.
  int64_t Judge();
  void Print(int64_t wrong) const;

 private:
  EngineHandle Open() const;
  void Start(Conversation* conversation) const;
  void Step(Conversation* conversation) const;
  void Pull(size_t first);
  std::string ProblemOf(const Conversation& conversation) const;

  const Options options_;
  const int64_t threads_;
  std::barrier<> all_begun_, measured_;
  EngineHandle engine_;
  std::vector<Conversation> conversations_;
  double processor_seconds_ = 0, seconds_ = 0;
  int64_t pss_before_ = 0, rss_before_ = 0, pss_ = 0, rss_ = 0, texts_ = 0;
};

EngineHandle Load::Open() const {
  const OptionsHandle handle(finback_options_new());
  const std::string most = std::to_string(options_.streams);
  const char* kOptions[][2] = {{"model", "deepseek:deepseek-v4-pro"},
                               {"base_url", options_.url.c_str()},
                               {"api_key", "sk-load"},
                               {"max_retries", "0"},
                               {"max_concurrency", most.c_str()},
                               {"environment_proxy", "0"},
                               {"ledger", options_.ledger.c_str()}};
  for (const auto& [name, value] : kOptions) {
    if (finback_options_set(handle.get(), name, value) != FINBACK_OK) Die(finback_last_error());
  }
  EngineHandle engine(finback_engine_open(handle.get()));
  if (!engine) Die(finback_last_error());
  return engine;
}

void Load::Start(Conversation* conversation) const {
  const std::string request = R"({"messages": [{"role": "user", "content": "stream )" +
                              std::to_string(conversation->number) + R"( please"}]})";
  conversation->stream.reset(finback_engine_chat(engine_.get(), request.c_str()));
  if (!conversation->stream) Die(finback_last_error());
}

void Load::Step(Conversation* conversation) const {
  finback_stream* stream = conversation->stream.get();
  const finback_status status = finback_stream_step(stream);
  if (status != FINBACK_OK) {
    conversation->over = true;
    if (status < 0 && !(conversation->cancelled && status == FINBACK_ERROR_CANCELLED)) {
      conversation->problem = finback_last_error();
    }
    return;
  }
  const int32_t kind = finback_stream_kind(stream);
  if (kind != FINBACK_EVENT_REASONING && kind != FINBACK_EVENT_CONTENT) return;
  std::string& text =
      kind == FINBACK_EVENT_REASONING ? conversation->reasoning : conversation->content;
  text.append(finback_stream_text(stream), finback_stream_text_size(stream));
  ++conversation->texts;
  conversation->begun = true;
  const bool cancels = options_.cancel_every > 0 &&
                       conversation->number % options_.cancel_every == options_.cancel_every - 1;
  if (cancels && conversation->texts == options_.events / 2) {
    conversation->cancelled = true;
    finback_stream_cancel(stream);
  }
}

// A thread's share of the streams, in turn.
void Load::Pull(size_t first) {
  std::vector<Conversation*> mine;
  for (size_t i = first; i < conversations_.size(); i += static_cast<size_t>(threads_)) {
    mine.push_back(&conversations_[i]);
    Start(mine.back());
  }
  for (Conversation* conversation : mine) {
    while (!conversation->begun && !conversation->over) Step(conversation);
  }
  all_begun_.arrive_and_wait();
  measured_.arrive_and_wait();
  for (bool more = true; more;) {
    more = false;
    for (Conversation* conversation : mine) {
      if (conversation->over) continue;
      Step(conversation);
      more = true;
    }
  }
}

void Load::Run() {
  const auto begin = std::chrono::steady_clock::now();
  const double processor_begin = ProcessorSeconds();
  pss_before_ = Resident("Pss");
  rss_before_ = Resident("Rss");
  engine_ = Open();
  for (int64_t round = 0; round < options_.rounds; ++round) {
    conversations_ = std::vector<Conversation>(static_cast<size_t>(options_.streams));
    for (size_t i = 0; i < conversations_.size(); ++i) {
      conversations_[i].number = round * options_.streams + static_cast<int64_t>(i);
    }
    std::vector<std::thread> threads;
    for (size_t i = 0; i < static_cast<size_t>(threads_); ++i) {
      threads.emplace_back(&Load::Pull, this, i);
    }
    // Every stream is open and has said something: this is what they take.
    all_begun_.arrive_and_wait();
    pss_ = std::max(pss_, Resident("Pss"));
    rss_ = std::max(rss_, Resident("Rss"));
    measured_.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
    if (round + 1 < options_.rounds && Judge() > 0) break;
  }
  processor_seconds_ = ProcessorSeconds() - processor_begin;
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string Load::ProblemOf(const Conversation& conversation) const {
  if (!conversation.problem.empty()) return conversation.problem;
  const int64_t reasoning = options_.events / 4;
  std::string expected = Expected(conversation.number, 0, reasoning);
  if (conversation.cancelled) {
    expected += Expected(conversation.number, reasoning, options_.events);
    const std::string said = conversation.reasoning + conversation.content;
    return expected.compare(0, said.size(), said) == 0 ? "" : "another's text before the cancel";
  }
  if (conversation.reasoning != expected) return "its reasoning is not what was sent";
  expected = Expected(conversation.number, reasoning, options_.events);
  if (conversation.content != expected) return "its text is not what was sent";
  const std::string reason = finback_stream_finish_reason(conversation.stream.get());
  if (reason != "stop") return "it finished with \"" + reason + "\"";
  finback_usage usage = {};
  usage.struct_size = sizeof usage;
  finback_stream_usage(conversation.stream.get(), &usage);
  if (usage.completion_tokens != options_.events) return "its usage is not what was sent";
  const std::string response = finback_stream_response(conversation.stream.get());
  const std::string id = "\"stream-" + std::to_string(conversation.number) + "\"";
  return response.find(id) == std::string::npos ? "its id is another's" : "";
}

int64_t Load::Judge() {
  int64_t wrong = 0;
  for (const Conversation& conversation : conversations_) {
    texts_ += conversation.texts;
    const std::string problem = ProblemOf(conversation);
    if (problem.empty()) continue;
    if (++wrong <= 5) {
      std::fprintf(stderr, "stream %lld: %s\n", static_cast<long long>(conversation.number),
                   problem.c_str());
    }
  }
  return wrong;
}

void Load::Print(int64_t wrong) const {
  const auto per_stream = [this](int64_t bytes) {
    return static_cast<long long>(bytes / options_.streams);
  };
  std::printf(
      "{\"streams\": %lld, \"threads\": %lld, \"events\": %lld, \"wrong\": %lld, "
      "\"seconds\": %.3f, \"processor_seconds\": %.4f, \"processor_us_per_event\": %.3f, "
      "\"pss_bytes_per_stream\": %lld, \"rss_bytes_per_stream\": %lld}\n",
      static_cast<long long>(options_.streams), static_cast<long long>(threads_),
      static_cast<long long>(texts_), static_cast<long long>(wrong), seconds_, processor_seconds_,
      1e6 * processor_seconds_ / double(std::max<int64_t>(texts_, 1)),
      per_stream(pss_ - pss_before_), per_stream(rss_ - rss_before_));
}

Options Parse(int argc, char** argv) {
  Options options;
  const struct {
    const char* name;
    int64_t* number;
  } kNumbers[] = {{"--streams", &options.streams},
                  {"--events", &options.events},
                  {"--threads", &options.threads},
                  {"--rounds", &options.rounds},
                  {"--cancel-every", &options.cancel_every}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    bool known = name == "--url" || name == "--ledger";
    if (name == "--url") options.url = argv[i + 1];
    if (name == "--ledger") options.ledger = argv[i + 1];
    for (const auto& row : kNumbers) {
      if (name != row.name) continue;
      *row.number = std::strtoll(argv[i + 1], nullptr, 10);
      known = true;
    }
    if (!known) Die("unknown option " + name);
  }
  if (options.url.empty() || options.streams < 1 || options.events < 1 || argc % 2 == 0) {
    Die("usage: --url URL [--streams N] [--events N] [--threads N] [--rounds N] "
        "[--cancel-every N] [--ledger FILE]");
  }
  return options;
}

// Raises the soft limit of this process as far as it needs and may; false: too low.
bool AllowFiles(int64_t streams) {
  const rlim_t needed = static_cast<rlim_t>(streams) * kFilesPerStream + kOtherFiles;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return true;
  if (limit.rlim_max >= needed) {
    limit.rlim_cur = needed;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
  }
  std::fprintf(stderr,
               "stream_client: %lld streams need up to %llu open files, and the hard limit is "
               "%llu: raise it (ulimit -Hn as root, or LimitNOFILE= of the service)\n",
               static_cast<long long>(streams), static_cast<unsigned long long>(needed),
               static_cast<unsigned long long>(limit.rlim_max));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (!AllowFiles(options.streams)) return kSkipped;
  Load load(options);
  load.Run();
  const int64_t wrong = load.Judge();
  load.Print(wrong);
  return wrong == 0 ? 0 : 1;
}
