#!/usr/bin/env python3
"""check_kernel_symbols.py OBJECT...: objects compiled with ISA flags define no weak symbols.

A weak function in such an object (an inline function, a template, anything of the standard library) may be
the copy that the linker keeps for the whole program, and then baseline code runs instructions that the
processor may not have. Objects whose name does not end in an ISA suffix are skipped.
"""

import re
import subprocess
import sys

import source_tree

# Files that the build compiles with ISA flags: name_avx2.cc becomes name_avx2.cc.o.
ISA_OBJECT = re.compile(source_tree.ISA_SUFFIX + r"(\.cc)?\.o(bj)?$")


def weak_symbols(path):
    """Defined weak (V, W) and unique (u) symbols of an object file, demangled; undefined ones are w, v."""
    listing = subprocess.run(["nm", "-C", path], check=True, capture_output=True, text=True).stdout
    found = []
    for line in listing.splitlines():
        match = re.match(r"^[0-9a-fA-F]*\s+([VWu]) (.*)$", line)
        if match:
            found.append(f"{match.group(1)} {match.group(2)}")
    return found


def main():
    objects = sys.argv[1:]
    if not objects:
        print(__doc__, file=sys.stderr)
        return 2
    checked = failures = 0
    for path in objects:
        if not ISA_OBJECT.search(path):
            continue
        checked += 1
        for symbol in weak_symbols(path):
            print(f"{path}: weak symbol {symbol}")
            failures += 1
    if checked == 0:
        print("no object compiled with ISA flags among the arguments")
        return 1
    print(f"{checked} objects compiled with ISA flags, {failures} weak symbols")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
