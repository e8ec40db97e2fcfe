"""The examples of README.md work as printed."""

import os
import re
import shutil
import subprocess
import unittest

from command import FINBACK, SOURCE, CommandTest, environment, needs_krill

BUILD = os.path.dirname(os.path.dirname(FINBACK))


def blocks(language):
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)


def shell_examples():
    """(command, what it prints) of every console block."""
    for block in blocks("console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


@needs_krill
class Readme(CommandTest):
    def test_console_examples_print_what_is_printed(self):
        examples = list(shell_examples())
        self.assertGreater(len(examples), 2)
        for command, output in examples:
            with self.subTest(command):
                run = subprocess.run(
                    ["sh", "-c", command.replace("build/bin/finback", FINBACK)],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                    cwd=SOURCE, env=environment(), check=False)  # fmt: skip
                self.assertEqual(run.stdout.decode(), output, run.stderr.decode())

    @unittest.skipIf(os.environ.get("FINBACK_SANITIZED") == "1", "a plain program cannot load a sanitized library")
    def test_c_example_compiles_and_answers(self):
        [program] = blocks("c")
        folder = self.temporary_folder()
        source, binary = os.path.join(folder, "answer.c"), os.path.join(folder, "answer")
        with open(source, "w", encoding="ascii") as file:
            file.write(program)
        compiler = shutil.which("cc") or shutil.which("gcc")
        library = os.path.join(BUILD, "lib")
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(SOURCE, "capi", "include")]
        subprocess.run(
            [compiler, source, *flags, "-L", library, "-lfinback", f"-Wl,-rpath,{library}", "-o", binary], check=True
        )
        run = subprocess.run([binary], capture_output=True, env=environment(), check=False)
        expected = next(output for command, output in shell_examples() if "What do baleen whales eat?" in command)
        self.assertEqual(run.stdout.decode(), expected, run.stderr.decode())
        self.assertEqual(run.returncode, 0)

        # With a model that is not there it ends with an error, and says which.
        with open(source, "w", encoding="ascii") as file:
            file.write(program.replace('"krill"', '"/nowhere/at/all"'))
        subprocess.run(
            [compiler, source, *flags, "-L", library, "-lfinback", f"-Wl,-rpath,{library}", "-o", binary], check=True
        )
        run = subprocess.run([binary], capture_output=True, env=environment(), check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("/nowhere/at/all", run.stderr.decode())


if __name__ == "__main__":
    unittest.main()
