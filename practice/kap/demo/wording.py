"""What the demo practice asks in its own words: a packet, a draft of the next check-in, a line of its table."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from intake import drafting, issuing, packet, pieces, starting
from intake.drafting import Data, Wording

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

TITLE = "Before your first session here"
COMFORT = Wording(
    text="What helps you feel at ease in a new room?",
    hint="Such as music, a blanket, or knowing what comes next.",
    type="words",
    told={
        "What helps you feel at ease in a new room?": "¿Qué le ayuda a estar a gusto en un lugar nuevo?",
        "Such as music, a blanket, or knowing what comes next.": "Por ejemplo, música, una manta o saber qué sigue.",
    },
)
MUSIC = Wording(text="Which music would you like?", type="choice", choices=("None", "Calm", "My own list"))
SLEEP = Wording(text="How many hours do you sleep in a night?", type="number", minimum=0, maximum=24)


def plan(story: "Story") -> None:
    """Published six weeks ago; the draft was begun two days ago; since yesterday one packet goes out by itself."""
    published, begun, started = story.when("43d 11:00"), story.when("2d 16:40"), story.when("1d 17:30")
    story.do(published, _publish, story, published)
    story.do(begun, _begin, story, begun)
    story.do(started, _start, story, started)


def _publish(story: "Story", at: datetime) -> None:
    rosa = story.staff["rosa"]
    draft = issuing.begin_new(by=rosa, title=TITLE, at=at)
    acts: list[Callable[[Data], Data]] = [
        lambda rows: pieces.add(rows, "a.telehealth"),
        lambda rows: pieces.add_own(rows, title="The room", why="We want the room to suit you.", minutes=1, told={}),
        lambda rows: drafting.ask(rows, "own", COMFORT),
        lambda rows: drafting.ask(rows, "own", MUSIC),
        lambda rows: pieces.add(rows, "i.gad-7"),
    ]
    for seen, act in enumerate(acts, 1):
        issuing.change(by=rosa, key=draft.key, seen=seen, act=act, at=at)
    words = "New clients asked what the room is like. We want to ask them first."
    issuing.publish(by=rosa, key=draft.key, seen=len(acts) + 1, reason=words, at=at)


def _begin(story: "Story", at: datetime) -> None:
    rosa = story.staff["rosa"]
    seen = issuing.begin(by=rosa, key="check-in", at=at).version
    issuing.change(by=rosa, key="check-in", seen=seen, act=lambda rows: drafting.ask(rows, "worry", SLEEP), at=at)


def _start(story: "Story", at: datetime) -> None:
    key = next(each.key for each in packet.all_packets() if each.title == TITLE)
    starting.add(by=story.staff["rosa"], group=starting.Group.REMOTE, key=key, site=None, at=at)
