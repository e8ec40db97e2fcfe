"""tests/run_sanitized.py finds what the reports of sanitizers say against the project, and nothing else."""

import os
import subprocess
import sys
import unittest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, TESTS)
import run_sanitized  # noqa: E402

THEIRS = """Direct leak of 56 byte(s) in 1 object(s) allocated from:
    #0 0x7f57 in __interceptor_malloc asan_malloc_linux.cpp:69
    #1 0x5075 in _PyObject_GC_NewVar (/usr/bin/python3.11+0x507545)
    #2 0x7f09 (/usr/lib/finback/venv/pydantic_core.so+0x1)
"""
OURS = """Direct leak of 8 byte(s) in 1 object(s) allocated from:
    #0 0x7f57 in operator new(unsigned long) asan_new_delete.cpp:95
    #1 0x7f58 in finback_python::MakeLog(pybind11::object const&) ../python/src/calls.cc:63
    #2 0x7f59 (/usr/bin/python3.11+0x507545)
"""
ASKED_FOR = THEIRS.replace("    #2", "    #2 0x7f58 in finback_python::Step() ../python/src/streams.cc:40\n    #3")
IN_A_LIBRARY = OURS.replace("    #1", "    #1 0x7f60 in curl_easy_init (/usr/lib/libcurl.so.4+0x1)\n    #2")
STRIPPED = OURS.replace("in finback_python::MakeLog(pybind11::object const&) ../python/src/calls.cc:63", "(/usr/lib/libfinback.so.0+0x5)")


def leaks(*stacks):
    head = "\n====\n==1==ERROR: LeakSanitizer: detected memory leaks\n\n"
    return head + "\n".join(stacks) + "\nSUMMARY: AddressSanitizer: 64 byte(s) leaked in 2 allocation(s).\n"


class Reports(unittest.TestCase):
    def test_what_others_leave_is_theirs(self):
        self.assertEqual(run_sanitized.findings(leaks(THEIRS, ASKED_FOR, THEIRS)), [])

    def test_what_we_asked_for_is_ours(self):
        self.assertEqual(run_sanitized.findings(leaks(THEIRS, OURS)), [OURS])
        self.assertEqual(run_sanitized.findings(leaks(THEIRS, IN_A_LIBRARY)), [IN_A_LIBRARY])
        self.assertEqual(run_sanitized.findings(leaks(STRIPPED, THEIRS)), [STRIPPED])

    def test_errors_are_findings_wherever_they_are(self):
        error = "a.cc:1: runtime error: shift\n"
        self.assertEqual(run_sanitized.findings(error + leaks(THEIRS)), [error + leaks(THEIRS)])
        for report in ("==1==ERROR: AddressSanitizer: heap-use-after-free\n    #0 0x7f in strlen\n", "a.cc:1: runtime error: shift\n"):
            self.assertEqual(run_sanitized.findings(report), [report])

    def test_a_command_that_fails(self):
        script = os.path.join(TESTS, "run_sanitized.py")
        for code in (0, 3):
            run = subprocess.run([sys.executable, script, "sh", "-c", f"exit {code}"], stdout=subprocess.PIPE, check=False)
            self.assertEqual(run.returncode, code)


if __name__ == "__main__":
    unittest.main()
