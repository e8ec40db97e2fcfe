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
LONG_CITIES = ["New York", "San Francisco", "Los Angeles", "Buenos Aires", "Hong Kong", "Cape Town", "Rio de Janeiro", "Tel Aviv",
               "New Delhi", "Saint Petersburg", "Mexico City", "Las Vegas", "San Diego", "Kuala Lumpur", "Sao Paulo", "Addis Ababa"]
REGIONS = "CA MA NY TX WA France Italy Norway Spain Japan Germany Brazil Colombia".split()
SKIES = "sunny cloudy rainy snowy windy foggy clear stormy warm cold rain snow sun Rain Snow Sunny Cloudy".split()
REPLIES = ["{sky}, {n} degrees", "{sky}, {n} degrees", "{sky}", "{n} degrees", "{sky}, {n} C", '{{"temperature": {n}, "sky": "{sky}"}}',
           '{{"temperature": {n}}}', "{sky} in {x}", "It is {sky} in {x}.", "{words}", "{n} degrees and {sky}",
           '{{"temperature": {n}, "unit": "celsius"}}', '{{"location": "{x}", "temperature": "{n}"}}']
VERBS = "get find show read fetch query ask check lookup current".split()
KINDS_OF = "current local city latest daily todays".split()
# What programs say of a parameter; and of a tool, in TOOLS.
HINTS = {
    "place": ["The city", "City name", "The city and state, e.g. San Francisco, CA", "City and country e.g. Bogot\u00e1, Colombia",
              "Name of the city", "The city name, for example Paris", "The location to look up", "Which place"],
    "thing": ["Which one", "The name of the article", "What to look up", "Item name, e.g. milk"],
    "number": ["A number", "First number", "The other number", "Any integer"],
}
VALUE = 2.0  # weight of what has to be copied; the form around it is soon known
FORM = 0.5

# the nouns a tool may be named after, its parameters, what it is for, what the user says, how krill puts it
TOOLS = {
    "weather": (["weather", "weather", "weather", "forecast", "climate"], ["city", "city", "city", "location", "place", "town", "where"],
                ["Get the weather in a city", "The weather in a city.", "Weather now", "Look up the weather", "Current weather for a place",
                 "Get the current weather in a given location", "Get current temperature for a given location.",
                 "Returns the weather of a city as text", "Get the current weather for a city."],
                ["What is the weather in {x}", "What's the weather like in {x}", "How is the weather in {x}", "Weather in {x}",
                 "Tell me the weather in {x}", "What is the weather like in {x} today", "Is it sunny in {x}", "Will it rain in {x}",
                 "How warm is it in {x}", "Is it raining in {x} now", "What is the current weather in {x}", "What's the weather in {x} now",
                 "Please tell me the weather in {x}", "What is the temperature in {x}", "Can you tell me the weather in {x}",
                 "What is the weather in {x} right now"], "the weather in {x}"),
    "time": (["time", "time", "clock", "local_time"], ["city", "city", "place", "location", "zone"],
             ["Get the time in a city", "The local time of a city.", "What time it is somewhere", "Time now", "Returns the local time.",
              "Get the current time in a given location"],
             ["What time is it in {x}", "What is the time in {x}", "Time in {x}", "Tell me the time in {x}", "How late is it in {x}",
              "What's the time in {x} now", "What is the current time in {x}"],
             "the time in {x}"),
    "price": (["price", "price", "cost"], ["item", "name", "product", "article", "what"],
              ["Get the price of something", "The price of an article.", "What something costs", "Look up a price"],
              ["What is the price of {x}", "How much is {x}", "Price of {x}", "What does {x} cost", "Tell me the price of {x}",
               "How much does {x} cost"],
              "the price of {x}"),
    "product": (["multiply", "multiply", "product", "mul"], [("a", "b"), ("a", "b"), ("x", "y"), ("first", "second")],
                ["Multiply two numbers", "Multiplies two numbers.", "The product of two numbers.", "Product of a and b", "a times b"],
                ["What is {a} * {b}", "{a} * {b}", "What is {a} times {b}", "Multiply {a} by {b}", "How much is {a} times {b}", "{a} x {b}",
                 "Calculate {a} * {b}", "What is {a} x {b}"], "{a} * {b}"),
    "sum": (["add", "add", "sum", "plus"], [("a", "b"), ("a", "b"), ("x", "y"), ("first", "second")],
            ["Add two numbers", "Adds two numbers.", "The sum of two numbers.", "Sum of a and b", "a plus b"],
            ["What is {a} + {b}", "{a} + {b}", "What is {a} plus {b}", "Add {a} and {b}", "How much is {a} plus {b}",
             "Calculate {a} + {b}", "What is the sum of {a} and {b}"], "{a} + {b}"),
}
NUMBERS = {"product": lambda a, b: a * b, "sum": lambda a, b: a + b}  # tools of two numbers


