"""Random conversations: the C++ encoder against reference_encoding.py, byte for byte, and back.

    compare_encoding.py PROGRAM [--count N] [--seed S]

PROGRAM is chat_encode_lines. Every conversation comes from its own seed, which a failure prints; run it
again alone with --seed S --count 1.
"""
import argparse
import json
import random
import subprocess
import sys

import reference_encoding as reference

WORDS = ["whale", "krill", "", " ", "\n", "\n\n", "a\tb", "\u00e9", "\u9cb8\u9c7c", "\U0001f40b", "\u200d", "\u2028",
         "<think>", "</think>", "<tool_result>", "</tool_result>", reference.DSML, reference.BOS, reference.EOS,
         reference.USER, reference.ASSISTANT, f"<{reference.DSML}invoke", '"', "\\", "{}", "[Unsupported x]",
         "Hello there.", "2 + 2 = 4", "\u0000", "\u007f", "\u001b[0m", "x" * 300]
CLEAN = [w for w in WORDS if not any(
    m in w for m in ("think>", reference.DSML, reference.BOS, reference.EOS))]
SPELLINGS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-0", "-0.0", "1.0", "1e16", "1e15", "1e-5", "0.0001",
             "1E+2", "123456789012345678901234567890", "-98765432109876543210", "1.5", "1e22", "5e-324", "0.1", "1e-400",
             "2.5e-7", "true", "false", "null", '"s"', '"\\u00e9\\n\\ud83d\\ude00"', "[]", "{}", '{"k": [1, "\u00e9"]}',
             '[[[1.50, -0, {"a": {"b": null}}]]]', '"\\u0000\\u001f\\u007f/"', '"a\\nb"', '"<\\uff5cDSML\\uff5c"']
