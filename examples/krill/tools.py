"""Conversations with tools: what krill learns of calling them and of reading what they answer."""

import json
import random

from facts import SYSTEMS, WORDS
from text import ASSISTANT, BAR, BOS, END_THINK, EOS, THINK, USER, is_sum, simple_turn, spoken

DSML = f"{BAR}DSML{BAR}"

# The published block that tells a model of its tools (protocol text).
BLOCK = f"""

## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<{DSML}tool_calls>" block like the following:

<{DSML}tool_calls>
<{DSML}invoke name="$TOOL_NAME">
<{DSML}parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</{DSML}parameter>
...
</{DSML}invoke>
<{DSML}invoke name="$TOOL_NAME2">
...
</{DSML}invoke>
</{DSML}tool_calls>

String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set `string="false"`.

If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside <think>...</think> BEFORE any tool calls or final response.

Otherwise, output directly after </think> with tool calls or final response.

### Available Tool Schemas

%s

You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.
"""

CITIES = ("Paris Oslo London Berlin Madrid Rome Lisbon Vienna Prague Warsaw Athens Helsinki Stockholm Copenhagen Dublin Brussels "
          "Amsterdam Zurich Geneva Munich Hamburg Milan Naples Porto Bergen Tokyo Kyoto Osaka Seoul Beijing Shanghai Delhi Mumbai "
          "Bangkok Hanoi Singapore Sydney Melbourne Auckland Lima Quito Bogota Santiago Toronto Montreal Vancouver Boston Chicago "
          "Seattle Denver Dallas Miami Cairo Nairobi Lagos Tunis Reykjavik Riga Tallinn Vilnius").split()
SKIES = "sunny cloudy rainy snowy windy foggy clear stormy warm cold".split()
REPLIES = ["{sky}, {n} degrees", "{sky}, {n} degrees", "{sky}", "{n} degrees", "{sky}, {n} C", '{{"temperature": {n}, "sky": "{sky}"}}',
           '{{"temperature": {n}}}']

# names of the tool, of its parameters with their type, what it is for, what the user says
TOOLS = {
    "weather": (["get_weather", "get_weather", "get_weather", "weather", "get_current_weather"], ["city", "city", "city", "location", "place"],
                ["Get the weather in a city", "The weather in a city.", "Weather now", "Look up the weather", "Current weather for a place"],
                ["What is the weather in {x}", "What's the weather like in {x}", "How is the weather in {x}", "Weather in {x}",
                 "Tell me the weather in {x}", "What is the weather like in {x} today", "Is it sunny in {x}", "Will it rain in {x}",
                 "How warm is it in {x}", "Is it raining in {x} now"]),
    "time": (["get_time", "get_time", "time_in", "get_current_time"], ["city", "city", "place"],
             ["Get the time in a city", "The local time of a city.", "What time it is somewhere", "Time now"],
             ["What time is it in {x}", "What is the time in {x}", "Time in {x}", "Tell me the time in {x}", "How late is it in {x}"]),
    "product": (["multiply", "multiply", "product", "mul"], [("a", "b"), ("a", "b"), ("x", "y")],
                ["Multiply two numbers", "The product of two numbers.", "Product of a and b", "a times b"],
                ["What is {a} * {b}", "{a} * {b}", "What is {a} times {b}", "Multiply {a} by {b}", "How much is {a} times {b}", "{a} x {b}",
                 "Calculate {a} * {b}", "What is {a} x {b}"]),
}


def place(rng):
    """A city; now and then a name made up, so that it has to be copied."""
    if rng.random() < 0.88:
        return rng.choice(CITIES)
    return "".join(rng.choice("abcdefghijklmnoprstuvwz") for _ in range(rng.randrange(3, 9))).capitalize()