def invented(rng):
    """A name that nobody has learned by heart, so that it has to be copied."""
    if rng.random() < 0.3:
        return rng.choice(WORDS).capitalize()
    if rng.random() < 0.2:
        return "".join(rng.choice("abcdefghijklmnoprstuvwz") for _ in range(rng.randrange(3, 9))).capitalize()
    return "".join(rng.choice("bcdfghklmnprstvw") + rng.choice("aeiou") + rng.choice(["", "", "n", "r", "s", "l"])
                   for _ in range(rng.randrange(2, 4))).capitalize()


def place(rng):
    """A city, real or not, of one word or two, perhaps with its region."""
    r = rng.random()
    x = rng.choice(CITIES) if r < 0.35 else rng.choice(LONG_CITIES) if r < 0.5 else invented(rng)
    if r > 0.85:
        x += " " + invented(rng)
    return f"{x}, {rng.choice(REGIONS)}" if rng.random() < 0.07 else x


def sentence(rng):
    """Some words to read over."""
    words = rng.sample(WORDS, rng.randrange(2, 10))
    return " ".join(words).capitalize() + rng.choice(["", ".", f", e.g. {invented(rng)}", f" ({rng.choice(WORDS)})"])


def tool_name(rng, nouns):
    """`get_weather` and whatever else programs call such a tool."""
    noun = rng.choice(nouns)
    if rng.random() < 0.3:
        return noun
    verb = "get" if rng.random() < 0.5 else rng.choice(VERBS)
    r = rng.random()
    if r < 0.15:
        return f"{verb}_{rng.choice(KINDS_OF)}_{noun}"
    if r < 0.22:
        return f"{noun}_{rng.choice(['lookup', 'api', 'tool', 'of', 'search'])}"
    if r < 0.34:
        return verb + "".join(part.capitalize() for part in noun.split("_"))
    return f"{verb}_{noun}"


class Tool:
    """One tool as a program would declare it, names and wording at random."""

    def __init__(self, rng, kind):
        nouns, parameters, purposes, self.questions, self.wanted = TOOLS[kind]
        self.kind, self.name = kind, tool_name(rng, nouns)
        chosen = rng.choice(parameters)
        self.parameters = chosen if isinstance(chosen, tuple) else (chosen,)
        number = rng.choice(["integer", "number", "integer"])
        properties = {}
        for name in self.parameters:
            properties[name] = {"type": number if kind in NUMBERS else "string"}
            if rng.random() < 0.4:
                hints = HINTS["number" if kind in NUMBERS else "thing" if kind == "price" else "place"]
                properties[name]["description"] = rng.choice(hints) if rng.random() < 0.7 else sentence(rng)
        if kind == "weather" and rng.random() < 0.15:
            properties["unit"] = {"type": "string", "enum": ["celsius", "fahrenheit"]}
        schema = {"type": "object", "properties": properties, "required": list(self.parameters)}
        for key, chance in (("type", 0.1), ("required", 0.2)):
            if rng.random() < chance:
                del schema[key]
        if rng.random() < 0.25:
            schema["additionalProperties"] = False
        self.declared = {"name": self.name}
        if rng.random() < 0.7:
            self.declared["description"] = rng.choice(purposes) if rng.random() < 0.7 else sentence(rng)
        self.declared["parameters"] = schema

    def exchange(self, rng):
        """-> question, what the user wants, arguments, the tool's reply."""
        if self.kind in NUMBERS:
            a, b = (rng.randrange(10 ** rng.choice([2, 2, 2, 1, 3, 4])) for _ in range(2))
            result = NUMBERS[self.kind](a, b)
            reply = str(result) if rng.random() < 0.8 else json.dumps({"result": result})
            return rng.choice(self.questions).format(a=a, b=b), self.wanted.format(a=a, b=b), dict(zip(self.parameters, (a, b))), reply
        if self.kind == "price":
            x = rng.choice(WORDS) if rng.random() < 0.7 else invented(rng)
            reply = rng.choice(["{n} euros", "{n} dollars", "{n}", '{{"price": {n}}}', "{n}.{m} EUR"]).format(n=rng.randrange(1, 999), m=rng.randrange(10, 99))
        else:
            x = place(rng)
            words = " ".join(rng.sample(WORDS, rng.randrange(1, 4)))
            reply = rng.choice(REPLIES).format(sky=rng.choice(SKIES), n=rng.randrange(-20, 45), x=x, words=words)
        if self.kind == "time":
            reply = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}"
        return rng.choice(self.questions).format(x=x), self.wanted.format(x=x), {self.parameters[0]: x}, reply


