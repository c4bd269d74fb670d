"""People and rows for tests. Every function gives the row in the state its name says, with plain defaults."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from practice import actions
from practice.access import Role
from practice.models import Client, CoverageShift, Practice, RoleGrant, Site, User

NOW = datetime(2026, 11, 19, 15, 0, tzinfo=UTC)  # Thursday 10:00 in New York


def practice(**fields: Any) -> Practice:
    found = Practice.get()
    defaults = {
        "name": "Cedar House",
        "phone": "555 0110",
        "hours_text": "weekdays 8 am to 5 pm",
        "hours_text_es": "de lunes a viernes, de 8 am a 5 pm",
        "answer_calls_nobody": True,
        "messages_from": time(0),  # at any hour: the tests of daytime set their own
        "messages_until": time(0),
    }
    for name, value in (defaults | fields).items():
        setattr(found, name, value)
    found.save()
    return found


def today() -> date:
    """The day it is at the practice: in its evening, no longer the day it is in UTC."""
    return timezone.localdate(timezone=ZoneInfo(Practice.get().zone))


def site(name: str = "Cedar House North") -> Site:
    return Site.objects.get_or_create(name=name)[0]


def staff(name: str, *roles: Role, sites: tuple[Site, ...] = (), **fields: Any) -> User:
    email = f"{'.'.join(name.lower().split())}@example.org"
    user = User.objects.create_user(email, "correct horse battery", name=name, **fields)
    RoleGrant.objects.bulk_create([RoleGrant(user=user, role=role) for role in roles])
    user.sites.set(sites)
    return user


def client(therapist: User | None, name: str = "Sam Whitehorse", at: datetime = NOW, **fields: Any) -> Client:
    where = fields.pop("site", None) or (therapist.sites.first() if therapist else None) or site()
    defaults = {
        "legal_name": name,
        "name_used": name,
        "pronouns": "he/him",
        "birth_date": "1993-03-08",
        "email": f"{name.split()[0].lower()}@example.net",
        "phone": "+1 202 555 0142",
        "reach": {"email": True, "sms": True, "voice": True, "voicemail": False, "private": ["sms", "email"]},
        "status": Client.Status.ACTIVE,
    }
    return actions.admit(by=None, site=where, therapist=therapist, at=at, **(defaults | fields))


def always_on_call(user: User) -> None:
    CoverageShift.objects.bulk_create(
        [
            CoverageShift(user=user, weekday=d, starts=s, ends=e)
            for d in range(7)
            for s, e in (("00:00", "12:00"), ("12:00", "00:00"))
        ]
    )
