"""What a stream yields. Every event has a ``kind``; the other fields depend on it.

The classes work with ``isinstance``, with ``event.kind == "content"`` and with ``match``.
``logprobs`` is ``None`` unless the request asked for them; a token is reported with the event that
its text begins in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Callable, ClassVar, Literal, Optional, Union

from .response import ChatResponse, Completion, TokenLogprob, Usage

Logprobs = Optional[tuple[TokenLogprob, ...]]


@dataclass
class Reasoning:
    """The next piece of the reasoning."""

    __slots__ = ("text", "logprobs")
    kind: ClassVar[Literal["reasoning"]] = "reasoning"
    text: str
    logprobs: Logprobs


@dataclass
class Content:
    """The next piece of the answer."""

    __slots__ = ("text", "logprobs")
    kind: ClassVar[Literal["content"]] = "content"
    text: str
    logprobs: Logprobs


@dataclass
class ToolCallStart:
    """A call begins: the ``index``-th of the answer, from 0."""

    __slots__ = ("index", "id", "name", "logprobs")
    kind: ClassVar[Literal["tool_call"]] = "tool_call"
    index: int
    id: str
    name: str
    logprobs: Logprobs


@dataclass
class ToolArguments:
    """The next piece of a call's arguments, JSON text."""

    __slots__ = ("index", "id", "name", "text", "logprobs")
    kind: ClassVar[Literal["tool_arguments"]] = "tool_arguments"
    index: int
    id: str
    name: str
    text: str
    logprobs: Logprobs


@dataclass
class ToolCallEnd:
    """A call is complete; ``arguments`` are all its arguments, JSON text."""

    __slots__ = ("index", "id", "name", "arguments", "logprobs")
    kind: ClassVar[Literal["tool_call_end"]] = "tool_call_end"
    index: int
    id: str
    name: str
    arguments: str
    logprobs: Logprobs


@dataclass
class Finish:
    """The last event: ``reason`` is "stop", "length" or "tool_calls", of services also "content_filter" or "other";
    counts are in tokens."""

    __slots__ = ("reason", "usage", "response")
    kind: ClassVar[Literal["finish"]] = "finish"
    reason: str
    usage: Usage
    response: Union[ChatResponse, Completion]


@dataclass
class Progress:
    """The prompt is being read: ``done`` of ``total`` tokens, cached ones included."""

    __slots__ = ("done", "total")
    kind: ClassVar[Literal["progress"]] = "progress"
    done: int
    total: int


@dataclass
class Notice:
    """Something that a service did and that is worth knowing, such as a dropped parameter."""

    __slots__ = ("code", "message")
    kind: ClassVar[Literal["notice"]] = "notice"
    code: str
    message: str


Event = Union[
    Reasoning, Content, ToolCallStart, ToolArguments, ToolCallEnd, Finish, Progress, Notice
]

# The tuple of finback._finback.Stream.step(): kind, text, tool index, id and name, progress.
RawEvent = tuple[int, str, int, str, str, int, int]

FINISH = 6


def parse_notice(text: str) -> Notice:
    """The notice in the library's JSON."""
    fields = json.loads(text)
    return Notice(str(fields.get("code", "")), str(fields.get("message", "")))


# By the numbers of finback.h; FINISH is made by the stream, which knows the response. A number
# that is not here is a kind of a later version, to be skipped.
MAKE: dict[int, Callable[[RawEvent, Logprobs], Event]] = {
    1: lambda raw, logprobs: Reasoning(raw[1], logprobs),
    2: lambda raw, logprobs: Content(raw[1], logprobs),
    3: lambda raw, logprobs: ToolCallStart(raw[2], raw[3], raw[4], logprobs),
    4: lambda raw, logprobs: ToolArguments(raw[2], raw[3], raw[4], raw[1], logprobs),
    5: lambda raw, logprobs: ToolCallEnd(raw[2], raw[3], raw[4], raw[1], logprobs),
    7: lambda raw, logprobs: Progress(raw[5], raw[6]),
    8: lambda raw, logprobs: parse_notice(raw[1]),
}
