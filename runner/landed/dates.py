"""Tell from the name of a landed file to which date it belongs.

The base name begins with the date, as YYYY-MM-DD or YYYYMMDD, and ends there or goes on with what
is no digit; else a folder of its path is a day's, ``day=2017-03-18``. The macro ``landed_date``
says the same in SQL, and a table of cases holds both equal.
"""

from __future__ import annotations

import re
from datetime import date

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}"
_NAME = re.compile(rf"({_DATE})(?:[^0-9].*)?", re.DOTALL)
_FOLDER = re.compile(rf"[^=]+=({_DATE})")


def date_of(path: str) -> date | None:
    """Return the date that a file belongs to; None: it belongs to all days alike.

    >>> date_of("landing/2017-03-18T05_part2.csv.gz"), date_of("landing/orders_2017-03-18.csv")
    (datetime.date(2017, 3, 18), None)
    """
    *folders, name = path.split("/")
    found = _NAME.fullmatch(name)
    day = _parsed(found[1]) if found else None
    if day is not None or "=" not in path:
        return day
    # The innermost that is one: the others may say another thing.
    days = (_FOLDER.fullmatch(folder) for folder in reversed(folders))
    innermost = next(filter(None, days), None)
    return _parsed(innermost[1]) if innermost else None


def _parsed(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None
