"""What the retry table makes of messages, and how long it waits.

The words of DuckDB and dbt are provoked in ``tests/integration/test_retry_table.py``; here are our
own, those that need a network, and words in the wrong place.
"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.config import Retries
from runner.core.retries import RULES, UNKNOWN, Remedy, allows_another, classify, delay
from runner.dbt.reports import brief, killed, timed_out

HEADING = "Runtime Error in model a (models/a.sql)\n  "
FULL = 'Could not write file "/data/a.duckdb": No space left on device'
CHAIN = (
    "Traceback (most recent call last):\n"
    '  File "connections.py", line 110, in exception_handler\n    yield\n'
    "_duckdb.IOException: IO Error: Corrupt database file: computed checksum 1 does not match\n\n"
    "The above exception was the direct cause of the following exception:\n\n"
    "Traceback (most recent call last):\n"
    '  File "requires.py", line 187, in wrapper\n    raise DbtRuntimeError(str(e)) from e\n'
    "dbt_common.exceptions.base.DbtRuntimeError: Runtime Error\n"
    "  IO Error: Corrupt database file: computed checksum 1 does not match\n"
)

KNOWN = {
    # Our own words
    timed_out(timedelta(hours=1)): "timed out",
    killed(-9): "killed",
    killed(3): "killed",
    "the dbt server has ended unexpectedly: run the same command again": "killed",
    "/data/a.duckdb is locked by another process: end it, then run the same command again": "lock",
    # What wraps an error
    f"{HEADING}FATAL Error: Failed to create checkpoint because of error: {FULL}": "disk full",
    "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The "
    "database must be restarted prior to being used again.\n"
    f'Original error: "Failed to create checkpoint because of error: {FULL}"': "disk full",
    f"Encountered an error:\nRuntime Error\n  IO Error: {FULL}": "disk full",
    CHAIN: "corruption",
    "Traceback (most recent call last):\n  waiter.acquire()\nKeyboardInterrupt\n": "interrupted",
    # httpfs, which tests cannot install (its source: httpfs.cpp and duckdb's http_util.cpp)
    "HTTP Error: HTTP GET error on 'https://a/b.parquet' (HTTP 503)": "network",
    "HTTP Error: HTTP GET error on 'https://a/b.parquet' (HTTP 404)": "http",
    "HTTP Error: Request returned HTTP 429 for HTTP HEAD to 'https://a/b'": "network",
    "IO Error: Could not establish connection error for HTTP GET to 'https://a/b'": "network",
    # Nothing that passes, and nothing we know
    'connection to server at "a", port 1 failed: FATAL:  database "b" does not exist': "unknown",
    "Got 1 result, configured to fail if != 0": "unknown",
    "TransactionContext Error: Current transaction is aborted (please ROLLBACK)": "unknown",
    "": "unknown",
}


@pytest.mark.parametrize("message", KNOWN)
def test_a_message_is_known_in_both_forms(message: str) -> None:
    assert classify(message).name == KNOWN[message]
    assert classify(brief(message)).name == KNOWN[message]


QUOTED = (
    "out of memory",
    "Out of Memory Error: failed to allocate",
    "IO Error: Could not write file 'a': No space left on device",
    "TransactionContext Error: Conflict on update!",
    "INTERRUPT Error: Interrupted!",
    "IO Error: Corrupt database file",
    "deadlock detected",
    "timed out after 1:00:00 and was killed: ",
)


@pytest.mark.parametrize("quoted", QUOTED)
@pytest.mark.parametrize(
    "message",
    [
        "Conversion Error: Could not convert string '{}' to INT32",
        'Constraint Error: Duplicate key "id: {}" violates primary key constraint.',
        "TransactionContext Error: Failed to commit: PRIMARY KEY or UNIQUE constraint violation: "
        'duplicate key "{}"',
        'Invalid Input Error: Could not parse string "{}" according to format specifier "%Y"',
        'Binder Error: Referenced column "{}" not found in FROM clause!',
    ],
)
def test_a_quoted_value_decides_nothing(message: str, quoted: str) -> None:
    assert classify(message.format(quoted)).remedy is Remedy.PERMANENT
    assert classify(HEADING + message.format(quoted)).remedy is Remedy.PERMANENT


@given(st.text())
def test_whatever_is_said_has_an_answer(message: str) -> None:
    assert classify(message) in (*RULES, UNKNOWN)


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert UNKNOWN.remedy is Remedy.PERMANENT


@pytest.mark.parametrize(
    ("remedy", "attempts", "allowed"),
    [
        (Remedy.TRANSIENT, 4, [True, True, True, False]),
        (Remedy.TRANSIENT, 1, [False]),
        (Remedy.ONCE, 4, [True, False, False]),
        (Remedy.ONCE, 1, [False]),
        (Remedy.HALT, 4, [False]),
        (Remedy.PERMANENT, 4, [False]),
    ],
)
def test_how_often_it_is_tried(remedy: Remedy, attempts: int, allowed: list[bool]) -> None:
    rule = next(rule for rule in RULES if rule.remedy is remedy)
    policy = Retries(attempts=attempts)
    assert [allows_another(rule, n, policy) for n in range(1, len(allowed) + 1)] == allowed


@st.composite
def policies(draw: st.DrawFn) -> Retries:
    backoff = draw(st.integers(0, 999_999 * 86_400))
    longest = draw(st.integers(backoff, 999_999 * 86_400))
    return Retries(backoff=timedelta(seconds=backoff), max_backoff=timedelta(seconds=longest))


@given(policies(), st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_stays_within_its_bounds(policy: Retries, attempt: int, chance: float) -> None:
    longest = delay(attempt, policy, lambda: 1.0)
    assert timedelta(0) <= delay(attempt, policy, lambda: chance) <= longest <= policy.max_backoff


@given(policies(), st.integers(1, 10_000))
def test_the_longest_delay_doubles_up_to_the_cap(policy: Retries, attempt: int) -> None:
    longest, then = (delay(n, policy, lambda: 1.0) for n in (attempt, attempt + 1))
    assert delay(1, policy, lambda: 1.0) == policy.backoff
    assert then == min(longest * 2, policy.max_backoff)


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        delay(0, Retries(), lambda: 1.0)


def test_who_is_fenced_off_by_the_warehouse_comes_back_with_a_higher_fence():
    said = (
        "Compilation Error in model orders (models/orders.sql)\n"
        "  daybreak: a newer run (fence 101) has published a window of orders that this one "
        "(fence 100) still held: nothing to do, it was done"
    )
    assert classify(said).name == classify(brief(said)).name == "fenced off"
    assert classify(said).remedy is Remedy.TRANSIENT
