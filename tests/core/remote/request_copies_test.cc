// How often a long conversation is copied on its way to a service: no more often than it is
// reshaped.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include "core/remote/remote_backend.h"
#include "core/remote/wire/wire_codec.h"

namespace {
constexpr size_t kLong = size_t{4} << 20;
std::atomic<int64_t> long_allocations{0};
}  // namespace

void* operator new(size_t size) {
  if (size >= kLong) long_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace finback {
namespace {

constexpr const char* kAnswer =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"{}\"},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

class RequestCopies : public testing::Test {
 protected:
  RequestCopies() : folder_(testing::TempDir() + "finback_request_copies") {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/response.sse") << kAnswer;
  }

  static Request Long() {
    Request request = ParseChatRequest(R"({"messages": [{"role": "user", "content": "x"}]})");
    request.messages[0].content.assign(kLong, 'a');
    return request;
  }

  // Long allocations from Start() to the end of the answer.
  int64_t Asking(Request request) {
    EngineOptions options;
    options.model = "deepseek:deepseek-v4-pro";
    options.service.replay = folder_;
    const std::shared_ptr<Backend> backend = OpenRemoteBackend(options);
    const int64_t before = long_allocations.load();
    const std::unique_ptr<Stream> stream = backend->Start(std::move(request));
    Event event;
    while (stream->Step(&event)) {
    }
    return long_allocations.load() - before;
  }

  // Those of the body alone.
  static int64_t Encoding(const Request& request) {
    const ProviderTable table = ProviderTable::Load("");
    const Provider& provider = *table.Find("deepseek");
    const WirePlan plan = PlanWire(request, provider, ModelEntry(), "deepseek-v4-pro", {});
    const int64_t before = long_allocations.load();
    CodecOf(provider).encode(request, plan);
    return long_allocations.load() - before;
  }

  const std::string folder_;
};

TEST_F(RequestCopies, AreNoneOfARequestThatGoesAsItIs) {
  const int64_t body = Encoding(Long());
  EXPECT_GT(body, 0);
  EXPECT_EQ(Asking(Long()), body);
}

TEST_F(RequestCopies, AreOneOfARequestThatIsReshaped) {
  Request request = Long();
  request.response_format = ResponseFormat::kJsonObject;  // and no word of JSON in it
  EXPECT_EQ(Asking(std::move(request)), Encoding(Long()) + 1);
}

}  // namespace
}  // namespace finback
