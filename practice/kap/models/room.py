from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.kap.models.clearance import Written
from practice.models import Client, ClientRecord
from practice.sealed import SealedField, SealedJSON, link_token


class Entry(Written):
    """One line of the log of a dosing session: a tap, a reading, a dose. Append-only; a wrong one is corrected by a
    later one.

    The device gives each its key, so that a line that is sent twice (after the network was gone) is one. What the page
    shows (ready checks, vitals, timer, checklist) is read from these lines.
    """

    class Kind(models.TextChoices):
        READY = "ready", _("Ready check")  # {"item", "answer"}
        PRESENT = "present", _("Who is here")  # {"names"}
        VITALS = "vitals", _("Blood pressure and pulse")  # {"when", "sbp", "dbp", "pulse", "spo2", "symptoms"}
        GATE = "gate", _("Prescriber's word on a reading")  # {"words", "by_name"}
        DOSE = "dose", _("Dose")  # {"mg", "route", "form", "strength", "lot"}
        SUPPLEMENT = "supplement", _("Supplemental dose")
        HOLD = "hold", _("Hold timer")  # {"what": "start|end", "then": "spit|swallow"}
        CHECK = "check", _("Check")  # every 15 minutes: {"state"}
        EVENT = "event", _("Adverse event")  # {"what", "grade", "action", "words"}
        LEAVE = "leave", _("Release checklist")  # {"item", "answer"}
        CORRECT = "correct", _("Correction")  # {"words"}

    client_path = "session__plan__client"

    session = models.ForeignKey("kap.Session", on_delete=models.PROTECT, related_name="entries")
    key = models.UUIDField(default=uuid.uuid4)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    facts = SealedJSON()
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrections")
    happened_at = models.DateTimeField()  # the device's time, set right by what its clock was off
    device_at = models.DateTimeField(null=True, blank=True)  # as the device said
    at = models.DateTimeField()  # when it arrived
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_chaperone = models.ForeignKey(
        "kap.ChaperoneLink", on_delete=models.PROTECT, null=True, blank=True, related_name="entries"
    )

    class Privacy:
        clinical = ["kind", "facts"]
        plain = ["id", "session", "key", "corrects", "happened_at", "device_at", "at", "by", "by_chaperone"]

    class Meta:
        ordering: ClassVar[list[str]] = ["happened_at"]
        constraints = [models.UniqueConstraint(fields=["session", "key"], name="entry_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.happened_at:%H:%M}"


class ChaperoneLink(ClientRecord):
    """The page of the adult in the home during a remote session: checks by eye, without an account (H9)."""

    client_path = "session__plan__client"

    session = models.ForeignKey("kap.Session", on_delete=models.CASCADE, related_name="chaperones")
    name = SealedField()
    phone = SealedField()
    email = SealedField()
    may_send = models.JSONField(default=list, blank=True)  # channels by which they said the link may be sent to them
    generation = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, unique=True)
    opens_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    agreed_at = models.DateTimeField(null=True, blank=True)  # "I am an adult, I stay the whole time, ..."
    ended_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)  # wrong codes; the fifth ends the link
    made_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    audit_kind = "home"  # how the audit trail calls who acts by it

    class Privacy:
        identifying = ["name", "phone", "email"]
        plain = [
            "id",
            "session",
            "may_send",
            "generation",
            "token_digest",
            "opens_at",
            "expires_at",
            "opened_at",
            "agreed_at",
            "ended_at",
            "tries",
            "made_by",
            "made_at",
        ]

    def __str__(self) -> str:
        return f"Chaperone {self.opens_at:%Y-%m-%d}"

    @property
    def token(self) -> str:
        return link_token("chaperone", self.pk, self.generation)

    @property
    def code(self) -> str:
        """Six digits that staff say aloud: whoever only has the message with the link does not get in."""
        return f"{int(link_token('chaperone-code', self.pk, self.generation)[:12], 16) % 10**6:06d}"


class Intention(ClientRecord):
    """What the client wrote for themselves, before a session or after it; theirs alone until they share it."""

    class When(models.TextChoices):
        BEFORE = "before", _("Intention")
        AFTER = "after", _("Afterwards")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="intentions")
    session = models.ForeignKey("kap.Session", on_delete=models.CASCADE, related_name="intentions")
    when = models.CharField(max_length=8, choices=When.choices)
    words = SealedField()
    shared_at = models.DateTimeField(null=True, blank=True)
    saved_at = models.DateTimeField()

    class Privacy:
        clinical = ["words"]
        plain = ["id", "client", "session", "when", "shared_at", "saved_at"]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "when"], name="intention_once")]

    def __str__(self) -> str:
        return f"{self.get_when_display()} {self.saved_at:%Y-%m-%d}"


class Feed(models.Model):
    """A member of staff's calendar address: secret, made anew at will, without a word about a client."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField("practice.User", on_delete=models.CASCADE, related_name="feed")
    generation = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = models.Manager()

    class Privacy:
        plain = ["id", "user", "generation", "token_digest", "made_at", "read_at"]

    def __str__(self) -> str:
        return f"Feed {self.made_at:%Y-%m-%d}"

    @property
    def token(self) -> str:
        return link_token("feed", self.pk, self.generation)
