"""What the official converter refuses, one fault each: functions that change a request (see compare_recipe.py)."""

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


def put(**fields):
    """The request with these fields."""
    return lambda maker, body: body.update(fields)


def on_message(role, /, **fields):
    """A message of that role with these fields."""

    def change(maker, body):
        found = [m for m in body["messages"] if m["role"] == role]
        message = maker.random.choice(found) if found else {"role": role, "content": "c"}
        if not found:
            body["messages"].insert(0, message)
        for name, value in fields.items():
            if value is ...:
                message.pop(name, None)
            else:
                message[name] = value

    return change


def on_part(part):
    return lambda maker, body: body["messages"].insert(0, {"role": "user", "content": [part]})


def on_call(change):
    """A turn with two calls and their results, changed."""

    def apply(maker, body):
        turn = [{"role": "assistant", "content": "", "reasoning_content": "r", "tool_calls": [
            {"id": i, "type": "function", "function": {"name": "f0", "arguments": "{}"}} for i in ("k1", "k2")]}]
        turn += [{"role": "tool", "tool_call_id": i, "content": "x"} for i in ("k1", "k2")]
        change(turn)
        end = len(body["messages"]) - (1 if body["messages"] and body["messages"][-1].get("prefix") else 0)
        body["messages"][end:end] = turn

    return apply


def on_tool(function):
    tool = function if "type" in function or "function" in function else {"type": "function", "function": dict({"name": "t"}, **function)}
    return lambda maker, body: body.update(tools=[tool], tool_choice="auto")


def parameters(schema):
    return on_tool({"parameters": schema})


def strict(schema):
    def change(maker, body):
        body.update(tools=[{"type": "function", "function": {"name": "t", "strict": True, "parameters": schema}}])
        body.pop("response_format", None)
        body.pop("tool_choice", None)

    return change


def any_strict_keyword(maker, body):
    """A strict schema in which a keyword has any value."""
    kind = maker.random.choice([None, "string", "number", "integer", "boolean", "null", "array", ["string", "null"]])
    keyword = maker.random.choice(["description", "pattern", "format", "enum", "const", "default", "minimum", "multipleOf", "minLength",
                                   "exclusiveMaximum", "title", "items", "anyOf", "$ref"])
    value = maker.random.choice([None, "x", "email", 5, 1.5, -1, True, [], ["x"], [5], {}])
    schema = maker.random.choice([{"type": kind}, {"type": kind}, {"anyOf": [{"type": "string"}]}, {"$ref": "#/x"}])
    property = {**schema, keyword: value}
    strict({"type": "object", "properties": {"a": property}})(maker, body)


def prefix_before_the_end(maker, body):
    body["messages"][0:0] = [{"role": "assistant", "content": "p", "prefix": True}]


def prefix_with_tools(maker, body):
    body["tools"] = [maker.tool(0, False)]
    body["messages"].append({"role": "assistant", "content": "p", "prefix": True})


def prefix_with_json(maker, body):
    body.pop("tools", None)
    body["response_format"] = {"type": "json_object"}
    body["messages"] = [{"role": "user", "content": "json"}, {"role": "assistant", "content": "{", "prefix": True}]


def equal_names(maker, body):
    body.update(tools=[maker.tool(0, False)] * 2, tool_choice=maker.random.choice(["auto", "none"]))


def mixed_strict(maker, body):
    body["tools"] = [maker.tool(0, True), maker.tool(1, False)]


def strict_with_format(maker, body):
    body["tools"] = [maker.tool(0, True)]
    body["response_format"] = {"type": "json_object"}


def forced_in_thinking(maker, body):
    body.update(tools=[maker.tool(0, False)], tool_choice="required", thinking={"type": "enabled"})


def twice(turn):
    turn[0]["tool_calls"][1]["id"] = "k1"


def without_id(turn):
    del turn[0]["tool_calls"][0]["id"]


def without_type(turn):
    del turn[0]["tool_calls"][0]["type"]


def with_type(turn):
    turn[0]["tool_calls"][0]["type"] = "custom"


def with_object(turn):
    turn[0]["tool_calls"][0]["function"]["arguments"] = {}


def without_arguments(turn):
    del turn[0]["tool_calls"][0]["function"]["arguments"]


def without_reasoning(turn):
    del turn[0]["reasoning_content"]


