"""A file counts when it is complete, and never before: half a CSV loads without any error."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from runner.core.config import WaitFor
from runner.core.windows import Calendar, Grain
from runner.landed import completeness
from runner.landed.completeness import Blocker, file_blocker

ZONE = ZoneInfo("America/New_York")
WINDOW = Calendar(Grain.DAY, ZONE).labelled("2026-06-19")
NAME = "2026-06-19.csv"
SETTLE = timedelta(minutes=1)
CSV = "id,amount\n1,10\n2,20\n"

# Writes what it is sent, line by line, as a source system would; says when each piece is written.
WRITER = """
import sys
with open(sys.argv[1], "w") as file:
    for line in sys.stdin:
        file.write(eval(line)); file.flush(); print("written", flush=True)
"""


def waiting_for(template: str = "{window:%Y-%m-%d}.csv", **more: object) -> WaitFor:
    return WaitFor(file=template, **{"settle": SETTLE, **more})


def seen(folder: Path, wait: WaitFor, later: timedelta) -> Blocker | None:
    """What is wrong so long after now: no test waits for a file to settle."""
    return file_blocker(wait, WINDOW, ZONE, folder, datetime.now(UTC) + later)


def said(folder: Path, name: str = NAME, **more: object) -> str | None:
    """What is wrong with a file when it has settled."""
    wait = waiting_for("{window:%Y-%m-%d}" + "".join(Path(name).suffixes), **more)
    found = seen(folder, wait, timedelta(hours=1))
    return found.text if found else None


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes a file, piece by piece."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def write(process: subprocess.Popen[str], piece: str) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{piece!r}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "written\n"


def amount_of_2(path: Path) -> object:
    """What DuckDB makes of the last row."""
    row = duckdb.execute(f"select amount from read_csv('{path}') where id = 2").fetchone()
    return row[0] if row else None


def test_a_slow_writer_is_waited_for_to_its_last_character(tmp_path: Path):
    path, seconds = tmp_path / NAME, timedelta(seconds=5)
    wait = waiting_for()
    with writer(path) as process:
        for piece in ("id,amount\n", "1,10\n", "2,", "2"):
            write(process, piece)
            assert seen(tmp_path, wait, seconds) is not None
        assert amount_of_2(path) == 2  # this is how 20 becomes 2, without any error
        # However long it pauses in the middle of a line:
        obstacle = seen(tmp_path, wait, timedelta(days=1))
        assert obstacle is not None
        assert "does not end with a line end" in obstacle.text
        write(process, "0\n")
        assert seen(tmp_path, wait, seconds) is not None
        assert seen(tmp_path, wait, SETTLE + seconds) is None
    assert amount_of_2(path) == 20


def test_a_file_that_settles_says_when(tmp_path: Path):
    (tmp_path / NAME).write_text(CSV)
    changed_at = datetime.fromtimestamp((tmp_path / NAME).stat().st_ctime, UTC)
    found = seen(tmp_path, waiting_for(), timedelta(seconds=3))
    assert found is not None
    assert found.until == changed_at + SETTLE
    assert found.text.startswith(f"{NAME} may still be written to: changed 3 s ago, settles after")


def test_a_writer_that_goes_on_while_the_file_is_looked_at_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / NAME
    path.write_text(CSV)

    def written_meanwhile(found: Path) -> str | None:
        with found.open("a") as file:
            file.write("3,")
        return None

    before = path.stat().st_ctime_ns
    while time.time_ns() - before < 20_000_000:  # until the file system's clock has moved on
        pass
    monkeypatch.setitem(completeness._CHECKS, ".csv", written_meanwhile)
    assert said(tmp_path) == f"{NAME} is being written to"


@pytest.mark.parametrize("year", [2000, 2100])
def test_a_copy_that_keeps_another_time_fools_nobody(tmp_path: Path, year: int):
    """`cp -p` sets the modification time; the time of the change itself is the system's."""
    path = tmp_path / NAME
    path.write_text(CSV)
    at = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))
    assert seen(tmp_path, waiting_for(), timedelta(seconds=3)) is not None
    assert seen(tmp_path, waiting_for(), SETTLE + timedelta(seconds=3)) is None


def test_a_file_that_is_renamed_into_its_place_settles_from_then_on(tmp_path: Path):
    (tmp_path / "part").write_text(CSV)
    before = (tmp_path / "part").stat().st_ctime_ns
    while time.time_ns() - before < 20_000_000:  # until the file system's clock has moved on
        pass
    (tmp_path / "part").rename(tmp_path / NAME)
    assert (tmp_path / NAME).stat().st_ctime_ns > before
    assert seen(tmp_path, waiting_for(), timedelta(seconds=3)) is not None


def test_a_marker_says_that_a_file_is_complete(tmp_path: Path):
    wait = waiting_for(marker="{window:%Y-%m-%d}.done")
    (tmp_path / NAME).write_text("id,amount\n1,1")  # without a last line end, and just now
    found = seen(tmp_path, wait, timedelta(0))
    assert found is not None
    assert found.text == "2026-06-19.done, its marker, is not there"
    (tmp_path / "2026-06-19.done").touch()
    assert seen(tmp_path, wait, timedelta(0)) is None
    (tmp_path / NAME).unlink()
    assert seen(tmp_path, wait, timedelta(0)) == Blocker(f"{NAME} is not there")


