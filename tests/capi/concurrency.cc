// concurrency FOLDER: one engine, many threads. Meant for the thread sanitizer as much
// as for its results.
#include <finback/finback.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string folder;

constexpr const char* kHello = R"({"messages": [{"role": "user", "content": "hi"}]})";

finback_engine* Open(const char* name) {
  finback_options* options = finback_options_new();
  finback_options_set(options, "model", (folder + "/" + name).c_str());
  finback_options_set(options, "threads", "2");
  finback_options_set(options, "context_tokens", "200");
  finback_options_set(options, "chunk_tokens", "16");
  finback_engine* engine = finback_engine_open(options);
  finback_options_free(options);
  return engine;
}

std::string Content(finback_stream* stream) {
  std::string content;
  while (finback_stream_step(stream) == FINBACK_OK) {
    const int32_t kind = finback_stream_kind(stream);
    if (kind == FINBACK_EVENT_CONTENT || kind == FINBACK_EVENT_REASONING) {
      content += finback_stream_text(stream);
    }
  }
  finback_stream_free(stream);
  return content;
}

void InThreads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(Concurrency, StreamsOnSeveralThreadsSayWhatTheySayAlone) {
  finback_engine* engine = Open("random");
  const auto request = [](int i) {
    return R"({"messages": [{"role": "user", "content": ")" + std::to_string(i) +
           R"("}], "temperature": 1, "max_tokens": 6, "seed": )" + std::to_string(i) + "}";
  };
  std::vector<std::string> alone(4), together(4);
  for (int i = 0; i < 4; ++i) {
    alone[static_cast<size_t>(i)] = Content(finback_engine_chat(engine, request(i).c_str()));
  }
  InThreads(4, [&](int i) {
    together[static_cast<size_t>(i)] = Content(finback_engine_chat(engine, request(i).c_str()));
  });
  EXPECT_EQ(alone, together);
  finback_engine_free(engine);
}

std::string Seeded(size_t i) {
  return R"({"messages": [{"role": "user", "content": ")" + std::to_string(i) +
         R"("}], "temperature": 1, "max_tokens": 12, "seed": )" + std::to_string(i) + "}";
}

TEST(Concurrency, ThirtyTwoThreadsMayTakeTurnsAtEightStreams) {
  finback_engine* engine = Open("random");
  struct Turns {
    std::mutex mutex;
    finback_stream* stream = nullptr;
    std::string content;
  };
  std::vector<Turns> all(8);
  std::vector<std::string> alone(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    alone[i] = Content(finback_engine_chat(engine, Seeded(i).c_str()));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].stream = finback_engine_chat(engine, Seeded(i).c_str());
    ASSERT_NE(all[i].stream, nullptr) << finback_last_error();
  }
  InThreads(32, [&](int thread) {
    Turns& turns = all[static_cast<size_t>(thread) % all.size()];
    for (bool more = true; more;) {
      const std::lock_guard<std::mutex> lock(turns.mutex);
      more = finback_stream_step(turns.stream) == FINBACK_OK;
      const int32_t kind = more ? finback_stream_kind(turns.stream) : -1;
      if (kind == FINBACK_EVENT_CONTENT || kind == FINBACK_EVENT_REASONING) {
        turns.content += finback_stream_text(turns.stream);
      }
    }
  });
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].content, alone[i]) << i;
    finback_stream_free(all[i].stream);
  }
  finback_engine_free(engine);
}

TEST(Concurrency, OneStreamThatIsCancelledOrNotSteppedAnyMoreHoldsNobodyUp) {
  finback_engine* engine = Open("random");
  std::vector<std::string> alone(4), together(4);
  for (size_t i = 0; i < alone.size(); ++i) {
    alone[i] = Content(finback_engine_chat(engine, Seeded(i).c_str()));
  }
  finback_stream* left = finback_engine_chat(engine, Seeded(20).c_str());
  ASSERT_NE(left, nullptr) << finback_last_error();
  InThreads(6, [&](int thread) {
    const size_t i = static_cast<size_t>(thread);
    if (i < alone.size()) {
      together[i] = Content(finback_engine_chat(engine, Seeded(i).c_str()));
    } else if (i == 4) {  // a few tokens, and no more
      for (int event = 0; event < 3; ++event) finback_stream_step(left);
    } else {
      finback_stream* stream = finback_engine_chat(engine, Seeded(30).c_str());
      EXPECT_EQ(finback_stream_step(stream), FINBACK_OK) << finback_last_error();
      finback_stream_cancel(stream);
      finback_status status;
      while ((status = finback_stream_step(stream)) == FINBACK_OK) {
      }
      EXPECT_TRUE(status == FINBACK_ERROR_CANCELLED || status == FINBACK_DONE) << status;
      finback_stream_free(stream);
    }
  });
  EXPECT_EQ(alone, together);
  finback_stream_free(left);
  finback_engine_free(engine);
}

TEST(Concurrency, FirstUseOfTextFromManyThreads) {
  finback_engine* engine = Open("scripted");
  InThreads(4, [&](int) {
    finback_tokens* tokens = finback_engine_tokenize(engine, "whale", 5, 0);
    EXPECT_EQ(finback_tokens_count(tokens), 5u);
    finback_tokens_free(tokens);
    EXPECT_NE(std::string(finback_engine_info(engine)).size(), 2u);
    EXPECT_NE(std::string(finback_build_info()).size(), 2u);
  });
  finback_engine_free(engine);
}

TEST(Concurrency, CancelFromAnotherThreadEndsTheStream) {
  finback_engine* engine = Open("scripted");
  finback_tokens* tick = finback_engine_tokenize(engine, "tick", 4, 1);
  const std::string endless =
      R"({"messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "disabled"},
          "logit_bias": {")" +
      std::to_string(finback_tokens_data(tick)[0]) + "\": 20}}";
  finback_tokens_free(tick);
  for (int round = 0; round < 3; ++round) {
    finback_stream* stream = finback_engine_chat(engine, endless.c_str());
    ASSERT_NE(stream, nullptr) << finback_last_error();
    std::atomic<bool> started{false};
    std::thread other([&] {
      while (!started.load()) std::this_thread::yield();
      finback_stream_cancel(stream);
    });
    finback_status status;
    int events = 0;
    while ((status = finback_stream_step(stream)) == FINBACK_OK) {
      if (++events == 2) started.store(true);
    }
    started.store(true);
    other.join();
    EXPECT_TRUE(status == FINBACK_ERROR_CANCELLED || status == FINBACK_DONE) << status;
    EXPECT_EQ(finback_stream_step(stream), status);
    finback_stream_free(stream);
  }
  EXPECT_EQ(Content(finback_engine_chat(engine, kHello)), "Let me think.Hello world!");
  finback_engine_free(engine);
}

TEST(Concurrency, EachThreadHasItsOwnLastError) {
  finback_engine* engine = Open("scripted");
  EXPECT_EQ(finback_engine_chat(engine, "{}"), nullptr);
  std::thread([&] {
    EXPECT_STREQ(finback_last_error(), "");
    EXPECT_EQ(finback_engine_complete(engine, "{}"), nullptr);
    EXPECT_STREQ(finback_last_error(), "prompt: is missing");
  }).join();
  EXPECT_STREQ(finback_last_error(), "messages: is missing");
  finback_engine_free(engine);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  folder = argv[1];
  return RUN_ALL_TESTS();
}
