from dataclasses import FrozenInstanceError, asdict
from datetime import date, timedelta

import pytest

from runner.core.config import Catchup, PipelineConfig, Retries, WaitFor
from runner.core.errors import ConfigError
from runner.core.windows import Grain
from runner.project.pipelines_yml import parse_pipelines

FULL = """
pipelines:
  orders_pipeline:
    select: "+daily_revenue"
    description: Revenue per day
    schedule: "0 5 * * *"
    grain: day
    timezone: America/New_York
    start: 2026-03-01       # `end:` is optional
    end: "2026-05-31"
    deadline: 2h
    lookback: 3
    catchup: none
    retries: {attempts: 5, backoff: 10s, max_backoff: 15m}
    timeout: 1d
    lock_timeout: 90s
    wait_for:
      - file: "data/landing/orders/{window:%Y-%m-%d}.csv"
        marker: "data/landing/orders/{window:%Y-%m-%d}.done"
        settle: 10s
        timeout: 3h
      - source: landing.stores
    chunk: 31
    allow_unsafe: [event_log: "its ids are unique", clicks: nobody reads it]
    max_catchup: 10
    after: [returns]
    alerts: ["${RUNNER_ALERT_URL}"]
    ping: "${RUNNER_PING_URL}"
  returns:
    select: tag:returns
"""


def error_of(text: str) -> str:
    """The one thing that is wrong: with the file, or with one of its pipelines."""
    try:
        (message,) = parse_pipelines(text).unreadable.values()
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message
    return message


def pipeline(*lines: str) -> str:
    """Return a file whose only pipeline says ``lines``, the first of them on line 4."""
    return "\n    ".join(["pipelines:\n  orders:\n    select: orders", *lines, ""])


def test_every_key_is_read():
    assert parse_pipelines(FULL).pipelines["orders_pipeline"] == PipelineConfig(
        select="+daily_revenue",
        description="Revenue per day",
        schedule="0 5 * * *",
        grain=Grain.DAY,
        timezone="America/New_York",
        start=date(2026, 3, 1),
        end=date(2026, 5, 31),
        deadline=timedelta(hours=2),
        lookback=3,
        catchup=Catchup.NONE,
        retries=Retries(
            attempts=5, backoff=timedelta(seconds=10), max_backoff=timedelta(minutes=15)
        ),
        timeout=timedelta(days=1),
        lock_timeout=timedelta(seconds=90),
        chunk=31,
        allow_unsafe=(("event_log", "its ids are unique"), ("clicks", "nobody reads it")),
        max_catchup=10,
        after=("returns",),
        wait_for=(
            WaitFor(
                file="data/landing/orders/{window:%Y-%m-%d}.csv",
                marker="data/landing/orders/{window:%Y-%m-%d}.done",
                settle=timedelta(seconds=10),
                timeout=timedelta(hours=3),
            ),
            WaitFor(source="landing.stores"),
        ),
        alerts=("${RUNNER_ALERT_URL}",),
        ping="${RUNNER_PING_URL}",
    )


def test_pipelines_keep_the_order_of_the_file():
    assert list(parse_pipelines(FULL).pipelines) == ["orders_pipeline", "returns"]


def test_the_defaults_are_those_of_the_documentation():
    config = parse_pipelines(FULL).pipelines["returns"]
    assert asdict(config) == {
        "select": "tag:returns",
        "exclude": None,
        "selector": None,
        "description": None,
        "schedule": None,
        "grain": None,
        "timezone": None,
        "start": None,
        "end": None,
        "deadline": None,
        "lookback": 0,
        "catchup": Catchup.ALL,
        "retries": {
            "attempts": 3,
            "backoff": timedelta(seconds=30),
            "max_backoff": timedelta(minutes=15),
        },
        "timeout": timedelta(hours=1),
        "lock_timeout": timedelta(minutes=10),
        "chunk": None,
        "max_catchup": 366,
        "after": (),
        "allow_unsafe": (),
        "wait_for": (),
        "alerts": (),
        "ping": None,
    }


