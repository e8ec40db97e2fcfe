"""The network without text: token ids in, logits out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _finback

if TYPE_CHECKING:
    import numpy
    import numpy.typing

Rows = Literal["none", "last", "all"]


class Sequence:
    """A sequence of token ids that the model has read. One thread's at a time, but for
    :meth:`cancel`. Made by :meth:`finback.Engine.sequence`.

    Results do not depend on how ids are split over calls, on ``chunk_tokens`` or on threads.

    >>> import finback
    >>> engine = finback.open("krill")
    >>> sequence = engine.sequence()
    >>> logits = sequence.evaluate(engine.tokenize("Baleen whales eat"))
    >>> logits.shape == (1, sequence.vocab), logits.dtype
    (True, dtype('float32'))
    >>> engine.detokenize([int(logits[0].argmax())])
    ' krill'
    """

    def __init__(self, handle: _finback.Sequence) -> None:
        self._handle = handle

    def evaluate(
        self, ids: Iterable[int], rows: Rows = "last"
    ) -> numpy.ndarray[Any, numpy.dtype[numpy.float32]]:
        """Reads ``ids`` after those already there and returns logits as a NumPy array of float32,
        [rows, vocab]: of the "last" id, of "all", or of "none". The array owns the library's
        buffer: nothing is copied.

        Errors: InvalidArgumentError (an id out of range), ContextFullError, CancelledError. If it
        fails, the sequence holds what ``position`` says.
        """
        try:
            import numpy  # optional: evaluate_buffer() does without
        except ImportError as error:
            raise ImportError(
                "evaluate() gives NumPy arrays: install numpy, or use evaluate_buffer()"
            ) from error
        return numpy.asarray(self._handle.evaluate(_id_list(ids), rows))

    def evaluate_buffer(self, ids: Iterable[int], rows: Rows = "last") -> memoryview:
        """As :meth:`evaluate`, without NumPy: a float32 memoryview of shape [rows, vocab]."""
        return memoryview(self._handle.evaluate(_id_list(ids), rows))

    def evaluate_into(self, ids: Iterable[int], out: Any, rows: Rows = "last") -> None:
        """As :meth:`evaluate`, into memory of yours: any C-contiguous writable float32 buffer of
        rows x vocab numbers, such as a NumPy array that is used again and again."""
        self._handle.evaluate_into(_id_list(ids), rows, out)

    @property
    def position(self) -> int:
        """Ids read so far."""
        return self._handle.position()

    @property
    def context_tokens(self) -> int:
        """Ids that the sequence can hold."""
        return self._handle.context_tokens()

    @property
    def vocab(self) -> int:
        """Numbers in a row of logits."""
        return self._handle.vocab()

    def roll_back(self, tokens: int) -> None:
        """Forgets the last ``tokens`` ids, as if they had never been read.

        Errors: InvalidArgumentError (negative, or more than the position)."""
        self._handle.roll_back(tokens)

    def fork(self) -> Sequence:
        """An independent copy. Errors: BudgetError."""
        return Sequence(self._handle.fork())

    def snapshot(self) -> bytes:
        """The whole state: a versioned format, the same on every machine. A process that restores
        it goes on with the same bits."""
        return self._handle.snapshot()

    def restore(self, snapshot: Union[bytes, bytearray, memoryview]) -> None:
        """Replaces the state by a snapshot's. On failure the sequence is unchanged.

        Errors: InvalidArgumentError (not a snapshot, damaged, or of another model),
        ContextFullError."""
        self._handle.restore(bytes(memoryview(snapshot)))

    def cancel(self) -> None:
        """Stops a running :meth:`evaluate`, or else the next one, with CancelledError. Any
        thread."""
        self._handle.cancel()


def _id_list(ids: Iterable[int]) -> list[int]:
    """Plain ints; an array says it faster than an iteration does."""
    to_list = getattr(ids, "tolist", None)
    return list(ids) if to_list is None else list(to_list())
