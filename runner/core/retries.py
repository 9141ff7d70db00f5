"""Decide what to do about a failure: try again, try once more, stop everything, or give up.

dbt flattens errors to text, so a failure is known by its words alone, and the words are data:
one table of rules, searched in order. Two forms of a message are understood: dbt's own (a node's
message, or the exception or traceback of an invocation), and the one line that
:mod:`runner.dbt.reports` makes of it.

Rules match where DuckDB's head stands ("IO Error: …"), never somewhere inside: a value that
cannot be converted may well contain the words "out of memory".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from runner.core.config import Retries


class Remedy(StrEnum):
    """The remedy for a failed invocation or node."""

    TRANSIENT = "transient"  # again with backoff, up to the policy's attempts
    ONCE = "once"  # one more attempt
    HALT = "halt"  # no later window can fare better: pause the pipeline and tell a person
    PERMANENT = "permanent"  # the same input gives the same answer


@dataclass(frozen=True)
class RetryRule:
    """One class of error, by its words."""

    name: str  # of the class of error, in a person's words
    words: str  # a pattern, from the start of what was said, its wrapping taken off
    remedy: Remedy

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The words, compiled when something has gone wrong and not before."""
        return re.compile(self.words, re.DOTALL)


# What dbt, Python and DuckDB put before the error itself, in any order and number.
_WRAPPING = re.compile(
    r"Encountered an error:"
    r"|hook [\w.-]+ failed: "
    r"|(?:Runtime|Database|Internal) Error(?: in [^\n]*\n|\s)"
    r"|Python model failed:"
    # Of chained exceptions the first is the cause.
    r"|Traceback \(most recent call last\):.*?\s"
    r"(?:(?=MemoryError|KeyboardInterrupt|OSError: )|(?:[a-z_]\w*\.)+[A-Z]\w*: )"
    r"|TransactionContext Error: Failed to commit: "
    r"|(?:FATAL Error: )?Failed to create checkpoint because of error: "
    r'|(?:FATAL Error: )?Failed: database has been invalidated [^"]*Original error: "',
    re.DOTALL,
)

_NO_ROOM = "(?:No space left on device|Disk quota exceeded|File too large)"
_LANDED = r"\.(?:parquet|csv|tsv|txt|json|jsonl|ndjson)(?:\.gz|\.zst)?"
_BUSY = r"(?:408|429|5\d\d)"  # HTTP: timed out, too many requests, the server's own trouble


