// How often a long conversation is copied on its way to a service: no more often than it is
// reshaped.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/remote/remote_backend.h"
#include "core/remote/wire/wire_codec.h"
#include "tests/core/base/counting_allocator.h"

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
    request.messages[0].content.assign(kLongAllocation, 'a');
    return request;
  }

  // Long allocations from Start() to the end of the answer.
  int64_t Asking(Request request) {
    EngineOptions options;
    options.model = "deepseek:deepseek-v4-pro";
    options.service.replay = folder_;
    const std::shared_ptr<Backend> backend = OpenRemoteBackend(options);
    const int64_t before = LongAllocationCount();
    const std::unique_ptr<Stream> stream = backend->Start(std::move(request));
    Event event;
    while (stream->Step(&event)) {
    }
    return LongAllocationCount() - before;
  }

  // Those of the body alone.
  static int64_t Encoding(const Request& request) {
    const ProviderTable table = ProviderTable::Load("");
    const Provider& provider = *table.Find("deepseek");
    const WirePlan plan = PlanWire(request, provider, ModelEntry(), "deepseek-v4-pro", {});
    const int64_t before = LongAllocationCount();
    CodecOf(provider).encode(request, plan);
    return LongAllocationCount() - before;
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
