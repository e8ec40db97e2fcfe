#!/usr/bin/env python3
"""Two builds of finback side by side: `finback bench` of each in turns, so that both see the same neighbours.

    bench/compare.py BEFORE AFTER [--rounds 3] [--csv bench/results/NAME.csv] -- --folder /data/flash4 --depths 0,8K

BEFORE and AFTER are finback commands; what follows -- goes to `finback bench`. Of every part the best of all rounds is
printed, as tokens a second and as a share of its roof (memory for decoding, the fastest multiply-add of the instruction
set for prefill), and how many times faster AFTER is: the median of the rounds' ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import results_file

HEADER = ["part", "before_tokens_per_second", "before_of_roof", "after_tokens_per_second", "after_of_roof", "times_faster"]


def measure(command, arguments):
    run = subprocess.run([command, "bench", "--json", *arguments], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def parts(report):
    """{name: (tokens a second, share of its roof or None)}, the best of each."""
    found = {}
    for kind in ("decode", "together", "streams", "prefill"):
        for part in report.get(kind, []):
            if part["skipped"] is not None:
                continue
            rows = part.get("tokens", part.get("streams"))
            name = kind + (f" {rows}" if rows is not None else "") + (f" at {part['depth']}" if "depth" in part else "")
            share = part.get("of_read_roof") or part.get("of_bf16_roof") or part.get("of_f32_roof")
            found[name] = (part["tokens_per_second"]["best"], share and share["best"])
    return found


def percent(share):
    return "-" if share is None else f"{100 * share:.1f} %"


def main():
    arguments, rest = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, rest = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", help="write the table there, too")
    options = parser.parse_args(arguments)

    rounds = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        rounds.append([parts(measure(command, rest)) for command in (options.before, options.after)])
    rows = []
    for name in rounds[0][0]:
        if any(name not in side for both in rounds for side in both):
            continue
        best = [max((both[side][name] for both in rounds), key=lambda found: found[0]) for side in (0, 1)]
        ratio = statistics.median(after[name][0] / before[name][0] for before, after in rounds)
        rows.append([name, best[0][0], percent(best[0][1]), best[1][0], percent(best[1][1]), f"{ratio:.2f}"])
    widths = [max(len(str(row[i])) for row in [HEADER, *rows]) for i in range(len(HEADER))]
    for row in [HEADER, *rows]:
        print("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths)))
    results_file.write(options.csv, HEADER, rows)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
