"""Figures in Prometheus' text format, version 0.0.4.

A few lines of our own: prometheus_client, which the tests read them with, keeps its figures in
registries for a process that goes on, and importing it takes longer than all that is done here.
See https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.overview.metrics import MeteredPipeline, Metrics

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True)
class Sample:
    """One figure."""

    labels: Mapping[str, str]
    value: float
    suffix: str = ""  # of the family's name: _sum, _count


@dataclass(frozen=True)
class Family:
    """Figures of one name."""

    name: str
    kind: str  # gauge or summary
    help: str
    samples: tuple[Sample, ...]


def metrics_text(metrics: Metrics) -> str:
    """All figures; a family without any is left out."""
    found = [family for family in _families(metrics) if family.samples]
    return "\n".join(line for family in found for line in _lines(family))


def _families(metrics: Metrics) -> Iterator[Family]:
    pipelines = metrics.pipelines
    yield _gauge(
        "daybreak_up",
        "Whether the pipeline can be read: configuration, project and selection.",
        (Sample(_of(name), one.stand is not None) for name, one in pipelines.items()),
    )
    yield _gauge(
        "daybreak_paused",
        "Whether the pipeline starts nothing until somebody resumes it.",
        (Sample(_of(name), one.is_paused) for name, one in pipelines.items()),
    )
    yield from _of_windows(pipelines)
    yield from _of_runs(pipelines)
    yield from _of_scheduler(metrics)


def _of_windows(pipelines: Mapping[str, MeteredPipeline]) -> Iterator[Family]:
    stands = {name: one.stand for name, one in pipelines.items() if one.stand is not None}
    yield _gauge(
        "daybreak_windows",
        "Complete windows by status; a window is as good as the worst of its models.",
        (
            Sample({**_of(name), "status": status.replace(" ", "_")}, count)
            for name, stand in stands.items()
            for status, count in stand.windows.items()
        ),
    )
    yield _gauge(
        "daybreak_lag_seconds",
        "Seconds since the end of the newest window that is a success, whatever is wrong before "
        "it; without any, since the start of the first window.",
        (
            Sample(_of(name), stand.lag.total_seconds())
            for name, stand in stands.items()
            if stand.lag is not None
        ),
    )


def _of_runs(pipelines: Mapping[str, MeteredPipeline]) -> Iterator[Family]:
    figures = {name: one.figures for name, one in pipelines.items()}
    yield _gauge(
        "daybreak_last_success_timestamp_seconds",
        "When a run last ended as a success.",
        (
            Sample(_of(name), one.last_success.timestamp())
            for name, one in figures.items()
            if one.last_success is not None
        ),
    )
    yield _gauge(
        "daybreak_runs",
        "Runs that the ledger remembers, by state; pruning forgets some.",
        (
            Sample({**_of(name), "state": state}, count)
            for name, one in figures.items()
            for state, count in one.runs.items()
        ),
    )
    yield Family(
        "daybreak_retries_total",
        "counter",
        "Invocations that came after a failure that might pass by itself.",
        tuple(Sample(_of(name), one.retries) for name, one in figures.items()),
    )
    yield Family(
        "daybreak_run_duration_seconds",
        "summary",
        "What finished runs took that the ledger remembers: the share of each in its invocation.",
        tuple(
            sample
            for name, one in figures.items()
            for sample in (
                Sample(_of(name), one.seconds, "_sum"),
                Sample(_of(name), one.timed, "_count"),
            )
        ),
    )
    yield _gauge(
        "daybreak_newest_run_duration_seconds",
        "What the run took that finished last.",
        (
            Sample(_of(name), one.newest_seconds)
            for name, one in figures.items()
            if one.newest_seconds is not None
        ),
    )


def _of_scheduler(metrics: Metrics) -> Iterator[Family]:
    beat = metrics.beat
    yield _gauge(
        "daybreak_scheduler_last_seen_timestamp_seconds",
        "When the scheduler last gave a sign of life.",
        [] if beat is None else [Sample({}, beat.seen_at.timestamp())],
    )
    yield _gauge(
        "daybreak_scheduler_alive",
        "Whether the scheduler has come when it said it would; 0 also if there never was one.",
        [Sample({}, _is_alive(metrics))],
    )


def _is_alive(metrics: Metrics) -> bool:
    return metrics.beat is not None and not metrics.beat.is_dead(metrics.at)


def _gauge(name: str, help_text: str, samples: Iterable[Sample]) -> Family:
    return Family(name, "gauge", help_text, tuple(samples))


def _of(pipeline: str) -> dict[str, str]:
    return {"pipeline": pipeline}


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        labels = ",".join(
            f'{key}="{value.translate(_ESCAPES)}"' for key, value in sample.labels.items()
        )
        braces = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braces} {_number(sample.value)}"


def _number(value: float) -> str:
    """A count without a point; else as many digits as it takes.

    >>> _number(True), _number(92), _number(0.25)
    ('1', '92', '0.25')
    """
    return repr(value) if isinstance(value, float) else str(int(value))
