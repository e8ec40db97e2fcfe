"""The same with ``await`` and ``async for``, for asyncio.

>>> import asyncio
>>> from finback import aio
>>> async def main() -> None:
...     async with await aio.open("krill") as engine:
...         async for event in engine.chat("What is 17 + 25?", stream=True):
...             if event.kind == "content":
...                 print(event.text, end="")
...     print()
>>> asyncio.run(main())
17 + 25 = 42.

A stream computes on a thread of its own, at most :data:`AHEAD` events ahead of whoever reads them.
When the task that waits is cancelled, so is the stream, within the time of one token.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, Union, overload

from . import _finback
from . import engine as _engine
from .chats import Chats, EngineChats, Logprobs, SessionChats
from .definitions import ToolFunction
from .engine import Engine, Session
from .errors import InvalidArgumentError, InvalidRequestError, UnsupportedError
from .events import Content, Event
from .progress import ProgressFunction
from .request import Messages, PathName
from .response import ChatResponse, Completion, ToolCall
from .stream import ResponseT, Stream, chat_stream
from .structured import Attempts, Structured
from .tools import Rounds, ToolRun, call_tool, tool_error, tool_message

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from .request import EngineOptions, StructuredOptions

    P = ParamSpec("P")

T = TypeVar("T")
ResultT = TypeVar("ResultT")

#: How many events a stream may be ahead of its reader.
AHEAD = 64


class _Pump(Generic[ResponseT]):
    """The thread's side of a stream. It knows nothing of the reader but the loop to wake, so that
    a reader that is dropped can be noticed."""

    def __init__(
        self,
        start: Callable[[], Stream[ResponseT]],
        items: Optional[Callable[[Stream[ResponseT]], Iterator[Any]]],
    ) -> None:
        self.start = start
        self.items = items  # None: the response alone
        self.loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        self.waiting = False  # the reader waits for `ready`
        self.events: deque[Any] = deque()
        self.room = threading.Semaphore(AHEAD)
        self.lock = threading.Lock()
        self.stream: Optional[Stream[ResponseT]] = None
        self.failure: Optional[BaseException] = None
        self.done = False
        self.closed = False
        self.thread = threading.Thread(target=self.run, name="finback", daemon=True)
        _PUMPS.add(self)

    def run(self) -> None:
        try:
            stream = self.start()
            with self.lock:
                self.stream = stream
                closed = self.closed
            if closed:
                stream.cancel()
            if self.items is None:
                stream.finish()
                return
            for event in self.items(stream):
                self.room.acquire()
                self.events.append(event)
                self.wake()
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error
        finally:
            self.done = True
            self.wake()

    def wake(self) -> None:
        # Waking the loop costs more than an event: only who waits is woken. The reader says that it
        # waits before it looks a last time, and the event was there before this looks.
        if self.closed or not self.waiting:
            return
        self.waiting = False
        try:
            self.loop.call_soon_threadsafe(self.ready.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self.close()

    def close(self) -> None:
        """Stops the work. Any thread, any number of times."""
        with self.lock:
            self.closed = True
            stream = self.stream
        if stream is not None:
            stream.cancel()
        self.room.release()


# A daemon thread that is inside the library when the interpreter goes would take the process down:
# all are stopped before.
_PUMPS: weakref.WeakSet[_Pump[Any]] = weakref.WeakSet()


@atexit.register
def _stop_pumps() -> None:
    pumps = list(_PUMPS)
    for pump in pumps:
        pump.close()
    for pump in pumps:
        if pump.thread.is_alive():
            pump.thread.join()


# A forked child has none of the threads, and perhaps locks that they held.
def _forget_pumps() -> None:
    for pump in list(_PUMPS):
        pump.lock = threading.Lock()
        pump.room = threading.Semaphore(AHEAD)
        pump.stream = None
        if not pump.done:
            pump.failure = InvalidArgumentError(
                "stream: it was begun before fork(), by the parent; begin another"
            )
            pump.done = True
    _PUMPS.clear()


os.register_at_fork(after_in_child=_forget_pumps)


class AsyncStream(Generic[ResponseT]):
    """An asynchronous iterator over the events of one answer; see :class:`finback.Stream`.

    Awaiting it gives itself, so that ``await engine.chat(..., stream=True)`` works as well."""

    def __init__(self, start: Callable[[], Stream[ResponseT]]) -> None:
        self._start = start
        self._items: Callable[[Stream[ResponseT]], Iterator[Any]] = iter
        self._pump: Optional[_Pump[ResponseT]] = None

    def __await__(self) -> Generator[Any, None, AsyncStream[ResponseT]]:
        return self
        yield  # makes this a generator: there is nothing to wait for

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event: Event = await self._next()
        return event

    async def _next(self) -> Any:
        pump = self._pump
        if pump is None:
            pump = self._pump = _Pump(self._start, self._items)
            pump.thread.start()
        while True:
            if pump.events:
                pump.room.release()
                return pump.events.popleft()
            if pump.done and not pump.events:
                failure, pump.failure = pump.failure, None
                if failure is not None:
                    raise failure
                raise StopAsyncIteration
            pump.ready.clear()
            pump.waiting = True
            if pump.events or pump.done:
                pump.waiting = False
                continue
            try:
                await pump.ready.wait()
            except asyncio.CancelledError:
                pump.close()
                raise

    async def __aenter__(self) -> AsyncStream[ResponseT]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        pump = getattr(self, "_pump", None)
        if pump is not None:
            pump.close()

    def cancel(self) -> None:
        """Stops the stream: whoever waits for its next event gets CancelledError of
        :mod:`finback.errors`. Any thread."""
        pump = self._pump
        if pump is not None and pump.stream is not None:
            pump.stream.cancel()

    async def aclose(self) -> None:
        """Stops the work and waits until the session is free again."""
        pump = self._pump
        if pump is None:
            return
        pump.close()
        if pump.thread.is_alive():
            await asyncio.to_thread(pump.thread.join)
        if pump.stream is not None:
            pump.stream.close()

    @property
    def response(self) -> ResponseT:
        """The answer, after the last event. Errors: ``RuntimeError`` before."""
        pump = self._pump
        if pump is None or pump.stream is None or not pump.done:
            raise RuntimeError("the answer is not complete: read the events first")
        return pump.stream.response

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the answer's text alone."""
        async for event in self:
            if isinstance(event, Content):
                yield event.text

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """As :meth:`finback.Stream.chunks`, in place of the events. Errors: ``RuntimeError`` when
        events have been read."""
        if self._pump is not None:
            raise RuntimeError("events have been read: chunks are there in their place")
        self._items = Stream.chunks
        while True:
            try:
                chunk: dict[str, Any] = await self._next()
            except StopAsyncIteration:
                return
            yield chunk


