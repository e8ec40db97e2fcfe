"""Programs under test and the services that they talk to, each a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.normpath(os.path.join(HERE, "..", ".."))
BIN = os.environ.get("FINBACK_BIN", os.path.join(SOURCE, "build", "bin"))
FINBACK = os.path.join(BIN, "finback")
PATIENCE_S = 300  # a failure of the test, not of the machine


def environment(**more):
    """What a program needs, and `more`: no keys and no proxies of the user's."""
    kept = ("PATH", "LD_LIBRARY_PATH", "FINBACK_ISA", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return values | {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "DEEPSEEK_API_KEY": "sk-test"} | more


class Service:
    """A server that prints its port and ends with its standard input."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[-1]} did not start")
        self.origin = f"http://127.0.0.1:{json.loads(line)['port']}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class FaultServer(Service):
    def __init__(self):
        super().__init__(sys.executable, os.path.join(HERE, "fault_server.py"))

    def url(self, scenario):
        return f"{self.origin}/s/{scenario}"

    def log(self, scenario):
        """The scenario's requests so far."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        query = urllib.parse.urlencode({"scenario": scenario})
        with opener.open(f"{self.origin}/log?{query}", timeout=PATIENCE_S) as answer:
            return json.load(answer)


class StreamServer(Service):
    def __init__(self):
        super().__init__(os.path.join(BIN, "stream_server"))


def wait_until(condition, what):
    """Looks until it is so; raises when it never is."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


class ProcessTest(unittest.TestCase):
    maxDiff = None

    def service(self, kind):
        service = kind()
        self.addCleanup(service.close)
        return service

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="finback-remote-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def start(self, *command, **options):
        """A process that is killed with the test if it still runs."""
        options.setdefault("env", environment())
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)  # does nothing to one that has ended
        return process

    def finish(self, *command, code=0, **options):
        """The standard output of a process that must end with `code`."""
        options.setdefault("env", environment())
        run = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
            **options,
        )
        self.assertEqual(run.returncode, code, run.stderr.decode(errors="replace"))
        self.errors = run.stderr.decode(errors="replace")
        return run.stdout.decode()
