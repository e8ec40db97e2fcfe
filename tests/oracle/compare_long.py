#!/usr/bin/env python3
"""Compare `finback logits --precision float32` with the oracle far into a context, row by row.

    compare_long.py --command build/bin/finback --program build/bin/finback-oracle --work build/oracle

Makes a random checkpoint in a folder of --work. 12,000 tokens of `mixed` take the oracle about a minute; the time grows
with the square. Where two scores are a near tie the oracle takes the engine's choice of entries and experts (refusing
one that is not explained by a tie): else a single flip would stay in the memory and show in all rows after it. Then
every row is within 1e-5 relative, and the middle of the errors is the same at every depth.
"""

import argparse
import json
import os
import subprocess
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products: more threads only wait for each other

import numpy as np

import checkpoint
from make_case import COMMON, PRESETS
from reference import Model, Precision


def give_choices(model, choices, tokens):
    """Hands finback-oracle's choices to the layers that made them."""
    def take(columns):
        nonlocal choices
        rows, choices = choices[:tokens * columns].reshape(tokens, columns), choices[tokens * columns:]
        return rows
    for block in model.blocks:
        block.experts.given = take(model.c["num_experts_per_tok"])
        if block.attention.indexer:
            block.attention.given = take(model.c["index_topk"])
    assert len(choices) == 0


def errors(a):
    """Relative error of each row's logits, and whether its largest logit is the same one."""
    config = {**COMMON, **PRESETS[a.preset]}
    folder = os.path.join(a.work, f"long-{a.preset}-{a.seed}-{a.tokens}")
    os.makedirs(folder, exist_ok=True)
    path = lambda name: os.path.join(folder, name)
    with open(path("config.json"), "w") as f:
        json.dump(config, f)
    checkpoint.save(path("model.safetensors"), checkpoint.random_model(config, a.seed))
    ids = np.random.default_rng(a.seed + 1).integers(0, config["vocab_size"], a.tokens)
    with open(path("ids.txt"), "w") as f:
        f.write(" ".join(map(str, ids)))
    subprocess.run([a.command, "logits", folder, "--tokens", path("ids.txt"), "--out", path("out.bin"),
                    "--precision", "float32"], check=True)
    found = np.fromfile(path("out.bin"), np.float32).reshape(a.tokens, -1)
    os.remove(path("out.bin"))
    ids.astype(np.int32).tofile(path("ids.bin"))
    subprocess.run([a.program, folder, path("ids.bin"), path("choices.bin")], check=True)
    model = Model(folder, Precision.float32())
    give_choices(model, np.fromfile(path("choices.bin"), np.int32), a.tokens)
    expected = model.forward(ids)
    print(f"{model.near_ties} near ties")
    row = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    return row, found.argmax(1) == expected.argmax(1)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--command", required=True)
    args.add_argument("--program", required=True)
    args.add_argument("--work", required=True)
    args.add_argument("--tokens", type=int, default=12000)
    args.add_argument("--preset", choices=PRESETS, default="mixed")
    args.add_argument("--seed", type=int, default=1)
    a = args.parse_args()
    row, same = errors(a)
    step = max(1, a.tokens // 8)
    medians = []
    for first in range(0, a.tokens, step):
        part = slice(first, first + step)
        medians.append(np.median(row[part]))
        print(f"rows from {first}: median {medians[-1]:.1e}, worst {row[part].max():.1e}, "
              f"equal argmax {same[part].mean():.5f}")
    far = np.where(row > 1e-5)[0]
    print(f"{len(far)} of {a.tokens} rows above 1e-5: {far[:20].tolist()}")
    failed = []
    if len(far):
        failed.append(f"{len(far)} rows above 1e-5")
    if max(medians) > 2 * min(medians):
        failed.append(f"medians from {min(medians):.1e} to {max(medians):.1e}: the error grows with depth")
    if not same.all():
        failed.append("the largest logit differs")
    for text in failed:
        print("FAILED: " + text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
