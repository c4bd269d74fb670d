from datetime import time
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedField

MEASURE_LINK_DAYS = 7  # OWN: a week later the same questions are about other days; staff see it as not back then
QUIET_DAYS = 14  # OWN: two weeks without a word
# Seven years after the last service: APA Record Keeping Guidelines (2007), guideline 7. A state's law may ask for more.
RECORD_YEARS = 7
UNNAMED = "Waymark"  # what stands where the name will stand, until the first admin writes it
MAJORITY_AGE = 18  # MAJORITY: 19 in Alabama and Nebraska, 21 in Mississippi
RECORD_YEARS_LEAST = 6  # agreements and disclosures are in the record: 45 CFR 164.316(b)(2)(i), 164.528, 164.530(j)


class Practice(models.Model):
    """The one practice of this installation: its name, its clocks and its clinical settings (a single row)."""

    name = models.CharField(_("name"), max_length=80, default="")
    discreet_name = models.CharField(
        _("name that clients may see on a locked phone"),
        max_length=40,
        blank=True,
        default="",
    )
    phone = models.CharField(_("phone"), max_length=32, blank=True, default="")
    fax = models.CharField(_("fax"), max_length=32, blank=True, default="")
    address = models.CharField(_("address"), max_length=160, blank=True, default="")
    hours_text = models.CharField(_("hours, in words"), max_length=80, blank=True, default="")
    hours_text_es = models.CharField(_("hours, in Spanish"), max_length=80, blank=True, default="")
    zone = models.CharField(_("time zone"), max_length=64, default="America/New_York")
    opens_at = models.TimeField(_("workday starts"), default=time(8))
    closes_at = models.TimeField(_("workday ends"), default=time(17))
    reads_by = models.TimeField(_("answers are read by, next workday"), default=time(12))
    screen_everyone = models.BooleanField(_("ask the safety questions of everyone"), default=False)
    answer_calls_nobody = models.BooleanField(
        _("an answer on a form does not call the police or an ambulance: this is true here"),
        default=False,
    )
    clinical_lead = models.CharField(_("clinical lead"), max_length=80, blank=True, default="")
    rule_overrides = models.JSONField(default=dict, blank=True)
    brought = models.CharField(max_length=12, blank=True, default="")  # digest of the instruments it brought itself
    ladder = models.JSONField(_("minutes until the next person is told"), default=dict, blank=True)
    is_part2 = models.BooleanField(_("this practice is a 42 CFR Part 2 programme"), default=False)
    referral_limits = models.JSONField(_("when a silent referral is chased"), default=dict, blank=True)
    quiet_days = models.PositiveSmallIntegerField(_("days without a word until a client is quiet"), default=QUIET_DAYS)
    # 8 am to 9 pm at the place of who is called: 47 CFR 64.1200(c)(1). The same time twice means any hour.
    messages_from = models.TimeField(_("messages that can wait go out from"), default=time(8))
    messages_until = models.TimeField(_("messages that can wait go out until"), default=time(21))
    measure_link_days = models.PositiveSmallIntegerField(
        _("days that the link of a check-in works"), default=MEASURE_LINK_DAYS
    )
    record_years = models.PositiveSmallIntegerField(
        _("years a record is kept after the last entry"), default=RECORD_YEARS
    )
    majority_age = models.PositiveSmallIntegerField(_("age at which a client is an adult here"), default=MAJORITY_AGE)
    key_canary = SealedField()
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[models.Manager["Practice"]] = models.Manager()

    class Privacy:
        plain = [
            "id",
            "name",
            "discreet_name",
            "phone",
            "fax",
            "address",
            "hours_text",
            "hours_text_es",
            "zone",
            "opens_at",
            "closes_at",
            "reads_by",
            "screen_everyone",
            "answer_calls_nobody",
            "clinical_lead",
            "rule_overrides",
            "brought",
            "ladder",
            "is_part2",
            "referral_limits",
            "quiet_days",
            "messages_from",
            "messages_until",
            "measure_link_days",
            "record_years",
            "majority_age",
            "key_canary",
            "version",
        ]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="practice_one_row"),
            models.CheckConstraint(
                condition=models.Q(record_years__gte=RECORD_YEARS_LEAST), name="practice_keeps_records"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def get(cls) -> "Practice":
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def display_name(self) -> str:
        """The name that clients, and whoever looks over their shoulder, may see."""
        return self.discreet_name or self.name or UNNAMED

    @property
    def hours(self) -> str:
        """When we are there, in the language of the page or message; "" where nobody has said it in that language."""
        return self.hours_text_es if get_language() == "es" else self.hours_text


class Site(models.Model):
    name = models.CharField(max_length=80)
    zone = models.CharField(max_length=64, default="America/New_York")
    address = models.CharField(max_length=160, blank=True, default="")
    phone = models.CharField(max_length=32, blank=True, default="")

    class Privacy:
        plain = ["id", "name", "zone", "address", "phone"]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ClinicalSignature(models.Model):
    """A clinician's words that a part of the clinical content was read and may be used here."""

    part = models.CharField(max_length=40)
    version = models.CharField(max_length=64)
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT)
    at = models.DateTimeField()
    words = models.TextField()

    class Privacy:
        plain = ["id", "part", "version", "by", "at", "words"]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["part", "version"], name="clinical_signature_once")]

    def __str__(self) -> str:
        return f"{self.part} {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("A signature is not edited; sign the new version instead.")
        super().save(*args, **kwargs)
