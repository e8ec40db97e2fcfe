"""shellcheck has nothing to say about any shell script."""

import os
import sys

import source_tree


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = [
        path
        for path in source_tree.files(options.root)
        if path.endswith(".sh") or source_tree.read(options.root, path)[:64].startswith((b"#!/usr/bin/env bash", b"#!/bin/sh", b"#!/bin/bash"))
    ]
    if not paths:
        return source_tree.report([], 0)
    os.chdir(options.root)
    return source_tree.run_tool(["shellcheck", *paths])


if __name__ == "__main__":
    sys.exit(main())
