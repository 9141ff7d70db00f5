"""What the shell offers while a command is typed, asked as bash's function asks it."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli import ROOMS
from tests.conftest import REPOSITORY, Shop


def offered(shop: Shop, line: str) -> list[str]:
    """The answers for a line, whose last word (after a space: an empty one) is being typed."""
    asking = {
        "_RUNNER_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(shlex.split(line)) - (not line.endswith(" "))),
    }
    found = replace(shop, extra_environment=asking).script()
    assert (found.code, found.err) == (0, "")
    return found.out.split()


def test_every_command_is_offered_by_name(quarter: Shop):
    assert set(offered(quarter, "runner ")) == ROOMS.keys()
    assert offered(quarter, "runner pla") == ["plan"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("runner plan ", ["orders_pipeline"]),
        ("runner plan oops", []),
        ("runner why fct", ["fct_orders"]),
        ("runner --vars '{a: 1}' why fct", ["fct_orders"]),
        ("runner plan orders_pipeline --select stg_t", ["stg_transactions"]),
        ("runner why fct_orders --window 2017-05-3", ["2017-05-31", "2017-05-30"]),
        ("runner run orders_pipeline --window 2017-05-31", ["2017-05-31"]),
        ("runner show-run orders_pipeline backfill__2017-05-31", ["backfill__2017-05-31"]),
        ("runner plan orders_pipeline --as-", ["--as-of"]),
    ],
)
def test_names_of_what_is_there_are_offered(quarter: Shop, line: str, expected: list[str]):
    quarter.runner("list")  # so that it is parsed as it is now
    assert offered(quarter, line) == expected


@pytest.mark.parametrize("text", [None, "pipelines: [", "pipelines: {}"])
def test_where_nothing_can_be_read_nothing_is_offered(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "dbt_project.yml").write_bytes((REPOSITORY / "dbt_project.yml").read_bytes())
        (tmp_path / "pipelines.yml").write_text(text)
    assert offered(Shop(tmp_path), "runner plan ") == []
    assert not (tmp_path / ".daybreak").exists()
