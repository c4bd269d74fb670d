"""People of the demo who are here twice: a pair nobody has looked at, one that was merged, and two who are two."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from practice import actions, merging
from practice.models import Client

if TYPE_CHECKING:
    from practice.kap.demo.story import Story


def plan(story: "Story") -> int:
    """Plan them. Returns how many records more there are."""
    found: dict[str, Client] = {}
    for row in story.data["doubles"]:
        story.do(story.when(row["at"]), _admit, story, row, found, story.when(row["at"]))
        if "merged" in row:
            when, by, words = row["merged"]
            story.do(story.when(when), _merge, story, row, found, by, words, story.when(when))
    for row in story.data["two_people"]:
        story.do(story.when(row["at"]), _keep_apart, story, row, story.when(row["at"]))
    return len(story.data["doubles"])


def _admit(story: "Story", row: Mapping[str, Any], found: dict[str, Client], at: datetime) -> None:
    one = story.clients[row["of"]]
    therapist = story.staff[row["therapist"]]
    found[row["of"]] = actions.admit(
        by=therapist, site=therapist.sites.get(), therapist=therapist, at=at, is_demo=True, name_used=row["name"],
        email=row.get("email", one.email), phone=row.get("phone", one.phone),
    )  # fmt: skip


def _merge(story: "Story", row: Mapping[str, Any], found: dict[str, Client], by: str, words: str, at: datetime) -> None:
    one = story.clients[row["of"]]
    merging.merge(by=story.staff[by], kept=one, former=found[row["of"]], take=(), words=words, at=at)


def _keep_apart(story: "Story", row: Mapping[str, Any], at: datetime) -> None:
    one, other = story.clients[row["one"]], story.clients[row["other"]]
    merging.keep_apart(by=story.staff[row["by"]], one=one, other=other, words=row["words"], at=at)
