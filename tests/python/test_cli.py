"""python -m finback is the finback command: same arguments, outputs and exit status."""

import os
import signal
import subprocess
import sys

import pytest
from finback import cli


@pytest.fixture
def environment():
    values = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    values.pop("FINBACK_MODEL", None)
    return values


def run(program, *arguments, environment, text=""):
    done = subprocess.run(
        [*program, *arguments],
        input=text.encode(),
        capture_output=True,
        timeout=300,
        check=False,
        env=environment,
    )
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["chat", "What is 17 + 25?"], ""),
        (["chat", "What is"], "17 + 25?"),
        (["complete", "--max-tokens", "1", "Whales are"], ""),
        (["tokenize", "--count", "Baleen whales"], ""),
        (["options"], ""),
        (["--version"], ""),
        (["--help"], ""),
        ([], ""),
        (["chat", "--model", "/nowhere", "hi"], ""),
        (["chat", "--set", "threads=x", "hi"], ""),
        (["verify", "--sha256", "/nowhere"], ""),
        (["sing"], ""),
    ],
)
def test_same_as_the_command(environment, arguments, text):
    shim = run([sys.executable, "-m", "finback"], *arguments, environment=environment, text=text)
    assert shim == run([cli.command()], *arguments, environment=environment, text=text)
    assert shim[2] in (0, 1, 2)


def test_arguments_that_are_not_utf8_arrive(environment):
    done = run([sys.executable, "-m", "finback"], "chat", b"caf\xe9", environment=environment)
    assert done[2] == 1 and b"not valid UTF-8" in done[1]


def test_signals_reach_the_command(environment):
    """The process becomes the command: there is nobody between it and a signal."""
    with subprocess.Popen(
        [sys.executable, "-m", "finback", "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM


def test_run_waits():
    assert cli.run(["tokenize", "--count", "x"]) == 0
    assert cli.run(["sing"]) == 2


def test_without_the_command(monkeypatch, capsys):
    monkeypatch.setattr(cli.os, "access", lambda path, mode: False)
    assert cli.main(["chat"]) == 1
    assert "not installed" in capsys.readouterr().err
