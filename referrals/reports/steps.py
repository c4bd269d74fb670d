"""What a row of the report has reached, as tables: each number of the page is one of these tests over the rows.

A test is `clinical` when it tells what somebody answered, or what was decided with them; that a form came back does
not. Who reads the counts of a practice without its charts sees such a number only when it is made of FEWEST or more,
and the rows behind it without a name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from referrals.actions.acts import WhyNot
from referrals.models import ClientWord, Decision
from referrals.reports.cases import Case
from referrals.states import State

FEWEST = 5  # a rate, a median, or a clinical number across caseloads is made of so many at least
Words = str | Promise
Ask = Callable[[Case], bool]
Choice = Decision.Choice


@dataclass(frozen=True, slots=True)
class Test:
    words: Words
    holds: Ask
    clinical: bool = False


# The way from a flag to its outcome. Reached is what holds together with everything before it, so that no step is ever
# larger than the one before.
FUNNEL: dict[str, Test] = {
    "flagged": Test(_("Flagged for referral"), lambda row: True, clinical=True),
    "decided": Test(_("Decision recorded"), lambda row: row.decided_at is not None, clinical=True),
    "referred": Test(_("Referred"), lambda row: row.sent_at is not None),
    "accepted": Test(_("Accepted by clinic"), lambda row: row.accepted_at is not None),
    "first": Test(_("First infusion"), lambda row: row.first_on is not None),
    "finished": Test(_("Finished the series"), lambda row: bool(row.planned) and row.given >= row.planned),
    "followed": Test(_("Follow-up PHQ-9 in 14 days"), lambda row: row.after is not None),
}
STEPS = tuple(FUNNEL)


def reached(row: Case) -> int:
    """How many steps of the funnel hold from its beginning on. Counted once for each row."""
    if not row.steps:
        row.steps = next((n for n, test in enumerate(FUNNEL.values()) if not test.holds(row)), len(FUNNEL))
    return row.steps


def has(step: str) -> Ask:
    least = STEPS.index(step) + 1
    return lambda row: reached(row) >= least


def _led(step: str) -> Ask:
    holds = has(step)
    return lambda row: row.leads and holds(row)


first, finished, followed = has("first"), has("finished"), has("followed")
# What the table of clinics counts: every clinic that was asked, also one that said no before the next was asked.
ASKED: dict[str, Test] = {
    "sent": Test(_("Sent"), has("referred")),
    "yes": Test(_("Accepted"), has("accepted")),
    "no": Test(
        _("Declined"), lambda row: row.sent_at is not None and row.declined_at is not None and row.accepted_at is None
    ),
    "back": Test(
        _("Taken back"),
        lambda row: row.sent_at is not None and row.accepted_at is None and row.declined_at is None and row.ended,
    ),
    "silent": Test(
        _("No answer"),
        lambda row: row.sent_at is not None and row.accepted_at is None and row.declined_at is None and not row.ended,
    ),
    "started": Test(_("Started"), first),
    "going": Test(_("In treatment"), lambda row: first(row) and not finished(row) and not is_over(row)),
    "done": Test(_("Finished"), finished),
    "early": Test(_("Stopped early"), lambda row: first(row) and not finished(row) and is_over(row)),
    "scored": Test(_("With follow-up"), followed),
    "unscored": Test(_("Without follow-up"), lambda row: finished(row) and not followed(row)),
    "compared": Test(_("With a score before and after"), lambda row: followed(row) and row.before is not None),
    "response": Test(_("Response"), lambda row: followed(row) and row.change.response is True, clinical=True),
    "remission": Test(_("Remission"), lambda row: followed(row) and row.change.remission is True, clinical=True),
    "letter": Test(_("Report received back"), lambda row: row.sent_at is not None and row.letter),
    "no_letter": Test(_("No report yet"), lambda row: row.sent_at is not None and not row.letter),
    "undecided": Test(_("Waiting for a decision"), lambda row: row.leads and reached(row) == 1, clinical=True),
}


def is_over(row: Case) -> bool:
    return row.stopped or row.ended


TESTS: Mapping[str, Test] = {code: Test(test.words, _led(code), test.clinical) for code, test in FUNNEL.items()} | ASKED


def passed(row: Case) -> tuple[str, ...]:
    """The tests that hold of it, by code. Asked once for each row."""
    if row.passes is None:
        row.passes = tuple([code for code, test in TESTS.items() if test.holds(row)])
    return row.passes


# --- Where people stop, and why --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    after: str
    """The last step that was reached."""
    words: Words
    holds: Ask


def _chose(*choices: str) -> Ask:
    return lambda row: row.choice in choices


def _declined_for(code: str) -> Ask:
    return lambda row: row.declined_at is not None and row.reason == code


# In order: the first that holds says why.
STOPS: dict[str, Stop] = {
    "kap": Stop("decided", _("KAP here"), _chose(Choice.KAP)),
    "watch": Stop("decided", _("Watching, recheck booked"), _chose(Choice.WATCH)),
    "not_yet": Stop("decided", _("Something is needed first"), _chose(Choice.NOT_YET)),
    "none_now": Stop("decided", _("No ketamine now"), _chose(Choice.NONE)),
    "care_today": Stop("decided", _("Needed care the same day"), _chose(Choice.CARE_TODAY)),
    "unwanted": Stop(
        "decided",
        _("Client chose something else"),
        lambda row: row.said in (Decision.Said.NO, Decision.Said.OTHER) and row.sent_at is None,
    ),
    "unsent": Stop("decided", _("Referral not sent yet"), _chose(*Decision.REFERS)),
    "noted": Stop("decided", _("Reviewed, no path chosen"), lambda row: True),
    **{
        f"no_{why.value}": Stop("referred", why.label, _declined_for(why.value)) for why in WhyNot
    },
    "taken_back": Stop("referred", _("Taken back"), lambda row: row.state in (State.CANCEL_ASKED, State.CANCELLED)),
    "put_away": Stop("referred", _("Put away without an answer"), lambda row: row.ended),
    "waiting": Stop("referred", _("No answer yet"), lambda row: True),
    "withdrawn": Stop("accepted", _("Clinic took its yes back"), lambda row: row.declined_at is not None),
    "changed": Stop(
        "accepted", _("Client changed their mind"), lambda row: row.client_said == ClientWord.Kind.CHANGED
    ),
    "called_off": Stop(
        "accepted", _("Taken back after the yes"), lambda row: row.state in (State.CANCEL_ASKED, State.CANCELLED)
    ),
    "over": Stop("accepted", _("Ended without a treatment"), lambda row: row.ended or row.stopped),
    "missed": Stop("accepted", _("Missed the visit"), lambda row: row.state == State.NO_SHOW),
    "booked": Stop("accepted", _("Date booked, waiting"), lambda row: row.visit_at is not None),
    "no_date": Stop("accepted", _("No date yet"), lambda row: True),
    "stopped": Stop("first", _("Stopped early"), is_over),
    "treated": Stop("first", _("Still in treatment"), lambda row: True),
}  # fmt: skip
HEADS: dict[str, Words] = {
    "decided": _("Not referred after a decision"),
    "referred": _("Referred, not accepted"),
    "accepted": _("Accepted, not started"),
    "first": _("Started, not finished"),
}


_AFTER = [[(code, stop.holds) for code, stop in STOPS.items() if stop.after == step] for step in STEPS]


def stop_of(row: Case) -> str:
    """Why this row went no further; "" for one that waits for its decision, or has finished."""
    return next((code for code, holds in _AFTER[reached(row) - 1] if holds(row)), "")


def lead(rows: list[Case]) -> None:
    """Mark, of the rows of each flag, the one that went furthest; of two that went as far, the later one."""
    furthest: dict[object, Case] = {}
    for row in rows:
        row.leads, row.passes = False, None
        known = furthest.get(row.root)
        if known is None or _distance(row) >= _distance(known):
            furthest[row.root] = row
    for row in furthest.values():
        row.leads = True


def _distance(row: Case) -> tuple[int, float]:
    return reached(row), row.sent_at.timestamp() if row.sent_at else 0.0
