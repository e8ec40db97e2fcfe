#!/usr/bin/env python3
"""check_stack_frames.py LIBRARY: no function of the built library takes much of a thread's stack at once, for threads
of 128 KiB compute too. Larger things live in Scratch. Frames are read from the machine code."""

import os
import re
import subprocess
import sys

import source_tree

MOST = 18 << 10
# Functions that may take more: with the most, and the reason.
ALLOWED = {
    r"(PanelRows|TogetherOutputs|MultiplyTile)<": (52 << 10, "decoded weights and sums of a product; nothing large is below them"),
    r"Gemm\w+\(": (52 << 10, "the same where a compiler puts them into their caller"),
}
# What moves the stack pointer down by a number; larger ones are negative and move it up.
GROWTH = re.compile(r"\bsub\s+(?:\$0x([0-9a-f]{1,7}),%rsp|sp, sp, #0x([0-9a-f]+)(?:, lsl #(12))?)(?:\s|$)")
NAME = re.compile(r"^[0-9a-f]+ <(.*)>:$")


def frames(library):
    """Names of functions and the bytes that each takes. Files may have functions of the same name of their own."""
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", library]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken, name = {}, ""
    for line in listing.splitlines():
        if match := NAME.match(line):
            name = match.group(1)
            while name in taken:
                name += " (another)"
        elif match := GROWTH.search(line):
            small, wide, shift = match.groups()
            taken[name] = taken.get(name, 0) + (int(small or wide, 16) << int(shift or 0))
    return taken


def main():
    arguments = source_tree.parser(__doc__)
    arguments.add_argument("library")
    taken = frames(os.path.realpath(arguments.parse_args().library))
    findings = []
    for name, size in sorted(taken.items()):
        most = next((most for pattern, (most, _) in ALLOWED.items() if re.search(pattern, name)), MOST)
        if size > most:
            findings.append(f"{name}: takes {size} bytes of stack, at most {most}")
    return source_tree.report(findings, len(taken))


if __name__ == "__main__":
    sys.exit(main())
