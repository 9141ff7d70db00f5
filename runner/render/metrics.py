"""Figures in Prometheus' text format, version 0.0.4.

A few lines of our own: prometheus_client, which the tests read them with, keeps its figures in
registries for a process that goes on, writes each count with a point, and takes longer to import
than all that is done here.
See https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.overview.metrics import MeteredPipeline, Metrics

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_KINDS = {"retries_total": "counter", "run_duration_seconds": "summary"}  # the others: gauges
FAMILIES = {  # by name, in words
    "up": "Whether the pipeline can be read: configuration, project and selection.",
    "paused": "Whether the pipeline starts nothing until somebody resumes it.",
    "windows": "Complete windows by status; a window is as good as the worst of its models.",
    "lag_seconds": (
        "Seconds since the end of the newest window that is a success, whatever is wrong before "
        "it; without any, since the start of the first window."
    ),
    "last_success_timestamp_seconds": "When a run last ended as a success.",
    "runs": "Runs that the ledger remembers, by state; pruning forgets some.",
    "retries_total": "Invocations that came after a failure that might pass by itself.",
    "run_duration_seconds": (
        "What finished runs took that the ledger remembers: the share of each in its invocation."
    ),
    "newest_run_duration_seconds": "What the run took that finished last.",
    "scheduler_last_seen_timestamp_seconds": "When the scheduler last gave a sign of life.",
    "scheduler_alive": (
        "Whether the scheduler has come when it said it would; 0 also if there never was one."
    ),
}
Sample = tuple[str, dict[str, str], float | None]  # name, labels, value; None: there is none


def metrics_text(metrics: Metrics) -> str:
    """Return all figures, family by family; one without any is left out."""
    lines: dict[str, list[str]] = {name: [] for name in FAMILIES}
    for sample, labels, value in _samples(metrics):
        if value is not None:
            family = sample.removesuffix("_sum").removesuffix("_count")
            lines[family].append(f"daybreak_{sample}{_braced(labels)} {_number(value)}")
    return "\n".join(
        line
        for name, explanation in FAMILIES.items()
        if lines[name]
        for line in (
            f"# HELP daybreak_{name} {explanation}",
            f"# TYPE daybreak_{name} {_KINDS.get(name, 'gauge')}",
            *lines[name],
        )
    )


def _samples(metrics: Metrics) -> Iterator[Sample]:
    for pipeline, found in metrics.pipelines.items():
        for name, labels, value in _of_pipeline(found):
            yield name, {"pipeline": pipeline, **labels}, value
    beat = metrics.beat
    seen = beat.seen_at.timestamp() if beat else None
    yield "scheduler_last_seen_timestamp_seconds", {}, seen
    yield "scheduler_alive", {}, beat is not None and not beat.is_dead(metrics.at)


def _of_pipeline(found: MeteredPipeline) -> Iterator[Sample]:
    stand, figures = found.stand, found.figures
    yield "up", {}, stand is not None
    yield "paused", {}, found.is_paused
    if stand is not None:
        for status, count in stand.windows.items():
            yield "windows", {"status": status.replace(" ", "_")}, count
        yield "lag_seconds", {}, None if stand.lag is None else stand.lag.total_seconds()
    success = figures.last_success
    yield "last_success_timestamp_seconds", {}, success.timestamp() if success else None
    for state, count in figures.runs.items():
        yield "runs", {"state": state}, count
    yield "retries_total", {}, figures.retries
    yield "run_duration_seconds_sum", {}, figures.seconds
    yield "run_duration_seconds_count", {}, figures.timed
    yield "newest_run_duration_seconds", {}, figures.newest_seconds


def _braced(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    """Return a count without a point; else as many digits as it takes.

    >>> _number(True), _number(92), _number(0.25)
    ('1', '92', '0.25')
    """
    return repr(value) if isinstance(value, float) else str(int(value))
