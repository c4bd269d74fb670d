"""What is shared in the demo practice, by its own actions: scores with a client, parts with who they trust."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from intake import actions, flow, guardians, shares, trusted
from intake.models import TrustedPerson
from practice.models import Client
from referrals import disclosure

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

LONGEST = 40  # pages of one form


def plan(story: "Story") -> None:
    """Each of `shared` is [moment, measure, from how many days ago, words]; `trusted` are the people with a page."""
    for person in story.data["people"]:
        for said, measure, days, words in person.get("shared", ()):
            at = story.when(said)
            story.do(at, _share, story, person, measure, story.when(f"{days}d"), words, at)
        for row in person.get("trusted", ()):
            at = story.when(row["at"])
            story.do(at, _give, story, person, row, at)
            for said, part in row.get("looks", ()):
                story.do(story.when(said), _look, story, person, row, part, story.when(said))
            if "answered" in row:
                said, key, values = row["answered"]
                story.do(story.when(said), _answer, story, person, row, key, values, story.when(said))
            if "held" in row:
                said, words = row["held"]
                story.do(story.when(said), _hold, story, person, row, words, story.when(said))


def _share(story: "Story", person: Mapping[str, Any], measure: str, since: datetime, words: str, at: datetime) -> None:
    client = story.clients[person["name"]]
    client.refresh_from_db()
    assert client.therapist is not None
    first, last = (moment.astimezone(story.zone).date() for moment in (since, at))
    shares.share(
        by=client.therapist, client=client, instrument=measure, first_on=first, last_on=last, words=words, at=at
    )


def _client(story: "Story", person: Mapping[str, Any]) -> Client:
    client = story.clients[person["name"]]
    client.refresh_from_db()
    return client


def _give(story: "Story", person: Mapping[str, Any], row: Mapping[str, Any], at: datetime) -> None:
    client, until = _client(story, person), at.astimezone(story.zone).date() + trusted.LASTS
    who = {name: row.get(name, "") for name in ("name", "relation", "phone", "email")}
    if "document" not in row:
        trusted.give(by=client, may=row["may"], until=until, signed_name=client.name, at=at, **who)
        return
    kind, reference, days = row["document"]
    assert client.therapist is not None
    trusted.give_guardian(
        by=client.therapist, client=client, may=row["may"], until=until, document=kind, document_reference=reference,
        document_on=story.when(f"{days}d").date(), at=at, **who,
    )  # fmt: skip


def _person(story: "Story", person: Mapping[str, Any], row: Mapping[str, Any]) -> TrustedPerson:
    return next(each for each in trusted.people_of(_client(story, person)) if each.name == row["name"])


def _look(story: "Story", person: Mapping[str, Any], row: Mapping[str, Any], part: str, at: datetime) -> None:
    disclosure.note_look(person=_person(story, person, row), part=part, at=at)


def _answer(
    story: "Story",
    person: Mapping[str, Any],
    row: Mapping[str, Any],
    key: str,
    values: Mapping[str, int],
    at: datetime,
) -> None:
    """The guardian answers a form that waited since the day before; what is not in `values` is answered with 0."""
    found = _person(story, person, row)
    client, sent = found.client, at - timedelta(days=1)
    invitation = actions.invite(by=client.therapist, client=client, key=key, at=sent)
    sitting = guardians.begin(person=found, invitation=invitation, at=at)
    for number in range(LONGEST):
        wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
        page = flow.next_open(flow.asked_of_guardian(flow.pages(wanted, replies, flow.World())), replies)
        if page is None:
            break
        then = at + number * timedelta(seconds=8)
        value = values.get(page.slug, 0)
        actions.save_answer(by=client, sitting=sitting, page=page, value=value, at=then, person=found)
    actions.submit(by=client, sitting=sitting, at=at + timedelta(minutes=6), person=found)


def _hold(story: "Story", person: Mapping[str, Any], row: Mapping[str, Any], words: str, at: datetime) -> None:
    found = _person(story, person, row)
    assert found.client.therapist is not None
    trusted.hold(by=found.client.therapist, person=found, words=words, at=at)
