"""The treatments of the demo: infusion courses as clinics report them, KAP plans and their sessions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from practice import audit
from practice.clinical import infusion, kap, planning
from practice.clinical.planning import Slot
from practice.kap.actions import absences, chaperone, clearance, requests
from practice.kap.actions.weighing import last_dose_on, zone_of
from practice.kap.models import DoseUse, Entry, OutsidePrescriber, Override, Plan, PlanChange, Route, Session
from practice.models import Client, Task, User
from referrals.models import Course, CourseSession

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

WEEK, LEAD = timedelta(days=7), timedelta(days=9)
TEMPLATES = {"weekly": "weekly", "intensive": "intensive-weekend", "booster": "booster"}
# Words and a dose of invented people; nothing of this is a default.
TROCHE_MG = Decimal(100)
WORDS = "Read the screening and the blood pressure of the visit. Call me for any reading over 140/90."
REASON = "Two days in a row: she stays with her sister, I am on the phone both days, and we meet between the doses."
ENDED = "All planned sessions done. Read the scores together and wrote down what helps."


def record(client: Client, person: Mapping[str, Any], story: "Story") -> tuple[str, str] | None:
    """Write the person's treatments; return plan and note for the caseload, of the newest one."""
    said = None
    for row in person.get("courses", ()):
        said = _course(client, row, story)
    for row in person.get("plans", ()):
        said = _plan(client, row, story)
    if "outside" in person:
        _ask_outside(client, person["outside"], story)
    if "away" in person:
        first, last = person["away"]
        _away(client, first, last, story)
    return said


def _ask_outside(client: Client, row: Mapping[str, str], story: "Story") -> None:
    """Somebody without an account prescribes for them, too, and is asked about the doses of the newest plan."""
    assert client.therapist is not None
    to = OutsidePrescriber.objects.create(
        name=row["name"], licence=row["licence"], email=row["email"], phone=row["phone"], is_demo=True
    )
    plan = client.plans.order_by("-started_on").first()
    requests.ask(by=client.therapist, client=client, to=to, plan=plan, words=row["words"], at=story.when(row["at"]))


def _away(client: Client, first: int, last: int, story: "Story") -> None:
    """Days ahead on which the client cannot come, as they said themselves; their therapist's days off after them."""
    today = story.at.astimezone(story.zone).date()
    days = {"first_on": today + timedelta(days=first), "last_on": today + timedelta(days=last)}
    absences.add_for(by=client, client=client, at=story.at, **days)
    if client.therapist is not None:
        later = {name: day + WEEK for name, day in days.items()}
        absences.add(by=client.therapist, user=client.therapist, at=story.at, **later)


def short(day: date) -> str:
    return f"{day:%b} {day.day}"


def _course(client: Client, row: Mapping[str, Any], story: "Story") -> tuple[str, str]:
    first = story.when(row["first"]).date()
    stopped, done = row.get("stopped", False), row["given"] == row["planned"]
    state = Course.State.STOPPED if stopped else Course.State.DONE if done else Course.State.UNDER_WAY
    course = Course.objects.create(
        client=client, clinic=row["clinic"], planned=row["planned"], state=state, started_on=first
    )
    for number, day in enumerate(infusion.plan(first)[: row["planned"]], 1):
        given = number <= row["given"]
        missed = "missed" in row and number == row["given"] + 1
        if missed:
            day = story.when(row["missed"]).date()
            at = story.when(row["missed"].replace("d", "d 15:00"))
            Task.open(client, "missed", at=at, subject_id=course.pk, due_at=at + timedelta(days=2))
        if given or missed or not stopped:
            made = CourseSession.State.DONE if given else CourseSession.State.MISSED if missed else None
            CourseSession.objects.create(
                course=course, number=number, on=day, state=made or CourseSession.State.PLANNED
            )
    audit.record("course.recorded", by=None, client=client, target=course, at=story.at)
    if state == Course.State.UNDER_WAY:
        return "Infusions", f"{row['given']} of {row['planned']}, {row['clinic']}"
    return "Infusions", f"stopped after {row['given']}" if stopped else f"done {short(day)}"


def _plan(client: Client, row: Mapping[str, Any], story: "Story") -> tuple[str, str]:
    first, zone = story.when(row["first"]).date(), zone_of(client)
    done = row["given"] == row["planned"]
    before = client.plans.order_by("-started_on").first()
    anchor, due = _booster(client, row, story)
    made_at = story.when(row["first"]) - LEAD if due is None else story.when(row["first"])
    key, clock = TEMPLATES[row["shape"]], time(row.get("clock", 10))
    plan = Plan.objects.create(
        client=client,
        follows=before,
        shape=row["shape"],
        template=key,
        planned=row["planned"],
        started_on=due or first,
        therapist=client.therapist,
        zone=str(zone),
        clock=clock,
        anchor_on=anchor,
        due_on=due,
        created_at=made_at,
        created_by=client.therapist,
    )
    count = row["planned"] if row["shape"] == "weekly" else None
    slots = planning.slots(planning.templates()[key], due or first, clock, zone, count=count)
    for slot, starts in _times(slots, row["given"], story.at):
        state = Session.State.DONE if starts <= story.at else Session.State.PLANNED
        Session.objects.create(
            plan=plan, kind=slot.kind, number=slot.number, starts_at=starts, minutes=slot.minutes, state=state,
            therapist=client.therapist, changed_at=made_at,
        )  # fmt: skip
    _note(plan, PlanChange.What.MADE, client.therapist, made_at, after={"template": key, "doses": row["planned"]})
    _clear(plan, made_at, story, until=due)
    _after(plan, row)
    if "home" in row:
        _by_video(plan, row["home"], story)
    if done:
        _end(plan)
    audit.record("plan.recorded", by=None, client=client, target=plan, at=story.at)
    if due:
        return "KAP booster", f"due {short(due)}"
    if row["shape"] == "weekly":
        return "KAP weekly", "done" if done else f"{row['given']} of {row['planned']}"
    return "KAP intensive", f"done {short(first + timedelta(days=1))}"


