"""What is shown to the people of the demo practice, by the product's own actions: scores that a therapist shares."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from intake import shares

if TYPE_CHECKING:
    from practice.kap.demo.story import Story


def plan(story: "Story") -> None:
    """Each of `shared` is [moment, measure, from how many days ago, words]."""
    for person in story.data["people"]:
        for said, measure, days, words in person.get("shared", ()):
            at = story.when(said)
            story.do(at, _share, story, person, measure, story.when(f"{days}d"), words, at)


def _share(story: "Story", person: Mapping[str, Any], measure: str, since: datetime, words: str, at: datetime) -> None:
    client = story.clients[person["name"]]
    client.refresh_from_db()
    assert client.therapist is not None
    first, last = (moment.astimezone(story.zone).date() for moment in (since, at))
    shares.share(
        by=client.therapist, client=client, instrument=measure, first_on=first, last_on=last, words=words, at=at
    )
