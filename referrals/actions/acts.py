"""What one press writes on a referral: the machinery under the events (actions.events), and who wins when two press.

An act claims the referral by a conditional UPDATE on its state and version; who comes second reads who was first and
what stands now, and nothing of theirs is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict

from dateutil.relativedelta import relativedelta
from django.db import models
from django.db.models import F, Max, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, coverage
from practice.actions import NotNow
from practice.models import Practice, User
from practice.templatetags.ui import moment
from referrals import states
from referrals.actions import clocks, courses, news
from referrals.actions.news import tell_client, tell_practice
from referrals.models import Course, CourseSession, DeskKey, Letter, Path, Referral, StatusChange
from referrals.states import Actor, Event

Channel = StatusChange.Channel
UNDO = timedelta(hours=24)  # a clinic may take its own entry back this long; staff at any time
SLACK = timedelta(minutes=5)  # between two clocks
FARTHEST = relativedelta(years=1)
WITH_COURSE = (Path.INFUSION, Path.PAIN)
BOOKS = (Event.SCHEDULE, Event.RESCHEDULE)
ENDS_VISIT = (Event.NO_SHOW, Event.CANCEL_VISIT, Event.VISIT, Event.DECLINE, Event.OUTCOME, Event.CONFIRM_CANCEL)
ENDS = (Event.DECLINE, Event.OUTCOME, Event.CONFIRM_CANCEL)


class Told(TypedDict):
    """Who says it and how we know: what every act is given. `seen`: the version that the person was looking at."""

    channel: str
    at: datetime
    by: NotRequired[User | None]
    by_key: NotRequired[DeskKey | None]
    by_name: NotRequired[str]
    seen: NotRequired[int | None]


class WhyNot(models.TextChoices):
    """Why a clinic declines (G6)."""

    FULL = "full", _("No place soon")
    SUICIDAL = "suicidal", _("Does not take clients with suicidal thoughts")
    INSURANCE = "insurance", _("Insurance or price")
    NOT_SUITABLE = "not_suitable", _("Not suitable for this treatment")
    AREA = "area", _("Out of area")
    NO_ANSWER = "no_answer", _("Could not reach the client")
    OTHER = "other", _("Another reason")


@dataclass(frozen=True)
class Teller:
    """Who says it, and how we know."""

    actor: Actor
    channel: str
    at: datetime
    by: User | None = None
    by_key: DeskKey | None = None
    by_name: str = ""
    happened_at: datetime | None = None
    reason: str = ""
    words: str = ""

    @property
    def name(self) -> str:
        return self.by_name.strip() or (self.by_key.name or self.by_key.email if self.by_key else "")


class Act:
    """What one press writes: one event, or the few that a report of a session stands for. Undone together."""

    def __init__(self, referral: Referral, actor: Actor, told: Told, **said: Any) -> None:
        seen = told.get("seen")
        who = {name: value for name, value in told.items() if name != "seen"}
        self.referral, self.teller = referral, Teller(actor, **who, **said)  # type: ignore[arg-type]
        self.changes: list[StatusChange] = []
        self.first = 0
        self.kept: dict[str, Any] = {}  # what stood before, besides the referral's own columns
        check_teller(self.teller)
        if seen is not None and seen != referral.version:
            raise NotNow(overtaken(referral))

    def step(
        self,
        event: str,
        *,
        visit_at: datetime | None = None,
        letter: Letter | None = None,
        session: CourseSession | None = None,
    ) -> StatusChange:
        referral, teller = self.referral, self.teller
        step = states.step(referral.state, event, teller.actor)
        if step is None:
            raise NotNow(refusal(referral, event, teller.actor))
        _check_event(referral, event, teller, visit_at, letter)
        visit = {"visit_at": iso(referral.visit_at), "visit_confirmed_at": iso(referral.visit_confirmed_at)}
        claim(referral, step.target, teller.at, **_effects(referral, event, teller, visit_at))
        number = next_number(referral)
        before = {"act": self.first or number} | ({} if self.first else {"visit": visit} | self.kept)
        self.first = before["act"]
        change = StatusChange(
            referral=referral,
            number=number,
            event=step.event,
            tid=step.tid,
            source=step.source,
            target=step.target,
            evidence=letter,
            session=session,
            visit_at=visit_at,
            before=before,
            **signed(teller),
        )
        change.words = teller.words.strip()
        change.save(force_insert=True)
        note(f"referral.{step.event}", referral, teller, tid=step.tid)
        self.changes.append(change)
        return change

    def follow(self) -> None:
        """What follows from the events of this act: the course, open items, the clock, and who is told, once."""
        referral, teller = self.referral, self.teller
        for change in self.changes:
            _keep_course(referral, change)
        clocks.restart(referral, teller.at)
        news.open_items(referral, self.changes, teller.at)
        tell(referral, self.changes, teller.by, teller.at)
        if any(change.event == Event.ASK_CANCEL for change in self.changes):
            news.tell_clinic(referral, "desk_taken_back")


def tell(referral: Referral, changes: Sequence[StatusChange], by: User | None, at: datetime) -> None:
    """Say once per act that something happened: to the practice by reference only, to the client that there is news."""
    if any(change.actor == Actor.RECIPIENT for change in changes):
        tell_practice(referral, by=by)
    tell_client(referral, [change.event for change in changes], at)


def check_teller(teller: Teller) -> None:
    if (teller.by is None) == (teller.by_key is None):
        raise ValueError("an event is recorded by a member of staff or by a clinic's key")
    if teller.actor == Actor.INITIATOR and teller.by is None:
        raise NotNow(gettext("Only the practice may do this."))
    if teller.actor == Actor.RECIPIENT and teller.by is not None and teller.channel in (Channel.LINK, Channel.HERE):
        raise NotNow(gettext("Say how the clinic told you: by phone, fax, e-mail or letter."))
    if teller.happened_at is not None and teller.happened_at > teller.at + SLACK:
        raise NotNow(gettext("This lies in the future. Give the day on which it happened."))


def _check_event(
    referral: Referral, event: str, teller: Teller, visit_at: datetime | None, letter: Letter | None
) -> None:
    if event == Event.SEND and referral.destination is None:
        raise NotNow(gettext("Choose a clinic first."))
    if event == Event.DECLINE and teller.reason not in WhyNot.values:
        raise NotNow(gettext("Choose a reason for declining."))
    if event == Event.ASK_CANCEL and not (teller.words.strip() or teller.reason):
        raise NotNow(gettext("Write why the referral is taken back."))
    if event == Event.OUTCOME and (letter is None or letter.referral_id != referral.pk):
        raise NotNow(gettext("A referral is completed by an outcome report: add the letter as a file, or type it."))
    if event in BOOKS:
        if visit_at is None:
            raise NotNow(gettext("Give the date of the visit."))
        check_visit(referral, visit_at, teller.at)


def check_visit(referral: Referral, visit_at: datetime, at: datetime) -> None:
    if not referral.created_at - UNDO <= visit_at <= at + FARTHEST:
        raise NotNow(gettext("Check the day: it is before the referral, or more than a year away."))


def _effects(referral: Referral, event: str, teller: Teller, visit_at: datetime | None) -> dict[str, Any]:
    """The columns of the referral that this event sets besides its state."""
    at = teller.at
    found: dict[str, Any] = {}
    if event == Event.SEND:
        found |= {"sent_at": at, "sent_by": teller.by}
    if teller.actor == Actor.RECIPIENT:
        found |= heard(referral, at)
    if event in BOOKS:
        found |= {"visit_at": visit_at, "visit_confirmed_at": None}
    if event in ENDS_VISIT:
        found |= {"visit_at": None, "visit_confirmed_at": None}
    return found


def heard(referral: Referral, at: datetime) -> dict[str, Any]:
    """A sign of life of the clinic. One that was put away for its silence is not silent any more."""
    found: dict[str, Any] = {"heard_at": at, "received_at": referral.received_at or at, "client_asked_at": None}
    if referral.closed_why == clocks.SILENT:
        found |= {"closed_at": None, "closed_why": ""}
    return found


def claim(referral: Referral, target: str, at: datetime, **columns: Any) -> None:
    """Take the referral as this caller saw it to its new state, or say who was first. Exactly one caller wins."""
    columns = {"state": target, "state_at": at if target != referral.state else referral.state_at} | columns
    mine = Referral.objects.filter(pk=referral.pk, state=referral.state, version=referral.version)
    if not mine.update(version=F("version") + 1, **columns):
        raise NotNow(overtaken(referral))
    for name, value in columns.items():
        setattr(referral, name, value)
    referral.version += 1


def overtaken(referral: Referral) -> str:
    """Who was first, and what stands now: for the one who pressed second."""
    now = Referral.objects.get(pk=referral.pk)
    last = now.changes.select_related("by", "by_key").last()
    if last is None:
        return gettext("Somebody changed this referral meanwhile. Look at it again before you go on.")
    return gettext("{who} was first: {event}, {when}. It stands at “{state}” now. Nothing was changed by you.").format(
        who=said_by(last), event=last.get_event_display(), when=moment(last.at), state=now.get_state_display()
    )


def said_by(change: StatusChange) -> str:
    """The person at the clinic, or the member of staff who wrote it down."""
    if change.by_key is not None:
        return change.by_name or change.by_key.name or change.by_key.email
    return str(change.by) if change.by is not None else gettext("Somebody")


def refusal(referral: Referral, event: str, actor: Actor) -> str:
    now = Referral.objects.get(pk=referral.pk)
    if now.version != referral.version:
        return overtaken(referral)
    possible = [str(each.label) for each in states.open_to(now.state, actor)]
    said = gettext("“{event}” is not possible: this referral stands at “{state}”.").format(
        event=Event(event).label, state=now.get_state_display()
    )
    if possible:
        return said + " " + gettext("Possible now: {list}.").format(list=", ".join(possible))
    return said + " " + gettext("If an earlier entry was wrong, correct that one.")


def signed(teller: Teller) -> dict[str, Any]:
    return {
        "actor": teller.actor,
        "by": teller.by,
        "by_key": teller.by_key,
        "by_name": teller.name[:80],
        "channel": teller.channel,
        "reason": teller.reason[:20],
        "happened_at": teller.happened_at or teller.at,
        "at": teller.at,
    }


def next_number(referral: Referral) -> int:
    return int(referral.changes.aggregate(n=Max("number"))["n"] or 0) + 1


def note(action: str, referral: Referral, teller: Teller, **facts: Any) -> None:
    if teller.by_key is not None:
        facts["key"] = str(teller.by_key.pk)
    audit.record(
        action, by=teller.by or teller.by_key, client=referral.client_id, target=referral, at=teller.at, **facts
    )


def iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _keep_course(referral: Referral, change: StatusChange) -> None:
    """A course of infusions begins with the acceptance and is told by its sessions; an end leaves nothing planned."""
    if change.event == Event.ACCEPT and referral.path in WITH_COURSE and referral.destination is not None:
        Course.objects.get_or_create(
            referral=referral,
            defaults={
                "client": referral.client,
                "clinic": referral.destination.name,
                "started_on": coverage.local(change.happened_at, Practice.get()).date(),
            },
        )
    if change.event not in ENDS:
        return
    if (course := course_of(referral)) is not None:
        planned(course).delete()
        if course.state == Course.State.UNDER_WAY:
            given = course.sessions.filter(state=CourseSession.State.DONE, is_maintenance=False).count()
            course.state = Course.State.DONE if given >= course.planned else Course.State.STOPPED
            course.save(update_fields=["state"])
            if 0 < given < course.planned:
                news.course_stopped(referral, change.at)
    courses.over(referral, by=change.by, at=change.at)


def standing(course: Course) -> dict[str, Any]:
    """What an end of the course, or of the referral, takes away."""
    return {"sessions": {str(each.number): snapshot(each) for each in planned(course)}, "course": course.state}


def course_of(referral: Referral) -> Course | None:
    found: Course | None = Course.objects.filter(referral=referral).first()
    return found


def snapshot(session: CourseSession | None) -> dict[str, Any] | None:
    if session is None:
        return None
    return {
        "on": session.on.isoformat(),
        "at": iso(session.at),
        "reported_at": iso(session.reported_at),
        "route": session.route,
        "state": session.state,
        "is_maintenance": session.is_maintenance,
    }


def planned(course: Course) -> QuerySet[CourseSession]:
    return course.sessions.filter(state=CourseSession.State.PLANNED)
