"""The project's own files, for the lint gates: tracked or about to be, never built or ignored ones."""

import argparse
import os
import shutil
import subprocess
import sys

SKIPPED_FOLDERS = {".git", "__pycache__", ".cache", "node_modules"}
CXX_SUFFIXES = (".cc", ".h", ".hpp", ".c")
# What ends the name, before .cc, of a file that cmake/kernels.cmake compiles for one instruction set.
ISA_SUFFIX = r"_(avx2|avx512\w*|amx\w*|neon\w*)"


def _walk(root):
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [
            name
            for name in subfolders
            if name not in SKIPPED_FOLDERS and not (folder == root and name.startswith("build"))
        ]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)


def files(root, suffixes=None, under=("",)):
    """Paths relative to `root`, sorted, ending in one of `suffixes`, below one of the folders `under`."""
    paths = None
    if os.path.exists(os.path.join(root, ".git")):  # a file in a worktree
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=False,
        )
        if listed.returncode == 0:
            paths = [path for path in listed.stdout.decode().split("\0") if path]
    if paths is None:
        paths = list(_walk(root))
    return sorted(
        path
        for path in set(paths)
        if (suffixes is None or path.endswith(tuple(suffixes)))
        and any(path.startswith(folder) for folder in under)
        and os.path.isfile(os.path.join(root, path))
    )


def copy(root, to, under=("",)):
    """Copies the files below one of the folders `under` to the folder `to`."""
    for path in files(root, under=under):
        os.makedirs(os.path.dirname(os.path.join(to, path)), exist_ok=True)
        shutil.copyfile(os.path.join(root, path), os.path.join(to, path))


def read(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return file.read()


def parser(description):
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    return arguments


def report(findings, checked):
    """Prints each finding on a line; the exit status. Checking nothing at all is a failure too."""
    for finding in findings:
        print(finding)
    if not checked:
        print("nothing was checked: wrong folder or arguments?")
        return 1
    print(f"{len(findings)} findings in {checked} checked")
    return 1 if findings else 0


def run_tool(command):
    """Runs an external checker and passes its verdict on; a checker that is missing is a failure."""
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        print(f"{command[0]}: {error}")
        return 1


