from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from intake.models.packets import digest
from practice.models import Client, ClientRecord
from practice.models.clients import RecordQuerySet
from practice.sealed import SealedBytes, SealedField, link_token
from referrals.models.decisions import Decision
from referrals.models.destinations import DeskKey, Destination, Path
from referrals.models.releases import Packet, Release
from referrals.states import TERMINAL, Actor, Event, State

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from referrals.models.courses import Course
    from referrals.models.releases import Disclosure

LINK_LIFE = timedelta(days=30)


class ReferralQuerySet(RecordQuerySet):
    def open(self) -> Self:
        """Sent, and not at an end: neither told so by the clinic nor put away here."""
        return self.exclude(state__in=[State.DRAFT, *TERMINAL]).filter(closed_at=None)

    def stalled(self, at: datetime) -> Self:
        """Those whose clock has run out: urgent first, then who has waited longest (G17)."""
        return self.open().filter(due_at__lte=at).order_by("-urgency", "due_at")

    def at_desk(self, key: DeskKey) -> Self:
        """What this address of a clinic may see: what was sent there; a colleague, what was passed to them."""
        sent = self.filter(destination=key.destination_id).exclude(state=State.DRAFT)
        return sent if key.is_main else sent.filter(contact=key)


class Referral(ClientRecord):
    """A client referred to one clinic. The same request to the next clinic, after a "no", is the next `attempt`."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="referrals")
    number = models.PositiveSmallIntegerField()  # of the request, per client
    attempt = models.PositiveSmallIntegerField(default=1)
    known_as = models.CharField(max_length=24, blank=True, default="")  # what the clinic calls it, from before a merge
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followed_by")
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, null=True, blank=True, related_name="referrals")
    path = models.CharField(max_length=24, choices=Path.choices)
    urgency = models.CharField(max_length=8, choices=Decision.Urgency.choices, default=Decision.Urgency.ROUTINE)
    has_safety_sign = models.BooleanField(default=False)  # suicidal thoughts stood in the picture when it was begun
    destination = models.ForeignKey(
        Destination, on_delete=models.PROTECT, null=True, blank=True, related_name="referrals"
    )
    contact = models.ForeignKey(DeskKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="referrals")
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    state_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")

    # The draft. Everything else in the packet comes from the record.
    why_now = SealedField()
    ask = SealedField()  # what we ask of the clinic
    keep_doing = SealedField()  # what the therapist goes on doing
    withheld = models.JSONField(default=list)  # codes of Section that stay out
    release = models.ForeignKey(Release, on_delete=models.PROTECT, null=True, blank=True, related_name="referrals")
    quick_consult = models.BooleanField(default=False)

    # The warm hand-off, before an urgent referral with suicidal thoughts may go (G25).
    handed_off_at = models.DateTimeField(null=True, blank=True)
    handed_off_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    handed_off_to = SealedField()
    plan_given = models.BooleanField(null=True, blank=True)  # the client has the safety plan
    hand_off_words = SealedField()  # why they do not have it, or what else was agreed
    interim_contact_on = models.DateField(null=True, blank=True)

    sent_at = models.DateTimeField(null=True, blank=True)
    sent_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField(null=True, blank=True)  # first read, past the code
    opened_by = models.ForeignKey(DeskKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    received_at = models.DateTimeField(null=True, blank=True)  # the clinic said it has it
    visit_at = models.DateTimeField(null=True, blank=True)  # the next one, as the clinic says
    visit_confirmed_at = models.DateTimeField(null=True, blank=True)  # by the client (G10)
    heard_at = models.DateTimeField(null=True, blank=True)  # last sign of life of the clinic
    client_said = models.CharField(max_length=12, blank=True, default="")  # newest ClientWord.Kind
    client_told = models.BooleanField(default=True)  # the client gets a message at each step (G9)
    client_asked_at = models.DateTimeField(null=True, blank=True)  # "Did you go?", after a long silence

    # The clock that runs now (referrals/clocks.py), kept so that lists sort by it.
    clock = models.CharField(max_length=12, blank=True, default="")
    due_at = models.DateTimeField(null=True, blank=True)
    rung = models.PositiveSmallIntegerField(default=0)
    climbs_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_why = models.CharField(max_length=12, blank=True, default="")  # ended, silent, discharged

    # The clinic's link.
    generation = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, blank=True, default="", db_index=True)
    link_expires_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ReferralQuerySet.as_manager()
    if TYPE_CHECKING:
        changes: RelatedManager[StatusChange]
        messages: RelatedManager[Message]
        letters: RelatedManager[Letter]
        sendings: RelatedManager[Sending]
        packets: RelatedManager[Packet]
        disclosures: RelatedManager[Disclosure]
        course: Course

    class Privacy:
        clinical = [
            "path",
            "urgency",
            "has_safety_sign",
            "destination",
            "state",
            "why_now",
            "ask",
            "keep_doing",
            "withheld",
            "handed_off_to",
            "plan_given",
            "hand_off_words",
            "client_said",
        ]
        plain = [
            "id",
            "client",
            "number",
            "attempt",
            "known_as",
            "follows",
            "decision",
            "contact",
            "state_at",
            "version",
            "created_at",
            "created_by",
            "release",
            "quick_consult",
            "handed_off_at",
            "handed_off_by",
            "interim_contact_on",
            "sent_at",
            "sent_by",
            "opened_at",
            "opened_by",
            "received_at",
            "visit_at",
            "visit_confirmed_at",
            "heard_at",
            "client_told",
            "client_asked_at",
            "clock",
            "due_at",
            "rung",
            "climbs_at",
            "closed_at",
            "closed_why",
            "generation",
            "token_digest",
            "link_expires_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        indexes = [
            models.Index(fields=["client", "created_at"], name="referral_client"),
            models.Index(fields=["created_at"], name="referral_created"),
            models.Index(fields=["climbs_at"], name="referral_climbs", condition=Q(closed_at=None)),
            models.Index(fields=["destination", "state"], name="referral_desk"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["client", "number", "attempt"], name="referral_attempt_once"),
            models.CheckConstraint(condition=Q(state=State.DRAFT) | Q(sent_at__isnull=False), name="referral_sent_at"),
            models.CheckConstraint(
                condition=Q(state=State.DRAFT) | Q(destination__isnull=False), name="referral_sent_somewhere"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("referral", args=[self.pk])

    @property
    def reference(self) -> str:
        """What both sides may say aloud and print: CH-0412-2, and CH-0412-2-B for the second clinic asked."""
        return self.known_as or self.own_reference

    @property
    def own_reference(self) -> str:
        base = f"{self.client.code}-{self.number}"
        return base if self.attempt == 1 else f"{base}-{chr(ord('A') + self.attempt - 1)}"

    @property
    def token(self) -> str:
        """The link's key: not stored, only its SHA-256 is. A new generation kills every older link."""
        return link_token("desk", self.pk, self.generation)

    @property
    def desk_path(self) -> str:
        """Where the clinic's link leads."""
        return reverse("desk_open", args=[self.token])

    def renew(self, at: datetime) -> None:
        """Make the link new and good for its full life. Does not save."""
        self.generation += 1
        self.token_digest = digest(self.token)
        self.link_expires_at = at + LINK_LIFE

    @property
    def is_open(self) -> bool:
        return self.state not in (State.DRAFT, *TERMINAL) and self.closed_at is None


