"""Filling in at the practice: a device that staff hand over, or a short code typed at one that nobody is signed in at.

The client's page opens in a browser in which no member of staff is signed in, and when it ends nothing of the client is
left there. Answers given before, elsewhere, are not shown by it: for them it takes the client's own code, as on any
other device.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from intake import actions, doors, packet
from intake.enquiries import TooMany, origin_digest
from intake.models import Invitation, KioskTry
from intake.models.packets import LINK_LIFE, digest
from practice import audit
from practice.actions import NotNow
from practice.models import Client, Practice, User
from practice.sealed import blind

CODE_LIFE = timedelta(minutes=15)
CODE_LETTERS = 6  # of 30: 729 million, for a quarter of an hour
TRIES_FOR = timedelta(minutes=15)
MOST_OF_ADDRESS = 5
MOST_OF_PRACTICE = 40
KEEP_TRIES = timedelta(days=1)


@transaction.atomic
def prepare(*, by: User, client: Client, key: str, at: datetime, only: Sequence[str] = ()) -> Invitation:
    """The forms to fill in here: those that are out and not begun, or new ones of which no message goes out.

    Raises NotNow with what is missing.
    """
    wanted = packet.load(key)
    actions.may_ask(Practice.get(), wanted)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    Client.objects.hold(client.pk)
    for row in client.invitations.filter(packet=key, state__in=actions.OPEN, expires_at__gt=at):
        if row.only == list(only) and row.packet_version == wanted.version:
            return row
    row = Invitation(
        client=client,
        packet=wanted.key,
        packet_version=wanted.version,
        only=list(only),
        created_by=by,
        created_at=at,
        expires_at=at + LINK_LIFE,
    )
    row.token_digest = digest(row.token)
    row.save(force_insert=True)
    audit.record("invitation.made", by=by, client=client, target=row, at=at, packet=key)
    return row


def give_device(request: HttpRequest, *, by: User, invitation: Invitation, at: datetime) -> bool:
    """Sign the member of staff out of this browser, then let the client in. Returns as `enter`."""
    Client.objects.hold(invitation.client_id)
    audit.record("invitation.handed_over", by=by, client=invitation.client, target=invitation, at=at)
    return enter(request, invitation, at)


def enter(request: HttpRequest, invitation: Invitation, at: datetime) -> bool:
    """Open these forms in a browser that was emptied first. Returns whether they may be begun without a code."""
    logout(request)  # whoever was signed in, and whatever client was here before
    actions.open_link(invitation=invitation, at=at)
    sitting = doors.intake_of(invitation)
    begun = sitting is not None and (sitting.saved_at is not None or sitting.submitted_at is not None)
    if begun:
        doors.wait(request, invitation)
    else:
        doors.admit(request, invitation, None)
    request.session[doors.HERE] = True
    return not begun


# --- The code --------------------------------------------------------------------------------------------------------


@transaction.atomic
def make_code(*, by: User, invitation: Invitation, at: datetime) -> str:
    """Return a code that opens these forms once, within a quarter of an hour; an older one stops working."""
    letters = "".join(secrets.choice(actions.LETTERS) for _ in range(CODE_LETTERS))
    invitation.kiosk_digest, invitation.kiosk_until = _digest(letters), at + CODE_LIFE
    invitation.save(update_fields=["kiosk_digest", "kiosk_until"])
    audit.record("invitation.kiosk_code", by=by, client=invitation.client, target=invitation, at=at)
    return f"{letters[:3]}-{letters[3:]}"


def _digest(code: str) -> str:
    return blind("kiosk_code", "".join(letter for letter in code.upper() if letter.isalnum()))


def shut_until(origin: str, at: datetime) -> datetime | None:
    """Until when no code is taken, from this address or from any; None while one is."""
    lately = KioskTry.objects.filter(at__gt=at - TRIES_FOR).order_by("at")
    theirs = lately.filter(origin_index=origin_digest(origin))
    for rows, most in ((theirs, MOST_OF_ADDRESS), (lately, MOST_OF_PRACTICE)):
        found = list(rows.values_list("at", flat=True)[:most])
        if len(found) >= most:
            return timezone.localtime(found[0] + TRIES_FOR)
    return None


@transaction.atomic
def take_code(*, code: str, origin: str, at: datetime) -> Invitation | None:
    """Return the forms that this code opens, and use it up; None when it fits nothing. Raises TooMany."""
    if shut_until(origin, at) is not None:
        raise TooMany
    typed = _digest(code[:40])
    fits = Invitation.objects.filter(kiosk_digest=typed, kiosk_until__gt=at, state__in=actions.OPEN)
    row: Invitation | None = fits.select_related("client__therapist").first()
    if row is not None:
        Client.objects.hold(row.client_id)
    if row is None or not fits.filter(pk=row.pk).update(kiosk_digest="", kiosk_until=None):
        KioskTry.objects.create(at=at, origin_index=origin_digest(origin))
        audit.record("kiosk.wrong_code", by=None, at=at, outcome="refused")
        return None
    audit.record("invitation.kiosk_opened", by=row.client, client=row.client, target=row, at=at)
    return row


def forget(*, at: datetime) -> None:
    """Delete wrong codes of before yesterday."""
    KioskTry.objects.filter(at__lt=at - KEEP_TRIES).delete()