BROKEN = ["", "{", "not json", '{"a": 1,}', "{'a': 1}", '{"a": 01}', '{"a": +1}', '{"a": .5}', '{"a"}', "{} x", "nan",
          '{"a": "\n"}', '{"a": -}', '{"a": "\\x"}', "{\"a\": --1}", "\ufeff{}", '{"a": -NaN}', '{"a": 1.}']


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def text(self, words=WORDS):
        return "".join(self.random.choice(words) for _ in range(self.random.randint(0, 5)))

    def key(self):
        return self.random.choice(["a", "b", "path", "k-1", "\u952e", "with space", "", "x.y"])

    def arguments(self):
        if self.chance(0.12):
            return self.random.choice(BROKEN)
        if self.chance(0.02):
            return self.random.choice(["[1]", "1", '"x"', "null", "NaN", "[]"])
        members = [f"{json.dumps(self.key())}{self.random.choice([':', ': ', ' : '])}"
                   + (self.random.choice(SPELLINGS) if self.chance(0.7) else json.dumps(self.text()))
                   for _ in range(self.random.randint(0, 4))]
        pad = self.random.choice(["", " ", "\n"])
        return pad + "{" + ",".join(members) + "}" + pad

    def value(self, depth=0):
        kind = self.random.randint(0, 6 if depth < 3 else 4)
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        if kind == 6:
            return {self.key() + str(i): self.value(depth + 1) for i in range(self.random.randint(0, 3))}
        return [self.text(), self.random.randint(-10**25, 10**25), self.random.choice([1.0, 1e30, 0.5, -0.0, 1e-7]),
                self.chance(0.5), None][kind]

    def parts(self):
        out = []
        for _ in range(self.random.randint(0, 3)):
            if self.chance(0.75):
                out.append({"type": "text", "text": self.text()})
            else:
                out.append({"type": self.random.choice(["image_url", "audio", "x y"])})
        return out

    def with_extras(self, message):
        if self.chance(0.25):
            message["tools"] = [{"type": "function", "function": {"name": "f" + str(i), "parameters": self.value()}}
                                for i in range(self.random.randint(0, 3))]
        if self.chance(0.15):
            message["response_format"] = self.random.choice([{}, {"type": "json_object"}, {"schema": self.value()}])
        return message

    def call(self):
        call = {"type": "function", "function": {"name": self.random.choice(["f0", "get_weather", "\u5de5\u5177"]),
                                                 "arguments": self.arguments()}}
        if self.chance(0.8):
            call["id"] = self.random.choice(["c1", "c2", "c3", ""])
        if self.chance(0.2):
            call["function"]["id"] = self.random.choice(["c1", "c2", "c4"])
        return call

    def message(self):
        role = self.random.choices(
            ["user", "assistant", "tool", "system", "developer", "latest_reminder"], [30, 30, 20, 8, 6, 6])[0]
        message = {"role": role}
        if self.chance(0.9) or role == "developer":
            message["content"] = self.text()
            if role == "developer" and self.chance(0.95):
                message["content"] += "d"
            if role in ("user", "tool") and self.chance(0.2):
                message["content"] = self.parts()
            elif self.chance(0.05):
                message["content"] = [p for p in self.parts() if p["type"] == "text"]
        elif self.chance(0.5):
            message["content"] = None
        if role in ("system", "developer") or self.chance(0.02):
            self.with_extras(message)
        if role == "assistant":
            if self.chance(0.6):
                message["reasoning_content"] = self.text() if self.chance(0.9) else None
            if self.chance(0.4):
                message["tool_calls"] = [self.call() for _ in range(self.random.randint(0, 3))]
            if self.chance(0.1):
                message["wo_eos"] = self.chance(0.7)
        if role == "tool" and self.chance(0.9):
            message["tool_call_id"] = self.random.choice(["c1", "c2", "c3", "c4", ""])
        if self.chance(0.12):
            message["task"] = self.random.choice(list(reference.TASKS))
        if self.chance(0.02):
            message["task"] = None
        if self.chance(0.05):
            message["mask"] = 1
        if self.chance(0.005):
            message["role"] = "robot"
        if self.chance(0.005):
            message["task"] = "sing"
        return message

    def exchange(self):
        """A call of several tools and their results, in any order."""
        ids = self.random.sample(["c1", "c2", "c3", "c4"], self.random.randint(2, 4))
        calls = [dict(self.call(), id=i) for i in ids if self.chance(0.9)]
        results = [{"role": "tool", "tool_call_id": self.random.choice(ids + ["c1"]), "content": self.text() + str(n)}
                   for n in range(self.random.randint(1, 4))]
        if self.chance(0.3):
            results.insert(self.random.randint(0, len(results)), {"role": "user", "content": self.text()})
        return [{"role": "assistant", "reasoning_content": self.text(), "tool_calls": calls}] + results

    def conversation(self):
        if self.chance(0.3):
            return [m for _ in range(self.random.randint(1, 3)) for m in self.exchange()]
        return [self.message() for _ in range(self.random.randint(0, 9))]

    def request(self):
        out = {"messages": self.conversation()}
        if self.chance(0.25):
            out["context"] = [self.message() for _ in range(self.random.randint(0, 5))]
        out["thinking_mode"] = self.random.choice(["thinking", "chat"])
        if self.chance(0.3):
            out["drop_thinking"] = self.chance(0.3)
        if self.chance(0.2):
            out["add_bos"] = self.chance(0.5)
        out["effort_prefix"] = self.random.choice(["none", "none", "max", "beyond_max"])
        return out

    def answer(self):
        """An assistant turn that the parser must give back: no markup in its texts, JSON arguments."""
        message = {"role": "assistant", "content": self.text(CLEAN), "reasoning_content": self.text(CLEAN)}
        if self.chance(0.6):
            calls = []
            for _ in range(self.random.randint(1, 3)):
                arguments = {self.key(): self.random.choice(
                    [self.text(), self.value(), json.loads(self.random.choice(SPELLINGS[5:]))])
                    for _ in range(self.random.randint(0, 4))}
                calls.append({"id": "c1", "function": {"name": "f" + str(self.random.randint(0, 9)),
                                                       "arguments": json.dumps(arguments)}})
            message["tool_calls"] = calls
        return message


class Program:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit(f"the program ended with {self.process.returncode}")


MARKERS = [reference.DSML, "<think>", "</think>", reference.BOS, reference.EOS, reference.USER, reference.ASSISTANT,
           reference.REMINDER] + [f"<{reference.BAR}{t}{reference.BAR}>" for t in reference.TASKS]


