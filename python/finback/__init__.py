"""Finback: DeepSeek-V4 in your process, or the same requests at a service.

>>> import finback
>>> engine = finback.open("krill")
>>> for event in engine.chat("What is 17 + 25?", stream=True):
...     if event.kind == "content":
...         print(event.text, end="")
17 + 25 = 42.

The rooms: :mod:`finback.engine` (open, chat, sessions), :mod:`finback.events`,
:mod:`finback.response`, :mod:`finback.errors`, :mod:`finback.tools`, :mod:`finback.structured`,
:mod:`finback.aio` (the same with ``await``), :mod:`finback.openai` (the shape of that client).
"""

try:
    from . import _finback
except ImportError as error:
    # Where the dynamic loader misses a library, say who has it.
    if "cannot open shared object" in str(error):
        raise ImportError(
            f"{error}\nFinback needs these libraries of the system; on Debian: apt-get install "
            "--no-install-recommends libcurl4 libedit2 libpcre2-8-0 libsqlite3-0 "
            "libssl3"
        ) from error
    raise

from . import aio
from .definitions import tool_definition
from .engine import (
    Engine,
    Session,
    build_info,
    cache,
    cost_report,
    encode_messages,
    open,
    options,
    parse,
)
from .errors import (
    AuthenticationError,
    BudgetError,
    CancelledError,
    CheckpointError,
    ContextFullError,
    FinbackError,
    InternalError,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    OutOfMemoryError,
    QuotaError,
    RateLimitError,
    RefusedError,
    RemoteError,
    SchemaError,
    ServiceError,
    ServiceTimeoutError,
    StorageError,
    ToolLoopError,
    UnsupportedError,
)
from .events import (
    Content,
    Event,
    Finish,
    Notice,
    Progress,
    Reasoning,
    ToolArguments,
    ToolCallEnd,
    ToolCallStart,
)
from .response import ChatResponse, Completion, TokenLogprob, ToolCall, Usage
from .sequence import Sequence
from .stream import ChatStream, CompletionStream, Stream
from .structured import Structured
from .tools import ToolRun

__version__: str = _finback.version()

__all__ = [
    "AuthenticationError",
    "BudgetError",
    "CancelledError",
    "ChatResponse",
    "ChatStream",
    "CheckpointError",
    "Completion",
    "CompletionStream",
    "Content",
    "ContextFullError",
    "Engine",
    "Event",
    "FinbackError",
    "Finish",
    "InternalError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "NotFoundError",
    "Notice",
    "OutOfMemoryError",
    "Progress",
    "QuotaError",
    "RateLimitError",
    "Reasoning",
    "RefusedError",
    "RemoteError",
    "SchemaError",
    "Sequence",
    "ServiceError",
    "ServiceTimeoutError",
    "Session",
    "StorageError",
    "Stream",
    "Structured",
    "TokenLogprob",
    "ToolArguments",
    "ToolCall",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolLoopError",
    "ToolRun",
    "UnsupportedError",
    "Usage",
    "aio",
    "build_info",
    "cache",
    "cost_report",
    "encode_messages",
    "open",
    "options",
    "parse",
    "tool_definition",
]
