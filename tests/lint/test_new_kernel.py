"""A kernel is one file and one line: core/kernels/README.md's example, and one that asks for prepared activations,
are added to a copy of the sources, which must build, pick and test them, and find out what computes wrongly."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import source_tree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LIST = "core/kernels/kernels.inc"

# y = (2 x) W / 2.
DOUBLED = """#include "core/kernels/kernels.h"

namespace finback {

void PrepareDoubled(float* x, size_t in) {
  for (size_t k = 0; k < in; ++k) x[k] *= 2.0f;
}

void GemmF32Doubled(const GemmArgs& args) {
  GemmF32Scalar(args);
  for (size_t row = 0; row < args.rows; ++row) {
    float* y = args.y + row * args.y_stride;
    for (size_t o = args.out_begin; o < args.out_end; ++o) y[o - args.y_origin] *= 0.5f;
  }
}

}  // namespace finback
"""
DOUBLED_ROW = "FINBACK_KERNEL(gemm_f32, 0, GemmF32Doubled, PrepareDoubled)"


def readme_example():
    """(path, source, row) of the made-up kernel in the README."""
    text = source_tree.read(ROOT, "core/kernels/README.md").decode()
    source = re.search(r"```cpp\n(// (core/kernels/\S+\.cc)\n.*?)```", text, re.DOTALL)
    row = re.search(r"^    (FINBACK_KERNEL\(.*\))$", text, re.MULTILINE)
    return source.group(2), source.group(1), row.group(1)


class NewKernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = os.path.join(cls.folder.name, "source")
        cls.build = os.path.join(cls.folder.name, "build")
        source_tree.copy(ROOT, cls.root)
        cls.path, cls.source, row = readme_example()
        cls.write(cls.path, cls.source)
        cls.write("core/kernels/gemm_doubled.cc", DOUBLED)
        rows = source_tree.read(cls.root, LIST).decode()
        head = re.match(r"(//[^\n]*\n)*", rows).group(0)
        cls.write(LIST, f"{head}{row}\n{DOUBLED_ROW}\n{rows[len(head):]}")
        cls.suffixes = re.findall(
            r"^finback_kernel_flags\((\w+)", source_tree.read(ROOT, "cmake/kernels.cmake").decode(), re.MULTILINE
        )
        for suffix in cls.suffixes:
            cls.write(f"core/kernels/nothing_{suffix}.cc", "// Nothing.\n")
        options = ["-DCMAKE_BUILD_TYPE=None", "-DFINBACK_BUILD_TESTS=ON", f"-DPython3_EXECUTABLE={sys.executable}"]
        cls.run_tool("cmake", "-G", "Ninja", "-S", cls.root, "-B", cls.build, *options)
        cls.make()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def write(cls, path, text):
        with open(os.path.join(cls.root, path), "w", encoding="ascii") as file:
            file.write(text)

    @classmethod
    def run_tool(cls, *command):
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}:\n{run.stdout}")

    @classmethod
    def make(cls):
        cls.run_tool("cmake", "--build", cls.build, "--target", "core_kernels_tests")

    def run_tests(self, *options):
        program = os.path.join(self.build, "bin/core_kernels_tests")
        run = subprocess.run([program, *options], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout

    def test_is_picked_before_those_below_it(self):
        code, output = self.run_tests("--gtest_filter=KernelList.*")
        self.assertEqual(code, 0, output)
        for picked in ("dot: DotSwapped", "gemm_f32: GemmF32Doubled"):
            self.assertIn(f"\n{picked}\n", output)

    def test_is_tested_and_passes(self):
        for name, least in (("DotSwapped", 1), ("GemmF32Doubled", 7)):
            code, output = self.run_tests(f"--gtest_filter=*/{name}")
            self.assertEqual(code, 0, output)
            self.assertGreaterEqual(output.count("[       OK ]"), least, output)

    def test_is_found_out_when_wrong(self):
        for path, right, wrong, name in (
            (self.path, self.source, self.source.replace("(b, a, n)", "(b, a, n / 2)"), "DotSwapped"),
            ("core/kernels/gemm_doubled.cc", DOUBLED, DOUBLED.replace("*= 2.0f", "*= 2.5f"), "GemmF32Doubled"),
        ):
            self.assertNotEqual(right, wrong)
            self.write(path, wrong)
            self.make()
            code, output = self.run_tests(f"--gtest_filter=*/{name}")
            self.write(path, right)
            self.assertNotEqual(code, 0, output)
            self.assertRegex(output, rf"\[  FAILED  \] \S+/{name}")
        self.make()

    def test_flags_follow_from_the_end_of_the_name(self):
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as file:
            commands = {entry["file"]: entry["command"] for entry in json.load(file)}
        machine = os.uname().machine
        named = {"avx2": "-mavx2", "avx512": "-mavx512vnni", "avx512bf16": "-mavx512bf16", "neondot": "+dotprod",
                 "neonbf16": "+bf16"}
        for suffix in self.suffixes:
            self.assertRegex(f"nothing_{suffix}", source_tree.ISA_SUFFIX + "$")
            command = commands.get(os.path.join(self.root, f"core/kernels/nothing_{suffix}.cc"))
            if machine != ("aarch64" if suffix.startswith("neon") else "x86_64"):
                self.assertIsNone(command)  # not compiled for other processors
                continue
            self.assertIn(" -fno-lto ", command)
            self.assertIn(named.get(suffix, "-fno-lto"), command)
        for plain in (self.path, "core/kernels/kernels.cc"):
            self.assertNotIn("-fno-lto", commands[os.path.join(self.root, plain)])


if __name__ == "__main__":
    unittest.main()
