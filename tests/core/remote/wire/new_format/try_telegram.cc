// Whether a provider's row may ask for the made-up format, and what it then sends and hears. Says
// on stderr what is not as it should be.
#include <cstdio>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {
namespace {

int failures = 0;

void Expect(const std::string& found, const std::string& wanted) {
  if (found == wanted) return;
  ++failures;
  fprintf(stderr, "expected %s, found %s\n", wanted.c_str(), found.c_str());
}

std::string Refusal(const Request& request, const Provider& provider) {
  try {
    PlanWire(request, provider, ModelEntry(), "m", {});
    return "taken";
  } catch (const Error& error) {
    return error.what();
  }
}

void Try() {
  const ProviderTable table = ProviderTable::Load(
      R"({"providers": [{"name": "made-up", "wire_format": "telegram", "base_url": "http://a.b"}]})");
  const Provider& provider = *table.Find("made-up");
  const WireCodec& codec = CodecOf(provider);
  Expect(codec.name, "telegram");
  const Request request =
      ParseChatRequest(R"({"messages": [{"role": "user", "content": "krill?"}], "stop": ["."]})");
  const WirePlan plan = PlanWire(request, provider, ModelEntry(), "m", {});
  Expect(codec.encode(request, plan).body, R"({"to": "m", "say": "krill?", "stop": "."})");

  const std::unique_ptr<WireDecoder> decoder = codec.decoder(request, plan);
  std::vector<Event> events;
  decoder->Push("", "plenty", &events);
  decoder->Push("stop", "", &events);
  decoder->End(&events);
  std::string heard;
  for (const Event& event : events) {
    heard += event.kind == EventKind::kFinish ? "|end" : event.text;
  }
  Expect(heard, "plenty|end");

  // What the format has no words for is refused by name.
  Expect(Refusal(ParseChatRequest(R"({"messages": [{"role": "user", "content": "x"}],
                                      "response_format": {"type": "json_object"}})"),
                 provider),
         "response_format.type: \"json_object\" is not supported by m at made-up");
}

}  // namespace
}  // namespace finback

int main() {
  finback::Try();
  return finback::failures == 0 ? 0 : 1;
}
