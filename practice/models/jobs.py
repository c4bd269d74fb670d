from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedField, SealedJSON


class Job(models.Model):
    """Something to do outside the request, written in the same transaction as its reason. Carries ids only.

    A worker claims it by a conditional UPDATE that sets a lease and a new fencing token; effects and completion are
    one transaction that holds only while the token is still its own.
    """

    class State(models.TextChoices):
        DUE = "due", _("Due")
        DONE = "done", _("Done")
        DEAD = "dead", _("Gave up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=48)
    ref = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=4, choices=State.choices, default=State.DUE)
    created_at = models.DateTimeField()
    run_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    token = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=80, blank=True, default="")  # the class of the last error, never its text
    dedupe_key = models.CharField(max_length=96, null=True, blank=True, unique=True)

    class Privacy:
        plain = [
            "id",
            "kind",
            "ref",
            "state",
            "created_at",
            "run_at",
            "lease_until",
            "token",
            "attempts",
            "done_at",
            "trouble",
            "dedupe_key",
        ]

    class Meta:
        indexes = [models.Index(fields=["run_at"], name="job_due", condition=Q(state="due"))]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class Notice(models.Model):
    """A mail or text message to one person, and what became of it. Says nothing about anybody's health."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Not sent")  # the client asked us not to use this channel, or the reason was gone

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("Text message")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.CharField(max_length=32)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    user = models.ForeignKey("practice.User", on_delete=models.CASCADE, null=True, blank=True, related_name="notices")
    client = models.ForeignKey("practice.Client", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    address = SealedField()
    words = SealedJSON()  # what the template needs; emptied once sent
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=80, blank=True, default="")
    urgent = models.BooleanField(default=False)

    class Privacy:
        identifying = ["address"]
        plain = [
            "id",
            "template",
            "channel",
            "user",
            "client",
            "words",
            "state",
            "created_at",
            "sent_at",
            "attempts",
            "trouble",
            "urgent",
        ]

    class Meta:
        indexes = [models.Index(fields=["client", "created_at"], name="notice_client")]

    def __str__(self) -> str:
        return f"{self.template} {self.state}"


class SentForm(models.Model):
    """The key of a form that was taken, so that a second press changes nothing and lands on the same page."""

    key = models.CharField(max_length=64, primary_key=True)
    path = models.CharField(max_length=200)
    landed = models.CharField(max_length=300, blank=True, default="")
    at = models.DateTimeField(db_index=True)

    class Privacy:
        plain = ["key", "path", "landed", "at"]

    def __str__(self) -> str:
        return self.path


class KeptForm(models.Model):
    """What somebody had typed when their page locked, kept sealed until they are back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("practice.User", on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    fields = SealedJSON()  # [[name, value], ...]
    at = models.DateTimeField()

    class Privacy:
        clinical = ["fields"]
        plain = ["id", "user", "path", "at"]

    def __str__(self) -> str:
        return self.path
