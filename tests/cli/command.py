"""Runs the finback command under test, in an environment that holds nothing of the user's."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
FINBACK = os.environ.get("FINBACK", os.path.join(SOURCE, "build", "bin", "finback"))
KRILL = os.path.join(SOURCE, "examples", "krill")
FIXTURES = os.path.join(SOURCE, "tests", "golden", "encoding")

needs_krill = unittest.skipUnless(os.path.exists(os.path.join(KRILL, "model.safetensors")), "examples/krill is not there")


def environment(**more):
    """What the command needs of the environment, and `more`; None removes."""
    kept = ("PATH", "FINBACK_ISA", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
            "TSAN_OPTIONS", "TMPDIR")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    values.update({"HOME": "/nonexistent", "TERM": "xterm", "LC_ALL": "C.UTF-8", "FINBACK_HISTORY": ""})
    values.update(more)
    return {name: value for name, value in values.items() if value is not None}


def finback(*arguments, stdin=b"", env=None, **options):
    """The finished process; outputs are bytes."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [FINBACK, *map(str, arguments)], input=stdin, env=env or environment(), timeout=600, check=False, **options
    )


@functools.lru_cache(maxsize=None)
def oracle_case(preset, seed, tokens):
    """A folder with a random checkpoint and its goldens, made once per process; skips without numpy."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        raise unittest.SkipTest("numpy is not installed")
    folder = tempfile.mkdtemp(prefix="finback-case-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    script = os.path.join(SOURCE, "tests", "oracle", "make_case.py")
    arguments = ["--preset", preset, "--seed", str(seed), "--tokens", str(tokens)]
    subprocess.run([sys.executable, script, folder, *arguments], stdout=subprocess.DEVNULL, check=True)
    return folder


class CommandTest(unittest.TestCase):
    """Assertions about a finished command."""

    maxDiff = None

    def assert_ok(self, run):
        self.assertEqual(run.returncode, 0, run.stderr.decode(errors="replace"))
        return run

    def assert_fails(self, run, code, *named):
        """Exit code, nothing on standard output, one line "finback: ..." with each of `named`."""
        errors = (run.stderr or b"").decode(errors="replace")
        self.assertEqual(run.returncode, code, errors)
        self.assertEqual(run.stdout or b"", b"")
        self.assertTrue(errors.startswith("finback: "), errors)
        for name in named:
            self.assertIn(name, errors)
        return run

    def temporary_folder(self):
        folder = tempfile.mkdtemp(prefix="finback-cli-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def copy_of_krill(self):
        """A folder with krill's files, which the test may change."""
        folder = self.temporary_folder()
        for name in os.listdir(KRILL):
            if name.endswith((".json", ".safetensors")):
                shutil.copy(os.path.join(KRILL, name), folder)
        return folder


class ServiceTest(CommandTest):
    """A command test with the fault server as its service, on `port`."""

    @classmethod
    def setUpClass(cls):
        script = os.path.join(SOURCE, "tests", "remote", "fault_server.py")
        cls.server = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.port = json.loads(cls.server.stdout.readline())["port"]

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()
