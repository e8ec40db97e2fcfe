#include "core/local/isa_limit.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/json/json_fields.h"
#include "core/kernels/isa.h"

namespace finback {
namespace {

// Of the tiers' names the one that begins most like `name`; "" if none does by three letters.
std::string_view NearTier(std::string_view name) {
  std::string_view nearest;
  size_t most = 2;
  for (const IsaTier& tier : IsaTiers()) {
    const std::string_view known = tier.name;
    size_t alike = 0;
    while (alike < std::min(known.size(), name.size()) && known[alike] == name[alike]) ++alike;
    if (alike > most || name.find(known) != std::string_view::npos) nearest = known;
    most = std::max(most, alike);
  }
  return nearest;
}

}  // namespace

void CheckIsaLimit() {
  const char* limit = IsaLimit();
  if (*limit == '\0') return;
  std::string known;
  for (const IsaTier& tier : IsaTiers()) {
    if (strcmp(tier.name, limit) == 0) return;
    known += (known.empty() ? "" : ", ") + std::string(tier.name);
  }
  const std::string_view near = NearTier(LowerAscii(limit));
  const std::string hint = near.empty() ? "" : "; did you mean " + std::string(near) + "?";
  throw Error(Code::kInvalidArgument, std::string(kIsaVariable) + "=" + Shown(limit) +
                                          ": this library has " + known + hint);
}

std::vector<const char*> IsasHere() {
  std::vector<const char*> names;
  uint32_t better = 0;
  for (const IsaTier& tier : IsaTiers()) {
    if (tier.bit == kIsaBlas && better != 0 && (ActiveIsa() & kIsaBlas) == 0) continue;
    if (!tier.is_available()) continue;
    better |= tier.bit;
    names.push_back(tier.name);
  }
  return names;
}

std::string IsaReason(uint32_t isa, const std::string& limit) {
  const std::string name = IsaName(isa), best = IsasHere().front();
  if (name != best)
    return "the most that FINBACK_ISA=" + limit + " allows; this machine has " + best;
  std::string missing;
  for (const IsaTier& tier : IsaTiers()) {
    if (name == tier.name) break;
    if (tier.bit == kIsaBlas) continue;
    missing += (missing.empty() ? ", which lacks " : ", ") + std::string(tier.name);
  }
  return "the best of this machine" + missing;
}

}  // namespace finback
