"""Random requests: the served dialect against DeepSeek's official converter, byte for byte.

    compare_recipe.py PROGRAM [--count N] [--seed S]

PROGRAM is chat_encode_lines. A failure prints its seed; run it again alone with --seed S --count 1.
"""
import json
import random
import sys

import deepseek_recipe as recipe

import recipe_differences
from compare_encoding import BROKEN, SPELLINGS, WORDS, run_seeds

ENCODING = recipe.DeepseekV4Encoding()


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def text(self):
        return "".join(self.random.choice(WORDS) for _ in range(self.random.randint(0, 5)))

    def arguments(self):
        if self.chance(0.15):
            return self.random.choice([b for b in BROKEN if b] + ["[1]", "1", '"x"', "null", "[]"])
        numbers = [s for s in SPELLINGS if "NaN" not in s and "Infinity" not in s and "e400" not in s]
        keys = self.random.sample(["a", "b", "path", "k-1", "\u952e", "x.y"], self.random.randint(0, 4))
        return "{" + ", ".join(f"{json.dumps(k)}: " + (self.random.choice(numbers) if self.chance(0.5) else
                                                       json.dumps(self.text())) for k in keys) + "}"

    def tool(self, index):
        function = {"name": f"f{index}"}
        if self.chance(0.7):
            function["description"] = self.random.choice([self.text(), None])
        if self.chance(0.8):
            function["parameters"] = {"type": "object", "properties": {
                "a": {"type": "string", "description": self.text()}, "n": {"type": "number", "minimum": 0.5}}}
        if self.chance(0.2):
            function["strict"] = False
        return {"type": "function", "function": function}

    def answer(self, with_calls):
        message = {"role": "assistant", "content": self.text() or "a"}
        if self.chance(0.6) or with_calls:
            message["reasoning_content"] = self.text()
        if not with_calls:
            return [message]
        ids = self.random.sample(["c1", "c2", "C3", "call_00_x", "call_01_y", "\u952e"], self.random.randint(1, 4))
        message["tool_calls"] = [{"id": i, "type": "function", "function": {
            "name": self.random.choice(["f0", "get_weather"]), "arguments": self.arguments()}} for i in ids]
        self.random.shuffle(ids)
        return [message] + [{"role": "tool", "tool_call_id": i, "content": self.text()} for i in ids]

    def request(self):
        messages = [{"role": "user", "content": "json " + self.text()}]
        prefix = self.chance(0.15)
        for _ in range(self.random.randint(0, 6)):
            kind = self.random.random()
            if kind < 0.45:
                messages += self.answer(with_calls=not prefix and self.chance(0.5))
            else:
                messages.append({"role": "system" if kind > 0.85 else "user", "content": self.text()})
        if self.chance(0.5):
            messages.insert(0, {"role": "system", "content": self.text()})
        body = {"messages": messages}
        if prefix:
            messages.append({"role": "assistant", "content": self.random.choice(["", self.text()]), "prefix": True})
            if self.chance(0.6):
                messages[-1]["reasoning_content"] = self.text()
        elif self.chance(0.5):
            body["tools"] = [self.tool(i) for i in range(self.random.randint(1, 3))]
        if self.chance(0.3) and not prefix:
            body["response_format"] = self.random.choice([
                {"type": "json_object"}, {"type": "text"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "x": self.text()}}}])
        body["thinking"] = {"type": self.random.choice(["enabled", "disabled", "adaptive"])}
        body["reasoning_effort"] = self.random.choice(["low", "minimal", "medium", "high", "xhigh", "max", "ultra"])
        return body


def ask_finback(program, body):
    thinking = body["thinking"]["type"] != "disabled"
    effort = {"low": "none", "minimal": "none", "max": "beyond_max", "ultra": "beyond_max"}.get(
        body["reasoning_effort"], "max")
    head = {"role": "system", "content": ""}
    if body.get("tools"):
        head["tools"] = body["tools"]
    if body.get("response_format", {}).get("type", "text") != "text":
        head["response_format"] = body["response_format"]
    messages = [dict(m, wo_eos=m.get("prefix", False)) for m in body["messages"]]
    return program.ask({"messages": [head] + messages, "dialect": "served", "effort_prefix": effort if thinking else "none",
                        "thinking_mode": "thinking" if thinking else "chat"})


def compare(program, seed, counts):
    body = Maker(seed).request()
    try:
        request = recipe.ChatCompletionRequest(json.dumps({"model": "DeepSeek-V4-Pro", **body}))
        expected = ENCODING.render_conversation(request.convert(recipe.ConversionOptions()).conversation).prompt
    except (ValueError, recipe.ConversionError):
        counts["refused"] += 1
        return None
    got = ask_finback(program, body).get("text")
    for about, matches, _ in recipe_differences.PROMPTS:
        if matches(body):
            counts[about] = counts.get(about, 0) + (got != expected)
            return None
    counts["compared"] += 1
    return None if got == expected else f"{json.dumps(body)}\nexpected {expected!r}\n     got {got!r}"


def main():
    counts = {"compared": 0, "refused": 0}
    count, failures = run_seeds((compare,), counts, 3000)
    if not failures and count >= 1000:
        unused = [about for about, _, _ in recipe_differences.PROMPTS if not counts.get(about)]
        if unused:
            sys.exit(f"differences that occur no more: {unused}")
        if counts["compared"] < count // 2:
            sys.exit("too few requests were compared")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
