"""Adds a made-up wire format to a copy of core/ by the steps that core/remote/wire/README.md lists, and tries it: the steps are
all there are, and they are three files.

check_new_format.py COMPILER FLAGS OBJECT...: the objects of the rooms below, as they were built, and their libraries of no
fixed place."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", "..", ".."))
MADE_UP = os.path.join(HERE, "new_format")
LIBRARIES = ["-lcurl", "-lcrypto", "-lpcre2-8", "-lsqlite3", "-lpthread"]
FORMAT = "telegram"
COMPILER, FLAGS, OBJECTS = sys.argv[1], shlex.split(sys.argv[2]), sys.argv[3:]


def steps():
    """(file, line to add or None) of the README's steps, with the format's name put in."""
    with open(os.path.join(ROOT, "core/remote/wire/README.md"), encoding="utf-8") as file:
        section = file.read().split("## To add a wire format\n", 1)[1].split("\n## ", 1)[0]
    found = []
    for step in re.findall(r"^\d+\. (.*(?:\n   .*)*)", section, re.MULTILINE):
        codes = [code.replace("NAME", FORMAT).replace("Name", FORMAT.capitalize()) for code in re.findall(r"`([^`]*)`", step)]
        path = codes[0] if "/" in codes[0] else "core/remote/wire/" + codes[0]
        found.append((path, next((code for code in codes[1:] if code.startswith("FINBACK_")), None)))
    return found


def texts(root):
    found = {}
    for folder, _, names in os.walk(os.path.join(root, "core")):
        for name in names:
            if name.endswith((".cc", ".h", ".inc")):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = file.read()
    return found


class NewFormat(unittest.TestCase):
    def test_three_files_and_no_more(self):
        with tempfile.TemporaryDirectory() as copy:
            for path, content in texts(ROOT).items():
                os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
                with open(os.path.join(copy, path), "wb") as file:
                    file.write(content)
            for path, line in steps():
                if line is None:
                    shutil.copy(os.path.join(MADE_UP, os.path.basename(path)), os.path.join(copy, path))
                else:
                    with open(os.path.join(copy, path), "a", encoding="utf-8") as file:
                        file.write(line + "\n")
            before, after = texts(ROOT), texts(copy)
            changed = [path for path in after if before.get(path) != after[path]]
            self.assertEqual(len(changed), 3, changed)

            # Whatever reads the list of formats, and what is new.
            listed = [path for path, text in after.items() if path.endswith(".cc") and b"wire_formats.inc" in text]
            self.assertEqual(len(listed), 2, listed)
            sources = listed + [path for path in changed if path.endswith(".cc")]
            shutil.copy(os.path.join(MADE_UP, "try_telegram.cc"), copy)
            replaced = {os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path)) + ".o" for path in listed}
            kept = [path for path in OBJECTS if os.path.join(*path.split(os.sep)[-2:]) not in replaced]
            self.assertEqual(len(kept), len(OBJECTS) - len(listed))
            program = os.path.join(copy, "try")
            command = [COMPILER, *FLAGS, "-std=c++20", "-O0", "-w", f"-I{copy}", *sources, "try_telegram.cc", *kept, *LIBRARIES]
            build = subprocess.run([*command, "-o", program], cwd=copy, capture_output=True, text=True, check=False)
            self.assertEqual(build.returncode, 0, build.stderr)
            run = subprocess.run([program], capture_output=True, text=True, check=False)
            self.assertEqual((run.returncode, run.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
