"""The parts of a packet: what a clinic reads of a client, from the record, block by block. What is not known says so.

A block is `{"section", "key", "title", ...}` with any of `lines` (text), `rows` (label and value), `table` (columns and
rows of cells) and `chart`. A row may name a section of its own, where a fact of one section stands in another's block:
the answer to PHQ-9 item 9 is safety, though it stands among the scores. Psychotherapy notes, notes of the record and
the client's own story are read nowhere here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from math import floor
from typing import Any

from dateutil.relativedelta import relativedelta
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import packet as packets
from intake import trials
from intake.models import Answer, Assessment
from intake.views import reading
from practice import coverage
from practice.clinical import table, windows
from practice.clinical.instrument import load
from practice.clinical.risk import CSSRS
from practice.models import Alert, Client, Practice, SafetyContact, SafetyPlan
from practice.templatetags.ui import clock, full_day
from practice.views.chart import language_words, reach_words
from referrals.models import Course, CourseSession, Path, Referral, Section

Block = dict[str, Any]
Row = dict[str, Any]

NOT_KNOWN = _("not known")
MONTHS = 12  # of the chart
MEASURES = ("phq-9", "gad-7", "pcl-5", "b-ipf", "wbs-2")
MAIN_MEASURE = "phq-9"
ITEM9 = "phq9-9"

# What each question of the C-SSRS screener asks, for a clinician.
CSSRS_WORDS = {
    "cssrs-1": _("wish to be dead"),
    "cssrs-2": _("thoughts of suicide"),
    "cssrs-3": _("thoughts of a method"),
    "cssrs-4": _("some intent to act"),
    "cssrs-5": _("a plan with intent"),
    "cssrs-6": _("suicidal behavior, ever"),
    "cssrs-6r": _("suicidal behavior, last 3 months"),
}


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
NO = ("no", "none")
UNSURE = "unsure"
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
        self.form = packets.load("intake")

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
        rows = Alert.objects.filter(client=self.client, is_drill=False, opened_at__lte=self.at, closed_at=None)
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


# --- Who, and how to reach them safely -------------------------------------------------------------------------------


def client_block(record: Record) -> Block:
    client, ride = record.client, record.words("ride")
    legal = client.legal_name if client.legal_name != client.name else ""
    name = f"{client.name} ({client.pronouns})" if client.pronouns else client.name
    born = full_day(client.born) if client.born else ""
    rows = [
        row(_("Name"), gettext("{name}, legal name {legal}").format(name=name, legal=legal) if legal else name),
        row(_("Born"), f"{born} ({client.age(record.today)})" if born else ""),
        row(_("Reach by"), reach_words(client)),
        row(_("Language"), languages(record)),
        row(_("Payment"), client.payment),
        row(_("Ride home"), ride, Section.SUPPORT),
    ]
    person = client.contact("support") or client.contact("emergency")
    if person and person.get("name"):
        rows.append(row(_("Trusted person"), trusted(record, person), Section.SUPPORT))
    return block(Section.IDENTITY, "client", _("Client"), pairs=True, rows=rows)


def languages(record: Record) -> str:
    told = record.said("language") or {}
    words = str(told.get("language") or language_words(record.client))
    return (
        gettext("{language}, needs an interpreter").format(language=words)
        if told.get("interpreter") == "yes"
        else words
    )


def trusted(record: Record, person: Mapping[str, Any]) -> str:
    """The person the client trusts, with their number and when the client lets us speak with them."""
    fields = {field.key: field for field in record.form.by_slug["support-person"].fields}
    relation = fields["relation"].choice(person.get("relation"))
    words = str(person["name"])
    if person.get("relation"):
        words += f" ({(relation.label if relation else str(person['relation'])).lower()})"
    may, phone = person.get("may_talk"), str(person.get("phone") or "")
    if may == "emergency":
        return gettext("{person}, only in an emergency: {phone}").format(person=words, phone=known(phone))
    return f"{words}, {known(phone)}" if may == "yes" else gettext("{person}, do not call").format(person=words)


# --- Safety ----------------------------------------------------------------------------------------------------------


def safety_block(record: Record) -> Block:
    local = coverage.local(record.at, record.practice)
    therapist = record.client.therapist
    lines = [screener_words(record), item9_words(record), contact_words(record), plan_words(record)]
    lines.append(
        gettext("Call {who} at {phone} the same day if risk rises. Call 911 in an emergency.").format(
            who=therapist.name if therapist else record.practice.name, phone=known(record.practice.phone)
        )
    )
    title = gettext("Safety, as of {when}").format(when=full_moment(local))
    return block(Section.SAFETY, "safety", title, boxed=True, lines=lines)


def screener_words(record: Record) -> str:
    """The newest C-SSRS, question by question. A blank is told as a blank, never as a "no"."""
    taken = record.assessments.get(CSSRS)
    if not taken:
        return gettext("C-SSRS screener: {words}.").format(words=NOT_KNOWN)
    last = taken[-1]
    given = last.answers or {}
    asked = [item for item in last.definition.applicable_items(given) if item.link_id in CSSRS_WORDS]
    said = [
        gettext("C-SSRS screener {day}: {level}.").format(day=full_day(last.taken_on), level=reading.band_words(last))
    ]
    if not windows.is_current(CSSRS, last.taken_on, record.today):
        said.append(gettext("Expired: more than {n} days old.").format(n=windows.OTHER_DAYS))
    for label, wanted in (
        (gettext("Yes"), lambda value: value == 1),
        (gettext("No"), lambda value: value == 0),
        (gettext("Not answered"), lambda value: value is None),
    ):
        found = [str(CSSRS_WORDS[item.link_id]) for item in asked if wanted(given.get(item.link_id))]
        if found:
            said.append(f"{label}: {', '.join(found)}.")
    return " ".join(said)


def item9_words(record: Record) -> str:
    taken = record.assessments.get(MAIN_MEASURE)
    if not taken:
        return gettext("PHQ-9 item 9: {words}.").format(words=NOT_KNOWN)
    last = taken[-1]
    item = last.definition.item(ITEM9)
    option = item.option((last.answers or {}).get(ITEM9))
    words = (
        gettext("{value} of 3, “{words}”").format(value=option.value, words=option.label)
        if option
        else gettext("not answered")
    )
    return gettext("PHQ-9 item 9, {day}: {words}.").format(day=full_day(last.taken_on), words=words)


def contact_words(record: Record) -> str:
    """The last contact; and plainly so when a newer sign has none yet."""
    contact, flag = record.contact, record.flag
    said = []
    if flag is not None and (contact is None or contact.recorded_at < flag.raised_at):
        opened = full_moment(coverage.local(flag.raised_at, record.practice))
        said.append(gettext("Safety sign of {when}: no contact recorded yet.").format(when=opened))
    if contact is not None:
        local = coverage.local(contact.at, record.practice)
        words = gettext("Safety contact {when} by {who}: {reached}. Level found: {level}. Next check {next}.").format(
            when=full_moment(local),
            who=contact.by.name,
            reached=contact.get_reached_display().lower(),
            level=contact.get_level_display().lower(),
            next=full_moment(coverage.local(contact.next_check_at, record.practice)),
        )
        said.append(words)
    return " ".join(said) or gettext("Safety contact: none recorded.")


def plan_words(record: Record) -> str:
    plan = SafetyPlan.current(record.client)
    if plan is None or plan.finished_at is None:
        return gettext("Safety plan: none yet. Means safety: {words}.").format(words=NOT_KNOWN)
    said = gettext("Safety plan of {day}, review by {review}. Means safety: {means}.").format(
        day=full_day(coverage.local(plan.finished_at, record.practice)),
        review=full_day(plan.review_on),
        means=str(plan.get_means_display()).lower(),
    )
    return f"{said} {plan.means_words.strip()}".strip()


# --- Why now ---------------------------------------------------------------------------------------------------------


def why_block(record: Record) -> Block:
    diagnoses = [f"{each.get('code', '')} {each.get('text', '')}".strip() for each in record.client.diagnoses or []]
    return block(
        Section.WHY,
        "why",
        _("Why now"),
        lines=[known(record.referral.why_now)],
        rows=[row(_("Diagnoses"), "; ".join(filter(None, diagnoses)))],
    )


# --- Scores over time ------------------------------------------------------------------------------------------------


def scores_block(record: Record) -> Block:
    """Twelve months of the main measure beside the infusions, and the turning points of every measure."""
    title = gettext("{name} and infusions, {months} months").format(name=load(MAIN_MEASURE).short_name, months=MONTHS)
    found = block(Section.SCORES, "scores", title)
    main = record.assessments.get(MAIN_MEASURE, [])
    start = record.today - relativedelta(months=MONTHS)
    if any(each.taken_on >= start for each in main):
        found["chart"] = chart_data(record, main, start)
    picks = [_("First"), _("Highest"), _("Lowest"), _("Now")]
    days = course_days(record)
    if days:
        picks = [_("First"), _("Before infusions"), _("After infusions"), _("Lowest"), _("Now")]
    taken = {key: record.assessments.get(key, []) for key in MEASURES}
    often = [key for key in MEASURES if key == MAIN_MEASURE or len(taken[key]) > 1]
    rows = [each for key in often for each in measure_rows(taken[key], key, days)]
    found["table"] = {"columns": [str(_("Measure")), *(str(pick) for pick in picks)], "rows": rows}
    once = [once_words(taken[key][0]) for key in MEASURES if key not in often and taken[key]]
    if once:
        found["rows"] = [row(_("Taken once"), "; ".join(once))]
    return found


def once_words(taken: Assessment) -> str:
    return f"{range_words(taken.definition)} {score_cell(taken)}"


def course_days(record: Record) -> list[date]:
    """The days of the last course of infusions, in order."""
    done = [[s.on for s in c.sessions.all() if s.state == CourseSession.State.DONE] for c in record.courses]
    return sorted(next((days for days in reversed(done) if days), []))


def chart_data(record: Record, rows: Sequence[Assessment], start: date) -> dict[str, Any]:
    definition = rows[-1].definition
    first = next((float(each.total) for each in rows if each.total is not None), None)
    fall = definition.change.get("response_fall_pct")
    done = [[s.on for s in c.sessions.all() if s.state == CourseSession.State.DONE] for c in record.courses]
    return {
        "instrument": definition.key,
        "version": definition.version,
        "start": start.isoformat(),
        "end": record.today.isoformat(),
        "points": [
            [each.taken_on.isoformat(), None if each.total is None else float(each.total), each.safety]
            for each in rows
            if start <= each.taken_on
        ],
        "courses": [[day.isoformat() for day in sorted(days)] for days in done if days],
        "baseline": first,
        "response": floor(first * (1 - fall / 100)) if first and fall else None,
        "remission_below": definition.change.get("remission_below"),
    }


def measure_rows(taken: Sequence[Assessment], key: str, course: Sequence[date]) -> list[Row]:
    """A measure's row, and below the main one's its safety item."""
    if not taken:
        definition = load(key)
        return [{"cells": [range_words(definition), *[str(NOT_KNOWN)] * (5 if course else 4)]}]
    picked = turning_points(taken, course)
    definition = taken[-1].definition
    found: list[Row] = [{"cells": [range_words(definition), *(score_cell(each) for each in picked)]}]
    if key == MAIN_MEASURE:
        cells = [gettext("Item 9 (0 to 3)"), *(item9_cell(each) for each in picked)]
        found.append({"section": str(Section.SAFETY), "cells": cells})
    return found


def turning_points(taken: Sequence[Assessment], course: Sequence[date]) -> list[Assessment | None]:
    known_rows = [each for each in taken if each.total is not None]
    lowest = min(known_rows, key=lambda each: each.total or 0, default=None)
    if not course:
        highest = max(known_rows, key=lambda each: each.total or 0, default=None)
        return [taken[0], highest, lowest, taken[-1]]
    before = next((each for each in reversed(taken) if each.taken_on <= course[0]), None)
    after = next((each for each in taken if each.taken_on >= course[-1]), None)
    return [taken[0], before, after, lowest, taken[-1]]


def range_words(definition: Any) -> str:
    least, most = definition.scoring.get("minimum", 0), definition.scoring.get("maximum")
    if most is None:
        return str(definition.short_name)
    return gettext("{name} ({least} to {most})").format(
        name=definition.short_name, least=reading.number_words(least), most=reading.number_words(most)
    )


def score_cell(taken: Assessment | None) -> str:
    if taken is None:
        return str(NOT_KNOWN)
    if taken.total is not None:
        words = reading.number_words(taken.total)
        words = gettext("{total}, estimated").format(total=words) if taken.estimated else words
    elif taken.lower_bound is not None:
        words = gettext("no total, at least {least}").format(least=reading.number_words(taken.lower_bound))
    else:
        words = gettext("no total")
    return f"{words} ({full_day(taken.taken_on)})"


def item9_cell(taken: Assessment | None) -> str:
    if taken is None:
        return str(NOT_KNOWN)
    value = (taken.answers or {}).get(ITEM9)
    return gettext("not answered") if value is None else str(value)


# --- Medicines, and what was tried -----------------------------------------------------------------------------------


def medicines_block(record: Record) -> Block:
    kinds = record.ticked("medicine-kinds")
    others = record.ticked("other-treatments")
    return block(
        Section.MEDICINES,
        "medicines",
        reported(record, _("Medicines"), "medicines-now"),
        rows=[
            row(_("Medicines now"), medicine_words(record.said("medicines-now"))),
            row(
                _("Of these kinds"),
                "" if kinds is None else "; ".join(kinds) or gettext("None of the kinds asked about"),
            ),
            row(_("Allergies"), record.client.allergies),
            row(_("Other treatments"), "" if others is None else "; ".join(others) or gettext("None")),
        ],
    )


def reported(record: Record, title: object, page: str) -> str:
    """The title with the day on which the client said so."""
    answer = record.replies.get(page)
    if answer is None or answer.intake.submitted_at is None:
        return str(title)
    day = full_day(coverage.local(answer.intake.submitted_at, record.practice))
    return gettext("{title} (by the client, {day})").format(title=title, day=day)


def medicine_words(told: Any) -> str:
    if told is None:
        return ""
    said = []
    for each in told:
        if name := str(each.get("name") or "").strip():
            dose = str(each.get("dose") or "").strip() or gettext("dose not known")
            why = str(each.get("why") or "").strip()
            said.append(f"{name}, {dose}, {gettext('for {why}').format(why=why)}" if why else f"{name}, {dose}")
    return "; ".join(said) or gettext("None")


def trials_block(record: Record) -> Block:
    """Each medicine that was tried for depression: dose, weeks, how much it helped, why it ended."""
    told = record.said(trials.PAGE)
    title = gettext("Tried for depression")
    if not told:
        words = "" if told is None else gettext("None, by the client's word")
        return block(Section.MEDICINES, "trials", title, lines=[known(words)])
    fields = {field.key: field for field in record.form.by_slug[trials.PAGE].fields}
    rows = []
    for each in told:
        if drug := str(each.get("drug") or "").strip():
            helped = fields["best_improvement_pct"].choice(each.get("best_improvement_pct"))
            stopped = fields["stopped"].choice(each.get("stopped"))
            added = str(each.get("augment") or "").strip()
            mg, weeks = each.get("mg"), each.get("weeks")
            result = [choice.label for choice in (helped, stopped) if choice]
            rows.append(
                {
                    "cells": [
                        gettext("{drug} with {added}").format(drug=drug, added=added) if added else drug,
                        known("" if mg in (None, "") else gettext("{mg} mg").format(mg=f"{float(mg):g}")),
                        known("" if weeks in (None, "") else f"{float(weeks):g}"),
                        known("; ".join(result)),
                    ]
                }
            )
    columns = [gettext("Medicine"), gettext("Highest dose a day"), gettext("Weeks"), gettext("Result")]
    return block(Section.MEDICINES, "trials", title, table={"columns": columns, "rows": rows})


# --- Health, substances, what was before -----------------------------------------------------------------------------


def screening_block(record: Record) -> Block:
    denied, told, unknown = health(record)
    rows = [
        row(_("Reported"), "; ".join(told) or (gettext("None of what was asked") if denied else ""), Section.HEALTH),
        row(_("Asked and denied"), "; ".join(denied) or gettext("nothing yet"), Section.HEALTH),
    ]
    if unknown:
        rows.append(row(_("Not known"), "; ".join(unknown), Section.HEALTH))
    rows += [
        row(_("Blood pressure"), pressure_words(record.said("blood-pressure")), Section.HEALTH),
        row(_("Pregnancy"), record.words("pregnancy"), Section.HEALTH),
        row(_("Breastfeeding"), record.words("breastfeeding"), Section.HEALTH),
        *substance_rows(record),
        row(_("Infusions before"), infusion_words(record), Section.HISTORY),
    ]
    plan = f"{record.client.plan_name} {record.client.plan_note}".strip()
    if plan:
        rows.append(row(_("Treatment here"), plan, Section.HISTORY))
    return block("", "screening", reported(record, _("Health and history"), "aneurysm"), rows=rows)


def health(record: Record) -> tuple[list[str], list[str], list[str]]:
    """What was asked and denied, what was reported, and what is not known. Unsure and passed over are not known."""
    denied, told, unknown = [], [], []
    for each in ASKED:
        page = record.form.by_slug[each.page]
        words = str(each.words) or table.inputs()[page.fact].label
        value = record.said(each.page)
        if each.after and all(record.said(gate) == "no" for gate in each.after):
            denied.append(words)
        elif value is None or value == UNSURE:
            unknown.append(words)
        elif value in NO:
            denied.append(words)
        else:
            choice = page.only.choice(value)
            detail = choice.label if choice else str(value)
            told.append(words if value == "yes" else f"{words}: {detail}")
    return denied, told, unknown


def pressure_words(told: Any) -> str:
    told = told or {}
    upper, lower, on = told.get("upper"), told.get("lower"), told.get("on")
    if not upper or not lower:
        return ""
    day = full_day(date.fromisoformat(on)) if on else gettext("a day not known")
    return gettext("{upper}/{lower} on {day}").format(upper=upper, lower=lower, day=day)


def substance_rows(record: Record) -> list[Row]:
    rows = []
    for key, label in (("audit-c", _("Alcohol (AUDIT-C)")), ("sisq-drug", _("Drugs"))):
        taken = record.assessments.get(key)
        rows.append(row(label, latest_words(taken[-1]) if taken else "", Section.SUBSTANCES))
    if details := str(record.said("drug-details") or "").strip():
        rows.append(row(_("Which drugs, in the client's words"), details, Section.SUBSTANCES))
    rows.append(row(_("Ketamine, not prescribed"), record.words("ketamine-outside"), Section.SUBSTANCES))
    return rows


def latest_words(taken: Assessment) -> str:
    parts = [reading.score_words(taken), reading.band_words(taken), full_day(taken.taken_on)]
    return ", ".join(part for part in parts if part)


def infusion_words(record: Record) -> str:
    """Each earlier course: clinic, how many, when, by which route. Without one, what the client says."""
    said = [course_words(course) for course in record.courses]
    if said:
        return "; ".join(said)
    treatments = record.said("other-treatments")
    if treatments is None:
        return ""
    had = "ketamine" in treatments
    return gettext("Ketamine or esketamine, by the client's word") if had else gettext("None, by the client's word")


def course_words(course: Course) -> str:
    done = sorted((s for s in course.sessions.all() if s.state == CourseSession.State.DONE), key=lambda s: s.on)
    if not done:
        return gettext("{clinic}: none done of {planned} planned").format(clinic=course.clinic, planned=course.planned)
    routes = dict.fromkeys(str(session.get_route_display()) for session in done if session.route)
    words = ngettext(
        "{clinic}: {n} infusion, {first} to {last}", "{clinic}: {n} infusions, {first} to {last}", len(done)
    ).format(clinic=course.clinic, n=len(done), first=full_day(done[0].on), last=full_day(done[-1].on))
    return ", ".join([words, *routes])


# --- Facts of the path -----------------------------------------------------------------------------------------------


def path_blocks(record: Record) -> list[Block]:
    """Pain for a hospital or pain clinic, suitability for a programme at home; pain elsewhere if known."""
    found = []
    if record.referral.path == Path.PAIN or record.assessments.get("peg") or record.said("pain") == "yes":
        found.append(pain_block(record))
    if record.referral.path == Path.AT_HOME:
        found.append(home_block(record))
    return found


def pain_block(record: Record) -> Block:
    kinds, peg = record.said("medicine-kinds"), record.assessments.get("peg")
    opioid = "" if kinds is None else gettext("Yes") if "opioid" in kinds else gettext("No")
    return block(
        Section.PAIN,
        "pain",
        _("Pain"),
        rows=[
            row(_("Pain on most days, 3 months or more"), record.words("pain")),
            row(_("PEG score"), latest_words(peg[-1]) if peg else ""),
            row(_("Takes an opioid"), opioid),
        ],
    )


def home_block(record: Record) -> Block:
    return block(
        Section.SUPPORT,
        "home",
        _("Suitability for home"),
        rows=[
            row(_("An adult stays for the whole treatment"), record.words("adult-stays")),
            row(_("A private place that feels safe"), record.words("safe-home")),
            row(_("People to count on"), record.words("count-on")),
            row(_("Lives with"), record.said("lives-with") or ""),
            row(_("Prescriber"), gettext("Yes") if record.client.prescriber_id else gettext("None named")),
        ],
    )


BLOCKS = (
    client_block,
    safety_block,
    why_block,
    scores_block,
    medicines_block,
    trials_block,
    screening_block,
)


def blocks(record: Record) -> Iterable[Block]:
    for make in BLOCKS:
        yield make(record)
    yield from path_blocks(record)
