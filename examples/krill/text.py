"""The text krill learns from: conversations made from facts.py, sums, and the tokenizer trained on them."""

import json
import os
import random
import re

from facts import ATTRIBUTES, CHAT, FACTS, SPECIES, SYSTEMS, UNKNOWN, UNKNOWN_QUESTIONS, WORDS

BAR, BLOCK = "\uff5c", "\u2581"
BOS = f"<{BAR}begin{BLOCK}of{BLOCK}sentence{BAR}>"
EOS = f"<{BAR}end{BLOCK}of{BLOCK}sentence{BAR}>"
PAD = f"<{BAR}{BLOCK}pad{BLOCK}{BAR}>"
USER, ASSISTANT = f"<{BAR}User{BAR}>", f"<{BAR}Assistant{BAR}>"
THINK, END_THINK = "<think>", "</think>"
SPECIAL = [BOS, EOS, PAD]
CONTROL = [USER, ASSISTANT, THINK, END_THINK, f"{BAR}DSML{BAR}"] + [
    f"<{BAR}{t}{BAR}>" for t in ("latest_reminder", "action", "query", "authority", "domain", "title", "read_url", "extracted_url")]
VOCAB = 1920

# The published effort prefix for "max" (protocol text).
EFFORT_MAX = (
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose the problem to resolve the root cause, "
    "rigorously stress-testing your logic against all potential paths, edge cases, and adversarial scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every intermediate step, considered alternative, "
    "and rejected hypothesis to ensure absolutely no assumption is left unchecked.\n\n")


# ---------------------------------------------------------------- the question grammar

def choices(pattern):
    """Split `a ; b` at the top level."""
    return [p.strip() for p in pattern.split(" ; ") if p.strip()]


def expand(rng, pattern):
    """Pick one alternative of every [a/b/c], one level deep."""
    text = re.sub(r"\[([^\]]*)\]", lambda m: rng.choice(m.group(1).split("/")), pattern)
    return re.sub(r"\s+", " ", text).strip()


def with_article(name):
    return ("an " if name[0] in "aeiou" else "a ") + name


def decorate(rng, q):
    """Vary case, punctuation and politeness of a question; now and then a typing error."""
    starts = q.split(" ")[0].lower()
    r = rng.random()
    if r < 0.08:
        q = rng.choice(["Please tell me: ", "Tell me: ", "Hey, ", "Hi, ", "Hello! ", "Hi krill, ", "I have a question. ", "Ok, ", "So, ",
                        "And ", "Quick question: ", "I wonder, ", "Well, ", "Hi! ", "Hello, ", "Hey krill, ", "Thanks! ", "Thank you. ",
                        "Great! ", "Cool. ", "Can you tell me: ", "Now tell me: ", "Good morning. ", "Another question: ", "krill, "]) + q
    elif r < 0.11:
        q = q + rng.choice([", please", " please", ", krill", " in short", " exactly", " really", ", briefly"])
    asks = starts in ("what", "what's", "how", "who", "where", "why", "which", "are", "is", "can", "do", "does", "did", "in", "under", "when", "will")
    r = rng.random()
    if not q.endswith((".", "!", "?")):
        q += (("?" if asks else ".") if r < 0.7 else "" if r < 0.88 else "??" if r < 0.9 else " ?" if r < 0.92 else "!" if r < 0.95 else "?")
    r = rng.random()
    if r < 0.25:
        q = q.lower()
    elif r < 0.285:
        q = q.upper()
    elif r < 0.32:
        q = q[0].lower() + q[1:]
    if rng.random() < 0.05 and len(q) > 8 and not re.search(r"\d", q):
        i = rng.randrange(2, len(q) - 3)
        q = rng.choice([q[:i] + q[i + 1 :], q[:i] + q[i] + q[i:], q[:i] + q[i + 1] + q[i] + q[i + 2 :]])
    return q


# ---------------------------------------------------------------- turns: (question, reasoning, answer)

def species_question(rng, row, attribute):
    label, field, questions, _, answer = attribute
    name = rng.choice([row[0]] + row[1])
    plural = name + "s"
    q = expand(rng, rng.choice(choices(questions)).replace("{x}", with_article(name)).replace("{n}", name).replace("{s}", plural))
    return q, f"The user asks about the {row[0]}: {label}.", answer.format(row[field], n=row[0])


def follow_up(rng, row, attribute):
    """The same attribute of another whale, or another attribute of the same whale."""
    label, field, _, questions, answer = attribute
    q = expand(rng, rng.choice(choices(questions)))
    return q, f"The user asks about the {row[0]}: {label}.", answer.format(row[field], n=row[0])


def held_out(a, b):
    """About one pair in ten is never trained on."""
    return (a * 7919 + b * 104729 + 13) % 97 < 10