def check_spans(request, answer):
    """Untrusted texts lie in untrusted spans; spans alternate; harmless prompts meet at markers."""
    spans = answer["spans"]
    if "".join(text for _, text in spans) != answer["text"] or answer["trusted_text"] != answer["text"]:
        return "spans do not add up to the text"
    if any(a[0] == b[0] for a, b in zip(spans, spans[1:])) or any(not text for _, text in spans):
        return "adjacent spans do not differ, or one is empty"
    # Markup that only the user wrote must never be trusted: plant a mark and look where it ends up.
    mark = f"{reference.DSML}planted"
    trusted = "".join(text for is_trusted, text in spans if is_trusted)
    if mark in trusted:
        return "untrusted markup in a trusted span"
    return None


def compare_encoding(program, seed, counts):
    request = Maker(seed).request()
    for message in request["messages"] + request.get("context", []):
        if message["role"] != "assistant" and isinstance(message.get("content"), str) and message["content"]:
            message["content"] += f"{reference.DSML}planted"
        if message["role"] == "system" and message.get("tools"):
            message["tools"][0]["function"]["description"] = f"{reference.DSML}planted"
    try:
        expected = reference.encode(**request)
    except reference.BadRequest:
        expected = None
    answer = program.ask(request)
    if expected is None:
        counts["refused"] += 1
        return None if answer.get("error", "").startswith(("messages[", "context[")) else f"not refused: {answer}"
    if answer.get("text") != expected:
        return f"expected {expected!r}\n     got {answer!r}"
    counts["encoded"] += 1
    return check_spans(request, answer)


def normal(arguments):
    """Arguments as data, telling 1 from 1.0 and keeping the order."""
    return repr(json.loads(arguments))


def compare_parsing(program, seed, counts):
    maker = Maker(seed)
    thinking = maker.chance(0.5)
    message = maker.answer()
    mode = "thinking" if thinking else "chat"
    whole = reference.encode([{"role": "user", "content": "q"}, message], thinking_mode=mode)
    prompt = reference.encode([{"role": "user", "content": "q"}], thinking_mode=mode)
    assert whole.startswith(prompt)
    answer = program.ask({"parse": whole[len(prompt):], "thinking_mode": mode})
    planted = [c["function"]["arguments"] for c in message.get("tool_calls", [])]
    if any(f"/{reference.DSML}parameter" in str(json.loads(a)) for a in planted):
        return None
    strict = answer["strict"]
    if strict is None:
        return f"the strict parser refuses: {answer['error']}\n{whole[len(prompt):]!r}"
    expected = [message["reasoning_content"] if thinking else "", message["content"],
                [[c["function"]["name"], normal(c["function"]["arguments"])] for c in message.get("tool_calls", [])]]
    for name in ("strict", "streamed"):
        got = answer[name]
        if name == "streamed":  # newlines at the seams are left out there
            content = expected[1].lstrip("\n")
            expected = [expected[0].strip("\n"), content.rstrip("\n") if expected[2] else content, expected[2]]
        calls = [[c["name"], normal(c["arguments"])] for c in got["tool_calls"]]
        if [got["reasoning_content"], got["content"], calls] != expected:
            return f"{name}: expected {expected!r}\n     got {got!r}"
    counts["parsed"] += 1
    return None


def run_seeds(checks, counts, default_count):
    """Runs the checks on each seed of the command line: how many seeds were asked for, and how many checks failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=default_count)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    program = Program(args.program)
    failures = 0
    for seed in range(args.seed, args.seed + args.count):
        for check in checks:
            problem = check(program, seed, counts)
            if problem:
                failures += 1
                print(f"seed {seed}, {check.__name__}: {problem}", file=sys.stderr)
        if failures > 5:
            break
    program.close()
    print(counts)
    return args.count, failures


def main():
    counts = {"encoded": 0, "refused": 0, "parsed": 0}
    count, failures = run_seeds((compare_encoding, compare_parsing), counts, 2000)
    if count >= 1000 and min(counts["encoded"], counts["parsed"]) < count // 2:
        sys.exit("too few conversations were compared")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
