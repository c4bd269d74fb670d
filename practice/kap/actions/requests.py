"""A question to a prescriber without an account: asked by staff, opened by a link and a code, answered once."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from practice import audit, notices
from practice.actions import NotNow
from practice.clinical.planning import Conflict
from practice.kap.actions import plans, weighing
from practice.kap.models import ClearanceRequest, OutsidePrescriber, Plan
from practice.kap.models.clearance import REQUEST_LIFE
from practice.models import Client, Task, User

CODE_LIFE = timedelta(minutes=10)
AGAIN_AFTER = timedelta(minutes=1)
TRIES = 5
LOCK = timedelta(minutes=15)
SHOWN = ("name", "birth_date", "plan", "blood_pressure", "words")  # what the prescriber sees of a client, no more


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def ask(*, by: User, client: Client, to: OutsidePrescriber, plan: Plan | None, words: str, at: datetime) -> None:
    """Send a prescriber a link to the question. Nothing of the client stands in the message."""
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not to.is_active:
        raise NotNow(gettext("This prescriber is not asked any more. Choose another."))
    if open_ones(client, at).filter(to=to).exists():
        raise NotNow(gettext("This prescriber was asked already. Take the question back before you ask again."))
    row = ClearanceRequest(client=client, to=to, plan=plan, asked_by=by, asked_at=at, expires_at=at + REQUEST_LIFE)
    row.words = words
    row.token_digest = digest(row.token)
    row.save(force_insert=True)
    link = notices.link(reverse("prescriber_open", args=[row.token]))
    notices.tell_clinic(to.email, "prescriber_asked", client=client, link=link)
    audit.record("clearance.asked", by=by, client=client, target=row, at=at, shows=list(SHOWN))


def open_ones(client: Client, at: datetime) -> QuerySet[ClearanceRequest]:
    return ClearanceRequest.objects.filter(client=client, answered_at=None, taken_back_at=None, expires_at__gt=at)


@transaction.atomic
def take_back(*, by: User, request: ClearanceRequest, at: datetime) -> None:
    """The link stops working at once. What was answered stays."""
    row = ClearanceRequest.objects.held(request.pk)
    if row.answered_at is not None or row.taken_back_at is not None:
        raise NotNow(gettext("This question is not open any more."))
    row.taken_back_at = at
    row.save(update_fields=["taken_back_at"])
    audit.record("clearance.question_taken_back", by=by, client=row.client_id, target=row, at=at)


@transaction.atomic
def address_changed(*, by: User, to: OutsidePrescriber, at: datetime) -> int:
    """What went to the old address ends, and is asked anew. Returns how many links."""
    rows = ClearanceRequest.objects.filter(to=to, taken_back_at=None, expires_at__gt=at)
    Client.objects.hold_each(rows.values_list("client_id", flat=True))
    for row in rows.select_for_update(of=("self",), no_key=True):
        row.taken_back_at = at
        row.save(update_fields=["taken_back_at"])
        audit.record("clearance.question_taken_back", by=by, client=row.client_id, target=row, at=at)
    return len(rows)


# --- The link and the code -------------------------------------------------------------------------------------------


def found(token: str, at: datetime) -> ClearanceRequest | None:
    return _live(at).filter(token_digest=digest(token)).first()


def held(pk: str, at: datetime) -> ClearanceRequest | None:
    return _live(at).filter(pk=pk).first()


def _live(at: datetime) -> QuerySet[ClearanceRequest]:
    """Questions whose link works: neither run out nor taken back, about a client in care."""
    rows = ClearanceRequest.objects.select_related("client", "to", "asked_by", "plan")
    rows = rows.filter(expires_at__gt=at, taken_back_at=None, to__is_active=True)
    return rows.exclude(client__status__in=Client.LEFT)


def is_shut(row: ClearanceRequest, at: datetime) -> bool:
    return row.locked_until is not None and at < row.locked_until


def _code_digest(row: ClearanceRequest, code: str) -> str:
    _number, secret = settings.KEY_RING.current("link")
    digits = "".join(letter for letter in code if letter.isdigit())
    return hmac.new(secret, f"prescriber-code|{row.pk}|{digits}".encode(), hashlib.sha256).hexdigest()


@transaction.atomic
def send_code(*, request: ClearanceRequest, at: datetime) -> None:
    """Send a one-time code to the address on file, never twice within a minute."""
    row = ClearanceRequest.objects.select_related("to").held(request.pk)
    fresh = row.code_expires_at is not None and row.code_expires_at - CODE_LIFE > at - AGAIN_AFTER
    if fresh or is_shut(row, at):
        return
    code = f"{secrets.randbelow(10**6):06d}"
    row.code_digest, row.code_expires_at = _code_digest(row, code), at + CODE_LIFE
    row.save(update_fields=["code_digest", "code_expires_at"])
    notices.tell_clinic(row.to.email, "prescriber_code", code=code)
    audit.record("clearance.code_sent", by=row, client=row.client_id, target=row, at=at)


@transaction.atomic
def try_code(*, request: ClearanceRequest, code: str, at: datetime) -> bool:
    """Return whether the code opens the question. Five wrong ones close it for a while; the practice is told."""
    row = ClearanceRequest.objects.held(request.pk)
    if is_shut(row, at):
        return False
    live = row.code_digest if row.code_expires_at is not None and at < row.code_expires_at else ""
    good = bool(live) and hmac.compare_digest(live, _code_digest(row, code[:40]))
    row.tries = 0 if good else row.tries + 1
    if good:
        row.locked_until, row.code_digest, row.code_expires_at = None, "", None
        audit.record("clearance.unlocked", by=row, client=row.client_id, target=row, at=at)
    else:
        if row.tries >= TRIES:
            row.tries, row.locked_until, row.code_digest, row.code_expires_at = 0, at + LOCK, "", None
            _tell_staff(row, "locked")
            Task.open(row.client, "todo", at=at, subject_id=row.pk, owner=row.client.therapist, reason="wrong_codes")
        audit.record("clearance.wrong_code", by=row, client=row.client_id, target=row, at=at, outcome="refused")
    row.save(update_fields=["tries", "locked_until", "code_digest", "code_expires_at"])
    return good


def _tell_staff(row: ClearanceRequest, template: str) -> None:
    told = {user.pk: user for user in (row.asked_by, row.client.therapist) if user is not None and user.is_active}
    for user in told.values():
        notices.tell_staff(user, template, link=notices.link(reverse("clearance", args=[row.client_id])))


# --- The answer ------------------------------------------------------------------------------------------------------


@transaction.atomic
def claim(*, request: ClearanceRequest, at: datetime, answer: str = "") -> ClearanceRequest:
    """Take the one answer to this question; whoever comes second is told so. With `answer`: no dose is cleared."""
    row: ClearanceRequest = ClearanceRequest.objects.held(request.pk)
    if row.answered_at is not None or row.taken_back_at is not None:
        raise NotNow(gettext("This question was answered or taken back already."))
    row.answered_at, row.answer = at, answer
    row.save(update_fields=["answered_at", "answer"])
    if answer:
        audit.record("clearance.declined", by=row, client=row.client_id, target=row, at=at)
    answered(request=row, at=at)
    return row


def conflicts(request: ClearanceRequest, at: datetime, cleared_by: str = "override") -> list[Conflict]:
    """What stands against the doses of the plan that was asked about, and yields to a prescriber."""
    plan = request.plan
    if plan is None or plan.state != Plan.State.UNDER_WAY:
        return []
    found = weighing.weigh(plan, at)
    return [conflict for conflict in found.conflicts if conflict.cleared_by == cleared_by]


@transaction.atomic
def answer_limit(
    *, request: ClearanceRequest, codes: Sequence[str], said: str, licence: str, seen: int | None, at: datetime
) -> None:
    """Lift the limits with these codes for the plan, or leave them with none: with words, and once for a question.

    `seen`: the version of the plan whose dates they read. Doses may still be asked about after it.
    """
    row = ClearanceRequest.objects.select_related("plan", "to", "asked_by").held(request.pk)
    if row.taken_back_at is not None or row.plan is None or row.changes.exists():
        raise NotNow(gettext("This question was answered or taken back already."))
    if codes:
        plans.override(by=None, plan=row.plan, codes=codes, said=said, at=at, seen=seen, request=row, licence=licence)
    else:
        kept = [conflict.code for conflict in conflicts(row, at)]
        plans.keep_limit(plan=row.plan, codes=kept, said=said, at=at, request=row, licence=licence, seen=seen)
    if row.answered_at is None and not conflicts(row, at, "clearance"):
        row.answered_at = at
        row.save(update_fields=["answered_at"])
    answered(request=row, at=at)


def answered(*, request: ClearanceRequest, at: datetime) -> None:
    """Tell who asked, and the therapist, that the prescriber answered or took a clearance back."""
    _tell_staff(request, "prescriber_answered")
    client = request.client
    Task.open(client, "todo", at=at, subject_id=request.pk, owner=client.therapist, reason="prescriber_answered")
