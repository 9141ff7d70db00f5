"""Tell whether an expression still says in which window a row lies, or only something coarser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from runner.lint.source import Source, Tag

_WRAPPED = (exp.Alias, exp.Paren, exp.AtTimeZone, exp.IgnoreNulls, exp.RespectNulls)
_PICKED = (exp.Min, exp.Max, exp.AnyValue, exp.First, exp.Last)  # of what is one per group
_DATES_OF = (exp.Date, exp.TsOrDsToDate)
_CASTS = (exp.Cast, exp.TryCast)
_TRUNCATED = (exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc)
# What says less than the column that it is made from, or says nothing of it at all.
_LESS = (
    exp.Predicate, exp.Connector, exp.Not, exp.Case, exp.If, exp.AggFunc, exp.Window, exp.Query,
    exp.Subquery, exp.Mod, exp.IntDiv, exp.Div, exp.Mul, exp.Floor, exp.Ceil, exp.Round,
    exp.Dayname, exp.Monthname,
)  # fmt: skip
_PARTS = {
    exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Week: "week",
    exp.WeekOfYear: "week", exp.Day: "day", exp.DayOfMonth: "day", exp.DayOfYear: "dayofyear",
    exp.DayOfWeek: "dayofweek", exp.DayOfWeekIso: "dayofweek", exp.Hour: "hour",
}  # fmt: skip
_SAME_PART = {"doy": "dayofyear", "dayofmonth": "day", "isoyear": "year", "weekofyear": "week"}
_OTHER_PARTS = frozenset(
    {"minute", "second", "decade", "century", "era", "isodow", "timezone",
     "last_day"}
)  # fmt: skip
_FINE = frozenset({"microsecond", "millisecond", "second", "minute", "hour"})
# The units that lie within one window of a grain. A week may lie in two months.
_WITHIN = {
    "hour": _FINE,
    "day": _FINE | {"day"},
    "week": _FINE | {"day", "week"},
    "month": _FINE | {"day", "month"},
    "year": _FINE | {"day", "month", "quarter", "year"},
}
_DATES = (frozenset({"year", "month", "day"}), frozenset({"year", "dayofyear"}))
# The parts of a date that say together which window it lies in.
_SUFFICIENT = {
    "hour": tuple(date | {"hour"} for date in _DATES),
    "day": _DATES,
    "week": (*_DATES, frozenset({"year", "week"})),
    "month": (*_DATES, frozenset({"year", "month"})),
    "year": (frozenset({"year"}),),
}
# The same of a format of strftime: some directive of each group has to be in it.
_FORMATS = {"year": "YyGxcDF", "month": "mbBjxcDF", "day": "djxcDF", "hour": "HIXcT"}
_LENGTHS = {"hour": 13, "day": 10, "week": 10, "month": 7, "year": 4}  # of a text from its left
_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 28, "year": 365}


@dataclass(frozen=True)
class EventTimes:
    """Knows which columns of a select are event times, and how long a window is."""

    is_event: Callable[[exp.Column], bool]
    grain: str  # hour, day, week, month or year
    source: Source

    def are_held(self, parts: Sequence[exp.Expr]) -> bool:
        """Return True if some expressions say together in which window a row lies."""
        if any(self.is_kept(part) for part in parts):
            return True
        units = frozenset(unit for part in parts for unit in self._units(part))
        return any(enough <= units for enough in _SUFFICIENT[self.grain])

    def is_kept(self, part: exp.Expr) -> bool:
        """Return True if an expression says as much of the time as the grain needs."""
        if isinstance(part, exp.Column):
            tag = self.source.tag_named(part.name)
            return self._is_kept_by(tag) if tag else self.is_event(part)
        if isinstance(part, (*_WRAPPED, *_PICKED)):
            return self.is_kept(part.this)
        if part.is_star:
            return True  # with all that is read
        if is_coarse(part, self.grain) or isinstance(part, _LESS) or _unit_of(part):
            return False
        if isinstance(part, exp.Anonymous) and str(part.this).lower() in _OTHER_PARTS:
            return False
        if isinstance(part, exp.Cast) and part.is_type(exp.DataType.Type.TIME):
            return False
        if isinstance(part, (exp.Func, exp.Binary, exp.Tuple, exp.Cast)):
            inside = list(part.iter_expressions())
            return self.are_held(inside)
        return False

    def _units(self, part: exp.Expr) -> Iterator[str]:
        """Yield which parts of an event time an expression is made of."""
        for call in part.find_all(*_PARTS, exp.Extract, exp.Anonymous):
            unit = _unit_of(call)
            if unit and any(self.is_kept(inside) for inside in call.iter_expressions()):
                yield unit

    def _is_kept_by(self, tag: Tag) -> bool:
        """Return True for a macro over an event time, `{{ daybreak.local_date('sold_at') }}`.

        And for what names no column at all: `{{ keys | join(', ') }}` may be anything.
        """
        if _is_coarse_tag(tag, self.grain):
            return False
        texts = [text for told in (tag, *self.source.made_by(tag)) for text in told.strings]
        if any(is_coarse_text(text, self.grain) for text in texts):
            return False
        names = [name for text in texts for name in names_in(text)]
        return not names or any(self.is_event(exp.column(name)) for name in names)


def names_in(text: str) -> list[str]:
    """Return the names of what may be columns in a piece of SQL, less what they are read from.

    >>> names_in("lines.sold_at + interval '2 hours'")
    ['sold_at', 'interval']
    """
    plain = re.sub(r"'[^']*'", "", text).replace('"', "")
    return list(re.findall(r"(?<![\w.])(?:\w+\.)*([A-Za-z_]\w*)\b(?!\s*\()", plain))


def grain_of(said: str | None) -> str | None:
    """Return a grain that is one of ours."""
    return said if said in _WITHIN else None


def is_coarse(part: exp.Expr, grain: str) -> bool:
    """Return True if an expression visibly gives one value to several windows."""
    while isinstance(part, (*_WRAPPED, exp.Coalesce)):
        part = part.this
    if isinstance(part, (*_CASTS, *_DATES_OF)):
        is_date = isinstance(part, _DATES_OF) or part.is_type(exp.DataType.Type.DATE)
        return (grain == "hour" and is_date) or is_coarse(part.this, grain)
    if isinstance(part, (exp.Add, exp.Sub)):
        return is_coarse(part.this, grain)  # a month's last day is its first, and so on
    return _is_truncated(part, grain) or _is_short_text(part, grain)


def _is_truncated(part: exp.Expr, grain: str) -> bool:
    if isinstance(part, _TRUNCATED):
        return _plain(part.args.get("unit")) not in _WITHIN[grain]
    if isinstance(part, exp.LastDay):
        return grain not in ("month", "year")
    if isinstance(part, exp.DateBin):
        return any(_days(width) > _DAYS[grain] for width in part.find_all(exp.Interval))
    if isinstance(part, exp.DateFromParts):
        said = {unit for call in part.find_all(*_PARTS, exp.Extract) if (unit := _unit_of(call))}
        return bool(said) and not any(enough <= said for enough in _SUFFICIENT[grain])
    return False


def _is_short_text(part: exp.Expr, grain: str) -> bool:
    """Return True for a time as a text that breaks off too early."""
    if isinstance(part, exp.TimeToStr):
        return _is_coarse_format(part.args.get("format"), grain)
    if isinstance(part, (exp.Left, exp.Substring)):
        length = part.args.get("length" if isinstance(part, exp.Substring) else "expression")
        if isinstance(length, exp.Literal) and length.is_int:
            return int(length.name) < _LENGTHS[grain]
    return False


def is_coarse_text(text: str, grain: str) -> bool:
    """Return True if a piece of SQL, as a macro is given it, is coarser than the window."""
    found = re.search(r"date_?trunc\s*\(\s*'(\w+)'", text, re.IGNORECASE)
    return found is not None and _unit(found[1]) not in _WITHIN[grain]


def is_coarse_column(column: exp.Expr, source: Source, grain: str) -> bool:
    """Return True if what a macro makes of a column is: `{{ dbt.date_trunc('month', …) }}`."""
    inside = column.unalias()
    tag = source.tag_named(inside.name) if isinstance(inside, exp.Column) else None
    return tag is not None and _is_coarse_tag(tag, grain)


def _is_coarse_tag(tag: Tag, grain: str) -> bool:
    is_truncated = any(name.endswith("date_trunc") for name in tag.names)
    known = frozenset().union(*_WITHIN.values())
    return is_truncated and any(
        _unit(text) in known and _unit(text) not in _WITHIN[grain] for text in tag.strings
    )


def _unit_of(call: exp.Expr) -> str | None:
    """Return which part of a date a call takes: `year(x)`, `extract(month from x)`."""
    for kind, unit in _PARTS.items():
        if type(call) is kind:
            return unit
    if isinstance(call, exp.Extract):
        return _plain(call.this)
    if isinstance(call, exp.Anonymous):
        name = str(call.this).lower()
        if name in ("date_part", "datepart") and call.expressions:
            return _plain(call.expressions[0])
        return {"isoyear": "year", "yearweek": "week", "doy": "dayofyear"}.get(name)
    return None


def _plain(unit: exp.Expr | None) -> str:
    return _unit(unit.name if unit is not None else "")


def _unit(text: str) -> str:
    unit = text.lower().removesuffix("s").split("(")[0]
    return _SAME_PART.get(unit, "week" if unit.startswith(("week", "isoweek")) else unit)


def _is_coarse_format(wanted: exp.Expr | None, grain: str) -> bool:
    if not isinstance(wanted, exp.Literal):
        return False
    said = set(re.findall(r"%-?(\w)", wanted.name))
    if not said:
        return False
    needed = {"hour": 4, "day": 3, "week": 3, "month": 2, "year": 1}[grain]
    return any(said.isdisjoint(some) for some in list(_FORMATS.values())[:needed])


def _days(interval: exp.Expr) -> float:
    """Return how long an interval is, in days; 0 if that is not a number."""
    amount = re.search(r"\d+", interval.this.name if interval.this else "")
    unit = _plain(interval.args.get("unit"))
    per = {**_DAYS, "quarter": 84, "minute": 1 / 1440, "second": 1 / 86400}.get(unit, 0)
    return float(amount[0]) * per if amount else 0
