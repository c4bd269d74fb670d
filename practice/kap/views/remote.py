"""What the room page shows of a session by video: where it is, the adult in the home, and what they wrote."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from practice.kap import logbook
from practice.kap.actions import chaperone
from practice.kap.models import ChaperoneLink, Entry, Session
from practice.templatetags.ui import clock

State = Session.State
MOST_ALARMS = 3  # the newest; the log has all of them


def panel(row: Session, entries: list[Entry], at: datetime) -> dict[str, Any]:
    """Where the session is; by video also the link of the adult in the home and what they wrote."""
    is_remote = row.setting == Session.Setting.REMOTE
    link = row.chaperones.order_by("-made_at").first() if is_remote else None
    lives = link is not None and link.ended_at is None and at < link.expires_at and row.state in chaperone.OPEN
    address = [row.plan_id, row.pk]
    return {
        "settings": Session.Setting.choices if row.state in Session.AHEAD else [],
        "setting": row.setting,
        "is_remote": is_remote,
        "asks": is_remote and row.state in chaperone.OPEN,
        "link": link,
        "url": chaperone.link_of(link) if link is not None and lives else "",
        "code": link.code if link is not None and lives else "",
        "state": _state(link, lives) if link else "",
        "news_url": reverse("chaperone_news", args=[link.token]) if link is not None and lives else "",
        "told": sum(entry.by_chaperone_id is not None for entry in entries),
        "alarms": [
            {"at": clock(entry.happened_at), "said": logbook.said(entry), "who": named(entry.by_chaperone)}
            for entry in logbook.unanswered(entries)[-MOST_ALARMS:]
        ],
        "place_url": reverse("session_place", args=address),
        "ask_url": reverse("session_chaperone", args=address),
        "end_url": reverse("session_chaperone_end", args=address),
    }


def _state(link: ChaperoneLink, lives: bool) -> str:
    if link.tries >= chaperone.TRIES:
        return gettext("Wrong codes were typed, so this link was ended. Make a new one.")
    if not lives:
        return gettext("This link does not work any more.")
    if link.agreed_at is not None:
        return gettext("With the client since {time}.").format(time=clock(link.agreed_at))
    if link.may_send:
        return gettext("Sent, not opened yet. It works from {time}.").format(time=clock(link.opens_at))
    return gettext("Not opened yet. It works from {time}.").format(time=clock(link.opens_at))


def named(link: ChaperoneLink | None) -> str:
    return gettext("{name}, in the home").format(name=link.name) if link else gettext("In the home")
