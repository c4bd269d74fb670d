"""A new version of an agreement that was published last week, and who was asked to sign it again since then."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from intake import actions, editions, publishing, resigning, wording
from intake.models import Invitation, SigningPace
from intake.models.packets import SIGNING

DOCUMENT = "communications"
WAS = "We send messages in the daytime, unless you ask us to call sooner."
NOW = "We send messages from 8 in the morning to 9 in the evening, by your clock, unless you ask us to call sooner."


def plan(story: Any) -> None:
    """Published nine days ago, asked for since eight days; two signed, one thinks about it, the others wait."""
    published, started = story.when("9d 11:00"), story.when("8d 10:00")
    do: Callable[..., None] = story.do
    do(published, _publish, story, published)
    do(started, partial(resigning.turn, by=story.staff["rosa"], on=True, at=started))
    for days in (8, 7, 6):
        asked = story.when(f"{days}d 10:30")
        do(asked, partial(resigning.ask_some, at=asked))
    for days in (7, 6):
        signed = story.when(f"{days}d 18:00")
        do(signed, _sign, signed)
    stopped = story.when("5d 9:00")
    do(stopped, partial(resigning.turn, by=story.staff["rosa"], on=False, at=stopped))
    drafted = story.when("2d 16:00")
    do(drafted, _draft, story, drafted)


def _publish(story: Any, at: datetime) -> None:
    text = editions.running(DOCUMENT)
    SigningPace.objects.get_or_create(pk=1, defaults={"per_day": 1})
    row = publishing.keep_draft(
        by=story.staff["rosa"],
        document=DOCUMENT,
        title=text.title,
        summary=text.summary,
        sign=text.sign,
        body=wording.body_of(text).replace(WAS, NOW),
        edition=0,
        at=at - timedelta(minutes=20),
    )
    assert row is not None  # nobody else writes in the demo
    publishing.publish(
        by=story.staff["rosa"],
        document=DOCUMENT,
        edition=row.edition,
        must_sign=True,
        because="It says at which hours we write; some of our clients asked for that.",
        reason="The hours at which messages go out.",
        at=at,
    )


def _sign(at: datetime) -> None:
    """The one who was asked first and did not open it yet reads it and signs."""
    waiting = Invitation.objects.filter(packet=SIGNING, state=Invitation.State.SENT).order_by("created_at")
    invitation = waiting.select_related("client").first()
    if invitation is None:
        return
    sitting = actions.start(invitation=invitation, at=at)
    wanted = editions.applied(actions.packet_of(sitting), sitting)
    page = next(page for page in wanted.pages if page.agreement)
    text = editions.load(page.agreement, page.version)
    actions.sign_consent(
        by=invitation.client,
        sitting=sitting,
        page=page,
        agreement=text,
        typed_name=invitation.client.legal_name,
        relation="self",
        acknowledged=[point.key for point in text.acknowledgements],
        device="203.0.113.7 Mobile Safari",
        at=at,
    )


def _draft(story: Any, at: datetime) -> None:
    """A draft that lacks something, so that its page says what."""
    text = editions.running("telehealth")
    body = wording.body_of(text).replace("Tell us who else is in the room. We tell you who is in ours. ", "")
    publishing.keep_draft(
        by=story.staff["rosa"],
        document="telehealth",
        title=text.title,
        summary=text.summary,
        sign=text.sign,
        body=body,
        edition=0,
        at=at,
    )
