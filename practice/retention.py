"""How long what is kept, and what is thrown away: the categories as data, the floor of one record, the daily purge.

A floor is the day before which the law wants a record to be there. Nothing is deleted before it, or under a hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.apps import apps
from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, erasure
from practice.actions import NotNow
from practice.models import Alert, Client, ClientRecord, Enquiry, Erased, ErasureRequest, LegalHold, Practice, User
from practice.models.sites import RECORD_YEARS_LEAST

OF_AGE = 18
YEARS_AFTER_MAJORITY = 3
LEAD = timedelta(days=90)
DRAFT = timedelta(days=30)
MOST_AT_ONCE = 50
SHOWN, LOOKED_AT = 10, 30

# Rows about the keeping of a record, or on the way to one: alone they are no record, and they do not make it younger.
NO_RECORD = frozenset(
    {
        "practice.Task",
        "practice.Apart",
        "practice.Export",
        "practice.ExportFile",
        "practice.AccessRequest",
        "practice.Enquiry",
        "practice.EmergencyAccess",
        "practice.Handover",
        "practice.LegalHold",
        "practice.ErasureRequest",
        "intake.Invitation",
        "intake.Arrival",
        "intake.Measure",
    }
)
# These are a record once they were sent.
ONLY_SENT: dict[str, dict[str, bool]] = {
    "intake.Intake": {"submitted_at__isnull": False},
    "intake.Answer": {"intake__submitted_at__isnull": False},
}


@dataclass(frozen=True)
class Category:
    what: str | Promise
    how_long: Callable[[Practice], str]
    then: str | Promise
    source: str | Promise


CATEGORIES = (
    Category(
        _("A client's record"),
        lambda practice: gettext("{n} years after the last entry").format(n=practice.record_years),
        _("Listed here; an admin deletes it"),
        _("APA Record Keeping Guidelines (2007), guideline 7; your state's law may ask for more"),
    ),
    Category(
        _("The record of somebody who was a minor"),
        lambda practice: gettext("until {n} years after they turned {age}, or as above if that is later").format(
            n=YEARS_AFTER_MAJORITY, age=OF_AGE
        ),
        _("Listed here; an admin deletes it"),
        _("APA Record Keeping Guidelines (2007), guideline 7"),
    ),
    Category(
        _("Agreements, releases, disclosures"),
        lambda practice: gettext("at least {n} years; they are part of the record").format(n=RECORD_YEARS_LEAST),
        _("Deleted with the record"),
        _("45 CFR 164.316(b)(2)(i), 164.528, 164.530(j)"),
    ),
    Category(
        _("Who looked at what"),
        lambda practice: gettext("always"),
        _("Never deleted by Waymark"),
        _("45 CFR 164.316(b)(2)(i): six years at least"),
    ),
    Category(
        _("Answers that were never sent"),
        lambda practice: gettext("{n} days after the last touch").format(n=DRAFT.days),
        _("Deleted by themselves, unless a safety flag came of them"),
        _("Waymark's own"),
    ),
    Category(
        _("People who were invited and never became clients"),
        lambda practice: gettext("{n} days").format(n=LEAD.days),
        _("Deleted by themselves"),
        _("Waymark's own"),
    ),
)


@dataclass(frozen=True)
class Finding:
    """What stands in the way of deleting somebody."""

    has_record: bool
    last_entry: datetime | None
    until: date | None  # the floor; None when there is none
    hold: LegalHold | None

    def is_free(self, today: date) -> bool:
        return self.hold is None and (self.until is None or self.until <= today)


def look_at(client: Client, practice: Practice, at: datetime) -> Finding:
    """What the law and the practice say about deleting this client now."""
    last = _last_entry(client, at)
    hold = client.holds.filter(lifted_at=None).first()
    if last is None:
        return Finding(False, None, None, hold)
    until = timezone.localdate(last) + relativedelta(years=practice.record_years)
    if client.born:
        until = max(until, client.born + relativedelta(years=OF_AGE + YEARS_AFTER_MAJORITY))
    return Finding(True, last, until, hold)


def _last_entry(client: Client, at: datetime) -> datetime | None:
    """The newest moment in any row of the record; None when there is no record. Rather too late than too early."""
    newest: list[datetime] = []
    for model in apps.get_models():
        label = model._meta.label
        if not issubclass(model, ClientRecord) or label in NO_RECORD:
            continue
        rows = model._base_manager.filter(**{model.client_path: client.pk}, **ONLY_SENT.get(label, {}))
        names = [f.name for f in model._meta.concrete_fields if isinstance(f, models.DateTimeField)]
        told = rows.aggregate(
            rows=models.Count("pk"), **{name: Max(name, filter=Q(**{f"{name}__lte": at})) for name in names}
        )
        if told.pop("rows"):
            newest += [client.created_at, *(moment for moment in told.values() if moment is not None)]
    if newest and client.last_heard_at:
        newest.append(client.last_heard_at)
    return max(newest, default=None)


# --- What an admin does ----------------------------------------------------------------------------------------------


@transaction.atomic
def place_hold(*, by: User, client: Client, words: str, at: datetime) -> LegalHold:
    """From now on nothing of this client is deleted, until somebody lifts it in words."""
    row = _locked(client)
    if row.holds.filter(lifted_at=None).exists():
        raise NotNow(gettext("A hold stands already."))
    hold = LegalHold(client=row, placed_at=at, placed_by=by)
    hold.words = _said(words)
    hold.save(force_insert=True)
    audit.record("hold.placed", by=by, client=row, target=hold, at=at)
    return hold


@transaction.atomic
def lift_hold(*, by: User, hold: LegalHold, words: str, at: datetime) -> None:
    said = _said(words)
    _locked(hold.client)
    if not LegalHold.objects.filter(pk=hold.pk, lifted_at=None).update(lifted_at=at, lifted_by=by):
        raise NotNow(gettext("This hold was lifted already."))
    hold.refresh_from_db()
    hold.lifted_words = said
    hold.save(update_fields=["lifted_words"])
    audit.record("hold.lifted", by=by, client=hold.client_id, target=hold, at=at)


@transaction.atomic
def ask(*, by: User, client: Client, words: str, at: datetime) -> ErasureRequest:
    """Note that the client asked to be deleted. Nothing else happens yet."""
    row = _locked(client)
    if row.erasure_requests.filter(state__in=ErasureRequest.OPEN).exists():
        raise NotNow(gettext("A request of theirs is open already."))
    request = ErasureRequest(client=row, asked_at=at, asked_by=by)
    request.words = _said(words)
    request.save(force_insert=True)
    audit.record("erasure.asked", by=by, client=row, target=request, at=at)
    return request


@transaction.atomic
def restrict(*, by: User, request: ErasureRequest, told: str, at: datetime) -> None:
    """The record must be kept: hide it from everyone but admins, and say what they were told."""
    said, client = _said(told), _locked(request.client)
    if client.status not in (Client.Status.DISCHARGED, Client.Status.DIED):
        raise NotNow(gettext("They are in care here. Their therapist ends their care first."))
    if Alert.objects.filter(client=client).open().exists():
        raise NotNow(gettext("A safety flag of theirs is open. Somebody closes it in words first."))
    if look_at(client, Practice.get(), at).is_free(timezone.localdate(at)):
        raise NotNow(gettext("Nothing stands in the way any more: this record may be deleted."))
    asked = ErasureRequest.objects.filter(pk=request.pk, state=ErasureRequest.State.ASKED)
    won = asked.update(
        state=ErasureRequest.State.RESTRICTED, restricted_at=at, restricted_by=by, status_before=client.status
    )
    if not won:
        raise NotNow(gettext("Somebody answered this request first."))
    request.refresh_from_db()
    request.told = said
    request.save(update_fields=["told"])
    client.status, client.version = Client.Status.RESTRICTED, client.version + 1
    client.save(update_fields=["status", "version"])
    audit.record("erasure.restricted", by=by, client=client, target=request, at=at)


@transaction.atomic
def withdraw(*, by: User, request: ErasureRequest, words: str, at: datetime) -> None:
    """The client wants to stay, or is back: the request is closed, and a hidden record is there again."""
    said, client = _said(words), _locked(request.client)
    is_open = ErasureRequest.objects.filter(pk=request.pk, state__in=ErasureRequest.OPEN)
    if not is_open.update(state=ErasureRequest.State.WITHDRAWN, closed_at=at, closed_by=by):
        raise NotNow(gettext("This request was closed already."))
    request.refresh_from_db()
    request.closing_words = said
    request.save(update_fields=["closing_words"])
    if client.status == Client.Status.RESTRICTED:
        client.status, client.version = request.status_before, client.version + 1
        client.save(update_fields=["status", "version"])
    audit.record("erasure.withdrawn", by=by, client=client, target=request, at=at)


@transaction.atomic
def delete(*, by: User, client: Client, at: datetime) -> Erased:
    """Delete a record for good, at the client's wish or because its time is over. Refused under a hold or a floor."""
    row = _locked(client)
    finding = look_at(row, Practice.get(), at)
    if finding.hold is not None:
        raise NotNow(gettext("A legal hold stands. Nothing was deleted."))
    if not finding.is_free(timezone.localdate(at)):
        raise NotNow(gettext("The law wants this record to be kept. Nothing was deleted."))
    if Alert.objects.filter(client=row).open().exists():
        raise NotNow(gettext("A safety flag of theirs is open. Nothing was deleted."))
    asked = row.erasure_requests.filter(state__in=ErasureRequest.OPEN).exists()
    if not asked and (finding.until is None or row.status not in Client.LEFT):
        raise NotNow(gettext("They did not ask for it, and its time is not over. Nothing was deleted."))
    what = Erased.What.CLIENT if finding.has_record else Erased.What.LEAD
    why = Erased.Why.REQUEST if asked else Erased.Why.AGE
    return erasure.erase(by=by, client=row, what=what, why=why, at=at)


