from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField, SealedJSON


class Decision(ClientRecord):
    """What a clinician decided with the client: what was weighed and why, on what evidence, and what they chose.

    Never edited; what is thought of later is an Addendum.
    """

    class Choice(models.TextChoices):
        INFUSION = "infusion_clinic", _("Refer to an infusion clinic")
        PAIN = "hospital_pain_infusion", _("Refer to a hospital or pain clinic")
        AT_HOME = "at_home_supervised", _("Refer to a supervised at-home programme")
        KAP = "kap", _("Plan ketamine-assisted psychotherapy here")
        NONE = "none_now", _("No ketamine now")
        NOT_YET = "not_yet", _("Not yet: something is needed first")
        WATCH = "watch", _("Watch and recheck")
        CARE_TODAY = "care_today", _("Needs care today")

    class Urgency(models.TextChoices):
        URGENT = "urgent", _("Urgent")
        ROUTINE = "routine", _("Routine")

    class Said(models.TextChoices):
        """What the client said to what they were offered (F4)."""

        AGREED = "agreed", _("Agreed")
        OTHER = "other", _("Chose another of the options")
        THINKING = "thinking", _("Wants time to think")
        NO = "no", _("Did not want it")
        NOT_ASKED = "not_asked", _("Not talked about yet")

    REFERS = (Choice.INFUSION, Choice.PAIN, Choice.AT_HOME)

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="decisions")
    suggestion = models.ForeignKey(
        "referrals.Suggestion", on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    choice = models.CharField(max_length=24, choices=Choice.choices)
    urgency = models.CharField(max_length=8, choices=Urgency.choices, default=Urgency.ROUTINE)
    weighed = models.JSONField(default=list)  # paths that were considered, codes of Path
    offered = models.JSONField(default=list)  # paths that the client was offered
    said = models.CharField(max_length=12, choices=Said.choices, default=Said.NOT_ASKED)
    said_words = SealedField()
    reasoning = SealedField()
    snapshot = SealedJSON()  # {"inputs", "dates", "rules", "holds", "excludes", "supports"} as they were
    rules_version = models.CharField(max_length=64)
    review_on = models.DateField(null=True, blank=True)
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Privacy:
        clinical = [
            "choice",
            "urgency",
            "weighed",
            "offered",
            "said",
            "said_words",
            "reasoning",
            "snapshot",
            "review_on",
        ]
        plain = ["id", "client", "suggestion", "rules_version", "by", "at"]

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["client", "at"], name="decision_client"),
            models.Index(fields=["at"], name="decision_at"),
        ]

    def __str__(self) -> str:
        return f"{self.get_choice_display()} {self.at:%Y-%m-%d}"


class Addendum(ClientRecord):
    client_path = "decision__client"

    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="addenda")
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Privacy:
        clinical = ["words"]
        plain = ["id", "decision", "by", "at"]

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"Addendum {self.at:%Y-%m-%d}"


class CaseQuestion(ClientRecord):
    """A question on a case to a named colleague who may see this client; the answer stands in the record (E6, E8)."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="case_questions")
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, null=True, blank=True, related_name="questions")
    to = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    question = SealedField()
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    answer = SealedField()
    answered_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    class Privacy:
        clinical = ["question", "answer"]
        plain = ["id", "client", "decision", "to", "asked_by", "asked_at", "answered_by", "answered_at"]

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at=None, answered_by=None)
                | Q(answered_at__isnull=False, answered_by__isnull=False),
                name="case_question_answered_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"Question {self.asked_at:%Y-%m-%d}"


class Clearance(ClientRecord):
    """A person's words that clear what one rule holds, or a prescriber's written reason against an exclusion.

    Good while the inputs that the rule reads stay as they were (`inputs_digest`). A safety hold is never cleared here
    but by a recorded contact on its flag.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="clearances")
    rule = models.CharField(max_length=12)
    rule_version = models.CharField(max_length=16)
    inputs_digest = models.CharField(max_length=64)
    is_override = models.BooleanField(default=False)  # of an exclusion, by a prescriber
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Privacy:
        clinical = ["rule", "is_override", "words"]
        plain = ["id", "client", "rule_version", "inputs_digest", "by", "at"]

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.rule} {self.at:%Y-%m-%d}"


class CareToday(ClientRecord):
    """A client needs care today: every other path is locked until the emergency steps are recorded (E5)."""

    class Step(models.TextChoices):
        CALLED_911 = "911", _("Called 911")
        CALLED_988 = "988", _("Called 988 with the client")
        MOBILE_TEAM = "mobile_team", _("Mobile crisis team on its way")
        EMERGENCY_ROOM = "ed", _("Client is going to an emergency department")
        STAYED = "stayed", _("Somebody stays with the client")
        TRUSTED_PERSON = "trusted_person", _("Told the person they trust")
        WELFARE_CHECK = "welfare_check", _("Asked for a welfare check")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="care_today")
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    reason = SealedField()
    steps = models.JSONField(default=list)  # codes of Step
    where = SealedField()  # where the client is
    with_whom = SealedField()
    outcome = SealedField()
    next_check_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(null=True, blank=True)
    recorded_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Privacy:
        clinical = ["reason", "steps", "where", "with_whom", "outcome"]
        plain = ["id", "client", "opened_at", "opened_by", "next_check_at", "recorded_at", "recorded_by"]

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(fields=["client"], name="care_today_open_once", condition=Q(recorded_at=None)),
            models.CheckConstraint(
                condition=Q(recorded_at=None, recorded_by=None)
                | Q(recorded_at__isnull=False, recorded_by__isnull=False),
                name="care_today_recorded_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Care today {self.opened_at:%Y-%m-%d}"
