"""Progress of long work: a function of yours, or a tqdm bar where tqdm is installed."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

#: Called with the phase ("load", "prefill" or "verify") and how much of what total is done: bytes,
#: or tokens for "prefill". Returning ``False`` stops the work with CancelledError.
ProgressFunction = Callable[[str, int, int], Optional[bool]]

_UNITS = {"load": ("B", True), "verify": ("B", True), "prefill": ("token", False)}


class ProgressBars:
    """One tqdm bar at a time, on standard error, for the phase that is running."""

    def __init__(self, tqdm: Callable[..., Any]) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Shows the phase's state; ends the bar when all is done."""
        if self._bar is None or phase != self._phase:
            self.close()
            unit, scaled = _UNITS.get(phase, ("", False))
            self._phase = phase
            self._bar = self._tqdm(
                total=total, desc=phase, unit=unit, unit_scale=scaled, leave=False
            )
        self._bar.update(done - self._bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Removes the bar."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


def progress_function(
    progress: Union[bool, ProgressFunction, None],
) -> Optional[ProgressFunction]:
    """What ``progress=`` means: a function, ``True`` for bars if tqdm is there, else nothing."""
    if progress is None or progress is False:
        return None
    if progress is not True:
        return progress
    try:
        from tqdm.auto import tqdm  # optional: without it there are no bars
    except ImportError:
        return None
    return ProgressBars(tqdm)
