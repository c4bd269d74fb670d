"""The referrals of the demo: from the draft to the letter, by the acts that staff and clinics use."""

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateutil.relativedelta import relativedelta

from intake.models import Measure
from practice import audit, safety_plan
from practice.models import Client, SafetyPlan, User
from referrals import holds, letters
from referrals.actions import client_words, decisions, delivery, desk, directory, drafts, events, releases, sending
from referrals.actions.acts import BOOKS
from referrals.actions.letters import mark_read
from referrals.models import CareToday, Decision, Destination, Packet, Referral, Section, Sending
from referrals.states import Actor, Event

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

DATA = Path(__file__).parent / "referrals.toml"
CLEARED = "Asked again in session, and read with the prescriber. It does not stand in the way now."
KEEP = 8  # the newest packets get their PDF, as the job would make it


def plan(story: "Story") -> None:
    """Plan the clinics and every referral, each act at its time."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    clinics: dict[str, Destination] = {}
    opening = story.when("550d 9:00")
    for row in data["clinics"]:
        story.do(opening, _add, clinics, row, opening)
    for row in data["referrals"]:
        at = story.when(row["at"])
        story.do(at, _send, story, row, clinics, at)
        for moment, what, *more in row.get("says", ()):
            then = story.when(moment)
            story.do(then, _say, story, row["client"], what, more, then)
    for row in data["decisions"]:
        story.do(story.when(row["at"]), _decide, story, row, story.when(row["at"]))
        if "recorded" in row:
            then = story.when(row["recorded"])
            story.do(then, _record_care, story, row, then)
    for row in data["safety_plans"]:
        story.do(story.when(row["at"]), _write_plan, story, row, story.when(row["at"]))
    for row in data["releases"]:
        at = story.when(row["at"])
        story.do(at, _old_release, story, row, clinics, at)
    story.do(story.at, finish, story.at)


def _add(clinics: dict[str, Destination], row: Mapping[str, Any], at: datetime) -> None:
    fields = {name: value for name, value in row.items() if name != "key"}
    clinics[row["key"]] = directory.add(by=None, at=at, is_demo=True, **fields)


def _client(story: "Story", name: str) -> Client:
    client = story.clients[name]
    client.refresh_from_db()
    return client


def _send(story: "Story", row: Mapping[str, Any], clinics: Mapping[str, Destination], at: datetime) -> None:
    """Decide, ask for the release, clear what holds the path, and send by link."""
    client, to = _client(story, row["client"]), clinics[row["to"]]
    by, path = client.therapist, row.get("path", "infusion_clinic")
    assert by is not None
    urgency = row.get("urgency", Decision.Urgency.ROUTINE)
    decision = _decided(by, client, path, row["why"], at - timedelta(minutes=30), urgency=urgency)
    draft = drafts.draft(by=by, client=client, decision=decision, destination=to, at=at - timedelta(minutes=20))
    if not row.get("sent", True):
        return
    _released(by, client, to, (at + relativedelta(months=11)).date(), at - timedelta(minutes=15))
    if "hand_off" in row:
        drafts.hand_over(
            by=by,
            referral=draft,
            to=row["hand_off"],
            plan_given=True,
            words="",
            interim_on=(story.at + timedelta(days=1)).astimezone(story.zone).date(),
            at=at - timedelta(minutes=10),
        )
    _clear(client, by, path, at - timedelta(minutes=5))
    sending.send(by=by, referral=draft, channels=["link"], at=at)
    Sending.objects.filter(referral=draft).update(state=Sending.State.DELIVERED, settled_at=at + timedelta(seconds=20))


def _decided(by: User, client: Client, choice: str, why: str, at: datetime, **more: Any) -> Decision:
    refers = choice in Decision.REFERS
    told = {"urgency": Decision.Urgency.ROUTINE, "review_on": None} | more
    return decisions.decide(
        by=by,
        client=client,
        suggestion=None,
        choice=choice,
        weighed=[choice, "kap"] if refers else ["infusion_clinic", "kap"],
        offered=[choice] if refers else [],
        said=Decision.Said.AGREED if refers else Decision.Said.NOT_ASKED,
        said_words="",
        reasoning=why,
        at=at,
        **told,
    )


def _released(by: User, client: Client, to: Destination, until: date, at: datetime) -> None:
    release = releases.ask(
        by=by,
        client=client,
        destination=to,
        sections=[section.value for section in Section],
        purpose="Assessment and treatment at the clinic, and letters back.",
        expires_on=until,
        part2=False,
        at=at,
    )
    signed = at + timedelta(minutes=4)
    releases.sign(by=client, release=release, typed_name=client.name, relation="self", method="phone", at=signed)


def _old_release(story: "Story", row: Mapping[str, Any], clinics: Mapping[str, Destination], at: datetime) -> None:
    client = _client(story, row["client"])
    assert client.therapist is not None
    until = (story.at + timedelta(days=row["ends_in"])).astimezone(story.zone).date()
    _released(client.therapist, client, clinics[row["to"]], until, at)


def _decide(story: "Story", row: Mapping[str, Any], at: datetime) -> None:
    client = _client(story, row["client"])
    assert client.therapist is not None
    more: dict[str, Any] = {}
    if "to" in row:
        more = {"question": row["question"], "to": story.staff[row["to"]]}
    if "review_in" in row:
        more = {"review_on": (at + timedelta(days=row["review_in"])).astimezone(story.zone).date()}
    _decided(client.therapist, client, row["choice"], row["why"], at, **more)


def _record_care(story: "Story", row: Mapping[str, Any], at: datetime) -> None:
    client = _client(story, row["client"])
    assert client.therapist is not None
    decisions.record_care_today(
        by=client.therapist,
        care_today=CareToday.objects.get(client=client),
        steps=row["steps"],
        where="At home",
        with_whom="Her husband",
        outcome=row["outcome"],
        next_check_at=story.at + timedelta(hours=6),
        at=at,
    )


def _write_plan(story: "Story", row: Mapping[str, Any], at: datetime) -> None:
    """Write a safety plan with the client in session, and put it on their page."""
    client = _client(story, row["client"])
    by, near = client.therapist, client.contact("support") or {}
    assert by is not None
    plan = safety_plan.begin(by=by, client=client, at=at)
    steps = plan.steps | {
        "warning-signs": [{"text": "I stop answering my phone"}, {"text": "Nights without sleep"}],
        "own-coping": [{"text": "Walk to the river and back"}, {"text": "The playlist from last summer"}],
        "people-places": [{"name": "The library on Elm Street", "phone": ""}],
        "ask-for-help": [{"name": near.get("name", ""), "phone": near.get("phone", "")}],
        "reasons": [{"text": "My sister's children"}],
    }
    safety_plan.save(
        by=by,
        plan=plan,
        steps=steps,
        means=SafetyPlan.Means.DONE,
        means_words="The pills are with a friend, the prescription is filled by the week.",
        review_on=(at + timedelta(days=row["review_in"])).astimezone(story.zone).date(),
        seen=plan.version,
        writer="",
        at=at,
    )
    safety_plan.finish(by=by, plan=plan, at=at + timedelta(minutes=6), give=True)


def _clear(client: Client, by: User, path: str, at: datetime) -> None:
    """Clear what the rules hold, by words: their therapist what is on hold, their prescriber what is left out."""
    for hold in holds.blocks(client, path, at):
        if hold.kind == holds.Kind.HOLD:
            decisions.clear_hold(by=by, client=client, rule=hold.rule, words=CLEARED, at=at)
        elif hold.kind == holds.Kind.EXCLUDE and client.prescriber is not None:
            decisions.override(by=client.prescriber, client=client, rule=hold.rule, words=CLEARED, at=at)


def _say(story: "Story", name: str, what: str, more: list[str], at: datetime) -> None:
    row = Referral.objects.select_related("client__therapist", "destination").filter(client=story.clients[name]).first()
    assert row is not None and row.destination is not None
    SAYS.get(what, _event)(story, row, what, more, at)


def _by_desk(row: Referral, at: datetime) -> dict[str, Any]:
    assert row.destination is not None
    key = desk.main_key(row.destination, at)
    return {"by_key": key, "by_name": row.destination.coordinator, "channel": "link", "at": at}


def _event(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    extra: dict[str, Any] = {}
    if what == Event.DECLINE:
        extra = {"reason": more[0]}
    elif what in BOOKS:
        extra = {"visit_at": story.when(more[0])}
    events.record(row, what, Actor.RECIPIENT, **_by_desk(row, at), **extra)


def _open(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    desk.look(referral=row, key=_by_desk(row, at)["by_key"], at=at)


def _receive(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    _open(story, row, what, more, at)
    assert row.destination is not None
    desk.receive(referral=row, key=_by_desk(row, at)["by_key"], name=row.destination.coordinator, at=at)


def _fill(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    events.fill_dates(row, story.when(f"{more[0]} 9:00").date(), **_by_desk(row, at))


def _done(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    events.done(row, int(more[0]), at.astimezone(story.zone).date(), **_by_desk(row, at))


def _ask(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    told = _by_desk(row, at)
    desk.write(referral=row, key=told["by_key"], name=told["by_name"], words=more[0], at=at, is_question=True)


def _take_back(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    by = row.client.therapist
    events.record(row, Event.ASK_CANCEL, Actor.INITIATOR, channel="here", at=at, by=by, words=more[0])


def _letter(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    told = _by_desk(row, at)
    letter = desk.hand_letter(
        referral=row, key=told["by_key"], name=told["by_name"], words=more[0], file=None, is_outcome=True, at=at
    )
    events.record(row, Event.OUTCOME, Actor.RECIPIENT, letter=letter, **told)


def _read(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    by = row.client.therapist
    assert by is not None
    for letter in row.letters.filter(read_at=None):
        mark_read(by=by, letter=letter, at=at)


def _bounce(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    delivery.bounced(row.sendings.get(), "SMTPRecipientsRefused", at)


def _client_says(story: "Story", row: Referral, what: str, more: list[str], at: datetime) -> None:
    client_words.say(client=row.client, referral=row, kind=more[0], at=at)


SAYS: dict[str, Callable[["Story", Referral, str, list[str], datetime], None]] = {
    "open": _open,
    "receive": _receive,
    "fill": _fill,
    "done": _done,
    "ask": _ask,
    "take_back": _take_back,
    "letter": _letter,
    "read": _read,
    "bounce": _bounce,
    "client": _client_says,
}


def finish(at: datetime) -> None:
    """What the daily jobs do, and nothing left that should have been sent in the past. The newest packets as PDF."""
    safety_plan.open_reviews(at=at)
    decisions.open_reviews(at=at)
    releases.warn(at=at)
    late = Measure.objects.filter(sent_at=None, stopped_at=None, due_at__lte=at)
    for row in late.select_related("client"):
        Measure.objects.filter(pk=row.pk).update(stopped_at=at)
        audit.record("measure.stopped", by=None, client=row.client, target=row, at=at)
    for packet in Packet.objects.select_related("referral").order_by("-made_at")[:KEEP]:
        letters.keep_pdf(packet, letters.packet_pdf(packet))
