"""Engines and sessions: what is open, and what one conversation remembers."""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections.abc import Awaitable, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, overload

from . import _finback
from .chats import Chats, EngineChats, Logprobs, SessionChats
from .closing import Closing
from .definitions import ToolFunction
from .errors import InvalidRequestError, UnsupportedError
from .progress import ProgressFunction, progress_function
from .request import (
    Messages,
    PathName,
    Thinking,
    Tool,
    chat_json,
    message_list,
    option_list,
    to_json,
    utf8,
)
from .response import ChatResponse, Completion
from .sequence import Sequence
from .stream import ChatStream, CompletionStream, chat_stream, completion_stream
from .structured import Attempts, Structured
from .tools import Rounds, ToolRun, call_tool, tool_message

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .request import ChatOptions, EngineOptions, StructuredOptions

T = TypeVar("T")

#: The library's log goes here: ``logging.getLogger("finback").setLevel("INFO")``.
logger = logging.getLogger("finback")
logger.addHandler(logging.NullHandler())

_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


def _log(level: int, message: str) -> None:
    logger.log(_LEVELS.get(level, logging.DEBUG), "%s", message)


class _Calls(Chats[ChatResponse, ChatStream, ToolRun]):
    """Chats that return when they are done."""

    def _answer(self, request_json: str, logprobs: Logprobs) -> ChatResponse:
        return self._stream(request_json, logprobs).finish()

    def _stream(self, request_json: str, logprobs: Logprobs) -> ChatStream:
        return chat_stream(self._start(request_json), logprobs)

    def _run(
        self,
        messages: Messages,
        tools: SequenceOf[ToolFunction],
        max_rounds: int,
        fields: dict[str, Any],
    ) -> ToolRun:
        rounds = Rounds(messages, tools, max_rounds)
        while True:
            answer = self.chat(rounds.messages, tools=rounds.definitions, **fields)
            done = rounds.take(answer)
            if done:
                return done
            for call in answer.tool_calls:
                result = call_tool(rounds.functions, call)
                if isinstance(result, Awaitable):
                    if inspect.iscoroutine(result):
                        result.close()
                    raise TypeError(f"{call.name} is asynchronous: use finback.aio")
                rounds.messages.append(tool_message(call, result))

    @overload
    def structured(
        self, messages: Messages, schema: type[T], **options: Unpack[StructuredOptions]
    ) -> Structured[T]: ...

    @overload
    def structured(
        self, messages: Messages, schema: Mapping[str, Any], **options: Unpack[StructuredOptions]
    ) -> Structured[Any]: ...

    def structured(
        self,
        messages: Messages,
        schema: Union[type[Any], Mapping[str, Any]],
        **options: Unpack[StructuredOptions],
    ) -> Structured[Any]:
        """Answers with a value instead of text: an instance of a Pydantic model (or of any type
        that Pydantic can validate), or JSON that fits a JSON schema.

        An answer that does not fit goes back to the model, at most ``repairs`` times (1 unless
        given). The other options are those of :meth:`chat`.

        Errors: SchemaError (the last answer did not fit, and how); ImportError (no ``pydantic``
        for a type, no ``jsonschema`` for a schema); those of :meth:`chat`.
        """
        attempts = Attempts(messages, schema, options.pop("repairs", 1))
        while True:
            fields: dict[str, Any] = {**options, "response_format": attempts.response_format}
            try:
                answer = self.chat(attempts.messages, **fields)
            except (InvalidRequestError, UnsupportedError) as error:
                if not attempts.fall_back(error):
                    raise
                continue
            done = attempts.take(answer)
            if done:
                return done


