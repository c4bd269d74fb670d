"""A clinic, a client whose release is signed, and a referral in the state a test needs. Plain defaults."""

from datetime import date, datetime, timedelta
from typing import Any

from practice.models import Client, User
from referrals.actions import directory, sending
from referrals.models import Destination, Packet, Referral, Release, Section
from tests.factories import NOW


def clinic(name: str = "Northlake Infusion", **fields: Any) -> Destination:
    defaults: dict[str, Any] = {
        "paths": ["infusion_clinic"],
        "gives": ["iv"],
        "email": f"{name.split()[0].lower()}@{name.split()[0].lower()}.example",
        "phone": "555 0190",
        "fax": "555 0191",
        "coordinator": "Cleo Ortiz",
        "accepts_suicidal": True,
    }
    return directory.add(by=None, at=NOW, name=name, **(defaults | fields))


def released(client: Client, to: Destination, at: datetime = NOW, **fields: Any) -> Release:
    """A release for everything, signed on paper."""
    row = Release(
        client=client, destination=to, sections=[s.value for s in Section], document_version="1", text_sha256="0" * 64,
        expires_on=date(2027, 11, 19), asked_at=at, signed_at=at, method="paper",
    )  # fmt: skip
    row.purpose = "Treatment"
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    return row


def drafted(by: User, client: Client, to: Destination | None, at: datetime = NOW, **fields: Any) -> Referral:
    """A routine draft to this clinic, complete."""
    return sending.draft(
        by=by,
        client=client,
        at=at,
        path="infusion_clinic",
        destination=to,
        **({"why_now": "Two trials failed."} | fields),
    )


def sent(by: User, client: Client, to: Destination, at: datetime = NOW + timedelta(hours=1), **fields: Any) -> Referral:
    """A referral that went by link, with the release it needs."""
    if not client.releases.filter(destination=to).exists():  # type: ignore[attr-defined]
        released(client, to)
    row = drafted(by, client, to, **fields)
    send(by, row, at=at)
    row.refresh_from_db()
    return row


def send(by: User, row: Referral, *channels: str, at: datetime = NOW + timedelta(hours=1), **more: Any) -> Packet:
    return sending.send(by=by, referral=row, channels=channels or ("link",), at=at, **more)
