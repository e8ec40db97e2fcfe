"""Sum up a ctest run from its JUnit file: failures, skips, ISAs, and last "N passed, N failed, N skipped".

A ctest entry that is a gtest, unittest or pytest program counts as the cases it ran, read from the summary that
the program printed; any other entry counts as one. Exit status 1 if anything failed or nothing ran.
"""

import argparse
import collections
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

Counts = collections.namedtuple("Counts", "passed failed skipped")

SKIPPED_CASE = re.compile(r"^\[  SKIPPED \] ([\w/.]+)(?: \(\d+ ms\))?$", re.MULTILINE)


def first_number(pattern, text):
    found = re.findall(pattern, text, re.MULTILINE)
    return sum(int(number) for number in found)


def count(status, output, reason=""):
    """Counts of one ctest entry. A failed entry has at least one failure, whatever it printed."""
    if status == "disabled" or (status == "notrun" and reason.startswith("SKIP_")):
        return Counts(0, 0, 1)
    if status == "notrun":  # its program is missing, or a test that it depends on failed
        return Counts(0, 1, 0)
    counts = None
    if re.search(r"^\[==========\] .* ran\.", output, re.MULTILINE):
        counts = Counts(
            first_number(r"^\[  PASSED  \] (\d+) tests?\.", output),
            first_number(r"^\[  FAILED  \] (\d+) tests?, listed below", output),
            first_number(r"^\[  SKIPPED \] (\d+) tests?, listed below", output),
        )
    elif re.search(r"^Ran \d+ tests? in ", output, re.MULTILINE):
        ran = first_number(r"^Ran (\d+) tests? in ", output)
        skipped = first_number(r"^(?:OK|FAILED) \(.*?skipped=(\d+)", output)
        failed = first_number(r"^FAILED \(.*?failures=(\d+)", output) + first_number(
            r"^FAILED \(.*?errors=(\d+)", output
        )
        counts = Counts(ran - skipped - failed, failed, skipped)
    elif found := re.findall(r"^(?=.*(?:passed|failed|skipped|error))(.*) in [\d.]+s\b", output, re.MULTILINE):
        said = {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+)", found[-1])}
        failed = sum(said.get(kind, 0) for kind in ("failed", "error", "errors"))
        counts = Counts(said.get("passed", 0), failed, said.get("skipped", 0))
    if counts is None or sum(counts) == 0:
        counts = Counts(0, 0, 0) if status == "fail" else Counts(1, 0, 0)
    if status == "fail" and counts.failed == 0:
        counts = counts._replace(failed=1)
    return counts


def isas(finback, outputs):
    """What the kernel tests say they ran; else what the command reports it compiled and chose."""
    lines = re.findall(r"^ISAs exercised: (.*)$", "\n".join(outputs), re.MULTILINE)
    if lines:
        return " ".join(dict.fromkeys(" ".join(lines).split()))
    try:
        run = subprocess.run([finback, "--version", "--json"], capture_output=True, timeout=60, check=True)
        info = json.loads(run.stdout)
        return f"{info['isa']} chosen, of {' '.join(info['isas_compiled'])} compiled"
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return "unknown"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("junit")
    arguments.add_argument("--finback", default="build/bin/finback")
    options = arguments.parse_args()
    try:
        cases = ElementTree.parse(options.junit).getroot().findall("testcase")
    except (OSError, ElementTree.ParseError) as error:
        print(f"no test results: {error}", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        return 1
    total, outputs = Counts(0, 0, 0), []
    for case in cases:
        output = case.findtext("system-out") or ""
        outputs.append(output)
        skipped = case.find("skipped")
        counts = count(case.get("status"), output, "" if skipped is None else skipped.get("message", ""))
        total = Counts(*(a + b for a, b in zip(total, counts)))
        if counts.failed:
            print(f"FAILED: {case.get('name')}", file=sys.stderr)
        if counts.skipped:
            names = sorted(set(SKIPPED_CASE.findall(output)))
            detail = ": " + " ".join(names[:8]) + (" ..." if len(names) > 8 else "") if names else ""
            print(f"skipped: {case.get('name')} ({counts.skipped}){detail}", file=sys.stderr)
    print(f"ISAs exercised: {isas(options.finback, outputs)}", file=sys.stderr)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