AsyncChatStream = AsyncStream[ChatResponse]
AsyncCompletionStream = AsyncStream[Completion]


async def _finish(start: Callable[[], Stream[ResponseT]]) -> ResponseT:
    """The whole answer, computed on a thread of its own; cancelled with the task that waits."""
    pump = _Pump(start, None)
    pump.waiting = True
    pump.thread.start()
    try:
        await pump.ready.wait()
    except asyncio.CancelledError:
        pump.close()
        raise
    if pump.failure is not None:
        raise pump.failure
    assert pump.stream is not None
    return pump.stream.response


class _Calls(
    Chats[Coroutine[Any, Any, ChatResponse], AsyncChatStream, Coroutine[Any, Any, ToolRun]]
):
    """Chats that are awaited."""

    def _answer(self, request_json: str, logprobs: Logprobs) -> Coroutine[Any, Any, ChatResponse]:
        return _finish(lambda: chat_stream(self._start(request_json), logprobs))

    def _stream(self, request_json: str, logprobs: Logprobs) -> AsyncChatStream:
        return AsyncStream(lambda: chat_stream(self._start(request_json), logprobs))

    async def _run(
        self,
        messages: Messages,
        tools: SequenceOf[ToolFunction],
        max_rounds: int,
        fields: dict[str, Any],
    ) -> ToolRun:
        rounds = Rounds(messages, tools, max_rounds)
        while True:
            answer = await self.chat(rounds.messages, tools=rounds.definitions, **fields)
            done = rounds.take(answer)
            if done:
                return done
            results = await asyncio.gather(
                *(_call(rounds.functions, call) for call in answer.tool_calls)
            )
            rounds.messages += [
                tool_message(call, result) for call, result in zip(answer.tool_calls, results)
            ]

    @overload
    async def structured(
        self, messages: Messages, schema: type[T], **options: Unpack[StructuredOptions]
    ) -> Structured[T]: ...

    @overload
    async def structured(
        self, messages: Messages, schema: Mapping[str, Any], **options: Unpack[StructuredOptions]
    ) -> Structured[Any]: ...

    async def structured(
        self,
        messages: Messages,
        schema: Union[type[Any], Mapping[str, Any]],
        **options: Unpack[StructuredOptions],
    ) -> Structured[Any]:
        """As :meth:`finback.Engine.structured`."""
        attempts = Attempts(messages, schema, options.pop("repairs", 1))
        while True:
            fields: dict[str, Any] = {**options, "response_format": attempts.response_format}
            try:
                answer = await self.chat(attempts.messages, **fields)
            except (InvalidRequestError, UnsupportedError) as error:
                if not attempts.fall_back(error):
                    raise
                continue
            done = attempts.take(answer)
            if done:
                return done


