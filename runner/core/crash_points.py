"""Let a test kill a process at named places, to prove that the next command mends it.

``DAYBREAK_CRASH=after-claim:3`` kills the process that reaches ``after-claim`` for the third
time, as ``kill -9`` would; several points are separated by commas. Without the variable nothing
ever happens here.
"""

from __future__ import annotations

import os
import signal

_AIMS = (aim.partition(":") for aim in os.environ.get("DAYBREAK_CRASH", "").split(",") if aim)
_left = {point: int(count or 1) for point, _, count in _AIMS}


def reached(point: str) -> None:
    """Die here if the environment says so."""
    if point in _left:
        _left[point] -= 1
        if _left[point] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
