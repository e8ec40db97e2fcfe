// allocation_failures FOLDER: for every entry point, fails its first, second, third ... allocation
// until it gets through. The process must survive, a failed call must say OUT_OF_MEMORY, and in the
// end as many blocks must be alive as before. malloc is this program's own, so that allocations of
// the libraries underneath are among them.
#include <finback/finback.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);
}

namespace {

std::atomic<int64_t> live{0};
std::atomic<int64_t> countdown{-1};  // allocations until the failing one; negative: none fails
std::atomic<bool> fired{false};

bool Refuse() {
  if (countdown.load(std::memory_order_relaxed) < 0) return false;
  if (countdown.fetch_sub(1) != 0) return false;
  fired.store(true);
  errno = ENOMEM;
  return true;
}

void* Counted(void* memory) {
  if (memory != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

}  // namespace

extern "C" {
void* malloc(size_t size) { return Refuse() ? nullptr : Counted(__libc_malloc(size)); }
void* calloc(size_t count, size_t size) {
  return Refuse() ? nullptr : Counted(__libc_calloc(count, size));
}
void* realloc(void* memory, size_t size) {
  if (Refuse()) return nullptr;
  void* moved = __libc_realloc(memory, size);
  if (memory == nullptr) Counted(moved);
  return moved;
}
void* memalign(size_t alignment, size_t size) {
  return Refuse() ? nullptr : Counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  void* memory = memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
void free(void* memory) {
  if (memory != nullptr) live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(memory);
}
}

namespace {

int failures = 0;

void Fail(const char* entry, int64_t n, const char* what) {
  ++failures;
  fprintf(stderr, "%s, allocation %lld: %s (last error: %s)\n", entry, static_cast<long long>(n),
          what, finback_last_error());
}

// What an entry returned: failed or not. The entry frees what it got.
using Entry = std::function<bool()>;

// Whether failing the same allocation over and over leaves a block behind every time. A few times
// are no leak: OpenSSL keeps the memory of the errors in a thread's queue, which has 16 places.
bool Loses(const Entry& entry, int64_t n) {
  for (int i = 0; i < 40; ++i) {
    const int64_t before = live.load();
    countdown.store(n);
    entry();
    countdown.store(-1);
    if (live.load() == before) return false;
  }
  return true;
}

// `step`: only each so many, of entries that take long.
void Try(const char* name, const Entry& entry, int64_t step = 1) {
  if (!entry()) Fail(name, -1, "fails without a reason");  // and fills what is made only once
  int64_t n = 0;
  for (;; n += step) {
    const int64_t before = live.load();
    fired.store(false);
    countdown.store(n);
    const bool good = entry();
    countdown.store(-1);
    const finback_status code = finback_last_error_code();
    if (!good && fired.load() && code != FINBACK_ERROR_OUT_OF_MEMORY) {
      Fail(name, n, "another code than OUT_OF_MEMORY");
    }
    if (!good && !fired.load()) Fail(name, n, "fails without a reason");
    if (live.load() != before && (!fired.load() || Loses(entry, n)))
      Fail(name, n, "a block was lost");
    if (failures > 10) return;
    if (!fired.load()) break;
  }
  printf("%-24s %lld allocations\n", name, static_cast<long long>(n));
}

std::string folder, cache_folder;

finback_engine* Open(const char* cache = "") {
  finback_options* options = finback_options_new();
  if (options == nullptr) return nullptr;
  const char* values[][2] = {{"model", folder.c_str()},
                             {"cache_folder", cache},
                             {"threads", "1"},
                             {"context_tokens", "64"},
                             {"chunk_tokens", "16"}};
  bool good = true;
  for (const auto& value : values) {
    good = good && finback_options_set(options, value[0], value[1]) == FINBACK_OK;
  }
  finback_engine* engine = good ? finback_engine_open(options) : nullptr;
  finback_options_free(options);
  return engine;
}

constexpr const char* kHello =
    R"({"messages": [{"role": "user", "content": "a longer text, that no small string holds"}],
        "logprobs": true, "top_logprobs": 2, "stop": ["never"], "progress": true,
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
        "tool_choice": "none"})";

constexpr const char* kPrompt =
    R"({"prompt": "a text to go on from, longer than any small string", "max_tokens": 4,
        "logprobs": 1, "stop": ["never", "nor this"]})";