# The first match wins. What a person wrote or landed comes first, for only these messages quote
# values; then what damages, then what passes.
_WORDS = {
    # Daybreak's own macros: another runner has published; the next attempt has a higher fence
    ("fenced off", Remedy.TRANSIENT): (
        r"(?:Compilation Error[^\n]*\n\s*)?(?:daybreak: )?a newer run \(fence "
    ),
    # dbt: Jinja, a ref to nothing, a macro that raises (the gates and strategies do)
    ("compilation", Remedy.PERMANENT): (
        r"Compilation Error\b"
        r"|'[^'\n]+' is undefined\. This can happen when calling a macro"
        r"|\w+ '[^'\n]+' \([^)\n]+\) depends on a \w+ named "
    ),
    # DuckDB: a value that does not fit its type
    ("conversion", Remedy.PERMANENT): r"(?:Conversion|Out of Range) Error: ",
    # DuckDB: no such column, no such overload
    ("binder", Remedy.PERMANENT): "Binder Error: ",
    # DuckDB: no such table, function or type
    ("catalog", Remedy.PERMANENT): "Catalog Error: ",
    # DuckDB: SQL that cannot be read
    ("parser", Remedy.PERMANENT): "Parser Error: ",
    # DuckDB, also at the commit (one writer per file: the rows are ours); reports.brief
    ("constraint", Remedy.PERMANENT): (
        r"(?:Constraint Error: )?PRIMARY KEY or UNIQUE constraint viol"
        r"|Constraint Error: "
        r"|[\w.]+ is NULL in a row, which its contract forbids"
    ),
    # DuckDB reading Parquet, CSV or JSON; reports.brief
    ("damaged landed file", Remedy.PERMANENT): (
        r"Invalid Input Error: (?:No magic bytes found|File '[^'\n]*' too small)"
        r"|Invalid Input Error: (?:Failed to read|Error when sniffing) "
        rf'|IO Error: Could not read enough bytes from file "[^"\n]*{_LANDED}"'
        r"|[^\n]+ was cut off or is no Parquet file \("
        r"|[^\n]+ is empty or was cut off \("
    ),
    # DuckDB: whatever else cannot be used
    ("input", Remedy.PERMANENT): "Invalid Input Error: ",
    # DuckDB: an IO Error, but nobody lands a file because we ask again; reports.brief
    ("missing file", Remedy.PERMANENT): (
        r"IO Error: No files found that match the pattern "
        r'|IO Error: Cannot open file "[^"\n]*": No such file or directory'
        r"|no file matches [^\n]+: land it"
    ),
    # DuckDB, with the words of the operating system (strerror)
    ("no access", Remedy.PERMANENT): (
        r'IO Error: (?:Cannot|Could not) [\w ]+ "[^"\n]*": '
        r"(?:Permission denied|Is a directory|Not a directory|Read-only file system)"
    ),
    # DuckDB: its Connection Error is about how a file is opened, not about a network
    ("settings of the connection", Remedy.PERMANENT): r"Connection Error: ",
    # DuckDB and Python, with the words of the operating system (strerror)
    ("disk full", Remedy.HALT): (
        rf'(?:IO Error: )?(?:Cannot|Could not) [\w ]+ "[^"\n]*"[^"\n]*: {_NO_ROOM}'
        r'|(?:IO Error: )?Could not write all bytes to file "'  # a short write: DuckDB before 1.1
        rf"|(?:OSError: )?\[Errno \d+\] {_NO_ROOM}"
    ),
    # DuckDB: the database file or its WAL (a damaged WAL may have any head)
    ("corruption", Remedy.HALT): (
        r"(?:[A-Za-z]+ )+Error: Failure while replaying (?:checkpoint )?WAL file "
        r"|(?:IO Error: )?Corrupt (?:database|WAL) file"
        r'|IO Error: The file "[^"\n]*" exists, but it is not a valid DuckDB database file!'
        r"|IO Error: Could not read enough bytes from file "
        r"|IO Error: No more data remaining in MetadataReader"
        r"|Serialization Error: Failed to deserialize"
    ),
    # DuckDB: another process holds the file; reports.brief
    ("lock", Remedy.TRANSIENT): (
        r"IO Error: Could not set lock on file "
        r"|[^\n]+ is locked: [^\n]+ \(pid \d+\) holds it"
        r"|[^\n]+ is locked by another process: end it"
    ),
    # DuckDB: optimistic concurrency; also found at the commit only
    ("transaction conflict", Remedy.TRANSIENT): (
        r"(?:TransactionContext Error: )?"
        r"(?:Transaction conflict: |Conflict on |Catalog write-write conflict on )"
    ),
    # DuckDB, at its limit or the machine's; Python
    ("out of memory", Remedy.ONCE): r"Out of Memory Error: (?!failed to offload )|MemoryError\b",
    # DuckDB at max_temp_directory_size, by default 90% of what is free on the disk
    # Not HALT: what was spilled is deleted with the process, and nothing stored is at stake.
    ("no room to spill", Remedy.ONCE): r"Out of Memory Error: failed to offload ",
    # DuckDB; dbt after SIGINT, which nobody but the runner sends on purpose
    ("interrupted", Remedy.ONCE): r"INTERRUPT Error: |KeyboardInterrupt\b",
    # reports.timed_out
    ("timed out", Remedy.ONCE): r"timed out after [^\n]+ and was killed: ",
    # reports.killed; the warm engine whose server died
    ("killed", Remedy.ONCE): (
        r"dbt ended without a result \(|the dbt server has ended unexpectedly: "
    ),
    # DuckDB: extensions, and files behind HTTP or S3 (those: words of httpfs' source)
    ("network", Remedy.TRANSIENT): (
        r"(?:IO Error: )?(?:Failed to download extension|An error occurred while trying to "
        r"automatically install) .*\(ERROR Could not establish connection\)"
        rf"|HTTP Error: Failed to download extension [^\n]* \(HTTP {_BUSY}\)"
        rf"|HTTP Error: HTTP \w+ error on '[^'\n]*' \(HTTP {_BUSY}\)"
        rf"|HTTP Error: Request returned HTTP {_BUSY} for "
        rf'|HTTP Error: Unable to connect to URL "[^"\n]*": {_BUSY} '
        r"|IO Error: [\w ]+ error for HTTP \w+ to '"
    ),
    # DuckDB: not found, not allowed, and the like
    ("http", Remedy.PERMANENT): "HTTP Error: ",
    # DuckDB: an extension that is not installed, a file of a newer DuckDB
    ("extension or version", Remedy.PERMANENT): (
        r'IO Error: Extension "[^"\n]*" not found'
        r"|IO Error: Trying to read a database file with version number "
    ),
    # DuckDB: every other IO Error; its words continue with the operating system's (strerror)
    ("input/output", Remedy.TRANSIENT): r'IO Error: |Could not \w+ (?:from |to )?file "',
}
RULES = tuple(RetryRule(name, words, remedy) for (name, remedy), words in _WORDS.items())
UNKNOWN = RetryRule("unknown", "", Remedy.PERMANENT)  # no rule knows these words


