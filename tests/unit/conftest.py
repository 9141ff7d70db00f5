"""One ledger after another, over every database that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.ledger import Ledger
from tests.postgres import Server, running_server
from tests.unit.ledger_fixtures import Location, opened

CONTRACTS = ("test_ledger_", "test_alerting_outbox")  # of the ledger, for every database
Forget = Callable[[Location], None]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A Postgres server, started by the first test that asks for it."""
    with running_server() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make test-all` what uses Postgres and is no contract of the ledger itself."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        is_postgres = parameters and parameters.params.get("new_location") == "postgres"
        if is_postgres and not item.path.name.startswith(CONTRACTS):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sqlite", "postgres"])
def new_location(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Location]:
    """Places where an empty ledger may be made."""
    if request.param == "sqlite":
        numbers = iter(range(1_000_000))
        return lambda: tmp_path / f"ledger{next(numbers)}.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_schema


@pytest.fixture
def location(new_location: Callable[[], Location]) -> Location:
    """Where an empty ledger may be made."""
    return new_location()


@pytest.fixture
def ledger(location: Location) -> Iterator[Ledger]:
    """An empty ledger."""
    with opened(location) as ledger:
        yield ledger


@pytest.fixture
def forget(request: pytest.FixtureRequest) -> Forget:
    """Lose the ledger of a location."""

    def lose(location: Location) -> None:
        if isinstance(location, str):
            server: Server = request.getfixturevalue("postgres")
            server.clear(location)
            return
        for path in location.parent.glob(f"{location.name}*"):
            path.unlink()

    return lose
