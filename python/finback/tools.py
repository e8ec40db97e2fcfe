"""Functions that a model calls: with checked arguments, their results as messages, in rounds with a
limit."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .definitions import PLAIN, SEQUENCES, UNIONS, type_hints
from .definitions import ToolFunction as ToolFunction
from .definitions import parse_docstring as parse_docstring
from .definitions import tool_definition as tool_definition
from .errors import ToolLoopError
from .request import Messages, message_list, to_json
from .response import ChatResponse, ToolCall


@dataclasses.dataclass(frozen=True)
class ToolRun:
    """What came of a run: the last answer, the whole conversation, and how many answers it took."""

    response: ChatResponse
    messages: list[Mapping[str, Any]]
    rounds: int

    @property
    def text(self) -> str:
        """The last answer's text."""
        return self.response.text


def check_arguments(function: ToolFunction, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the function's types: enums, dataclasses and models are made of JSON.

    Errors: ``TypeError`` or ``ValueError``, saying which argument does not fit."""
    signature = inspect.signature(function)
    name = getattr(function, "__name__", type(function).__name__)
    unknown = [key for key in arguments if key not in signature.parameters]
    if unknown:
        raise TypeError(f"{name}: no such argument: {', '.join(unknown)}")
    absent = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty and parameter.name not in arguments
    ]
    if absent:
        raise TypeError(f"{name}: missing: {', '.join(absent)}")
    hints = type_hints(function)
    return {
        key: convert(value, hints.get(key, Any), f"{name}: {key}")
        for key, value in arguments.items()
    }


def convert(value: Any, hint: Any, where: str) -> Any:
    """JSON as a type; ``TypeError`` or ``ValueError`` when it does not fit."""
    if hint is Any or hint is inspect.Parameter.empty:
        return value
    if hasattr(hint, "__metadata__"):
        return convert(value, hint.__origin__, where)
    if hint is None or hint in PLAIN:
        return _convert_plain(value, type(None) if hint is None else hint, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if not any(value == choice and type(value) is type(choice) for choice in arguments):
            raise ValueError(f"{where}: must be one of {list(arguments)}, got {value!r}")
        return value
    if origin in UNIONS:
        return _convert_union(value, arguments, where)
    container = origin or hint
    if container in SEQUENCES or container is Sequence:
        return _convert_sequence(value, container, arguments, where)
    if container is dict or container is Mapping:
        _expect(value, dict, "an object", where)
        item = arguments[1] if arguments else Any
        return {key: convert(inner, item, f"{where}.{key}") for key, inner in value.items()}
    return _convert_class(value, hint, where)


def _expect(value: Any, kind: type, described: str, where: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{where}: expected {described}, got {json.dumps(value)}")


def _convert_plain(value: Any, hint: type, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise TypeError(f"{where}: expected {PLAIN[hint]}, got {json.dumps(value)}")
    return value


def _convert_union(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    for choice in choices:
        try:
            return convert(value, choice, where)
        except (TypeError, ValueError):
            continue
    names = ", ".join(getattr(choice, "__name__", str(choice)) for choice in choices)
    raise TypeError(f"{where}: expected one of {names}, got {json.dumps(value)}")


def _convert_sequence(value: Any, container: Any, arguments: tuple[Any, ...], where: str) -> Any:
    _expect(value, list, "a list", where)
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise ValueError(f"{where}: expected {len(arguments)} items, got {len(value)}")
        hints: Sequence[Any] = arguments
    else:
        hints = [arguments[0] if arguments else Any] * len(value)
    items = [
        convert(item, hint, f"{where}[{index}]")
        for index, (item, hint) in enumerate(zip(value, hints))
    ]
    return items if container is Sequence else container(items)


def _convert_class(value: Any, hint: Any, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            choices = [member.value for member in hint]
            raise ValueError(f"{where}: must be one of {choices}, got {value!r}") from None
    if hasattr(hint, "model_validate"):
        return hint.model_validate(value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        _expect(value, dict, "an object", where)
        return hint(**check_arguments(hint, value))
    _expect(value, dict, "an object", where)  # a TypedDict
    return value


def call_tool(functions: Mapping[str, ToolFunction], call: ToolCall) -> Any:
    """Calls what the model asked for; an awaitable where the function is asynchronous. What goes
    wrong comes back as {"error": ...}: the model can do something about it."""
    function = functions.get(call.name)
    if function is None:
        return {"error": f"no tool is called {call.name!r}; there are: {', '.join(functions)}"}
    try:
        return function(**check_arguments(function, call.parsed()))
    except Exception as error:  # pylint: disable=broad-except
        return tool_error(error)


def tool_error(error: Exception) -> dict[str, str]:
    """What the model is told of an exception: its class and text, no traceback."""
    return {"error": f"{type(error).__name__}: {error}"}


def tool_message(call: ToolCall, result: Any) -> dict[str, Any]:
    """The message that answers a call: text as it is, other values in JSON."""
    if isinstance(result, str):
        content = result
    elif hasattr(result, "model_dump_json"):
        content = result.model_dump_json()
    else:
        if dataclasses.is_dataclass(result) and not isinstance(result, type):
            result = dataclasses.asdict(result)
        try:
            content = to_json(result)
        except (TypeError, ValueError):
            content = str(result)
    return {"role": "tool", "tool_call_id": call.id, "content": content}


def function_table(tools: Sequence[ToolFunction]) -> dict[str, ToolFunction]:
    """The functions by the names that the model knows them by."""
    table: dict[str, ToolFunction] = {}
    for function in tools:
        name = getattr(function, "__name__", type(function).__name__)
        if name in table:
            raise ValueError(f"two tools are called {name!r}")
        table[name] = function
    return table


class Rounds:
    """One run's conversation, and its limit of answers: the part that does not wait."""

    def __init__(self, messages: Messages, tools: Sequence[ToolFunction], max_rounds: int) -> None:
        if max_rounds < 1:
            raise ValueError(f"max_rounds: must be at least 1, got {max_rounds}")
        self.functions = function_table(tools)
        self.definitions = [tool_definition(function) for function in tools]
        self.messages = message_list(messages)
        self.max_rounds = max_rounds
        self.count = 0

    def take(self, answer: ChatResponse) -> Optional[ToolRun]:
        """Adds an answer; the run, when that was the last."""
        self.count += 1
        self.messages.append(answer.message)
        if not answer.tool_calls:
            return ToolRun(answer, self.messages, self.count)
        if self.count >= self.max_rounds:
            names = ", ".join(call.name for call in answer.tool_calls)
            raise ToolLoopError(
                f"still calling tools ({names}) after {self.count} answers; raise max_rounds if "
                "that is right"
            )
        return None
