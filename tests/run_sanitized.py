"""Runs a test of a language whose interpreter is plain, with a library and a module that AddressSanitizer and UBSan watch.

run_sanitized.py [--leaks=no] COMMAND...: fails when the command does, when a sanitizer reports an error in any process that it started,
and when memory was left that a function of Finback asked for. What an interpreter and the extensions of others leave at
their exit is theirs: no finding. --leaks=no is for programs that leave in the middle of a call, and for Java, whose memory
the leak checker cannot read.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

OURS = re.compile(r"\bfinback(_python)?::|\bfinback_\w+ |libfinback\.so|_finback\.cpython")
# What an interpreter allocates for an object that it was asked for is its own to free.
RUNTIME = re.compile(r"libsanitizer/|/usr/include/c\+\+|libstdc\+\+|__interceptor_| in operator new")
INTERPRETER = re.compile(r"\(/\S*(?:python|node|mono|ruby|perl|lua|tcl|jvm)\S*\+0x")
LEAK = re.compile(r"^(?:Direct|Indirect) leak of .*?(?=^\n|\Z)", re.MULTILINE | re.DOTALL)


def runtime(name):
    """A library of the compiler, which must be loaded first."""
    found = subprocess.run([os.environ.get("CC", "cc"), f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def is_ours(leak):
    frames = [line for line in leak.splitlines() if line.lstrip().startswith("#") and not RUNTIME.search(line)]
    return bool(frames) and not INTERPRETER.search(frames[0]) and bool(OURS.search(leak))


def findings(report):
    """What a process's report says against us."""
    if "ERROR: LeakSanitizer" not in report or "ERROR: AddressSanitizer" in report or "runtime error:" in report:
        return [report]
    return [leak for leak in LEAK.findall(report) if is_ours(leak)]


def main():
    command = sys.argv[1:]
    leaks = command[0] != "--leaks=no"
    if not leaks:
        command = command[1:]
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "report")
        environment = {
            **os.environ,
            "FINBACK_SANITIZED": "1",
            # Of the C++ runtime too: its exceptions are watched, and most interpreters are C.
            "LD_PRELOAD": " ".join(map(runtime, ("libasan.so", "libubsan.so", "libstdc++.so.6"))),
            "PYTHONMALLOC": "malloc",
            # Reports decide, not exit codes, which would be those of any leak. Java's and Go's own handlers of signals
            # stay, and Java's stacks.
            "ASAN_OPTIONS": f"log_path={log}:exitcode=0:detect_leaks={leaks:d}:handle_segv=0:handle_sigfpe=0:use_sigaltstack=0",
            "UBSAN_OPTIONS": f"log_path={log}:print_stacktrace=1",
        }
        status = subprocess.run(command, env=environment, check=False).returncode
        found, processes = [], glob.glob(f"{log}.*")
        for path in processes:
            with open(path, encoding="utf-8", errors="replace") as file:
                found += findings(file.read())
    for finding in found:
        print(finding)
    print(f"{len(found)} findings in the reports of {len(processes)} processes")
    return status or bool(found)


if __name__ == "__main__":
    sys.exit(main())
