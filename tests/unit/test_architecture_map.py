"""The map in docs/architecture.md is complete, and whatever a document names is there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MAP = (PROJECT / "docs/architecture.md").read_text()
ROOMS_ON_MAP = re.findall(r"^\| `([\w/.]+)` \|", MAP, flags=re.MULTILINE)
DOCUMENTS = [
    *sorted(PROJECT.glob("*.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
    PROJECT / "bench/README.md",
]
# `runner/core/windows.py`, `macros/daybreak/checks/`, and what follows the path in the same quotes.
PATH = re.compile(r"`((?:runner|macros|tests|scripts|bench|deploy|docs)/[\w./-]*)")


def packages(folder: Path) -> set[str]:
    inits = folder.rglob("__init__.py")
    return {f"{init.parent.relative_to(PROJECT)}/" for init in inits if init.parent != folder}


def test_every_room_of_the_runner_is_on_the_map_and_none_that_is_not_there():
    loose = {f"runner/{path.name}" for path in (PROJECT / "runner").glob("*.py")}
    on_map = [room for room in ROOMS_ON_MAP if room.startswith("runner/")]
    assert sorted(on_map) == sorted(packages(PROJECT / "runner") | loose)


def test_every_folder_of_macros_is_on_the_map_and_none_that_is_not_there():
    folders = {
        f"{path.parent.relative_to(PROJECT)}/"
        for path in (PROJECT / "macros/daybreak").rglob("*.sql")
    }
    on_map = [room for room in ROOMS_ON_MAP if room.startswith("macros/")]
    assert sorted(on_map) == sorted(folders)


def test_the_picture_shows_every_room_of_the_runner():
    picture = MAP.partition("```mermaid")[2].partition("```")[0]
    shown = set(re.findall(r'\b(\w+)\["', picture))
    rooms = {room.removeprefix("runner/") for room in ROOMS_ON_MAP if room.startswith("runner/")}
    assert shown >= {room.rstrip("/") for room in rooms if room.count("/") == 1}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_a_document_names_of_the_tree_is_there(document: Path):
    named = PATH.findall(document.read_text())
    assert [path for path in named if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_between_documents_lead_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []
