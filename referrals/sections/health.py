"""Health, substances, and what was before; pain, and whether a programme at home suits."""

from datetime import date
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice.clinical import table
from practice.templatetags.ui import full_day
from referrals.models import Course, CourseSession, Path, Section
from referrals.sections.record import ASKED, Block, Record, Row, block, latest_words, reported, row

NO = ("no", "none")
UNSURE = "unsure"


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
    if plan and record.client.plan_name != Course.NAME:  # these are in the row above
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
