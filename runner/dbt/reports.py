"""Read what Daybreak's macros tell the runner: lines of prefixed JSON in dbt's own messages.

``DAYBREAK_EVIDENCE`` stands in the error of a model whose gates failed,
``DAYBREAK_REPORT`` in the log line that ends an invocation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from runner.core.errors import EngineError
from runner.dbt.protocol import (
    BatchResult,
    Evidence,
    InvocationResult,
    NodeResult,
    Publication,
    RowDifference,
    SourceSchema,
    StandingTable,
    Survey,
    SurveyedModel,
    WindowEvidence,
)

EVIDENCE_PREFIX = "DAYBREAK_EVIDENCE "
# A failed run-operation tells why in an event; its result has no message.
OPERATION_ERRORS = ("RunningOperationCaughtError", "RunningOperationUncaughtError")
REPORT_PREFIX = "DAYBREAK_REPORT "
CONNECTED = "DAYBREAK_CONNECTED"  # logged before an invocation writes anything of ours
_SAMPLE_ROWS = 5
_WIDEST_ROW = 500  # characters of a sample row
_ABOUT_SIZE = ("timed out", "dbt ended without a result")
# The heads of an error. What follows them is the engine's; the same words later on may be quoted
# from somebody's data.
_HEADS = r"^(?:(?:[A-Z][\w ]*Error|Encountered an error): )*"
# What an engine says of something that a person can mend, and how we say it.
_WORDS = {
    r'Could not set lock on file "([^"]+)": Conflicting lock is held in (.*?) \(PID (\d+)\).*': (
        r"\1 is locked: \2 (pid \3) holds it; wait for it or end it, "
        r"then run the same command again"
    ),
    r'Could not set lock on file "([^"]+)".*': (
        r"\1 is locked by another process: end it, then run the same command again"
    ),
    r"No magic bytes found at end of file '([^']+)'.*": (
        r"\1 was cut off or is no Parquet file (no magic bytes at its end): land it again"
    ),
    r"File '([^']+)' too small to be a Parquet file.*": (
        r"\1 is empty or was cut off (too small for a Parquet file): land it again"
    ),
    r'No files found that match the pattern "([^"]+)".*': (
        r"no file matches \1: land it, or set DAYBREAK_LANDING"
    ),
    r"NOT NULL constraint failed: ([\w.]+).*": (
        r"\1 is NULL in a row, which its contract forbids: filter such rows out or mend them"
    ),
}
_IN_OUR_WORDS = tuple((re.compile(_HEADS + pattern), words) for pattern, words in _WORDS.items())
_LOCK = re.compile(r"^\s*(?:[A-Z][\w ]*Error: )*Could not set lock on file", re.MULTILINE)
_LINE = re.compile(r" LINE \d+: ")  # from here on the database quotes the SQL
_FRAME = re.compile(r"^\s*> (in|called by) ")
_HEADING = re.compile(r"^(Compilation|Runtime|Database|Internal) Error( in (?P<place>.*))?$")
# A hook of the run as dbt calls its node, within a unique id and where a heading names a place.
_HOOK = re.compile(
    r"operation[. ](?:\w+\.)?(?P<project>\w+)-(?P<event>on-run-start|on-run-end)-(?P<index>\d+)\b"
)
_HOOK_FAILED = re.compile(r"^\S+ failed, error:\s*")  # dbt's words, before the database's


def invocation_result(
    nodes: Iterable[Mapping[str, Any]], report: str | None, error: str | None, seconds: float
) -> InvocationResult:
    """Put a result together from dbt's node results and the report line, if it came."""
    results = tuple(map(_node_result, nodes))
    evidence = tuple(found for node in results for found in _evidence_of(node))
    told = json.loads(report.removeprefix(REPORT_PREFIX)) if report is not None else {}
    return InvocationResult(
        nodes=results,
        publications=tuple(
            p for group in told.get("publications", ()) for p in _publications(group)
        ),
        touched=tuple(p for group in told.get("touched", ()) for p in _publications(group)),
        evidence=evidence + tuple(_evidence(found) for found in told.get("evidence", ())),
        schema=_schema(told["schema"]) if "schema" in told else None,
        loaded_at=tuple(told.get("loaded_at", ())),
        survey=_survey(told["survey"]) if "survey" in told else None,
        warehouse=told.get("warehouse"),
        tables=_tables(told),
        differences=tuple(map(_difference, told["differences"])) if "differences" in told else None,
        error=error or _failed_hook(results),
        seconds=seconds,
    )


def _node_result(told: Mapping[str, Any]) -> NodeResult:
    batches = tuple(
        BatchResult(datetime.fromisoformat(start), status, message)
        for start, status, message in sorted(told.get("batches") or ())
    )
    # dbt's own message counts the batches, and says nothing of why.
    failed = (batch.message for batch in batches if batch.status == "error" and batch.message)
    message = next(failed, told["message"] or "")
    return NodeResult(told["unique_id"], told["status"], message, told["execution_time"], batches)


