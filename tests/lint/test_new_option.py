"""What READMEs say that an addition takes is enough: the example in a README is applied to a copy of the tree, which
must then build and have what was added. An example is a block marked `diff` of "--- FILE", lines of that file that
begin with a space, and lines with a plus, to be put behind those."""

import os
import re
import subprocess
import tempfile
import unittest

import source_tree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

OPTION_CHECK = """
#include <cstring>

#include "capi/handles.h"

int main() {
  finback_options* options = finback_options_new();
  if (strcmp(finback_options_get(options, "example"), "7") != 0) return 1;
  if (finback_options_set(options, "example", "10") != FINBACK_ERROR_INVALID_ARGUMENT) return 2;
  if (finback_options_set(options, "example", "9") != FINBACK_OK) return 3;
  const int read = finback::ToEngineOptions(*options).example;
  finback_options_free(options);
  return read == 9 ? 0 : 4;
}
"""


class Tree:
    """A copy of some folders of the tree, without what was built in them."""

    def __init__(self, *folders):
        self.folder = tempfile.TemporaryDirectory()
        source_tree.copy(ROOT, self.folder.name, folders)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def apply(self, readme):
        """Applies the one example of a README; the files that it changed."""
        blocks = re.findall(r"^```diff\n(.*?)^```$", self.read(readme), re.MULTILINE | re.DOTALL)
        assert len(blocks) == 1, f"{readme}: {len(blocks)} examples"
        changed = []
        for name, body in re.findall(r"^--- (\S+)\n((?:[ +].*\n)+)", blocks[0], re.MULTILINE):
            before = "".join(line[1:] + "\n" for line in body.splitlines() if line[0] == " ")
            after = "".join(line[1:] + "\n" for line in body.splitlines())
            text = self.read(name)
            assert "\n" + before in text, f"{readme}: {name} has no such lines:\n{before}"
            self.write(name, text.replace(before, after, 1) if before else text + after)
            changed.append(name)
        return changed

    def build(self, program, *sources):
        """Compiles sources of the tree into a program."""
        command = ["c++", "-std=c++20", "-O0", "-Wall", "-Wextra", "-Werror"]
        command += ["-I", self.path(""), "-I", self.path("capi/include"), "-o", self.path(program)]
        run = subprocess.run([*command, *map(self.path, sources)], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return self.path(program)


class NewOption(unittest.TestCase):
    SOURCES = ("check.cc", "capi/options.cc", "capi/boundary.cc", "core/base/status.cc", "core/base/utf8.cc")

    def test_an_option_is_a_row_and_a_member(self):
        tree = Tree("capi/", "core/")
        self.assertLessEqual(len(tree.apply("capi/README.md")), 2)
        tree.write("check.cc", OPTION_CHECK)
        run = subprocess.run([tree.build("check", *self.SOURCES)], check=False)
        self.assertEqual(run.returncode, 0)

    def test_an_option_without_its_member_does_not_build(self):
        tree = Tree("capi/", "core/")
        options = tree.read("core/engine/options.h")
        tree.apply("capi/README.md")
        tree.write("core/engine/options.h", options)
        tree.write("check.cc", OPTION_CHECK)
        with self.assertRaisesRegex(AssertionError, "example"):
            tree.build("check", *self.SOURCES)

    def test_an_option_with_a_member_too_small_does_not_build(self):
        tree = Tree("capi/", "core/")
        tree.apply("capi/README.md")
        rows = tree.read("capi/options.inc").replace('FINBACK_RANGE("0", "9")', 'FINBACK_RANGE("0", "9999999999")')
        tree.write("capi/options.inc", rows)
        tree.write("check.cc", OPTION_CHECK)
        with self.assertRaisesRegex(AssertionError, "option example"):
            tree.build("check", *self.SOURCES)


if __name__ == "__main__":
    # Temporary trees are removed when they are no longer referred to.
    unittest.main(warnings="ignore")
