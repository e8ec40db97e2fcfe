"""Random requests: what a model in this process reads against DeepSeek's official converter, byte for byte and id for id.

    compare_recipe.py PROGRAM [--count N] [--seed S]

PROGRAM is request_lines. A failure prints its seed; run it again alone with --seed S --count 1.
"""
import json
import os
import random
import re
import sys

import deepseek_recipe as recipe

import recipe_differences as differences
from compare_encoding import BROKEN, SPELLINGS, run_seeds
from compare_encoding import WORDS as LONGER_WORDS
from recipe_faults import FAULTS

KRILL = os.path.join(os.path.dirname(__file__), "../../../examples/krill/tokenizer.json")
ENCODING = recipe.DeepseekV4Encoding()
TOKENS = ENCODING.with_tokenizer(recipe.Tokenizer.from_file(KRILL))
WORDS = [word for word in LONGER_WORDS if len(word) < 100]  # a failure should fit a screen
PLAIN = ["1.5", "0", "-3", "1.0", "-0.0", "18446744073709551615", "0.0001", "true", "null", "[]", "{}", '{"k": [1, "\u00e9", -2.25]}',
         '"\\u00e9\\n\\ud83d\\ude00"', '"\\u0000\\u001f\\u007f/"', '"<\\uff5cDSML\\uff5c"', '{"a": {"b": null}}']
EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]
IDS = ["c1", "c2", "C3", "call_00_x", "call_01_y", "call_10_a", "call_2_b", "\u952e", ""]
# What nobody reads, in messages and in requests.
UNKNOWN = [("cache_control", {"type": "ephemeral"}), ("vendor", 1), ("audio", None), ("x_note", "<think>")]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.has_odd_numbers = self.chance(0.2)

    def chance(self, p):
        return self.random.random() < p

    def text(self):
        return "".join(self.random.choice(WORDS) for _ in range(self.random.randint(0, 5)))

    def part(self):
        kind = self.random.random()
        if kind < 0.6:
            return dict({"type": "text", "text": self.text()}, **({"cache_control": {}} if self.chance(0.2) else {}))
        if kind < 0.85:
            return {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
        return self.random.choice([{"type": "file", "file": {"file_id": "f"}}, {"type": "file", "file_id": "f"}])

    def content(self):
        if self.chance(0.8):
            return self.text()
        return [self.part() for _ in range(self.random.randint(0, 3))]

    def arguments(self):
        if self.chance(0.15):
            return self.random.choice([b for b in BROKEN if b] + ["", "[1]", "1", '"x"', "null", "[]", "NaN", " ",
                                                                   '{"a": "\\ud83d"}', '{"a": 1, "a": 2, "b": 0}'])
        keys = self.random.sample(["a", "b", "path", "k-1", "\u952e", "x.y", "", "with space", "<think>", 'q"q'],
                                  self.random.randint(0, 4))
        values = SPELLINGS if self.has_odd_numbers else PLAIN
        return "{" + ", ".join(f"{json.dumps(k)}: " + (self.random.choice(values) if self.chance(0.5) else
                                                       json.dumps(self.text())) for k in keys) + "}"

    def number(self):
        return self.random.choice([1e-7, 1e22, 10**25, -1e16] if self.has_odd_numbers else [0.5, 1, 3, 2.0, -0.0, 2**63])

    def schema(self):
        return {"type": "object", "properties": {
            "a": {"type": "string", "description": self.text()}, "n": {"type": "number", "minimum": self.number()}}}

    def tool(self, index, strict):
        function = {"name": f"f{index}"}
        if self.chance(0.7):
            function["description"] = self.random.choice([self.text(), None])
        if self.chance(0.8):
            function["parameters"] = self.random.choice([self.schema(), None])
        if strict:
            function["strict"] = True
        elif self.chance(0.2):
            function["strict"] = self.random.choice([False, None])
        if self.chance(0.1):
            function["examples"] = ["x"]
        return {"type": "function", "function": function}

    def answer(self, with_calls):
        message = {"role": "assistant", "content": self.content()}
        if self.chance(0.8):
            message["reasoning_content"] = self.random.choice([self.text()] * 6 + ["", None])
        elif self.chance(0.1):
            message["reasoning"] = self.text()
        if not with_calls:
            return [message]
        if self.chance(0.9):
            message.setdefault("reasoning_content", self.text())
        if self.chance(0.3):
            message["content"] = None
            if self.chance(0.5):
                del message["content"]
        ids = self.random.sample(IDS, self.random.randint(1, 4))
        if self.chance(0.1):
            ids = [i.replace("call_00_", "call_00_ET_") for i in ids]
            message.pop("reasoning_content", None)
        message["tool_calls"] = [{"id": i, "type": "function", "function": {
            "name": self.random.choice(["f0", "get_weather", "f g", "<think>", ""]), "arguments": self.arguments()}} for i in ids]
        self.random.shuffle(ids)
        return [message] + [{"role": "tool", "tool_call_id": i, "content": self.content()} for i in ids]

    def conversation(self, calls):
        messages = []
        if self.chance(0.5):
            messages.append({"role": "system", "content": self.content()})
        messages.append({"role": "user", "content": self.content()})
        for _ in range(self.random.randint(0, 6)):
            kind = self.random.random()
            if kind < 0.45:
                messages += self.answer(with_calls=calls and self.chance(0.5))
            else:
                role = "user" if kind < 0.8 else "system" if kind < 0.9 else "latest_reminder" if kind < 0.95 else "developer"
                messages.append({"role": role, "content": self.text() if role == "latest_reminder" else self.content()})
        for message in messages:
            if self.chance(0.05):
                message.update([self.random.choice(UNKNOWN)])
            if self.chance(0.05):
                message["name"] = self.random.choice(["ada", "a b", None])
        return messages

    def with_tools(self, body):
        strict = self.chance(0.1)
        body["tools"] = [self.tool(i, strict) for i in range(self.random.randint(1, 3))]
        body["tool_choice"] = self.random.choice(
            ["auto", "auto", "none", "required", None, {"type": "function", "function": {"name": "f0"}}])
        if self.chance(0.7):
            del body["tool_choice"]
        if self.chance(0.1):
            body["parallel_tool_calls"] = self.random.choice([True, False, None])

    def with_format(self, body):
        body["response_format"] = self.random.choice([
            {"type": "json_object"}, {"type": "text"}, None, {"type": "regex", "regex": "a+"},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": self.schema()}},
            {"type": "json_schema", "json_schema": {"schema": {"type": "object", "x": self.text()}}}])
        if self.chance(0.7):
            body["messages"].append({"role": "user", "content": "as JSON"})

    def with_sampling(self, body):
        rows = [("temperature", 1.5), ("temperature", 0), ("top_p", 0.5), ("n", 1), ("stop", ["a"] * 16), ("stop", "x"),
                ("max_tokens", 393216), ("seed", 2**63 - 1), ("presence_penalty", -2), ("frequency_penalty", 2),
                ("user", "u"), ("stream", True), ("top_k", 5), ("logit_bias", {"1": 2}), ("max_completion_tokens", 5)]
        for name, value in self.random.sample(rows, self.random.randint(0, 4)):
            body[name] = self.random.choice([value, value, None])
        if self.chance(0.3):
            body.update({"logprobs": True, "top_logprobs": self.random.choice([0, 20, None])})
        if self.chance(0.3):
            body.update({"stream": True, "stream_options": {"include_usage": True}})

    def scramble(self, value):
        """Puts something of another kind somewhere into the request."""
        while True:
            places = list(value) if isinstance(value, dict) else range(len(value))
            place = self.random.choice(places)
            below = value[place]
            if isinstance(below, (dict, list)) and below and self.chance(0.8):
                value = below
                continue
            value[place] = self.random.choice([None, True, 0, -1, 1.5, "", "x", [], {}, [1], {"type": "x"}])
            return

    def request(self):
        prefix = self.chance(0.15)
        body = {"messages": self.conversation(calls=not prefix)}
        if prefix:
            body["messages"].append({"role": "assistant", "content": self.random.choice(["", self.text()]), "prefix": True})
            if self.chance(0.6):
                body["messages"][-1]["reasoning_content"] = self.text()
        elif self.chance(0.5):
            self.with_tools(body)
        elif self.chance(0.1):
            body["tools"] = self.random.choice([None, []])
            body["tool_choice"] = self.random.choice(
                ["auto", "none", "required", None, {"type": "function", "function": {"name": "f0"}}])
        if self.chance(0.3) and not prefix:
            self.with_format(body)
        if self.chance(0.7):
            body["thinking"] = self.random.choice([{"type": "enabled"}, {"type": "disabled"}, {"type": "adaptive"}, None,
                                                   {"type": "enabled", "budget_tokens": 5}])
        if self.chance(0.6):
            body["reasoning_effort"] = self.random.choice(EFFORTS + [None])
        if self.chance(0.3):
            self.with_sampling(body)
        if self.chance(0.1):
            body.update([self.random.choice(UNKNOWN)])
        if self.chance(0.2):
            self.random.choice(FAULTS)(self, body)
        elif self.chance(0.1):
            self.scramble(body)
        return body


def as_the_service():
    """The options that DeepSeek's service has: calls need the reasoning that came with them."""
    return recipe.ConversionOptions().with_reasoning_content_behavior(recipe.ReasoningContentBehavior.Reject)


def convert(body, options=recipe.ConversionOptions):
    """The conversation, or the converter's words for what it refuses."""
    try:
        request = recipe.ChatCompletionRequest(json.dumps({"model": "DeepSeek-V4-Pro", **body}))
        return request.convert(options()).conversation
    except ValueError as error:
        return str(error)
    except recipe.ConversionError as error:
        return json.loads(error.body)["error"]["message"]


def adapted(body):
    """The request that the converter needs, and what its prompt must become; which differences that took."""
    changes = []
    needed = []
    for difference in differences.RENDERED:
        found = difference.adapt(body)
        if found is not None:
            body, change = found
            changes.append(change)
            needed.append(difference.about)

    def restore(prompt):
        for change in reversed(changes):
            prompt = change(prompt)
        return prompt

    return body, restore, needed


def listed(entries, words, counts):
    for entry in entries:
        if re.search(entry.words, words):
            counts[entry.about] = counts.get(entry.about, 0) + 1
            return entry
    return None


def check_service(body, answer, counts):
    """Whether FindServiceProblems() finds something exactly where the converter refuses."""
    refusal = convert(body, as_the_service)
    refusal = refusal if isinstance(refusal, str) else None
    found = answer["service"]
    if bool(refusal) == bool(found):
        counts["refused by the service" if refusal else "taken by the service"] += 1
        return None
    if refusal and listed(differences.NOT_CHECKED, refusal, counts):
        return None
    if any(not problem["message"] or not problem["fix"] for problem in found):
        return "a problem without words"
    return f"the converter says {refusal!r}, Finback {found}"


def compare(program, seed, counts):
    body = Maker(seed).request()
    shown = json.dumps(body)
    answer = program.ask(body)
    problem = check_service(body, answer, counts)
    if problem:
        return f"{shown}\n{problem}"
    words = answer.get("error") or answer.get("refusal")
    for_converter, restore, needed = adapted(body)
    official = convert(for_converter)
    if isinstance(official, str):
        if words:
            counts["refused by both"] += 1
            return None
        for problem in answer["service"]:
            if not listed(differences.TAKEN_HERE, f"{problem['path']}: {problem['message']}", counts):
                return f"{shown}\nthe converter refuses: {official}\ntaken here: {problem}"
        return None
    if words:
        entry = listed(differences.REFUSED_HERE, words, counts)
        if entry is None:
            return f"{shown}\nrefused: {words}"
        if "text" not in answer or not entry.is_rendered:
            return None
    expected = restore(ENCODING.render_conversation(official).prompt)
    if answer["text"] != expected:
        return f"{shown}\nexpected {expected!r}\n     got {answer['text']!r}"
    counts["texts"] += 1
    for about in needed:
        counts[about] = counts.get(about, 0) + 1
    if "numbers" not in needed:
        counts["ids"] += 1
        ids = TOKENS.encode(official)
        if answer["ids"] != ids:
            return f"{shown}\nexpected ids {ids}\n         got {answer['ids']}"
    return None


def main():
    counts = {"texts": 0, "ids": 0, "refused by both": 0, "refused by the service": 0, "taken by the service": 0}
    count, failures = run_seeds((compare,), counts, 3000)
    if not failures and count >= 5000:
        entries = differences.RENDERED + differences.REFUSED_HERE + differences.TAKEN_HERE + differences.NOT_CHECKED
        unused = [entry.about for entry in entries if not counts.get(entry.about)]
        if unused:
            sys.exit(f"differences that occur no more: {unused}")
        if min(counts["texts"], counts["ids"], counts["taken by the service"]) < count // 2:
            sys.exit("too few requests were compared")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