def working(a, b):
    if a < 10 and b < 10:
        return f"{a}+{b}={a + b}. {a + b}."
    ones = a % 10 + b % 10
    tens = a // 10 + b // 10 + ones // 10
    return (f"{a % 10}+{b % 10}={ones}, write {ones % 10} carry {ones // 10}. "
            f"{a // 10}+{b // 10}+{ones // 10}={tens}. {a + b}.")


SUM_QUESTIONS = ("What is {a} + {b} ; {a}+{b} ; {a} + {b} ; Add {a} and {b} ; {a} plus {b} ; What is {a} plus {b} ; What's {a} + {b} ; "
                 "How much is {a} + {b} ; How much is {a} plus {b} ; Calculate {a} + {b} ; Compute {a}+{b} ; {a} + {b} = ; {a}+{b}= ; "
                 "What is the sum of {a} and {b} ; Sum of {a} and {b} ; Can you add {a} and {b} ; What does {a} + {b} make ; What is {a}+{b} ; "
                 "Please add {a} and {b} ; What do you get if you add {a} and {b} ; I have {a} whales and {b} more, how many whales are there ; "
                 "Solve {a} + {b} ; and {a} + {b} ; Tell me {a} + {b}")


def number(rng):
    return rng.randrange(100) if rng.random() < 0.85 else rng.randrange(10)


def sum_turn(rng, test=False):
    a, b = number(rng), number(rng)
    while held_out(a, b) != test:
        a, b = number(rng), number(rng)
    q = rng.choice(choices(SUM_QUESTIONS)).format(a=a, b=b)
    return q, working(a, b), f"{a} + {b} = {a + b}."


def other_sum(rng):
    a, b = rng.randrange(100, 1000), rng.randrange(1, 1000)
    if rng.random() < 0.6:
        a, b = rng.randrange(100), rng.randrange(100)
        op = rng.choice(["-", "*", "/", "x", "minus", "times", "divided by"])
        return f"{rng.choice(['What is ', '', 'Calculate '])}{a} {op} {b}", "This is not addition.", "I only learned to add, so I cannot do that."
    return f"{rng.choice(['What is ', '', 'Add '])}{a} + {b}", "These numbers are too large for me.", "I only learned to add numbers below one hundred."


def unknown_turn(rng):
    q = expand(rng, rng.choice(choices(UNKNOWN_QUESTIONS)))
    word = lambda m: rng.choice(WORDS) if rng.random() < 0.93 else "".join(rng.choice("abcdefghijklmnoprstuvwz") for _ in range(rng.randrange(3, 9)))
    return (re.sub(r"\{w\}", word, q),) + UNKNOWN


FACT_CHOICES = [(choices(q), r, a) for q, r, a in FACTS]
CHAT_CHOICES = [(choices(q), r, a) for q, r, a in CHAT]


def turn(rng, sums=0.26):
    """-> question, reasoning, answer, topic row or None."""
    r = rng.random()
    if r < sums:
        return (*(other_sum(rng) if rng.random() < 0.05 else sum_turn(rng)), None)
    r = (r - sums) / (1 - sums)
    if r < 0.38:
        q, why, a = rng.choice(FACT_CHOICES)
        return expand(rng, rng.choice(q)), why, a, None
    if r < 0.72:
        row = rng.choice(SPECIES)
        return (*species_question(rng, row, rng.choice(ATTRIBUTES)), row)
    if r < 0.86:
        q, why, a = rng.choice(CHAT_CHOICES)
        return expand(rng, rng.choice(q)), why, a, None
    return (*unknown_turn(rng), None)


def conversation(rng, sums=0.26):
    """A list of (question, reasoning, answer)."""
    turns, topic = [], None
    for _ in range(rng.choices([1, 2, 3, 4], [50, 25, 15, 10])[0]):
        r = rng.random()
        if topic and r < 0.55:
            q, why, a = follow_up(rng, topic, rng.choice(ATTRIBUTES))
        elif topic and r < 0.68:
            field = rng.choice(SPECIES)
            name = rng.choice([field[0]] + field[1])
            attribute = last
            q = expand(rng, f"[And/What about/How about/And what about] [{with_article(name)}/the {name}/{name}s]")
            q, why, a, topic = q, f"The user asks about the {field[0]}: {attribute[0]}.", attribute[4].format(field[attribute[1]], n=field[0]), field
        else:
            q, why, a, row = turn(rng, sums)
            topic = row if row else (topic if a in ("You are welcome!", "I am glad. Do you have another question?") else None)
        for attribute in ATTRIBUTES:
            if why.endswith(f": {attribute[0]}."):
                last = attribute
        turns.append((decorate(rng, q), why, a))
    return turns


def simple_turn(rng, sums):
    q, why, a, _ = turn(rng, sums)
    return decorate(rng, q), why, a


def is_sum(a):
    return re.search(r"\d \+ \d+ =", a) is not None


