"""Pure: where did a replay meet the live tail? A v1 host may drop events there, so it is read once more.

Event time runs faster than the clock in a replay and as fast as the clock in the live tail; that tells
the two apart whatever the host's clock says. Source: jetstream-legacy issue 42.
"""

from __future__ import annotations

from services.shared.cursor import Window

SAMPLE_SECONDS = 2.0
REPLAY_SLOPE = 1.1
MARGIN_US = 5_000_000
UNSTEADY_US = 3_000_000
"""A live tail that was held up for less, by a busy machine for instance, makes it up again: no replay."""
PROGRESS_US = 500_000
"""Catching up by more than this shows that the tail had not been met before."""
TRIES_PER_HOST = 3
SETTLED_US = 10_000_000
"""Event time to let pass before the window is read again: it must lie wholly in the host's store."""


class CutoverWatch:
    """Follows one connection to a v1 host from its start until it has caught up."""

    def __init__(self, host: str, now: float) -> None:
        self._host = host
        self._sampled = now
        self._sampled_us: int | None = None
        self._fast: tuple[int, int] | None = None
        self._live_lag_us: float | None = None

    def see(self, now: float, time_us: int) -> Window | None:
        """Look at the newest event time at `now` (monotonic seconds); gives a window when a replay ends.

        A replay that stalls gives one too many; that costs a few seconds of repeats, a missing one events.
        """
        if self._sampled_us is None:
            self._sampled, self._sampled_us = now, time_us
            # Even a replay too short to be seen as one meets the live tail.
            self._fast = (time_us, time_us)
            return None
        elapsed = now - self._sampled
        if elapsed < SAMPLE_SECONDS:
            return None
        began_us, self._sampled, self._sampled_us = self._sampled_us, now, time_us
        lag_us = now * 1e6 - time_us
        if time_us - began_us > REPLAY_SLOPE * elapsed * 1e6 and not self._is_unsteady(
            lag_us, lag_us - elapsed * 1e6 + time_us - began_us
        ):
            self._fast = (began_us, time_us)
            return None
        if self._fast is None:
            return None
        window = Window(self._fast[0] - MARGIN_US, self._fast[1] + MARGIN_US, self._host)
        self._fast = None
        self._live_lag_us = lag_us
        return window

    def _is_unsteady(self, lag_us: float, lag_before_us: float) -> bool:
        """Whether a live tail, met before, only makes up for a short stop; lags by any clock's offset."""
        return (
            self._live_lag_us is not None
            and lag_before_us - self._live_lag_us < UNSTEADY_US
            and self._live_lag_us - lag_us < PROGRESS_US
        )


def due(windows: tuple[Window, ...], newest_us: int, failures: int) -> Window | None:
    """Return a window that can be read once more now; after failures in a row the next one has its turn."""
    ready = [window for window in windows if newest_us - window.to_us > SETTLED_US]
    return ready[failures % len(ready)] if ready else None


def again_from(window: Window, hosts: tuple[str, ...], failures: int) -> str:
    """Return the host to read a window from: its own, whose times are exact, then any other."""
    candidates = [host for host in hosts if host == window.host] + [
        host for host in hosts if host != window.host
    ]
    return candidates[failures // TRIES_PER_HOST % len(candidates)]
