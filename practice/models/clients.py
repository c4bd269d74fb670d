from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dateutil.relativedelta import relativedelta
from django.db import models
from django.db.models import Q
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from practice.access import COVER, GRANTS, REACH, Permission, Reach
from practice.sealed import SealedField, SealedJSON, blind, normalise

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from practice.models import Alert, Task, User

LONGEST_START = 8  # letters of a name beginning that are indexed
SPARK_POINTS = 6
LAST = 999  # the place in the caseload of a client with nothing to do for


class ClientQuerySet(models.QuerySet["Client"]):
    def visible_to(self, user: User, permission: Permission = Permission.SEE_CLIENT) -> Self:
        """The clients on whom this person may use this permission: the one place that knows roles and rows."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        reach = {REACH[role] for role in user.roles if permission in GRANTS[role]}
        if Reach.PRACTICE in reach:
            return self.exclude(status=Client.Status.MERGED)
        return self._reached(user, reach, permission).exclude(status__in=Client.HIDDEN)

    def _reached(self, user: User, reach: set[Reach], permission: Permission) -> Self:
        seen = []
        if Reach.OWN in reach or Reach.TEAM in reach:
            seen.append(Q(therapist=user))
        if Reach.TEAM in reach:
            seen.append(Q(therapist__supervisor=user))
            seen.append(Q(therapist=None, site__in=user.sites.all()))  # nobody's yet: a clinician reads what they said
        if Reach.PRESCRIBED in reach:
            seen.append(Q(prescriber=user))
        if Reach.SITE in reach:
            seen.append(Q(site__in=user.sites.all()))
        if permission in COVER and user.may(permission):
            seen += [_told(user), _broken(user)]
        if permission == Permission.WRITE_MESSAGE and user.may(permission):
            seen += _away(user)
        return self._with_any(seen)

    def _with_any(self, conditions: list[Q]) -> Self:
        """Those for whom one of these holds: as a union, each part by its own index.

        Said with OR, PostgreSQL reads every client of the practice (tests/perf/test_plans.py).
        """
        if not conditions:
            return self.none()
        first, *rest = (Client.objects.filter(condition).values("pk") for condition in conditions)
        return self.filter(pk__in=first.union(*rest, all=True)) if rest else self.filter(*conditions)

    def get_for(self, user: User, permission: Permission, pk: Any) -> Client:
        """Return the client, or raise Http404 (not theirs) or PermissionDenied (theirs, but not for this)."""
        from django.core.exceptions import PermissionDenied

        found = self.visible_to(user, permission).filter(pk=pk).first()
        if found is None:
            if self.visible_to(user).filter(pk=pk).exists():
                raise PermissionDenied
            raise Http404
        return found

    def hold(self, pk: Any) -> Client:
        """Return the client, held by this transaction; others may still add rows that name them."""
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def hold_each(self, pks: Iterable[Any]) -> list[Client]:
        """Return these clients, held by this transaction: always in one order, so that two who hold several agree."""
        return list(self.select_for_update(of=("self",), no_key=True).filter(pk__in=list(pks)).order_by("pk"))

    def looked_after_by(self, user: User) -> Self:
        """Those this person treats, prescribes for, or was told of in an open alert."""
        return self._with_any([Q(therapist=user), Q(prescriber=user), _told(user)])

    def named(self, text: str) -> Self:
        """Clients a word of whose names begins with each word of `text` (keyed index; the first 8 letters count)."""
        found = self
        for word in normalise(text).split():
            found = found.filter(
                pk__in=NameStart.objects.filter(start=blind("name", word[:LONGEST_START])).values("client_id")
            )
        return found


def _told(user: User) -> Q:
    """The clients of open alerts that this person was told of."""
    from practice.models.alerts import Alert  # the alert names the client, not the other way round

    return Q(pk__in=Alert.objects.filter(notices__user=user, closed_at=None).values("client_id"))


def _broken(user: User) -> Q:
    """The clients whose chart this person opened in an emergency, while that lasts."""
    from practice.models.emergencies import EmergencyAccess

    return Q(pk__in=EmergencyAccess.objects.filter(by=user, until__gt=timezone.now()).values("client_id"))


def _away(user: User) -> list[Q]:
    """The clients of therapists who are away today and whom this person covers (L3)."""
    from practice import coverage

    covered = coverage.covered_by(user, timezone.now())
    return [Q(therapist__in=covered)] if covered else []


class Client(models.Model):
    """A person we care for. Who they are is sealed; scores, states and clocks are in clear under a random id."""

    class Status(models.TextChoices):
        INVITED = "invited", _("Invited")
        ACTIVE = "active", _("Active")
        DISCHARGED = "discharged", _("Discharged")
        DIED = "died", _("Died")
        RESTRICTED = "restricted", _("Restricted")  # they asked to be deleted, and the law says not yet
        MERGED = "merged", _("Merged into another record")  # nobody opens or finds it (practice/merging.py)

    ENDED = (Status.DISCHARGED, Status.DIED)  # as a clinician says it
    HIDDEN = (Status.RESTRICTED, Status.MERGED)  # from everyone but who reaches the whole practice, or from everyone
    LEFT = (*ENDED, *HIDDEN)  # nothing is sent to them or about them any more

    class Rank(models.IntegerChoices):
        """The group of the caseload a client stands in."""

        NOW = 0, _("Needs you now")
        WEEK = 1, _("This week")
        STEADY = 2, _("Steady")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True, editable=False)
    # Site and therapist are found by the caseload's indexes below, which begin with them.
    site = models.ForeignKey("practice.Site", on_delete=models.PROTECT, related_name="clients", db_index=False)
    therapist = models.ForeignKey(
        "practice.User", on_delete=models.PROTECT, related_name="clients", null=True, db_index=False
    )
    prescriber = models.ForeignKey(
        "practice.User", on_delete=models.PROTECT, related_name="prescribed", null=True, blank=True
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.INVITED)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    legal_name = SealedField()
    name_used = SealedField()
    pronouns = SealedField()
    birth_date = SealedField()  # ISO date
    email = SealedField()
    phone = SealedField()
    address = SealedField()
    reach = (
        SealedJSON()
    )  # {"email": bool, "sms": bool, "voice": bool, "voicemail": bool, "private": ["sms", ...], "note": str}
    contacts = (
        SealedJSON()
    )  # [{"role": "emergency"|"support", "name", "relation", "phone", "may_talk": "yes|emergency|no"}]
    allergies = SealedField()
    payment = SealedField()  # insurance, or how they pay, in their words
    other_id = SealedField()  # their number in the system they came from
    diagnoses = SealedJSON()  # [{"code": "F33.2", "text": str}], written by a clinician, never by a score
    email_index = models.CharField(max_length=32, blank=True, default="", db_index=True)
    phone_index = models.CharField(max_length=32, blank=True, default="", db_index=True)
    other_id_index = models.CharField(max_length=32, blank=True, default="", db_index=True)
    language = models.CharField(max_length=8, default="en")
    zone = models.CharField(max_length=64, blank=True, default="")
    send_hour = models.PositiveSmallIntegerField(null=True, blank=True)  # of the day, by their own clock, as they chose
    texts_stopped_at = models.DateTimeField(null=True, blank=True)  # their number answered STOP (Stop)
    mails_stopped_at = models.DateTimeField(null=True, blank=True)  # their mailbox unsubscribed from what it may

    # Kept in the same transaction as what they are made from, so that the caseload is one query.
    phq9 = models.JSONField(
        default=list
    )  # the last six: [["2026-11-19", 19, true], ...] date, total or null, safety sign
    rank = models.PositiveSmallIntegerField(choices=Rank.choices, default=Rank.STEADY)
    rank_since = models.DateTimeField(null=True, blank=True)
    turn = models.PositiveSmallIntegerField(default=LAST)  # place in the caseload: most pressing first (Task.turn)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    next_session_at = models.DateTimeField(null=True, blank=True)
    plan_name = models.CharField(max_length=40, blank=True, default="")
    plan_note = models.CharField(max_length=60, blank=True, default="")
    version = models.PositiveIntegerField(default=1)

    objects = ClientQuerySet.as_manager()
    if TYPE_CHECKING:
        tasks: RelatedManager[Task]
        alerts: RelatedManager[Alert]

    class Privacy:
        identifying = [
            "legal_name",
            "name_used",
            "pronouns",
            "birth_date",
            "email",
            "phone",
            "address",
            "reach",
            "contacts",
            "payment",
            "email_index",
            "phone_index",
            "other_id",
            "other_id_index",
        ]
        clinical = ["allergies", "diagnoses", "phq9", "rank", "turn", "plan_name", "plan_note"]
        plain = [
            "id",
            "number",
            "site",
            "therapist",
            "prescriber",
            "status",
            "is_demo",
            "created_at",
            "language",
            "zone",
            "send_hour",
            "texts_stopped_at",
            "mails_stopped_at",
            "rank_since",
            "last_heard_at",
            "next_session_at",
            "version",
        ]

    class Meta:
        indexes = [
            models.Index(fields=["therapist", "status", "turn", "rank_since", "id"], name="client_caseload"),
            models.Index(fields=["site", "status", "turn", "rank_since", "id"], name="client_site"),
        ]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return reverse("chart", args=[self.pk])

    @property
    def code(self) -> str:
        """The number people may say aloud and print: CH-0412."""
        return f"CH-{self.number:04d}"

    @property
    def name(self) -> str:
        """The name used, which shows everywhere; the legal name until we know it."""
        return self.name_used or self.legal_name or self.code

    @property
    def first_name(self) -> str:
        return self.name.split()[0]

    @property
    def born(self) -> date | None:
        return date.fromisoformat(self.birth_date) if self.birth_date else None

    def age(self, today: date) -> int | None:
        """Whole years; someone born on 29 February turns a year older on 28 February."""
        return relativedelta(today, self.born).years if self.born else None

    def contact(self, role: str) -> dict[str, Any] | None:
        return next((c for c in self.contacts or [] if c.get("role") == role), None)

    def may_reach_by(self, channel: str) -> bool:
        """Whether "email", "sms" or "voice" is safe, by the client's own word; until they gave it, what we have.

        Never "sms" to a number that answered STOP.
        """
        if channel == "sms" and self.texts_stopped_at:
            return False
        return bool((self.reach or {}).get(channel, True)) and bool(self.email if channel == "email" else self.phone)

    def set_identity(self, **fields: Any) -> None:
        """Set sealed identity fields together with their search indexes. Does not save."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.email_index = blind("email", self.email) if self.email else ""
        self.phone_index = blind("phone", self.phone) if self.phone else ""
        self.other_id_index = blind("other_id", self.other_id) if self.other_id else ""
        if "email" in fields or "phone" in fields:
            self._note_stops()

    def _note_stops(self) -> None:
        """A new number or mailbox may have asked us to stop before it was theirs."""
        from practice.models.stops import Stop  # the stop belongs to the number, and is read by the client

        since = Stop.moments([self.email_index, self.phone_index])
        self.texts_stopped_at, self.mails_stopped_at = since.get("sms"), since.get("email")

    def save_identity(self) -> None:
        """Save, and rewrite the index of name beginnings."""
        self.save()
        NameStart.objects.filter(client=self).delete()
        NameStart.objects.bulk_create(self.name_starts())

    def name_starts(self) -> list[NameStart]:
        """The index of how their names begin, as it should be. Does not save."""
        starts = {
            word[:n]
            for word in normalise(f"{self.legal_name} {self.name_used}").split()
            for n in range(1, min(len(word), LONGEST_START) + 1)
        }
        return [NameStart(client=self, start=blind("name", s)) for s in sorted(starts)]

    def refresh_rank(self) -> None:
        """Put the client where its most pressing open task belongs: group, place in it, and since when."""
        first = min(self.tasks.filter(done_at=None), key=lambda task: (task.turn, task.opened_at), default=None)
        place = (first.rank, first.turn, first.opened_at) if first else (self.Rank.STEADY, LAST, None)
        if place != (self.rank, self.turn, self.rank_since):
            self.rank, self.turn, self.rank_since = place
            Client.objects.filter(pk=self.pk).update(rank=self.rank, turn=self.turn, rank_since=self.rank_since)

    def note_phq9(self, on: date, total: int | None, safety: bool, heard_at: datetime) -> None:
        """Add a PHQ-9 to the short history of the caseload row (the full one is in intake.Assessment)."""
        self.phq9 = [*self.phq9, [on.isoformat(), total, safety]][-SPARK_POINTS:]
        self.last_heard_at = heard_at
        Client.objects.filter(pk=self.pk).update(phq9=self.phq9, last_heard_at=heard_at)


