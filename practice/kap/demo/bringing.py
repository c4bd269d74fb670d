"""Instruments that the demo practice brought: one in use, one whose permission was taken back, one half typed.

The words are ours and say so: the wording of a form that belongs to somebody is never in this repository.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from intake import actions, packet
from practice import instruments
from practice.clinical import brought

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

IN_USE, TAKEN_BACK, BEGUN = "isi", "wsas", "dast-10"
ASKED = "Peter Lindqvist"


def plan(story: "Story") -> None:
    """Brought seven weeks ago, answered twice by one client; the other taken back last week."""
    said, ended, begun = story.when("49d 10:00"), story.when("9d 15:00"), story.when("3d 16:20")
    for key in (IN_USE, TAKEN_BACK):
        story.do(said, _bring, story, key, said)
    rosa = story.staff["rosa"]
    words = "The holder of the rights wrote that screens are no longer covered."
    story.do(ended, instruments.end_permission, by=rosa, key=TAKEN_BACK, words=words, at=ended)
    half = {**wording(BEGUN), "items": [*wording(BEGUN)["items"][:4], *[""] * 6]}
    story.do(begun, instruments.save_wording, by=rosa, key=BEGUN, language="en", wording=half, version=0, at=begun)
    for when, answer in (("42d 19:30", 3), ("14d 19:40", 1)):
        at = story.when(when)
        story.do(at, _answer, story, answer, at)


def wording(key: str) -> Mapping[str, Any]:
    """Words that nobody takes for the real ones."""
    facts = brought.facts(key)
    most = facts["values"][-1]
    return {
        "instructions": "Demonstration words. A practice types the real ones from the form that it has permission for.",
        "notice": f"{facts['why_not']} Demonstration words; not the form.",
        "items": [f"Demonstration question {n}" for n in range(1, facts["items"] + 1)],
        "answers": ["Not at all", *(f"Step {value}" for value in facts["values"][1:-1]), f"The most ({most})"],
        "own": {},
    }


def _bring(story: "Story", key: str, at: datetime) -> None:
    rosa = story.staff["rosa"]
    instruments.state_permission(
        by=rosa,
        key=key,
        holder="The holder of the rights (demonstration)",
        reference="Letter in the blue folder, shelf 2",
        granted_on=(at - timedelta(days=6)).date(),
        expires_on=_in_a_year(at.date()) if key == IN_USE else None,
        languages=[],
        file=b"",
        replaces="",
        at=at,
    )
    draft = instruments.save_wording(by=rosa, key=key, language="en", wording=wording(key), version=0, at=at)
    assert draft is not None
    instruments.publish(by=rosa, key=key, reason="First version", draft=draft.version, at=at)


def _in_a_year(day: date) -> date:
    return day + timedelta(days=364)


def _answer(story: "Story", answer: int, at: datetime) -> None:
    client, maya = story.clients[ASKED], story.staff["maya"]
    invitation = actions.invite(by=client.therapist or maya, client=client, key=IN_USE, at=at)
    actions.open_link(invitation=invitation, at=at)
    sitting = actions.start(invitation=invitation, at=at)
    for number, page in enumerate(packet.load(IN_USE).pages, 1):
        moment = at + timedelta(seconds=9 * number)
        actions.save_answer(by=client, sitting=sitting, page=page, value=answer, at=moment)
    sent = actions.submit(by=client, sitting=sitting, at=at + timedelta(minutes=2))
    for row in sent.assessments.all():
        row.mark_read(by=client.therapist or maya, at=at + timedelta(hours=14))
    sent.mark_read(by=client.therapist or maya, at=at + timedelta(hours=14))
