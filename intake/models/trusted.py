from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField


class Part(models.TextChoices):
    """What a person whom a client trusts may do, each given by itself: the whole table. Notes are never in it."""

    PLAN = "see_plan", _("See appointments and how far the plan is")
    REFERRAL = "see_referral", _("See where the referral stands")
    SAFETY_PLAN = "read_safety_plan", _("Read the safety plan")
    RIDES = "rides", _("Get a message the day before a ride home is needed")
    ANSWERS = "read_answers", _("Read past answers")
    SCORES = "see_scores", _("See the numbers that the therapist shares")
    ACT = "act_for", _("Answer forms and sign agreements for them")


FOR_GUARDIANS = (Part.ACT,)  # given by staff, by a document
BY_THE_CLIENT = (Part.ANSWERS, Part.SCORES)  # nobody but the client ticks these
NOT_IN_PART2 = (Part.ANSWERS, Part.SCORES)  # they may tell of alcohol and drugs: 42 CFR 2.31 asks for more than a tick


class TrustedPerson(ClientRecord):
    """Somebody with a page of their own about a client: a support person, or a guardian with a document (K7).

    What they may do is `may`, codes of Part. Whether it holds now is asked at every view (intake.trusted.state_of).
    """

    audit_kind = "trusted"

    class Kind(models.TextChoices):
        SUPPORT = "support", _("Support person")
        GUARDIAN = "guardian", _("Guardian")

    class Document(models.TextChoices):
        PARENT = "parent", _("Parent of a minor (birth certificate or the like)")
        MINOR = "minor", _("Court order: guardian of a minor")
        ADULT = "adult", _("Court order: guardian of an adult")
        PROXY = "proxy", _("Health-care proxy or power of attorney")

    FOR_MINORS = (Document.PARENT, Document.MINOR)  # these end when the client comes of age

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="trusted")
    invitation = models.OneToOneField("intake.Invitation", on_delete=models.PROTECT, related_name="person")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = SealedField()
    relation = SealedField()
    phone = SealedField()
    email = SealedField()
    may = models.JSONField(default=list)  # codes of Part
    until = models.DateField()
    given_at = models.DateTimeField()
    given_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    signed_name = SealedField()  # the client's, when the client gave it
    document = models.CharField(max_length=8, choices=Document.choices, blank=True, default="")
    document_reference = SealedField()
    document_on = models.DateField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    held_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    held_words = SealedField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    told_of = models.CharField(max_length=80, blank=True, default="")  # the ride they were last told of

    class Privacy:
        identifying = ["name", "relation", "phone", "email", "signed_name", "document_reference"]
        clinical = ["held_words"]
        plain = [
            "id",
            "client",
            "invitation",
            "kind",
            "may",
            "until",
            "given_at",
            "given_by",
            "document",
            "document_on",
            "held_at",
            "held_by",
            "ended_at",
            "ended_by",
            "told_of",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-given_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="support", document="", document_on=None, given_by=None)
                | (Q(kind="guardian", document_on__isnull=False, given_by__isnull=False) & ~Q(document="")),
                name="trusted_guardian_has_document",
            ),
            models.CheckConstraint(
                condition=Q(held_at=None, held_by=None) | Q(held_at__isnull=False, held_by__isnull=False),
                name="trusted_held_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.given_at:%Y-%m-%d}"

    @property
    def addresses(self) -> dict[str, str]:
        """Where a message may go, by channel."""
        found = {"sms": self.phone, "email": self.email}
        return {channel: address for channel, address in found.items() if address}


class Look(ClientRecord):
    """That a trusted person looked at a part of what is shared with them: what the client reads as "who looked"."""

    client_path = "person__client"

    person = models.ForeignKey(TrustedPerson, on_delete=models.PROTECT, related_name="looks")
    part = models.CharField(max_length=20, choices=Part.choices)
    at = models.DateTimeField()

    class Privacy:
        plain = ["id", "person", "part", "at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]
        indexes = [models.Index(fields=["person", "at"], name="look_person")]

    def __str__(self) -> str:
        return f"{self.part} {self.at:%Y-%m-%d}"
