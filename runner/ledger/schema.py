"""The ledger's tables, and the few expressions that differ between databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    event,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

VERSION = 4
UNFINISHED = ("queued", "running", "retrying")


class Instant(TypeDecorator[datetime]):
    """A timezone-aware instant, in UTC on both sides."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a naive datetime: nobody knows which instant it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """SQLite forgets the zone that was stored: it is always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Prose(TypeDecorator[str]):
    """Text from outside, which may hold what no database takes: NUL, halves of characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Put a sign in the place of what cannot be kept."""
        return None if value is None else _keepable(value)


class Lines(TypeDecorator[tuple[str, ...]]):
    """Lines of text from outside, as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """One text of them all."""
        return None if value is None else json.dumps([_keepable(line) for line in value])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002
        """The lines again."""
        return None if value is None else tuple(json.loads(value))


def _keepable(text_from_outside: str) -> str:
    readable = text_from_outside.encode("utf-8", "replace").decode()
    return readable.replace("\0", "\N{REPLACEMENT CHARACTER}")


class database_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's own clock, plus some seconds: leases trust no other."""

    type = Instant()
    inherit_cache = True

    def __init__(self, plus_seconds: int = 0) -> None:
        super().__init__(text(str(int(plus_seconds))))


@compiles(database_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **keywords: Any) -> str:
    seconds = compiler.process(element.clauses, **keywords)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds')"


@compiles(database_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **keywords: Any) -> str:
    seconds = compiler.process(element.clauses, **keywords)
    return f"clock_timestamp() + make_interval(secs => {seconds})"


metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

ledger_version = Table(
    "ledger_version",
    metadata,
    Column("version", Integer, nullable=False),
    # No fence is ever given again, even if the runs that had it are forgotten.
    Column("highest_fence", BigInteger, nullable=False),
)

# One row per execution of one window of a pipeline.
runs = Table(
    "runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("pipeline", String, nullable=False),
    Column("run_id", String, nullable=False),  # <kind>__<window label>[.N]
    Column("kind", String, nullable=False),
    Column("window_start", Instant, nullable=False),
    Column("window_end", Instant, nullable=False),
    Column("label", String, nullable=False),
    Column("state", String, nullable=False),
    Column("owner", String),  # host:pid:start of the process that holds it
    Column("lease_until", Instant),
    Column("fence", BigInteger),  # of the invocation that took it last
    Column("row_count", BigInteger),
    Column("check_count", Integer),
    Column("seconds", Float),  # its share of its invocation
    Column("reason", Prose),  # why it is not success, in one line
    Column("queued_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    # Cut off in the middle of an invocation: only the markers know what that published.
    Column("is_unsettled", Boolean, nullable=False, default=False),
)
Index("runs_by_name", runs.c.pipeline, runs.c.run_id, unique=True)
Index("runs_by_window", runs.c.pipeline, runs.c.window_start, runs.c.id)
# A window is never in two hands at once, whatever a program believes.
# Plain DDL, as SQLAlchemy's own partial index would import every dialect it speaks of.
event.listen(
    runs,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE UNIQUE INDEX runs_in_flight ON runs (pipeline, window_start) "
        "WHERE state IN ('queued', 'running', 'retrying')"
    ),
)

# One row per model of a run: how its work on that window ended.
model_runs = Table(
    "model_runs",
    metadata,
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("model", String, primary_key=True),
    Column("standing", String, nullable=False),
    Column("row_count", BigInteger),
    Column("code_hash", String),
    Column("reason", Prose),
)

# The index of what every model's windows are, whichever pipeline did it: contiguous windows of
# which the same is known are one row. Lost, it can be made again from the warehouse's markers.
model_windows = Table(
    "model_windows",
    metadata,
    Column("model", String, primary_key=True),
    Column("window_start", Instant, primary_key=True),
    Column("window_end", Instant, nullable=False),
    Column("standing", String, nullable=False),
    Column("code_hash", String),
    Column("is_outdated", Boolean, nullable=False),
    Column("reason", Prose),
    Column("inputs", String),  # digest of what a window failed on
    Column("has_rows", Boolean, nullable=False),
)

