"""Random answers of a model: what a stream tells of them against DeepSeek's official converter.

    compare_recipe_answers.py PROGRAM [--count N] [--seed S]

PROGRAM is answer_lines. A failure prints its seed; run it again alone with --seed S --count 1.
"""
import json
import math
import pathlib
import random
import re
import sys

import deepseek_recipe as recipe

import recipe_answer_differences as differences

sys.path.append(str(pathlib.Path(__file__).parents[1] / "chat"))
from compare_encoding import BROKEN, SPELLINGS, run_seeds  # noqa: E402

BAR = "\uff5c"
DSML, MASK = f"{BAR}DSML{BAR}", f"{BAR}XSML{BAR}"
BOS, EOS = "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"
WORDS = ["whale", "krill", " ", "\n", "\n\n", "\r\n", "\t", "\u00e9", "\u9cb8\u9c7c", "\U0001f40b", "\u200d", "\u2028", '"',
         "\\", "<", "</", "<b>", "</thin", "<|DSML|", "{}", "```", "`x`", "Hello there.", "2 < 3 > 1", "END", "\u007f", "\uff5c",
         "DSM", "[1]", "name=\"", "/>", "x" * 60]
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {
    "k": {"type": "string"}, "n": {"type": "integer"}, "list": {"type": "array"}}}}} for name in ("f", "get_weather", "g-1")]
STOPS = ["END", "\n\n", "whale\n", "\u9c7c", "<b>", "</", "x", "there.", "krill whale"]
VALUES = [s for s in SPELLINGS if "NaN" not in s and "Infinity" not in s and "e400" not in s]
NO_JSON = [b for b in BROKEN if b and "NaN" not in b] + ["abc", "True", "[1, 2", '{"a": "b', "'v'", "1 2", "NaN", "-", "tru"]


