#!/usr/bin/env python3
"""Two libraries side by side: microseconds for a token of krill's answers, in turns, so that both see the same neighbours.

    bench/decode_speed.py BEFORE AFTER [--program build/bin/decode_loop] [--rounds 5] [--csv bench/results/NAME.csv]

BEFORE and AFTER are folders with a libfinback.so.0. The best of all rounds is printed, for one thread and for two; how
many times faster AFTER is, is the median of the rounds' ratios.
"""

import argparse
import os
import pathlib
import statistics
import subprocess

import results_file

KRILL = pathlib.Path(__file__).resolve().parent.parent / "examples" / "krill"
HEADER = ["threads", "before_us_per_token", "after_us_per_token", "times_faster"]


def measure(program, library, threads):
    environment = dict(os.environ, LD_LIBRARY_PATH=library)
    command = [program, str(KRILL), str(threads), "400"]
    return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--program", default="build/bin/decode_loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    for threads in (1, 2):
        pairs = [
            tuple(measure(options.program, library, threads) for library in (options.before, options.after))
            for _ in range(options.rounds)
        ]
        before, after = (min(pair[i] for pair in pairs) for i in (0, 1))
        faster = statistics.median(pair[0] / pair[1] for pair in pairs)
        rows.append([threads, f"{before:.1f}", f"{after:.1f}", f"{faster:.2f}"])
        print(f"{threads} threads: {before:.1f} -> {after:.1f} us, {faster:.2f} times as fast")
    if options.csv:
        results_file.write(options.csv, HEADER, rows)


if __name__ == "__main__":
    main()
