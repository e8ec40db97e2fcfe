"""An answer being produced: iterate over it, or read its response."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from . import _finback
from .closing import Closing
from .events import FINISH, MAKE, Content, Event, Finish, Notice, parse_notice
from .response import (
    ChatResponse,
    Completion,
    TokenLogprob,
    Usage,
    parse_chat,
    parse_completion,
    parse_logprob,
)

ResponseT = TypeVar("ResponseT", bound=Union[ChatResponse, Completion])
_Notices = tuple[tuple[str, str], ...]


class Stream(Generic[ResponseT], Closing):
    """An iterator over the events of one answer. One thread's at a time, but for :meth:`cancel`.

    The first event waits for the prompt to be read; Ctrl-C cancels and raises
    ``KeyboardInterrupt``. After an error the stream is over. Leaving it early, with ``close()``, as
    a context manager or by dropping it, stops the work and keeps what was computed.

    Errors while iterating: :class:`~finback.errors.CancelledError`,
    :class:`~finback.errors.RemoteError` and its kinds,
    :class:`~finback.errors.CheckpointError`.
    """

    def __init__(
        self,
        handle: _finback.Stream,
        parse: Callable[[str, _Notices], ResponseT],
        with_logprobs: bool,
    ) -> None:
        self._handle: Optional[_finback.Stream] = handle
        self._step = handle.step
        self._parse = parse
        self._with_logprobs = with_logprobs
        self._notices: list[Notice] = []
        self._response: Optional[ResponseT] = None

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while True:
            raw = self._step()
            if raw is None:
                raise StopIteration
            kind = raw[0]
            if kind == FINISH:
                return Finish(raw[1], self.usage, self._finished())
            make = MAKE.get(kind)
            if make is None:
                continue
            event = make(raw, self._event_logprobs() if self._with_logprobs else None)
            if event.kind == "notice":
                self._notices.append(event)
            return event

    def cancel(self) -> None:
        """Stops the stream within the time of one token: its running step, or else the next one,
        raises :class:`~finback.errors.CancelledError`. Any thread."""
        handle = self._handle
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        """Lets go of the stream; its session is then free for the next one."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()
            self._step = _closed
            del handle

    @property
    def usage(self) -> Usage:
        """Tokens as of now; final after the last event."""
        return Usage(*self._open().usage())

    @property
    def response(self) -> ResponseT:
        """The answer so far; complete after the last event."""
        if self._response is not None:
            return self._response
        return self._parse(self._open().response(), self._notice_pairs())

    def text(self) -> Iterator[str]:
        """The pieces of the answer's text alone, without reasoning and tool calls."""
        for event in self:
            if isinstance(event, Content):
                yield event.text

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The events that are still to come as ``chat.completion.chunk`` objects, as in the
        streams of OpenAI and DeepSeek; the last has the usage. Progress and notices have none."""
        for _ in self:
            chunk = self._open().chunk()
            if chunk:
                yield json.loads(chunk)

    def finish(self) -> ResponseT:
        """Runs to the end and returns the response: faster than iterating where no event matters.

        >>> import finback
        >>> stream = finback.open("krill").chat("What is 17 + 25?", stream=True)
        >>> stream.finish().text
        '17 + 25 = 42.'
        """
        if self._response is None:
            for notice in self._open().drain():
                self._notices.append(parse_notice(notice))
            self._finished()
        return self.response

    def _finished(self) -> ResponseT:
        self._response = self._parse(self._open().response(), self._notice_pairs())
        return self._response

    def _notice_pairs(self) -> _Notices:
        return tuple((notice.code, notice.message) for notice in self._notices)

    def _open(self) -> _finback.Stream:
        if self._handle is None:
            raise ValueError("the stream is closed")
        return self._handle

    def _event_logprobs(self) -> tuple[TokenLogprob, ...]:
        return tuple(parse_logprob(token) for token in json.loads(self._open().logprobs()))


def _closed() -> None:
    """The step of a closed stream: there are no more events."""


ChatStream = Stream[ChatResponse]
CompletionStream = Stream[Completion]


def chat_stream(handle: _finback.Stream, with_logprobs: Union[bool, int, None]) -> ChatStream:
    """A chat's stream over the library's."""
    return Stream(handle, parse_chat, bool(with_logprobs))


def completion_stream(handle: _finback.Stream, with_logprobs: Optional[int]) -> CompletionStream:
    """A completion's stream over the library's."""
    return Stream(handle, parse_completion, with_logprobs is not None)
