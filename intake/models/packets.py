from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.models import Client, ClientRecord, Task, User
from practice.sealed import SealedJSON, link_token

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from intake.models.trusted import TrustedPerson

LINK_LIFE = timedelta(days=14)
CODE_LIFE = timedelta(minutes=10)
TRIES = 5
LOCK = timedelta(minutes=15)
MOST_DOUBLED = 4  # a lock of the client's own page is never longer than four hours
SIGNING = "agreements"  # the packet of agreements to sign again
HOME = "home"  # the "packet" of a client's link to their own page: it asks nothing, and is one per client
PERSON = "person"  # the "packet" of the link of somebody whom the client trusts: one per such person
PAGES = (HOME, PERSON)  # links to a page, not to questions


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Invitation(ClientRecord):
    """A packet sent to a client, and the link that opens it.

    The link's token is 256 bits made from the link key, the row's id and its generation: it is not stored, only its
    SHA-256 is. A new generation kills every older link. Opening the page changes nothing; pressing its button does.
    """

    class State(models.TextChoices):
        SENT = "sent", _("Sent")
        OPENED = "opened", _("Opened")
        IN_PROGRESS = "in_progress", _("In progress")
        DONE = "done", _("Done")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="invitations")
    packet = models.CharField(max_length=40)
    packet_version = models.CharField(max_length=16)
    only = models.JSONField(default=list, blank=True)  # slugs, when just these pages of the packet are asked
    state = models.CharField(max_length=12, choices=State.choices, default=State.SENT)
    generation = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    reminded_at = models.DateTimeField(null=True, blank=True)
    # coming back on another device
    return_digest = models.CharField(max_length=64, blank=True, default="")  # of the code shown at the start
    code_digest = models.CharField(max_length=64, blank=True, default="")  # of the last one-time code
    code_expires_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    # filling in at a device of the practice
    kiosk_digest = models.CharField(max_length=64, blank=True, default="", db_index=True)
    kiosk_until = models.DateTimeField(null=True, blank=True)

    if TYPE_CHECKING:
        intake: Intake
        person: TrustedPerson

    class Privacy:
        plain = [
            "id",
            "client",
            "packet",
            "packet_version",
            "only",
            "state",
            "generation",
            "token_digest",
            "created_by",
            "created_at",
            "sent_at",
            "expires_at",
            "opened_at",
            "reminders",
            "reminded_at",
            "return_digest",
            "code_digest",
            "code_expires_at",
            "tries",
            "locked_until",
            "kiosk_digest",
            "kiosk_until",
        ]

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["client", "created_at"], name="invitation_client")]
        constraints = [
            models.UniqueConstraint(fields=["client"], name="invitation_one_home", condition=models.Q(packet="home"))
        ]

    def __str__(self) -> str:
        return f"{self.packet} {self.state}"

    @property
    def holder(self) -> Client | TrustedPerson:
        """Who is meant by this link: the client, or the person whom they trust."""
        return self.person if self.packet == PERSON else self.client

    @property
    def token(self) -> str:
        return link_token("intake", self.pk, self.generation)

    def renew(self, at: datetime, life: timedelta = LINK_LIFE) -> None:
        """Make the link good again for its full life; older links of this row stop working. Does not save."""
        self.generation += 1
        self.token_digest = digest(self.token)
        self.expires_at = at + life

    @property
    def sending(self) -> str:
        """Which sending of the link this is, for a page to say which one it saw; "" before the first."""
        return self.sent_at.isoformat() if self.sent_at else ""

    def is_live(self, at: datetime) -> bool:
        return self.state != self.State.WITHDRAWN and at < self.expires_at

    @property
    def path(self) -> str:
        return reverse("link_open", args=[self.token])


