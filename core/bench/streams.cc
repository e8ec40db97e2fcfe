#include "core/bench/streams.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <exception>
#include <thread>

#include "core/base/random.h"
#include "core/network/sampler.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kPromptTokens = 8;

// One of the streams: its thread's own.
struct Stream {
  Sequence* sequence;
  Sampler sampler;
  std::vector<float> logits;
  int32_t next = 0;
  std::exception_ptr failure = nullptr;

  void Decode(Scheduler* scheduler, int64_t tokens, std::atomic<bool>* cancel, Watch* watch) {
    EvaluateControl control;
    control.cancel = cancel;
    for (int64_t i = 0; i < tokens; ++i) {
      if (watch != nullptr) watch->Poll();
      const int32_t id = next;
      scheduler->Evaluate({sequence, {&id, 1}, LogitRows::kLast, logits.data()}, control);
      next = sampler.Sample(logits);
    }
  }
};

int64_t Context(int64_t tokens) { return kPromptTokens + tokens; }

}  // namespace

StreamsMeter::StreamsMeter(const Model& model, int64_t most, int64_t tokens)
    : model_(model),
      tokens_(tokens),
      scheduler_(model, {.context_tokens = Context(tokens),
                         .chunk_tokens = static_cast<int32_t>(kPromptTokens),
                         .most_together = static_cast<int32_t>(most)}) {
  for (int64_t i = 0; i < most; ++i) {
    sequences_.emplace_back(model, Context(tokens), static_cast<int32_t>(kPromptTokens));
  }
}

double StreamsMeter::Run(int64_t count, Profile* profile, Watch* watch) {
  const int32_t vocab = model_.config().vocab;
  std::vector<Stream> streams;
  for (int64_t i = 0; i < count; ++i) {
    Stream& stream = streams.emplace_back(
        Stream{&sequences_[static_cast<size_t>(i)], {}, std::vector<float>(vocab)});
    SamplerOptions sampling;
    sampling.seed = random_ += kSplitMixStep;
    stream.sampler.Configure(sampling, vocab);
    std::vector<int32_t> prompt(kPromptTokens);
    for (int32_t& id : prompt) {
      random_ += kSplitMixStep;
      id = static_cast<int32_t>(SplitMix(random_) % static_cast<uint64_t>(vocab));
    }
    stream.sequence->Reset();
    scheduler_.Evaluate({stream.sequence, prompt, LogitRows::kLast, stream.logits.data()});
    stream.next = stream.sampler.Sample(stream.logits);
  }
  profile->Clear();
  std::atomic<bool> cancel{false};
  std::barrier start(static_cast<ptrdiff_t>(count));
  const auto decode = [&](size_t i) {
    try {
      start.arrive_and_wait();
      streams[i].Decode(&scheduler_, tokens_, &cancel, i == 0 ? watch : nullptr);
    } catch (...) {
      streams[i].failure = std::current_exception();
      cancel.store(true);
    }
    scheduler_.Leave(*streams[i].sequence);
  };
  std::vector<std::thread> threads;
  try {
    for (size_t i = 1; i < streams.size(); ++i) threads.emplace_back(decode, i);
  } catch (...) {
    cancel.store(true);
    for (size_t missing = threads.size(); missing < streams.size(); ++missing) {
      start.arrive_and_drop();
    }
    for (std::thread& thread : threads) thread.join();
    throw;
  }
  const Clock::time_point begin = Clock::now();
  decode(0);
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const Stream& stream : streams) {  // the first, who alone hears of what ended the others
    if (stream.failure != nullptr) std::rethrow_exception(stream.failure);
  }
  return seconds;
}

}  // namespace finback