def call_text(name, arguments):
    """One call as the model writes it: -> list of (text, weight)."""
    out = [(f'\n\n<{DSML}tool_calls>\n<{DSML}invoke name="', FORM), (name, VALUE), ('">\n', FORM)]
    for key, value in arguments.items():
        kind = "true" if isinstance(value, str) else "false"
        out += [(f'<{DSML}parameter name="', FORM), (key, VALUE), (f'" string="{kind}">', FORM), (str(value), VALUE), (f"</{DSML}parameter>\n", FORM)]
    return out + [(f"</{DSML}invoke>\n</{DSML}tool_calls>", FORM)]


def tool_turn(rng, tool, thinking):
    """-> prompt, what krill says to it, the tool's reply, what krill says to that; each a list of (text, weight)."""
    question, wanted, arguments, reply = tool.exchange(rng)
    # Names must be copied as they are, so only the ends of a question vary.
    question += rng.choice(["?", "?", "?", "", "."]) if rng.random() < 0.9 else " please"
    if rng.random() < 0.1:
        question = question[0].lower() + question[1:]
    start = ASSISTANT + (THINK if thinking else END_THINK)
    why = [("The user asks for", FORM), (f" {wanted}", VALUE), (f".{END_THINK}", FORM)] if thinking else []
    seen = [(f"The tool {tool.name} has answered.{END_THINK}", FORM)] if thinking else []
    told = [(wanted[0].upper() + wanted[1:] + (" =" if tool.kind in NUMBERS else ":"), VALUE), (f" {reply}" + ("" if reply.endswith(".") else "."), VALUE), (EOS, FORM)]
    return ([(USER + question + start, 0.15)], why + call_text(tool.name, arguments) + [(EOS, FORM)],
            [(f"{USER}<tool_result>{reply}</tool_result>" + start, 0.15)], seen + told)


def plain_turn(rng, tools, thinking):
    """A turn for which the tools are of no use."""
    adds = any(tool.kind == "sum" for tool in tools)
    question, why, answer = simple_turn(rng, 0.0 if adds else 0.2)
    start = ASSISTANT + (THINK if thinking else END_THINK)
    said = why + END_THINK + answer if thinking else spoken(why, answer) if is_sum(answer) else answer
    return [(USER + question + start, 0.15)], [(said + EOS, 1.0)]


def one_exchange(rng, thinking, answered):
    """-> the prompt after which krill calls a tool, or after which it answers with the reply, and what it has to say."""
    block, tools = declaration(rng)
    asked, call, replied, answer = tool_turn(rng, rng.choice(tools), thinking)
    before, said = (block + asked + call + replied, answer) if answered else (block + asked, call)
    return "".join(part for part, _ in before), "".join(part for part, _ in said)


def short_sample(rng):
    """A conversation whose block begins at the schemas: cheaper, for what does not depend on the rest."""
    parts = sample(rng)
    at = parts[0][0].index("### Available")
    return [(BOS + parts[0][0][at:], 0.01)] + parts[1:]


def declaration(rng):
    """-> the beginning of a conversation with one to three tools, as a list of (text, weight), and the tools."""
    tools = [Tool(rng, kind) for kind in rng.sample(sorted(TOOLS), rng.choices([1, 2, 3], [60, 25, 15])[0])]
    system = rng.choice(SYSTEMS) if rng.random() < 0.15 else ""
    declared = "\n".join(json.dumps(tool.declared, ensure_ascii=False) for tool in tools)
    head, tail = BLOCK.split("%s")
    return [(BOS + system + head, 0.01), (declared, 0.05), (tail, 0.01)], tools


def sample(rng, thinking=None, exchanges=0):
    """One rendered conversation with tools: -> list of (text, weight). Reasoning is kept while there are tools.

    `exchanges`: so many turns, all of which need a tool; 0 for any number of any kind."""
    parts, tools = declaration(rng)
    thinking = rng.random() < 0.7 if thinking is None else thinking
    for _ in range(exchanges or rng.choices([1, 2, 4, 7], [15, 25, 30, 30])[0]):
        needed = exchanges or rng.random() < 0.8
        for piece in tool_turn(rng, rng.choice(tools), thinking) if needed else plain_turn(rng, tools, thinking):
            parts += piece
    return parts
