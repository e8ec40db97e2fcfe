"""tests/summary.py counts what ctest's programs ran, and fails when anything failed or nothing ran."""

import os
import subprocess
import sys
import tempfile
import unittest
from xml.sax.saxutils import escape

SUMMARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "summary.py")

GTEST = """[==========] Running 5 tests from 1 test suite.
[ RUN      ] A.B
[  SKIPPED ] A.B (0 ms)
[==========] 5 tests from 1 test suite ran. (1 ms total)
[  PASSED  ] 3 tests.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.B
[  FAILED  ] 1 test, listed below:
[  FAILED  ] A.C
"""
UNITTEST = "Ran 7 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=3)\n"


class Summary(unittest.TestCase):
    def summarize(self, *cases):
        """(exit code, last line) for (status, output) of each ctest entry."""
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
            file.write("<testsuite>")
            for status, output, *reason in cases:
                skipped = f'<skipped message="{reason[0]}"/>' if reason else ""
                file.write(f'<testcase name="t" status="{status}">{skipped}<system-out>{escape(output)}</system-out></testcase>')
            file.write("</testsuite>")
            file.flush()
            run = subprocess.run(
                [sys.executable, SUMMARY, file.name, "--finback", "/nonexistent"], capture_output=True, text=True, check=False
            )
        return run.returncode, run.stdout.splitlines()[-1]

    def test_plain_programs_count_as_one(self):
        self.assertEqual(self.summarize(("run", ""), ("run", "fine")), (0, "2 passed, 0 failed, 0 skipped"))

    def test_gtest_programs_count_as_their_cases(self):
        self.assertEqual(self.summarize(("fail", GTEST)), (1, "3 passed, 1 failed, 1 skipped"))

    def test_unittest_programs_count_as_their_cases(self):
        self.assertEqual(self.summarize(("fail", UNITTEST)), (1, "1 passed, 3 failed, 3 skipped"))
        self.assertEqual(self.summarize(("run", "Ran 4 tests in 1s\n\nOK (skipped=1)\n")), (0, "3 passed, 0 failed, 1 skipped"))

    def test_pytest_programs_count_as_their_cases(self):
        failed = "..F\n1 failed, 3 passed, 2 skipped, 1 error in 65.94s (0:01:05)\n"
        self.assertEqual(self.summarize(("fail", failed)), (1, "3 passed, 2 failed, 2 skipped"))
        self.assertEqual(self.summarize(("run", "..\n4 passed in 0.1s\n")), (0, "4 passed, 0 failed, 0 skipped"))

    def test_a_crash_is_a_failure_whatever_was_printed(self):
        self.assertEqual(self.summarize(("run", ""), ("fail", "[ RUN      ] A.B\n")), (1, "1 passed, 1 failed, 0 skipped"))
        passed = "[==========] 2 tests from 1 test suite ran. (1 ms total)\n[  PASSED  ] 2 tests.\nleak\n"
        self.assertEqual(self.summarize(("fail", passed)), (1, "2 passed, 1 failed, 0 skipped"))

    def test_a_program_that_skips_itself_is_skipped(self):
        skipped = ("notrun", "", "SKIP_RETURN_CODE=77")
        self.assertEqual(self.summarize(("run", ""), skipped), (0, "1 passed, 0 failed, 1 skipped"))

    def test_a_missing_program_is_a_failure(self):
        missing = ("notrun", "", "Unable to find executable")
        self.assertEqual(self.summarize(("run", ""), missing), (1, "1 passed, 1 failed, 0 skipped"))

    def test_nothing_at_all_is_a_failure(self):
        self.assertEqual(self.summarize()[0], 1)
        run = subprocess.run([sys.executable, SUMMARY, "/no/such/file"], capture_output=True, text=True, check=False)
        self.assertEqual((run.returncode, run.stdout), (1, "0 passed, 1 failed, 0 skipped\n"))


if __name__ == "__main__":
    unittest.main()
