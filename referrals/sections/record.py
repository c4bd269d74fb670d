"""What is read of one client for a packet, each table once, and the shape of a block.

A block is `{"section", "key", "title", ...}` with any of `lines` (text), `rows` (label and value), `table` (columns and
rows of cells) and `chart`. A row may name a section of its own, where a fact of one section stands in another's block:
the answer to PHQ-9 item 9 is safety, though it stands among the scores. Psychotherapy notes, notes of the record and
the client's own story are read nowhere here.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import packet as packets
from intake import trials
from intake.models import Answer, Assessment
from intake.views import reading
from practice import coverage
from practice.models import Alert, Client, Practice, SafetyContact
from practice.templatetags.ui import clock, full_day
from referrals.models import Course, Referral

Block = dict[str, Any]
Row = dict[str, Any]

NOT_KNOWN = _("not known")
MAIN_MEASURE = "phq-9"
ITEM9 = "phq9-9"


@dataclass(frozen=True)
class Asked:
    """A health question of the intake. When every question in `after` was answered "no", so was this one."""

    page: str
    words: Any = ""
    after: tuple[str, ...] = ()


ASKED = (
    Asked("high-mood", _("Time of unusually high or irritable mood")),
    Asked("high-mood-now", after=("high-mood",)),
    Asked("bipolar"),
    Asked("voices", _("Heard or saw what others could not")),
    Asked("plots", _("Felt plotted against")),
    Asked("voices-now", after=("voices", "plots")),
    Asked("psychosis"),
    Asked("family-psychosis"),
    Asked("dissociative"),
    Asked("aneurysm"),
    Asked("brain-bleed"),
    Asked("heart-attack", _("Heart attack")),
    Asked("stroke", _("Stroke or TIA")),
    Asked("heart"),
    Asked("head-pressure"),
    Asked("seizures"),
    Asked("breathing"),
    Asked("liver"),
    Asked("thyroid"),
    Asked("glaucoma"),
    Asked("bladder"),
    Asked("memory"),
    Asked("ketamine-allergy"),
)
OTHER_PAGES = (
    "language",
    "medicines-now",
    "medicine-kinds",
    trials.PAGE,
    "other-treatments",
    "blood-pressure",
    "pregnancy",
    "breastfeeding",
    "drug-details",
    "ketamine-outside",
    "pain",
    "count-on",
    "lives-with",
    "adult-stays",
    "safe-home",
    "ride",
)


class Record:
    """What is read of one client for a packet, each table once."""

    def __init__(self, referral: Referral, at: datetime, practice: Practice) -> None:
        self.referral, self.practice, self.at = referral, practice, at
        self.client: Client = referral.client
        self.today = coverage.local(at, practice).date()
        self.form = packets.seed("intake")

    @cached_property
    def assessments(self) -> dict[str, list[Assessment]]:
        """By instrument, oldest first. Their answers are opened only where they are read."""
        found: dict[str, list[Assessment]] = {}
        for row in self.client.assessments.filter(taken_at__lte=self.at).order_by("taken_at"):
            found.setdefault(row.instrument, []).append(row)
        return found

    @cached_property
    def replies(self) -> dict[str, Answer]:
        """The newest answer to each question, of what was sent."""
        wanted = [each.page for each in ASKED] + list(OTHER_PAGES)
        rows = Answer.objects.filter(
            intake__client=self.client, intake__submitted_at__lte=self.at, question__in=wanted
        ).select_related("intake")
        return {row.question: row for row in rows.order_by("intake__submitted_at", "at")}

    @cached_property
    def courses(self) -> list[Course]:
        """Courses of infusions, oldest first, but for the one this referral began."""
        rows = Course.objects.filter(client=self.client, started_on__lte=self.today).prefetch_related("sessions")
        return [row for row in rows.order_by("started_on") if row.referral_id != self.referral.pk]

    @cached_property
    def flag(self) -> Alert | None:
        """The newest safety flag that is still open."""
        rows = Alert.objects.open().filter(client=self.client, is_drill=False, opened_at__lte=self.at)
        found: Alert | None = rows.order_by("raised_at").last()
        return found

    @cached_property
    def contact(self) -> SafetyContact | None:
        """The last time somebody tried to reach the client about a safety flag."""
        rows = SafetyContact.objects.filter(alert__client=self.client, recorded_at__lte=self.at)
        return rows.select_related("by").order_by("at").last()

    def said(self, page: str) -> Any:
        """The client's answer as kept; None when there is none, or it was passed over."""
        row = self.replies.get(page)
        return None if row is None or row.skipped else row.value

    def words(self, page: str) -> str:
        """The answer to a question with choices, as the client read it."""
        choice = self.form.by_slug[page].only.choice(self.said(page))
        return choice.label if choice else known("")

    def ticked(self, page: str) -> list[str] | None:
        """The boxes that were ticked, in words; None when the question was not answered."""
        value = self.said(page)
        if value is None:
            return None
        return [choice.label for choice in self.form.by_slug[page].only.choices if choice.code in value]


def known(value: object) -> str:
    """The words, or "not known": nothing in a packet is blank. Of many empty lines one is kept."""
    return re.sub(r"\s*\n\s*\n\s*", "\n\n", str(value).strip()) or str(NOT_KNOWN)


def row(label: object, value: object, section: str = "") -> Row:
    found: Row = {"label": str(label), "value": known(value)}
    return found | {"section": str(section)} if section else found


def block(section: str, key: str, title: object, **parts: Any) -> Block:
    return {"section": str(section), "key": key, "title": str(title), **parts}


def full_moment(at: datetime) -> str:
    """ "Nov 20, 2026, 9:10 am": a packet is read in other years, too."""
    return gettext("{day}, {time}").format(day=full_day(at), time=clock(at))


# --- Medicines, and what was tried -----------------------------------------------------------------------------------


def reported(record: Record, title: object, page: str) -> str:
    """The title with the day on which the client said so."""
    answer = record.replies.get(page)
    if answer is None or answer.intake.submitted_at is None:
        return str(title)
    day = full_day(coverage.local(answer.intake.submitted_at, record.practice))
    return gettext("{title} (by the client, {day})").format(title=title, day=day)


# --- Health, substances, what was before -----------------------------------------------------------------------------


def latest_words(taken: Assessment) -> str:
    parts = [
        reading.score_words(taken),
        reading.band_words(taken),
        full_day(taken.taken_on),
        reading.entered_words(taken),
    ]
    return ", ".join(part for part in parts if part)
