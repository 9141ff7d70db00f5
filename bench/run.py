"""Run the scenarios side by side and write down what they took.

``python bench/run.py`` runs all, ``python bench/run.py S1 S4`` some, ``--render`` none: it only
writes bench/RESULTS.md and the plot from the raw times that are kept in bench/results/. Works in a
temporary folder; ``--folder`` says under which. Run by ``make bench``.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path

from rendering import render

SCENARIOS = {
    path.stem.split("_")[0].upper(): f"scenarios.{path.stem}"
    for path in sorted((Path(__file__).parent / "scenarios").glob("s*_*.py"))
}


def main() -> None:
    """Parse the command line, measure, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    names = [name.upper() for name in arguments.names] or list(SCENARIOS)
    for name in names:
        if name not in SCENARIOS:
            parser.error(f"no scenario {name}: there are {', '.join(SCENARIOS)}")
    for name in [] if arguments.render else names:
        print(name, flush=True)
        scenario = importlib.import_module(SCENARIOS[name])
        with tempfile.TemporaryDirectory(prefix="daybreak-bench-", dir=arguments.folder) as folder:
            sheet = scenario.measure(Path(folder), arguments.repeats)
        sheet.keep()
        for goal in sheet.goals:
            print(f"  {goal.actual:8.2f} {goal.what}, must be {goal.limit:g}", flush=True)
    render()


if __name__ == "__main__":
    main()
