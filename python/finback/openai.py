"""Calls in the shape of the ``openai`` client, for programs that were written for it:

    from finback.openai import OpenAI        # instead of: from openai import OpenAI

>>> client = OpenAI()
>>> completion = client.chat.completions.create(
...     model="krill", messages=[{"role": "user", "content": "What is 17 + 25?"}]
... )
>>> completion.choices[0].message.content
'17 + 25 = 42.'

``model`` is whatever :func:`finback.open` takes; each is opened once and kept. Errors are those of
:mod:`finback.errors`. There are ``chat.completions``, ``completions`` and ``models.list()``.
``timeout`` and ``default_headers`` are the client's; given to a call they are refused, and what an
engine does not know is never ignored.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from . import aio
from .closing import AsyncClosing, Closing
from .engine import Engine
from .request import ChatOptions, CompletionOptions
from .stream import Stream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .request import EngineOptions

# Parameters of a call that an engine has for all its calls, or not at all.
_NOT_OF_A_CALL = {
    "timeout": "give it to the client, OpenAI(timeout=...)",
    "extra_headers": "give them to the client, OpenAI(default_headers=...)",
    "extra_query": "an address has no query here; a service that wants one needs a gateway",
}

_REQUEST_FIELDS = frozenset(
    {"thinking", "tools", *ChatOptions.__annotations__, *CompletionOptions.__annotations__}
)


class Record(dict[str, Any]):
    """JSON whose fields are attributes as well, like the client's objects. Fields that a response
    does not have are ``None``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The same as plain dictionaries and lists."""
        return dict(json.loads(json.dumps(self)))

    def to_dict(self, **_: Any) -> dict[str, Any]:
        """As :meth:`model_dump`."""
        return self.model_dump()

    def model_dump_json(self, *, indent: Optional[int] = None, **_: Any) -> str:
        """The same in JSON."""
        return json.dumps(self, indent=indent, ensure_ascii=False)


def to_record(value: Any) -> Any:
    """JSON with records in place of dictionaries."""
    if isinstance(value, dict):
        return Record({key: to_record(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return [to_record(inner) for inner in value]
    return value


def client_chunks(chunk: dict[str, Any], with_usage: bool) -> Iterator[Record]:
    """What the client makes of a chunk: the usage, if it wants any, is in a last one of its own."""
    usage = chunk["usage"]
    yield to_record({**chunk, "usage": None})
    if usage is not None and with_usage:
        yield to_record({**chunk, "choices": [], "usage": usage})


def request_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    """What the call's arguments are here: unset ones are left out. Of extra_body, fields that
    requests have are taken in; the rest is for the service."""
    fields = {
        name: value
        for name, value in arguments.items()
        if value is not None and not _is_unset(value)
    }
    for name, instead in _NOT_OF_A_CALL.items():
        if fields.pop(name, None):
            raise TypeError(f"{name}: a call has none here; {instead}")
    extra = dict(fields.pop("extra_body", {}))
    fields.update({name: extra.pop(name) for name in list(extra) if name in _REQUEST_FIELDS})
    if extra:
        fields["extra_body"] = extra
    return fields


def client_options(
    engine: Optional[Engine],
    timeout: Optional[float],
    default_headers: Optional[Mapping[str, str]],
    options: EngineOptions,
) -> EngineOptions:
    """The options of a client's engines, with what the client calls otherwise."""
    if timeout is not None and not _is_unset(timeout):
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
            raise TypeError("timeout: must be a number of seconds above 0")
        options["total_timeout_ms"] = max(1, round(timeout * 1000))
    if default_headers and not _is_unset(default_headers):
        options["http_headers"] = json.dumps(dict(default_headers))
    if engine is not None and options:
        raise TypeError(f"{', '.join(options)}: the engine is open, give it to finback.open()")
    return options


def _is_unset(value: object) -> bool:
    """The client's own marks for "not given"."""
    return type(value).__name__ in ("NotGiven", "Omit")


class ChunkStream(Closing):
    """An iterator over chunks; ``close()`` stops the work."""

    def __init__(self, stream: Stream[Any], with_usage: bool) -> None:
        self._stream = stream
        self._chunks = (
            piece for chunk in stream.chunks() for piece in client_chunks(chunk, with_usage)
        )

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        return next(self._chunks)

    def close(self) -> None:
        """Stops the work."""
        self._stream.close()


class AsyncChunkStream(AsyncClosing):
    """As :class:`ChunkStream`, for ``async for``."""

    def __init__(self, stream: aio.AsyncChatStream, with_usage: bool) -> None:
        self._stream = stream
        self._chunks = self._make(with_usage)

    async def _make(self, with_usage: bool) -> AsyncIterator[Record]:
        async for chunk in self._stream.chunks():
            for piece in client_chunks(chunk, with_usage):
                yield piece

    def __aiter__(self) -> AsyncIterator[Record]:
        return self

    async def __anext__(self) -> Record:
        return await self._chunks.__anext__()

    async def close(self) -> None:
        """Stops the work."""
        await self._stream.aclose()