CALLS = [on_call(change) for change in (
    twice, without_id, without_type, with_type, with_object, without_arguments, without_reasoning,
    lambda turn: turn.pop(), lambda turn: turn.insert(2, {"role": "user", "content": "u"}),
    lambda turn: turn.insert(1, {"role": "system", "content": "s"}), lambda turn: turn.append(dict(turn[1])),
    lambda turn: turn.pop(0), lambda turn: turn[2].pop("tool_call_id"), lambda turn: turn[1].update(content=None),
    lambda turn: turn[1].update(tool_call_id="other"), lambda turn: turn[1].update(name={}))]
MESSAGES = [
    put(messages=[]), put(messages=None), on_message("user", content=None), on_message("user", content=...),
    on_message("user", content=5), on_message("user", content={"type": "text"}), on_message("system", content=None),
    on_message("assistant", content=None, tool_calls=...), on_message("assistant", content=..., tool_calls=...),
    on_message("assistant", tool_calls=[]), on_message("assistant", reasoning_content=5), on_message("assistant", prefix=1),
    on_message("latest_reminder", content=[]), on_message("latest_reminder", content=None), on_message("user", name=5),
    on_message("user", role="robot"), on_message("user", role="function"), on_message("user", role=...),
    on_message("user", prefix=True), on_message("user", tool_calls=[]), on_message("system", reasoning_content="r"),
    prefix_before_the_end, prefix_with_tools, prefix_with_json]
PARTS = [on_part(part) for part in (
    {"type": "input_audio", "input_audio": {}}, {"type": "video_url"}, {"type": "image_url"}, {"type": "refusal"}, {"text": "x"},
    {"type": "image_url", "image_url": "x"}, {"type": "image_url", "image_url": {}}, {"type": "text"},
    {"type": "image_url", "image_url": {"url": "x", "detail": "foo"}}, {"type": "text", "text": None}, "x")]
# Schemas as generators write them: most are good, whatever they hold.
SCHEMAS = [parameters({"type": "object", **keywords}) for keywords in (
    {"$schema": "http://json-schema.org/draft-07/schema#"}, {"$schema": "https://json-schema.org/draft/2020-12/schema"},
    {"$schema": "foo"}, {"$id": "https://example.com/a"}, {"title": "T", "description": "d", "default": {}, "examples": [{}]},
    {"properties": {"a": {"pattern": "^a+$"}}}, {"properties": {"a": {"pattern": "("}}}, {"properties": {"a": {"pattern": "(?=a)b"}}},
    {"properties": {"a": {"format": "foo"}}}, {"properties": {"a": {"format": 5}}}, {"unevaluatedProperties": False},
    {"properties": {"a": {"$ref": "#"}}}, {"$defs": {"x": OBJECT}, "properties": {"a": {"$ref": "#/$defs/x"}}},
    {"definitions": {"x": {"type": "foo"}}}, {"$defs": {"x": {"type": "foo"}}}, {"properties": {"a": {"$ref": "other.json"}}},
    {"properties": {"a": {"const": None}}}, {"if": {}, "then": {}, "else": False}, {"dependentRequired": {"a": ["b"]}},
    {"properties": {"a": {"type": "array", "items": [{}]}}}, {"properties": {"a": {"type": "array", "prefixItems": [{}]}}},
    {"properties": {"a": {"type": "array", "minContains": 1, "contains": {}}}}, {"properties": {"a": True, "b": False}},
    {"properties": {"a": {"type": "string", "nullable": True}}}, {"properties": {"a": {"enum": []}}},
    {"properties": {"a": {"enum": [1, 1]}}}, {"properties": {"a": {"minLength": -1}}}, {"properties": {"a": {"minLength": 1.5}}},
    {"properties": {"a": {"multipleOf": 0}}}, {"properties": {"a": {"type": []}}}, {"properties": {"a": {"type": ["string", "null"]}}},
    {"properties": {"a": {"anyOf": []}}}, {"properties": {"a": {"anyOf": {}}}}, {"properties": {"a": {"not": 5}}},
    {"properties": {"a": 5}}, {"additionalProperties": {"type": "string"}}, {"additionalProperties": 5}, {"patternProperties": {"(": {}}},
    {"propertyNames": {"pattern": "a"}}, {"maxProperties": "1"}, {"properties": {"a": {"uniqueItems": 1}}},
    {"properties": {"a": {"exclusiveMinimum": True}}}, {"properties": {"a": {"minimum": "1"}}}, {"x-vendor": 5, "strict": True},
    {"properties": {"a": {"contentEncoding": "base64"}}}, {"properties": {"a": {"description": 5}}}, {"required": ["z"]},
    {"required": [1]}, {"$comment": "c", "readOnly": True, "deprecated": True}, {"properties": {"a": {"$dynamicRef": "#x"}}},
    {"properties": {"a": {"oneOf": [{"type": "string"}, {"$ref": "#/properties/a"}]}}}, {"allOf": [{"$ref": "#/$defs/x"}]})]
