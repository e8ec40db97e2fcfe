"""What goes in: messages, options and their way into the library's one JSON document."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypedDict, Union

from .definitions import tool_definition
from .errors import InvalidArgumentError, InvalidRequestError
from .response import ChatResponse

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

#: The name of a file or folder: text, a path, or bytes as ``os.fsencode`` gives them.
PathName: TypeAlias = "Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]"
#: A message as in Chat Completions: ``{"role": "user", "content": "..."}``.
Message: TypeAlias = "Mapping[str, Any]"
#: A conversation: a list of messages (or of responses, which stand for their message), or a string
#: for one user message.
Messages: TypeAlias = "Union[str, Sequence[Union[Message, ChatResponse]]]"
#: A tool: a definition as in Chat Completions, or a Python function.
Tool: TypeAlias = "Union[Mapping[str, Any], Callable[..., Any]]"
#: ``True``, ``False``, an effort ("low", "high", "max") or ``{"type": "enabled"}``.
Thinking: TypeAlias = "Union[bool, str, Mapping[str, Any]]"


class SamplingOptions(TypedDict, total=False):
    """Fields of a request that chats and completions share. ``None`` means absent."""

    #: Most tokens to produce, reasoning included.
    max_tokens: Optional[int]
    #: 0 to 2; 0 takes the likeliest token.
    temperature: Optional[float]
    #: 0: off.
    top_k: Optional[int]
    #: Above 0, to 1.
    top_p: Optional[float]
    #: 0 to 1, relative to the likeliest token.
    min_p: Optional[float]
    #: The same seed gives the same text.
    seed: Optional[int]
    #: The answer ends before the first of these.
    stop: Union[str, Sequence[str], None]
    #: Token id to -100..100, added before sampling.
    logit_bias: Optional[Mapping[str, float]]
    #: -2 to 2; services get them where they have them.
    frequency_penalty: Optional[float]
    presence_penalty: Optional[float]
    #: Yield :class:`~finback.events.Progress` events while the prompt is read.
    progress: Optional[bool]
    #: Fields that only the service knows, sent as they are.
    extra_body: Optional[Mapping[str, Any]]
    n: Optional[int]
    model: Optional[str]
    user: Optional[str]
    user_id: Optional[str]
    metadata: Optional[Mapping[str, Any]]
    store: Optional[bool]
    service_tier: Optional[str]
    stream_options: Optional[Mapping[str, Any]]
    safety_identifier: Optional[str]
    safety_check: Optional[Any]
    prompt_cache_key: Optional[str]
    prompt_cache_retention: Optional[str]


class ChatOptions(SamplingOptions, total=False):
    """Fields of a chat beside ``messages``, ``tools`` and ``thinking``; finback.h has them all."""

    #: "none", "low", "high" or "max".
    reasoning_effort: Optional[str]
    max_completion_tokens: Optional[int]
    #: Report the tokens' logarithms of probabilities, with ``top_logprobs`` (0 to 20) others.
    logprobs: Optional[bool]
    top_logprobs: Optional[int]
    #: "auto", "none", "required" or ``{"type": "function", "function": {"name": ...}}``.
    tool_choice: Union[str, Mapping[str, Any], None]
    parallel_tool_calls: Optional[bool]
    #: ``{"type": "json_object"}``, or with "json_schema" at a service.
    response_format: Optional[Mapping[str, Any]]
    #: Default true: reasoning of earlier turns is left out unless tools are defined.
    drop_thinking: Optional[bool]
    #: True: special tokens are recognized in user text.
    trust_all: Optional[bool]


class StructuredOptions(ChatOptions, total=False):
    """What a structured answer takes beside the conversation and the schema."""

    thinking: Optional[Thinking]
    #: How often an answer that does not fit goes back to the model; default 1.
    repairs: int


class CompletionOptions(SamplingOptions, total=False):
    """Fields of a completion beside ``prompt``."""

    #: 0 to 20: report the tokens, with so many others.
    logprobs: Optional[int]
    #: Default true: special tokens in the prompt are recognized.
    recognize_special: Optional[bool]
    #: Default: begin-of-sentence is put first where it is missing.
    add_bos: Optional[bool]
    echo: Optional[bool]
    #: The text that follows what is to be filled in, at services that can.
    suffix: Optional[str]


class EngineOptions(TypedDict, total=False):
    """What an engine is opened with; :func:`finback.options` describes each."""

    precision: Literal["published", "bf16", "float32"]
    weights: Literal["mapped", "copied"]
    prefault: bool
    threads: int
    context_tokens: int
    chunk_tokens: int
    most_together: int
    prefill_pause_ms: int
    memory_budget_bytes: int
    effort_ladder: Literal["auto", "preview", "0731"]
    trust_all: bool
    kept_conversations: int
    restore_points: int
    cache_folder: PathName
    cache_bytes: int
    draft: Literal["off", "lookup", "block", "auto"]
    unknown_fields: Literal["notice", "refuse"]
    base_url: str
    wire_format: str
    api_key: str
    providers_file: PathName
    prices_file: PathName
    calendar_file: PathName
    routing_file: PathName
    translate_models: bool
    replay_reasoning: Literal["auto", "always", "never"]
    forced_tools: Literal["disable_thinking", "refuse"]
    markup_rescue: Literal["auto", "off", "strip", "parse"]
    service_stream: bool
    schema_repairs: int
    proxy: str
    environment_proxy: bool
    ca_file: PathName
    http_headers: Union[str, Mapping[str, str]]
    connect_timeout_ms: int
    first_token_timeout_ms: int
    idle_timeout_ms: int
    total_timeout_ms: int
    max_retries: int
    max_concurrency: int
    ledger: PathName
    ledger_user: str
    ledger_tag: str
    budget: Union[str, float]
    budget_period: Literal["total", "day", "month"]
    budget_scope: Literal["total", "key", "model", "user", "tag"]
    unknown_price: Literal["allow", "refuse"]
    record: PathName
    replay: PathName


def utf8(what: str, text: object) -> bytes:
    """Text as the library takes it."""
    if isinstance(text, bytes):
        return text  # which the library checks
    if not isinstance(text, str):
        raise TypeError(f"{what}: expected text, got {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{what}: {_half_pair(error)}") from None


def _half_pair(error: UnicodeEncodeError) -> str:
    character = error.object[error.start]
    return (
        f"character {error.start} is half a surrogate pair (U+{ord(character):04X}), which UTF-8 "
        "does not have; bytes that are no text become such when Python decodes a file's name"
    )


def option_text(name: str, value: object) -> Union[str, bytes]:
    """An option's value as the library reads it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, (str, bytes, os.PathLike)):
        # The bytes that a file's name or a variable really has, should they be no UTF-8.
        path = os.fspath(value)
        try:
            return path.encode(errors="surrogateescape") if isinstance(path, str) else path
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(f"option {name}: {_half_pair(error)}") from None
    if isinstance(value, float):
        # Budgets are decimal: no exponent, and no digits beyond the number's own.
        return format(value, "f").rstrip("0").rstrip(".") if value % 1 else str(int(value))
    if isinstance(value, int):
        return str(value)
    raise TypeError(
        f"option {name}: expected text, a number or a switch, got {type(value).__name__}"
    )


