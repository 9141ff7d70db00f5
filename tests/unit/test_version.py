from importlib.metadata import version
from pathlib import Path

from tests import inside


def test_the_runner_says_its_version(tmp_path: Path):
    assert inside.run(tmp_path, {}, ("--version",)) == (0, f"daybreak {version('daybreak')}\n", "")
