"""Code examples in the comments of public headers compile without a warning: finback.h's as C99, finback.hpp's
as C++20.

An example is what follows an empty line of a comment, indented by four columns more than prose. It is compiled as the
body of a function."""

import os
import re
import sys

import header_compiler
import source_tree

INCLUDE = header_compiler.INCLUDE
# header; suffix; language; headers that the example may take for granted
C99 = ("finback.h", ".c", "c99", ["stdio.h", "stdlib.h", "string.h"])
CXX20 = ("finback.hpp", ".cc", "c++20", ["iostream", "string", "vector"])
BUILDS = [(names, *C99) for names in header_compiler.C] + [(names, *CXX20) for names in header_compiler.CXX]
COMMENT = re.compile(r"^\s*(?://| \*(?!/))(.*)$")
CODE = re.compile(r"^ {5}")


def examples(text):
    """Yields (line number of the first line, code) of each example."""
    lines = text.split("\n")
    previous, at = None, 0
    while at < len(lines):
        match = COMMENT.match(lines[at])
        comment = match.group(1) if match else None
        if previous is not None and not previous.strip() and comment is not None and CODE.match(comment):
            first, code = at, []
            while at < len(lines) and (match := COMMENT.match(lines[at])):
                if match.group(1).strip() and not CODE.match(match.group(1)):
                    break  # prose again; an empty line belongs to the example
                code.append(match.group(1)[5:])
                at += 1
            yield first + 1, "\n".join(code).rstrip()
            comment = None
        else:
            at += 1
        previous = comment


def as_function(header, needed, line, code):
    includes = "".join(f"#include <{name}>\n" for name in [f"finback/{header}", *needed])
    return f'{includes}void example(void);\nvoid example(void) {{\n#line {line} "{header}"\n{code}\n}}\n'


def main():
    options = source_tree.parser(__doc__).parse_args()
    findings, checked = [], 0
    for compilers, header, suffix, standard, needed in BUILDS:
        compiler = header_compiler.find(compilers)
        if compiler is None:
            findings.append(f"no compiler found among {' '.join(compilers)}")
            continue
        path = f"{INCLUDE}/finback/{header}"
        found = list(examples(source_tree.read(options.root, path).decode()))
        if not found:
            findings.append(f"{path}: no example in its comments")
        for line, code in found:
            checked += 1
            text = as_function(header, needed, line, code)
            run = header_compiler.check(compiler, [f"-std={standard}"], options.root, suffix, text)
            if run.returncode != 0:
                name = os.path.basename(compiler)
                findings.append(f"{path}:{line}: an example is no {standard} for {name}:\n{run.stderr}")
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
