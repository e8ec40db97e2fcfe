"""Where Finback differs from DeepSeek's official converter on purpose, in prompts: the one list of it.

A difference in what is rendered is written as what the converter must be given, and what becomes of its prompt, so that
the two are equal: everything else in such a request is compared all the same. A difference in what is refused is told by
the words of whoever refuses. compare_recipe.py counts each entry and reports those that no request needs any more.
"""
import copy
import json
import re
from typing import Callable, NamedTuple


class Rendered(NamedTuple):
    about: str
    reason: str
    adapt: Callable  # request -> (request for the converter, its prompt -> the prompt to expect), or None: the same


class Refused(NamedTuple):
    about: str
    reason: str
    words: str  # an expression for the refusal
    is_rendered: bool = True  # whether the prompt, which nobody is given, is compared all the same


def objects(value):
    """The objects of a list; of anything else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def placeholders(body):
    """Every number that Python and Rust spell differently becomes an integer that both spell alike."""
    spellings = {}

    def number(value, spelling):
        placeholder = 4611686018000000000 + len(spellings)
        spellings[str(placeholder)] = spelling
        return placeholder

    def integer(text):
        value = int(text)
        return value if text != "-0" and -2**63 <= value < 2**64 else number(value, str(value))

    def inexact(value):
        text = json.dumps(value)
        return number(value, text) if "e" in text or "n" in text else value

    def replaced(value):
        if isinstance(value, dict):
            return {name: replaced(below) for name, below in value.items()}
        if isinstance(value, list):
            return [replaced(below) for below in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return integer(str(value))
        return inexact(value) if isinstance(value, float) else value

    body = {name: replaced(value) if name in ("tools", "response_format") else copy.deepcopy(value)
            for name, value in body.items()}
    for message in objects(body.get("messages")):
        for call in objects(message.get("tool_calls")):
            function = call.get("function")
            if not isinstance(function, dict):
                continue
            before = len(spellings)
            try:
                value = json.loads(function.get("arguments"), parse_int=integer,
                                   parse_float=lambda text: inexact(float(text)), parse_constant=lambda text: number(0, text))
                text = json.dumps(value, ensure_ascii=False)
                text.encode()
            except (ValueError, TypeError):
                continue
            if isinstance(value, dict) and len(spellings) > before:
                function["arguments"] = text
    if not spellings:
        return None

    def spelled(prompt):
        for placeholder, spelling in spellings.items():
            prompt = prompt.replace(placeholder, spelling)
        return prompt

    return body, spelled


def messages_changed(change):
    """An adaption that changes some messages: `change` takes a copy of one and says whether it did."""

    def adapt(body):
        if not isinstance(body.get("messages"), list):
            return None
        body = copy.deepcopy(body)
        changes = [change(message) for message in objects(body["messages"])]
        return (body, lambda prompt: prompt) if any(changes) else None

    return adapt


def developer(message):
    if message.get("role") != "developer":
        return False
    message["role"] = "system"
    return True


def other_reasoning(message):
    if message.get("reasoning_content") is not None or not isinstance(message.get("reasoning"), str):
        return False
    message["reasoning_content"] = message["reasoning"]
    return message.get("role") == "assistant"


RENDERED = [
    Rendered("numbers", "they are printed as the published encoder prints them, which is Python; so are NaN and infinities",
             placeholders),
    Rendered("developer", "the text of OpenAI's role is system text, where the converter knows no such role",
             messages_changed(developer)),
    Rendered("reasoning", "a turn that came from vLLM or a gateway keeps the reasoning that they call so",
             messages_changed(other_reasoning)),
]

# What a model in this process refuses though the converter renders it.
REFUSED_HERE = [
    Refused("forced tools", "nothing here can hold a model to a call yet; asking for one and getting a text would be worse",
            r"^tool_choice: .*(cannot be forced|is not supported)", is_rendered=False),
    Refused("named tool without tools", "the name is one that nobody offered; the converter takes it for auto",
            r"^tool_choice.function.name: no tool is called"),
    Refused("required without tools", "there is nothing to require; the converter takes it for auto",
            r'^tool_choice: "required" needs tools'),
    Refused("json_schema", "nothing here can hold a model to a schema yet",
            r'^response_format.type: "json_schema" is not supported'),
    Refused("schema true", "a schema that says nothing is a mistake; {} says it too",
            r"^response_format.json_schema.schema: expected an object"),
    Refused("regex", "nothing here can hold a model to an expression yet", r"^response_format.type: must be .* got .regex"),
    Refused("strict tools", "nothing here can hold a model to a schema yet", r"^tools\[\d+\].function.strict: is not supported",
            is_rendered=False),
    Refused("parallel_tool_calls", "nothing here keeps a model to one call; the converter ignores it",
            r"^parallel_tool_calls: cannot be turned off"),
    Refused("obsolete functions", "they would be ignored, and the tools with them",
            r"^(functions|function_call): is obsolete"),
    Refused("fields of other roles", "what stands on the wrong message would be ignored",
            r"^messages\[\d+\]\.\w+: only "),
    Refused("tools that are not offered", "they must be tools all the same; the converter does not look at them",
            r"is defined twice|^tools\[\d+\]\.function\.parameters: expected"),
    Refused("names of tool messages", "it is a string, as others' names and reasoning are; the converter does not look at it",
            r"^messages\[\d+\]\.(name|reasoning): expected a string"),
    Refused("sampling", "fields of other engines that the converter does not know have bounds here",
            r"^(top_k|min_p|logit_bias|max_completion_tokens)\b"),
]

# What a model in this process takes though the converter answers 400, by what finback encode --check-service says of it.
TAKEN_HERE = [
    Refused("no content", "a turn without text is an empty one", r"\.content: an answer needs content or tool_calls"),
    Refused("no calls", "an empty list is none", r"\.tool_calls: must not be empty"),
    Refused("results", "a conversation that broke off goes on all the same",
            r"\.tool_calls: the call .* has no result|\.tool_call_id: no call right before"),
    Refused("equal ids", "calls keep their order", r"\.id: another call of this turn"),
    Refused("reasoning of calls", "what is missing is empty", r"\.reasoning_content: is needed"),
    Refused("role developer", "it is system text", r"\.role: the service knows no role .developer"),
    Refused("prefix with tools", "an answer can go on behind calls", r"^(tools|messages): an answer is not continued"),
    Refused("prefix with json_object", "the instruction is no guarantee", r"json_object does not go together with prefix"),
    Refused("the word json", "the instruction stands in the prompt by itself", r"needs the word .json"),
    Refused("schemas", "a tool's parameters are shown as they are", r"^tools\[\d+\]\.function\.parameters"),
    Refused("limits", "as many tokens as the context holds, and any seed of 64 bits", r"^(max_tokens|seed): is out of"),
    Refused("stream_options", "they say nothing about the text", r"^stream_options\b"),
    Refused("budget_tokens", "it has no effect", r"^thinking\.budget_tokens"),
    Refused("shape of calls", "ids and types of calls may be missing, and null is missing",
            r"\.tool_calls\[\d+\]\.(id|type): |\.tool_call_id: (is missing|expected a string, found null)"),
    Refused("parts of reminders", "a list of parts is one text, whatever the role", r"\.content: expected a string, found a list"),
    Refused("images", "an image that cannot be seen needs no address", r"\.image_url(\.url|\.detail)?: |\.file_id: "),
]

# What the converter answers 400 though finback encode --check-service finds nothing.
NOT_CHECKED = [
    Refused("anchors", "references by anchor, which no generator writes, are not followed", r"Anchor '.*' does not exist"),
]
