"""clang-format 14 has nothing to change in any C or C++ file."""

import os
import sys

import source_tree


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = source_tree.files(options.root, source_tree.CXX_SUFFIXES)
    if not paths:
        return source_tree.report([], 0)
    os.chdir(options.root)
    return source_tree.run_tool(["clang-format-14", "--dry-run", "-Werror", *paths])


if __name__ == "__main__":
    sys.exit(main())
