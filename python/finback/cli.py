"""``python -m finback``: the finback command, with the same arguments, outputs and exit status.

A wheel carries the command; a distribution has it in a package of its own, ``finback``.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Optional

_OWN = pathlib.Path(__file__).parent / "bin" / "finback"


def _is_program(path: str) -> bool:
    """Not a script, which could be what started this very program."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def command() -> str:
    """The path of the finback command; FileNotFoundError if it is not installed."""
    for path in (str(_OWN), shutil.which("finback"), "/usr/local/bin/finback", "/usr/bin/finback"):
        if path and os.access(path, os.X_OK) and _is_program(path):
            return path
    raise FileNotFoundError("the finback command is not installed; on Debian it is in finback")


def run(arguments: Sequence[str]) -> int:
    """Runs the command and waits; returns its exit status."""
    return subprocess.run([command(), *arguments], check=False).returncode


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Becomes the command. Returns only if there is none."""
    try:
        program = command()
    except FileNotFoundError as error:
        print(f"finback: {error}", file=sys.stderr)
        return 1
    os.execv(program, ["finback", *(sys.argv[1:] if arguments is None else arguments)])
