"""Python functions as the definitions of tools: described by signature and docstring."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, Union

#: A function that a model may call; its result is sent back as text, or as JSON.
ToolFunction = Callable[..., Any]

#: Types that JSON has itself; those that become lists; those that are a choice of others.
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
SEQUENCES = (list, tuple, set, frozenset)
UNIONS = (Union, getattr(types, "UnionType", Union))


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
    hints = type_hints(function)
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


def type_hints(function: ToolFunction) -> dict[str, Any]:
    """The types of its parameters. Errors: ``TypeError`` (a hint names what is not there)."""
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
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if hint is None:
        return {"type": "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hasattr(hint, "__metadata__"):  # Annotated
        schema = type_schema(hint.__origin__, where)
        texts = [note for note in hint.__metadata__ if isinstance(note, str)]
        return {**schema, "description": texts[0]} if texts else schema
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in UNIONS:
        return {"anyOf": [type_schema(argument, where) for argument in arguments]}
    container = origin or hint
    if container in SEQUENCES or container is Sequence:
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