class NameStart(models.Model):
    """The keyed index of how a client's names begin."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    start = models.CharField(max_length=32)

    class Privacy:
        identifying = ["start"]
        plain = ["id", "client"]

    class Meta:
        indexes = [models.Index(fields=["start", "client"], name="name_start")]

    def __str__(self) -> str:
        return self.start


class RecordQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User, permission: Permission = Permission.READ_CHART) -> Self:
        path = self.model.client_path
        return self.filter(**{f"{path}__in": Client.objects.visible_to(user, permission).values("pk")})

    def held(self, pk: Any) -> Any:
        """Return the row and its client's, held by this transaction; for a table whose client is never empty.

        The client's row is taken first, as by everybody who takes both: nobody waits for somebody who waits for them.
        PostgreSQL takes them as `of` lists them (tests/intake/test_at_once.py proves it). A row that became another
        client's while we waited (practice/merging.py) is found with that one when it is asked for again.
        """
        rows = self.holding()
        return rows.filter(pk=pk).first() or rows.get(pk=pk)

    def holding(self) -> Self:
        """These rows, each held with its client's when it is read: for a job, to which it may be gone or done by then.

        One that became another client's meanwhile is not found; the job finds it at its next turn.
        """
        path = self.model.client_path
        return self.select_related(path).select_for_update(of=(path, "self"), no_key=True)

    def get_for(self, user: User, permission: Permission, pk: Any) -> Any:
        """Return the row, or raise Http404 (not theirs) or PermissionDenied (their client, but not for this)."""
        from django.core.exceptions import PermissionDenied

        found = self.visible_to(user, permission).filter(pk=pk).first()
        if found is None:
            if self.visible_to(user, Permission.SEE_CLIENT).filter(pk=pk).exists():
                raise PermissionDenied
            raise Http404
        return found


class ClientRecord(models.Model):
    """A row that belongs to a client. Obtained by `Model.objects.visible_to(user)`."""

    client_path: ClassVar[str] = "client"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    objects: ClassVar[Any] = RecordQuerySet.as_manager()

    class Meta:
        abstract = True