def _locked(client: Client) -> Client:
    found: Client | None = Client.objects.select_for_update(of=("self",), no_key=True).filter(pk=client.pk).first()
    if found is None:
        raise NotNow(gettext("This record was deleted already."))
    return found


def _said(words: str) -> str:
    if not words.strip():
        raise NotNow(gettext("Write a line on why."))
    return words.strip()


# --- What happens by itself ------------------------------------------------------------------------------------------


def leads(at: datetime) -> models.QuerySet[Client]:
    """Who was invited that long ago and might be no client: each is looked at before anything is deleted."""
    hold = LegalHold.objects.filter(client=OuterRef("pk"), lifted_at=None)
    quiet = Q(last_heard_at=None) | Q(last_heard_at__lt=at - LEAD)
    found = Client.objects.filter(quiet, ~Exists(hold), status=Client.Status.INVITED, created_at__lt=at - LEAD)
    return found.order_by("created_at")


def past_floor(practice: Practice, at: datetime) -> list[tuple[Client, Finding]]:
    """The oldest records that may be deleted, with what was found: as many as a person can look at."""
    cut = at - relativedelta(years=practice.record_years)
    hold = LegalHold.objects.filter(client=OuterRef("pk"), lifted_at=None)
    quiet = Q(last_heard_at=None) | Q(last_heard_at__lt=cut)
    gone = [status for status in Client.LEFT if status != Client.Status.MERGED]  # these go with the record they are in
    old = Client.objects.filter(quiet, ~Exists(hold), status__in=gone, created_at__lt=cut).order_by("created_at")
    today, found = timezone.localdate(at), list[tuple[Client, Finding]]()
    for client in old[:LOOKED_AT]:
        finding = look_at(client, practice, at)
        if finding.until is not None and finding.is_free(today):
            found.append((client, finding))
        if len(found) == SHOWN:
            break
    return found


