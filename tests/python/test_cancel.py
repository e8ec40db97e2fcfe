"""Cancelling: from another thread, by Ctrl-C, by a callback. No time is measured: what is cancelled
would otherwise go on for ever, or for the ten minutes of a timeout."""

import os
import pathlib
import subprocess
import sys
import threading

import pytest

import finback


def endless(scripted):
    """Options for an answer that only ends when the context is full."""
    [tick] = scripted.tokenize("tick", recognize_special=True)
    return {"logit_bias": {str(tick): 100}}


def test_cancel_from_another_thread_ends_a_silent_service(service):
    stream = service.open("hang~thread").chat("hi", stream=True)
    threading.Timer(0.05, stream.cancel).start()
    with pytest.raises(finback.CancelledError):
        next(stream)
    with pytest.raises(finback.CancelledError):
        next(stream)


def test_cancel_before_a_step_ends_it(scripted):
    stream = scripted.chat("hi", stream=True, **endless(scripted))
    next(stream)
    stream.cancel()
    with pytest.raises(finback.CancelledError):
        for _ in stream:
            pass


def test_cancel_of_a_sequence(scripted):
    sequence = scripted.sequence()
    sequence.cancel()
    with pytest.raises(finback.CancelledError):
        sequence.evaluate([1, 2, 3])
    assert sequence.evaluate([1, 2, 3]).shape == (1, sequence.vocab)


def test_the_lock_is_released_while_a_stream_waits(service):
    """With the lock held, nothing here could run until the service answers: it never does."""
    stream = service.open("hang~lock").chat("hi", stream=True)
    outcome = []

    def wait():
        try:
            next(stream)
        except finback.CancelledError as error:
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not service.log("hang~lock"):
        pass
    stream.cancel()
    waiting.join()
    assert len(outcome) == 1


def test_a_progress_function_can_stop_the_work():
    with pytest.raises(finback.CancelledError):
        finback.open("krill", progress=lambda *_: False)


def test_an_exception_of_a_progress_function_comes_out():
    class Enough(Exception):
        pass

    def stop(*_):
        raise Enough("of that")

    with pytest.raises(Enough, match="of that"):
        finback.open("krill", progress=stop)


def test_leaving_early_frees_the_session(scripted):
    session = scripted.session()
    for _ in session.chat("hi", stream=True, **endless(scripted)):
        break
    assert session.chat("hi").text == "Hello world!"


# Each of these programs would hang, or end by its timeout, if SIGINT did not cancel.
PROGRAM = """
import os, signal, sys, threading
sys.path.insert(0, {tests!r})
import conftest, finback

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background

def interrupt_when(ready):
    def run():
        while not ready():
            pass
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=run, daemon=True).start()

server = conftest.FaultServer()
scripted = finback.open({models!r} + "/scripted", threads=1)
endless = {{str(scripted.tokenize("tick", recognize_special=True)[0]): 100}}
try:
{body}
except KeyboardInterrupt:
    print("interrupted")
{after}
"""


def run_program(models, body, after=""):
    indented = "\n".join("    " + line for line in body.strip().splitlines())
    program = PROGRAM.format(
        tests=str(pathlib.Path(__file__).parent), models=str(models), body=indented, after=after
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_ctrl_c_ends_waiting_for_a_service(models):
    body = """
engine = server.open("hang")
interrupt_when(lambda: server.log("hang"))
engine.chat("hi")
"""
    assert run_program(models, body) == ["interrupted"]


def test_ctrl_c_ends_a_stream_of_a_service(models):
    body = """
stream = server.open("stall-comments").chat("hi", stream=True)
seen = []
interrupt_when(lambda: len(seen) == 3)
for event in stream:
    seen.append(event)
"""
    after = "print(len(seen))"
    assert run_program(models, body, after) == ["interrupted", "3"]


def test_ctrl_c_ends_the_wait_between_two_tries(models):
    body = """
engine = server.open("429-seconds", max_retries=9)
interrupt_when(lambda: server.log("429-seconds"))
engine.chat("hi")
"""
    assert run_program(models, body) == ["interrupted"]


def test_ctrl_c_ends_an_endless_answer_and_the_session_goes_on(models):
    body = """
session = scripted.session()
seen = []
interrupt_when(lambda: len(seen) > 3)
for event in session.chat("hi", stream=True, logit_bias=endless):
    seen.append(event)
"""
    after = 'print(session.chat("hi").text)'
    assert run_program(models, body, after) == ["interrupted", "Hello world!"]


def test_ctrl_c_ends_an_answer_without_a_stream(models):
    body = """
stream = scripted.chat("hi", stream=True, logit_bias=endless)
interrupt_when(lambda: True)
stream.finish()
"""
    assert run_program(models, body) == ["interrupted"]


def test_a_handler_of_the_program_is_left_alone(models):
    body = """
calls = []
signal.signal(signal.SIGINT, lambda *_: calls.append(1))
engine = server.open("hang", first_token_timeout_ms=1000)
interrupt_when(lambda: server.log("hang"))
try:
    engine.chat("hi")
except finback.ServiceTimeoutError:
    print("timeout", calls)
"""
    assert run_program(models, body) == ["timeout [1]"]


def test_the_handler_is_pythons_again_after_a_call(models):
    body = """
assert scripted.chat("hi").text == "Hello world!"
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
signal.pause()
"""
    assert run_program(models, body) == ["True", "interrupted"]


def test_ctrl_c_after_a_fork(models):
    body = """
scripted.chat("hi")
child = os.fork()
if child == 0:
    status = 1
    try:
        engine = conftest.finback.open(
            "deepseek:deepseek-v4-flash", api_key="sk-test", environment_proxy=False,
            base_url=server.url("hang~child"),
        )
        interrupt_when(lambda: server.log("hang~child"))
        engine.chat("hi")
    except KeyboardInterrupt:
        status = 7
    os._exit(status)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_program(models, body) == ["7"]


def test_ctrl_c_ends_asyncio(models):
    body = """
import asyncio
engine = finback.aio.AsyncEngine(server.open("hang"))
async def main():
    try:
        async for _ in engine.chat("hi", stream=True):
            pass
    finally:
        print("cleaned up")
interrupt_when(lambda: server.log("hang"))
asyncio.run(main())
"""
    after = """
while server.log("hang")[0]["outcome"] != "client closed":
    pass
print("closed")
"""
    assert run_program(models, body, after) == ["cleaned up", "interrupted", "closed"]


def test_interrupts_at_any_moment_spare_the_next_call(models):
    """Where a signal falls is left to chance; a late cancel of a later call would be an error."""
    body = """
import random, time
import numpy  # now: an import that is interrupted cannot be begun again
chance = random.Random(7)
sequence, ids = scripted.sequence(), list(range(1, 9))
for round in range(40):
    try:
        threading.Timer(chance.random() / 30, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            scripted.chat("hi", max_tokens=3)
            sequence.evaluate(ids)
            sequence.roll_back(len(ids))
    except KeyboardInterrupt:
        pass
    sequence = scripted.sequence() if sequence.position else sequence
    assert scripted.chat("hi").text == "Hello world!"
    sequence.evaluate(ids)
    sequence.roll_back(sequence.position)
print("done")
"""
    assert run_program(models, body) == ["done"]