class _Engines:
    """The engines that a client has opened, by name."""

    def __init__(self, engine: Optional[Engine], options: EngineOptions) -> None:
        self._fixed = engine
        self._options = options
        self._open: dict[str, Engine] = {}
        self._lock = threading.Lock()
        _ENGINES.add(self)

    def get(self, model: Optional[str]) -> Engine:
        """The engine for a model; one that the client was given serves all."""
        if self._fixed is not None:
            return self._fixed
        if model is None:
            raise TypeError("model: is missing")
        with self._lock:
            if model not in self._open:
                self._open[model] = Engine(model, **self._options)
            return self._open[model]

    def close(self) -> None:
        """Lets go of what was opened here."""
        with self._lock:
            for engine in self._open.values():
                engine.close()
            self._open.clear()


# A lock that another thread held at a fork stays locked in the child.
_ENGINES: weakref.WeakSet[_Engines] = weakref.WeakSet()


def _renew_locks() -> None:
    for engines in list(_ENGINES):
        engines._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_locks)


def _wants_usage(fields: dict[str, Any]) -> bool:
    return bool((fields.get("stream_options") or {}).get("include_usage", False))


class _ChatCompletions:
    def __init__(self, engines: _Engines) -> None:
        self._engines = engines

    def create(
        self, *, messages: Any, model: Optional[str] = None, stream: bool = False, **fields: Any
    ) -> Any:
        """A chat.completion, or with ``stream=True`` an iterator over its chunks."""
        engine = self._engines.get(model)
        fields = request_fields({**fields, "model": model})
        if _is_unset(stream) or not stream:
            fields.pop("stream_options", None)
            return to_record(engine.chat(messages, **fields).raw)
        return ChunkStream(engine.chat(messages, stream=True, **fields), _wants_usage(fields))


class _Completions:
    def __init__(self, engines: _Engines) -> None:
        self._engines = engines

    def create(self, *, prompt: str, model: Optional[str] = None, **fields: Any) -> Any:
        """A text_completion."""
        fields = request_fields({**fields, "model": model})
        if fields.pop("stream", False):
            raise NotImplementedError("completions: use Engine.complete() to stream")
        return to_record(self._engines.get(model).complete(prompt, **fields).raw)


class _Models:
    def __init__(self, engines: _Engines) -> None:
        self._engines = engines

    def list(self, model: Optional[str] = None) -> Any:
        """The models of the service that ``model`` is at."""
        return to_record({"object": "list", "data": self._engines.get(model).models()})


class _Chat:
    def __init__(self, completions: Any) -> None:
        self.completions = completions


class OpenAI(Closing):
    """A client for engines, in the shape of ``openai.OpenAI``. Any thread."""

    def __init__(
        self,
        *,
        engine: Optional[Engine] = None,
        timeout: Optional[float] = None,
        default_headers: Optional[Mapping[str, str]] = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        """``engine`` serves every model name; without it, engines are opened with the options
        (``api_key``, ``base_url``, ``max_retries``, ...) as they are asked for. ``timeout`` is
        in seconds, for a whole answer."""
        options = client_options(engine, timeout, default_headers, options)
        self._engines = _Engines(engine, options)
        self.chat = _Chat(_ChatCompletions(self._engines))
        self.completions = _Completions(self._engines)
        self.models = _Models(self._engines)

    def close(self) -> None:
        """Lets go of the engines that the client opened."""
        self._engines.close()


class _AsyncChatCompletions:
    def __init__(self, engines: _Engines) -> None:
        self._engines = engines

    async def create(
        self, *, messages: Any, model: Optional[str] = None, stream: bool = False, **fields: Any
    ) -> Union[Record, AsyncChunkStream]:
        """A chat.completion, or with ``stream=True`` an asynchronous iterator over its chunks."""
        engine = aio.AsyncEngine(await asyncio.to_thread(self._engines.get, model))
        fields = request_fields({**fields, "model": model})
        if _is_unset(stream) or not stream:
            fields.pop("stream_options", None)
            answer = await engine.chat(messages, **fields)
            record: Record = to_record(answer.raw)
            return record
        return AsyncChunkStream(engine.chat(messages, stream=True, **fields), _wants_usage(fields))


class AsyncOpenAI(AsyncClosing):
    """As :class:`OpenAI`, for asyncio: ``chat.completions`` alone."""

    def __init__(
        self,
        *,
        engine: Optional[Engine] = None,
        timeout: Optional[float] = None,
        default_headers: Optional[Mapping[str, str]] = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        options = client_options(engine, timeout, default_headers, options)
        self._engines = _Engines(engine, options)
        self.chat = _Chat(_AsyncChatCompletions(self._engines))

    async def close(self) -> None:
        """Lets go of the engines that the client opened."""
        self._engines.close()
