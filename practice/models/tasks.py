from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.models.clients import Client, ClientRecord

if TYPE_CHECKING:
    from practice.models import User


@dataclass(frozen=True)
class Kind:
    """How a kind of open item looks on the caseload, and what its button does."""

    rank: int
    tone: str  # safety, refer, watch, quiet
    icon: str
    label: str | Promise
    action: str | Promise
    url: str  # url name; its arguments are the client and, when `subject` is set, the task's subject
    subject: bool = False
    alone: bool = False  # the address names the subject and not the client
    waits: bool = False  # stands in "This week" until AHEAD of its due time


NOW, WEEK = Client.Rank.NOW, Client.Rank.WEEK
GROUP = 400  # more than ten times the kinds, less than half of clients.LAST
AHEAD = timedelta(hours=12)  # so that what is due this afternoon is seen this morning
SEVERITIES = ("urgent", "priority", "routine")
# In the order of the caseload: safety first. A client keeps the place of their first item, so a new kind that does not
# go last needs a migration that places everybody again (practice.0009).
KINDS: dict[str, Kind] = {
    "safety": Kind(NOW, "safety", "octagon-alert", _("Safety"), _("Record contact"), "alert", True),
    "call_me": Kind(NOW, "safety", "phone", _("Asked for a call"), _("Call back"), "chart"),
    "next_check": Kind(
        NOW, "safety", "clock", _("Next safety check"), _("Record the check"), "alert", True, waits=True
    ),
    "care_today": Kind(NOW, "safety", "octagon-alert", _("Needs care today"), _("Record the steps"), "care_today"),
    "care_check": Kind(
        NOW, "safety", "clock", _("Check after care today"), _("Record the check"), "care_today", waits=True
    ),
    "hand_off": Kind(
        NOW, "safety", "phone", _("Interim contact"), _("Record contact"), "referral", True, True, waits=True
    ),
    "suggestion": Kind(NOW, "refer", "flag", _("Consider"), _("Review"), "suggestion", True),
    "missed": Kind(NOW, "refer", "triangle-alert", _("Missed session"), _("Follow up"), "chart"),
    "no_show": Kind(NOW, "refer", "triangle-alert", _("Missed at the clinic"), _("Follow up"), "referral", True, True),
    "declined": Kind(NOW, "refer", "octagon-alert", _("Clinic said no"), _("Choose another"), "referral", True, True),
    "clinic_asks": Kind(NOW, "refer", "messages-square", _("The clinic asks"), _("Answer"), "referral", True, True),
    "client_says": Kind(
        NOW, "refer", "messages-square", _("Client about the referral"), _("Open"), "referral", True, True
    ),
    "call_clinic": Kind(NOW, "refer", "phone", _("Call the clinic"), _("Call"), "referral", True, True),
    "case_question": Kind(NOW, "refer", "circle-help", _("A colleague asks"), _("Answer"), "case_question", True),
    "back_to_therapy": Kind(NOW, "refer", "calendar", _("Back to therapy"), _("Book therapy"), "referral", True, True),
    "adverse": Kind(NOW, "safety", "octagon-alert", _("Severe adverse event"), _("Open the plan"), "plan", True, True),
    "message": Kind(NOW, "watch", "message-circle", _("Message"), _("Read and answer"), "client_messages", waits=True),
    "assign": Kind(NOW, "watch", "user-plus", _("New, nobody's yet"), _("Choose a therapist"), "arrival"),
    "integrate": Kind(
        WEEK, "watch", "calendar", _("Therapy after a session"), _("Record contact"), "referral", True, True
    ),
    "kap_integrate": Kind(WEEK, "watch", "calendar", _("Integration after a dose"), _("Book it"), "plan", True, True),
    "letter": Kind(WEEK, "watch", "file-text", _("Letter from the clinic"), _("Read letter"), "referral", True, True),
    "recheck": Kind(WEEK, "watch", "clock", _("Recheck"), _("Open"), "decision", True),
    "plan_review": Kind(WEEK, "watch", "shield", _("Safety plan review"), _("Review"), "safety_plan"),
    "record_copy": Kind(WEEK, "watch", "download", _("Copy of the record"), _("Open"), "record_copy"),
    "release": Kind(WEEK, "watch", "file-text", _("Release of information"), _("Open"), "releases"),
    "new_intake": Kind(WEEK, "watch", "file-text", _("New intake"), _("Read intake"), "intake_read", True),
    "reconcile": Kind(WEEK, "watch", "circle-help", _("Two answers differ"), _("Reconcile"), "chart"),
    "unfinished": Kind(WEEK, "watch", "clock", _("Form not back"), _("Open"), "chart"),
    "booster": Kind(WEEK, "watch", "calendar", _("Booster window"), _("Open"), "chart"),
    "todo": Kind(WEEK, "quiet", "list-checks", _("To do"), _("Open"), "chart"),
    "quiet": Kind(WEEK, "quiet", "clock", _("Quiet client"), _("Get in touch"), "chart"),
    "medicines": Kind(WEEK, "watch", "pill", _("Medication list sent"), _("Type it"), "chart"),
}


