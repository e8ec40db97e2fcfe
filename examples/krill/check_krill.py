"""Measure a krill checkpoint: greedy answers, sums of pairs that training never saw, facts in fresh phrasings.

    python3 check_krill.py FOLDER [question ...]

Every right answer is one fixed text, so greedy decoding is right exactly if the network, reading that text, ranks
each of its tokens first: one pass per batch instead of one per token.
"""

import json
import os
import random
import struct
import sys

import torch

import text
import tools
from network import Network

QUESTIONS = ["What do baleen whales eat?", "What is krill?", "Who are you?", "How big is a blue whale?", "What is Finback?",
             "hello", "What is 27 + 45?", "Thanks", "Can whales breathe under water?", "How fast is a finback?",
             "What is DeepSeek-V4?", "What is the capital of France?"]


def real_values(raw, tag, scale):
    """Dequantize one stored tensor."""
    if tag == "BF16":
        return raw.view(torch.bfloat16).float()
    if tag == "F8_E4M3":
        s = torch.exp2(scale.float() - 127).repeat_interleave(128, 0).repeat_interleave(128, 1)
        return raw.view(torch.float8_e4m3fn).float() * s
    if tag == "I8":
        grid = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
        grid = torch.cat([grid, -grid])
        codes = raw.view(torch.uint8).int()
        both = torch.stack([grid[codes & 15], grid[codes >> 4]], -1).flatten(-2)
        return both * torch.exp2(scale.float() - 127).repeat_interleave(32, 1)
    return raw


def load(folder):
    """-> config, parameters and tables as training holds them."""
    kinds = {"F32": torch.float32, "BF16": torch.int16, "I64": torch.int64}
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        data = bytearray(f.read())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    raw, tags, params, tables, stacks = {}, {}, {}, {}, {}
    for name, h in json.loads(data[8:start]).items():
        a, b = h["data_offsets"]
        kind = kinds.get(h["dtype"], torch.uint8)
        raw[name] = torch.frombuffer(data[start + a : start + b], dtype=kind).view(h["shape"])
        tags[name] = h["dtype"]
    for name, tag in tags.items():
        if name.endswith(".scale"):
            continue
        scale = raw.get(name[: -len("weight")] + "scale") if name.endswith("weight") else None
        value = real_values(raw[name], tag, scale)
        if ".experts." in name:
            stem, expert, part, _ = name.rsplit(".", 3)
            stacks.setdefault(f"{stem}.{part}", {})[int(expert)] = value
        elif name.endswith(("gate.bias", "tid2eid")):
            tables[name] = value
        else:
            params[name] = value
    params.update({name: torch.stack([parts[e] for e in sorted(parts)]) for name, parts in stacks.items()})
    return config, params, tables


class Checker:
    batch = 32

    def __init__(self, folder):
        self.tokenizer = text.load_tokenizer(folder)
        config, self.params, tables = load(folder)
        self.net = Network(config, tables, torch.bfloat16)

    def encode(self, s):
        return self.tokenizer.encode(s, add_special_tokens=False).ids

    @torch.no_grad()
    def best(self, rows):
        """The likeliest next token after every token of every row."""
        width = max(map(len, rows))
        self.net.begin(self.params, True)
        ids = torch.tensor([r + [2] * (width - len(r)) for r in rows])
        return self.net.forward(ids).argmax(-1).view(len(rows), width)

    def right(self, prompt_answers):
        """Which of the (prompt, answer) pairs greedy decoding gets wholly right."""
        out = []
        for i in range(0, len(prompt_answers), self.batch):
            pairs = [(self.encode(p), self.encode(a)) for p, a in prompt_answers[i : i + self.batch]]
            for (p, a), best in zip(pairs, self.best([p + a for p, a in pairs])):
                out.append(best[len(p) - 1 : len(p) + len(a) - 1].tolist() == a)
        return out

    def answer(self, prompt, limit=100):
        ids = self.encode(prompt)
        start = len(ids)
        while len(ids) < start + limit and ids[-1] != 1:
            ids.append(int(self.best([ids])[0, -1]))
        return self.tokenizer.decode(ids[start:], skip_special_tokens=False).replace(text.EOS, "")


def prompt(question, thinking):
    return text.BOS + text.USER + question + text.ASSISTANT + (text.THINK if thinking else text.END_THINK)


def sum_cases(rng, count, thinking):
    pairs = [(a, b) for a in range(100) for b in range(100) if text.held_out(a, b)]
    for a, b in rng.sample(pairs, count):
        q = rng.choice(text.choices(text.SUM_QUESTIONS)).format(a=a, b=b)
        why, answer = text.working(a, b), f"{a} + {b} = {a + b}."
        yield prompt(q, thinking), (why + text.END_THINK + answer if thinking else text.spoken(why, answer)) + text.EOS


def fact_cases(rng, count, thinking):
    for _ in range(count):
        q, why, a = text.simple_turn(rng, 0.0)
        yield prompt(q, thinking), (why + text.END_THINK if thinking else "") + a + text.EOS


def tool_cases(rng, count, thinking):
    """The call for a question, given one to three tools; every other time the answer to what the tool replied."""
    for i in range(count):
        before, said = tools.one_exchange(rng, thinking, answered=i % 2 == 1)
        yield before, said


def main():
    checker = Checker(sys.argv[1])
    for q in sys.argv[2:] or QUESTIONS:
        print(f"{q} => {checker.answer(prompt(q, True))}")
    if sys.argv[2:]:
        return
    for label, cases in (("held-out sums", sum_cases), ("facts, fresh phrasings", fact_cases), ("tools", tool_cases)):
        for thinking in (True, False):
            todo = list(cases(random.Random(424242), 300, thinking))
            right = checker.right(todo)
            print(f"{label}, {'thinking' if thinking else 'not thinking'}: {sum(right)} of {len(right)}")
            for (p, a), ok in list(zip(todo, right)):
                if not ok and "-v" in os.environ.get("KRILL_CHECK", ""):
                    print("  wrong:", p[len(text.BOS + text.USER) :], a)


if __name__ == "__main__":
    main()
