"""Invocations that are ended from outside, or meet a file that somebody holds: both engines."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner.core.spans import Span
from runner.dbt.engine import InvocationGroup
from runner.dbt.plain import PlainEngine
from runner.dbt.protocol import Invocation
from runner.dbt.warm import WarmEngine
from runner.warehouse.lock import holder
from tests.conftest import REPOSITORY, Shop
from tests.integration.test_engines import KINDS
from tests.integration.test_interrupt import ENDLESS
from tests.warm_dbt import forked_servers

KILLED = "dbt ended without a result (signal 9)"
MODELS = {
    "endless": f"select 1 as id {ENDLESS}",
    # What its own dbt was told of patience.
    "quick": "select {{ env_var('DAYBREAK_CONNECT_ATTEMPTS', '6') }} as attempts",
}
QUICK = Invocation(
    nodes=("quick",),
    checks=(),
    exclude=(),
    with_unit_tests=False,
    span=Span(datetime(2017, 3, 11, 5, tzinfo=UTC), datetime(2017, 3, 12, 5, tzinfo=UTC)),
    run_id="manual__2017-03-11",
    fence=1,
    code_hashes={},
    timeout=timedelta(minutes=5),
)
HUNG = replace(QUICK, nodes=("endless",))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small project with the repository's profile."""
    shop = Shop(tmp_path_factory.mktemp("small"))
    (shop.folder / "models").mkdir()
    shop.warehouse.parent.mkdir()
    for name, sql in MODELS.items():
        config = "{{ config(materialized='table') }} "
        (shop.folder / "models" / f"{name}.sql").write_text(config + sql)
    (shop.folder / "dbt_project.yml").write_text("name: small\nprofile: daybreak\n")
    shutil.copy(REPOSITORY / "profiles.yml", shop.folder)
    return shop


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, shop: Shop) -> Iterator[WarmEngine | PlainEngine]:
    kind: type[WarmEngine | PlainEngine] = request.param
    with forked_servers(), kind(shop.folder) as engine:
        yield engine


def until(condition: Callable[[], object]) -> None:
    """Poll for an event; the bound is no measure of speed."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread."""
    thread = threading.Thread(target=action)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def assert_free_and_whole(engine: WarmEngine | PlainEngine, shop: Shop) -> None:
    """Nobody holds the file, the engine goes on, and its end leaves nothing beside the file."""
    assert holder(shop.warehouse) is None
    result = engine.build(QUICK, lambda *_: None)
    assert result.error is None
    assert [node.status for node in result.nodes] == ["success"]
    assert holder(shop.warehouse) is None
    assert [path.name for path in shop.warehouse.parent.iterdir()] == ["warehouse.duckdb"]
    assert shop.query("select attempts from quick") == [(1,)]
    assert shop.query("select count(*) from duckdb_tables() where table_name = 'endless'") == [(0,)]


def test_a_hung_build_is_killed_from_another_thread(engine: WarmEngine | PlainEngine, shop: Shop):
    started = threading.Event()

    def kill() -> None:
        assert started.wait(60)
        until(lambda: holder(shop.warehouse))
        engine.kill()

    with meanwhile(kill):
        result = engine.build(HUNG, lambda *_: started.set())
    assert result.error is not None
    assert result.error.startswith(KILLED)
    assert result.nodes == ()
    assert_free_and_whole(engine, shop)


def test_a_kill_that_comes_before_the_process_is_not_lost(
    engine: WarmEngine | PlainEngine, monkeypatch: pytest.MonkeyPatch
):
    announced = InvocationGroup.started

    def killed_first(group: InvocationGroup, leader: int) -> None:
        with meanwhile(engine.kill):
            pass
        announced(group, leader)

    with monkeypatch.context() as patched:
        patched.setattr(InvocationGroup, "started", killed_first)
        result = engine.build(HUNG, lambda *_: None)
    assert result.error is not None
    assert result.error.startswith(KILLED)


# The quick one: that both are killed while dbt starts is shown with the other engine tests.
@pytest.mark.parametrize("engine", [WarmEngine], indirect=True, ids=["warm"])
def test_a_hung_build_is_killed_at_its_timeout(engine: WarmEngine, shop: Shop):
    heard: list[str] = []
    late = replace(HUNG, timeout=timedelta(seconds=1))
    while not heard:  # however slowly dbt starts here
        late = replace(HUNG, timeout=late.timeout * 2)
        result = engine.build(late, lambda _, status: heard.append(status))
    assert heard == ["started"]
    assert result.error is not None
    assert result.error.startswith(f"timed out after {late.timeout} and was killed")
    assert_free_and_whole(engine, shop)


def test_an_analysts_build_waits_for_whoever_holds_the_file(shop: Shop):
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    log = shop.folder / "logs" / "dbt.log"
    log.unlink(missing_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(shop.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"

        def leave_when_wanted() -> None:
            until(lambda: log.exists() and "Opening a new connection" in log.read_text())
            writer.communicate("\n")

        with meanwhile(leave_when_wanted):
            built = shop.dbt("build", "--select", "quick")
    assert built.code == 0, built.out
    assert shop.query("select attempts from quick") == [(6,)]
