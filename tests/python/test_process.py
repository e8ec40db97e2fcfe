"""How processes live and end: exit with threads inside the library, subinterpreters, fork."""

import os
import subprocess
import sys

import pytest

TIMEOUT = 120


def run(source):
    """The program's output; fails unless it ends with 0."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout.strip()


INSIDE = {
    "answers": "engine.chat('What is 17 + 25?', max_tokens=8)",
    "steps": "[event for event in engine.chat('Hi', stream=True, max_tokens=8)]",
    "refusals": "refused(lambda: engine.chat('Hi', max_tokens=-1))",
    "evaluations": "engine.sequence().evaluate_buffer(list(range(5, 40)))",
    "callbacks": "finback.open('krill', progress=lambda *_: None).chat('Hi', max_tokens=2)",
    "logs": "finback.open('krill').info()",
    "services": "refused(lambda: service.chat('Hi'))",
}


@pytest.mark.parametrize("call", INSIDE.values(), ids=INSIDE.keys())
def test_exit_while_daemon_threads_are_inside(call):
    run(
        f"""
import finback, logging, threading
logging.getLogger("finback").setLevel("INFO")
engine = finback.open("krill", threads=1)
service = finback.open("custom:any", base_url="http://127.0.0.1:9", api_key="k", max_retries=0)
def refused(call):
    try:
        call()
    except finback.FinbackError:
        pass
counts = [0, 0, 0]
def work(index):
    while True:
        {call}
        counts[index] += 1
for index in range(3):
    threading.Thread(target=work, args=(index,), daemon=True).start()
while min(counts) < 1:
    threading.Event().wait(0.001)
"""
    )


def test_a_subinterpreter_is_refused_at_import():
    try:
        import _xxsubinterpreters as interpreters  # noqa: F401
    except ImportError:
        pytest.skip("this Python has no such module")
    for before in ("", "import finback"):
        for name in ("finback", "finback._finback", "finback.aio"):
            out = run(
                f"""
import sys
import _xxsubinterpreters as interpreters
{before}
second = interpreters.create()
source = '''
import sys
sys.path[:] = PATH
try:
    import {name}
except ImportError as error:
    assert "subinterpreter" in str(error), error
else:
    raise SystemExit("imported")
'''
interpreters.run_string(second, source.replace("PATH", repr(sys.path)))
interpreters.destroy(second)
import finback
print(finback.open("krill").chat("What is 17 + 25?").text)
"""
            )
            assert out == "17 + 25 = 42."


def test_import_again_after_it_was_dropped():
    out = run(
        """
import sys, finback
for name in [name for name in sys.modules if name.split(".")[0] == "finback"]:
    del sys.modules[name]
import finback
print(finback.open("krill").chat("What is 17 + 25?").text)
"""
    )
    assert out == "17 + 25 = 42."


FORK = """
import asyncio, faulthandler, os, signal, sys, threading
import finback
from finback import aio
def child(body):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # ends a child that waits for ever
        code = 1
        try:
            body()
            code = 0
        except BaseException as error:
            sys.stderr.write(repr(error) + "\\n")
        sys.stdout.flush()
        os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
def refused(call, words="fork"):
    try:
        call()
    except finback.InvalidArgumentError as error:
        assert words in str(error), error
    else:
        raise AssertionError("not refused")
QUESTION = "What is 17 + 25?"
ANSWER = "17 + 25 = 42."
"""


def test_a_child_computes_with_what_was_used_before():
    run(
        FORK
        + """
engine = finback.open("krill", threads=2)
session = engine.session()
sequence = engine.sequence()
ids = engine.tokenize("What do baleen whales eat?")
sequence.evaluate(ids[:3])
assert engine.chat(QUESTION).text == session.chat(QUESTION).text == ANSWER
whole = bytes(memoryview(engine.sequence().evaluate(ids)))
def body():
    assert engine.chat(QUESTION).text == ANSWER
    assert session.chat(QUESTION).text == ANSWER
    assert engine.session().chat(QUESTION).text == ANSWER
    assert bytes(memoryview(sequence.evaluate(ids[3:]))) == whole
    assert engine.info()
    async def ask():
        return (await aio.AsyncEngine(engine).chat(QUESTION)).text
    assert asyncio.run(ask()) == ANSWER
    child(lambda: engine.chat(QUESTION, max_tokens=2))
