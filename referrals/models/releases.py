from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedBytes, SealedField, SealedJSON


class Section(models.TextChoices):
    """A part of the packet, and what a release of information may name."""

    IDENTITY = "identity", _("Who you are and how to reach you safely")
    SAFETY = "safety", _("Thoughts of suicide, and what was done about them")
    WHY = "why", _("Why you are referred, and your diagnoses")
    SCORES = "scores", _("How your answers changed over time")
    MEDICINES = "medicines", _("Medicines, and what you tried before")
    HEALTH = "health", _("Health questions that matter for ketamine")
    SUBSTANCES = "substances", _("Alcohol and drugs")
    PAIN = "pain", _("Pain")
    SUPPORT = "support", _("Who supports you, your home, and your ride")
    HISTORY = "history", _("Ketamine treatment before")


class Release(ClientRecord):
    """A release of information (45 CFR 164.508): who may be told what, for what, until when. Signed or not yet.

    referrals/disclosure.py is the only reader that decides by it.
    """

    class Method(models.TextChoices):
        PHONE = "phone", _("On the client's own device")
        STAFF = "staff", _("With a member of staff")
        PAPER = "paper", _("On paper, kept at the practice")

    class Standing(models.TextChoices):
        OK = "ok"
        NOT_SIGNED = "not_signed"
        EXPIRED = "expired"
        REVOKED = "revoked"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="releases")
    destination = models.ForeignKey("referrals.Destination", on_delete=models.PROTECT, related_name="releases")
    recipient = models.CharField(max_length=80, default="")  # as named when it was asked for
    sections = models.JSONField(default=list)  # codes of Section
    purpose = SealedField()
    part2 = models.BooleanField(default=False)  # the consent of 42 CFR 2.31 is part of it
    document = models.CharField(max_length=40, default="roi")
    document_version = models.CharField(max_length=16)
    text_sha256 = models.CharField(max_length=64)
    language = models.CharField(max_length=8, default="en")
    expires_on = models.DateField()
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True, blank=True)
    typed_name = SealedField()
    relation = models.CharField(max_length=8, default="self")
    method = models.CharField(max_length=8, choices=Method.choices, blank=True, default="")
    witness = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    device = SealedField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoked_words = SealedField()  # when staff did it for the client
    warned_at = models.DateTimeField(null=True, blank=True)  # told that it ends soon (B9)

    class Privacy:
        identifying = ["typed_name", "device"]
        clinical = ["sections", "purpose", "part2", "revoked_words"]
        plain = [
            "id",
            "client",
            "destination",
            "recipient",
            "document",
            "document_version",
            "text_sha256",
            "language",
            "expires_on",
            "asked_at",
            "asked_by",
            "signed_at",
            "relation",
            "method",
            "witness",
            "revoked_at",
            "revoked_by",
            "warned_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at"]
        constraints = [
            models.CheckConstraint(condition=Q(signed_at=None) | ~Q(method=""), name="release_signed_somehow"),
        ]

    def __str__(self) -> str:
        return f"Release {self.asked_at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.recipient = self.recipient or self.destination.name
        super().save(*args, **kwargs)

    def stands(self, today: date) -> str:
        """Where it stands: one of `Standing`. What was taken back is so whatever else holds."""
        if self.revoked_at is not None:
            return self.Standing.REVOKED
        if today > self.expires_on:
            return self.Standing.EXPIRED
        return self.Standing.OK if self.signed_at is not None else self.Standing.NOT_SIGNED

    def is_good(self, today: date) -> bool:
        return self.stands(today) == self.Standing.OK


class Packet(ClientRecord):
    """What is sent to a clinic, frozen: one version of it, with its hash and its PDF. Never edited."""

    client_path = "referral__client"

    referral = models.ForeignKey("referrals.Referral", on_delete=models.PROTECT, related_name="packets")
    number = models.PositiveSmallIntegerField()
    content = SealedJSON()
    sha256 = models.CharField(max_length=64)  # of the content as canonical JSON
    change = SealedField()  # what is new since the version before
    made_at = models.DateTimeField()
    made_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    pdf = SealedBytes()  # made by a job, never in the request that sends
    pdf_sha256 = models.CharField(max_length=64, blank=True, default="")
    pdf_pages = models.PositiveSmallIntegerField(null=True, blank=True)

    class Privacy:
        clinical = ["content", "change", "pdf"]
        plain = ["id", "referral", "number", "sha256", "made_at", "made_by", "pdf_sha256", "pdf_pages"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints = [models.UniqueConstraint(fields=["referral", "number"], name="packet_version_once")]

    def __str__(self) -> str:
        return f"Packet {self.number}"

    @property
    def code(self) -> str:
        """The verification code on the print: the beginning of the hash."""
        return f"{self.sha256[:4]}-{self.sha256[4:8]}".upper()


class Disclosure(ClientRecord):
    """That something about a client left the practice: to whom, what, why, by which release. Append-only.

    To somebody whom the client trusts it is by what was given to that person, once for each part (intake.models.Part).
    """

    class Channel(models.TextChoices):
        LINK = "link", _("Secure link by e-mail")
        FAX = "fax", _("Fax by the e-mail gateway")
        PRINT = "print", _("Printed, or sent by hand or fax machine")
        PHONE = "phone", _("Told by phone")
        PAGE = "page", _("On a page of their own")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="disclosures")
    destination = models.ForeignKey("referrals.Destination", on_delete=models.PROTECT, null=True, related_name="+")
    recipient = models.CharField(max_length=120)  # as named then
    referral = models.ForeignKey("referrals.Referral", on_delete=models.PROTECT, null=True, related_name="disclosures")
    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, null=True, related_name="disclosures")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, null=True, related_name="disclosures")
    person = models.ForeignKey("intake.TrustedPerson", on_delete=models.PROTECT, null=True, related_name="disclosures")
    sections = models.JSONField(default=list)
    part2 = models.BooleanField(default=False)
    purpose = SealedField()
    channel = models.CharField(max_length=8, choices=Channel.choices)
    is_emergency = models.BooleanField(default=False)  # without a release, by a person's written reason (B7)
    reason = SealedField()
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")  # null: the client

    class Privacy:
        clinical = ["sections", "part2", "purpose", "reason"]
        plain = [
            "id",
            "client",
            "destination",
            "recipient",
            "referral",
            "packet",
            "release",
            "person",
            "channel",
            "is_emergency",
            "at",
            "by",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]
        indexes = [models.Index(fields=["is_emergency", "at", "id"], name="disclosure_report")]  # read backwards
        constraints = [
            models.CheckConstraint(
                condition=Q(is_emergency=True) | Q(release__isnull=False) | Q(person__isnull=False),
                name="disclosure_by_release_or_emergency",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} {self.at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("What left the practice cannot be changed.")
        super().save(*args, **kwargs)
