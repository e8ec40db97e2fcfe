// A made-up wire format, for check_new_format.py: one line out.
#include <string>

#include "core/json/json_writer.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {

WireCall EncodeTelegram(const Request& request, const WirePlan& plan) {
  std::string body;
  JsonWriter json(&body);
  json.BeginObject().Key("to").String(plan.model);
  json.Key("say").String(request.messages.back().content);
  if (!request.stop.empty()) json.Key("stop").String(request.stop[0]);
  json.EndObject();
  return {"/telegrams", std::move(body)};
}

const WireCodec kTelegramCodec = {
    .name = "telegram",
    .words = {.stop = true},
    .encode = EncodeTelegram,
    .decoder = DecodeTelegram,
};

}  // namespace finback
