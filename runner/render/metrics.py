"""Figures in Prometheus' text format, version 0.0.4.

A few lines of our own: prometheus_client, which the tests read them with, keeps its figures in
registries for a process that goes on, writes each count with a point, and takes longer to import
than all that is done here.
See https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.overview.metrics import MeteredPipeline, Metrics

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True)
class Sample:
    """One figure."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""  # of the family's name: _sum, _count


@dataclass(frozen=True)
class Family:
    """The figures of one name, and where they come from in each pipeline."""

    name: str
    kind: str  # gauge, counter or summary
    help: str
    samples: Callable[[MeteredPipeline], Iterable[Sample]]


def _windows(one: MeteredPipeline) -> Iterator[Sample]:
    for status, count in one.stand.windows.items() if one.stand else ():
        yield Sample(count, {"status": status.replace(" ", "_")})


def _lag(one: MeteredPipeline) -> list[Sample]:
    lag = one.stand.lag if one.stand else None
    return [] if lag is None else [Sample(lag.total_seconds())]


FAMILIES = (
    Family(
        "daybreak_up",
        "gauge",
        "Whether the pipeline can be read: configuration, project and selection.",
        lambda one: [Sample(one.stand is not None)],
    ),
    Family(
        "daybreak_paused",
        "gauge",
        "Whether the pipeline starts nothing until somebody resumes it.",
        lambda one: [Sample(one.is_paused)],
    ),
    Family(
        "daybreak_windows",
        "gauge",
        "Complete windows by status; a window is as good as the worst of its models.",
        _windows,
    ),
    Family(
        "daybreak_lag_seconds",
        "gauge",
        "Seconds since the end of the newest window that is a success, whatever is wrong before "
        "it; without any, since the start of the first window.",
        _lag,
    ),
    Family(
        "daybreak_last_success_timestamp_seconds",
        "gauge",
        "When a run last ended as a success.",
        lambda one: [Sample(at.timestamp()) for at in [one.figures.last_success] if at],
    ),
    Family(
        "daybreak_runs",
        "gauge",
        "Runs that the ledger remembers, by state; pruning forgets some.",
        lambda one: [Sample(count, {"state": state}) for state, count in one.figures.runs.items()],
    ),
    Family(
        "daybreak_retries_total",
        "counter",
        "Invocations that came after a failure that might pass by itself.",
        lambda one: [Sample(one.figures.retries)],
    ),
    Family(
        "daybreak_run_duration_seconds",
        "summary",
        "What finished runs took that the ledger remembers: the share of each in its invocation.",
        lambda one: [
            Sample(one.figures.seconds, suffix="_sum"),
            Sample(one.figures.timed, suffix="_count"),
        ],
    ),
    Family(
        "daybreak_newest_run_duration_seconds",
        "gauge",
        "What the run took that finished last.",
        lambda one: [Sample(took) for took in [one.figures.newest_seconds] if took is not None],
    ),
)


def metrics_text(metrics: Metrics) -> str:
    """Return all figures; a family without any is left out."""
    return "\n".join(_lines(metrics))


def _lines(metrics: Metrics) -> Iterator[str]:
    for family in FAMILIES:
        samples = [
            Sample(sample.value, {"pipeline": name, **sample.labels}, sample.suffix)
            for name, one in metrics.pipelines.items()
            for sample in family.samples(one)
        ]
        yield from _family(family.name, family.kind, family.help, samples)
    beat = metrics.beat
    yield from _family(
        "daybreak_scheduler_last_seen_timestamp_seconds",
        "gauge",
        "When the scheduler last gave a sign of life.",
        [Sample(beat.seen_at.timestamp())] if beat else [],
    )
    yield from _family(
        "daybreak_scheduler_alive",
        "gauge",
        "Whether the scheduler has come when it said it would; 0 also if there never was one.",
        [Sample(beat is not None and not beat.is_dead(metrics.at))],
    )


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    lines = [f"{name}{one.suffix}{_labels(one.labels)} {_number(one.value)}" for one in samples]
    if lines:
        yield f"# HELP {name} {help_text}"
        yield f"# TYPE {name} {kind}"
        yield from lines


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    """Return a count without a point; else as many digits as it takes.

    >>> _number(True), _number(92), _number(0.25)
    ('1', '92', '0.25')
    """
    return repr(value) if isinstance(value, float) else str(int(value))
