"""Sequences: logits without a copy, and the same bits whatever the way."""

import array
import subprocess
import sys

import pytest

import finback

np = pytest.importorskip("numpy")


@pytest.fixture
def ids(krill):
    return krill.tokenize("Baleen whales eat krill and small fish")


def test_logits_are_float32_rows(krill, ids):
    sequence = krill.sequence()
    assert sequence.evaluate(ids, "all").shape == (len(ids), sequence.vocab)
    assert sequence.evaluate(ids).shape == (1, sequence.vocab)
    assert sequence.evaluate(ids, rows="none").shape == (0, sequence.vocab)
    assert sequence.position == 3 * len(ids)
    assert sequence.context_tokens >= sequence.position


def test_arrays_share_the_memory_of_the_library(krill, ids):
    logits = krill.sequence().evaluate(ids)
    assert logits.dtype == np.float32 and logits.flags.c_contiguous and logits.flags.writeable
    assert not logits.flags.owndata  # it is the module's buffer that owns
    view = memoryview(logits.base if isinstance(logits.base, memoryview) else logits)
    assert np.shares_memory(np.asarray(view), logits)
    kept = logits.copy()
    del view
    krill.sequence().evaluate(ids)
    assert np.array_equal(kept, logits)  # and stays its own


def test_the_buffer_outlives_sequence_and_engine(ids):
    engine = finback.open("krill", threads=1)
    logits = engine.sequence().evaluate(ids)
    total = float(logits.sum())
    engine.close()
    del engine
    assert float(logits.sum()) == total


def test_evaluate_into_uses_the_callers_memory(krill, ids):
    sequence, other = krill.sequence(), krill.sequence()
    out = np.full((len(ids), sequence.vocab), np.nan, np.float32)
    sequence.evaluate_into(ids, out, "all")
    assert np.array_equal(out, other.evaluate(ids, "all"))
    plain = array.array("f", bytes(4 * sequence.vocab))
    sequence.roll_back(1)
    sequence.evaluate_into(ids[-1:], plain)
    assert np.array_equal(np.frombuffer(plain, np.float32), out[-1])


def test_evaluate_into_names_what_does_not_fit(krill, ids):
    sequence = krill.sequence()
    for out in (
        np.empty((1, 3), np.float32),
        np.empty((1, sequence.vocab)),
        np.empty((sequence.vocab, 2), np.float32)[:, :1],
    ):
        with pytest.raises(finback.InvalidArgumentError, match="out: must be C-contiguous float32"):
            sequence.evaluate_into(ids, out)
    with pytest.raises((BufferError, ValueError)):
        sequence.evaluate_into(ids, bytes(4 * sequence.vocab))
    assert sequence.position == 0


def test_ids_may_be_arrays(krill, ids):
    expected = krill.sequence().evaluate(ids)
    for form in (tuple(ids), np.array(ids), np.array(ids, np.int32), iter(ids)):
        assert np.array_equal(krill.sequence().evaluate(form), expected)
    with pytest.raises(TypeError):
        krill.sequence().evaluate(["a"])
    with pytest.raises(TypeError):
        krill.sequence().evaluate([2**40])
    with pytest.raises(finback.InvalidArgumentError):
        krill.sequence().evaluate([10**6])
    with pytest.raises(finback.InvalidArgumentError, match='rows: must be "none", "last" or "all"'):
        krill.sequence().evaluate(ids, "some")


def test_snapshots_restore_the_same_bits(krill, ids):
    sequence = krill.sequence()
    sequence.evaluate(ids)
    snapshot = sequence.snapshot()
    assert isinstance(snapshot, bytes)
    following = sequence.evaluate([5, 6])
    for form in (snapshot, bytearray(snapshot), memoryview(snapshot)):
        other = krill.sequence()
        other.restore(form)
        assert other.position == len(ids)
        assert np.array_equal(other.evaluate([5, 6]), following)


def test_damaged_snapshots_are_refused(krill, ids):
    sequence = krill.sequence()
    sequence.evaluate(ids)
    snapshot = bytearray(sequence.snapshot())
    snapshot[len(snapshot) // 2] ^= 1
    for bad in (bytes(snapshot), snapshot[:100], b""):
        with pytest.raises(finback.InvalidArgumentError):
            sequence.restore(bad)
    assert sequence.position == len(ids)


def krill_logits(krill, ids):
    return krill.sequence().evaluate(ids)


def test_forks_are_independent(krill, ids):
    sequence = krill.sequence()
    sequence.evaluate(ids)
    fork = sequence.fork()
    fork.evaluate([5])
    assert (sequence.position, fork.position) == (len(ids), len(ids) + 1)
    assert np.array_equal(sequence.evaluate([5]), krill_logits(krill, [*ids, 5]))
    with pytest.raises(finback.InvalidArgumentError):
        sequence.roll_back(1000)


WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import finback
engine = finback.open("krill", threads=1)
sequence = engine.sequence()
view = sequence.evaluate_buffer(engine.tokenize("Baleen whales eat"))
row = view.tolist()[0]
print(view.format, view.shape == (1, sequence.vocab), engine.detokenize([row.index(max(row))]))
try:
    sequence.evaluate([1])
except ImportError as error:
    print(error)
"""


def test_numpy_is_not_needed():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "f True  krill",
        "evaluate() gives NumPy arrays: install numpy, or use evaluate_buffer()",
    ]
