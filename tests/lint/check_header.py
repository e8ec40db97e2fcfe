"""The public headers compile alone and without a warning, as C99 and C++20, by gcc and by clang."""

import os
import sys

import header_compiler
import source_tree

INCLUDE = header_compiler.INCLUDE
# compilers by name, best first; suffix; flags; headers
C99 = (".c", ["-std=c99", "-Wstrict-prototypes"], ["finback.h"])
CXX20 = (".cc", ["-std=c++20"], ["finback.h", "finback.hpp"])
BUILDS = [(names, *C99) for names in header_compiler.C] + [(names, *CXX20) for names in header_compiler.CXX]


def main():
    options = source_tree.parser(__doc__).parse_args()
    include = os.path.join(options.root, INCLUDE)
    findings, checked = [], 0
    for names, suffix, flags, headers in BUILDS:
        compiler = header_compiler.find(names)
        if compiler is None:
            findings.append(f"no compiler found among {' '.join(names)}")
            continue
        for header in headers:
            if not os.path.exists(os.path.join(include, "finback", header)):
                findings.append(f"{INCLUDE}/finback/{header}: missing")
                continue
            checked += 1
            # Twice: the guard must hold. Then something, for a translation unit must not be empty.
            text = f"#include <finback/{header}>\n#include <finback/{header}>\nint alone(void);\n"
            run = header_compiler.check(compiler, flags, options.root, suffix, text)
            if run.returncode != 0:
                findings.append(f"{header} as {flags[0][5:]} by {os.path.basename(compiler)}:\n{run.stderr}")
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
