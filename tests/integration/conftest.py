"""The small project around the macros, in one dbt process for all its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import macros_project
from tests.integration.macros_project import Project, Trial


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """dbt's process, which parses once."""
    folder = tmp_path_factory.mktemp("macros")
    macros_project.write(folder)
    with macros_project.started(folder) as project:
        yield project


@pytest.fixture
def trial(project: Project, tmp_path: Path) -> Trial:
    """The project on a warehouse of its own, with empty sources."""
    trial = Trial(project, tmp_path)
    trial.sql(macros_project.TABLES)
    return trial