def test_a_configuration_is_a_value():
    config = parse_pipelines(FULL).pipelines["returns"]
    with pytest.raises(FrozenInstanceError):
        config.lookback = 9  # type: ignore[misc]
    assert hash(config) == hash(parse_pipelines(FULL).pipelines["returns"])


def test_limits_are_inclusive():
    lines = ("start: 2026-03-01", "end: 2026-03-01", "retries: {attempts: 1, backoff: 15m}")
    config = parse_pipelines(pipeline(*lines, "lookback: 0")).pipelines["orders"]
    assert config.start == config.end == date(2026, 3, 1)
    assert config.retries.backoff == config.retries.max_backoff


@pytest.mark.parametrize("word", ["no", "off", "12:30", "0o17", "1_000"])
def test_plain_words_stay_words(word: str):
    assert parse_pipelines(pipeline(f"description: {word}")).pipelines["orders"].description == word


def test_an_anchor_may_be_shared():
    text = """
pipelines:
  orders: {select: x, retries: &patient {attempts: 9}}
  returns: {select: y, retries: *patient}
"""
    assert parse_pipelines(text).pipelines["returns"].retries.attempts == 9


@pytest.mark.parametrize(
    ("lines", "line", "wrong", "remedy"),
    [
        (["sched: 1"], 4, "unknown key 'sched' of pipeline 'orders'", "Did you mean 'schedule'?"),
        (["retries:", "  attempt: 1"], 5, "unknown key 'attempt'", "Did you mean 'attempts'?"),
        (["wait_for: [", "  {path: x, file: y}]"], 5, "unknown key 'path'", "keys here are: file"),
        (["<<: {lookback: 2}"], 4, "unknown key '<<'", "keys here are: select"),
        (["lookback: 1", "lookback: 2"], 5, "'lookback' is already on line 4", "keep one"),
        (["select: again"], 4, "'select' is already on line 3", "keep one"),
        (["schedule: 0 25 * * *"], 4, "'0 25 * * *' is not a cron", "such as '0 5 * * *'"),
        (["schedule: 5"], 4, "must be text", 'schedule: "0 5 * * *"'),
        (["timezone: America/NewYork"], 4, "no time zone 'America/NewYork'", "America/New_York"),
        (["timezone: America"], 4, "no time zone 'America'", "timezone: Europe/Berlin"),
        (["timezone: ../passwd"], 4, "no time zone '../passwd'", "timezone: Europe/Berlin"),
        (["start: 2026-02-30"], 4, "'2026-02-30' is not a value (day is out", "correct it"),
        (["start: 20260301"], 4, "a date is written YYYY-MM-DD", "start: 2026-03-01"),
        (["start: 2026-03-01 05:00:00"], 4, "a date is written", "start: 2026-03-01"),
        (
            ["end: 2026-02-28", "start: 2026-03-01"],
            4,
            "end 2026-02-28 is before start 2026-03-01",
            "end: 2026-05-31",
        ),
        (
            ["grain: decade"],
            4,
            "must be 'hour', 'day', 'week', 'month' or 'year', not 'decade'",
            "grain: day",
        ),
        (["catchup: no"], 4, "must be 'all', 'latest' or 'none', not 'no'", "catchup: all"),
        (["lookback: '3'"], 4, "must be a whole number, not '3'", "lookback: 3"),
        (["lookback: true"], 4, "must be a whole number, not 'True'", "lookback: 3"),
        (["lookback: 1.5"], 4, "must be a whole number, not '1.5'", "lookback: 3"),
        (["lookback: -1"], 4, "greater than or equal to 0, not '-1'", "lookback: 3"),
        (["lookback:"], 4, "must be a whole number, not nothing", "lookback: 3"),
        (["deadline: 2 hours"], 4, "one of s, m, h, d", "deadline: 2h"),
        (["deadline: 999999d"], 4, "999999d is too long: at most 3660d", "deadline: 2h"),
        (["timeout: 99999999999h"], 4, "99999999999h is too long", "timeout: 1h"),
        (["wait_for:", "  - {file: x, settle: 316224001s}"], 5, "is too long", "settle: 1m"),
        (["start: 0001-01-01"], 4, "0001-01-01 is beyond the calendar", "start: 2026-03-01"),
        (["end: 9999-12-31"], 4, "9999-12-31 is beyond the calendar", "leave it out"),
        (["timeout: 60"], 4, "one of s, m, h, d", "timeout: 1h"),
        (["timeout: 0s"], 4, "longer than zero", "timeout: 1h"),
        (["retries: [1]"], 4, "must be keys and values, not a list", "retries: {attempts: 3"),
        (["retries: {attempts: 0}"], 4, "greater than or equal to 1, not '0'", "attempts: 3"),
        (["retries: {backoff: 1h}"], 4, "max_backoff is shorter than", "max_backoff: 15m"),
        (["alerts: https://x"], 4, "must be a list, not a text", 'alerts: ["${RUNNER'),
        (["alerts: [a,", " 3]"], 5, "must be text (put it in quotes), not '3'", "alerts: ["),
        (["wait_for:", "  - {}"], 5, "either a file or a source", 'file: "data/'),
        (
            ["wait_for:", "  - {file: x, source: landing.orders}"],
            5,
            "either a file or a source",
            'file: "data/',
        ),
        (
            ["wait_for:", "  - {source: orders}"],
            5,
            "a dot between, not 'orders'",
            "landing.transactions",
        ),
        (["wait_for:", "  - {source: a.b, marker: x}"], 5, "a marker belongs to a file", "file:"),
        (["wait_for:", "  - {file: x, lag: 1h}"], 5, "a lag belongs to a source", "file:"),
        (["after: [orders]"], 4, "leads back to itself", "take one name out"),
        (["after: [order]"], 4, "there is no pipeline 'order'", "Did you mean 'orders'"),
        (["max_catchup: 0"], 4, "greater than or equal to 1, not '0'", "max_catchup: 366"),
        (["ping: [1]"], 4, "must be text", "ping:"),
        (["wait_for:", "  - file: x{day}"], 5, "only placeholder is {window:…}", 'file: "data/'),
        (["wait_for:", "  - file: x{window"], 5, "expected '}'", 'file: "data/'),
        (["description: !secret x"], 4, "could not determine a constructor", "quote it"),
        (
            ["description: 'x", "lookback: 1"],
            4,
            "this is not YAML",
            "check the indentation and the quotes",
        ),
        (["\tlookback: 1"], 4, "this is not YAML", "check the indentation"),
        (["timeout: *shared"], 4, "found undefined alias", "check"),
        (["description: \x01"], 4, "character U+0001 is not allowed", "remove it"),
        (["? [a]", ": 1"], 4, "a key must be a word", "`name: value`"),
    ],
)
def test_a_mistake_in_a_pipeline_is_one_line_with_its_place_and_remedy(
    lines: list[str], line: int, wrong: str, remedy: str
):
    message = error_of(pipeline(*lines))
    assert message.startswith(f"pipelines.yml:{line}: ")
    assert wrong in message
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "line", "wrong", "remedy"),
    [
        ("", 1, "the file is empty", "write `pipelines: {"),
        ("\n# only a comment\n", 1, "the file is empty", "write `pipelines: {"),
        ("\n\npipelines: {}", 3, "at least one pipeline, not empty", "`pipelines: {orders: "),
        ("pipelines:", 1, "must be keys and values, not nothing", "`pipelines: {orders: "),
        ("- orders", 1, "must be keys and values, not a list", "`pipelines: {orders: "),
        ("{}", 1, "'pipelines' is missing", "`pipelines: {orders: "),
        ("\npipeline: {}", 2, "unknown key 'pipeline'", "Did you mean 'pipelines'?"),
        ("pipelines:\n  a:\n    selct: x", 3, "unknown key 'selct'", "Did you mean 'select'?"),
        ("pipelines: {a: {select: x}}\nalert: x", 2, "unknown key 'alert'", "keys here are"),
        ("pipelines:\n  a: {select: x}\n  a: {}", 3, "'a' is already on line 2", "keep one"),
        (
            "pipelines:\n  a:\n    grain: day",
            2,
            "'select' of pipeline 'a': neither this nor 'selector' is there",
            "select: ",
        ),
        (
            "pipelines:\n  a:\n    selector: b\n    select: c",
            3,
            "'selector' of pipeline 'a': a selector stands alone",
            "selector: nightly",
        ),
        ("pipelines:\n  a: {selector: a b}", 2, "the name of a selector", "selector: nightly"),
        ("pipelines:\n  a: {select: '+state:new+'}", 2, "'state:' selects by what", "select: "),
        ("pipelines:\n  a: {select: a, exclude: '1+result:ok'}", 2, "'result:' sel", "exclude: "),
        ("pipelines:\n  a:\n    select: ' '", 3, "must be longer than nothing", "select: "),
        ("pipelines:\n  a:\n", 2, "pipeline 'a' must be keys and values", "`a: {select: "),
        ("pipelines:\n  select: x", 2, "pipeline 'select' must be keys", "`select: {select: "),
        ("pipelines:\n  Orders-1: {select: x}", 2, "'Orders-1' cannot name", "a-z, 0-9 and _"),
        ("pipelines:\n  1st: {select: x}", 2, "'1st' cannot name a", "beginning with a letter"),
        ('pipelines:\n  "a\\n": {select: x}', 2, "cannot name a", "beginning with a letter"),
        ("a: 1\n---\nb: 2", 2, "but found another document", "check"),
        ("pipelines: &all\n  a: *all", 1, "this alias refers to itself", "write the value out"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_place_and_remedy(
    text: str, line: int, wrong: str, remedy: str
):
    message = error_of(text)
    assert message.startswith(f"pipelines.yml:{line}: ")
    assert wrong in message
    assert remedy in message


def test_only_the_first_mistake_in_the_file_is_reported():
    message = error_of(pipeline("lookback: -1", "grain: year", "start: 20260301"))
    assert message.startswith("pipelines.yml:4: ")
    assert "lookback" in message
    assert "grain" not in message


def test_the_name_of_the_file_is_an_argument():
    with pytest.raises(ConfigError, match=r"^other\.yml:1: "):
        parse_pipelines("", source="other.yml")


@pytest.mark.parametrize(
    "line",
    [
        "alerts: json://user:s3cret@host/",
        "alerts: [[json://user:s3cret@host/]]",
        "alerts: {json://user:s3cret@host/: 1}",
        "ping: [https://hc-ping.com/s3cret]",
        "ping: {https://hc-ping.com/s3cret: 1}",
        'alerts: ["json://user:s3cret@host/]',
    ],
)
def test_no_error_quotes_a_url_that_may_hold_a_password(line: str):
    said = error_of(f"pipelines:\n  orders:\n    select: a\n    {line}\n")
    assert said.startswith("pipelines.yml:4: ")
    assert "s3cret" not in said


@pytest.mark.parametrize("given", ["event_log", "[event_log]", "{event_log: why}", "[event_log: ]"])
def test_who_allows_a_model_says_why(given: str):
    said = error_of(pipeline(f"allow_unsafe: {given}"))
    assert said.startswith("pipelines.yml:4: 'allow_unsafe' of pipeline 'orders' must be")
    assert said.endswith('write it like `allow_unsafe: [event_log: "ids are unique"]`.')


SEVERAL = """
pipelines:
  late:
    select: a
    deadline: 999999d
  orders:
    select: b
  Bad-Name: {select: c}
  waiting:
    select: d
    after: [late, orders]
  round:
    select: e
    after: [about]
  about:
    select: f
    after: [round]
"""


def test_what_is_wrong_with_one_pipeline_keeps_no_other_from_being_read():
    file = parse_pipelines(SEVERAL)
    assert file.names == ("late", "orders", "Bad-Name", "waiting", "round", "about")
    assert list(file.pipelines) == ["orders", "waiting"]
    assert {name: why.split(" ")[0] for name, why in file.unreadable.items()} == {
        "late": "pipelines.yml:5:",
        "Bad-Name": "pipelines.yml:8:",
        "round": "pipelines.yml:14:",
        "about": "pipelines.yml:17:",
    }
    assert "'deadline' of pipeline 'late': 999999d is too long" in file.unreadable["late"]


def test_the_longest_duration_is_one():
    config = parse_pipelines(pipeline("deadline: 3660d")).pipelines["orders"]
    assert config.deadline == timedelta(days=3660)
