"""The bakery, parsed once, and what it looks like when nobody has disturbed it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.faults.bakery")

from tests.faults import bakery as bakeries  # noqa: E402 - after its asserts are made to tell
from tests.faults.bakery import Bakery  # noqa: E402


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bakery in which nothing has run."""
    folder = tmp_path_factory.mktemp("bakery")
    bakeries.make_template(folder)
    return folder


@pytest.fixture(scope="session")
def baked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Bakery:
    """A bakery that has run undisturbed; tests copy it and never write to it."""
    bakery = bakeries.clone(template, tmp_path_factory.mktemp("baked") / "bakery")
    finished = bakery.bake("--chunk", "10")
    assert finished.code == 0, finished.out + finished.err
    return bakery


@pytest.fixture(scope="session")
def undisturbed(baked: Bakery) -> Mapping[str, str]:
    """The content of every table after an undisturbed run."""
    hashes = baked.hashes()
    assert hashes.keys() == {"sales", "receipts", "daily_sales", "breads", "best_days"}
    return hashes


@pytest.fixture
def bakery(template: Path, tmp_path: Path, undisturbed: Mapping[str, str]) -> Bakery:  # noqa: ARG001
    """A bakery of the test's own, with nothing run yet."""
    return bakeries.clone(template, tmp_path / "bakery")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many kills of random series hit which phase."""
    kills: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == "kills":
                kills.update(json.loads(str(value)))
    if kills:
        terminalreporter.write_line(f"{kills.total()} random kills:")
    for where, count in kills.most_common():
        terminalreporter.write_line(f"{count:5} {where}")