def classify(message: str) -> RetryRule:
    r"""Return the first rule that knows what was said, or ``UNKNOWN``.

    ``message`` is dbt's own, of a node or of the invocation, or our one line of it.

    >>> classify('IO Error: Could not set lock on file "a.duckdb": …').name
    'lock'
    >>> full = 'Could not write file "a.duckdb.wal": No space left on device'
    >>> rule = classify(f"Runtime Error in model a (models/a.sql)\n  TransactionContext Error: "
    ...                 f"Failed to commit: {full}")
    >>> rule.name, str(rule.remedy)
    ('disk full', 'halt')
    >>> classify("Conversion Error: Could not convert string 'out of memory' to INT32").name
    'conversion'
    >>> str(classify("something new").remedy)
    'permanent'
    """
    said = _unwrapped(message)
    return next((rule for rule in RULES if rule.pattern.match(said)), UNKNOWN)


def allows_another(rule: RetryRule, attempts_so_far: int, policy: Retries) -> bool:
    """Tell whether to try again after so many attempts, the first one included."""
    most = {Remedy.TRANSIENT: policy.attempts, Remedy.ONCE: min(2, policy.attempts)}
    return attempts_so_far < most.get(rule.remedy, 0)


def delay(attempt: int, policy: Retries, random: Callable[[], float]) -> timedelta:
    """Return how long to wait after a failed attempt: exponential backoff with full jitter.

    ``attempt``, from 1, is the one that has just failed; ``random`` gives a number from 0 to 1.
    The wait is that share of ``min(max_backoff, backoff * 2 ** (attempt - 1))``: of several that
    collided, each comes back at another time. (M. Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015.)

    >>> policy = Retries(attempts=9)  # 30 seconds, at most 15 minutes
    >>> [str(delay(attempt, policy, lambda: 1.0)) for attempt in (1, 2, 3, 6, 10_000)]
    ['0:00:30', '0:01:00', '0:02:00', '0:15:00', '0:15:00']
    >>> str(delay(2, policy, lambda: 0.25))
    '0:00:15'
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    # In seconds, of which no number is too large: 2 ** 1_000 of them are no timedelta.
    doubled = policy.backoff.total_seconds() * 2.0 ** min(attempt - 1, 1_000)
    return timedelta(seconds=min(doubled, policy.max_backoff.total_seconds()) * random())


def _unwrapped(message: str) -> str:
    """Return the error itself, from its first word on."""
    said = message.lstrip()
    while found := _WRAPPING.match(said):
        said = said[found.end() :].lstrip()
    return said
