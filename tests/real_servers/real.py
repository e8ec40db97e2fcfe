"""What these tests stand on: servers, a relay that counts connections, the client."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.normpath(os.path.join(HERE, "..", "..", "build"))
FINBACK = os.environ.get("FINBACK", os.path.join(BUILD, "bin", "finback"))
CONVERSE = os.environ.get("CONVERSE", os.path.join(BUILD, "bin", "converse"))
PYTHON = os.environ.get(
    "FINBACK_SERVERS_PYTHON", os.path.join(BUILD, "venv-servers", "bin", "python")
)
PATIENCE_SECONDS = 300

FORMATS = ("openai", "anthropic", "responses")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
    },
]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "place",
        "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
            "required": ["city", "degrees"],
            "additionalProperties": False,
        },
    },
}


def environment(**more):
    """Nothing of the user's, and no proxy."""
    kept = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return {
        **values,
        "HOME": "/nonexistent",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "FINBACK_HISTORY": "",
        **more,
    }


def main():
    """Runs the calling script's tests, or skips them all where the servers are not installed."""
    if not os.path.exists(PYTHON):
        print(f"skipped: no servers are installed ({PYTHON}); ./dev check installs them")
        sys.exit(77)
    unittest.main(verbosity=2)


def temporary_folder(test):
    folder = tempfile.mkdtemp(prefix="finback-real-")
    test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder


def until(condition, what):
    """Waits for what another process does by itself; fails after PATIENCE_SECONDS."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.02)


class Server:
    """A script of this folder in the servers' Python: runs until stop()."""

    def __init__(self, script, *arguments):
        self.folder = tempfile.mkdtemp(prefix="finback-real-")
        self._log = open(os.path.join(self.folder, "log"), "w+b")
        self._process = subprocess.Popen(
            [PYTHON, os.path.join(HERE, script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self.folder,
            env=environment(TMPDIR=self.folder, HOME=self.folder),
        )
        line = self._process.stdout.readline()
        if not line:
            message = f"{script} did not start:\n{self.log()[-4000:]}"
            self.stop()
            raise RuntimeError(message)
        self.url = json.loads(line)["address"]
        # What it says later must not fill the pipe.
        threading.Thread(
            target=shutil.copyfileobj, args=(self._process.stdout, self._log), daemon=True
        ).start()

    def log(self):
        with open(self._log.name, "rb") as file:
            return file.read().decode(errors="replace")

    def stop(self):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Relay:
    """Passes bytes between a client and a server, and knows what only the wire shows."""

    def __init__(self, url):
        host, port = url.rsplit("/", 1)[1].split(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        self.connections = 0
        self.closed_by_client = 0
        self.closed_by_server = 0
        self.sent = b""  # by clients
        self._pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self.connections += 1
            self._pairs.append((client, server))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, target, from_client):
        try:
            while data := source.recv(65536):
                if from_client:
                    self.sent += data
                target.sendall(data)
        except OSError:
            pass
        if from_client:
            self.closed_by_client += 1
        else:
            self.closed_by_server += 1
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                end.close()


class Answer:
    """What one stream delivered."""

    def __init__(self, raw):
        self.raw = raw
        self.end = raw["end"]
        self.error = raw.get("error", "")
        self.details = raw.get("details", {})
        self.events = raw.get("events", [])
        self.finish = raw.get("finish_reason", "")
        self.usage = raw.get("usage")
        self.response = raw.get("response", {})

    def text(self, kind="content"):
        return "".join(event["text"] for event in self.events if event["kind"] == kind)

    def kinds(self):
        """The kinds of events in order, runs of one kind once."""
        names = [event["kind"] for event in self.events]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def calls(self):
        return [
            (event["name"], json.loads(event["text"]))
            for event in self.events
            if event["kind"] == "tool_call_end"
        ]

    def notices(self):
        return [
            json.loads(event["text"])["code"] for event in self.events if event["kind"] == "notice"
        ]


class Client:
    """The C ABI through the program `converse`, with one engine."""

    def __init__(self, test, **options):
        self._test = test
        self._process = subprocess.Popen(
            [CONVERSE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
            encoding="utf-8",
        )
        test.addCleanup(self._end)
        opened = self.ask({"open": options})
        test.assertEqual(opened["end"], "ok", opened)

    def _end(self):
        self._process.stdin.close()
        status = self._process.wait(PATIENCE_SECONDS)
        self._process.stdout.close()
        # A sanitizer's finding, or a crash.
        self._test.assertEqual(status, 0)

    def send(self, command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def receive(self):
        line = self._process.stdout.readline()
        self._test.assertTrue(line, "the client ended")
        return json.loads(line)

    def ask(self, command):
        self.send(command)
        return self.receive()

    def answers(self, command):
        return [Answer(raw) for raw in self.ask(command)["streams"]]

    def chat(self, content, **fields):
        """The answer to one message, or to a list of messages."""
        messages = [{"role": "user", "content": content}] if isinstance(content, str) else content
        return self.answers({"chat": {"messages": messages, **fields}})[0]

    def complete(self, prompt, **fields):
        return self.answers({"complete": {"prompt": prompt, **fields}})[0]

    def models(self):
        return self.ask({"models": True})


class RealTest(unittest.TestCase):
    maxDiff = None

    def assert_done(self, answer, finish):
        self.assertEqual(
            (answer.end, answer.error, answer.finish), ("done", "", finish), answer.raw
        )
        self.assertEqual(answer.kinds()[-1], "finish")

    def assert_fails(self, answer, end, kind, *named):
        self.assertEqual((answer.end, answer.details.get("kind")), (end, kind), answer.raw)
        for name in named:
            self.assertIn(name, answer.error)


def finback(*arguments, stdin=b"", **more):
    """The finished command."""
    return subprocess.run(
        [FINBACK, *map(str, arguments)],
        input=stdin,
        env=environment(**more),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
