from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

# Mail for everybody: an address there says nothing about who works where.
ANYBODYS_DOMAINS = frozenset(
    (
        "aim.com", "aol.com", "att.net", "bellsouth.net", "comcast.net", "cox.net", "duck.com", "earthlink.net",
        "fastmail.com", "frontier.com", "gmail.com", "gmx.com", "gmx.net", "googlemail.com", "hey.com", "hotmail.com",
        "hushmail.com", "icloud.com", "live.com", "mac.com", "mail.com", "me.com", "msn.com", "optonline.net",
        "outlook.com", "pm.me", "proton.me", "protonmail.com", "rocketmail.com", "sbcglobal.net", "spectrum.net",
        "tutanota.com", "verizon.net", "yahoo.com", "yandex.com", "ymail.com", "zoho.com",
    )
)  # fmt: skip


class Path(models.TextChoices):
    """A path of care, as the decision table names them (practice/clinical/rules/selection.toml)."""

    INFUSION = "infusion_clinic", _("Infusion clinic")
    PAIN = "hospital_pain_infusion", _("Hospital or pain infusion")
    AT_HOME = "at_home_supervised", _("Supervised at home")
    KAP = "kap", _("Ketamine-assisted psychotherapy here")


class Destination(models.Model):
    """A clinic, hospital or at-home programme to which clients may be referred: the practice's directory."""

    class Given(models.TextChoices):
        IV = "iv", _("IV drip")
        IM = "im", _("Injection into a muscle")
        NASAL = "nasal", _("Nasal spray (esketamine)")
        TROCHE = "troche", _("Lozenge under the tongue")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=80)
    paths = models.JSONField(default=list)  # codes of Path
    gives = models.JSONField(default=list)  # codes of Given
    address = models.CharField(_("address"), max_length=160, blank=True, default="")
    miles = models.DecimalField(_("miles from the practice"), max_digits=6, decimal_places=1, null=True, blank=True)
    price_usd = models.DecimalField(_("price of a session"), max_digits=8, decimal_places=2, null=True, blank=True)
    price_note = models.CharField(_("about the price"), max_length=160, blank=True, default="")
    insurance = models.CharField(_("insurance taken"), max_length=160, blank=True, default="")
    accepts_suicidal = models.BooleanField(_("accepts clients with suicidal thoughts"), null=True, blank=True)
    supervision = models.CharField(_("who is with the client"), max_length=160, blank=True, default="")
    asks_for = models.CharField(_("what they ask for in a referral"), max_length=240, blank=True, default="")
    quick_consult = models.BooleanField(_("offers a short call between clinicians"), default=False)
    coordinator = models.CharField(_("coordinator"), max_length=80, blank=True, default="")
    email = models.EmailField(_("e-mail"), blank=True, default="")
    phone = models.CharField(_("phone"), max_length=32, blank=True, default="")
    fax = models.CharField(_("fax"), max_length=32, blank=True, default="")
    fax_email = models.EmailField(_("address of the e-mail-to-fax gateway"), blank=True, default="")
    hours = models.CharField(_("hours"), max_length=80, blank=True, default="")
    notes = models.CharField(_("notes"), max_length=480, blank=True, default="")
    mail_stopped_at = models.DateTimeField(null=True, blank=True)  # the clinic asked for calls instead of mail
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = models.Manager()

    class Privacy:
        plain = [
            "id",
            "name",
            "paths",
            "gives",
            "address",
            "miles",
            "price_usd",
            "price_note",
            "insurance",
            "accepts_suicidal",
            "supervision",
            "asks_for",
            "quick_consult",
            "coordinator",
            "email",
            "phone",
            "fax",
            "fax_email",
            "hours",
            "notes",
            "mail_stopped_at",
            "is_active",
            "is_demo",
            "created_at",
            "version",
        ]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("destination", args=[self.pk])

    @property
    def mail_domain(self) -> str:
        """The domain that is the clinic's own; "" where anybody may have an address."""
        domain = self.email.strip().rpartition("@")[2].lower()
        return "" if domain in ANYBODYS_DOMAINS else domain


class DeskKey(models.Model):
    """One address at a destination that may read what was sent there: by a one-time code, then a PIN on that device.

    The destination's own address reads every open referral of that destination; a colleague's, those passed to them.
    """

    audit_kind = "clinic"  # how the audit trail calls who acts by it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="keys")
    email = models.EmailField()
    name = models.CharField(max_length=80, blank=True, default="")
    is_main = models.BooleanField(default=False)
    approved_at = models.DateTimeField(null=True, blank=True)  # an address at another domain waits for the practice
    approved_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    code_digest = models.CharField(max_length=64, blank=True, default="")
    code_expires_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = models.Manager()

    class Privacy:
        plain = [
            "id",
            "destination",
            "email",
            "name",
            "is_main",
            "approved_at",
            "approved_by",
            "code_digest",
            "code_expires_at",
            "tries",
            "locked_until",
            "created_at",
        ]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["destination", "email"], name="desk_key_once")]

    def __str__(self) -> str:
        return self.email