// Until the end; false if a step or an accessor failed.
bool Drain(finback_stream* stream) {
  if (stream == nullptr) return false;
  finback_status status;
  bool good = true;
  while (good && (status = finback_stream_step(stream)) == FINBACK_OK) {
    finback_stream_logprobs(stream);
    good = finback_last_error_code() == FINBACK_OK;
    if (good) finback_stream_chunk(stream);
    good = finback_last_error_code() == FINBACK_OK;
  }
  good = good && status == FINBACK_DONE;
  if (good) {
    finback_stream_response(stream);
    good = finback_last_error_code() == FINBACK_OK;
  }
  finback_stream_free(stream);
  return good;
}

bool Chat(finback_engine* engine) {
  finback_session* session = finback_session_new(engine);
  if (session == nullptr) return false;
  const bool good = Drain(finback_session_chat(session, kHello));
  finback_session_free(session);
  return good;
}

bool Sequences(finback_engine* engine) {
  finback_sequence* sequence = finback_sequence_new(engine);
  if (sequence == nullptr) return false;
  static const int32_t ids[] = {1, 2, 3};
  static float logits[4096];
  bool good = finback_sequence_evaluate(sequence, ids, 3, logits, 1) == FINBACK_OK;
  finback_bytes* bytes = good ? finback_sequence_snapshot(sequence) : nullptr;
  good = bytes != nullptr;
  finback_sequence* fork = good ? finback_sequence_fork(sequence) : nullptr;
  good = fork != nullptr && finback_sequence_roll_back(fork, 1) == FINBACK_OK &&
         finback_sequence_restore(fork, finback_bytes_data(bytes), finback_bytes_size(bytes)) ==
             FINBACK_OK;
  finback_sequence_free(fork);
  finback_bytes_free(bytes);
  finback_sequence_free(sequence);
  return good;
}

template <typename T>
bool Freed(T* handle, void (*release)(T*)) {
  release(handle);
  return handle != nullptr;
}

bool Cache(const char* query) {
  finback_options* options = finback_options_new();
  const bool good =
      options != nullptr &&
      finback_options_set(options, "cache_folder", cache_folder.c_str()) == FINBACK_OK &&
      Freed(finback_cache(options, query), finback_text_free);
  finback_options_free(options);
  return good;
}

bool Benchmark(const char* model, const char* settings) {
  finback_options* options = finback_options_new();
  if (options == nullptr) return false;
  bool good = true;
  for (const auto& [name, value] :
       {std::pair("model", model), std::pair("threads", "1"),
        std::pair("memory_budget_bytes", "1100000000")}) {  // small roofs are soon measured
    good = good && finback_options_set(options, name, value) == FINBACK_OK;
  }
  good = good && Freed(finback_benchmark(options, settings), finback_text_free);
  finback_options_free(options);
  return good;
}

