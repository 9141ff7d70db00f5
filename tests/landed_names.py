"""Names of landed files, and the date that each belongs to: for Python and for SQL."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

_CASES = json.loads((Path(__file__).parent / "cases" / "landed_names.json").read_text())["cases"]
NAMES = {case["name"]: case["date"] and date.fromisoformat(case["date"]) for case in _CASES}
MORE = {
    "2017-03-18": date(2017, 3, 18),
    "20170318": date(2017, 3, 18),
    "2017-03-18\n.csv": date(2017, 3, 18),
    "2017-03-18o'clock.csv": date(2017, 3, 18),
    "2017-0318.csv": None,
    "20171318.csv": None,
    "2016-02-29.csv": date(2016, 2, 29),
    "2017-02-29.csv": None,
    "day=2017-03-18/part-0.parquet": date(2017, 3, 18),
    "shop=1/day=20170318/hour=05/part-0.parquet": date(2017, 3, 18),
    "day=2017-03-18/2017-03-19.parquet": date(2017, 3, 19),
    "first=2017-03-17/last=2017-03-18/part-0.parquet": date(2017, 3, 18),
    "day=2017-03-18.parquet": None,
    "2017-03-18/part-0.parquet": None,
    "day=2017-03-181/part-0.parquet": None,
}
