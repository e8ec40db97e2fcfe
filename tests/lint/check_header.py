"""The public headers compile alone and without a warning, as C99 and C++20, by gcc and by clang."""

import os
import shutil
import subprocess
import sys
import tempfile

import source_tree

INCLUDE = "capi/include"
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
# compiler names, best first; language; extra flags; headers
BUILDS = [
    (["gcc-12", "gcc", "cc"], "c", ["-std=c99", "-Wstrict-prototypes"], ["finback.h"]),
    (["clang-14", "clang"], "c", ["-std=c99", "-Wstrict-prototypes"], ["finback.h"]),
    (["g++-12", "g++"], "c++", ["-std=c++20"], ["finback.h", "finback.hpp"]),
    (["clang++-14", "clang++"], "c++", ["-std=c++20"], ["finback.h", "finback.hpp"]),
]


def compile_alone(compiler, language, flags, include, header):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "alone.c" if language == "c" else "alone.cc")
        with open(source, "w", encoding="ascii") as file:
            # Twice: the guard must hold. Then something, for a translation unit must not be empty.
            file.write(f"#include <finback/{header}>\n#include <finback/{header}>\nint alone(void);\n")
        return subprocess.run(
            [compiler, *flags, *WARNINGS, "-fsyntax-only", "-I", include, source],
            capture_output=True,
            text=True,
            check=False,
        )


def main():
    options = source_tree.parser(__doc__).parse_args()
    include = os.path.join(options.root, INCLUDE)
    findings, checked = [], 0
    for names, language, flags, headers in BUILDS:
        compiler = next(filter(None, map(shutil.which, names)), None)
        if compiler is None:
            findings.append(f"no compiler found among {' '.join(names)}")
            continue
        for header in headers:
            if not os.path.exists(os.path.join(include, "finback", header)):
                findings.append(f"{INCLUDE}/finback/{header}: missing")
                continue
            checked += 1
            run = compile_alone(compiler, language, flags, include, header)
            if run.returncode != 0:
                findings.append(f"{header} as {flags[0][5:]} by {os.path.basename(compiler)}:\n{run.stderr}")
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
