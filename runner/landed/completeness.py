"""Tell if the files that a window waits for are there, and complete.

A file that is still being written may load without any error: a CSV cut off in the middle of a
line turns 20 into 2. So a file counts once a marker says so, or once nothing has happened to it for
a while and it ends as its format ends. Time is judged by the file's ``ctime``: every write and
rename sets it, and unlike the modification time no copy can set it back. It is the clock of who
keeps the file: that of a network share must agree with ours to less than `settle`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from runner.core.config import WaitFor
from runner.core.windows import Window
from runner.landed.listing import listed

_PARQUET = b"PAR1"  # the first and the last bytes of a Parquet file
_FOOTER = 12  # bytes: the magic at the start, the footer's length and the magic at the end
_BLOCK = 1 << 20  # bytes read at once
_TAIL = 64  # bytes in which the last character of a text is looked for
_ZSTD, _SKIPPABLE = 0xFD2FB528, 0x184D2A50  # how frames of Zstandard begin
_REPEATED = 1  # the kind of a block that is one byte, so many times
_NO_NEWLINE = "does not end with a line end: cut off? If it is always so, name a `marker`"


@dataclass(frozen=True)
class Blocker:
    """The reason why a window cannot run yet."""

    text: str  # one line
    until: datetime | None = None  # UTC; when it may be gone; None: nobody knows
    # Of a file that nobody writes any more, and that is not whole.
    is_final: bool = field(default=False, compare=False)
    is_absent: bool = field(default=False, compare=False)  # nothing of what is waited for is there


def file_blocker(
    wait: WaitFor, window: Window, zone: ZoneInfo, folder: Path, now: datetime
) -> Blocker | None:
    """Return what is wrong with the files that a window waits for; None if they are complete.

    ``now`` is the time of the machine that the files are on, UTC.
    """
    names = files_of(wait, window, zone, folder)
    if not names:
        return Blocker(f"{_filled(wait.file or '', window, zone)} is not there", is_absent=True)
    if wait.marker is not None:
        marker = _filled(wait.marker, window, zone)
        return None if _found(marker, folder) else Blocker(f"{marker}, its marker, is not there")
    found = (unfinished(folder / name, name, wait.settle, now) for name in names)
    return next((blocker for blocker in found if blocker is not None), None)


def files_of(wait: WaitFor, window: Window, zone: ZoneInfo, folder: Path) -> list[str]:
    """Return the files that a window waits for and that are there, as a person writes them."""
    return _found(_filled(wait.file, window, zone), folder) if wait.file is not None else []


def _filled(template: str, window: Window, zone: ZoneInfo) -> str:
    return template.format(window=window.start.astimezone(zone))


def _found(pattern: str, folder: Path) -> list[str]:
    found = [path for path in listed(folder, pattern) if Path(path).is_file()]
    return [path if pattern.startswith("/") else path.removeprefix(f"{folder}/") for path in found]


def unfinished(
    path: Path, name: str, settle: timedelta, now: datetime, *, has_marker: bool = False
) -> Blocker | None:
    """Return why a file, called ``name`` by people, is not complete yet; None if it is.

    One that has a marker may end as it likes.
    """
    try:
        before = path.stat()
        changed_at = datetime.fromtimestamp(before.st_ctime, UTC)
        if now - changed_at < settle:
            ago = max(0, int((now - changed_at).total_seconds()))
            settles = int(settle.total_seconds())
            text = f"{name} may still be written to: changed {ago} s ago, settles after {settles} s"
            return Blocker(text, changed_at + settle)
        wrong = None if has_marker else _CHECKS.get(path.suffix.lower(), _anything)(path)
        if path.stat().st_ctime_ns != before.st_ctime_ns:
            return Blocker(f"{name} is being written to")
    except FileNotFoundError:
        return Blocker(f"{name} is not there any more")
    except OSError as error:
        return Blocker(f"{name} cannot be opened ({error.strerror or error})")
    return Blocker(f"{name} {wrong}", is_final=True) if wrong else None


def _anything(path: Path) -> str | None:
    with path.open("rb") as file:
        return None if file.read(1) else "is empty"


def _parquet(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _FOOTER or file.read(len(_PARQUET)) != _PARQUET:
            return "is no Parquet file, or only the beginning of one"
        file.seek(-8, 2)
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
    if magic != _PARQUET or length > size - _FOOTER:
        return "is cut off: it has no Parquet footer"
    return None


def _lines(path: Path) -> str | None:
    tail = _tail(path)
    if not tail:
        return "is empty"
    return None if tail.endswith((b"\n", b"\r")) else _NO_NEWLINE


def _json(path: Path) -> str | None:
    tail = _tail(path).rstrip()
    if not tail:
        return "is empty"
    with path.open("rb") as file:
        head = file.read(_TAIL).lstrip()
    end = "]" if head.startswith(b"[") else "}"
    return None if tail.endswith(end.encode()) else f"is cut off: it does not end with {end}"


def _gzip(path: Path) -> str | None:
    """Unpack it to its end: its checksum comes last."""
    tail = b""
    try:
        with gzip.open(path) as file:
            while block := file.read(_BLOCK):
                tail = block[-1:]
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return "is cut off or damaged: it does not unpack"
    if not tail:
        return "is empty"
    is_text = _CHECKS.get(Path(path.stem).suffix.lower()) is _lines
    return _NO_NEWLINE if is_text and tail not in (b"\n", b"\r") else None


def _zstd(path: Path) -> str | None:
    """Walk from block to block to its end, without unpacking: each says how long it is."""
    content = 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            while file.tell() < size:
                content += _frame(file, size)
        except EOFError:
            return "is cut off or damaged: it does not unpack"
    return None if content else "is empty"


def _frame(file: BinaryIO, size: int) -> int:
    """Skip a frame of Zstandard (RFC 8878), and return how many packed bytes it has."""

    def number(length: int) -> int:
        found = file.read(length)
        if len(found) < length:
            raise EOFError
        return int.from_bytes(found, "little")

    def skip(length: int) -> None:
        if file.seek(length, 1) > size:
            raise EOFError

    magic = number(4)
    if magic & ~0xF == _SKIPPABLE:
        skip(number(4))
        return 0
    if magic != _ZSTD:
        raise EOFError
    head = number(1)
    is_single = bool(head & 0x20)
    skip((not is_single) + (0, 1, 2, 4)[head & 3] + (is_single, 2, 4, 8)[head >> 6])
    content, is_last = 0, False
    while not is_last:
        block = number(3)
        is_last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
        skip(1 if kind == _REPEATED else length)
        content += length
    skip(4 if head & 4 else 0)  # its checksum
    return content


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return file.read()


# That a file ends as its format ends; they answer in words why not.
_CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".parquet": _parquet,
    **dict.fromkeys((".csv", ".tsv", ".txt", ".ndjson", ".jsonl"), _lines),
    ".json": _json,
    ".gz": _gzip,
    ".zst": _zstd,
}
