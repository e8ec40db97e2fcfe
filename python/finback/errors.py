"""What can go wrong: one class per code of the library, all of them :class:`FinbackError`.

========================  ===================================================================
class                     when
========================  ===================================================================
InvalidArgumentError      a parameter or an option is wrong (also a ``ValueError``)
InvalidRequestError       the request is wrong; names the JSON path (also a ``ValueError``)
NotFoundError             a file, model or option does not exist (also a ``LookupError``)
CheckpointError           config, weights or tokenizer are malformed
UnsupportedError          well-formed, but nothing this library can do
OutOfMemoryError          an allocation failed (also a ``MemoryError``)
BudgetError               needs more than ``memory_budget_bytes`` (also a ``MemoryError``)
ContextFullError          more tokens than were planned for
CancelledError            stopped by ``cancel()`` or a progress callback
StorageError              the operating system refused a read or write
InternalError             a defect of the library; please report it
SchemaError               the answer does not fit the schema asked for
ToolLoopError             a tool run reached its limit of rounds
RemoteError               what a service did:
  AuthenticationError     it refused the key, or there is none
  QuotaError              a balance, or our own spending limit, is used up
  RateLimitError          it takes no more requests at present
  ServiceError            it failed or cannot be reached
  ServiceTimeoutError     one of the timeout options ran out (also a ``TimeoutError``)
  RefusedError            its moderation stopped the request
========================  ===================================================================
"""

from __future__ import annotations

import json
from typing import Any, Optional


class FinbackError(Exception):
    """A call failed. ``str(error)`` is one line: what was wrong with what."""

    #: The library's number of the failure, such as -2; 0 where Python itself found it.
    code: int = 0

    def __init__(self, message: str, details: Optional[dict[str, Any]] = None) -> None:
        super().__init__(message)
        #: The one-line message.
        self.message = message
        #: What a service's failure came with, as far as it is known: ``kind``, ``http_status``,
        #: ``retryable``, ``retry_after_ms``, ``request_id``, ``provider``, ``model``, ``limit``
        #: and ``body``. Keys and tokens are removed. Empty for other failures.
        self.details: dict[str, Any] = details or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.code, self.message, self.details)

    @property
    def kind(self) -> Optional[str]:
        """The failure's kind, finer than the class."""
        return self.details.get("kind")

    @property
    def http_status(self) -> Optional[int]:
        """The service's HTTP status."""
        return self.details.get("http_status")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return bool(self.details.get("retryable", False))

    @property
    def retry_after(self) -> Optional[float]:
        """Seconds to wait, if the service said so."""
        milliseconds = self.details.get("retry_after_ms")
        return None if milliseconds is None else milliseconds / 1000

    @property
    def request_id(self) -> Optional[str]:
        """The service's name for the request."""
        return self.details.get("request_id")

    @property
    def provider(self) -> Optional[str]:
        """Which provider it was."""
        return self.details.get("provider")

    @property
    def model(self) -> Optional[str]:
        """Which model it was."""
        return self.details.get("model")

    @property
    def limit(self) -> Optional[int]:
        """The number that was exceeded, such as the model's context in tokens."""
        return self.details.get("limit")

    @property
    def body(self) -> Optional[str]:
        """The beginning of the service's answer."""
        return self.details.get("body")


class InvalidArgumentError(FinbackError, ValueError):
    """A parameter or an option is wrong."""

    code = -1


class InvalidRequestError(FinbackError, ValueError):
    """The request is wrong; the message names the JSON path."""

    code = -2


class NotFoundError(FinbackError, LookupError):
    """A file, model or name does not exist."""

    code = -3


class CheckpointError(FinbackError):
    """Config, weights or tokenizer are malformed."""

    code = -4


class UnsupportedError(FinbackError):
    """Well-formed, but nothing this library can do."""

    code = -5


class OutOfMemoryError(FinbackError, MemoryError):
    """An allocation failed."""

    code = -6


class BudgetError(FinbackError, MemoryError):
    """Needs more than ``memory_budget_bytes``; the message has the bytes."""

    code = -7


class ContextFullError(FinbackError):
    """More tokens than were planned for; the message has the numbers."""

    code = -8


class CancelledError(FinbackError):
    """Stopped by ``cancel()`` or by a progress callback."""

    code = -9


class StorageError(FinbackError):
    """The operating system refused a read or write."""

    code = -10


class InternalError(FinbackError):
    """A defect of the library; please report it."""

    code = -11


class SchemaError(FinbackError):
    """The answer does not fit the schema asked for; ``text`` is the answer, where it is known."""

    code = -18
    text: Optional[str] = None


class ToolLoopError(FinbackError):
    """A tool run reached its limit of rounds."""


class RemoteError(FinbackError):
    """Something that a service did; ``details`` tell more."""


class AuthenticationError(RemoteError):
    """A service refused the key, or there is none."""

    code = -12


class QuotaError(RemoteError):
    """A balance, or our own spending limit, is used up."""

    code = -13


class RateLimitError(RemoteError):
    """A service takes no more requests at present."""

    code = -14


class ServiceError(RemoteError):
    """A service failed or cannot be reached."""

    code = -15


class ServiceTimeoutError(RemoteError, TimeoutError):
    """One of the timeout options ran out."""

    code = -16


class RefusedError(RemoteError):
    """A service's moderation stopped the request."""

    code = -17


#: The class for each code of the library.
BY_CODE: dict[int, type[FinbackError]] = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        InvalidRequestError,
        NotFoundError,
        CheckpointError,
        UnsupportedError,
        OutOfMemoryError,
        BudgetError,
        ContextFullError,
        CancelledError,
        StorageError,
        InternalError,
        AuthenticationError,
        QuotaError,
        RateLimitError,
        ServiceError,
        ServiceTimeoutError,
        RefusedError,
        SchemaError,
    )
}


def from_code(code: int, message: str, details: str) -> FinbackError:
    """The exception for a failed call of the library; ``details`` is JSON."""
    fields = json.loads(details) if details else {}
    error = BY_CODE.get(code, FinbackError)(message, fields)
    error.code = code
    return error


def _restore(kind: type[FinbackError], code: int, message: str, details: dict[str, Any]) -> Any:
    error = kind(message, details)
    error.code = code
    return error
