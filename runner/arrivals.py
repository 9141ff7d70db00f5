"""placeholder"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Obstacle:
    text: str
    until: datetime | None = None