def option_list(
    model: Optional[object], options: Mapping[str, Any]
) -> list[tuple[bytes, Union[str, bytes]]]:
    """Names and values for the library; ``None`` leaves an option at its default."""
    named = {**({} if model is None else {"model": model}), **options}
    return [
        (utf8("option name", name), option_text(name, value))
        for name, value in named.items()
        if value is not None
    ]


def message_list(messages: Messages) -> list[Mapping[str, Any]]:
    """The messages that stand for a conversation."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Iterable):
        raise TypeError(
            f"messages: expected text or a list of messages, got {type(messages).__name__}"
        )
    return [
        message.message if isinstance(message, ChatResponse) else message for message in messages
    ]


def tool_list(tools: Iterable[Tool]) -> list[Mapping[str, Any]]:
    """Definitions of tools; functions are described by their signature and docstring."""
    return [tool if isinstance(tool, Mapping) else tool_definition(tool) for tool in tools]


def thinking_fields(thinking: Optional[Thinking]) -> dict[str, Any]:
    """The fields of a request that say whether, and how hard, the model thinks."""
    if thinking is None:
        return {}
    if isinstance(thinking, bool):
        return {"thinking": {"type": "enabled" if thinking else "disabled"}}
    if isinstance(thinking, str):
        return {"reasoning_effort": thinking}
    return {"thinking": dict(thinking)}


def _plain(value: object) -> Any:
    """What json does not know by itself: NumPy's numbers, paths, mappings of other kinds."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def to_json(document: object) -> str:
    """The document in JSON. Errors: InvalidRequestError (half a surrogate pair)."""
    text = json.dumps(document, ensure_ascii=False, default=_plain, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        begin = max(error.start - 20, 0)
        where = ascii(text[begin : error.start + 1])
        raise InvalidRequestError(f"request: at {where}: {_half_pair(error)}") from None
    return text


def chat_json(
    messages: Messages,
    tools: Optional[Iterable[Tool]],
    thinking: Optional[Thinking],
    options: Mapping[str, Any],
) -> str:
    """A chat request in JSON."""
    request: dict[str, Any] = {"messages": message_list(messages)}
    if tools is not None:
        defined = tool_list(tools)
        if defined:
            request["tools"] = defined
    request.update(thinking_fields(thinking))
    request.update((name, value) for name, value in options.items() if value is not None)
    return to_json(request)


def completion_json(prompt: str, options: Mapping[str, Any]) -> str:
    """A completion request in JSON."""
    request: dict[str, Any] = {"prompt": prompt}
    request.update((name, value) for name, value in options.items() if value is not None)
    return to_json(request)
