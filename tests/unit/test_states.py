from itertools import product

import pytest

from runner.core.states import RunState, Verdict, sources, worst

QUEUED, RUNNING, RETRYING, SUCCESS, INCORRECT, UNCHECKED, FAILED, CANCELLED = RunState
FINAL = [SUCCESS, INCORRECT, UNCHECKED, FAILED, CANCELLED]
LEGAL = {
    (QUEUED, RUNNING),
    (QUEUED, CANCELLED),
    (RUNNING, RETRYING),
    (RETRYING, RUNNING),
    (RETRYING, FAILED),
    (RETRYING, CANCELLED),
    *((RUNNING, final) for final in FINAL),
}


@pytest.mark.parametrize(("old", "new"), list(product(RunState, RunState)))
def test_only_the_legal_transitions_are_allowed(old: RunState, new: RunState):
    assert (old in sources(new)) == ((old, new) in LEGAL)


def test_five_states_are_final():
    assert [state for state in RunState if state.finished] == FINAL


@pytest.mark.parametrize(
    ("ran", "correct", "state"),
    [
        (True, True, SUCCESS),
        (True, False, INCORRECT),
        (True, None, UNCHECKED),
        (False, None, FAILED),
    ],
)
def test_two_verdicts_are_one_final_state_and_back(
    ran: bool, correct: bool | None, state: RunState
):
    assert Verdict(ran, correct).state is state
    assert state.verdict == Verdict(ran, correct)


@pytest.mark.parametrize("state", [QUEUED, RUNNING, RETRYING, CANCELLED])
def test_a_run_that_did_not_come_to_an_end_has_no_verdict(state: RunState):
    assert state.verdict == Verdict(None, None)


def test_what_is_not_known_yet_is_no_state():
    with pytest.raises(ValueError, match="wait until the run has finished"):
        _ = Verdict(None, None).state


@pytest.mark.parametrize("ran", [False, None])
@pytest.mark.parametrize("correct", [False, True])
def test_what_did_not_run_cannot_be_judged(ran: bool | None, correct: bool):
    with pytest.raises(ValueError, match="without having run"):
        Verdict(ran, correct)


@pytest.mark.parametrize(("left", "right"), list(product(FINAL, FINAL)))
def test_a_run_is_as_good_as_the_worst_of_its_models(left: RunState, right: RunState):
    badness = [SUCCESS, UNCHECKED, INCORRECT, CANCELLED, FAILED]
    assert worst([left, SUCCESS, right]) is max(left, right, key=badness.index)


@pytest.mark.parametrize("states", [[], [SUCCESS, RUNNING]])
def test_unfinished_models_have_no_worst(states: list[RunState]):
    with pytest.raises(ValueError, match="not all final"):
        worst(states)
