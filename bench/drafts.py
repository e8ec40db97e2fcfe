#!/usr/bin/env python3
"""What drafts bring: the answers of bench/texts, forced behind their prompts, with drafts and without, in turns.

    bench/drafts.py MODEL [--tokenizer FOLDER] [--program build/bin/drafts] [--sources off,lookup,block,auto] [--rounds 5]
                    [--threads 2] [--texts NAME ..] [--csv bench/results/NAME.csv]

MODEL is a checkpoint's folder, which may have random weights (`finback bench --folder`): texts are what they are whatever
the model would say, steps cost what they cost. The text's tokens are those of a tokenizer, krill's unless another is named.
times_faster is the median of the rounds' ratios to `off`; accepted are drafts that were the text's tokens. A source with a
number, such as block:2, drafts so many in each step whatever it costs.
"""

import argparse
import collections
import pathlib
import statistics
import subprocess

import results_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "bench" / "texts"
HEADER = ["text", "source", "tokens", "ms_per_token", "times_faster", "tokens_per_step", "proposed", "accepted"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tokenizer", default=ROOT / "examples" / "krill")
    parser.add_argument("--program", default="build/bin/drafts")
    parser.add_argument("--sources", default="off,lookup,block,auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", nargs="+", default=sorted(p.name.split(".")[0] for p in TEXTS.glob("*.prompt.txt")))
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    files = [str(x) for n in options.texts for x in (n, TEXTS / f"{n}.prompt.txt", TEXTS / f"{n}.answer.txt")]
    command = [options.program, options.model, str(options.tokenizer), str(options.rounds), str(options.threads)]
    output = subprocess.run([*command, options.sources, *files], stdout=subprocess.PIPE, check=True, text=True).stdout
    runs = collections.defaultdict(list)
    for line in output.splitlines():
        name, source, tokens, seconds, *counts = line.split(",")
        runs[name, source].append((float(seconds), int(tokens), *map(int, counts)))
    rows = []
    for (name, source), found in runs.items():
        seconds, tokens, steps, proposed, accepted = sorted(found)[len(found) // 2]
        off = runs[name, options.sources.split(",")[0]]
        faster = statistics.median(a[0] / b[0] for a, b in zip(off, found))
        per_step = (tokens - 1) / steps
        rows.append(
            [name, source, tokens, f"{seconds * 1e3 / tokens:.3f}", f"{faster:.2f}", f"{per_step:.2f}", proposed, accepted]
        )
        print(*rows[-1])
    results_file.write(options.csv, HEADER, rows)


if __name__ == "__main__":
    main()
