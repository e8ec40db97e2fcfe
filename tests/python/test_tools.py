"""Functions as tools: what the model is told of them, and what becomes of its calls."""

import dataclasses
import enum
import json
from typing import Annotated, Any, Dict, List, Literal, Optional, Tuple, TypedDict, Union

import pytest

import finback
from finback.response import ToolCall
from finback.tools import call_tool, check_arguments, parse_docstring, tool_message


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


@dataclasses.dataclass
class Place:
    city: str
    country: str = "Norway"


class Point(TypedDict):
    x: float
    y: float


def weather(
    place: Place,
    unit: Unit = Unit.CELSIUS,
    days: Annotated[int, "how many days"] = 1,
    detail: Literal["short", "long"] = "short",
    at: Optional[Point] = None,
    tags: List[str] = [],  # noqa: B006 (only looked at)
    extra: Union[int, str, None] = None,
    table: Optional[Dict[str, float]] = None,
    pair: Tuple[int, str] = (1, "a"),
) -> str:
    """Tells the weather.

    Of any place.

    Args:
        place: where
        unit (Unit): of temperature,
            in words
        tags: labels: any

    Returns:
        text: not a parameter
    """
    return f"{place.city}, {place.country}: {unit.value} {days} {detail} {at} {tags} {extra} {pair}"


def test_a_definition_comes_from_signature_and_docstring():
    definition = finback.tool_definition(weather)
    assert definition["type"] == "function"
    function = definition["function"]
    assert function["name"] == "weather"
    assert function["description"] == "Tells the weather.\n\nOf any place."
    parameters = function["parameters"]
    assert parameters["required"] == ["place"] and parameters["additionalProperties"] is False
    properties = parameters["properties"]
    assert properties["place"]["properties"]["city"] == {"type": "string"}
    assert properties["place"]["required"] == ["city"]
    assert properties["place"]["description"] == "where"
    assert properties["unit"] == {
        "enum": ["celsius", "kelvin"],
        "description": "of temperature, in words",
    }
    assert properties["days"] == {"type": "integer", "description": "how many days", "default": 1}
    assert properties["detail"] == {"enum": ["short", "long"], "default": "short"}
    assert properties["at"]["anyOf"][1] == {"type": "null"}
    assert properties["at"]["anyOf"][0]["required"] == ["x", "y"]
    assert properties["tags"]["items"] == {"type": "string"}
    assert properties["tags"]["description"] == "labels: any"
    assert [choice["type"] for choice in properties["extra"]["anyOf"]] == [
        "integer",
        "string",
        "null",
    ]
    assert properties["pair"]["maxItems"] == 2


SPHINX = """One.

:param int a: the first
:param b: the
    second
:returns: c"""
NUMPY = """One.

Parameters
----------
a : int
    the first
b
    the
    second

Returns
-------
int
    c"""
GOOGLE = """One.

Args:
    a: the first
    b (int): the
        second

Returns:
    c: no"""
BOTH = {"a": "the first", "b": "the second"}


@pytest.mark.parametrize(
    "text, expected",
    [(SPHINX, BOTH), (NUMPY, BOTH), (GOOGLE, BOTH), ("One.", {}), ("", {})],
)
def test_docstrings_in_three_styles(text, expected):
    summary, descriptions = parse_docstring(text)
    assert descriptions == expected
    assert summary == ("One." if text else "")


def test_functions_that_cannot_be_tools_say_why():
    with pytest.raises(TypeError, match=r"f: a tool cannot take \*args"):
        finback.tool_definition(named("f", lambda *args: 0))
    with pytest.raises(TypeError, match="g: x: no JSON schema for <class 'object'>"):

        def g(x: object) -> None: ...

        finback.tool_definition(g)
    with pytest.raises(TypeError, match="cannot be passed by name"):

        def h(x, /) -> None: ...

        finback.tool_definition(h)


def named(name, function):
    function.__name__ = name
    return function