def _by_video(plan: Plan, home: Mapping[str, str], story: "Story") -> None:
    """The next dose is by video, and the adult in the home has a link."""
    ahead = plan.sessions.filter(kind=Session.Kind.DOSING, state=Session.State.PLANNED).first()
    if ahead is not None and plan.therapist is not None:
        chaperone.place(by=plan.therapist, session=ahead, setting=Session.Setting.REMOTE, at=story.at)
        chaperone.ask(by=plan.therapist, session=ahead, name=home["name"], phone=home["phone"], at=story.at)


def _booster(client: Client, row: Mapping[str, Any], story: "Story") -> tuple[date | None, date | None]:
    """The dose that a booster counts from, when it is that dose's own, and the day on which it is due."""
    if "due_in" not in row:
        return None, None
    wanted = story.at.astimezone(story.zone).date() + timedelta(days=row["due_in"])
    last = last_dose_on(client)
    counted = kap.add_months(last, kap.BOOSTER_MONTHS) if last else None
    return (last, counted) if counted and abs((counted - wanted).days) < kap.BOOSTER_WINDOW_DAYS else (None, wanted)


def _times(slots: Sequence[Slot], given: int, at: datetime) -> Iterator[tuple[Slot, datetime]]:
    """Each session with its time; what comes after the doses that were given lies ahead, whole weeks later."""
    upto = [slot for slot in slots if slot.kind == planning.DOSING][given:]
    shift = timedelta()
    while upto and upto[0].starts + shift <= at:
        shift += WEEK
    for slot in slots:
        yield slot, slot.starts + shift if upto and slot.starts >= upto[0].starts else slot.starts


def _clear(plan: Plan, at: datetime, story: "Story", *, until: date | None) -> None:
    """What the prescriber cleared for it, two doses first, and which doses used it; a weekend needs their reason."""
    prescriber = plan.client.prescriber
    doses = list(plan.sessions.filter(kind=Session.Kind.DOSING))
    if prescriber is None or (until and (until - story.at.date()).days > max(kap.BOOSTER_REMIND_DAYS)):
        plan.sessions.filter(state=Session.State.PLANNED).exclude(kind=Session.Kind.PREPARATION).update(
            state=Session.State.WAITING
        )
        return
    for some in (doses[:2], doses[2:]):
        if some:
            _grant(plan, prescriber, some, max(at, some[0].starts_at - LEAD) if some[0].starts_at < story.at else at)
    if plan.shape == Plan.Shape.INTENSIVE:
        row = Override(plan=plan, codes=[kap.UNDER_48_HOURS], by=prescriber, at=at)
        row.words = REASON
        row.save(force_insert=True)
        _note(plan, PlanChange.What.OVERRIDDEN, prescriber, at, after={"codes": row.codes}, said=REASON)


def _grant(plan: Plan, prescriber: User, doses: Sequence[Session], at: datetime) -> None:
    cleared = clearance.grant(
        by=prescriber,
        client=plan.client,
        doses=len(doses),
        until=doses[-1].starts_at.date() + 4 * WEEK,
        most_mg=TROCHE_MG,
        route=Route.SUBLINGUAL,
        words=WORDS,
        at=at,
    )
    for dose in doses:
        if dose.state == Session.State.DONE:
            DoseUse.objects.create(clearance=cleared, session=dose, at=dose.starts_at)


def _after(plan: Plan, row: Mapping[str, Any]) -> None:
    """What the last dose left to do: an adverse event to follow up, or an integration that nobody booked."""
    last = plan.sessions.filter(kind=Session.Kind.DOSING, state=Session.State.DONE).last()
    if last is None:
        return
    if "event" in row:
        at = last.starts_at + timedelta(hours=1)
        entry = Entry(session=last, kind=Entry.Kind.EVENT, happened_at=at, at=at, by=plan.therapist)
        entry.facts = {"what": row["event"], "grade": 3, "action": row["action"], "words": ""}
        entry.save(force_insert=True)
        Task.open(plan.client, "adverse", at=at, subject_id=plan.pk, due_at=at)
    if row.get("unbooked"):
        plan.sessions.filter(kind=Session.Kind.INTEGRATION, number=last.number).update(state=Session.State.SKIPPED)
        due = last.starts_at + timedelta(hours=72)
        Task.open(plan.client, "kap_integrate", at=last.starts_at, subject_id=plan.pk, due_at=due)


def _end(plan: Plan) -> None:
    last = plan.sessions.latest("starts_at").starts_at + timedelta(hours=2)
    plan.state, plan.ended_at, plan.ended_by, plan.end_words = Plan.State.DONE, last, plan.therapist, ENDED
    plan.save(update_fields=["state", "ended_at", "ended_by", "end_words"])
    _note(plan, PlanChange.What.COMPLETED, plan.therapist, last, said=ENDED)


def _note(plan: Plan, what: str, by: User | None, at: datetime, *, after: Any = None, said: str = "") -> None:
    row = PlanChange(plan=plan, what=what, after=after or {}, by=by, at=at)
    row.words = said
    row.save(force_insert=True)
