"""Ten thousand calls, and the process is as large as before."""

import gc
import pathlib

import pytest

import finback

CALLS = 10_000
WARM_UP = 1_000
ROUNDS = 5
# A leak of one empty Python object (16 bytes) per call would be 160 kB; of a stream, megabytes.
SLACK_BYTES = 128 * 1024


def resident_bytes():
    """The process's private memory: shared pages come and go with others."""
    for line in pathlib.Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Private_Dirty in /proc/self/smaps_rollup")


def grows(call):
    """Bytes that the process grew by in the best round of calls: what is allocated once (an arena, a
    table that doubles) grows it in one round, a leak in all."""
    for _ in range(WARM_UP):
        call()
    least = None
    for _ in range(ROUNDS):
        gc.collect()
        before = resident_bytes()
        for _ in range(CALLS):
            call()
        gc.collect()
        grown = resident_bytes() - before
        least = grown if least is None else min(least, grown)
        if least < SLACK_BYTES:
            break
    return least


@pytest.fixture(scope="module")
def small():
    """krill with little memory: forks copy all of it."""
    return finback.open("krill", threads=1, context_tokens=64)


@pytest.fixture(scope="module")
def sequence(small):
    sequence = small.sequence()
    sequence.evaluate([1, 2, 3], "none")
    return sequence


def calls(krill, sequence):
    ids = krill.tokenize("Baleen whales eat krill.")

    def refused():
        try:
            krill.chat("hi", temperature=9)
        except finback.InvalidRequestError:
            pass

    def streamed():
        stream = krill.chat("What is 17 + 25?", stream=True, max_tokens=1, thinking=False)
        for event in stream:
            assert event

    def left_early():
        next(krill.complete("Baleen", stream=True, max_tokens=5))

    return {
        "tokenize": lambda: krill.detokenize(krill.tokenize("Baleen whales eat krill.")),
        "encode": lambda: krill.encode("What is 17 + 25?"),
        "parse": lambda: finback.parse("Hm.</think>Whales.", thinking=True),
        "an error": refused,
        "a stream, dropped": left_early,
        "a stream": streamed,
        "a snapshot": lambda: sequence.restore(sequence.snapshot()),
        "a fork": sequence.fork,
        "logits": lambda: (sequence.evaluate_buffer(ids[:1]), sequence.roll_back(1)),
    }


@pytest.mark.parametrize(
    "name",
    [
        "tokenize",
        "encode",
        "parse",
        "an error",
        "a stream",
        "a stream, dropped",
        "a snapshot",
        "a fork",
        "logits",
    ],
)
def test_ten_thousand_calls_leave_nothing(small, sequence, name):
    grown = grows(calls(small, sequence)[name])
    assert grown < SLACK_BYTES, f"{name}: {grown} bytes more after {CALLS} calls"