// Entries that fill something in the engine on first use: an engine of their own each time.
Entry WithFreshEngine(const std::function<bool(finback_engine*)>& use, const char* cache = "") {
  return [use, cache] {
    // Opening has a test of its own: nothing fails until the engine is there.
    const int64_t armed = countdown.exchange(-1);
    finback_engine* engine = Open(cache);
    countdown.store(armed);
    const bool good = engine != nullptr && use(engine);
    const int64_t left = countdown.exchange(-1);
    finback_engine_free(engine);
    countdown.store(left);
    return good;
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = std::string(argv[1]) + "/scripted";
  cache_folder = std::string(argv[1]) + "/allocation_failures_cache";
  setvbuf(stdout, nullptr, _IOLBF, 1 << 12);
  printf("every allocation fails once\n");
  Try("options_new", [] { return Freed(finback_options_new(), finback_options_free); });
  Try("build_info", [] { return finback_build_info()[1] != '}'; });
  Try("encode_messages", [] {
    return Freed(
        finback_encode_messages(
            R"({"messages": [{"role": "user", "content": "a text of some length here"}]})"),
        finback_text_free);
  });
  Try("json_string", [] {
    const char* text = "a text of some length, with \"quotes\" and\nlines";
    return Freed(finback_json_string(text, strlen(text)), finback_text_free);
  });
  Try("parse_completion", [] {
    const char* text = "reasoning of some length</think>and an answer that is not short either";
    return Freed(finback_parse_completion(text, strlen(text), 1, 0), finback_text_free);
  });
  Try(
      "benchmark", [] { return Benchmark(folder.c_str(), "{\"measure\": false}"); }, 11);
  Try(
      "benchmark, measured",
      [] {
        return Benchmark("", R"({"shape": "tiny", "kinds": [4], "experts": 4, "depths": [0],
                                 "together": [], "prefill": [], "tokens": 1, "repeats": 1})");
      },
      97);
  Try("engine_open", [] { return Freed(Open(), finback_engine_free); });
  Try("tokenize", WithFreshEngine([](finback_engine* engine) {
        return Freed(finback_engine_tokenize(engine, "a whale<think>", 14, 1), finback_tokens_free);
      }));
  finback_engine* engine = Open();
  if (engine == nullptr || !Chat(engine)) {
    fprintf(stderr, "cannot begin: %s\n", finback_last_error());
    return 1;
  }
  Try("engine_chat", WithFreshEngine([](finback_engine* fresh) {
        // The tokenizer has had its turn.
        const int64_t armed = countdown.exchange(-1);
        const bool ready = Freed(finback_engine_tokenize(fresh, "a", 1, 0), finback_tokens_free);
        countdown.store(armed);
        return ready && Drain(finback_engine_chat(fresh, kHello));
      }));
  Try("engine_complete", WithFreshEngine([](finback_engine* fresh) {
        return Drain(finback_engine_complete(fresh, kPrompt));
      }));
  // An engine that has nothing restores and keeps; without memory for that it answers all the same.
  Cache(R"({"clear": true})");
  const auto complete = [](finback_engine* fresh) {
    return Drain(finback_engine_complete(fresh, kPrompt));
  };
  Try("engine_open, cache", [] { return Freed(Open(cache_folder.c_str()), finback_engine_free); });
  Try("engine_complete, cache", WithFreshEngine(complete, cache_folder.c_str()));
  Try("cache", [] { return Cache(R"({"verify": true})"); });
  Try("session_chat", [&] { return Chat(engine); });
  Try("sequences", [&] { return Sequences(engine); });
  Try("encode", [&] { return Freed(finback_engine_encode(engine, kHello), finback_text_free); });
  Try("encode_tokens",
      [&] { return Freed(finback_engine_encode_tokens(engine, kHello), finback_tokens_free); });
  Try("detokenize", [&] {
    const int32_t ids[] = {'a', 'b', 'c'};
    return Freed(finback_engine_detokenize(engine, ids, 3), finback_text_free);
  });
  Try("engine_info",
      WithFreshEngine([](finback_engine* fresh) { return finback_engine_info(fresh)[1] != '}'; }));
  Try("engine_verify", [&] { return finback_engine_verify(engine, nullptr) == FINBACK_OK; });
  // A list that does not match: hashing, comparing and the message are gone through all the same.
  const std::string list = std::string(64, '0') + "  model.safetensors\n";
  Try("engine_verify, list", [&] {
    const finback_status status = finback_engine_verify(engine, list.c_str());
    return status == FINBACK_ERROR_CHECKPOINT && strstr(finback_last_error(), "SHA-256") != nullptr;
  });
  finback_engine_free(engine);
  return failures > 0;
}
