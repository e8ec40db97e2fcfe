#!/usr/bin/env python3
"""Hold the engine against the oracle on random checkpoints of all presets, pooled as the README says.

    check_oracle.py --program build/bin/finback-oracle --command build/bin/finback --work build/oracle

Makes the cases it lacks (seeds 1..N per preset and one long case), runs finback-oracle on each, and
`finback logits` in several chunk sizes and thread counts; prints what was measured; exits 1 when a bound
does not hold.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
PRESETS = ("mixed", "pro", "heads512")


def oracle_digest():
    """Of the sources that goldens follow from: those made by others are not taken for them."""
    digest = hashlib.sha256()
    for name in ("checkpoint.py", "formats.py", "make_case.py", "reference.py"):
        with open(os.path.join(HERE, name), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()[:8]


def folder_of(work, case):
    return os.path.join(work, "-".join(map(str, (*case, oracle_digest()))))


def make_case(folder, preset, seed, tokens):
    if os.path.exists(os.path.join(folder, "golden.safetensors")):
        return
    subprocess.run([sys.executable, "-B", os.path.join(HERE, "make_case.py"), folder, "--preset", preset,
                    "--seed", str(seed), "--tokens", str(tokens)], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})


def goldens(folder):
    path = os.path.join(folder, "golden.safetensors")
    raw = open(path, "rb").read()
    size = int.from_bytes(raw[:8], "little")
    out = {}
    for name, h in json.loads(raw[8:8 + size]).items():
        begin, end = h["data_offsets"]
        dtype = {"F32": np.float32, "I64": np.int64}[h["dtype"]]
        out[name] = np.frombuffer(raw[8 + size + begin:8 + size + end], dtype).reshape(h["shape"])
    return out


class Checks:
    def __init__(self):
        self.failed = 0

    def expect(self, holds, text):
        if not holds:
            self.failed += 1
            print("FAILED: " + text)


def check_command(checks, command, folder):
    """`finback logits`: float32 against the golden; the same bytes for any chunking and threads."""
    golden = goldens(folder)
    tokens = os.path.join(folder, "tokens.txt")
    with open(tokens, "w") as f:
        f.write(" ".join(map(str, golden["tokens"])))

    def logits(*options):
        out = os.path.join(folder, "logits.bin")
        subprocess.run([command, "logits", folder, "--tokens", tokens, "--out", out, *options], check=True,
                       stdout=subprocess.DEVNULL)
        return open(out, "rb").read()

    exact = golden["logits_float32"]
    found = np.frombuffer(logits("--precision", "float32"), np.float32).reshape(exact.shape)
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    checks.expect(error <= 1e-5, f"{folder}: finback logits float32 error {error:.2e} > 1e-5")
    checks.expect((found.argmax(1) == exact.argmax(1)).all(), f"{folder}: float32 argmax differs")
    reference = logits()
    for chunk, threads in ((1, 1), (3, 2), (7, 1), (64, 2), (1000, 1)):
        same = logits("--chunk", str(chunk), "--threads", str(threads)) == reference
        checks.expect(same, f"{folder}: other bytes at --chunk {chunk} --threads {threads}")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--program", required=True)
    args.add_argument("--command")
    args.add_argument("--work", required=True)
    args.add_argument("--seeds", type=int, default=10)
    args.add_argument("--tokens", type=int, default=140)
    args.add_argument("--long", type=int, default=6000, help="tokens of the one long case, 0 for none")
    a = args.parse_args()
    cases = [(p, s, a.tokens) for p in PRESETS for s in range(1, a.seeds + 1)]
    if a.long:
        cases.append(("mixed", 1, a.long))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda case: make_case(folder_of(a.work, case), *case), cases))
    checks, layers, selections, experts = Checks(), [], [], []
    worst_float32, worst_draft, draft_argmax = 0.0, 0.0, []
    for preset, seed, tokens in cases:
        folder = folder_of(a.work, (preset, seed, tokens))
        line = json.loads(subprocess.run([a.program, folder], check=True, capture_output=True, text=True).stdout)
        exact, published = line["float32"], line["published"]
        for key in ("equal_argmax", "equal_experts", "equal_selections", "draft_equal_argmax"):
            checks.expect(exact[key] == 1, f"{folder}: float32 {key} is {exact[key]}")
        for key in ("error", "draft_error"):
            checks.expect(exact[key] <= 1e-5, f"{folder}: float32 {key} is {exact[key]}")
            worst_float32 = max(worst_float32, exact[key])
        layers += [layer["error"] for layer in published["layers"]]
        experts += [layer["equal_experts"] for layer in published["layers"]]
        selections += [layer["equal_selections"] for layer in published["layers"] if "equal_selections" in layer]
        worst_draft = max(worst_draft, published["draft_error"])
        draft_argmax.append(published["draft_equal_argmax"])
    for preset in PRESETS if a.command else ():
        check_command(checks, a.command, folder_of(a.work, (preset, 1, a.tokens)))

    within = float(np.mean(np.array(layers) <= 1e-2))
    print(f"{len(cases)} cases, seeds 1..{a.seeds} of {', '.join(PRESETS)}")
    print(f"float32 end to end: worst error {worst_float32:.2e}")
    print(f"published per layer: {within:.1%} of {len(layers)} within 1e-2, median {np.median(layers):.2e}, "
          f"worst {max(layers):.2e}; experts equal {np.mean(experts):.2%}, selections {np.mean(selections):.2%}")
    print(f"published draft: worst error {worst_draft:.2e}, argmax equal {np.mean(draft_argmax):.2%}")
    checks.expect(within >= 0.85, "fewer than 85 % of layers within 1e-2")
    checks.expect(max(layers) <= 1e-1, "a layer above 1e-1")
    checks.expect(np.mean(experts) >= 0.99, "fewer than 99 % of expert rows equal")
    checks.expect(np.mean(selections) >= 0.99, "fewer than 99 % of selections equal")
    checks.expect(worst_draft <= 1e-1, "draft logits above 1e-1")
    checks.expect(np.mean(draft_argmax) >= 0.95, "fewer than 95 % of draft argmax equal")
    print("ok" if not checks.failed else f"{checks.failed} checks failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
