"""``with`` for what has a ``close()``."""

from __future__ import annotations

from typing import TypeVar

_Self = TypeVar("_Self", bound="Closing")
_AsyncSelf = TypeVar("_AsyncSelf", bound="AsyncClosing")


class Closing:
    """Closes at the end of a ``with`` block."""

    __slots__ = ()

    def close(self) -> None:
        """What the block ends with."""
        raise NotImplementedError

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClosing:
    """Closes at the end of an ``async with`` block."""

    __slots__ = ()

    async def close(self) -> None:
        """What the block ends with."""
        raise NotImplementedError

    async def __aenter__(self: _AsyncSelf) -> _AsyncSelf:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