def brief(message: str) -> str:
    r"""A dbt error in one line: without headings, macro frames and the machine's part.

    >>> brief("Compilation Error in model a (a.sql)\n  daybreak: no event_time\n\n"
    ...       "  > in macro stop (x.sql)\n  > called by model a (a.sql)")
    'no event_time'
    >>> brief("Invalid Input Error: File 'a.parquet' too small to be a Parquet file")
    'a.parquet is empty or was cut off (too small for a Parquet file): land it again'
    """
    kept = []
    for line in message.splitlines():
        text = line.strip()
        if text.startswith(EVIDENCE_PREFIX):
            break
        if text and not _HEADING.match(text) and not _FRAME.match(line):
            kept.append(text)
    joined = " ".join(kept).removeprefix("daybreak: ")
    return _in_our_words(_LINE.split(joined, maxsplit=1)[0])


def invocation_error(message: str) -> str:
    r"""Say in one line why dbt itself did not get through; a hook of the run is named.

    >>> invocation_error("Compilation Error in operation shop-on-run-start-1 (./dbt_project.yml)\n"
    ...                  "  no rates")
    'hook shop.on-run-start.1 failed: no rates'
    """
    said = message.removeprefix("Encountered an error:").lstrip()
    first = said.split("\n", 1)[0]
    return _of_hook(first, said) if _HEADING.match(first) else brief(said)


def located(message: str) -> str:
    r"""A dbt error in one line, with the place that its heading names.

    >>> located("Compilation Error in model a (models/a.sql)\n  unexpected '}'")
    "model a (models/a.sql): unexpected '}'"
    """
    headings = (_HEADING.match(line.strip()) for line in message.splitlines())
    places = [found["place"] for found in headings if found and found["place"]]
    return ": ".join([*places[:1], brief(message)])


def not_described(message: str, arguments: Sequence[str]) -> str:
    """Say in one line why dbt did not tell of the project; ``arguments`` are what it was asked."""
    if arguments[:1] == ["ls"]:
        selection = " ".join(arguments[1 : arguments.index("--quiet")])
        return f"dbt does not take the selection `{selection}`: {located(message)}"
    return f"the dbt project does not parse: {located(message)}"


def is_lock(message: str) -> bool:
    """Return true if an error is that another process holds the warehouse."""
    return _LOCK.search(message) is not None


def is_about_size(error: str) -> bool:
    """Return true if fewer windows in an invocation may avoid an error: out of time, killed."""
    return error.startswith(_ABOUT_SIZE)


def is_filter(message: str) -> bool:
    """Return true if an error is that a model's filter does not hold, whatever the window."""
    return "outside its window" in message


def publications_told(result: InvocationResult) -> tuple[Publication, ...]:
    """Return what the warehouse told; :class:`EngineError` if dbt did not get through."""
    why = _why_not(result)
    if why is not None:
        raise EngineError(f"the warehouse cannot be asked what was published: {why}")
    return result.publications


def survey_told(result: InvocationResult) -> Survey:
    """Return what stands in the warehouse; :class:`EngineError` if dbt did not get through."""
    if result.survey is None:
        why = _why_not(result) or "dbt said nothing of it; run the same command again"
        raise EngineError(f"the warehouse cannot be asked what stands in it: {why}")
    return result.survey


def differences_told(result: InvocationResult) -> tuple[RowDifference, ...]:
    """Return where rows are not what was published; :class:`EngineError` as above."""
    if result.differences is None:
        why = _why_not(result) or "dbt said nothing of it; run the same command again"
        raise EngineError(f"the warehouse cannot be compared with its markers: {why}")
    return result.differences


def schema_told(source: str, result: InvocationResult) -> SourceSchema:
    """Return a source's columns as told; :class:`EngineError` if dbt did not get through."""
    if result.schema is None:
        why = _why_not(result) or "dbt said nothing of it; run the same command again"
        raise EngineError(f"{source} cannot be looked at: {why}")
    return result.schema


def loaded_told(source: str, result: InvocationResult) -> datetime | None:
    """Return up to when a source is loaded; :class:`EngineError` if not told, or no instant."""
    if not result.loaded_at:
        why = _why_not(result) or "dbt said nothing of it"
        raise EngineError(f"{source} cannot be asked up to when it is loaded: {why}")
    text = result.loaded_at[0]
    try:
        return _loaded_at(text)
    except ValueError as error:
        raise EngineError(
            f"{source} is loaded up to {text!r}, which is no date or timestamp: let its "
            "`loaded_at_field` or `loaded_at_query` be one, such as to_timestamp(…) of a number"
        ) from error


