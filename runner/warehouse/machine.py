"""What this machine has."""

from __future__ import annotations

import os
from pathlib import Path

_LIMITS = (  # of the container: version 2 of control groups, and version 1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory() -> int:
    """Bytes of memory: the machine's, or what its container may have of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _LIMITS:
        try:
            return min(total, int(path.read_text()))
        except (OSError, ValueError):  # no container, or one without a limit: "max"
            continue
    return total
