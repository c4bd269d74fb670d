"""A client's right to a copy of their record, and its clock (45 CFR 164.524): 30 days, put off once by 30 more."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.models import AccessRequest, Client, Export, Practice, Task, User
from practice.templatetags.ui import full_day

DAYS = 30  # 45 CFR 164.524(b)(2)(i)
MORE_DAYS = 30  # 45 CFR 164.524(b)(2)(ii): once, with the reason in writing before the first 30 days are over
TASK = "record_copy"
State = AccessRequest.State


def open_request(client: Client) -> AccessRequest | None:
    found: AccessRequest | None = AccessRequest.objects.filter(client=client, state__in=AccessRequest.OPEN).first()
    return found


@transaction.atomic
def ask(*, by: User | Client, client: Client, words: str, at: datetime) -> AccessRequest:
    """Note that the client wants a copy. Asked twice, the first stays: the clock began with it.

    `by` is the client themselves, or who on staff noted it for them.
    """
    client = Client.objects.hold(client.pk)
    if (waiting := open_request(client)) is not None:
        return waiting
    today = coverage.local(at, Practice.get()).date()
    request = AccessRequest(
        client=client, asked_at=at, asked_by=by if isinstance(by, User) else None, due_on=today + timedelta(days=DAYS)
    )
    request.words = words.strip()
    request.save(force_insert=True)
    _remind(request, at)
    audit.record("access_request.asked", by=by, client=client, target=request, at=at, due=request.due_on)
    return request


def _remind(request: AccessRequest, at: datetime) -> None:
    """Put the copy, and by when, among what is to be done for this client."""
    practice = Practice.get()
    due_at = timezone.make_aware(datetime.combine(request.due_on, practice.closes_at), ZoneInfo(practice.zone))
    client = request.client
    Task.open(client, TASK, at=at, due_at=due_at, owner=client.therapist, due=request.due_on.isoformat())


@transaction.atomic
def extend(*, by: User, request: AccessRequest, words: str, at: datetime) -> None:
    """Put the day off, once, with a reason that the client reads. Raises NotNow when the law does not allow it."""
    row = _open(request)
    if row.state == State.EXTENDED:
        raise NotNow(gettext("This was put off once already. It cannot be put off again."))
    if row.days_left(coverage.local(at, Practice.get()).date()) < 0:
        raise NotNow(gettext("The 30 days are over. It can no longer be put off: give the copy now."))
    row.state, row.due_on = State.EXTENDED, row.due_on + timedelta(days=MORE_DAYS)
    row.extended_at, row.extended_by, row.extended_words = at, by, words.strip()
    row.save()
    _remind(row, at)
    audit.record("access_request.extended", by=by, client=row.client, target=row, at=at, due=row.due_on)
    notices.tell_news(row.client, at)


@transaction.atomic
def give(*, by: User, request: AccessRequest, how: str, words: str, at: datetime) -> None:
    """Record that the client has the copy, who gave it and how."""
    row = _open(request)
    made = Export.objects.filter(client=row.client_id, state=Export.State.READY, asked_at__gte=row.asked_at)
    if how != AccessRequest.How.SEEN and not made.exists():
        raise NotNow(gettext("No copy has been made for this request yet. Make it first, and fetch it."))
    row.export = made.order_by("-ready_at").first()
    _close(row, State.GIVEN, by=by, words=words, at=at, how=how)


@transaction.atomic
def withdraw(*, by: User | Client, request: AccessRequest, words: str, at: datetime) -> None:
    """The client does not want the copy any more."""
    _close(_open(request), State.WITHDRAWN, by=by, words=words, at=at)


def _open(request: AccessRequest) -> AccessRequest:
    row: AccessRequest = AccessRequest.objects.held(request.pk)
    if not row.is_open:
        raise NotNow(gettext("This request was closed on {day} already.").format(day=full_day(row.closed_at)))
    return row


def _close(row: AccessRequest, state: str, *, by: User | Client, words: str, at: datetime, **fields: Any) -> None:
    staff = by if isinstance(by, User) else None
    row.state, row.closed_at, row.closed_by, row.closing_words = state, at, staff, words.strip()
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    Task.finish(row.client, TASK, at=at, by=staff)
    audit.record(f"access_request.{state}", by=by, client=row.client, target=row, at=at, **fields)
