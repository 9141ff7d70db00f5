"""One contract for all engines: what the runner asks of dbt, whichever way dbt runs."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runner.core.errors import EngineError, ProjectError
from runner.core.spans import Span
from runner.dbt.elsewhere import ElsewhereEngine
from runner.dbt.plain import PlainEngine
from runner.dbt.protocol import Engine, Invocation, InvocationResult, Publication, Target
from runner.dbt.warm import WarmEngine
from tests.conftest import Shop, clone
from tests.warm_dbt import forked_servers

STAGING = ("stg_transactions", "stg_control_totals", "store_closures")
GATES = (
    "stg_transactions_rows_in_every_window",
    "stg_transactions_reconciles_with_control_totals",
    "stg_transactions_belong_to_their_file",
)
TWO_DAYS = Invocation(
    nodes=STAGING,
    checks=(),
    exclude=GATES,
    with_unit_tests=False,
    span=Span(datetime(2017, 3, 11, 5, tzinfo=UTC), datetime(2017, 3, 13, 4, tzinfo=UTC)),
    run_id="backfill__2017-03-11__2017-03-12",
    fence=7,
    code_hashes={"model.corner_shop.stg_transactions": "0123456789abcdef"},
    timeout=timedelta(minutes=5),
)


class Elsewhere(ElsewhereEngine):
    """The dbt beside this Python, as one of another environment: nothing of it is imported."""

    def __init__(self, project_dir: Path) -> None:
        super().__init__(Path(sys.executable).with_name("dbt"), project_dir)


Kind = WarmEngine | PlainEngine | Elsewhere

# Each call of the plain one takes seconds: what both owe is shown of it by one test, the rest of
# the contract by `make test-all`.
KINDS = (
    pytest.param(WarmEngine, id="warm"),
    pytest.param(PlainEngine, id="plain", marks=pytest.mark.slow),
    pytest.param(Elsewhere, id="elsewhere", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Kind]:
    return request.param


@pytest.fixture(scope="module")
def shop(template: Path, tmp_path_factory: pytest.TempPathFactory, kind: type) -> Shop:
    return clone(template, tmp_path_factory.mktemp(kind.__name__) / "shop")


@pytest.fixture(scope="module")
def engine(shop: Shop, kind: type[Kind]) -> Iterator[Engine]:
    """What the tests of a kind share: they build nothing but ``built``."""
    with forked_servers(), kind(shop.folder) as engine:
        yield engine


@pytest.fixture
def own_shop(template: Path, tmp_path: Path) -> Shop:
    return clone(template, tmp_path / "shop")


@pytest.fixture
def own_engine(own_shop: Shop, kind: type[Kind]) -> Iterator[Engine]:
    with forked_servers(), kind(own_shop.folder) as engine:
        yield engine


def build(engine: Engine, invocation: Invocation) -> tuple[InvocationResult, dict[str, list[str]]]:
    """The result, and what the listener was told of each node."""
    heard: dict[str, list[str]] = {}
    result = engine.build(
        invocation, lambda node, status: heard.setdefault(node, []).append(status)
    )
    return result, heard


def test_describe_resolves_selections_and_names_manifest_and_warehouse(engine: Engine, shop: Shop):
    described = engine.describe(["+daily_revenue", "no_such_model"])
    assert "model.corner_shop.daily_revenue" in described.manifest["nodes"]
    assert described.target == Target("dev", shop.warehouse, "main", str(shop.warehouse))
    models = [n for n in described.selections["+daily_revenue"] if n.startswith("model.")]
    assert sorted(models) == [
        "model.corner_shop.daily_revenue",
        "model.corner_shop.int_transaction_lines",
        "model.corner_shop.stg_control_totals",
        "model.corner_shop.stg_products",
        "model.corner_shop.stg_transactions",
    ]
    assert "seed.corner_shop.store_closures" in described.selections["+daily_revenue"]
    assert described.selections["no_such_model"] == ()


@pytest.mark.slow
def test_what_the_warm_engine_tells_of_a_project_is_what_dbt_writes(template: Path):
    with PlainEngine(template) as plain:
        written = plain.describe([]).manifest
    with forked_servers(), WarmEngine(template) as warm:
        told = warm.describe([]).manifest
    assert told["metadata"]["project_name"] == written["metadata"]["project_name"]
    hooks = {f"operation.daybreak.daybreak-on-run-{end}-0" for end in ("start", "end")}
    for group in ("nodes", "sources", "exposures", "unit_tests", "macros"):
        # Our hooks are nodes only of what the runner starts.
        assert told[group].keys() - hooks == written[group].keys()
        for unique_id, known in told[group].items():
            if unique_id in hooks:
                continue
            raw = written[group][unique_id]
            expected = {name: as_written(raw[name]) for name in known}
            assert {name: as_written(value) for name, value in known.items()} == expected


def as_written(value: Any) -> Any:
    """Without the hooks of a config, which dbt writes under names of their own."""
    if not isinstance(value, dict):
        return value
    return {key: found for key, found in value.items() if not key.endswith("hook")}


def test_a_source_says_up_to_when_it_is_loaded(engine: Engine):
    newest = engine.loaded_at("landing.transactions", TWO_DAYS.timeout)
    assert newest is not None
    assert newest.tzinfo is UTC
    assert engine.loaded_at("landing.products", TWO_DAYS.timeout) is not None  # by its query
    with pytest.raises(EngineError, match=r"there is no source landing\.nothing"):
        engine.loaded_at("landing.nothing", TWO_DAYS.timeout)


@pytest.fixture(scope="module")
def built(engine: Engine) -> tuple[InvocationResult, dict[str, list[str]]]:
    return build(engine, TWO_DAYS)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(WarmEngine, id="warm"),
        pytest.param(PlainEngine, id="plain"),
        pytest.param(Elsewhere, id="elsewhere", marks=pytest.mark.slow),
    ],
    indirect=True,
    scope="module",
)
def test_build_reports_nodes_and_publications(
    shop: Shop, built: tuple[InvocationResult, dict[str, list[str]]]
):
    result, heard = built
    assert result.error is None
    assert {node.status for node in result.nodes} <= {"success", "pass"}
    assert not any(gate in node.unique_id for gate in GATES for node in result.nodes)
    assert heard["model.corner_shop.stg_transactions"] == ["started", "success"]
    days = [datetime(2017, 3, 11, 5, tzinfo=UTC), datetime(2017, 3, 12, 5, tzinfo=UTC)]
    assert [(p.model, p.window_start, p.verdict) for p in result.publications] == [
        ("model.corner_shop.stg_transactions", day, "correct") for day in days
    ]
    rows = sum(publication.row_count for publication in result.publications)
    assert shop.query("select count(*) from stg_transactions") == [(rows,)]
    # The marker says who published what.
    for told in result.publications:
        assert (told.run_id, told.fence) == (TWO_DAYS.run_id, 7)
        assert told.code_hash == "0123456789abcdef"
        assert abs(datetime.now(UTC) - told.published_at) < timedelta(minutes=10)


def test_the_warehouse_tells_of_a_range_or_of_everything(
    engine: Engine, shop: Shop, built: tuple[InvocationResult, dict[str, list[str]]]
):
    result, _ = built
    # As many as a ledger that was lost may have to be rebuilt from: 10,000 windows of hours.
    with duckdb.connect(str(shop.warehouse)) as warehouse:
        warehouse.execute(
            "insert into daybreak_publications select 'stg_transactions', opens, "
            "opens + interval 1 hour, 'scheduled__' || opens, 3, 'fedcba9876543210', 1204, "
            "timestamp '2016-01-01 05:00:00.123456', 'correct', timestamp '2016-01-01 05:00:01', "
            "'model.corner_shop.stg_transactions', 'main.stg_transactions', 'duckdb 1.5 7', "
            "timestamp '2015-12-31 05:00:00', '01234567' "
            "from range(timestamp '2015-01-01', timestamp '2015-01-01' + interval 10000 hour, "
            "interval 1 hour) as hours(opens)"
        )
    try:
        everything = engine.published(None, TWO_DAYS.timeout)
        in_range = engine.published(TWO_DAYS.span, TWO_DAYS.timeout)
    finally:
        with duckdb.connect(str(shop.warehouse)) as warehouse:
            warehouse.execute("delete from daybreak_publications where fence = 3")
    assert in_range == result.publications
    assert everything[10_000:] == result.publications
    assert everything[9_999] == Publication(
        model="model.corner_shop.stg_transactions",
        window_start=datetime(2016, 2, 21, 15, tzinfo=UTC),
        window_end=datetime(2016, 2, 21, 16, tzinfo=UTC),
        row_count=1204,
        verdict="correct",
        fence=3,
        run_id="scheduled__2016-02-21 15:00:00",
        code_hash="fedcba9876543210",
        published_at=datetime(2016, 1, 1, 5, 0, 0, 123_456, tzinfo=UTC),
        contents_since=datetime(2015, 12, 31, 5, tzinfo=UTC),
        checks_hash="01234567",
    )


@pytest.mark.usefixtures("built")
def test_a_lower_fence_publishes_nothing(engine: Engine, shop: Shop):
    before = shop.query("select * from daybreak_publications order by all")
    result, _ = build(engine, replace(TWO_DAYS, fence=6, run_id="zombie"))
    failed = [node for node in result.nodes if node.status == "error"]
    assert [node.unique_id for node in failed] == ["model.corner_shop.stg_transactions"]
    assert "a newer run (fence 7) has published" in failed[0].message
    assert shop.query("select * from daybreak_publications order by all") == before


def test_a_gate_that_fails_says_which_window_and_why(own_engine: Engine, own_shop: Shop):
    landed = own_shop.landed(date(2017, 3, 12))
    kept = landed.read_bytes()
    landed.unlink()
    try:
        result, _ = build(own_engine, replace(TWO_DAYS, fence=8))
    finally:
        landed.write_bytes(kept)
    assert result.publications == ()
    found = {evidence.check: evidence for evidence in result.evidence}
    assert set(found) == set(GATES[:2])
    for evidence in found.values():
        assert evidence.model == "model.corner_shop.stg_transactions"
        assert evidence.severity == "error"
        starts = [window.window_start for window in evidence.windows]
        assert starts == [datetime(2017, 3, 12, 5, tzinfo=UTC)]
    assert found[GATES[1]].windows[0].actual.startswith("line_count 0, basket_count 0")


def test_a_timeout_kills_the_build_and_the_engine_goes_on(own_engine: Engine):
    late, _ = build(own_engine, replace(TWO_DAYS, fence=9, timeout=timedelta(milliseconds=50)))
    assert late.error is not None
    assert late.error.startswith("timed out after 0:00:00.050000 and was killed")
    assert late.publications == ()
    again, _ = build(own_engine, replace(TWO_DAYS, fence=10))
    assert again.error is None
    assert len(again.publications) == 2


def test_a_project_that_does_not_parse_is_one_line(template: Path, tmp_path: Path, kind: type):
    broken = clone(template, tmp_path / "broken")
    model = broken.folder / "models" / "marts" / "sales" / "daily_revenue.sql"
    model.write_text(model.read_text() + "{% if %}")
    with (
        forked_servers(),
        kind(broken.folder) as engine,
        pytest.raises(ProjectError, match=r"^the dbt project does not parse: ") as refused,
    ):
        engine.describe(["+daily_revenue"])
    assert "\n" not in str(refused.value)
    assert "daily_revenue" in str(refused.value)
