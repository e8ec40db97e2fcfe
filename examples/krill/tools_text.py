"""Conversations in which krill calls a tool and reports what came back (the published DSML encoding)."""

import json
import random

from facts import SYSTEMS, WORDS

BAR = "\uff5c"
DSML = f"{BAR}DSML{BAR}"

# The published tools prompt (protocol text); %s stands for one JSON line per tool.
TOOLS = f"""## Tools

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

PLACES = ("Paris Berlin London Rome Madrid Tokyo Oslo Sydney Chicago Boston Vienna Lisbon Dublin Cairo Moscow Athens Hamburg Munich Prague "
          "Warsaw Toronto Seattle Beijing Delhi Lima Bergen Reykjavik Copenhagen Stockholm Helsinki Zurich Geneva Milan Naples Venice "
          "Amsterdam Brussels Budapest Istanbul Mumbai Shanghai Singapore Bangkok Seoul Osaka Nairobi Lagos Boise Dallas Miami").split() + ["New York", "San Francisco", "Los Angeles", "Cape Town", "Hong Kong"]

# names of the tool, names of its parameter, descriptions, questions
KINDS = [
    (["get_weather", "weather", "get_current_weather"], ["city", "location", "place"],
     ["Get the weather of a city.", "Get the current weather", "Returns the weather for a location", "Get weather"],
     ["What is the weather in {v}", "How is the weather in {v}", "What's the weather like in {v}", "Tell me the weather in {v}", "weather in {v}",
      "Is it raining in {v}", "How warm is it in {v}", "What is the weather in {v} today", "Weather {v}"], PLACES,
     ["sunny, 18 degrees", "rain", "{{\"temperature\": {n}}}", "{n} degrees", "cloudy", "snow, {n} degrees", "{{\"temperature\": {n}, \"sky\": \"clear\"}}", "windy and cold"]),
    (["get_time", "clock", "current_time"], ["city", "timezone", "place"],
     ["Get the local time of a city.", "Tells the time", "Current time in a place"],
     ["What time is it in {v}", "Tell me the time in {v}", "What is the time in {v}", "time in {v}"], PLACES,
     ["{n}:15", "{n}:30", "noon", "{{\"time\": \"{n}:05\"}}", "{n}:00"]),
    (["search", "web_search", "lookup"], ["query", "q", "text"],
     ["Search the web.", "Look something up", "Find pages about a topic"],
     ["Search for {v}", "Look up {v}", "Please search for {v}", "Find pages about {v}", "search {v}"], WORDS,
     ["{n} pages found", "nothing found", "a page about {v}", "{{\"hits\": {n}}}"]),
]


def schema(name, parameter, description):
    properties = {parameter: {"type": "string"}}
    return json.dumps({"name": name, "description": description,
                       "parameters": {"type": "object", "properties": properties, "required": [parameter]}})


def call(name, parameter, value):
    return (f"\n\n<{DSML}tool_calls>\n<{DSML}invoke name=\"{name}\">\n<{DSML}parameter name=\"{parameter}\" string=\"true\">{value}"
            f"</{DSML}parameter>\n</{DSML}invoke>\n</{DSML}tool_calls>")


def tool_sample(rng, thinking, other_turn):
    """-> system text and a list of (user text, reasoning, answer) of one conversation with tools."""
    kinds = rng.sample(KINDS, rng.choice([1, 1, 2]))
    picked = [(rng.choice(k[0]), rng.choice(k[1]), rng.choice(k[2])) for k in kinds]
    system = rng.choice(["", "", rng.choice(SYSTEMS)]) + "\n\n" + TOOLS % "\n".join(schema(*p) for p in picked)
    turns = []
    for _ in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.2:
            turns.append(other_turn(rng))
            continue
        i = rng.randrange(len(kinds))
        name, parameter, _ = picked[i]
        value = rng.choice(kinds[i][4])
        if rng.random() < 0.2:
            value = "".join(rng.choice("bcdfghklmnprst") + rng.choice("aeiou") for _ in range(rng.randrange(2, 4))).capitalize()
        q = rng.choice(kinds[i][3]).format(v=value) + rng.choice(["?", "?", ".", ""])
        result = rng.choice(kinds[i][5]).format(n=rng.randrange(10, 30), v=value)
        turns.append((q, f"I call {name} for {value}.", call(name, parameter, value)))
        turns.append((f"<tool_result>{result}</tool_result>", f"The tool {name} answered.", f"{value}: {result}"))
    return system, turns
