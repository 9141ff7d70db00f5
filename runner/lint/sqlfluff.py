"""The plugin for sqlfluff, so that an analyst's editor underlines what lint finds.

What the project declares comes from the last parse that the runner has kept, if there is one;
the model's own config() is read from its text either way.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from sqlfluff.core.parser import RawSegment
from sqlfluff.core.parser.markers import PositionMarker
from sqlfluff.core.plugin import hookimpl
from sqlfluff.core.rules import BaseRule, LintResult, RuleContext
from sqlfluff.core.rules.crawlers import RootOnlyCrawler

from runner.lint.facts import Facts
from runner.lint.judge import judge
from runner.lint.models import known_facts, known_parents, windowed_parents
from runner.lint.rules import RULES, LintFinding
from runner.project.manifest import Project


@hookimpl
def get_rules() -> list[type[BaseRule]]:
    """Return a class for each rule; sqlfluff wants rules made only when it asks a plugin.

    It takes code and description from the name and the docstring of a class.
    """
    return [
        type(
            f"Rule_{rule.code}",
            (BaseRule,),
            {
                "__doc__": f"{rule.title}: {rule.why}.\n\n    {rule.remedy}\n",
                "name": "daybreak." + rule.title.lower().replace(" ", "_"),
                "groups": ("all", "daybreak"),
                "crawl_behaviour": RootOnlyCrawler(),
                "targets_templated": True,  # most of what is found is Jinja
                "_eval": _underlined,
            },
        )
        for rule in RULES.values()
    ]


def _underlined(rule: BaseRule, context: RuleContext) -> list[LintResult]:
    """Return what a rule finds in a file, with no length: it may render to nothing."""
    file = context.templated_file
    if file is None:
        return []
    found = _judged(file.source_str, facts_of_file(context.path))
    places = [(slice(one.offset, one.offset), one) for one in found if one.rule == rule.code]
    return [
        LintResult(RawSegment("", PositionMarker(at, slice(0, 0), file)), description=one.message)
        for at, one in places
    ]


def facts_of_file(path: Path | None) -> Facts:
    """Return what is known of a model besides its text; its name if no parse was kept."""
    if path is None:
        return Facts()
    path = path.resolve()
    folder = next((up for up in path.parents if (up / "dbt_project.yml").is_file()), path)
    kept = folder / os.environ.get("DAYBREAK_HOME", ".daybreak") / "project.json"
    if not kept.is_file():
        return Facts(name=path.stem)
    known, others = _known(kept, kept.stat().st_mtime_ns)
    return known.get(path.relative_to(folder).as_posix(), replace(others, name=path.stem))


@lru_cache(maxsize=4)
def _known(kept: Path, _changed: int) -> tuple[dict[str, Facts], Facts]:
    """Read what a parse knew of its models, by path, and of a file that is new since."""
    project = Project.load(kept)
    if project is None:
        return {}, Facts()
    others = Facts(windowed_parents=windowed_parents(project), parents=known_parents(project))
    return known_facts(project), others


@lru_cache(maxsize=1)
def _judged(text: str, facts: Facts) -> list[LintFinding]:
    """Judge a file, once for all rules."""
    return judge(text, facts)
