"""Find where messages go: the URLs of a pipeline, and which of them is tried when."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from runner.core.config import PipelineConfig, Retries
from runner.core.errors import ConfigError
from runner.core.retries import delay

TRIES = 3  # of a message on one channel, before the next channel has its turn
PATIENCE = Retries(attempts=TRIES, backoff=timedelta(seconds=20), max_backoff=timedelta(minutes=15))

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Channel:
    """One URL of a pipeline, as a person wrote it."""

    place: str  # in words: alerts[1] of pipeline 'orders'
    written: str = field(repr=False)  # with ${NAME}s in it; may hold a password all the same

    def url(self, variables: Mapping[str, str]) -> str:
        """Return the URL itself; :class:`ConfigError` naming a variable that is not set."""

        def value(found: re.Match[str]) -> str:
            if not variables.get(found[1]):
                raise ConfigError(
                    f"{self.place} needs the environment variable {found[1]}, which is not set: "
                    "set it where the runner runs, or take the entry out.",
                    source="pipelines.yml",
                )
            return variables[found[1]]

        return _VARIABLE.sub(value, self.written)


def channels_of(name: str, config: PipelineConfig) -> tuple[Channel, ...]:
    """Return the channels of a pipeline's alerts, the first choice first."""
    return tuple(
        Channel(f"alerts[{number}] of pipeline '{name}'", written)
        for number, written in enumerate(config.alerts)
    )


@dataclass(frozen=True)
class NextAttempt:
    """The next attempt to send a message that has failed so often."""

    attempts: int  # that have failed; a channel that cannot work counts as tried in full
    channels: int  # how many there are

    @property
    def channel(self) -> int:
        """The number of the channel, from 0.

        >>> [NextAttempt(attempts, 2).channel for attempts in range(8)]
        [0, 0, 0, 1, 1, 1, 0, 0]
        """
        return self.attempts // TRIES % self.channels

    def next(self, *, is_hopeless: bool = False) -> NextAttempt:
        """Return the attempt after another failure; ``is_hopeless``: the channel cannot work.

        >>> NextAttempt(1, 2).next().attempts, NextAttempt(1, 2).next(is_hopeless=True).attempts
        (2, 3)
        """
        used_up = (self.attempts // TRIES + 1) * TRIES
        return replace(self, attempts=used_up if is_hopeless else self.attempts + 1)

    def wait(self, random: Callable[[], float]) -> timedelta:
        """Return how long to wait after the last failure; ``random`` is from 0 to 1.

        Not at all when the next channel has its turn for the first time; else with backoff, by
        how often this channel has failed.

        >>> [str(NextAttempt(failed, 2).wait(lambda: 1.0)) for failed in (1, 2, 3, 4, 6, 99)]
        ['0:00:20', '0:00:40', '0:00:00', '0:00:20', '0:01:20', '0:15:00']
        """
        rounds, tries = divmod(self.attempts, TRIES * self.channels)
        if tries and tries % TRIES == 0 and rounds == 0:
            return timedelta(0)
        failures = rounds * TRIES + tries % TRIES
        return delay(failures, PATIENCE, lambda: (1 + random()) / 2)