class Maker:
    """One answer, and its twin: see recipe_answer_differences.py."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kind = self.random.choices(["whole", "cut", "mutated"], [70, 18, 12])[0]
        self.planted = set()
        self.text = self.twin = ""
        self.unmask = [(MASK, DSML)]  # what the converter reads in the twin -> what the answer says

    def chance(self, p):
        return self.random.random() < p

    def plants(self, name, p):
        if self.may_plant and self.chance(p):
            self.planted.add(name)
            return True
        return False

    def write(self, text, twin=None):
        self.text += text
        self.twin += text if twin is None else twin

    def words(self, most=6):
        return "".join(self.random.choice(WORDS) for _ in range(self.random.randint(0, most)))

    def newlines(self):
        return "\n" * self.random.choice([0, 0, 1, 2, 2, 3])

    def prose(self):
        self.write(self.words())
        if self.plants("think tags", 0.02):
            self.write("-")
            self.write(self.random.choice(["<think>", "</think>"] if self.is_content else ["<think>"]), "")
        if self.plants("begin token", 0.01):
            self.write(BOS, "")
        if self.tools and self.plants("tags that make no call", 0.03):
            tag = self.random.choice(["<D>", "<Dother>", "</Dinvoke>", "<Dparameter name=\"k\" string=\"true\">v</Dparameter>",
                                      "a <Dtool_calls> b", "<Dtool_calls>\nnothing", "</Dparameter>", "D",
                                      "x <Dinvoke name=\"f\">y"])
            self.write("-" + tag.replace("D", DSML) + "-", "-" + tag.replace("D", MASK) + "-")
        self.write(self.words())

    def name(self):
        if self.tools and self.plants("names", 0.02):
            name = self.random.choice(["a b", 'q"t', "back\\slash", "line\nbreak", " k "])
            key = f"masked{len(self.unmask)}"
            self.unmask.append((key, json.dumps(name)[1:-1]))
            return name, key
        name = self.random.choice(["k", "n", "list", "k-1", "\u952e", "x.y", ""])
        return name, name

    def value(self):
        """Text, twin, and of which `string` attribute each is."""
        if self.tools and self.plants("value that is no JSON", 0.03):
            value = self.random.choice(NO_JSON)
            return value, value, "false", "true"
        if self.chance(0.45):
            value = self.random.choice(VALUES)
            if self.chance(0.2):
                value = self.random.choice([" ", "\n"]) + value + self.random.choice([" ", "\n"])
            return value, value, "false", "false"
        value = twin = self.words()
        if self.tools and self.plants("tags in values", 0.04):
            tag = self.random.choice(["</D", "</D>", "</Dother>", "</Dinvoke>x", "</Dtool_calls>y", "</Dparam"])
            value, twin = value + tag.replace("D", DSML) + "v", twin + tag.replace("D", MASK) + "v"
        elif self.tools and not self.masks_block and self.chance(0.1):
            value = twin = value + "-" + self.random.choice(["<think>", "</think>", DSML, "<" + DSML, EOS, BOS]) + "v"
        return value, twin, "true", "true"

    def parameter(self):
        (name, key), (value, twin, string, twin_string) = self.name(), self.value()
        plain = f'<{DSML}parameter name="{key}" string="{twin_string}">{twin}</{DSML}parameter>'
        header = f'name="{name}" string="{string}"'
        if key == name and string == twin_string and name and self.tools and self.plants("spelling of tags", 0.04):
            header = self.random.choice([f'string="{string}" name="{name}"', f"name='{name}' string='{string}'",
                                         f"name={name} string={string}", f'name="{name}" string="{string}" type="x"',
                                         f'type="x" name="{name}" string="{string}"'] +
                                        ([f'name="{name}"'] if string == "false" else []))
        self.write(f"<{DSML}parameter {header}>{value}</{DSML}parameter>", plain)
        self.write(self.random.choice(["\n"] * 6 + ["", "\n\n"]))

    def call(self, is_last):
        tool = self.random.choice(["f", "get_weather", "g-1", "unknown", "\u5de5\u5177"])
        self.write(f'<{DSML}invoke name="{tool}">' + self.random.choice(["\n"] * 6 + ["", "\n\n"]))
        if self.tools and self.plants("body in JSON", 0.03):
            self.as_json = True
            self.write('{"k": "v", "n": [1, 2]}\n', f'<{DSML}parameter name="k" string="true">v</{DSML}parameter>\n'
                       f'<{DSML}parameter name="n" string="false">[1, 2]</{DSML}parameter>\n')
        else:
            for _ in range(self.random.choice([0, 1, 1, 2, 3])):
                self.parameter()
        end = f"</{DSML}invoke>"
        missing = not is_last and "text between calls" not in self.planted and self.tools and self.plants("missing end of a call", 0.05)
        self.write("" if missing else end, end)
        self.write(self.random.choice(["\n"] * 6 + ["", "\n\n"]))

    def block(self):
        count = self.random.choice([1, 1, 1, 2, 3])
        between = None
        if count > 1 and not self.stop and self.is_content and self.tools and self.plants("text between calls", 0.1):
            between = self.random.choice(["then", "and\nso", "\u9c7c <b>"])
            self.twin = self.twin.rstrip("\n")  # it becomes content, which then goes on there
            self.twin += between
        self.masks_block = self.tools and not self.is_content and self.plants("block in a line of reasoning", 0.3)
        if self.masks_block:
            self.may_plant = False
            self.write("-")
        else:
            newlines = ["\n\n"] * 4 + ["\n", "\n\n\n"] + ([""] if self.is_content else [])
            self.write(self.random.choice(newlines))
        begin = len(self.twin)
        word = self.random.choice(["tool_calls"] * 5 + ["function_calls", " calls", " tool_calls"])
        self.write(f"<{DSML}{word}>" + self.random.choice(["\n"] * 6 + ["", "\n\n"]))
        for index in range(count):
            self.call(is_last=index + 1 == count)
            if between and index == 0:
                self.write(between, "")
        self.write(f"</{DSML}{word}>")
        if self.masks_block:
            self.twin = self.twin[:begin] + self.twin[begin:].replace(DSML, MASK)
        if self.chance(0.2) and not self.masks_block:
            self.write(self.random.choice(["\n", "tail", "\n</think>tail", f"\n\n<{DSML}tool_calls>\n"]))

    def answer(self):
        self.thinking = self.chance(0.6)
        self.tools = TOOLS if self.chance(0.8) else []
        self.may_plant = self.kind == "whole" and self.chance(0.5)
        self.as_json = self.json_object = False
        self.prefix = None
        self.stop = self.random.sample(STOPS, self.random.randint(1, 3)) if self.chance(0.25) else []
        newline_stops = self.plants("newline that stops", 0.03)
        if newline_stops:
            self.stop = ["\n"]
        self.twin_stop, self.twin_thinking = self.stop, self.thinking
        if not self.tools and self.plants("json_object", 0.05):
            self.json_object = True
        if not self.tools and not self.json_object and not newline_stops and self.chance(0.3):
            self.prefix = {"role": "assistant", "content": "", "prefix": True}
            if self.thinking or self.may_plant:
                self.prefix["content"] = self.random.choice(["", "so"])
            if self.thinking:
                self.prefix["reasoning_content"] = self.random.choice(["", "thus"])
        self.in_reasoning = self.thinking and not (self.prefix and self.prefix["content"])
        opens = False
        if not self.thinking and not self.prefix and self.plants("thought unasked", 0.05):
            opens, self.twin_thinking = True, True
            self.write(self.newlines() + "<think>", "")
        if self.prefix and self.prefix["content"] and not self.thinking and self.may_plant:
            self.planted.add("continued content")
            self.twin_thinking = True
        self.is_content = False
        if self.in_reasoning or opens:
            self.write(self.newlines())
            self.prose()
            if opens:
                self.write("r")
            self.write(self.newlines())
            if not opens and not self.stop and self.tools and self.plants("spelling of think tags", 0.03):
                tag = self.random.choice(["</thinking>", "</THINK>", f"<{BAR}/think{BAR}>", "</ think >", "</seed:think>"])
                self.write("r\n" + tag, "r\n</think>")
                self.write(self.newlines() + "-")
            elif opens or self.chance(0.95):
                self.write("</think>")
                if not opens and self.plants("thought again", 0.03):
                    self.twin = self.twin[:-len("</think>")].rstrip("\n") + "again</think>"
                    self.write(self.newlines() + "<think>" + self.newlines() + "again" + self.newlines() + "</think>", "")
                if self.plants("think tags", 0.02):
                    self.write(self.newlines() + "</think>", "")
        self.is_content = not self.in_reasoning or "</think>" in self.text
        newlines = self.newlines()
        self.write(newlines, "" if newline_stops and self.is_content else newlines)
        if newline_stops:
            self.write("-")
        if self.is_content and self.tools and not self.stop and self.plants("empty block", 0.02):
            self.write(f"a\n\n<{DSML}tool_calls>\n</{DSML}tool_calls>b", "ab")
        self.prose()
        self.write(self.newlines())
        if self.plants("end token", 0.02):
            self.write(EOS + "more", "")
        elif self.chance(0.55):
            self.block()
        if self.tools and not self.stop and "tags that make no call" not in self.planted and self.plants("stop string in a tag", 0.03):
            self.stop = [self.random.choice(["<\uff5cDS", "\n<\uff5cDSML", "<\uff5cDSML\uff5ctool_calls>"])]
        self.finish = self.random.choice(["Stop", "Stop", "Length"])
        if self.kind == "cut":
            self.text = self.twin = self.text[:self.random.randint(0, len(self.text))]
        if self.kind == "mutated":
            self.mutate()
        return self

    def pieces(self, text):
        most = self.random.choice([1, 3, 10, 40, 1000])
        pieces = []
        while text:
            length = self.random.randint(1, most)
            pieces.append(text[:length])
            text = text[length:]
        return pieces

    def goes_on(self):
        begun = self.prefix or {}
        return bool(begun.get("content") or begun.get("reasoning_content"))

    def mutate(self):
        """Spans left out, said twice, or moved; `damage` is where the first of it begins."""
        text = self.text
        for _ in range(self.random.randint(1, 3)):
            begin = self.random.randint(0, len(text))
            end = min(len(text), begin + self.random.choice([1, 1, 2, 5, 20]))
            to = self.random.randint(0, len(text))
            kind = self.random.randint(0, 2)
            text = (text[:begin] + text[end:], text[:to] + text[begin:end] + text[to:],
                    text[:begin] + self.random.choice(['"', "<", ">", "\n", DSML, "</think>", "<think>"]) + text[begin:])[kind]
        shorter = min(len(text), len(self.text))
        self.damage = next((i for i in range(shorter) if text[i] != self.text[i]), shorter)
        self.text = self.twin = text


def read_by_converter(maker, pieces, finish, *, is_twin=False):
    thinking, stop = (maker.twin_thinking, maker.twin_stop) if is_twin else (maker.thinking, maker.stop)
    body = {"model": "DeepSeek-V4-Pro", "messages": [{"role": "user", "content": "json"}],
            "thinking": {"type": "enabled" if thinking else "disabled"}}
    if maker.tools:
        body["tools"] = maker.tools
    if stop:
        body["stop"] = stop
    if maker.json_object and not is_twin:
        body["response_format"] = {"type": "json_object"}
    if maker.prefix:
        body["messages"].append(dict(maker.prefix, reasoning_content="r") if thinking != maker.thinking else maker.prefix)
    conversion = recipe.ChatCompletionRequest(json.dumps(body)).convert(recipe.ConversionOptions())
    processor = recipe.StreamProcessor(recipe.ChatCompletionRequest.chunk_generator(conversion, "ID", "MODEL"),
                                       conversion.parsing_options)
    ready = recipe.PromptUsage(prompt_tokens=10, prompt_cache_hit_tokens=4)
    events = processor.push(recipe.InferenceChunk.ready(prompt_usage=ready))
    for text in pieces:
        if not processor.finished:
            events += processor.push(recipe.InferenceChunk.text(text, 1))
    if not processor.finished:
        events += processor.push(recipe.InferenceChunk.finish(getattr(recipe.InferenceFinishReason, finish)))
    out = {"reasoning": "", "content": "", "finish": "", "calls": []}
    for event in events + processor.finish():
        choice = json.loads(event.to_json())["choices"][0]
        delta = choice["delta"]
        out["reasoning"] += delta.get("reasoning_content") or ""
        out["content"] += delta.get("content") or ""
        out["finish"] = choice["finish_reason"] or out["finish"]
        for call in delta.get("tool_calls", []):
            if "id" in call:
                out["calls"].append([call["function"]["name"], "_ET_" in call["id"], ""])
            out["calls"][call["index"]][2] += call["function"].get("arguments", "")
    return out


def read_by_finback(program, maker, pieces, finish):
    """What the converter's has, whether the answer ended by itself, and whether a call has no end."""
    told = program.ask({"pieces": pieces, "thinking": maker.in_reasoning, "goes_on": maker.goes_on(),
                        "tools": [tool["function"] for tool in maker.tools], "stop": maker.stop, "finish": finish.lower()})
    calls = [[call["name"], "_ET_" in call["id"],
              call["told"] if call["arguments"] is None else call["arguments"]] for call in told["calls"]]
    read = {"reasoning": told["reasoning"], "content": told["content"], "finish": told["finish"], "calls": calls}
    return read, told["over"], any(call["arguments"] is None for call in told["calls"])


