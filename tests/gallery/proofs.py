"""What `runner prove` finds in the gallery, beside what the files say it has to find.

``python -m tests.gallery.proofs`` prints the table.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.render.columns import table
from tests import warm_dbt
from tests.conftest import REPOSITORY, Shop, copy_project

GALLERY = Path(__file__).parent
HOURLY = ("correct_hourly", "--as-of", "2026-03-06T01:00", "--windows", "2")
NOT_BUILT = "not built"  # a header's word for what no warehouse here can build
Found = Mapping[str, Mapping[str, Any]]  # the record of `runner prove`, by model


def must_fail(folder: str) -> dict[str, frozenset[str]]:
    """The properties that each model of a folder has to fail, by its header."""
    return {
        path.stem: _listed(path.read_text(), "prove")
        for path in sorted((GALLERY / folder).glob("*.sql"))
    }


def hang(folder: Path) -> Shop:
    """A gallery of its own below a folder, with what it needs of the repository."""
    shutil.copytree(REPOSITORY / "macros", folder / "macros")
    leave_out = shutil.ignore_patterns("*.py", "__pycache__", "data", "target", "logs", ".*")
    shutil.copytree(GALLERY, folder / "tests" / "gallery", ignore=leave_out)
    shop = Shop(folder / "tests" / "gallery")
    shop.warehouse.parent.mkdir()
    return shop


def proved(shop: Shop, *arguments: str) -> dict[str, Any]:
    """The record of one `runner prove`, with its exit code."""
    finished = shop.runner("prove", *arguments, "--format", "json")
    assert finished.out, finished.err
    return {**json.loads(finished.out), "code": finished.code}


def by_model(*records: Mapping[str, Any]) -> Found:
    """The models of some records; one that is in several must look the same in all."""
    return {
        model["model"]: {**model, "is_built": model["model"] not in record["not_built"]}
        for record in records
        for model in record["models"]
    }


def failed(model: Mapping[str, Any]) -> frozenset[str]:
    """The properties that a model was found to fail; or that it cannot be built at all."""
    if not model["is_built"]:
        return frozenset({NOT_BUILT})
    return frozenset(p for p, found in model["properties"].items() if found["result"] == "fail")


def confusion(found: Found) -> str:
    """What is broken against what was caught, and then model by model."""
    counts = []
    rows = []
    for folder in ("broken", "correct"):
        expected = must_fail(folder)
        caught = [name for name in expected if failed(found[name])]
        counts.append((folder, str(len(caught)), str(len(expected) - len(caught))))
        rows += [
            (
                name,
                ", ".join(sorted(properties)) or "nothing",
                ", ".join(sorted(failed(found[name]))) or "nothing",
            )
            for name, properties in expected.items()
        ]
    summary = table(("", "disproved", "not disproved"), counts)
    return f"{summary}\n\n{table(('model', 'has to fail', 'fails'), rows)}\n"


def _listed(text: str, what: str) -> frozenset[str]:
    match = re.search(rf"^-- {what}: (.+)$", text, re.MULTILINE)
    assert match, f"no header {what}"
    return frozenset() if match[1] == "none" else frozenset(match[1].split(", "))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        copy_project(project)
        warm_dbt.parse(project)
        warm_dbt.make_project = lambda: project
        shop = hang(Path(folder) / "gallery")
        records = [proved(shop, *arguments) for arguments in (("broken",), ("correct",), HOURLY)]
        warm_dbt.end()
    sys.stdout.write(confusion(by_model(*records)))


if __name__ == "__main__":
    main()
