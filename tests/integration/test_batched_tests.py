"""Tests that are asked together answer as they do when dbt asks each alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.slow  # each builds a project twice


class Built(NamedTuple):
    """Status, failures, message and whether it was compiled, by node; questions of tests."""

    results: dict[str, list[Any]]
    questions: int


PROJECT = {
    "dbt_project.yml": """
name: corner_shop
profile: corner_shop
flags: {send_anonymous_usage_stats: false}
""",
    "profiles.yml": """
corner_shop:
  target: dev
  outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 4}}
""",
    "models/sales.sql": "select i as id, nullif(i % 3, 0) as till, 'x' as word from range(9) t(i)",
    "models/returns.sql": "select i as id, i + 5 as sale_id from range(3) t(i)",
    "models/thrice.sql": (
        "{{ config(materialized='ephemeral') }} select id * 3 as id from {{ ref('returns') }}"
    ),
    "models/broken.sql": "select cast('word' as integer) as id",
    "models/after_sales.sql": "select * from {{ ref('sales') }}",
    "models/after_returns.sql": "select * from {{ ref('returns') }}",
    "models/shop.yml": """
models:
  - name: sales
    columns:
      - name: id
        data_tests:
          - unique
          - not_null
          - not_null: {name: only_some, config: {where: "id > 3"}}
      - name: till
        data_tests:
          - not_null
          - not_null: {name: only_a_warning, config: {severity: warn}}
          - not_null: {name: few_are_fine, config: {warn_if: ">1", error_if: ">5"}}
          - not_null: {name: too_many, config: {error_if: ">= 3"}}
          - not_null: {name: at_most_two_are_read, config: {limit: 2}}
          - not_null: {name: added_up, config: {fail_calc: "coalesce(sum(1), 0)"}}
          - not_null: {name: kept, config: {store_failures: true}}
          - accepted_values: {name: of_both, arguments: {values: [1, 2], quote: false}}
  - name: returns
    columns:
      - name: id
        data_tests: [unique, not_null]
      - name: sale_id
        data_tests:
          - relationships: {arguments: {to: ref('sales'), field: id}}
          - relationships: {name: once_more, arguments: {to: ref('sales'), field: id}}
  - name: broken
    columns:
      - name: id
        data_tests: [unique, not_null]
""",
    "tests/no_large_ids.sql": "select * from {{ ref('sales') }} where id > 100 -- none",
    "tests/large_ids.sql": "select * from {{ ref('sales') }} where id > 7 -- one",
    "tests/thrice_is_threefold.sql": "select * from {{ ref('thrice') }} where id % 3 <> 0",
    "tests/thrice_is_small.sql": "select * from {{ ref('thrice') }} where id > 10",
}
# A statement fails for all when one of its tests cannot be asked.
UNASKABLE = {
    "tests/is_no_number.sql": "select * from {{ ref('sales') }} where cast(word as integer) > 0"
}
# The project's own word on what a test is.
OWN_WAY = {
    "macros/tests_pass.sql": (
        "{% materialization test, adapter='duckdb' %}"
        "{% call statement('main', fetch_result=True) %}"
        "select 0 as failures, false as should_warn, false as should_error"
        "{% endcall %}{{ return({'relations': []}) }}{% endmaterialization %}"
    )
}

BUILDS = """
import json
import duckdb
import dbt.task.build
from dbt.cli.main import dbtRunner
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from runner.dbt.speedups import batched_tests

asked = []
add_query = DuckDBConnectionManager.add_query
def counted(self, sql, *rest, **more):
    asked.append(sql)
    return add_query(self, sql, *rest, **more)
DuckDBConnectionManager.add_query = counted

def build():
    asked.clear()
    ran = dbtRunner().invoke(["build", "--quiet"])
    found = {
        result.node.name: [str(result.status), result.failures, result.message,
                           getattr(result.node, "compiled", None)]
        for result in ran.result.results
    }
    return [found, len([sql for sql in asked if "should_error" in sql])]

alone = build()
batched_tests.apply()
print("\\n" + json.dumps([alone, build()]))
"""


def built(folder: Path, more: Mapping[str, str]) -> tuple[Built, Built]:
    """What dbt does with the project, and what comes of it when tests are asked together."""
    for path, text in {**PROJECT, **more}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", BUILDS], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alone, together = json.loads(done.stdout.splitlines()[-1])
    return Built(*alone), Built(*together)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    return built(tmp_path_factory.mktemp("shop"), {})


def test_every_test_gets_the_answer_that_dbt_gets(answers: tuple[Built, Built]):
    alone, together = answers
    assert together.results == alone.results
    statuses = {name: status for name, (status, *_) in together.results.items()}
    assert statuses["not_null_sales_id"] == "pass"
    assert (
        statuses["not_null_sales_till"] == statuses["too_many"] == statuses["large_ids"] == "fail"
    )
    assert statuses["only_a_warning"] == statuses["few_are_fine"] == "warn"
    assert statuses["unique_broken_id"] == "error"
    assert statuses["after_sales"] == "skipped"
    assert statuses["after_returns"] == "success"


def test_what_waits_for_the_same_relations_is_one_question(answers: tuple[Built, Built]):
    alone, together = answers
    tests = [name for name, (_, failures, *_) in alone.results.items() if failures is not None]
    # Each of them, and two of a view that cannot be read.
    assert alone.questions == len(tests) + 2
    # One for sales, for returns, for both of them, for the ephemeral one; a limit, a fail_calc and
    # failures to be kept are asked alone; a view that cannot be read is asked thrice.
    assert together.questions == 4 + 3 + 3


def test_of_very_many_a_hundred_are_one_question(answers: tuple[Built, Built], tmp_path: Path):
    many = {
        f"tests/n{i}.sql": f"select * from {{{{ ref('thrice') }}}} where id < {i - 118}"
        for i in range(120)
    }
    alone, together = built(tmp_path, many)
    assert together.results == alone.results
    assert [together.results[f"n{i}"][0] for i in (0, 118, 119)] == ["pass", "pass", "fail"]
    assert together.questions == answers[1].questions + 1


def test_one_that_cannot_be_asked_leaves_the_others_their_answers(tmp_path: Path):
    alone, together = built(tmp_path, UNASKABLE)
    assert together.results == alone.results
    status, _, message, _ = together.results["is_no_number"]
    assert status == "error"
    assert "Could not convert string 'x'" in message
    assert together.results["not_null_sales_id"][0] == "pass"


def test_a_project_that_has_its_own_way_with_tests_has_it(tmp_path: Path):
    alone, together = built(tmp_path, OWN_WAY)
    assert together == alone
    assert together.results["not_null_sales_till"][0] == "pass"
