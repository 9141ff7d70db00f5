"""Propose what an incremental model could become: a windowed one, as a change of its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.adopt.changes import FileChange, read_text
from runner.adopt.extent import Extent
from runner.adopt.findings import how_it_grows
from runner.core.errors import UsageError

_NAME = r"""[\w."]+"""
# where ordered_at > (select coalesce(max(ordered_at), '1900-01-01') from {{ this }})
_WATERMARK = re.compile(
    rf"""(?P<word>where|and)\s+(?P<read>{_NAME})\s*>=?\s*\(\s*select\s+(?:\w+\s*\(\s*)??
    max\s*\(\s*(?P<own>{_NAME})\s*\)[^;]*?from\s*\{{\{{-?\s*this\s*-?\}}\}}(?:\s+as\s+\w+)?\s*\)""",
    re.IGNORECASE | re.VERBOSE,
)
_IF = re.compile(r"\{%-?\s*if\s+is_incremental\(\)\s*-?%\}(?P<body>.*?)\{%-?\s*endif\s*-?%\}", re.S)
_CONFIG = re.compile(r"\{\{-?\s*config\s*\((?P<inside>.*?)\)\s*-?\}\}", re.S)
_CHANGES_LATER = re.compile(r"(?i)updated|modified|changed|loaded|synced|version")
_AS = {"DATE": None, "TIMESTAMP WITH TIME ZONE": "instant"}  # a column's type: how it is read


@dataclass(frozen=True)
class Proposal:
    """The config that would make a model windowed, and where each part of it is from."""

    model: str
    path: str  # of its SQL, in the project's folder
    grows: str  # how it is built now
    config: Mapping[str, str]  # of dbt; empty: its text does not say which day a row belongs to
    reads: str | None  # the column of its parent that the watermark is held against
    reads_as: str | None  # utc, instant; None: a date
    why: str  # how batch_size was chosen, and what a person has to look at

    @property
    def shown(self) -> str:
        """Return it in a line."""
        if not self.config:
            return self.why
        return ", ".join(f"{key}={value}" for key, value in self.config.items())


def propose(name: str, raw: Mapping[str, Any], extent: Extent | None) -> Proposal:
    """Read a model's text and config; ``extent`` is what its table holds, if it can be seen."""
    text, config = raw.get("raw_code") or "", raw.get("config") or {}
    grows, path = how_it_grows(raw), raw["original_file_path"]
    own, read = watermark(text)
    own = config.get("event_time") or own
    if own is None:
        why = "its text says by no watermark which day a row belongs to: name a column, event_time"
        return Proposal(name, path, grows, {}, None, None, why)
    keys = config.get("unique_key") or ()
    keys = [keys] if isinstance(keys, str) else list(keys)
    is_merge = bool(keys) and _CHANGES_LATER.search(own) is not None and own not in keys
    proposed = {"incremental_strategy": "merge" if is_merge else "overwrite_window"}
    proposed["event_time"] = own
    if is_merge:
        proposed["version_column"] = own
    size, begin, why = _windows(extent)
    proposed["batch_size"] = config.get("batch_size") or size
    if begin := config.get("begin") or begin:
        proposed["begin"] = str(begin)[:10]
    if is_merge:
        why += f"; merge, as rows of one {', '.join(keys)} arrive again by {own}"
    elif keys:
        why += f"; a {', '.join(keys)} must stay in its window, else take merge"
    reads_as = "utc" if extent is None else _AS.get(extent.type, "utc")
    return Proposal(name, path, grows, proposed, read or own, reads_as, why)


def watermark(text: str) -> tuple[str | None, str | None]:
    """Return the column of {{ this }} whose newest value is read, and what it is held against.

    >>> watermark("where t.at >= (select max(sold_at) from {{ this }})")
    ('sold_at', 't.at')
    >>> watermark("where id not in (select id from {{ this }})")
    (None, None)
    """
    found = _WATERMARK.search(text)
    if found is None:
        return None, None
    return found["own"].rsplit(".", 1)[-1].strip('"'), found["read"]


def converted(project_dir: Path, proposal: Proposal) -> FileChange:
    """Return the model with what is proposed; :class:`UsageError` if a person has to write it."""
    if not proposal.config:
        raise UsageError(f"{proposal.model} ({proposal.grows}) cannot be converted: {proposal.why}")
    if "begin" not in proposal.config:
        raise UsageError(
            f"{proposal.model} has no table to count in: build it once (dbt build --select "
            f"{proposal.model}), or write config(begin='…') with its first date"
        )
    before = read_text(project_dir / proposal.path)
    if before is None:
        raise UsageError(f"{proposal.path} is not there: it belongs to a package, convert it there")
    as_given = f", as='{proposal.reads_as}'" if proposal.reads_as else ""
    window = f"{{{{ daybreak.in_window('{proposal.reads}'{as_given}) }}}}"
    after, count = _IF.subn(lambda block: _windowed(block, window), before)
    if count == 0 or window not in after:
        raise UsageError(
            f"{proposal.model} reads no watermark in an is_incremental() of its own: write "
            f"`where {window}` where it reads, and config({proposal.shown}) yourself"
        )
    return FileChange(proposal.path, before, _configured(after, proposal))


def _windowed(block: re.Match[str], window: str) -> str:
    """Put the window in the place of the watermark, and take the condition around it away."""
    body = block["body"]
    if _WATERMARK.search(body) is None:
        return block[0]
    return _WATERMARK.sub(lambda found: f"{found['word']} {window}", body).strip()


def _configured(text: str, proposal: Proposal) -> str:
    """Write the proposed config into the model's config(), or into one of its own."""
    config = {key: f"'{value}'" for key, value in proposal.config.items()}
    if proposal.reads_as:
        config["meta"] = f"{{'event_time_as': '{proposal.reads_as}'}}"
    found = _CONFIG.search(text)
    if found is None:
        return _configured(f"{{{{ config() }}}}\n\n{text}", proposal)
    inside = found["inside"]
    if "meta" in config and re.search(r"\bmeta\s*=", inside):
        raise UsageError(
            f"{proposal.path} has a meta already: add 'event_time_as': '{proposal.reads_as}' "
            f"to it, and write config({proposal.shown}) yourself"
        )
    for key in list(config):
        written_so = re.compile(rf"\b{key}\s*=\s*(?:'[^']*'|\"[^\"]*\")")
        inside, count = written_so.subn(f"{key}={config[key]}", inside)
        if count:
            del config[key]
    lines = re.search(r"\n[ \t]+(?=\S)", inside)
    given, indent = inside.strip().rstrip(","), lines[0] if lines else f"\n{' ' * 8}"
    pairs = [given, *(f"{key}={value}" for key, value in config.items())]
    written = "".join(f"{indent}{pair}," for pair in pairs if pair)
    if lines:
        tail = inside[len(inside.rstrip()) :]
        return text[: found.start("inside")] + written + tail + text[found.end("inside") :]
    whole = f"{{{{\n    config({written}\n    )\n}}}}"
    return text[: found.start()] + whole + text[found.end() :]


def _windows(extent: Extent | None) -> tuple[str, str | None, str]:
    """Choose batch_size and begin, and say how."""
    if extent is None:
        return "day", None, "day, as there is no table to count in"
    return extent.batch_size, extent.first.isoformat(), f"{extent.batch_size}: {extent}"