def _rank(kind: str, due_at: datetime | None, at: datetime) -> int:
    look = KINDS[kind]
    return WEEK if look.waits and due_at is not None and due_at > at + AHEAD else look.rank


class Task(ClientRecord):
    """Something a person has to do for a client: the rows behind "Needs you now" and "To do"."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=16, choices=[(k, v.label) for k, v in KINDS.items()])
    rank = models.PositiveSmallIntegerField()
    subject_id = models.UUIDField(null=True, blank=True)
    # Codes that `why` turns into words: rule ids, scores, states. Never free text, never a name.
    facts = models.JSONField(default=dict, blank=True)
    owner = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="tasks")
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Privacy:
        clinical = ["kind", "facts", "rank"]
        plain = ["id", "client", "subject_id", "owner", "opened_at", "due_at", "done_at", "done_by"]

    class Meta:
        indexes = [
            models.Index(fields=["client", "rank", "opened_at"], name="task_open", condition=models.Q(done_at=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "kind", "subject_id"],
                name="task_open_once",
                condition=models.Q(done_at=None),
            ),
            models.UniqueConstraint(
                fields=["client", "kind"],
                name="task_open_once_without_subject",
                condition=models.Q(done_at=None, subject_id=None),
            ),
        ]

    def __str__(self) -> str:
        return str(KINDS[self.kind].label)

    @classmethod
    def open(
        cls,
        client: Client,
        kind: str,
        *,
        at: datetime,
        subject_id: Any = None,
        due_at: datetime | None = None,
        owner: User | None = None,
        **facts: Any,
    ) -> Task:
        """Open this item for the client, or freshen the one that is open. Moves the client in the caseload."""
        task, new = cls.objects.get_or_create(
            client=client,
            kind=kind,
            subject_id=subject_id,
            done_at=None,
            defaults={
                "rank": _rank(kind, due_at, at),
                "opened_at": at,
                "due_at": due_at,
                "facts": facts,
                "owner": owner,
            },
        )
        if not new and (facts or due_at):
            task.facts |= facts
            task.due_at = due_at or task.due_at
            task.rank = _rank(kind, task.due_at, at)
            task.save(update_fields=["facts", "due_at", "rank"])
        client.refresh_rank()
        return task

    @classmethod
    def wake(cls, at: datetime) -> int:
        """Move the items that waited, and are due now, among what needs somebody now. Returns how many."""
        kinds = [kind for kind, look in KINDS.items() if look.waits]
        due = cls.objects.filter(done_at=None, kind__in=kinds, rank=WEEK, due_at__lte=at + AHEAD)
        found = list(due.select_related("client"))
        for task in found:
            task.rank = KINDS[task.kind].rank
            task.save(update_fields=["rank"])
            task.client.refresh_rank()
        return len(found)

    @classmethod
    def finish(cls, client: Client, kind: str, *, at: datetime, by: User | None, subject_id: Any = None) -> None:
        """Finish the open item of this kind (and subject, when given), if there is one."""
        found = cls.objects.filter(client=client, kind=kind, done_at=None)
        if subject_id is not None:
            found = found.filter(subject_id=subject_id)
        if found.update(done_at=at, done_by=by):
            client.refresh_rank()

    @property
    def turn(self) -> int:
        """The place of this item among all: by group, by kind as listed, then by severity. Less than clients.LAST."""
        severity = self.facts.get("severity", "")
        return (
            GROUP * self.rank
            + 10 * list(KINDS).index(self.kind)
            + (SEVERITIES.index(severity) if severity in SEVERITIES else 0)
        )

    @property
    def look(self) -> Kind:
        return KINDS[self.kind]

    @property
    def action_url(self) -> str:
        args = [self.client_id, self.subject_id] if self.look.subject else [self.client_id]
        if self.look.alone:
            args = args[1:]
        return reverse(self.look.url, args=args)
