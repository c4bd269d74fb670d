"""A clinic's browser: a referral that was really sent, its mail, its code, its page."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.test import Client as Browser
from django.utils import timezone

from practice import jobs
from practice.models import Client, User
from referrals import packet as packets
from referrals.actions import sending
from referrals.models import Destination, Packet, Referral
from tests.conftest import send
from tests.homes import newest_code
from tests.referrals import cases


def went_out(client: Client, by: User, to: Destination, *, at: datetime | None = None, **fields: Any) -> Referral:
    """A referral that was sent by link: frozen, disclosed, mailed."""
    at = at or timezone.now()
    known = {"quick_consult": False, "handed_off_at": None} | fields
    row = cases.referral(client, by, to, at=at, **known)
    sending.send(by=by, referral=row, channels=["link"], at=at)
    row.refresh_from_db()
    return row


def desk_code() -> str:
    return newest_code("desk_code")


@dataclass
class Coordinator:
    """Somebody at a clinic with a browser."""

    referral: Referral
    way: str = "clinic"
    browser: Browser = field(default_factory=Browser)

    @property
    def link(self) -> str:
        return f"/r/{self.referral.token}/"

    def ask(self, way: str = "") -> Any:
        return send(self.browser, self.link, {"way": way or self.way})

    def come_in(self) -> "Coordinator":
        assert self.ask()["Location"] == "/desk/code/"
        answer = send(self.browser, "/desk/code/", {"code": desk_code()})
        assert answer["Location"] == self.path(), answer["Location"]
        return self

    def path(self, name: str = "") -> str:
        return f"/desk/{self.referral.pk}/{name}"

    def get(self, name: str = "", **extra: Any) -> Any:
        return self.browser.get(self.path(name), **extra)

    def post(self, name: str, data: dict[str, Any] | None = None, key: str | None = None) -> Any:
        return send(self.browser, self.path(name), data, key)

    def say(self, page: str, /, **data: Any) -> str:
        """POST, follow, and return the words of the page that comes."""
        answer = self.post(page, data)
        if answer.status_code in (302, 303):
            answer = self.browser.get(answer["Location"].partition("#")[0])
        return words(answer)


def words(answer: Any) -> str:
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split()).replace("&#x27;", "'").replace("&amp;", "&")


def packet_of(referral: Referral) -> Packet:
    found = referral.packets.order_by("-number").first()
    assert found is not None
    return found


__all__ = ["Coordinator", "desk_code", "jobs", "packets", "went_out", "words"]
