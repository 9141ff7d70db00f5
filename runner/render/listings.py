"""The results that are lists: pipelines, channels that were tried, messages that wait, findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.render.columns import Column, Table
from runner.render.excerpt import Page, Rows
from runner.render.proofs import counts_in_words, proofs_record
from runner.render.words import counted, minute, some_names, yes_no

if TYPE_CHECKING:
    from runner.alerting.delivery import ChannelTest
    from runner.ledger import UnsentMessage
    from runner.lint.models import ModelFinding
    from runner.overview.pipeline import PipelineSummary


_URGENT = ("failed", "incorrect", "cancelled", "paused", "never ran", "unchecked")


def _last_state(one: PipelineSummary) -> str:
    if one.pause is not None:
        return "paused"
    return str(one.last_run.state) if one.last_run else "never ran"


def _when(one: PipelineSummary) -> str:
    """Say what lets a pipeline's windows run."""
    config = one.pipeline.config
    words = [config.schedule] if config.schedule else []
    words += [f"after {', '.join(config.after)}"] if config.after else []
    words += ["as files land"] if config.wait_for and not config.schedule else []
    return ", ".join(words) or "by hand"


def _pipelines(*, is_all: bool) -> Table:
    """Describe a pipeline; with all names where there are many, if ``is_all``."""
    return Table(
        Column("pipeline", "pipeline.name", "pipeline"),
        Column("grain", "pipeline.calendar.grain"),
        Column("timezone", "pipeline.calendar.zone.key"),
        Column("schedule", "pipeline.config.schedule"),
        Column("after", "pipeline.config.after"),
        Column(None, _when, "schedule"),
        Column(None, "pipeline.calendar.zone.key", "timezone"),
        Column("next_window", "next.label"),
        Column("next_due", "next.due_at", "next due", lambda due: minute(due) if due else "none"),
        Column("last_window", "last_run.label", "last window", lambda label: label or "none"),
        Column("last_state", "last_run.state"),
        Column(None, _last_state, "last state"),
        Column("last_ran", "last_run.state.verdict.ran", "ran", yes_no),
        Column("last_correct", "last_run.state.verdict.correct", "correct", yes_no),
        Column("paused", "pause.reason"),
        Column("proofs", lambda one: proofs_record(one.proofs)),
        Column(None, "proofs", "proofs", counts_in_words),
        Column(
            "not_replayable",
            lambda one: [node.name for node in one.pipeline.not_replayable],
            "not replayable",
            lambda names: some_names(names, is_all=is_all) or "-",
        ),
    )


PIPELINES = _pipelines(is_all=True)
CHANNEL_TESTS = Table(
    Column("pipeline", heading="pipeline"),
    Column("channel", heading="channel"),
    Column("scheme", heading="by", text=lambda scheme: scheme or "-"),
    Column("is_ok", lambda tried: tried.problem is None, "is", lambda ok: "ok" if ok else "failed"),
    Column("problem"),
)

UNSENT = Table(
    Column("pipeline", heading="pipeline"),
    Column("created_at", heading="since (UTC)"),
    Column("tone", "message.tone"),
    Column("title", "message.title", "message"),
    Column("body", "message.body"),
    Column("attempts", heading="attempts", text=str),
    Column("not_before", heading="next (UTC)", text=lambda at: minute(at) if at else "now"),
    Column("last_error", heading="why"),
)

LINT_FINDINGS = Table(
    Column("model"),
    Column("path"),
    Column("line", "finding.line"),
    Column("column", "finding.column"),
    Column("rule", "finding.rule"),
    Column("severity", "finding.severity"),
    Column("message", "finding.message"),
)


def pipelines_page(listed: Sequence[PipelineSummary], *, is_all: bool = False) -> Page:
    """Show the pipelines, a line each; long lists of names are spelled out if ``is_all``."""
    shown = _pipelines(is_all=is_all)

    def urgency(one: PipelineSummary) -> int:
        state = _last_state(one)
        return _URGENT.index(state) if state in _URGENT else len(_URGENT)

    return Page([[Rows(listed, lambda some: shown.text(some).split("\n"), _last_state, urgency)]])


def channels_page(tried: Sequence[ChannelTest]) -> str:
    """Show what became of the test messages, a line per channel, and how many failed."""
    problems = [f"{one.pipeline} {one.channel}: {one.problem}" for one in tried if one.problem]
    failed = f", {len(problems)} failed" if problems else ""
    lines = [f"{counted(len(tried), 'channel')} tried{failed}", *problems]
    return f"{CHANNEL_TESTS.text(tried)}\n\n" + "\n".join(lines)


def unsent_page(unsent: Sequence[UnsentMessage]) -> str:
    """Show the messages that wait, a line each, the oldest first."""
    return UNSENT.text(unsent) if unsent else "every message has been sent"


def lint_page(found: Sequence[ModelFinding]) -> str:
    """Show what breaks a rule as compilers say it, so that editors can jump there."""
    if not found:
        return "no model breaks a rule"
    return "\n".join(
        "{path}:{line}:{column} {rule} {severity} {message}".format_map(record)
        for record in LINT_FINDINGS.records(found)
    )
