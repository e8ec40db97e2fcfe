"""libfinback.so exports exactly the functions that finback.h declares."""

import os
import re
import subprocess
import sys

import source_tree

HEADER = "capi/include/finback/finback.h"


def declared(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return {
        match.group(1)
        for declaration in re.findall(r"FINBACK_API\b([^;{]*);", text)
        for match in [re.search(r"\b(finback_\w+)\s*\(", declaration)]
        if match
    }


def exported(library):
    lines = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", library], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # Type A is the version node itself (FINBACK_0).
    return {line.split()[0].split("@")[0] for line in lines if line.split()[1] != "A"}


def readable(symbol):
    """A C++ symbol with its name in C++ behind it."""
    name = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True).stdout.strip()
    return symbol if name == symbol else f"{symbol} ({name})"


def main():
    arguments = source_tree.parser(__doc__)
    arguments.add_argument("library")
    options = arguments.parse_args()
    want = declared(source_tree.read(options.root, HEADER).decode())
    have = exported(options.library)
    name = os.path.basename(options.library)
    findings = [f"{HEADER}: declares {symbol}, which {name} does not export" for symbol in sorted(want - have)]
    findings += [f"{name}: exports {readable(symbol)}, which {HEADER} does not declare" for symbol in sorted(have - want)]
    return source_tree.report(findings, len(want))


if __name__ == "__main__":
    sys.exit(main())
