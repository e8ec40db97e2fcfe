#include "core/engine/backend.h"

#include "core/base/status.h"

namespace finback {
namespace {

[[noreturn]] void NeedsLocalModel() {
  throw Error(Code::kUnsupported, "this needs a model in the process");
}

[[noreturn]] void NeedsService() {
  throw Error(Code::kUnsupported, "this needs a service, such as model deepseek:deepseek-flash");
}

}  // namespace

std::string Backend::Info() { NeedsLocalModel(); }
void Backend::Verify(const std::string*) { NeedsLocalModel(); }
std::vector<int32_t> Backend::Tokenize(std::string_view, SpecialTokens) { NeedsLocalModel(); }
std::string Backend::Detokenize(std::span<const int32_t>) { NeedsLocalModel(); }
std::string Backend::EncodeText(const Request&) { NeedsLocalModel(); }
std::vector<int32_t> Backend::EncodeTokens(const Request&) { NeedsLocalModel(); }
std::unique_ptr<TokenSequence> Backend::NewSequence() { NeedsLocalModel(); }
std::string Backend::Models() { NeedsService(); }
std::string Backend::Balance() { NeedsService(); }

}  // namespace finback
