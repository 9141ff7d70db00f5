"""The rules as data: title, danger and remedy of each; and findings, the breaches of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The weight of a finding for who wants to run the model."""

    ERROR = "error"  # nothing that replays windows runs it
    WARN = "warn"  # it may be right; the text alone does not show it


@dataclass(frozen=True)
class Rule:
    """One thing that makes a model unfit for replay."""

    code: str
    title: str
    severity: Severity  # of a finding that does not say another
    why: str  # what goes wrong
    remedy: str  # what to write instead


_RULES = (
    Rule("DB00", "noqa without a reason", Severity.WARN,
         "nobody will know whether it is still right to look away",
         "write why, `-- noqa: DB06 one row per day`; without a reason nothing is silenced"),
    Rule("DB01", "clock or chance", Severity.ERROR,
         "a replay gives other rows than the first run",
         "take the time from the window or from a column, a key from the columns that make it"),
    Rule("DB02", "reads its own table", Severity.ERROR,
         "what a window becomes depends on which windows ran before it",
         "read the window of the parents, `where {{ daybreak.in_window('…') }}`, never {{ this }}"),
    Rule("DB03", "append", Severity.ERROR,
         "a window that is run twice is there twice",
         "use incremental_strategy overwrite_window, or merge"),
    Rule("DB04", "incremental without in_window", Severity.ERROR,
         "every window reads everything, or something else than its rows",
         "read `where {{ daybreak.in_window('…') }}`"),
    Rule("DB05", "merge without key or version", Severity.ERROR,
         "an old window that is replayed late wins over a newer one",
         "declare unique_key and version_column"),
    Rule("DB06", "order is not total", Severity.ERROR,
         "among equals chance decides",
         "order by something that ends in a key, and declare the key"),
    Rule("DB07", "window closed at both ends", Severity.ERROR,
         "the instant between two windows is in both",
         "use `{{ daybreak.in_window('…') }}`, which is half-open"),
    Rule("DB08", "windowed parent without a window", Severity.WARN,
         "the rows depend on which windows of the parent have run by then",
         "read it `where {{ daybreak.in_window('…') }}`, or join it on its event time"),
    Rule("DB09", "not judged", Severity.WARN,
         "what makes it unfit for replay is not seen",
         "replay it with runner prove"),
    Rule("DB10", "hook outside the transaction", Severity.ERROR,
         "it changes rows after they are judged, or leaves rows that nothing has judged",
         "let it run inside and commit nothing, or hang it on on-run-start or on-run-end"),
    Rule("DB11", "windows together", Severity.ERROR,
         "a range of windows that is built at once gives other rows than its windows one by one",
         "group or partition by the event time too; what looks back reads further than the window "
         "and filters by it last"),
    Rule("DB12", "place on the disk", Severity.ERROR,
         "where a row lies is another place when it is written again",
         "take a key from the columns that make it, and join by one"),
    Rule("DB13", "hook on other windows", Severity.ERROR,
         "each window that runs changes rows of windows that do not, after they were judged",
         "let it say `where {{ daybreak.in_window('…') }}`, or work it out in the model"),
    Rule("DB14", "event time coarser than the window", Severity.ERROR,
         "rows of several windows are all said to lie in the first of them",
         "keep the column that in_window filters by, or make the windows as long"),
    Rule("DB15", "inexact aggregate", Severity.WARN,
         "its last digits depend on the order in which rows are read",
         "sum up decimals, round the result, or take the exact aggregate"),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.code: rule for rule in _RULES}


@dataclass(frozen=True)
class Spot:
    """A breach of a rule at a place in a text."""

    rule: str
    start: int  # offsets, half-open
    end: int
    what: str  # is written there
    severity: Severity | None = None  # None: that of the rule


@dataclass(frozen=True)
class LintFinding:
    """A breach of a rule at a line of a model's text."""

    rule: str
    severity: Severity
    line: int  # from 1
    column: int  # from 1
    last_line: int  # of what is found: a noqa on any of its lines is about it
    offset: int  # where it begins in the text
    message: str  # one line: what is wrong and what to do