async def _call(functions: Mapping[str, ToolFunction], call: ToolCall) -> Any:
    result = await asyncio.to_thread(call_tool, functions, call)
    if not isinstance(result, Awaitable):
        return result
    try:
        return await result
    except Exception as error:  # pylint: disable=broad-except
        return tool_error(error)


class AsyncSession(
    _Calls,
    SessionChats[Coroutine[Any, Any, ChatResponse], AsyncChatStream, Coroutine[Any, Any, ToolRun]],
):
    """As :class:`finback.Session`. Made by :meth:`AsyncEngine.session`."""

    def __init__(self, session: Session) -> None:
        #: The session that does the work.
        self.sync = session
        self.messages = []

    def _start(self, request_json: str) -> _finback.Stream:
        return self.sync._start(request_json)

    async def _send(
        self, messages: list[Mapping[str, Any]], fields: dict[str, Any]
    ) -> ChatResponse:
        answer: ChatResponse = await self.chat(messages, **fields)
        self.messages = [*messages, answer.message]
        return answer


def _on_thread(
    call: Callable[Concatenate[Engine, P], ResultT],
) -> Callable[Concatenate[AsyncEngine, P], Coroutine[Any, Any, ResultT]]:
    """An engine's method, on a thread."""

    @functools.wraps(call)
    async def awaited(engine: AsyncEngine, /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return await asyncio.to_thread(call, engine.sync, *args, **kwargs)

    return awaited


class AsyncEngine(
    _Calls,
    EngineChats[
        Coroutine[Any, Any, ChatResponse],
        AsyncChatStream,
        Coroutine[Any, Any, ToolRun],
        Coroutine[Any, Any, Completion],
        AsyncCompletionStream,
    ],
):
    """As :class:`finback.Engine`. Made by :func:`open`, or over an engine that is open."""

    def __init__(self, engine: Engine) -> None:
        #: The engine that does the work; whatever is quick is called there.
        self.sync = engine

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As :meth:`finback.Engine.close`."""
        self.sync.close()

    def _start(self, request_json: str) -> _finback.Stream:
        return self.sync._start(request_json)

    def _text(self, request_json: str, logprobs: Optional[int]) -> Coroutine[Any, Any, Completion]:
        return _finish(lambda: self.sync._text_stream(request_json, logprobs))

    def _text_stream(self, request_json: str, logprobs: Optional[int]) -> AsyncCompletionStream:
        return AsyncStream(lambda: self.sync._text_stream(request_json, logprobs))

    async def session(self) -> AsyncSession:
        """As :meth:`finback.Engine.session`."""
        return AsyncSession(await asyncio.to_thread(self.sync.session))

    tokenize = _on_thread(Engine.tokenize)
    detokenize = _on_thread(Engine.detokenize)
    info = _on_thread(Engine.info)
    models = _on_thread(Engine.models)
    balance = _on_thread(Engine.balance)


async def open(
    model: PathName,
    *,
    progress: Union[bool, ProgressFunction, None] = None,
    **options: Unpack[EngineOptions],
) -> AsyncEngine:
    """As :func:`finback.open`, on a thread: opening a large model reads for a while."""

    def opened() -> Engine:
        return _engine.open(model, progress=progress, **options)

    return AsyncEngine(await asyncio.to_thread(opened))