def _why_not(result: InvocationResult) -> str | None:
    """Return why dbt did not get through; None if it did."""
    failed = [node.message for node in result.nodes if node.status == "error"]
    return result.error or (brief(failed[0]) if failed else None)


def timed_out(timeout: timedelta) -> str:
    """The error of an invocation that was killed at its timeout."""
    hint = "raise `timeout`, or make the chunks smaller with --chunk"
    return f"timed out after {timeout} and was killed: {hint}"


def killed(exit_code: int) -> str:
    """The error of an invocation whose process ended without a result; negative: a signal."""
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return f"dbt ended without a result ({how}): look for a lack of memory, then run it again"


def _failed_hook(nodes: Iterable[NodeResult]) -> str | None:
    """Say which hook of the run has failed: dbt goes on, and calls its nodes a success."""
    failed = (n for n in nodes if n.status == "error" and _HOOK.match(n.unique_id))
    return next((_of_hook(n.unique_id, _HOOK_FAILED.sub("", n.message)) for n in failed), None)


def _of_hook(place: str, message: str) -> str:
    """Return a message in one line, after the hook that a place names, if it names one."""
    found = _HOOK.search(place)
    if found is None:
        return brief(message)
    return f"hook {found['project']}.{found['event']}.{found['index']} failed: {brief(message)}"


def _in_our_words(text: str) -> str:
    for pattern, words in _IN_OUR_WORDS:
        if pattern.search(text):
            return pattern.sub(words, text)
    return text


def _evidence_of(node: NodeResult) -> Iterator[Evidence]:
    if not node.batches:
        yield from _gate_evidence(node.message)
    for batch in node.batches:
        yield from (replace(found, batch=batch.start) for found in _gate_evidence(batch.message))


def _gate_evidence(message: str) -> list[Evidence]:
    for line in message.splitlines():
        text = line.strip()
        if text.startswith(EVIDENCE_PREFIX):
            return [_evidence(found) for found in json.loads(text.removeprefix(EVIDENCE_PREFIX))]
    return []


def _evidence(found: Mapping[str, Any]) -> Evidence:
    windows: tuple[WindowEvidence, ...] = ()
    sample: tuple[str, ...] = ()
    if found["names_windows"]:
        windows = tuple(
            WindowEvidence(
                _utc(row["window_start"]),
                row["expected"],
                row["actual"],
                _rows_in_words(row.get("sample") or ()),
            )
            for row in found["rows"]
        )
    else:
        sample = _rows_in_words(found["rows"])
    return Evidence(
        model=found["model"],
        test=found["test"],
        check=found["check"],
        severity=found.get("severity", "error"),
        failures=found["failures"],
        windows=windows,
        sample=sample,
        makes_stale=found.get("makes_stale", False),
    )


def _schema(told: Mapping[str, Any]) -> SourceSchema:
    columns, recorded = (tuple(map(tuple, told[name])) for name in ("columns", "recorded"))
    recorded_at = _utc(told["recorded_at"]) if told["recorded_at"] else None
    return SourceSchema(told["source"], columns, recorded, recorded_at, tuple(told["changes"]))


def _loaded_at(text: str | None) -> datetime | None:
    """An instant as a database's driver writes it; without a zone it is UTC, as dbt takes it."""
    if text is None:
        return None
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _rows_in_words(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return up to five rows, a line each that a person can read to its end."""
    found = []
    for row in islice(rows, _SAMPLE_ROWS):
        values = (f"{name} {'NULL' if value is None else value}" for name, value in row.items())
        line = ", ".join(values)
        found.append(line if len(line) <= _WIDEST_ROW else line[: _WIDEST_ROW - 1] + "…")
    return tuple(found)


def _publications(group: list[Any]) -> Iterator[Publication]:
    """The windows of a model that one invocation has published, and judged alike."""
    model, verdict, fence, run_id, code_hash, checks_hash, at, windows = group
    told = verdict, fence, run_id, code_hash, _utc(at)
    for window_start, window_end, row_count, since in windows:
        start, end, same_since = _utc(window_start), _utc(window_end), _utc(since or at)
        yield Publication(model, start, end, row_count, *told, same_since, checks_hash)


def _survey(told: Mapping[str, Any]) -> Survey:
    models = {unique_id: SurveyedModel(*found) for unique_id, *found in told["models"]}
    return Survey(told["warehouse"], frozenset(told["missing"]), models, _tables(told))


def _tables(told: Mapping[str, Any]) -> dict[str, StandingTable]:
    return {unique_id: StandingTable(*found) for unique_id, *found in told.get("tables", ())}


def _difference(row: Sequence[Any]) -> RowDifference:
    model, start, end, key, published, found = row
    bounds = _utc(start) if start else None, _utc(end) if end else None
    return RowDifference(model, *bounds, key, published, found)


@lru_cache(2**16)  # models share their windows
def _utc(text: str) -> datetime:
    """The warehouse speaks naive UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