def test_arguments_become_the_types_of_the_function():
    arguments = check_arguments(
        weather,
        {
            "place": {"city": "Oslo"},
            "unit": "kelvin",
            "days": 2.0,
            "at": {"x": 1, "y": 2.5},
            "tags": ["a"],
            "pair": [3, "b"],
        },
    )
    assert arguments["place"] == Place("Oslo") and arguments["unit"] is Unit.KELVIN
    assert arguments["days"] == 2 and isinstance(arguments["days"], int)
    assert arguments["pair"] == (3, "b")
    assert weather(**arguments).startswith("Oslo, Norway: kelvin 2")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "missing: place"),
        ({"place": {"city": "x"}, "colour": 1}, "no such argument: colour"),
        ({"place": "Oslo"}, "place: expected an object"),
        ({"place": {}}, "missing: city"),
        ({"place": {"city": "x"}, "unit": "rankine"}, "unit: must be one of"),
        ({"place": {"city": "x"}, "days": "2"}, "days: expected integer"),
        ({"place": {"city": "x"}, "days": True}, "days: expected integer"),
        ({"place": {"city": "x"}, "days": 2.5}, "days: expected integer"),
        ({"place": {"city": "x"}, "detail": "none"}, "detail: must be one of"),
        ({"place": {"city": "x"}, "tags": ["a", 1]}, r"tags\[1\]: expected string"),
        ({"place": {"city": "x"}, "extra": 1.5}, "extra: expected one of"),
        ({"place": {"city": "x"}, "table": {"k": "v"}}, "table: expected one of"),
        ({"place": {"city": "x"}, "pair": [1]}, "pair: expected 2 items"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_arguments(weather, arguments)


def test_what_goes_wrong_is_told_to_the_model():
    def fails() -> None:
        raise RuntimeError("out of order")

    table = {"fails": fails, "weather": weather}
    assert call_tool(table, ToolCall("1", "fails", "{}")) == {"error": "RuntimeError: out of order"}
    assert "no tool is called 'x'" in call_tool(table, ToolCall("1", "x", "{}"))["error"]
    assert "error" in call_tool(table, ToolCall("1", "weather", "{"))
    assert "error" in call_tool(table, ToolCall("1", "weather", "[]"))
    assert call_tool({"f": lambda: 3}, ToolCall("1", "f", "")) == 3


def test_results_become_text():
    call = ToolCall("7", "f", "{}")
    assert tool_message(call, "plain")["content"] == "plain"
    assert tool_message(call, {"a": [1, None]})["content"] == '{"a": [1, null]}'
    assert json.loads(tool_message(call, Place("Oslo"))["content"])["country"] == "Norway"
    assert tool_message(call, None) == {"role": "tool", "tool_call_id": "7", "content": "null"}
    assert "object" in tool_message(call, object())["content"]


def test_a_run_calls_and_answers(service):
    cities = []

    def get_weather(city: str) -> Dict[str, Any]:
        """Tells the weather."""
        cities.append(city)
        return {"sky": "clear"}

    def get_time() -> str:
        return "noon"

    run = service.open("tools.then.answer~run").run_tools("hi", [get_weather, get_time])
    assert run.text.startswith("It is 4") and run.rounds == 2 and cities == ["Oslo"]
    roles = [message["role"] for message in run.messages]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]
    assert run.messages[2]["content"] == '{"sky": "clear"}'
    assert run.messages[2]["tool_call_id"] == "call_00_a"
    second = json.loads(service.log("tools.then.answer~run")[1]["body"])
    assert [message["role"] for message in second["messages"]] == roles[:4]


def test_a_run_has_a_limit(service):
    calls = []

    def get_weather(city: str) -> str:
        calls.append(city)
        return "clear"

    with pytest.raises(finback.ToolLoopError, match=r"get_weather.* after 3 answers"):
        service.open("tool").run_tools("hi", [get_weather], max_rounds=3)
    assert len(calls) == 2
    with pytest.raises(ValueError, match="max_rounds"):
        service.open("tool").run_tools("hi", [get_weather], max_rounds=0)


@pytest.mark.parametrize("thinking", [True, False])
def test_krill_calls_tools_in_process(krill, thinking):
    calls = []

    def multiply(a: int, b: int) -> int:
        """Multiplies two numbers."""
        calls.append((a, b))
        return a * b

    run = krill.run_tools("What is 17 * 25?", [multiply], thinking=thinking)
    assert calls == [(17, 25)]
    assert run.rounds == 2 and run.text == "17 * 25 = 425."


def test_a_run_without_calls_is_a_chat(krill):
    def add(a: int, b: int) -> int:
        return a + b

    run = krill.run_tools("What is 17 + 25?", [add], tool_choice="none")
    assert run.rounds == 1 and run.text == "17 + 25 = 42."


def test_two_tools_cannot_share_a_name(krill):
    with pytest.raises(ValueError, match="two tools are called 'f'"):
        krill.run_tools("hi", [named("f", lambda: 1), named("f", lambda: 2)])


def test_asynchronous_tools_need_asyncio(service):
    async def get_weather(city: str) -> str:
        return city

    with pytest.raises(TypeError, match="finback.aio"):
        service.open("tool").run_tools("hi", [get_weather])
