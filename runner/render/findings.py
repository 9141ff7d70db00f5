"""What breaks a rule, a line each, or as records for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.lint.models import ModelFinding


def findings_page(found: Sequence[ModelFinding]) -> str:
    """As compilers say it, so that editors can jump there."""
    if not found:
        return "no model breaks a rule"
    return "\n".join(
        f"{one.path}:{one.finding.line}:{one.finding.column} {one.finding.rule} "
        f"{one.finding.severity} {one.finding.message}"
        for one in found
    )


def finding_record(one: ModelFinding) -> dict[str, Any]:
    """A finding for JSON; lines and columns from 1."""
    return {
        "model": one.model,
        "path": one.path,
        "line": one.finding.line,
        "column": one.finding.column,
        "rule": one.finding.rule,
        "severity": one.finding.severity,
        "message": one.finding.message,
    }