class StatusChange(ClientRecord):
    """One event of a referral, by whom and how we know. Immutable; a wrong one is taken back by a later one."""

    class Channel(models.TextChoices):
        LINK = "link", _("on the secure page")
        PHONE = "phone", _("by phone")
        FAX = "fax", _("by fax")
        MAIL = "mail", _("by e-mail")
        LETTER = "letter", _("by letter")
        HERE = "here", _("here")

    client_path = "referral__client"

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="changes")
    number = models.PositiveSmallIntegerField()
    event = models.CharField(max_length=20, choices=[*Event.choices, ("correct", _("Corrected an earlier entry"))])
    tid = models.CharField(max_length=2, blank=True, default="")  # of the published table; empty for a correction
    source = models.CharField(max_length=6, choices=State.choices)
    target = models.CharField(max_length=6, choices=State.choices)
    actor = models.CharField(max_length=10, choices=[(a.value, a.value) for a in Actor])
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_key = models.ForeignKey(DeskKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=80, blank=True, default="")  # of the person at the clinic
    channel = models.CharField(max_length=8, choices=Channel.choices)
    reason = models.CharField(max_length=20, blank=True, default="")  # code: why declined, why corrected
    words = SealedField()
    evidence = models.ForeignKey("referrals.Letter", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    session = models.ForeignKey(
        "referrals.CourseSession", on_delete=models.SET_NULL, null=True, blank=True, related_name="changes"
    )
    before = models.JSONField(default=dict, blank=True)  # what stood before, so that it can be put back
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    visit_at = models.DateTimeField(null=True, blank=True)
    happened_at = models.DateTimeField()
    at = models.DateTimeField()  # when it was recorded

    class Privacy:
        clinical = ["event", "source", "target", "reason", "words", "before"]
        plain = [
            "id",
            "referral",
            "number",
            "tid",
            "actor",
            "by",
            "by_key",
            "by_name",
            "channel",
            "evidence",
            "session",
            "corrects",
            "visit_at",
            "happened_at",
            "at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints = [models.UniqueConstraint(fields=["referral", "number"], name="status_change_in_order")]

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("A status change is not edited; correct it with a later one.")
        super().save(*args, **kwargs)


class Sending(ClientRecord):
    """One way in which a packet, or word of it, went to a clinic, and what became of it (G7, G8)."""

    class Channel(models.TextChoices):
        LINK = "link", _("Link by e-mail")
        FAX_MAIL = "fax_mail", _("Fax by the e-mail gateway")
        PRINT = "print", _("Printed, with a fax cover")
        PHONE = "phone", _("Handed over by phone")

    class State(models.TextChoices):
        WAITING = "waiting", _("On its way")
        DELIVERED = "delivered", _("Taken by the mail server")
        BOUNCED = "bounced", _("Came back")
        STOPPED = "stopped", _("Stopped before it went")
        DONE = "done", _("Done by a person")

    client_path = "referral__client"

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="sendings")
    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, related_name="sendings")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    address = models.CharField(max_length=254, blank=True, default="")  # the clinic's, as used
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    trouble = models.CharField(max_length=80, blank=True, default="")
    notice = models.OneToOneField(
        "practice.Notice", on_delete=models.SET_NULL, null=True, blank=True, related_name="sending"
    )
    spoke_with = SealedField()
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Privacy:
        clinical = ["spoke_with"]
        plain = [
            "id",
            "referral",
            "packet",
            "channel",
            "address",
            "state",
            "trouble",
            "notice",
            "at",
            "by",
            "settled_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.at:%Y-%m-%d}"


class Message(ClientRecord):
    """A line of the thread between the practice and the clinic. Either side may write at any time (G15)."""

    client_path = "referral__client"

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="messages")
    from_clinic = models.BooleanField()
    is_question = models.BooleanField(default=False)
    is_safety = models.BooleanField(default=False)  # a side effect or a worry about safety
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_key = models.ForeignKey(DeskKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=80, blank=True, default="")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)  # by the other side

    class Privacy:
        clinical = ["is_safety", "words"]
        plain = ["id", "referral", "from_clinic", "is_question", "by", "by_key", "by_name", "at", "read_at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["at"]

    def __str__(self) -> str:
        return f"Message {self.at:%Y-%m-%d}"


class Letter(ClientRecord):
    """A letter that came back: a file as it was sent, never run and served as an attachment, or typed words."""

    client_path = "referral__client"

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="letters")
    name = SealedField()  # the file's name as given
    kind = models.CharField(max_length=80, blank=True, default="")  # type by content; empty for typed words
    size = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, default="")
    body = SealedBytes()
    words = SealedField()
    is_outcome = models.BooleanField(default=True)
    from_clinic = models.BooleanField(default=True)  # else put in by staff: came by fax or post
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_key = models.ForeignKey(DeskKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=80, blank=True, default="")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    read_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Privacy:
        clinical = ["name", "body", "words"]
        plain = [
            "id",
            "referral",
            "kind",
            "size",
            "sha256",
            "is_outcome",
            "from_clinic",
            "by",
            "by_key",
            "by_name",
            "at",
            "read_at",
            "read_by",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["at"]

    def __str__(self) -> str:
        return f"Letter {self.at:%Y-%m-%d}"

    def take(self, words: str, file: tuple[str, str, bytes] | None) -> None:
        """Put in what came: typed words, a file as (name, kind by content, body), or both."""
        self.words = words.strip()
        if file is not None:
            name, self.kind, self.body = file
            self.name, self.size, self.sha256 = name[:160], len(self.body), hashlib.sha256(self.body).hexdigest()


class ClientWord(ClientRecord):
    """What the client says about the referral themselves (G10, G27)."""

    class Kind(models.TextChoices):
        CONFIRMED = "confirmed", _("I will be there")
        WENT = "went", _("Yes, I went")
        NOT_YET = "not_yet", _("Not yet")
        TOLD_NO = "told_no", _("They said no")
        CHANGED = "changed", _("I changed my mind")

    client_path = "referral__client"

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="client_words")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    words = SealedField()
    at = models.DateTimeField()

    class Privacy:
        clinical = ["kind", "words"]
        plain = ["id", "referral", "at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d}"
