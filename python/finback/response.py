"""Whole answers: :class:`ChatResponse` and :class:`Completion`, and what they are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Usage:
    """Counts of tokens."""

    #: Of the prompt.
    prompt_tokens: int
    #: Of them, taken from a cache and not computed again.
    cached_tokens: int
    #: Sampled, the end marker included.
    completion_tokens: int
    #: Of them, spent on reasoning.
    reasoning_tokens: int
    #: Of ``cached_tokens``, read from the folder of the option ``cache_folder``.
    disk_tokens: int = 0
    #: Drafts that were evaluated, see the option ``draft``.
    proposed_tokens: int = 0
    #: Of them, what was sampled.
    accepted_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class TokenLogprob:
    """One token and how likely it was."""

    token: str
    #: Its id; -1 where a service does not tell.
    id: int
    #: Natural logarithm of the model's own probability.
    logprob: float
    #: The token's bytes, which may be a part of a character.
    bytes: Optional[bytes]
    #: The likeliest tokens at this place, as many as ``top_logprobs`` asked for.
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wants made."""

    #: To be sent back as ``tool_call_id``.
    id: str
    name: str
    #: JSON text, as the model wrote it.
    arguments: str

    def parsed(self) -> dict[str, Any]:
        """The arguments as a dictionary; ``ValueError`` when they are not a JSON object."""
        value = json.loads(self.arguments or "{}")
        if not isinstance(value, dict):
            raise ValueError(f"{self.name}: the arguments are not a JSON object: {self.arguments}")
        return value


@dataclass(frozen=True)
class ChatResponse:
    """An answer. ``message`` is what to append to the conversation."""

    #: The answer's text; empty when there are tool calls alone.
    text: str
    #: What the model thought before it answered; empty without thinking.
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    #: "stop", "length" or "tool_calls", of services also "content_filter" or "other"; ``None`` while the answer is
    #: incomplete.
    finish_reason: Optional[str]
    usage: Usage
    #: Of the answer's tokens, when the request asked for them.
    logprobs: Optional[tuple[TokenLogprob, ...]]
    #: The assistant's message, ready to be appended to ``messages``.
    message: dict[str, Any]
    #: The whole ``chat.completion`` object; with ``service`` (costs, attempts) from a service.
    raw: dict[str, Any] = field(repr=False)
    #: What a service did that is worth knowing, as (code, message).
    notices: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """The answer's id."""
        return str(self.raw.get("id", ""))

    @property
    def model(self) -> str:
        """The model that answered."""
        return str(self.raw.get("model", ""))

    @property
    def cost(self) -> Optional[float]:
        """Dollars; ``None`` in process, or when the price is not known."""
        picodollars = self.raw.get("service", {}).get("cost_picodollars")
        return None if picodollars is None else picodollars / 1e12


@dataclass(frozen=True)
class Completion:
    """Continued text."""

    text: str
    finish_reason: Optional[str]
    usage: Usage
    #: Of the text's tokens, when the request asked for them.
    logprobs: Optional[tuple[TokenLogprob, ...]]
    #: The whole ``text_completion`` object.
    raw: dict[str, Any] = field(repr=False)
    #: What a service did that is worth knowing, as (code, message).
    notices: tuple[tuple[str, str], ...] = ()


def parse_logprob(fields: Mapping[str, Any]) -> TokenLogprob:
    """One token of the library's JSON."""
    raw_bytes = fields.get("bytes")
    return TokenLogprob(
        fields.get("token", ""),
        fields.get("id", -1),
        fields["logprob"],
        None if raw_bytes is None else bytes(raw_bytes),
        tuple(parse_logprob(top) for top in fields.get("top_logprobs") or ()),
    )


def parse_usage(fields: Mapping[str, Any]) -> Usage:
    """The ``usage`` object of a response."""
    details = fields.get("prompt_tokens_details") or {}
    completion = fields.get("completion_tokens_details") or {}
    accepted = completion.get("accepted_prediction_tokens") or 0
    return Usage(
        fields.get("prompt_tokens") or 0,
        details.get("cached_tokens") or 0,
        fields.get("completion_tokens") or 0,
        completion.get("reasoning_tokens") or 0,
        details.get("disk_tokens") or 0,
        accepted + (completion.get("rejected_prediction_tokens") or 0),
        accepted,
    )


def parse_tool_calls(calls: Optional[list[dict[str, Any]]]) -> tuple[ToolCall, ...]:
    """The ``tool_calls`` of a message."""
    return tuple(
        ToolCall(
            call.get("id", ""),
            call["function"].get("name", ""),
            call["function"].get("arguments") or "",
        )
        for call in calls or ()
    )


def parse_chat(text: str, notices: tuple[tuple[str, str], ...] = ()) -> ChatResponse:
    """A ``chat.completion`` object in JSON."""
    raw = json.loads(text)
    choice = raw["choices"][0]
    message = {key: value for key, value in choice["message"].items() if value is not None}
    message.setdefault("content", "")
    tokens = (choice.get("logprobs") or {}).get("content")
    return ChatResponse(
        text=message["content"],
        reasoning=message.get("reasoning_content", ""),
        tool_calls=parse_tool_calls(message.get("tool_calls")),
        finish_reason=choice.get("finish_reason"),
        usage=parse_usage(raw.get("usage") or {}),
        logprobs=None if tokens is None else tuple(parse_logprob(token) for token in tokens),
        message=message,
        raw=raw,
        notices=notices,
    )


def parse_completion(text: str, notices: tuple[tuple[str, str], ...] = ()) -> Completion:
    """A ``text_completion`` object in JSON."""
    raw = json.loads(text)
    choice = raw["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content")
    return Completion(
        text=choice.get("text") or "",
        finish_reason=choice.get("finish_reason"),
        usage=parse_usage(raw.get("usage") or {}),
        logprobs=None if tokens is None else tuple(parse_logprob(token) for token in tokens),
        raw=raw,
        notices=notices,
    )