# What the packages above throw away after its time: each is called with at.
PURGES: list[Callable[..., object]] = []


def purge(*, at: datetime) -> int:
    """Delete people who never became clients, and what the packages above keep for a while. Returns how many people."""
    deleted, practice = 0, Practice.get()
    for client in leads(at)[:MOST_AT_ONCE]:
        with transaction.atomic():
            finding = look_at(_locked(client), practice, at)
            if finding.has_record or finding.hold is not None or _is_waited_for(client, at):
                continue
            erasure.erase(by=None, client=client, what=Erased.What.LEAD, why=Erased.Why.AGE, at=at)
            deleted += 1
    for enquiry in Enquiry.objects.filter(client=None, state=Enquiry.State.DECLINED, answered_at__lt=at - LEAD):
        with transaction.atomic():
            audit.record("enquiry.erased", by=None, target=enquiry, at=at)
            said = {"why": Erased.Why.AGE, "at": at, "rows": 1}
            Erased.objects.get_or_create(what=Erased.What.LEAD, ref=enquiry.pk, defaults=said)
            enquiry.delete()
    for each in PURGES:
        each(at=at)
    erasure.write_journal()
    return deleted


def _is_waited_for(client: Any, at: datetime) -> bool:
    """Whether something went to them, or was asked of them, within the time: an invitation made anew, a request."""
    recent = at - LEAD
    touched = client.invitations.filter(Q(created_at__gt=recent) | Q(expires_at__gt=at)).exists()
    asked = client.access_requests.filter(state__in=("asked", "extended")).exists()
    return bool(touched or asked or client.next_session_at)
