"""Several threads: on streams of their own they work at the same time, on one they are refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import finback


def test_two_threads_are_inside_the_library_at_once():
    """Each waits, in a call of the library, until the other is in one too."""
    barrier = threading.Barrier(2)
    arrived = []

    def progress(phase, done, total):
        if phase == "load" and len(arrived) < 2:
            arrived.append(threading.get_ident())
            barrier.wait(timeout=60)

    with ThreadPoolExecutor(2) as pool:
        engines = [pool.submit(finback.open, "krill", progress=progress) for _ in range(2)]
        assert all(engine.result() for engine in engines)
    assert len(set(arrived)) == 2


def test_streams_of_one_engine_run_on_many_threads(krill):
    questions = ["What is 17 + 25?", "What do baleen whales eat?"] * 4
    alone = [krill.chat(question).text for question in questions[:2]] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda question: krill.chat(question).text, questions))
    assert answers == alone


def test_a_stream_refuses_a_second_thread(service):
    stream = service.open("hang~second").chat("hi", stream=True)
    first = threading.Thread(target=lambda: pytest.raises(finback.CancelledError, next, stream))
    first.start()
    while not service.log("hang~second"):
        pass
    with pytest.raises(finback.InvalidArgumentError, match="another thread"):
        next(stream)
    stream.cancel()
    first.join()


def test_log_and_progress_come_from_many_threads(caplog):
    calls = []
    engine = finback.open("krill", threads=1, progress=lambda *call: calls.append(call))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: engine.chat("What is 17 + 25?").text, range(8)))
    assert any(phase == "prefill" for phase, _, _ in calls)
