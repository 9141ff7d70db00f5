"""The environment of services: time, patience and chance; tests pass their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Environment:
    """The time, patience and chance that a service uses."""

    now: Clock  # UTC
    monotonic: Callable[[], float]  # seconds, never set back
    sleep: Callable[[float], None]  # seconds
    random: Callable[[], float]  # from 0 to 1
    is_stopping: Callable[[], bool] = lambda: False  # nothing new is to be started
