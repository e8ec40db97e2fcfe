// Wire formats: Request -> a service's JSON, a service's JSON -> Events. One codec per format; what
// differs between services that share one is a field of Provider.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/options.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/transport/failure.h"

namespace finback {

// A request as it leaves: effort resolved, names checked, limits applied. Made by PlanWire, which
// is the only place that judges a Request against a Provider.
struct WirePlan {
  const Provider* provider = nullptr;
  ModelEntry model_entry;
  std::string model;
  bool stream = true;
  bool thinking = true;
  Effort effort = Effort::kHigh;  // never kDefault; meaningless without thinking
  int64_t max_tokens = 0;         // always sent
  bool replay_reasoning = true;   // earlier turns go with their reasoning
  bool offer_tools = true;        // there are tools, and they may be called
  bool beta = false;              // prefix, FIM, strict tools: at beta_url
  ResponseFormat response_format = ResponseFormat::kText;  // as the service is asked for it
  std::string user;                                        // for provider->user_field; "": not sent
  std::vector<std::pair<std::string, Json>> fields;        // of the request, forwarded as they came
  std::vector<std::string> notices;  // texts of kNotice events: what was changed or left out
};

enum class ThinkingFields : uint8_t { kSent, kLeftOut };

// What the plan needs from the engine's options, and from what a service said before.
struct WirePolicy {
  bool force_tool_disables_thinking = true;  // else a forced tool against thinking is refused
  ReplayReasoning replay = ReplayReasoning::kAuto;
  bool stream = true;
  ThinkingFields thinking_fields = ThinkingFields::kSent;  // left out where they are refused
};

// Throws Error(kInvalidRequest) naming the path of what this service cannot do.
// `provider` outlives the plan.
WirePlan PlanWire(const Request& request, const Provider& provider, const ModelEntry& entry,
                  std::string_view model, const WirePolicy& policy);

// The text of a kNotice event.
std::string NoticeText(std::string_view code, std::string_view message);

struct WireCall {
  std::string path;  // after the base URL: "/chat/completions"
  std::string body;  // JSON; the same request always gives the same bytes
};

// What a response says of itself.
struct WireResponse {
  std::string id, model, fingerprint, finish_reason;  // finish_reason as the service spells it
  bool has_usage = false;
  Usage usage;
  bool finished = false;  // a finish reason was seen
  bool closed = false;    // the format's own end ([DONE], message_stop, response.completed)
  // The reasoning in the service's own form, a JSON list for Message.reasoning_details of the next
  // request; "": it has none. Complete once the response is finished.
  std::string reasoning_details;
};

// One answer, streamed or whole, in any chunking. Throws Error with a Failure's details on error
// objects and on what is not the format. Keeps nothing of the Request, but the plan's provider.
class WireDecoder {
 public:
  virtual ~WireDecoder() = default;
  // One server-sent event.
  virtual void Push(std::string_view event, std::string_view data, std::vector<Event>* out) = 0;
  // A whole JSON body.
  virtual void Whole(std::string_view body, std::vector<Event>* out) = 0;
  // The body ended: held-back text, the kFinish event. Throws kTransport if it was cut off.
  virtual void End(std::vector<Event>* out) = 0;
  const WireResponse& response() const { return response_; }

 protected:
  WireResponse response_;
};

struct WireCodec {
  const char* name;
  WireCall (*encode)(const Request& request, const WirePlan& plan);
  std::unique_ptr<WireDecoder> (*decoder)(const Request& request, const WirePlan& plan);
};
const WireCodec& CodecFor(WireFormat format);

}  // namespace finback
