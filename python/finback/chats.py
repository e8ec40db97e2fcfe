"""The calls of engines and sessions, each with its parameters once. Two families are made of them: in
:mod:`finback.engine` a call returns when it is done, in :mod:`finback.aio` it is awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING, Any, Generic, Literal, Optional, TypeVar, Union, overload

from . import _finback
from .definitions import ToolFunction
from .request import Messages, Thinking, Tool, chat_json, completion_json, message_list

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .request import ChatOptions, CompletionOptions

#: What a family's calls give: an answer, or what is awaited for it; its stream; a run with tools.
AnswerT = TypeVar("AnswerT")
StreamT = TypeVar("StreamT")
RunT = TypeVar("RunT")
#: The same of continued text.
TextT = TypeVar("TextT")
TextStreamT = TypeVar("TextStreamT")

#: What says whether a request asked for logprobs.
Logprobs = Union[bool, int, None]


class Chats(Generic[AnswerT, StreamT, RunT]):
    """What engines and sessions share: everything that begins with a chat."""

    def _start(self, request_json: str) -> _finback.Stream:
        raise NotImplementedError

    def _answer(self, request_json: str, logprobs: Logprobs) -> AnswerT:
        raise NotImplementedError

    def _stream(self, request_json: str, logprobs: Logprobs) -> StreamT:
        raise NotImplementedError

    def _run(
        self,
        messages: Messages,
        tools: SequenceOf[ToolFunction],
        max_rounds: int,
        fields: dict[str, Any],
    ) -> RunT:
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
    ) -> AnswerT: ...

    @overload
    def chat(
        self,
        messages: Messages,
        *,
        stream: Literal[True],
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> StreamT: ...

    def chat(
        self,
        messages: Messages,
        *,
        stream: bool = False,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> Union[AnswerT, StreamT]:
        """Answers a conversation: a list of messages, or a string for one user message.

        With ``stream=True`` the answer comes as an iterator over events, of :mod:`finback.aio` an
        asynchronous one. ``tools`` are definitions or Python functions; ``thinking`` is a switch,
        or an effort such as "low". The other options are the fields of a Chat Completions request,
        with DeepSeek's: ``max_tokens``, ``temperature``, ``seed``, ``stop``, ``logprobs``, ...

        Errors: InvalidRequestError (names the JSON path), ContextFullError, BudgetError,
        CancelledError, RemoteError and its kinds.

        >>> import finback
        >>> engine = finback.open("krill")
        >>> engine.chat("What do baleen whales eat?").text
        'Baleen whales eat krill and small fish, which they filter from the water.'
        """
        request = chat_json(messages, tools, thinking, options)
        logprobs = options.get("logprobs")
        return self._stream(request, logprobs) if stream else self._answer(request, logprobs)

    def run_tools(
        self,
        messages: Messages,
        tools: SequenceOf[ToolFunction],
        *,
        max_rounds: int = 10,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> RunT:
        """Chats, calls the functions that the model asks for, sends back what they return, and
        goes on until the model answers.

        A function is described by its signature and docstring. What it raises, and arguments that
        do not fit, are sent to the model, which may try again. In :mod:`finback.aio` the calls of
        one answer run at the same time; functions that are not asynchronous run on threads.

        Errors: ToolLoopError when the model still calls after ``max_rounds`` answers; those of
        :meth:`chat`.
        """
        return self._run(messages, tools, max_rounds, {"thinking": thinking, **options})


class SessionChats(Chats[AnswerT, StreamT, RunT]):
    """A conversation that keeps itself."""

    #: The conversation that :meth:`send` keeps.
    messages: list[Mapping[str, Any]]

    def _send(self, messages: list[Mapping[str, Any]], fields: dict[str, Any]) -> AnswerT:
        raise NotImplementedError

    def send(
        self,
        message: Union[str, Mapping[str, Any]],
        *,
        tools: Optional[Iterable[Tool]] = None,
        thinking: Optional[Thinking] = None,
        **options: Unpack[ChatOptions],
    ) -> AnswerT:
        """Says the next thing in the conversation and adds the answer to ``messages``. If it
        fails, ``messages`` are as before."""
        said = message_list(message) if isinstance(message, str) else [message]
        fields = {"tools": tools, "thinking": thinking, **options}
        return self._send([*self.messages, *said], fields)


class EngineChats(
    Chats[AnswerT, StreamT, RunT], Generic[AnswerT, StreamT, RunT, TextT, TextStreamT]
):
    """What engines alone can do: continue raw text."""

    def _text(self, request_json: str, logprobs: Optional[int]) -> TextT:
        raise NotImplementedError

    def _text_stream(self, request_json: str, logprobs: Optional[int]) -> TextStreamT:
        raise NotImplementedError

    @overload
    def complete(
        self, prompt: str, *, stream: Literal[False] = False, **options: Unpack[CompletionOptions]
    ) -> TextT: ...

    @overload
    def complete(
        self, prompt: str, *, stream: Literal[True], **options: Unpack[CompletionOptions]
    ) -> TextStreamT: ...

    def complete(
        self, prompt: str, *, stream: bool = False, **options: Unpack[CompletionOptions]
    ) -> Union[TextT, TextStreamT]:
        """Continues raw text. Special tokens in the prompt are recognized unless
        ``recognize_special=False``. Options and errors as for :meth:`chat`.

        >>> import finback
        >>> finback.open("krill").complete("Whales are", max_tokens=1).text
        ' not'
        """
        request = completion_json(prompt, options)
        logprobs = options.get("logprobs")
        return self._text_stream(request, logprobs) if stream else self._text(request, logprobs)