# What a cut call may have more than ours: the beginning of a name, a number or a word, a quote.
MORE_OF_A_CALL = re.compile(r'(\{|, )?("([^"]|\\")*)?("(: )?)?\s*[-+.\w]*\s*"?\}?(</?(\uff5c\w*)?)?', re.DOTALL)


def same_but_for_the_cut(expected, got):
    if expected["calls"] and got["calls"] == expected["calls"][:-1]:  # it has just begun
        begun = expected["calls"][-1][2] in ("", "{}")
        return begun and got == dict(expected, calls=got["calls"], finish=got["finish"])
    if not expected["calls"] or len(got["calls"]) != len(expected["calls"]):
        return False
    theirs, ours = expected["calls"][-1][2], got["calls"][-1][2]
    if not theirs.startswith(ours) or not MORE_OF_A_CALL.fullmatch(theirs[len(ours):]):
        return False
    return got == dict(expected, calls=expected["calls"][:-1] + [expected["calls"][-1][:2] + [ours]])


def without_newline(read, got, text):
    """Without the newlines at the end of a part that was read otherwise, where what stands before them could begin the
    tag behind them."""
    bracket = rf"<(?:/(?:t(?:h(?:i(?:nk?)?)?)?)?|{BAR}(?:D(?:S(?:ML?)?)?)?)?\n+"
    read = dict(read)
    for part, tag in (("reasoning", f"(</think>|<{DSML})"), ("content", f"<{DSML}")):
        if read[part] != got[part] and re.search(bracket + tag, text):
            read[part] = read[part].rstrip("\n")
    return read


