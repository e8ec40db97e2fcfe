#!/usr/bin/env python3
"""Hold `finback logits` on krill at published precision against the oracle, end to end.

    check_krill.py --command build/bin/finback --krill examples/krill --work build/oracle

Random models amplify the last bit of a rounding until nothing can be compared; a trained one does not.
Takes krill's sample text through an independent tokenizer; wants 97 % equal argmax and a mean
KL divergence of at most 0.01.
"""

import argparse
import os
import subprocess
import sys

import numpy as np
from tokenizers import Tokenizer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--command", required=True)
    args.add_argument("--krill", required=True)
    args.add_argument("--work", required=True)
    args.add_argument("--tokens", type=int, default=2000)
    a = args.parse_args()
    os.makedirs(a.work, exist_ok=True)
    text = open(os.path.join(a.krill, "sample_text.txt"), encoding="utf-8").read()
    tokenizer = Tokenizer.from_file(os.path.join(a.krill, "tokenizer.json"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids[:a.tokens]
    if len(ids) < a.tokens:
        sys.exit(f"sample_text.txt has {len(ids)} tokens, {a.tokens} are needed")
    tokens, out = os.path.join(a.work, "krill_tokens.txt"), os.path.join(a.work, "krill_logits.bin")
    with open(tokens, "w") as f:
        f.write(" ".join(map(str, ids)))
    subprocess.run([a.command, "logits", a.krill, "--tokens", tokens, "--out", out], check=True)
    found = np.fromfile(out, np.float32).reshape(len(ids), -1)
    expected = reference.Model(a.krill).forward(ids)
    p, q = log_softmax(expected), log_softmax(found)
    kl = float((np.exp(p) * (p - q)).sum(-1).mean())
    equal = float((found.argmax(1) == expected.argmax(1)).mean())
    print(f"krill, {len(ids)} tokens, published precision: argmax equal {equal:.2%}, mean KL {kl:.2e}")
    if equal < 0.97 or not kl <= 0.01:
        sys.exit("FAILED: wants 97 % and 0.01")
    print("ok")


if __name__ == "__main__":
    main()
