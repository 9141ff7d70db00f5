"""Channels that were tried, and messages that wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.alerting.channel_test import ChannelTest
from runner.ledger import UnsentMessage
from runner.render.words import counted, minute, table


def tried_page(tried: Sequence[ChannelTest]) -> str:
    """What became of the test messages, a line per channel, and how many failed."""
    rows = [
        (one.pipeline, one.channel, one.scheme or "-", "failed" if one.problem else "ok")
        for one in tried
    ]
    problems = [f"{one.pipeline} {one.channel}: {one.problem}" for one in tried if one.problem]
    failed = f", {len(problems)} failed" if problems else ""
    lines = [f"{counted(len(tried), 'channel')} tried{failed}", *problems]
    return f"{table(['pipeline', 'channel', 'by', 'is'], rows)}\n\n" + "\n".join(lines)


def tried_record(one: ChannelTest) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "pipeline": one.pipeline,
        "channel": one.channel,
        "scheme": one.scheme,
        "is_ok": one.problem is None,
        "problem": one.problem,
    }


def unsent_page(unsent: Sequence[UnsentMessage]) -> str:
    """The messages that wait, a line each, the oldest first."""
    if not unsent:
        return "every message has been sent"
    headings = ("pipeline", "since (UTC)", "message", "attempts", "next (UTC)", "why")
    rows = [
        (
            one.pipeline,
            minute(one.created_at),
            one.message.title,
            str(one.attempts),
            minute(one.not_before) if one.not_before else "now",
            one.last_error or "",
        )
        for one in unsent
    ]
    return table(headings, rows)


def unsent_record(one: UnsentMessage) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "pipeline": one.pipeline,
        "created_at": one.created_at,
        "tone": one.message.tone,
        "title": one.message.title,
        "body": one.message.body,
        "attempts": one.attempts,
        "not_before": one.not_before,
        "last_error": one.last_error,
    }
