// From bytes to events: the parser of server-sent events alone, and with the decoder of Chat
// Completions behind it, over answers like those of services, in pieces as sockets give them. Rates
// are per second of this thread's processor time.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/transport/sse.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

constexpr size_t kStreamBytes = 8u << 20;

// Chunks of one token each, in DeepSeek's words.
std::string Stream(std::string_view line_end) {
  static constexpr std::string_view kWords[] = {" the", " whale", ", a", " of", " krill", "\\n"};
  std::string stream;
  for (size_t i = 0; stream.size() < kStreamBytes; ++i) {
    stream.append(
        "data: "
        "{\"id\":\"8b6f4f0e-2c1d-4b55-9a34-7d3f0f1f9a11\",\"object\":\"chat.completion.chunk\","
        "\"created\":1795219201,\"model\":\"deepseek-v4-pro\",\"system_fingerprint\":\"fp_"
        "8802369e\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
    stream.append(kWords[i % std::size(kWords)]);
    stream.append(
        "\",\"reasoning_content\":null},\"logprobs\":null,\"finish_reason\":null}],"
        "\"usage\":null}");
    stream.append(line_end).append(line_end);
  }
  return stream;
}

std::string_view LineEnd(int64_t kind) { return kind == 0 ? "\n" : kind == 1 ? "\r\n" : "\r"; }

// Argument 0: bytes of a piece. Argument 1: LF, CRLF or CR.
void Parse(benchmark::State& state) {
  const std::string stream = Stream(LineEnd(state.range(1)));
  const size_t piece = static_cast<size_t>(state.range(0));
  int64_t events = 0;
  for (auto _ : state) {
    SseParser parser;
    std::string_view event, data;
    for (size_t i = 0; i < stream.size(); i += piece) {
      parser.Push(std::string_view(stream).substr(i, piece));
      while (parser.Next(&event, &data)) {
        benchmark::DoNotOptimize(data.data());
        ++events;
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stream.size()));
  state.SetItemsProcessed(events);
}
BENCHMARK(Parse)->ArgNames({"piece", "end"})->ArgsProduct({{300, 1400, 16384}, {0, 1, 2}});

// The same with a decoder: events for a program.
void Decode(benchmark::State& state) {
  const std::string stream = Stream("\n");
  const size_t piece = static_cast<size_t>(state.range(0));
  const ProviderTable providers = ProviderTable::Load("");
  const Provider& provider = *providers.Find(state.range(1) == 0 ? "deepseek" : "vllm");
  const Request request =
      ParseChatRequest(R"({"messages": [{"role": "user", "content": "Tell me of whales."}]})");
  const WirePlan plan = PlanWire(request, provider, providers.Model(provider, "deepseek-v4-pro"),
                                 "deepseek-v4-pro", WirePolicy());
  int64_t events = 0;
  for (auto _ : state) {
    SseParser parser;
    const auto decoder = CodecOf(provider).decoder(request, plan);
    std::vector<Event> out;
    std::string_view event, data;
    for (size_t i = 0; i < stream.size(); i += piece) {
      parser.Push(std::string_view(stream).substr(i, piece));
      while (parser.Next(&event, &data)) decoder->Push(event, data, &out);
      events += static_cast<int64_t>(out.size());
      out.clear();
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stream.size()));
  state.SetItemsProcessed(events);
}
BENCHMARK(Decode)->ArgNames({"piece", "rescue"})->ArgsProduct({{1400, 16384}, {0, 1}});

}  // namespace
}  // namespace finback

BENCHMARK_MAIN();