for _ in range(3):
    child(body)
assert engine.chat(QUESTION).text == ANSWER
"""
    )


def test_a_stream_in_progress_is_the_parents():
    run(
        FORK
        + """
engine = finback.open("krill", threads=2)
stream = engine.chat(QUESTION, stream=True)
first = next(stream)
def body():
    refused(lambda: next(stream))
    stream.cancel()
    stream.close()
    assert engine.chat(QUESTION).text == ANSWER
child(body)
list(stream)
assert stream.response.text == ANSWER
"""
    )


@pytest.mark.skipif(
    os.environ.get("FINBACK_SANITIZED") == "1",
    reason="a child finds the sanitizer's own locks as the other threads left them",
)
def test_a_fork_while_other_threads_are_inside():
    run(
        FORK
        + """
engine = finback.open("krill", threads=2)
stop = threading.Event()
sequence = engine.sequence()
began = threading.Semaphore(0)
def answers():
    began.release()
    while not stop.is_set():
        engine.session().chat("What do baleen whales eat?", max_tokens=20)
def reads():
    began.release()
    while not stop.is_set():
        sequence.evaluate_buffer(list(range(5, 60)))
        sequence.roll_back(55)
def opens():
    began.release()
    while not stop.is_set():
        finback.open("krill", threads=2).info()
threads = [threading.Thread(target=work) for work in (answers, answers, reads, opens)]
for thread in threads:
    thread.start()
for _ in threads:
    began.acquire()
def body():
    try:
        sequence.evaluate_buffer([5])
    except finback.InvalidArgumentError:
        pass
    assert engine.chat(QUESTION).text == ANSWER
    assert finback.open("krill", threads=2).session().chat(QUESTION).text == ANSWER
for _ in range(10):
    child(body)
stop.set()
for thread in threads:
    thread.join()
"""
    )


def test_a_child_ends_and_frees_by_itself():
    out = run(
        FORK
        + """
engine = finback.open("krill", threads=2)
session = engine.session()
stream = session.chat(QUESTION, stream=True)
next(stream)
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    del stream, session
    engine.close()
    del engine
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
list(stream)
print(stream.response.text)
"""
    )
    assert out == "17 + 25 = 42."


def test_multiprocessing_by_fork():
    out = run(
        """
import multiprocessing, finback
engine = finback.open("krill", threads=2)
engine.chat("Hi", max_tokens=2)
def ask(question):
    return engine.chat(question).text
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(set(pool.map(ask, ["What is 17 + 25?"] * 6)))
"""
    )
    assert out == "{'17 + 25 = 42.'}"


def test_asynchronous_streams_over_a_fork():
    run(
        FORK
        + """
async def main():
    engine = await aio.open("krill", threads=2)
    stream = engine.chat(QUESTION, stream=True)
    await stream.__anext__()
    def body():
        async def ask():
            again = aio.AsyncEngine(engine.sync)
            return (await again.chat(QUESTION)).text
        result = []
        thread = threading.Thread(target=lambda: result.append(asyncio.run(ask())))
        thread.start()
        thread.join()
        assert result == [ANSWER]
        aio._stop_pumps()
    child(body)
    async for _ in stream:
        pass
    assert stream.response.text == ANSWER
asyncio.run(main())
"""
    )


def test_a_services_engine_in_a_child(service, tmp_path):
    run(
        FORK
        + f"""
engine = finback.open(
    "deepseek:deepseek-v4-flash", environment_proxy=False, base_url={service.url("answer+split")!r}, api_key="sk-none",
    ledger={str(tmp_path / "ledger")!r})
expected = engine.chat(QUESTION).text
session = engine.session()
stream = engine.chat(QUESTION, stream=True)
next(stream)
def body():
    refused(lambda: next(stream))
    stream.close()
    assert engine.chat(QUESTION).text == expected
    assert session.chat(QUESTION).text == expected
child(body)
list(stream)
assert stream.response.text == expected
stop = threading.Event()
def answers():
    while not stop.is_set():
        engine.chat(QUESTION)
threads = [threading.Thread(target=answers) for _ in range(3)]
for thread in threads:
    thread.start()
def again():
    assert engine.chat(QUESTION).text == expected
try:
    for _ in range(10):
        child(again)
finally:
    stop.set()
    for thread in threads:
        thread.join()
"""
    )