def test_the_name_is_the_local_start_of_the_window(tmp_path: Path):
    hour = Calendar(Grain.HOUR, ZONE).labelled("2026-06-19T23")
    (tmp_path / "2026-06-19_23.csv").write_text(CSV)
    wait = waiting_for("{window:%Y-%m-%d_%H}.csv")
    now = datetime.now(UTC) + timedelta(hours=1)
    assert file_blocker(wait, hour, ZONE, tmp_path, now) is None
    following = Calendar(Grain.HOUR, ZONE).following(hour)
    assert file_blocker(wait, following, ZONE, tmp_path, now) == Blocker(
        "2026-06-20_00.csv is not there"
    )


def test_all_files_of_a_glob_are_waited_for(tmp_path: Path):
    wait = waiting_for("{window:%Y-%m-%d}/*.csv")
    folder = tmp_path / str(date(2026, 6, 19))
    folder.mkdir()
    assert seen(tmp_path, wait, timedelta(hours=1)) == Blocker("2026-06-19/*.csv is not there")
    (folder / "a.csv").write_text(CSV)
    (folder / "b.csv").write_text("id,amount\n1,1")
    found = seen(tmp_path, wait, timedelta(hours=1))
    assert found is not None
    assert found.text.startswith("2026-06-19/b.csv does not end with a line end")
    (folder / "b.csv").write_text(CSV)
    assert seen(tmp_path, wait, timedelta(hours=1)) is None


def test_a_parquet_file_is_complete_with_its_footer(tmp_path: Path):
    path = tmp_path / "2026-06-19.parquet"
    duckdb.execute(f"copy (select range as id from range(1000)) to '{path}' (format parquet)")
    assert said(tmp_path, path.name) is None
    whole = path.read_bytes()
    for size in (0, 3, 4, 8, 11, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert said(tmp_path, path.name) is not None, size
    path.write_bytes(whole[:-8] + b"\xff\xff\xff\x7fPAR1")
    assert said(tmp_path, path.name) == f"{path.name} is cut off: it has no Parquet footer"


def test_a_packed_file_is_complete_when_it_unpacks_to_its_end(tmp_path: Path):
    path = tmp_path / "2026-06-19.csv.gz"
    whole = gzip.compress(CSV.encode() * 100)
    path.write_bytes(whole)
    assert said(tmp_path, path.name) is None
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        assert said(tmp_path, path.name) is not None, size
    path.write_bytes(gzip.compress(b"id,amount\n1,1"))
    assert "does not end with a line end" in (said(tmp_path, path.name) or "")


@pytest.mark.parametrize("name", ["2026-06-19.json", "2026-06-19.ndjson", "2026-06-19.csv"])
def test_no_beginning_of_a_text_is_complete(tmp_path: Path, name: str):
    rows = [{"id": 1, "amount": 10}, {"id": 2, "amount": 20}]
    text = json.dumps(rows)
    if name.endswith("ndjson"):
        text = "".join(json.dumps(row) + "\n" for row in rows[:1])
    if name.endswith("csv"):
        text = "id,amount\n"
    (tmp_path / name).write_text(text)
    assert said(tmp_path, name) is None
    for size in range(len(text)):
        (tmp_path / name).write_text(text[:size])
        assert said(tmp_path, name) is not None, text[:size]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / NAME).write_text(CSV)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert said(tmp_path) == f"{NAME} cannot be opened (Permission denied)"


def zstd(*blocks: tuple[int, bytes], checksum: bytes = b"", is_single: bool = False) -> bytes:
    """A frame of RFC 8878: blocks of a kind each (0 as it is, 1 one byte repeated)."""
    head = (0x20 if is_single else 0) | (4 if checksum else 0)
    found = [(0xFD2FB528).to_bytes(4, "little"), bytes([head, 9])]
    for n, (kind, content) in enumerate(blocks):
        is_last, size = n == len(blocks) - 1, 7 if kind == 1 else len(content)
        found += [(is_last | kind << 1 | size << 3).to_bytes(3, "little"), content]
    return b"".join([*found, checksum])


def test_a_file_packed_by_zstandard_is_complete_with_its_last_block(tmp_path: Path):
    path = tmp_path / "2026-06-19.csv.zst"
    text = CSV.encode()
    skippable = (0x184D2A51).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    first = zstd((0, text), (1, b"\n"), checksum=b"1234")
    whole = first + skippable + zstd((0, text), is_single=True)
    path.write_bytes(whole)
    assert said(tmp_path, path.name) is None
    ends_of_frames = (len(first), len(first + skippable))
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        cut = None if size in ends_of_frames else "is cut off or damaged: it does not unpack"
        assert said(tmp_path, path.name) == (cut and f"{path.name} {cut}"), size
    path.write_bytes(b"")
    assert said(tmp_path, path.name) == f"{path.name} is empty"
    path.write_bytes(zstd((0, b"")))
    assert said(tmp_path, path.name) == f"{path.name} is empty"
    path.write_bytes(b"id,amount\n1,10\n")
    assert "does not unpack" in (said(tmp_path, path.name) or "")


def test_what_duckdb_packs_is_complete(tmp_path: Path):
    path = tmp_path / "2026-06-19.csv.zst"
    rows = "select n as id, n * 10 as amount from range(100000) numbers(n)"
    duckdb.execute(f"copy ({rows}) to '{path}' (format csv, compression zstd)")
    assert said(tmp_path, path.name) is None
    path.write_bytes(path.read_bytes()[:-1])
    assert "is cut off" in (said(tmp_path, path.name) or "")
