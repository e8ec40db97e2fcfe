"""The examples of README.md work as printed."""

import os
import re
import shutil
import subprocess
import unittest

from command import FINBACK, SOURCE, CommandTest, ServiceTest, environment, needs_krill
from printed import BUILD, commands, fenced

def shell_examples():
    """(command, what it prints) of every console block."""
    for block in fenced("README.md", "console"):
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
        [program] = fenced("README.md", "c")
        folder = self.temporary_folder()
        source, binary = os.path.join(folder, "answer.c"), os.path.join(folder, "answer")
        compiler = shutil.which("cc") or shutil.which("gcc")
        library = os.path.join(BUILD, "lib")
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(SOURCE, "capi", "include")]

        def run_program(text):
            with open(source, "w", encoding="ascii") as file:
                file.write(text)
            subprocess.run(
                [compiler, source, *flags, "-L", library, "-lfinback", f"-Wl,-rpath,{library}", "-o", binary], check=True
            )
            return subprocess.run([binary], capture_output=True, env=environment(), check=False)

        run = run_program(program)
        expected = next(output for command, output in shell_examples() if "What do baleen whales eat?" in command)
        self.assertEqual(run.stdout.decode(), expected, run.stderr.decode())
        self.assertEqual(run.returncode, 0)

        # With a model that is not there it ends with an error, and says which.
        run = run_program(program.replace('"krill"', '"/nowhere/at/all"'))
        self.assertEqual(run.returncode, 1)
        self.assertIn("/nowhere/at/all", run.stderr.decode())


class ReadmeAtAService(ServiceTest):
    """The section "At a service", against a service on loopback."""

    def lines(self):
        return commands("README.md", "export DEEPSEEK_API_KEY")

    def run_line(self, line, scenario="answer"):
        address = f"http://127.0.0.1:{self.port}/s/{scenario}"
        line = line.replace("http://127.0.0.1:8000/v1", address)
        if line.startswith("finback chat") and "base_url" not in line:
            line = line.replace("finback chat", f"finback chat --set base_url={address}", 1)
        line = re.sub("^finback (chat)", rf"{FINBACK} \1 --set environment_proxy=false", line)
        line = re.sub("^finback", FINBACK, line)
        return subprocess.run(
            ["sh", "-c", line], capture_output=True, cwd=self.home, stdin=subprocess.DEVNULL, check=False,
            env=environment(HOME=self.home, DEEPSEEK_API_KEY="sk-of-a-test"))  # fmt: skip

    def setUp(self):
        self.home = self.temporary_folder()

    def test_every_line_works_as_printed(self):
        lines = self.lines()
        self.assertGreaterEqual(len(lines), 5)
        printed = [self.assert_ok(self.run_line(line)).stdout.decode() for line in lines]
        answers = [text for line, text in zip(lines, printed) if line.startswith("finback chat")]
        self.assertEqual(answers, ["It is 4, na\u00efve \u2713 \U0001f600.\n"] * 2)
        self.assertIn("deepseek", printed[lines.index(next(line for line in lines if "finback models" in line))])
        self.assertIn("deepseek-flash", printed[-1])  # what was spent

    def test_the_same_lines_when_the_service_fails(self):
        for line in self.lines():
            if line.startswith("finback chat"):
                self.assert_fails(self.run_line(line, "401-key"), 1, "HTTP 401", "check the API key")

    def test_a_budget_too_small_says_what_to_lower(self):
        line = next(line for line in self.lines() if "--budget" in line)
        run = self.run_line(line.replace("--max-tokens 2000 ", "").replace("0.05", "0.0005"))
        self.assert_fails(run, 1, "budget")
        fitting = re.search(r"max_tokens (\d+) would fit, or raise the budget to \$(\d+\.\d\d)", run.stderr.decode())
        self.assertIsNotNone(fitting, run.stderr.decode())
        self.assert_ok(self.run_line(line.replace("2000", fitting[1]).replace("0.05", "0.0005")))
        self.assert_ok(self.run_line(line.replace("--max-tokens 2000 ", "").replace("0.05", fitting[2])))


if __name__ == "__main__":
    unittest.main()