class Session(_Calls, SessionChats[ChatResponse, ChatStream, ToolRun], Closing):
    """One conversation's memory, which grows with it. Made by :meth:`Engine.session`.

    Give it the whole conversation in every request: the longest part that it has read before is
    not computed again, and ``usage.cached_tokens`` tells how much that was. :meth:`send` keeps the
    conversation for you. One answer at a time.

    >>> import finback
    >>> session = finback.open("krill").session()
    >>> session.send("What is 17 + 25?").text
    '17 + 25 = 42.'
    >>> session.send("What do baleen whales eat?").usage.cached_tokens > 0
    True
    """

    def __init__(self, handle: _finback.Session) -> None:
        self._handle: Optional[_finback.Session] = handle
        self.messages = []

    def close(self) -> None:
        """Lets go of the memory; a running stream keeps what it needs."""
        self._handle = None

    def _start(self, request_json: str) -> _finback.Stream:
        if self._handle is None:
            raise ValueError("the session is closed")
        return self._handle.chat(request_json)

    def _send(self, messages: list[Mapping[str, Any]], fields: dict[str, Any]) -> ChatResponse:
        answer: ChatResponse = self.chat(messages, **fields)
        self.messages = [*messages, answer.message]
        return answer


class Engine(
    _Calls,
    EngineChats[ChatResponse, ChatStream, ToolRun, Completion, CompletionStream],
    Closing,
):
    """An open model, in this process or at a service. Any number of threads may use it at once;
    the interpreter's lock is released while it works. Made by :func:`finback.open`."""

    def __init__(
        self,
        model: PathName,
        *,
        progress: Union[bool, ProgressFunction, None] = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        """As :func:`finback.open`."""
        rows = option_list(model, options)
        self._handle: Optional[_finback.Engine] = _finback.Engine(
            rows, progress_function(progress), _log
        )
        self._name = os.fsdecode(dict(rows)[b"model"])

    def __repr__(self) -> str:
        return f"<finback.Engine {self._name!r}{' (closed)' if self._handle is None else ''}>"

    def close(self) -> None:
        """Lets go of the model; its memory goes when the last session, stream and sequence go."""
        self._handle = None

    @property
    def model(self) -> str:
        """What was opened."""
        return self._name

    def _open(self) -> _finback.Engine:
        if self._handle is None:
            raise ValueError("the engine is closed")
        return self._handle

    def _start(self, request_json: str) -> _finback.Stream:
        return self._open().chat(request_json)

    def session(self) -> Session:
        """A conversation's memory of its own. Errors: BudgetError."""
        return Session(self._open().new_session())

    def sequence(self) -> Sequence:
        """An empty sequence of ``context_tokens``. Errors: BudgetError, UnsupportedError (at a
        service)."""
        return Sequence(_finback.Sequence(self._open()))

    def _text(self, request_json: str, logprobs: Optional[int]) -> Completion:
        return self._text_stream(request_json, logprobs).finish()

    def _text_stream(self, request_json: str, logprobs: Optional[int]) -> CompletionStream:
        return completion_stream(self._open().complete(request_json), logprobs)

    def tokenize(self, text: str, *, recognize_special: bool = False) -> list[int]:
        """Token ids of the text. With ``recognize_special`` tokens such as ``<think>`` become
        their ids; without, they stay plain text, as untrusted text must. Nothing is added.

        Errors: NotFoundError (no tokenizer.json), CheckpointError, UnsupportedError (at a service).
        """
        return self._open().tokenize(utf8("text", text), recognize_special)

    def detokenize(self, ids: Iterable[int]) -> str:
        """The text of token ids, special tokens spelled out; bytes that are no UTF-8 become
        U+FFFD. Errors: InvalidArgumentError (no such id)."""
        return self._open().detokenize([int(id) for id in ids])

    def encode(
        self,
        messages: Messages,
        *,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> str:
        """The prompt text that :meth:`chat` would use."""
        return self._open().encode(chat_json(messages, tools, thinking, options))

    def encode_tokens(
        self,
        messages: Messages,
        *,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> list[int]:
        """The token ids that :meth:`chat` would read."""
        return self._open().encode_tokens(chat_json(messages, tools, thinking, options))

    def parse(self, text: str, *, thinking: bool = False, strict: bool = False) -> dict[str, Any]:
        """As :func:`finback.parse`."""
        return parse(text, thinking=thinking, strict=strict)

    def info(self) -> dict[str, Any]:
        """What is open: the model's sizes, memory and reading per token in bytes, files; see
        finback_engine_info() in finback.h."""
        return _object(self._open().info())

    def verify(self, sha256_list: Optional[str] = None) -> None:
        """Reads every weight and checks it; with what sha256sum printed also every file.

        Errors: CheckpointError (names file and tensor), InvalidArgumentError, CancelledError."""
        self._open().verify(None if sha256_list is None else utf8("SHA-256 list", sha256_list))

    def models(self) -> list[dict[str, Any]]:
        """The models of a service. Errors: UnsupportedError (in process), RemoteError."""
        return list(_object(self._open().models()).get("data", []))

    def balance(self) -> dict[str, Any]:
        """The balance of the key's account, as the service says it. Errors: UnsupportedError,
        RemoteError."""
        return _object(self._open().balance())


def open(
    model: PathName,
    *,
    progress: Union[bool, ProgressFunction, None] = None,
    **options: Unpack[EngineOptions],
) -> Engine:
    """Opens a model: "krill", the small one that comes with Finback; the folder of a checkpoint;
    or "PROVIDER:MODEL" at a service, such as "deepseek:deepseek-v4-pro".

    ``progress`` is a function of (phase, done, total), or ``True`` for bars by tqdm where it is
    installed. The options are the library's; :func:`finback.options` lists them.

    Errors: NotFoundError (no such folder, file or option), InvalidArgumentError (not a value of an
    option; has the bounds), CheckpointError, UnsupportedError (another architecture, by its name).

    >>> import finback
    >>> finback.open("krill", threads=2).chat("What is 17 + 25?").text
    '17 + 25 = 42.'
    """
    return Engine(model, progress=progress, **options)


def options() -> list[dict[str, Any]]:
    """Every option of :func:`open`: name, type, default, bounds or choices, and what it means."""
    return [_object(row) for row in _finback.describe_options()]


def parse(text: str, *, thinking: bool = False, strict: bool = False) -> dict[str, Any]:
    """Parses what a model wrote after the prompt into an assistant's message: ``content``,
    ``reasoning_content``, ``tool_calls``. ``thinking``: the text begins inside reasoning.
    ``strict``: any deviation from the published grammar is an InvalidArgumentError.

    >>> import finback
    >>> finback.parse("Who?</think>Whales.", thinking=True)["reasoning_content"]
    'Who?'
    """
    return _object(_finback.parse_completion(utf8("text", text), thinking, strict))


def encode_messages(messages: SequenceOf[Mapping[str, Any]], **fields: Any) -> str:
    """DeepSeek-V4's prompt encoding alone, without a model. The fields are ``tools``, ``context``,
    ``thinking_mode`` ("thinking" or "chat"), ``effort_prefix``, ``drop_thinking`` and ``add_bos``;
    with ``check_service=True`` they are those of a request, and a JSON list of what DeepSeek's
    service would refuse comes back.
    """
    return _finback.encode_messages(to_json({"messages": message_list(messages), **fields}))


def cost_report(
    ledger: PathName, *, options: Optional[EngineOptions] = None, **query: Any
) -> dict[str, Any]:
    """What was spent, by a ledger. The query is ``group_by`` (day, model, key, user, tag, provider
    or conversation), ``since``, ``until`` and ``reprice``; costs are in dollars and pico-dollars.

    Errors: InvalidRequestError, StorageError (names the file)."""
    rows = option_list(None, {**(options or {}), "ledger": ledger})
    return _object(_finback.cost_report(rows, to_json(query)))


def cache(
    folder: PathName, *, verify: bool = False, clear: Union[bool, str] = False
) -> dict[str, Any]:
    """What the folder of the option ``cache_folder`` holds, by model: ``bytes`` and ``models``.
    ``verify``: all files are read, and removed where they are damaged. ``clear``: all is thrown
    away, or what is kept of one model, by its ``name``. ``verified`` and ``cleared`` say how much.

    Errors: NotFoundError (no model of that name), StorageError."""
    rows = option_list(None, {"cache_folder": folder})
    return _object(_finback.cache(rows, to_json({"verify": verify, "clear": clear})))


def build_info() -> dict[str, Any]:
    """How the library was built, and the instruction set that it chose on this machine."""
    return _object(_finback.build_info())


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {text[:80]}")
    return value
