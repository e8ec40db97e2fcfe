"""Python functions as tools: described by signature and docstring, called with checked arguments,
in a loop with a limit."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import types
import typing
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .errors import ToolLoopError
from .request import Messages, Thinking, message_list, to_json
from .response import ChatResponse, ToolCall

if TYPE_CHECKING:
    from .engine import _Chats

#: A function that a model may call; its result is sent back as text, or as JSON.
ToolFunction = Callable[..., Any]

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_SEQUENCES = (list, tuple, set, frozenset)
_UNIONS = (Union, getattr(types, "UnionType", Union))


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


# ---- Functions to definitions --------------------------------------------------------------------


def tool_definition(function: ToolFunction) -> dict[str, Any]:
    """The definition of a function, in the shape of Chat Completions.

    Types may be plain ones, lists and dictionaries of them, ``Literal``, ``Enum``, ``Optional``,
    ``Union``, dataclasses, ``TypedDict``, Pydantic models, and ``Annotated[type, "description"]``.
    Descriptions of parameters are taken from there, or from the docstring (the styles of Google,
    NumPy and Sphinx). Errors: ``TypeError`` (a parameter that JSON cannot name or hold).

    >>> def count(word: str, in_text: str, ignore_case: bool = False) -> int:
    ...     '''Counts a word.
    ...
    ...     Args:
    ...         word: what to look for
    ...     '''
    ...     return in_text.count(word)
    >>> definition = tool_definition(count)["function"]
    >>> definition["description"], definition["parameters"]["required"]
    ('Counts a word.', ['word', 'in_text'])
    >>> definition["parameters"]["properties"]["word"]
    {'type': 'string', 'description': 'what to look for'}
    """
    name = getattr(function, "__name__", type(function).__name__)
    summary, descriptions = parse_docstring(inspect.getdoc(function) or "")
    hints = _type_hints(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD or parameter.kind is parameter.VAR_POSITIONAL:
            raise TypeError(f"{name}: a tool cannot take *{parameter.name}: name its parameters")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{name}: {parameter.name} cannot be passed by name")
        schema = type_schema(hints.get(parameter.name, Any), f"{name}: {parameter.name}")
        if parameter.name in descriptions:
            schema.setdefault("description", descriptions[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif _is_json(parameter.default):
            schema.setdefault("default", parameter.default)
        properties[parameter.name] = schema
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        parameters["required"] = required
    parameters["additionalProperties"] = False
    described = {"name": name, "description": summary} if summary else {"name": name}
    return {"type": "function", "function": {**described, "parameters": parameters}}


def _type_hints(function: ToolFunction) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(f"{function!r}: a type hint names what is not there: {error}") from error


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def type_schema(hint: Any, where: str) -> dict[str, Any]:
    """The JSON schema of a type; ``where`` names it in errors."""
    if hint is Any or hint is inspect.Parameter.empty:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is None:
        return {"type": "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hasattr(hint, "__metadata__"):  # Annotated
        schema = type_schema(hint.__origin__, where)
        texts = [note for note in hint.__metadata__ if isinstance(note, str)]
        return {**schema, "description": texts[0]} if texts else schema
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in _UNIONS:
        return {"anyOf": [type_schema(argument, where) for argument in arguments]}
    container = origin or hint
    if container in _SEQUENCES or container is Sequence:
        return _sequence_schema(container, arguments, where)
    if container is dict or container is Mapping:
        if not arguments:
            return {"type": "object"}
        return {"type": "object", "additionalProperties": type_schema(arguments[1], where)}
    if isinstance(hint, type):
        return _class_schema(hint, where)
    raise TypeError(f"{where}: no JSON schema for {hint!r}")


def _sequence_schema(container: Any, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        items = [type_schema(argument, where) for argument in arguments]
        return {
            "type": "array",
            "prefixItems": items,
            "minItems": len(items),
            "maxItems": len(items),
        }
    schema: dict[str, Any] = {"type": "array"}
    if arguments:
        schema["items"] = type_schema(arguments[0], where)
    if container in (set, frozenset):
        schema["uniqueItems"] = True
    return schema


def _class_schema(hint: type, where: str) -> dict[str, Any]:
    if issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if hasattr(hint, "model_json_schema"):
        return dict(hint.model_json_schema())
    if dataclasses.is_dataclass(hint) or hasattr(hint, "__total__"):
        hints = typing.get_type_hints(hint, include_extras=True)
        if dataclasses.is_dataclass(hint):
            required = [
                field.name
                for field in dataclasses.fields(hint)
                if field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            ]
        else:
            required = sorted(getattr(hint, "__required_keys__", hints))
        properties = {name: type_schema(value, f"{where}.{name}") for name, value in hints.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    raise TypeError(f"{where}: no JSON schema for {hint!r}")


_SECTION = re.compile(r"^(Args|Arguments|Parameters|Params):?\s*$")
_OTHER_SECTION = re.compile(
    r"^(Returns?|Raises|Yields?|Examples?|Notes?|See Also|Attributes):?\s*$"
)
_SPHINX = re.compile(r"^:param (?:[^:]*\s)?\*{0,2}(\w+):\s*(.*)$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")


def parse_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says before its sections, and of each parameter."""
    summary: list[str] = []
    descriptions: dict[str, str] = {}
    section = "summary"
    current: Optional[str] = None
    entry_indent = -1
    numpy_style = False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        sphinx = _SPHINX.match(stripped)
        if sphinx:
            current, section = sphinx.group(1), "sphinx"
            descriptions[current] = sphinx.group(2)
        elif _SECTION.match(stripped) or _OTHER_SECTION.match(stripped):
            section = "parameters" if _SECTION.match(stripped) else "other"
            current, entry_indent = None, -1
            numpy_style = lines[number + 1 : number + 2] != [] and set(
                lines[number + 1].strip()
            ) == {"-"}
        elif section == "summary":
            summary.append(line)
        elif stripped.startswith(":"):
            section = "other"
        elif section == "sphinx" and current and stripped:
            descriptions[current] += " " + stripped
        elif section == "parameters" and stripped and set(stripped) != {"-"}:
            indent = len(line) - len(line.lstrip())
            entry = _ENTRY.match(stripped)
            if entry_indent < 0:
                entry_indent = indent
            if indent <= entry_indent and (entry or numpy_style):
                current = entry.group(1) if entry else stripped
                descriptions[current] = "" if numpy_style or not entry else entry.group(2)
            elif current:
                descriptions[current] = (descriptions[current] + " " + stripped).strip()
    return "\n".join(summary).strip(), {name: text for name, text in descriptions.items() if text}


# ---- Calls ---------------------------------------------------------------------------------------


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
    hints = _type_hints(function)
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
    if hint is None or hint in _PLAIN:
        return _convert_plain(value, type(None) if hint is None else hint, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if not any(value == choice and type(value) is type(choice) for choice in arguments):
            raise ValueError(f"{where}: must be one of {list(arguments)}, got {value!r}")
        return value
    if origin in _UNIONS:
        return _convert_union(value, arguments, where)
    container = origin or hint
    if container in _SEQUENCES or container is Sequence:
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
        raise TypeError(f"{where}: expected {_PLAIN[hint]}, got {json.dumps(value)}")
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


def run_tools(
    chats: _Chats,
    messages: Messages,
    tools: Sequence[ToolFunction],
    *,
    max_rounds: int,
    thinking: Optional[Thinking],
    options: Mapping[str, Any],
) -> ToolRun:
    """See :meth:`finback.Engine.run_tools`."""
    rounds = Rounds(messages, tools, max_rounds)
    while True:
        answer = chats.chat(rounds.messages, tools=rounds.definitions, thinking=thinking, **options)
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