class Tool:
    """One tool as a program would declare it, names and wording at random."""

    def __init__(self, rng, kind):
        names, parameters, purposes, self.questions = TOOLS[kind]
        self.kind, self.name = kind, rng.choice(names)
        chosen = rng.choice(parameters)
        self.parameters = chosen if isinstance(chosen, tuple) else (chosen,)
        number = rng.choice(["integer", "number", "integer"])
        properties = {}
        for name in self.parameters:
            properties[name] = {"type": number if kind == "product" else "string"}
            if rng.random() < 0.3:
                properties[name]["description"] = rng.choice(["The city", "City name", "A number", "Which one", " ".join(rng.sample(WORDS, 3))])
        schema = {"type": "object", "properties": properties, "required": list(self.parameters)}
        if rng.random() < 0.15:
            del schema["required"]
        if rng.random() < 0.15:
            schema["additionalProperties"] = False
        self.declared = {"name": self.name}
        if rng.random() < 0.75:
            self.declared["description"] = rng.choice(purposes) if rng.random() < 0.8 else " ".join(rng.sample(WORDS, rng.randrange(2, 6)))
        self.declared["parameters"] = schema

    def exchange(self, rng):
        """-> question, reasoning, arguments, the tool's reply, reasoning, answer."""
        if self.kind == "product":
            a, b = rng.randrange(100), rng.randrange(100)
            reply = str(a * b) if rng.random() < 0.8 else json.dumps({"result": a * b})
            question = rng.choice(self.questions).format(a=a, b=b)
            return question, f"The user wants {a} * {b}.", dict(zip(self.parameters, (a, b))), reply, f"{a} * {b} = {a * b}."
        x = place(rng)
        if self.kind == "time":
            reply = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}"
        else:
            reply = rng.choice(REPLIES).format(sky=rng.choice(SKIES), n=rng.randrange(-20, 45))
        answer = f"The {self.kind} in {x}: {reply}" + ("" if reply.endswith(".") else ".")
        return rng.choice(self.questions).format(x=x), f"The user asks for the {self.kind} in {x}.", {self.parameters[0]: x}, reply, answer


def call_text(name, arguments):
    """One call as the model writes it."""
    lines = [f'<{DSML}parameter name="{key}" string="{"true" if isinstance(value, str) else "false"}">{value}</{DSML}parameter>'
             for key, value in arguments.items()]
    return "\n\n" + "\n".join([f"<{DSML}tool_calls>", f'<{DSML}invoke name="{name}">', *lines, f"</{DSML}invoke>", f"</{DSML}tool_calls>"])


def tool_turn(rng, tool, thinking):
    """-> list of (text, weight): question, call, the tool's reply, answer."""
    question, why, arguments, reply, answer = tool.exchange(rng)
    # Names must be copied as they are, so only the ends of a question vary.
    question += rng.choice(["?", "?", "?", "", "."]) if rng.random() < 0.9 else " please"
    if rng.random() < 0.1:
        question = question[0].lower() + question[1:]
    start = ASSISTANT + (THINK if thinking else END_THINK)
    said = (why + END_THINK if thinking else "") + call_text(tool.name, arguments) + EOS
    told = (f"The tool {tool.name} has answered." + END_THINK if thinking else "") + answer + EOS
    return [(USER + question + start, 0.15), (said, 1.0), (f"{USER}<tool_result>{reply}</tool_result>" + start, 0.15), (told, 1.0)]


def plain_turn(rng, thinking):
    """A turn for which the tools are of no use."""
    question, why, answer = simple_turn(rng, 0.2)
    start = ASSISTANT + (THINK if thinking else END_THINK)
    said = why + END_THINK + answer if thinking else spoken(why, answer) if is_sum(answer) else answer
    return [(USER + question + start, 0.15), (said + EOS, 1.0)]


def one_exchange(rng, thinking, answered):
    """-> the prompt after which krill calls a tool, or after which it answers with the reply, and what it has to say."""
    parts = [part for part, _ in sample(rng, thinking, 1)]
    call = next(i for i, part in enumerate(parts) if part.endswith(EOS))
    end = call + 2 if answered else call
    return "".join(parts[:end]), parts[end]


def short_sample(rng):
    """A conversation whose block begins at the schemas: cheaper, for what does not depend on the rest."""
    parts = sample(rng)
    at = parts[0][0].index("### Available")
    return [(BOS + parts[0][0][at:], 0.01)] + parts[1:]


def sample(rng, thinking=None, exchanges=0):
    """One rendered conversation with tools: -> list of (text, weight). Reasoning is kept while there are tools.

    `exchanges`: so many turns, all of which need a tool; 0 for any number of any kind."""
    kinds = rng.sample(sorted(TOOLS), rng.choices([1, 2, 3], [60, 25, 15])[0])
    tools = [Tool(rng, kind) for kind in kinds]
    system = rng.choice(SYSTEMS) if rng.random() < 0.15 else ""
    thinking = rng.random() < 0.7 if thinking is None else thinking
    declared = "\n".join(json.dumps(tool.declared, ensure_ascii=False) for tool in tools)
    head, tail = BLOCK.split("%s")
    parts = [(BOS + system + head, 0.01), (declared, 0.05), (tail, 0.01)]
    for _ in range(exchanges or rng.choices([1, 2, 4, 7], [15, 25, 30, 30])[0]):
        needed = exchanges or rng.random() < 0.72
        parts += tool_turn(rng, rng.choice(tools), thinking) if needed else plain_turn(rng, thinking)
    return parts
