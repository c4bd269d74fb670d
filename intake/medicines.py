"""Medication lists that clients send as photos or PDFs (A18): a page to a file, typed into the record by a person.

Nothing here reads what stands on a page. It is kept as pictures.made_anew gives it, and goes out as an attachment.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext

from intake.models import MedicinePage
from practice import audit, pictures
from practice.actions import NotNow
from practice.models import Client, Task, User
from practice.uploads import as_attachment

QUESTION = "medicines-now"  # the page of a packet beside which a list may be sent
MOST = 6  # pages that wait to be typed
ENDINGS = {pictures.JPEG: "jpg", pictures.PDF: "pdf"}
KIND = "medicines"


def pages_of(client: Client) -> QuerySet[MedicinePage]:
    """The pages of this client without their bytes, the oldest first."""
    found: QuerySet[MedicinePage] = client.medicine_pages.select_related("typed_by").defer("body")
    return found


def waiting(client: Client) -> QuerySet[MedicinePage]:
    """The pages that nobody has typed into the record."""
    return pages_of(client).filter(typed_at=None)


@transaction.atomic
def send(*, by: Client, body: bytes, at: datetime) -> MedicinePage:
    """Keep a page and tell the therapist that there is one. The same page sent again while it waits is taken once."""
    client = Client.objects.select_for_update(of=("self",), no_key=True).select_related("therapist").get(pk=by.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("Nothing can be sent here any more. Please call us."))
    here = {page.sha256: page for page in waiting(client)}
    made, kind = pictures.made_anew(body)
    digest = hashlib.sha256(made).hexdigest()
    if digest in here:
        return here[digest]
    if len(here) >= MOST:
        raise NotNow(gettext("There are %(n)s pages here already. We read these first.") % {"n": MOST})
    row = MedicinePage(client=client, kind=kind, size=len(made), sha256=digest, at=at)
    row.body = made
    row.save(force_insert=True)
    Client.objects.filter(pk=client.pk).update(last_heard_at=at)
    Task.finish(client, "quiet", at=at, by=None)
    Task.open(client, KIND, at=at, owner=client.therapist)
    audit.record("medicines.sent", by=client, client=client, target=row, at=at)
    return row


@transaction.atomic
def typed(*, by: User, client: Client, pages: Collection[UUID], at: datetime) -> int:
    """Note that somebody typed these pages into the record. One that came since they looked goes on waiting."""
    client = Client.objects.hold(client.pk)
    n = client.medicine_pages.filter(pk__in=pages, typed_at=None).update(typed_at=at, typed_by=by)
    if not n:
        raise NotNow(gettext("Nothing of this list was waiting any more."))
    audit.record("medicines.typed", by=by, client=client, at=at, n=n)
    if not waiting(client).exists():
        Task.finish(client, KIND, at=at, by=by)
    return n


@transaction.atomic
def take_back(*, by: Client, page: UUID, at: datetime) -> None:
    """Delete a page that the client sent by mistake, while nobody has typed it into the record. Else NotNow."""
    client = Client.objects.hold(by.pk)
    row = pages_of(client).filter(pk=page).first()
    if row is None:
        return  # taken back before, in another window
    if row.typed_at is not None:
        raise NotNow(gettext("This page stands in your record already. Call us if it does not belong there."))
    row.delete()
    audit.record("medicines.taken_back", by=by, client=client, target=row, at=at)
    if not waiting(client).exists():
        Task.finish(client, KIND, at=at, by=None)


def attach(page: MedicinePage) -> HttpResponse:
    """Return the page to be kept, never to be shown or run by the browser. Its name says nothing of the client."""
    number = page.client.medicine_pages.filter(at__lt=page.at).count() + 1
    return as_attachment(bytes(page.body), page.kind, f"medicines-{number}.{ENDINGS[page.kind]}")