class Intake(ClientRecord):
    """One sitting: the answers a client is giving, or gave, to a packet."""

    class How(models.TextChoices):
        """How staff heard the answers that they entered for the client."""

        PHONE = "phone", _("By phone")
        ROOM = "room", _("In the room")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="intakes")
    invitation = models.OneToOneField(Invitation, on_delete=models.CASCADE, related_name="intake")
    language = models.CharField(max_length=8, default="en")
    started_at = models.DateTimeField()
    saved_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    at_page = models.CharField(max_length=80, blank=True, default="")  # where the client was last
    completed_by = models.CharField(max_length=12, default="client")  # client, guardian, helper, staff
    entered_how = models.CharField(max_length=5, choices=How.choices, blank=True, default="")  # begun by staff; "": not
    answered_by = models.ForeignKey(  # the guardian who has it in hand, or sent it; null: the client
        "intake.TrustedPerson", on_delete=models.PROTECT, null=True, blank=True, related_name="sittings"
    )
    facts = SealedJSON()  # what the answers say in the words of the decision table, made when submitted
    skipped = models.JSONField(default=list)  # keys of questions passed over on purpose
    read_at = models.DateTimeField(null=True, blank=True)
    read_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    trials_confirmed_at = models.DateTimeField(null=True, blank=True)
    trials_confirmed_by = models.ForeignKey(
        "practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    version = models.PositiveIntegerField(default=1)

    if TYPE_CHECKING:
        answers: RelatedManager[Answer]

    class Privacy:
        clinical = ["facts", "skipped"]
        plain = [
            "id",
            "client",
            "invitation",
            "language",
            "started_at",
            "saved_at",
            "submitted_at",
            "at_page",
            "completed_by",
            "entered_how",
            "answered_by",
            "read_at",
            "read_by",
            "trials_confirmed_at",
            "trials_confirmed_by",
            "version",
        ]

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(read_at=None, read_by=None) | models.Q(read_at__isnull=False, read_by__isnull=False),
                name="intake_read_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invitation.packet} {self.started_at:%Y-%m-%d}"

    @property
    def speaker(self) -> Client | TrustedPerson:
        """Who answers now: the client, or a guardian for them."""
        return self.answered_by or self.client

    @transaction.atomic
    def mark_read(self, *, by: User, at: datetime) -> bool:
        """Note that this person read the whole sitting, and finish that item. The first reader stays."""
        Client.objects.hold(self.client_id)
        unread = Intake.objects.filter(pk=self.pk, read_at=None, submitted_at__isnull=False)
        won = unread.update(read_at=at, read_by=by)
        self.refresh_from_db(fields=["read_at", "read_by"])
        Task.finish(self.client, "new_intake", at=at, by=by, subject_id=self.pk)
        audit.record("intake.read", by=by, client=self.client_id, target=self, at=at, first=bool(won))
        return bool(won)


class Answer(ClientRecord):
    """One answer of a sitting. One row each, so that two tabs never overwrite each other's questions."""

    client_path = "intake__client"

    intake = models.ForeignKey(Intake, on_delete=models.CASCADE, related_name="answers")
    question = models.CharField(max_length=80)
    value = SealedJSON()  # null when skipped on purpose
    skipped = models.BooleanField(default=False)
    at = models.DateTimeField()
    entered_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    entered_how = models.CharField(max_length=5, choices=Intake.How.choices, blank=True, default="")
    answered_by = models.ForeignKey(  # a guardian, not the client
        "intake.TrustedPerson", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Privacy:
        clinical = ["value", "skipped"]
        plain = ["id", "intake", "question", "at", "entered_by", "entered_how", "answered_by"]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["intake", "question"], name="answer_once"),
            models.CheckConstraint(
                condition=models.Q(entered_by=None, entered_how="")
                | models.Q(models.Q(entered_by__isnull=False), ~models.Q(entered_how="")),
                name="answer_entered_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.question


def value_of(answers: dict[str, Any], question: str) -> Any:
    """The value among {question: Answer}, None when blank or skipped."""
    row = answers.get(question)
    return None if row is None or row.skipped else row.value