PROSE = rf"(?:(?!<[\s/|{BAR}]*think[\s/|{BAR}]*>|{DSML}|{EOS}|{BOS}).)*"
NAME = rf'name="(?:(?!{DSML})[^"\s\\])*"'
PARAMETER = rf'<{DSML} ?parameter {NAME} string="(true|false)">((?:(?!</{DSML}).)*)</{DSML} ?parameter>\s*'
INVOKE = rf'<{DSML} ?invoke {NAME}>\s*(?:{PARAMETER})*</{DSML} ?invoke>\s*'
BLOCK = rf"<{DSML} ?(?:tool_calls|function_calls|calls)>\s*(?:{INVOKE})+</{DSML} ?(?:tool_calls|function_calls|calls)>"


def is_published(maker, text):
    """Whether the whole answer is as DeepSeek's models are taught to write it."""
    prose = PROSE if maker.tools else PROSE.replace(f"|{DSML}", "")
    reasoning = rf"{prose}(?:</think>{prose})?" if maker.in_reasoning else prose
    block = rf"(?:{BLOCK}.*)?" if maker.tools else ""
    match = re.fullmatch(rf"({reasoning}){block}", text, re.DOTALL)
    # A block in the reasoning begins a line.
    if not match or (maker.in_reasoning and "</think>" not in match[1] and match[1] != text and not match[1].endswith("\n")):
        return False
    return all(is_json(value) for string, value in re.findall(PARAMETER, text, re.DOTALL) if string == "false")


