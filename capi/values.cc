// The numbers of finback.h are those of the enums behind them, which are converted by a cast.
#include "core/base/status.h"
#include "core/engine/event.h"
#include "core/engine/options.h"
#include "finback/finback.h"

namespace finback {
namespace {

template <typename Enum>
constexpr bool Is(int32_t number, Enum value) {
  static_assert(sizeof(Enum) == sizeof(int32_t));
  return number == static_cast<int32_t>(value);
}

static_assert(Is(FINBACK_OK, Code::kOk));
static_assert(Is(FINBACK_DONE, Code::kDone));
static_assert(Is(FINBACK_ERROR_INVALID_ARGUMENT, Code::kInvalidArgument));
static_assert(Is(FINBACK_ERROR_INVALID_REQUEST, Code::kInvalidRequest));
static_assert(Is(FINBACK_ERROR_NOT_FOUND, Code::kNotFound));
static_assert(Is(FINBACK_ERROR_CHECKPOINT, Code::kCheckpoint));
static_assert(Is(FINBACK_ERROR_UNSUPPORTED, Code::kUnsupported));
static_assert(Is(FINBACK_ERROR_OUT_OF_MEMORY, Code::kOutOfMemory));
static_assert(Is(FINBACK_ERROR_BUDGET, Code::kBudget));
static_assert(Is(FINBACK_ERROR_CONTEXT_FULL, Code::kContextFull));
static_assert(Is(FINBACK_ERROR_CANCELLED, Code::kCancelled));
static_assert(Is(FINBACK_ERROR_IO, Code::kIo));
static_assert(Is(FINBACK_ERROR_INTERNAL, Code::kInternal));
static_assert(Is(FINBACK_ERROR_AUTHENTICATION, Code::kAuthentication));
static_assert(Is(FINBACK_ERROR_QUOTA, Code::kQuota));
static_assert(Is(FINBACK_ERROR_RATE_LIMIT, Code::kRateLimit));
static_assert(Is(FINBACK_ERROR_SERVICE, Code::kService));
static_assert(Is(FINBACK_ERROR_TIMEOUT, Code::kTimeout));
static_assert(Is(FINBACK_ERROR_REFUSED, Code::kRefused));
static_assert(Is(FINBACK_ERROR_SCHEMA, Code::kSchema));

static_assert(Is(FINBACK_EVENT_NONE, EventKind::kNone));
static_assert(Is(FINBACK_EVENT_REASONING, EventKind::kReasoning));
static_assert(Is(FINBACK_EVENT_CONTENT, EventKind::kContent));
static_assert(Is(FINBACK_EVENT_TOOL_CALL, EventKind::kToolCall));
static_assert(Is(FINBACK_EVENT_TOOL_ARGUMENTS, EventKind::kToolArguments));
static_assert(Is(FINBACK_EVENT_TOOL_CALL_END, EventKind::kToolCallEnd));
static_assert(Is(FINBACK_EVENT_FINISH, EventKind::kFinish));
static_assert(Is(FINBACK_EVENT_PROGRESS, EventKind::kProgress));
static_assert(Is(FINBACK_EVENT_NOTICE, EventKind::kNotice));

static_assert(Is(FINBACK_LOG_ERROR, LogLevel::kError));
static_assert(Is(FINBACK_LOG_WARNING, LogLevel::kWarning));
static_assert(Is(FINBACK_LOG_INFORMATION, LogLevel::kInformation));

}  // namespace
}  // namespace finback
