"""Referrals on their way through the product's own actions, for tests of sending and tracking."""

from datetime import datetime, timedelta
from typing import Any

from practice.models import Client, User
from referrals.actions import directory, drafts, sending
from referrals.models import Destination, Packet, Referral
from tests.factories import NOW
from tests.referrals.cases import released

LATER = NOW + timedelta(hours=1)


def clinic(name: str = "Northlake Infusion", **fields: Any) -> Destination:
    first = name.split()[0].lower()
    defaults: dict[str, Any] = {
        "paths": ["infusion_clinic"], "gives": ["iv"], "email": f"desk@{first}.example", "phone": "555 0160",
        "fax": "555 0161", "coordinator": "Marta Lopez", "accepts_suicidal": True,
    }  # fmt: skip
    return directory.add(by=None, at=NOW, name=name, **(defaults | fields))


def drafted(by: User, client: Client, to: Destination | None, at: datetime = NOW, **fields: Any) -> Referral:
    """A routine draft, complete."""
    told = {"why_now": "Two trials failed.", "path": "infusion_clinic", "destination": to} | fields
    return drafts.draft(by=by, client=client, at=at, **told)


def send(by: User, row: Referral, *channels: str, at: datetime = LATER, **more: Any) -> Packet:
    packet = sending.send(by=by, referral=row, channels=channels or ("link",), at=at, **more)
    row.refresh_from_db()
    return packet


def sent(by: User, client: Client, to: Destination, at: datetime = LATER, **fields: Any) -> Referral:
    """A referral that went by link, under the release it needs."""
    if not client.releases.filter(destination=to).exists():
        released(client, to)
    row = drafted(by, client, to, **fields)
    send(by, row, at=at)
    return row