def is_json(text):
    try:
        # Neither NaN or Infinity, which int() refuses, nor a number beyond those of double precision.
        numbers = []
        json.loads(text, parse_constant=int, parse_float=lambda number: numbers.append(float(number)))
        return all(map(math.isfinite, numbers))
    except ValueError:
        return False


def unmasked(maker, read):
    text = json.dumps(read)
    for mask, meant in maker.unmask:
        text = text.replace(json.dumps(mask)[1:-1], json.dumps(meant)[1:-1])
    return json.loads(text)


def with_calls_as_data(read):
    return dict(read, calls=[call[:2] + [json.loads(call[2])] for call in read["calls"]])


def compare_answers(program, seed, counts):
    maker = Maker(seed).answer()
    text, finish = maker.text, maker.finish
    got, is_over, is_cut = read_by_finback(program, maker, maker.pieces(text), finish)
    for pieces in ([text], list(text), maker.pieces(text)):
        again = read_by_finback(program, maker, pieces, finish)[0]
        if again != got:
            return f"depends on its pieces: {text!r}\n{got!r}\n{pieces!r}\n{again!r}"
    if is_over:  # before anything else could end it
        finish = "Stop"
    expected = unmasked(maker, read_by_converter(maker, maker.pieces(maker.twin), finish, is_twin=True))
    if maker.as_json and all(is_json(call[2]) for call in got["calls"]):
        expected, got = with_calls_as_data(expected), with_calls_as_data(got)
    if got != expected:
        known = without_newline(expected, got, maker.twin)
        counts["newlines behind a bracket"] += known != expected
        expected = known
    if got == expected:
        counts["equal"] += 1
        if maker.planted:
            plain = read_by_converter(maker, [text], finish)
            counts["without a difference"] += plain == expected
            for name in maker.planted:
                counts[name] = counts.get(name, 0) + (plain != expected)
        return None
    if maker.kind == "cut" and is_cut_in_call(maker, text, is_cut) and same_but_for_the_cut(expected, got):
        counts["cut in a call"] += 1
        return None
    if maker.kind == "mutated" and not is_published(maker, text):
        counts["broken markup"] += 1
        return compare_before(program, maker)
    return f"{maker.kind} {sorted(maker.planted)} {text!r}\n    twin {maker.twin!r}\nexpected {expected!r}\n     got {got!r}\n" \
           f"stop {maker.stop} thinking {maker.thinking} prefix {maker.prefix} tools {bool(maker.tools)}"


def is_cut_in_call(maker, text, is_cut):
    return is_cut or (maker.tools and f"<{DSML}" in text)


def compare_before(program, maker):
    """The answer up to where it was damaged, as one that was cut there."""
    text = maker.text[:maker.damage]
    got, is_over, is_cut = read_by_finback(program, maker, [text], "Length")
    expected = read_by_converter(maker, [text], "Stop" if is_over else "Length")
    expected = without_newline(expected, got, text)
    if got == expected or (is_cut_in_call(maker, text, is_cut) and same_but_for_the_cut(expected, got)):
        return None
    return f"before the damage: {text!r}\nexpected {expected!r}\n     got {got!r}"


def main():
    counts = {"equal": 0, "without a difference": 0, **{name: 0 for name in (*differences.PLANTED, *differences.FOUND)}}
    count, failures = run_seeds((compare_answers,), counts, 1000)
    if not failures and count >= 1000:
        unused = [name for name in (*differences.PLANTED, *differences.FOUND) if not counts[name]]
        if unused:
            sys.exit(f"differences that occur no more: {unused}")
        if counts["equal"] < count * 0.8:
            sys.exit("too few answers were read alike")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
