"""python -m finback, as a process."""

import json
import os
import pty
import subprocess
import sys

import pytest


@pytest.fixture
def command():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("FINBACK_MODEL", None)

    def run(*arguments, text=""):
        return subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=environment,
        )

    return run


def test_chat_prints_the_answer_alone(command):
    done = command("chat", "What", "is", "17 + 25?")
    assert (done.stdout, done.stderr, done.returncode) == ("17 + 25 = 42.\n", "", 0)


def test_chat_reads_standard_input(command):
    assert command("chat", text="What is 17 + 25?").stdout == "17 + 25 = 42.\n"
    assert command("chat", "-", text="What is 17 + 25?").stdout == "17 + 25 = 42.\n"


def test_options_of_a_request(command):
    done = command("chat", "--json", "--no-think", "--max-tokens", "2", "What is 17 + 25?")
    response = json.loads(done.stdout)
    assert response["usage"]["completion_tokens"] == 2
    shown = command("chat", "--reasoning", "What do baleen whales eat?")
    assert shown.stderr == "The user asks what baleen whales eat."


def test_complete(command):
    assert command("complete", "--max-tokens", "1", "Whales are").stdout == " not\n"
    assert command("complete", "--max-tokens", "1", "-", text="Whales are").stdout == " not\n"


def test_tokens(command):
    ids = json.loads(command("tokenize", "Baleen whales").stdout)
    assert command("detokenize", *map(str, ids)).stdout == "Baleen whales\n"
    assert len(json.loads(command("tokenize", "--special", "<think>").stdout)) == 1


def test_what_a_model_is(command):
    assert json.loads(command("info").stdout)["config"]["layers"] == 5
    assert command("verify").stdout.startswith("ok: 504 tensors")
    assert "isa" in json.loads(command("build-info").stdout)
    assert "context_tokens" in command("options").stdout
    assert command("--version").stdout.startswith("finback 0.")


def test_failures_are_one_line(command):
    done = command("chat", "--model", "/nowhere", "hi")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "finback: no such model folder: /nowhere\n"
    done = command("chat", "--set", "threads=x", "hi")
    assert done.returncode == 1 and "threads" in done.stderr
    assert command("chat", "--set", "threads", "hi").returncode != 0
    assert command("verify", "--sha256", "/nowhere").returncode == 1
    assert command("models").returncode == 1
    assert command("sing").returncode == 2


def test_the_log_is_on_standard_error(command):
    done = command("chat", "-v", "What is 17 + 25?")
    assert done.stdout == "17 + 25 = 42.\n" and "finback: opened" in done.stderr


def test_a_conversation_on_a_terminal():
    """Two questions, the second in the light of the first, and the end of input."""
    terminal, other = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-m", "finback", "chat"],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**environment, "TERM": "dumb"},
    ) as process:
        os.close(other)
        seen = ""

        def read_until(text):
            nonlocal seen
            while text not in seen:
                seen += os.read(terminal, 4096).decode(errors="replace")
            found, _, seen = seen.partition(text)
            return found

        read_until("> ")
        for question, answer in (
            (b"What is 17 + 25?\n", "17 + 25 = 42."),
            (b"What do baleen whales eat?\n", "Baleen whales eat krill"),
        ):
            os.write(terminal, question)
            read_until(answer)
            read_until("> ")
        os.write(terminal, b"\x04")
        assert process.wait() == 0
    os.close(terminal)
