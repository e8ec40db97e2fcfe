"""Answers as values: of a Pydantic model, of any type that Pydantic validates, or JSON that fits a
schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from .errors import InvalidRequestError, SchemaError, UnsupportedError
from .request import Messages, message_list
from .response import ChatResponse

T = TypeVar("T")

_INSTRUCTION = (
    "Answer with one JSON value and nothing else: no explanation, no code fence. It must be valid "
    "under this JSON schema:\n"
)


@dataclass(frozen=True)
class Structured(Generic[T]):
    """A value, and the answer that it was read from."""

    value: T
    response: ChatResponse


@dataclass(frozen=True)
class Target:
    """What an answer must become: the schema that the model sees, and the check of its text."""

    name: str
    schema: dict[str, Any]
    #: Raises ``ValueError`` with a sentence about what does not fit.
    read: Callable[[str], Any]


def target_of(schema: Union[type[Any], Mapping[str, Any]]) -> Target:
    """The target for a type or a JSON schema."""
    if isinstance(schema, Mapping):
        return _schema_target(schema)
    try:
        import pydantic  # optional: for types alone
    except ImportError as error:
        raise ImportError(
            "structured output of a type needs pydantic: install it, or give a JSON schema"
        ) from error
    adapter: Any = pydantic.TypeAdapter(schema)

    def read(text: str) -> Any:
        # Its ValidationError is a ValueError, and says which field does not fit.
        return adapter.validate_json(text)

    name = re.sub(r"[^A-Za-z0-9_-]", "_", getattr(schema, "__name__", "answer"))
    return Target(name, adapter.json_schema(), read)


def _schema_target(schema: Mapping[str, Any]) -> Target:
    try:
        import jsonschema  # optional: for schemas alone
    except ImportError as error:
        raise ImportError(
            "checking an answer against a JSON schema needs jsonschema: install it, or give a "
            "Pydantic model"
        ) from error
    plain = dict(schema)
    validator = jsonschema.validators.validator_for(plain)
    validator.check_schema(plain)

    def read(text: str) -> Any:
        value = json.loads(text)
        problem = jsonschema.exceptions.best_match(validator(plain).iter_errors(value))
        if problem is not None:
            raise ValueError(f"{problem.json_path}: {problem.message}")
        return value

    title = plain.get("title", "answer")
    return Target(re.sub(r"[^A-Za-z0-9_-]", "_", str(title)) or "answer", plain, read)


def response_format(target: Target) -> dict[str, Any]:
    """The field that asks a service for the schema."""
    return {
        "type": "json_schema",
        "json_schema": {"name": target.name, "schema": target.schema},
    }


def instructed(messages: Messages, target: Target) -> list[Mapping[str, Any]]:
    """The conversation with the schema as an instruction, for models that take no schema."""
    rows = message_list(messages)
    text = _INSTRUCTION + json.dumps(target.schema)
    if rows and rows[0].get("role") == "system" and isinstance(rows[0].get("content"), str):
        return [{**rows[0], "content": rows[0]["content"] + "\n\n" + text}, *rows[1:]]
    return [{"role": "system", "content": text}, *rows]


def strip_fence(text: str) -> str:
    """The text without a code fence around it, which models like to put there."""
    fenced = re.fullmatch(r"\s*```[a-zA-Z]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return fenced.group(1) if fenced else text


class Attempts:
    """The conversation of a structured answer, and how many repairs are left: the part that does
    not wait."""

    def __init__(
        self, messages: Messages, schema: Union[type[Any], Mapping[str, Any]], repairs: int
    ) -> None:
        if repairs < 0:
            raise ValueError(f"repairs: must not be negative, got {repairs}")
        self.target = target_of(schema)
        self._plain = message_list(messages)
        self.messages = list(self._plain)
        self.response_format: dict[str, Any] = response_format(self.target)
        self._left = repairs

    def fall_back(self, error: Exception) -> bool:
        """After a refused request: True when the schema was refused, as in-process models do, and
        the next try states it as an instruction."""
        refused = isinstance(error, UnsupportedError) or (
            isinstance(error, InvalidRequestError) and str(error).startswith("response_format")
        )
        if not refused or self.response_format["type"] != "json_schema":
            return False
        self.response_format = {"type": "json_object"}
        self.messages = instructed(self._plain, self.target)
        return True

    def take(self, answer: ChatResponse) -> Optional[Structured[Any]]:
        """The value, or None when the model shall repair its answer."""
        try:
            return Structured(self.target.read(strip_fence(answer.text)), answer)
        except ValueError as error:
            if self._left == 0:
                failure = SchemaError(f"the answer does not fit {self.target.name}: {error}")
                failure.code = SchemaError.code
                failure.text = answer.text
                raise failure from error
            self._left -= 1
            complaint = f"That is not valid: {error}\nAnswer again, with the JSON value alone."
            self.messages += [answer.message, {"role": "user", "content": complaint}]
            return None
