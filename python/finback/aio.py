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
import os
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generic,
    Literal,
    Optional,
    TypeVar,
    Union,
    overload,
)

from . import _finback
from . import engine as _engine
from .engine import Engine, Session
from .errors import InvalidRequestError, UnsupportedError
from .events import Content, Event
from .progress import ProgressFunction
from .request import Messages, Thinking, Tool, chat_json, completion_json
from .response import ChatResponse, Completion, ToolCall
from .stream import ResponseT, Stream, chat_stream, completion_stream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .request import ChatOptions, CompletionOptions, EngineOptions
    from .structured import Structured
    from .tools import ToolFunction, ToolRun

T = TypeVar("T")

#: How many events a stream may be ahead of its reader.
AHEAD = 64


class _Pump(Generic[ResponseT]):
    """The thread's side of a stream. It knows nothing of the reader but the loop to wake, so that
    a reader that is dropped can be noticed."""

    def __init__(self, start: Callable[[], Stream[ResponseT]], with_events: bool) -> None:
        self.start = start
        self.with_events = with_events
        self.loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        self.waiting = False  # the reader waits for `ready`
        self.events: deque[Event] = deque()
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
            if not self.with_events:
                stream.finish()
                return
            for event in stream:
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


class AsyncStream(Generic[ResponseT]):
    """An asynchronous iterator over the events of one answer; see :class:`finback.Stream`.

    Awaiting it gives itself, so that ``await engine.chat(..., stream=True)`` works as well."""

    def __init__(self, start: Callable[[], Stream[ResponseT]]) -> None:
        self._start = start
        self._pump: Optional[_Pump[ResponseT]] = None

    def __await__(self) -> Generator[Any, None, AsyncStream[ResponseT]]:
        return self
        yield  # makes this a generator: there is nothing to wait for

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        pump = self._pump
        if pump is None:
            pump = self._pump = _Pump(self._start, with_events=True)
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


AsyncChatStream = AsyncStream[ChatResponse]
AsyncCompletionStream = AsyncStream[Completion]


async def _finish(start: Callable[[], Stream[ResponseT]]) -> ResponseT:
    """The whole answer, computed on a thread of its own; cancelled with the task that waits."""
    pump = _Pump(start, with_events=False)
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