TOOLS = [
    parameters({}), parameters({"type": "string"}), parameters({"type": ["object"]}), parameters({"anyOf": [OBJECT]}),
    parameters({"type": "object", "properties": 5}), parameters({"type": "object", "properties": {"a": {"type": "foo"}}}),
    parameters({"type": "object", "required": "a"}), parameters({"type": "object", "required": ["a", "a"]}),
    parameters({"type": "object", "properties": {"a": {"$ref": "#/nope"}}}), parameters([]), parameters("x"),
    on_tool({"name": ""}), on_tool({"name": "a b"}), on_tool({"name": "a" * 129}), on_tool({"name": None}),
    on_tool({"description": 5}), on_tool({"strict": 5}), on_tool({"type": "web_search"}), on_tool({"function": {"name": "f"}}),
    put(tools={}), equal_names,
    put(tool_choice="any"), put(tool_choice=5), put(tool_choice={"type": "tool"}),
    put(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice={"type": "function", "function": {"name": "z"}}),
    put(tool_choice={"type": "function", "name": "f"}), forced_in_thinking, *[any_strict_keyword] * 20, mixed_strict, strict_with_format,
    strict(OBJECT), strict({"type": "object"}), strict(None), strict({}), strict(dict(OBJECT, required=[])),
    strict(dict(OBJECT, required=["a"])), strict(dict(OBJECT, additionalProperties=True)),
    strict(dict(OBJECT, additionalProperties=False)), strict({"type": "object", "properties": {"a": {"type": "object"}}}),
    strict({"type": "object", "properties": {"a": {"type": "array"}}}),
    strict({"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}]}}}),
    strict({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {}}]}}}),
    strict({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}, "b": {"type": ["string", "null"]}}})]
FORMATS = [put(response_format=value) for value in (
    {"type": "json_object"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "n"}},
    {"type": "json_schema", "json_schema": {"name": 5, "schema": OBJECT}}, {"type": "regex"}, {"type": "foo"}, {}, "json_object",
    {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "foo"}}},
    {"type": "json_schema", "json_schema": {"name": "n", "schema": 5}}, {"type": "json_schema", "json_schema": {"schema": True}}, {"type": "json_object", "x": 1})]
FIELDS = [put(**fields) for fields in (
    {"thinking": {}}, {"thinking": {"type": "auto"}}, {"thinking": True}, {"reasoning_effort": "foo"}, {"reasoning_effort": ""},
    {"reasoning_effort": "HIGH"}, {"temperature": 2.5}, {"temperature": -1}, {"temperature": "1"}, {"top_p": 0}, {"top_p": 1.5},
    {"presence_penalty": 3}, {"frequency_penalty": -2.5}, {"n": 0}, {"n": 2}, {"n": 129}, {"stop": ""}, {"stop": [""]},
    {"stop": ["a"] * 17}, {"stop": [1]}, {"stop": []}, {"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 21},
    {"logprobs": False, "top_logprobs": 2}, {"logprobs": 1}, {"max_tokens": 0}, {"max_tokens": 393217}, {"max_tokens": 1.0},
    {"max_tokens": -1}, {"seed": -1}, {"seed": 2**63}, {"seed": 1.5}, {"seed": 2**64}, {"stream": False, "stream_options": {}},
    {"stream": None, "stream_options": {"include_usage": True}}, {"stream": 1}, {"stream": True, "stream_options": {"include_usage": 1}},
    {"model": 5}, {"parallel_tool_calls": 5}, {"parallel_tool_calls": False}, {"functions": []}, {"function_call": "auto"},
    {"top_k": -1}, {"min_p": 5}, {"logit_bias": 5}, {"max_completion_tokens": 0})]
FAULTS = CALLS + MESSAGES + PARTS + SCHEMAS + TOOLS + FORMATS + FIELDS
