"""How a referral stands, in the words of the list, the chart and its own page."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.templatetags.ui import day, moment
from referrals import states
from referrals.actions import clocks, delivery, drafts, events
from referrals.models import CourseSession, Referral, Sending, StatusChange
from referrals.states import Event, State

TONES = {
    State.DRAFT: "",
    State.SENT: "watch",
    State.DECLINED: "refer",
    State.NO_SHOW: "refer",
    State.CANCEL_ASKED: "refer",
    State.CANCELLED: "",
    State.COMPLETED: "good",
}
ICONS = {
    State.DRAFT: "pencil",
    State.SENT: "send",
    State.DECLINED: "octagon-alert",
    State.NO_SHOW: "triangle-alert",
    State.COMPLETED: "circle-check",
}


def state_words(referral: Referral) -> str:
    """How it stands, with what the published states do not say: opened, sessions done (G11)."""
    if referral.closed_why == drafts.DISCARDED:
        return gettext("Put away")
    if referral.state == State.SENT and referral.received_at:
        return gettext("Received by the clinic")
    if referral.state == State.SENT and referral.opened_at:
        return gettext("Opened")
    done = sessions_done(referral)
    if done and referral.state in states.IN_TREATMENT:
        return gettext("In treatment {n} of {m}").format(n=done[0], m=done[1])
    return str(State(referral.state).label)


def sessions_done(referral: Referral) -> tuple[int, int] | None:
    course = getattr(referral, "course", None) if referral.state != State.DRAFT else None
    if course is None:
        return None
    done = [s for s in course.sessions.all() if s.state == CourseSession.State.DONE and not s.is_maintenance]
    return (len(done), course.planned) if done else None


def chip(referral: Referral) -> dict[str, str]:
    state = State(referral.state)
    return {"tone": TONES.get(state, "watch"), "icon": ICONS.get(state, "clock"), "text": state_words(referral)}


def visit_words(at: datetime | None) -> str:
    """When a visit is, in the zone of the page; a clinic may have given the day alone."""
    if at is None:
        return ""
    return moment(at) if timezone.localtime(at).time() != time.min else day(at)


def next_words(referral: Referral) -> str:
    if referral.state == State.DRAFT and referral.closed_at is None:
        return gettext("Not sent yet")
    if referral.closed_at is not None and referral.closed_why == clocks.SILENT:
        return gettext("Put away after a long silence")
    if referral.visit_at is not None:
        return gettext("Visit {when}").format(when=visit_words(referral.visit_at))
    if referral.due_at is not None and referral.is_open:
        return CLOCK_WORDS.get(referral.clock, gettext("An answer is due {when}")).format(when=moment(referral.due_at))
    return ""


CLOCK_WORDS = {
    "open": _("To be opened by {when}"),
    "accept": _("Answer due {when}"),
    "date": _("A date is due {when}"),
    "treatment": _("Next word due {when}"),
    "letter": _("Letter due {when}"),
    "cancel": _("Their confirmation is due {when}"),
}


def trouble_words(referral: Referral) -> str:
    """What became of the newest message that went to the clinic, when it did not arrive."""
    newest = max(referral.sendings.all(), key=lambda s: s.at, default=None)
    if newest is None or newest.state != Sending.State.BOUNCED or newest.trouble == delivery.NOT_REACHED:
        return ""
    return gettext("Came back: {why}").format(why=trouble_of(newest))


TROUBLES = {
    "SMTPRecipientsRefused": _("the mail server refused the address"),
}


def trouble_of(row: Sending) -> str:
    return str(TROUBLES.get(row.trouble, row.trouble)) or gettext("no reason given")


def steps(row: Referral, history: Sequence[StatusChange]) -> list[dict[str, Any]]:
    """The short line of steps: done with its day, the one it stands at, what is ahead (mock-up d)."""
    standing = [change for change in history if not hasattr(change, "corrected_by") and change.event != events.CORRECT]

    def when(*wanted: str) -> datetime | None:
        return next((change.happened_at for change in standing if change.event in wanted), None)

    done, given = sessions_done(row), _given(row)
    rows: list[tuple[str, date | None]] = [
        (gettext("Sent"), row.sent_at),
        (gettext("Opened"), row.opened_at or row.received_at),
        (gettext("Accepted"), when(Event.ACCEPT)),
        (gettext("First session"), given[0] if given else when(Event.VISIT)),
        (gettext("Letter"), when(Event.OUTCOME)),
    ]
    if row.state == State.DECLINED:
        rows = [*[r for r in rows[:3] if r[1]], (gettext("Declined"), when(Event.DECLINE) or row.state_at)]
    elif row.state in (State.CANCEL_ASKED, State.CANCELLED):
        rows = [*[r for r in rows if r[1]], (str(State(row.state).label), row.state_at)]
    elif done and rows[3][1]:
        last = given[-1] if done[0] >= done[1] else None
        rows.insert(4, (gettext("{n} of {m} done").format(n=done[0], m=done[1]), last))
    found = [
        {"label": label, "when": day(at) if at else "", "done": at is not None, "now": False} for label, at in rows
    ]
    ahead = next((step for step in found if not step["done"]), None)
    if ahead is not None:
        ahead["now"] = True
    return found


def _given(row: Referral) -> list[date]:
    """The days on which sessions were given, the first one first; a clinic may tell of them days later."""
    course = getattr(row, "course", None)
    return sorted(s.on for s in course.sessions.all() if s.state == CourseSession.State.DONE) if course else []
