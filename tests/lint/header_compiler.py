"""How the lint gates compile text that includes the public headers: by whatever is there of gcc and clang, strictly."""

import os
import shutil
import subprocess
import tempfile

INCLUDE = "capi/include"
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
C = (["gcc-12", "gcc", "cc"], ["clang-14", "clang"])
CXX = (["g++-12", "g++"], ["clang++-14", "clang++"])


def find(names):
    """The path of the first of these compilers that is there, or None."""
    return next(filter(None, map(shutil.which, names)), None)


def check(compiler, flags, root, suffix, text):
    """Checks a source of that suffix without making an object."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "source" + suffix)
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        command = [compiler, *flags, *WARNINGS, "-fsyntax-only", "-I", os.path.join(root, INCLUDE), source]
        return subprocess.run(command, capture_output=True, text=True, check=False)