def spoken(why, a):
    """The answer without thinking mode: sums show their working."""
    return f"{why[: why.rindex(' ')]} So {a}" if is_sum(a) else a


def render(rng, turns, thinking, system="", effort_max=False):
    """-> list of (text, weight): the prompt encoding, old reasoning dropped; weight 1 on what krill has to say."""
    low = 0.15
    parts = [(BOS + (EFFORT_MAX if effort_max else "") + system, 0.02 if effort_max else low)]
    for i, (q, why, a) in enumerate(turns):
        last = i == len(turns) - 1
        if thinking and last:
            parts += [(USER + q + ASSISTANT + THINK, low), (why + END_THINK + a + EOS, 1.0)]
        elif thinking:
            parts += [(USER + q + ASSISTANT + END_THINK, low), (a + EOS, 0.0 if is_sum(a) else 0.5)]
        else:
            parts += [(USER + q + ASSISTANT + END_THINK, low), (spoken(why, a) + EOS, 1.0)]
    return parts


def sample(rng, sums=0.26):
    """One rendered training conversation."""
    thinking = rng.random() < 0.65
    turns = conversation(rng, sums)
    system = rng.choice(SYSTEMS) if rng.random() < 0.12 else ""
    return render(rng, turns, thinking, system, thinking and rng.random() < 0.01)


# ---------------------------------------------------------------- tokenizer

PUNCTUATION = "!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~"
SPLITS = ["\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
          "[" + PUNCTUATION + "][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"]


def train_tokenizer(folder, seed=0, others=()):
    """Byte-level BPE over a sample of the corpus; writes tokenizer.json and tokenizer_config.json.

    `others`: (function like `sample`, conversations to take of it), for more than this file's conversations."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    rng = random.Random(seed)
    corpus = []
    for draw in [lambda: sample(rng, 0.1)] * 30000 + [lambda f=f: f(rng) for f, count in others for _ in range(count)]:
        text = "".join(t for t, _ in draw())
        for mark in SPECIAL + CONTROL:
            text = text.replace(mark, "\n")
        corpus += [re.sub(r"\d", "", line) for line in text.split("\n")]
    corpus += WORDS * 20 + [EFFORT_MAX] * 20
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.Sequence([])
    split = [pre_tokenizers.Split(Regex(s), "isolated", invert=False) for s in SPLITS]
    t.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder, t.post_processor = decoders.ByteLevel(), processors.ByteLevel(trim_offsets=False)
    base = VOCAB - len(SPECIAL) - len(CONTROL)
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=base, min_frequency=8, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(t.to_str())
    shifted = {s: i for i, s in enumerate(SPECIAL)}
    shifted.update({k: v + len(SPECIAL) for k, v in sorted(model["model"]["vocab"].items(), key=lambda kv: kv[1])})
    model["model"]["vocab"] = shifted
    filler = [f"<{BAR}place{BLOCK}holder{BLOCK}no{BLOCK}{i}{BAR}>" for i in range(VOCAB - len(CONTROL) - len(shifted))]
    ids = {s: i for i, s in enumerate(SPECIAL)}
    ids.update({s: len(shifted) + i for i, s in enumerate(CONTROL + filler)})
    model["added_tokens"] = [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                              "special": s in SPECIAL} for s, i in ids.items()]
    settings = {"add_bos_token": False, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS, "pad_token": PAD,
                "clean_up_tokenization_spaces": False, "model_max_length": 65536, "tokenizer_class": "PreTrainedTokenizerFast"}
    for name, content in (("tokenizer.json", model), ("tokenizer_config.json", settings)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return VOCAB, len(filler)


def load_tokenizer(folder):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


class Stream:
    """Rows of packed conversations: ids and loss weights, every row starting with a new conversation."""

    def __init__(self, tokenizer, seed, sample):
        self.tokenizer, self.rng, self.sample, self.ready = tokenizer, random.Random(seed), sample, []

    def take(self):
        """The next conversation, encoded."""
        if not self.ready:
            parts = [self.sample(self.rng) for _ in range(300)]
            flat = iter(self.tokenizer.encode_batch([t for p in parts for t, _ in p], add_special_tokens=False))
            for p in parts:
                pieces = [(next(flat).ids, w) for _, w in p]
                self.ready.append(([i for ids, _ in pieces for i in ids], [w for ids, w in pieces for _ in ids]))
        return self.ready.pop()

    def rows(self, count, length):
        """-> two lists of `count` rows of length + 1."""
        all_ids, all_weights = [], []
        for _ in range(count):
            ids, weights = [], []
            while len(ids) <= length:
                i, w = self.take()
                ids, weights = ids + i, weights + w
            all_ids.append(ids[: length + 1])
            all_weights.append(weights[: length + 1])
        return all_ids, all_weights