# Changes of code that a person has found cosmetic: what the old code published is as good.
accepted_changes = Table(
    "accepted_changes",
    metadata,
    Column("model", String, primary_key=True),
    Column("old_hash", String, primary_key=True),
    Column("new_hash", String, primary_key=True),
    Column("accepted_at", Instant, nullable=False),
)

# Pipelines that start nothing until somebody resumes them.
pauses = Table(
    "pauses",
    metadata,
    Column("pipeline", String, primary_key=True),
    Column("reason", Prose, nullable=False),
    Column("paused_at", Instant, nullable=False),
)

# One row per check that did not pass: the evidence.
findings = Table(
    "findings",
    metadata,
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model", String),
    Column("check_name", Prose, nullable=False),
    Column("severity", String, nullable=False),
    Column("expected", Prose),
    Column("actual", Prose),
    Column("sample", Lines),  # up to five rows in words
)
Index("findings_by_run", findings.c.run)

# One row per rule that a model of a run breaks and that a person allowed it to break.
allowances = Table(
    "allowances",
    metadata,
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model", String, nullable=False),
    Column("reason", Prose, nullable=False),
)
Index("allowances_by_run", allowances.c.run)

# What replaying a model's code has shown: the newest proof of each code.
proofs = Table(
    "proofs",
    metadata,
    Column("model", String, primary_key=True),
    Column("code_hash", String, primary_key=True),
    Column("verdict", String, nullable=False),
    Column("failed", String, nullable=False),  # the properties that it lacks, between commas
    Column("windows", Prose, nullable=False),  # which were replayed, in words
    Column("proved_at", Instant, nullable=False),
)

# The last sign of life of the scheduler: one row.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),  # serve or tick
    Column("owner", String, nullable=False),  # host:pid:start
    Column("seen_at", Instant, nullable=False),
    Column("interval_seconds", Float),  # until the next sign; null: nobody has said
    Column("is_stopped", Boolean, nullable=False),  # it was told to stop, and did
)

# What a person has been told of each pipeline's windows, as ranges: no row, no trouble.
told = Table(
    "told",
    metadata,
    Column("pipeline", String, primary_key=True),
    Column("window_start", Instant, primary_key=True),
    Column("window_end", Instant, nullable=False),
    Column("kind", String, nullable=False),
)

# Messages to people, in the order in which they are sent. Written with what they tell, and
# marked after they were sent. No URL is ever kept.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("pipeline", String, nullable=False),
    Column("tone", String, nullable=False),
    Column("title", Prose, nullable=False),
    Column("body", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),  # that have failed; they say which URL is next
    Column("not_before", Instant),
    Column("last_error", String),  # in our own words: what others say may quote a URL
    Column("owner", String),  # host:pid:start of the process that sends it now
    Column("lease_until", Instant),
    Column("sent_at", Instant),
)
Index("outbox_by_sent", outbox.c.sent_at, outbox.c.id)

# Up to when a source was loaded when it was last asked, for those who look without an engine.
sources_seen = Table(
    "sources_seen",
    metadata,
    Column("source", String, primary_key=True),
    Column("loaded_at", Instant),
    Column("seen_at", Instant, nullable=False),
)

# The windows, as ranges, of which it is known from which files they were made: a file that is
# there and not below has landed later.
input_looks = Table(
    "input_looks",
    metadata,
    Column("model", String, primary_key=True),
    Column("window_start", Instant, primary_key=True),
    Column("window_end", Instant, nullable=False),
)

# The files that a model's windows were made from, as they were before they were read.
input_files = Table(
    "input_files",
    metadata,
    Column("model", String, primary_key=True),
    Column("path", String, primary_key=True),  # relative to the project
    Column("window_start", Instant, primary_key=True),
    Column("window_end", Instant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("digest", String, nullable=False),  # blake2b of its bytes
)

# How often something of a pipeline was tried again because it might pass by itself.
retries = Table(
    "retries",
    metadata,
    Column("pipeline", String, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
