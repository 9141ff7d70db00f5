"""S5: a scheduled day in a warm ``serve``, from queued to finished, against its SQL by hand.

Every day waits for its file. The file lands, ``serve`` finds it and queues the day's run: from
there until the run is finished, by the ledger's own times, is what counts.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from measuring import Goal, Row, Sheet, others_busy
from peers.environments import own_bin
from peers.landing import land_real
from peers.peers import PIPELINE, QUARTER, Ours, Range, Theirs, answer_of, require_same

PATIENCE = 120  # seconds for a day that has landed


def measure(folder: Path, repeats: int) -> Sheet:
    """Days land one after another; then all of them are compared with the script."""
    days = Range(QUARTER.first, QUARTER.last + timedelta(days=repeats + 1))
    coming = [QUARTER.last + timedelta(days=number + 1) for number in range(repeats + 1)]
    everything = land_real(folder / "everything", days)
    landing = land_real(folder / "landing", QUARTER)
    ours = Ours(folder / "daybreak", landing, days).set_up()
    wait_for_files(ours)
    ours.runner("backfill", PIPELINE, *QUARTER.dates)
    day_row = Row("scheduled day", "runner serve --poll 1s")
    busy = 0.0
    with serving(ours):
        for number, day in enumerate(coming):
            busy = max(busy, others_busy())
            file = f"transactions/{day}.parquet"
            shutil.copy(everything / file, landing / f"{file}.part")
            (landing / f"{file}.part").rename(landing / file)
            seconds = finished(ours, day)
            print(f"  {number}/{repeats} {day} {seconds:.2f} s", flush=True)
            if number:  # the first warms caches
                day_row.seconds.append(round(seconds, 4))
    script_row = by_hand(folder, everything, coming[1:])
    goals = [Goal("s above its SQL by hand", 0.3, day_row.median - script_row.median)]
    whole = Theirs(folder / "script", everything, days, "", "dbt").set_up()
    whole.script()
    answers = {"serve": answer_of(ours.warehouse), "script": answer_of(whole.warehouse)}
    title = "a scheduled day in a warm serve, from queued to finished"
    return Sheet("S5", title, [day_row, script_row], goals, require_same(answers), busy)


def wait_for_files(ours: Ours) -> None:
    """Let every window wait for its file."""
    path = ours.folder / "pipelines.yml"
    text = path.read_text()
    source = next(line for line in text.splitlines() if "- source:" in line)
    file = f"{ours.landing}/transactions/{{window:%Y-%m-%d}}.parquet"
    path.write_text(text.replace(source, f'      - {{file: "{file}", settle: 0s}}'))


@contextmanager
def serving(ours: Ours) -> Iterator[None]:
    """A scheduler that lives for the time of the block."""
    with (ours.folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [own_bin() / "runner", "serve", "--poll", "1s"],
            cwd=ours.folder, env=ours.environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            time.sleep(8)  # it parses, and makes its first pass
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def finished(ours: Ours, day: date) -> float:
    """Wait for a day's run; seconds from queued to finished."""
    asked = "select queued_at, finished_at from runs where label = ? and state = 'success'"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with sqlite3.connect(f"file:{ours.ledger}?mode=ro", uri=True) as ledger:
            found = ledger.execute(asked, [str(day)]).fetchone()
        if found:
            queued, ended = (datetime.fromisoformat(value) for value in found)
            return (ended - queued).total_seconds()
        time.sleep(0.1)
    raise SystemExit(f"{day} did not run:\n{(ours.folder / 'serve.log').read_text()[-3000:]}")


def by_hand(folder: Path, landing: Path, days: list[date]) -> Row:
    """The script's engine time for each of the days."""
    row = Row("its SQL by hand", "python bench/peers/script.py DAY", note="engine time")
    for day in days:
        peer = Theirs(folder / f"script-{day}", landing, Range(day, day), "", "dbt").set_up()
        row.seconds.append(float(peer.script().output.split("engine ")[1]))
    return row
