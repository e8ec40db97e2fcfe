"""What README.md and other pages print for their readers to run, and a place where it runs as printed.

A block is fenced code, or indented lines after an empty one. tests/lint/check_printed.py names the test of each."""

import os
import re
import stat
import subprocess

from command import FINBACK, SOURCE, environment

BUILD = os.path.dirname(os.path.dirname(FINBACK))
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?:    \S.*\n)+")


def text_of(page):
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        return file.read()


def fenced(page, language):
    """The fenced blocks of that language."""
    return [code for name, code in FENCED.findall(text_of(page)) if name == language]


def commands(page, start):
    """The lines of the one indented block whose first line begins so."""
    blocks = INDENTED.findall(FENCED.sub("", text_of(page)))
    [block] = [block for block in blocks if block[4:].startswith(start)]
    return [line[4:] for line in block.splitlines()]


def write_program(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


class Clone:
    """A folder like a built clone, in which lines run: by somebody who may install, below `installed`, and has the
    command on the path. `./dev` knows its commands, and runs none: it would build."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "finback")
        self.home, self.installed, tools = (os.path.join(folder, name) for name in ("home", "installed", "tools"))
        for made in (self.folder, self.home, self.installed, tools):
            os.mkdir(made)
        for name in os.listdir(SOURCE):
            if name not in (".git", "dev") and not name.startswith("build"):
                os.symlink(os.path.join(SOURCE, name), os.path.join(self.folder, name))
        os.symlink(BUILD, os.path.join(self.folder, "build"))
        write_program(os.path.join(self.folder, "dev"), f'{SOURCE}/dev help | grep -q "^  $1 "')
        write_program(os.path.join(tools, "sudo"), 'exec "$@"')
        write_program(os.path.join(tools, "ldconfig"), "true")
        self.path = os.pathsep.join([tools, os.path.dirname(FINBACK), os.environ["PATH"]])
        # (pkg-config keeps folders of the system to itself, which this prefix is not.)
        prefix = os.path.join(self.installed, "usr", "local")
        self.variables = {
            "HOME": self.home,
            "PATH": self.path,
            "DESTDIR": self.installed,
            "PKG_CONFIG_PATH": os.pathsep.join(
                os.path.join(prefix, library, "pkgconfig") for library in ("lib", "lib/x86_64-linux-gnu", "lib64")
            ),
            "LD_LIBRARY_PATH": os.path.join(prefix, "lib"),
        }

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *lines, **more):
        """The lines as one script, which stops at the first that fails."""
        return subprocess.run(
            ["bash", "-e", "-c", "\n".join(lines)], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
            env=environment(**{**self.variables, **more}), check=False)  # fmt: skip