class _AsyncChats:
    """What asynchronous engines and sessions share."""

    def _start(self, request_json: str) -> _finback.Stream:
        raise NotImplementedError

    @overload
    def chat(
        self,
        messages: Messages,
        *,
        stream: Literal[False] = False,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Coroutine[Any, Any, ChatResponse]: ...

    @overload
    def chat(
        self,
        messages: Messages,
        *,
        stream: Literal[True],
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncChatStream: ...

    def chat(
        self,
        messages: Messages,
        *,
        stream: bool = False,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Union[Coroutine[Any, Any, ChatResponse], AsyncChatStream]:
        """As :meth:`finback.Engine.chat`: ``await`` it, or with ``stream=True`` iterate over it
        with ``async for``."""
        request = chat_json(messages, tools, thinking, options)

        def start() -> Stream[ChatResponse]:
            return chat_stream(self._start(request), options.get("logprobs"))

        return AsyncStream(start) if stream else _finish(start)

    async def run_tools(
        self,
        messages: Messages,
        tools: SequenceOf[ToolFunction],
        *,
        max_rounds: int = 10,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> ToolRun:
        """As :meth:`finback.Engine.run_tools`. The calls of one answer run at the same time;
        functions that are not asynchronous run on threads."""
        from .tools import Rounds, tool_message

        rounds = Rounds(messages, tools, max_rounds)
        fields: dict[str, Any] = dict(options)
        while True:
            answer: ChatResponse = await self.chat(
                rounds.messages, tools=rounds.definitions, thinking=thinking, **fields
            )
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
        self,
        messages: Messages,
        schema: type[T],
        *,
        repairs: int = 1,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Structured[T]: ...

    @overload
    async def structured(
        self,
        messages: Messages,
        schema: Mapping[str, Any],
        *,
        repairs: int = 1,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Structured[Any]: ...

    async def structured(
        self,
        messages: Messages,
        schema: Union[type[Any], Mapping[str, Any]],
        *,
        repairs: int = 1,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Structured[Any]:
        """As :meth:`finback.Engine.structured`."""
        from .structured import Attempts

        attempts = Attempts(messages, schema, repairs)
        while True:
            fields: dict[str, Any] = {**options, "response_format": attempts.response_format}
            try:
                answer: ChatResponse = await self.chat(
                    attempts.messages, thinking=thinking, **fields
                )
            except (InvalidRequestError, UnsupportedError) as error:
                if not attempts.fall_back(error):
                    raise
                continue
            done = attempts.take(answer)
            if done:
                return done


async def _call(functions: Mapping[str, ToolFunction], call: ToolCall) -> Any:
    from .tools import call_tool, tool_error

    result = await asyncio.to_thread(call_tool, functions, call)
    if not isinstance(result, Awaitable):
        return result
    try:
        return await result
    except Exception as error:  # pylint: disable=broad-except
        return tool_error(error)


class AsyncSession(_AsyncChats):
    """As :class:`finback.Session`. Made by :meth:`AsyncEngine.session`."""

    def __init__(self, session: Session) -> None:
        #: The session that does the work.
        self.sync = session
        #: The conversation that :meth:`send` keeps.
        self.messages: list[Mapping[str, Any]] = []

    def _start(self, request_json: str) -> _finback.Stream:
        return self.sync._start(request_json)

    async def send(
        self,
        message: Union[str, Mapping[str, Any]],
        *,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """As :meth:`finback.Session.send`."""
        said = {"role": "user", "content": message} if isinstance(message, str) else message
        messages = [*self.messages, said]
        answer: ChatResponse = await self.chat(messages, tools=tools, thinking=thinking, **options)
        self.messages = [*messages, answer.message]
        return answer


class AsyncEngine(_AsyncChats):
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

    async def session(self) -> AsyncSession:
        """As :meth:`finback.Engine.session`."""
        return AsyncSession(await asyncio.to_thread(self.sync.session))

    @overload
    def complete(
        self, prompt: str, *, stream: Literal[False] = False, **options: Unpack[CompletionOptions]
    ) -> Coroutine[Any, Any, Completion]: ...

    @overload
    def complete(
        self, prompt: str, *, stream: Literal[True], **options: Unpack[CompletionOptions]
    ) -> AsyncCompletionStream: ...

    def complete(
        self, prompt: str, *, stream: bool = False, **options: Unpack[CompletionOptions]
    ) -> Union[Coroutine[Any, Any, Completion], AsyncCompletionStream]:
        """As :meth:`finback.Engine.complete`."""
        request = completion_json(prompt, options)

        def start() -> Stream[Completion]:
            handle = self.sync._open().complete(request)
            return completion_stream(handle, options.get("logprobs"))

        return AsyncStream(start) if stream else _finish(start)

    async def tokenize(self, text: str, *, recognize_special: bool = False) -> list[int]:
        """As :meth:`finback.Engine.tokenize`."""
        return await asyncio.to_thread(
            self.sync.tokenize, text, recognize_special=recognize_special
        )

    async def detokenize(self, ids: Iterable[int]) -> str:
        """As :meth:`finback.Engine.detokenize`."""
        return await asyncio.to_thread(self.sync.detokenize, ids)

    async def info(self) -> dict[str, Any]:
        """As :meth:`finback.Engine.info`."""
        return await asyncio.to_thread(self.sync.info)

    async def models(self) -> list[dict[str, Any]]:
        """As :meth:`finback.Engine.models`."""
        return await asyncio.to_thread(self.sync.models)

    async def balance(self) -> dict[str, Any]:
        """As :meth:`finback.Engine.balance`."""
        return await asyncio.to_thread(self.sync.balance)


async def open(
    model: Union[str, os.PathLike[str]],
    *,
    progress: Union[bool, ProgressFunction, None] = None,
    **options: Unpack[EngineOptions],
) -> AsyncEngine:
    """As :func:`finback.open`, on a thread: opening a large model reads for a while."""

    def opened() -> Engine:
        return _engine.open(model, progress=progress, **options)

    return AsyncEngine(await asyncio.to_thread(opened))
