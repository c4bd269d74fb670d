"""What a client sent, as the therapist reads it: assessments item by item, whole sittings, agreements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import actions, behalf, copies, editions, flow, signs, trials
from intake.models import Assessment, Intake, Signature
from practice import audit
from practice.access import Permission
from practice.charts import band_tone
from practice.clinical import trials as clinical_trials
from practice.clinical.change import change
from practice.clinical.instrument import Answers, Instrument, Item
from practice.models import Client, Practice
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment, signed
from practice.views.alert_cards import rule_words
from practice.views.chart import SIDE, Panel, allowed, frame, named, open_flags, reader

SHOWN_AT_FIRST = 8
HEARD = {Intake.How.PHONE: _("Said by phone"), Intake.How.ROOM: _("Said in the room")}


# --- Panels of the chart ---------------------------------------------------------------------------------------------


def assessments(client: Client) -> list[Assessment]:
    """Every assessment of the client without its answers, newest first. Asks the database once per client."""
    if not hasattr(client, "assessments_read"):
        client.assessments_read = list(client.assessments.defer("answers").order_by("-taken_at", "instrument"))  # type: ignore[attr-defined]
    return client.assessments_read  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    rows = [assessment_row(row) for row in assessments(client)]
    unread = sum(not row["read"] for row in rows)
    chip = {
        "tone": "watch",
        "icon": "eye",
        "text": ngettext("{n} not read yet", "{n} not read yet", unread).format(n=unread),
    }
    return Panel(
        "intake/assessments_panel.html",
        {
            "rows": rows[:SHOWN_AT_FIRST],
            "older": rows[SHOWN_AT_FIRST:],
            "chip": chip if unread else None,
            "share": reverse("scores_shared", args=[client.pk])
            if rows and Permission.DECIDE in allowed(reader(request), client)
            else "",
        },
    )


def assessment_row(row: Assessment) -> dict[str, Any]:
    return {
        "title": row.definition.short_name,
        "on": full_day(row.taken_on),
        "score": score_words(row),
        "band": band_words(row),
        "tone": tone(row),
        "safety": row.safety,
        "read": row.read_at is not None or row.imported_at is not None,  # history is not new to anybody
        "imported": row.imported_at is not None,
        "url": reverse("assessment", args=[row.client_id, row.pk]),
    }


def agreements_panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    """The newest signature of each text, with its copy."""
    newest: dict[str, Signature] = {}
    for row in client.signatures.select_related("signed_by").order_by("-signed_at"):
        newest.setdefault(row.document, row)
    named = editions.titles(newest.values())
    rows = [
        {
            "title": named[row.document, row.version],
            "signed": full_day(row.signed_at),
            "as": signed_as(row),
            "url": reverse("agreement_copy", args=[client.pk, row.pk]),
        }
        for row in newest.values()
    ]
    return Panel("intake/agreements_panel.html", {"rows": rows}, SIDE)


def signed_as(row: Signature) -> str:
    """As what somebody signed for the client, and who when it was on their own page; "" for the client."""
    words = str(row.get_relation_display()) if row.relation != Signature.Relation.SELF else ""
    return f"{words}: {signs.person_words(row.signed_by)}" if row.signed_by is not None else words


# --- Words -----------------------------------------------------------------------------------------------------------


def number_words(value: Any) -> str:
    return f"{float(value):g}"


def score_words(row: Assessment) -> str:
    """The total with what it is out of, or what stands in its place; never only a number that is not one."""
    if row.total is not None:
        highest = row.definition.scoring.get("maximum")
        words = number_words(row.total)
        words = gettext("{total} of {highest}").format(total=words, highest=number_words(highest)) if highest else words
        return gettext("{total}, estimated").format(total=words) if row.estimated else words
    if row.definition.scoring["method"] in ("triage", "none"):
        return ""
    if row.lower_bound is not None:
        return gettext("No total, at least {least}").format(least=number_words(row.lower_bound))
    return gettext("No total")


def entered_words(row: Assessment) -> str:
    """That the client did not type these answers: "Said by phone, entered by staff"; else ""."""
    how = row.details.get("entered")
    if row.details.get("guardian"):
        words, part = gettext("Answered by a guardian, not by the client"), row.details.get("guardian_part")
    elif how:
        words, part = gettext("{how}, entered by staff").format(how=HEARD[how]), row.details.get("entered_part")
    else:
        return ""
    return gettext("In part: {words}").format(words=words) if part else words


def band_words(row: Assessment) -> str:
    code = row.band or row.level
    if not code:
        return ""
    labels = {band.code: band.label for band in row.definition.bands}
    own = {"incomplete": gettext("Not finished"), "declined": gettext("Declined")}
    return labels.get(code) or own.get(code) or code.replace("_", " ").capitalize()


def tone(row: Assessment) -> int:
    """The step of the severity ramp of this band, 0 to 4."""
    codes = [band.code for band in row.definition.bands]
    return band_tone(codes.index(row.band), len(codes)) if row.band in codes else 0


def score_sentences(row: Assessment) -> list[str]:
    """What a reader must know about how the score came about."""
    said = []
    missing = len(row.details.get("missing", []))
    count = len(row.definition.scored_points)
    if row.estimated:
        said.append(
            gettext("Estimated from {answered} of {count} answers; the rest are filled in by their mean.").format(
                answered=count - missing, count=count
            )
        )
    elif row.definition.scoring["method"] == "none":
        said.append(gettext("These answers are not added up: how they are scored is not known here."))
    elif row.total is None and row.definition.scoring["method"] != "triage":
        said.append(
            ngettext(
                "Not scored: {n} answer is missing, more than this instrument allows.",
                "Not scored: {n} answers are missing, more than this instrument allows.",
                missing,
            ).format(n=missing)
        )
        if row.lower_bound is not None:
            said.append(
                gettext("The answers given add up to {least}; the true total is at least that.").format(
                    least=number_words(row.lower_bound)
                )
            )
    if row.level and not row.complete:
        said.append(gettext("A question was left blank. A blank is never a “no”."))
    if row.details.get("mds"):
        said.append(gettext("The answers fit the symptom pattern of this questionnaire. That is not a diagnosis."))
    if row.details.get("provisional"):
        said.append(gettext("The answers fit the symptom pattern of PTSD. That is not a diagnosis."))
    return said


# --- One assessment, item by item (C12) ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One question with its answer, in the words in which both were read."""

    text: str
    window: str
    words: str
    value: str
    change: str
    alert: bool
    """A suicide question with any sign, or without an answer."""


def item_lines(definition: Instrument, answers: Answers, before: Answers | None) -> list[Line]:
    asked = {item.link_id for item in definition.applicable_items(answers)}
    return [
        Line(
            text=item.text,
            window=item.window,
            words=answer_words(item, answers),
            value=value_shown(item, answers),
            change=change_words(item, answers, before),
            alert=item.safety and answers.get(item.link_id) != 0,
        )
        for item in definition.items
        if item.link_id in asked or answers.get(item.link_id) is not None
    ]


def answer_words(item: Item, answers: Answers) -> str:
    value = answers.get(item.link_id)
    if value is None:
        return gettext("Skipped on purpose") if item.link_id in answers else gettext("Not answered")
    option = item.option(value)
    return option.label if option else str(value)


def value_shown(item: Item, answers: Answers) -> str:
    option = item.option(answers.get(item.link_id))
    return str(option.value) if option and item.scored else ""


def change_words(item: Item, answers: Answers, before: Answers | None) -> str:
    """How this answer differs from the last time it was asked; empty when it does not, or was not asked before."""
    if before is None or item.link_id not in before or before[item.link_id] == answers.get(item.link_id):
        return ""
    return gettext("was: {words}").format(words=answer_words(item, before))


def time_taken(seconds: int | None) -> str:
    if seconds is None:
        return gettext("not known")
    if seconds < 60:
        return gettext("under a minute")
    return ngettext("{n} minute", "{n} minutes", round(seconds / 60)).format(n=round(seconds / 60))


def _assessment(request: HttpRequest, pk: UUID, assessment: UUID) -> Assessment:
    found: Assessment = record_of(request, Assessment, assessment, of=pk)
    return found


@staff_page(Permission.READ_CHART)
def assessment(request: HttpRequest, pk: UUID, assessment: UUID) -> HttpResponse:
    at = timezone.now()
    found = _assessment(request, pk, assessment)
    client = client_of(request, pk)
    audit.seen(request, client, "assessment", found)
    definition = found.definition
    same = client.assessments.filter(instrument=found.instrument, taken_at__lt=found.taken_at)
    earlier = same.order_by("-taken_at").first()
    return render(
        request,
        "intake/assessment.html",
        {
            **frame(request, client, at),
            "found": found,
            "definition": definition,
            "title": definition.short_name,
            "score": score_words(found),
            "band": band_words(found),
            "tone": tone(found),
            "sentences": score_sentences(found),
            "since": since_words(found, earlier),
            "earlier": earlier,
            "lines": item_lines(definition, found.answers or {}, earlier.answers if earlier else None),
            "taken": moment(found.taken_at),
            "time_taken": time_taken(found.seconds),
            "rules": [rule_words(rule) for rule in found.rules],
            "entered": heard(found.intake, found.instrument) if entered_words(found) and found.intake else "",
            "may_mark": Permission.MARK_READ in allowed(reader(request), client),
            "read_by": named(found.read_by, reader(request)) if found.read_at else "",
            "wording_differs": not found.imported_at and found.wording_sha256 not in definition.wordings,
        },
    )


def since_words(found: Assessment, earlier: Assessment | None) -> str:
    """The change of the total since the last time: "+6 since Nov 5, 2026"."""
    if earlier is None or found.total is None or earlier.total is None:
        return ""
    difference = float(found.total) - float(earlier.total)
    known = change(found.definition, _plain(earlier.total), _plain(found.total))
    words = gettext("{difference} since {day}").format(
        difference=signed(cast(int, _plain(round(difference, 2)))),
        day=full_day(earlier.taken_on),
    )
    if known.reliable_worsening:
        return gettext("{words}: reliably worse").format(words=words)
    return gettext("{words}: reliably better").format(words=words) if known.reliable_improvement else words


def _plain(total: Any) -> float:
    return int(total) if float(total).is_integer() else float(total)


@staff_page(Permission.READ_CHART)
def assessment_read(request: HttpRequest, pk: UUID, assessment: UUID) -> HttpResponse:
    found = _assessment(request, pk, assessment)
    if request.method == "POST":
        Client.objects.get_for(reader(request), Permission.MARK_READ, pk)
        first = found.mark_read(by=reader(request), at=timezone.now())
        _say_read(request, found, first)
    return redirect("assessment", pk, found.pk)


def _say_read(request: HttpRequest, found: Assessment | Intake, first: bool) -> None:
    if first:
        messages.success(request, gettext("Marked as read."))
    elif found.read_at:
        messages.info(
            request,
            gettext("Read already, by {who}, {when}.").format(
                who=named(found.read_by, reader(request)), when=moment(found.read_at)
            ),
        )


# --- A whole sitting -------------------------------------------------------------------------------------------------


@staff_page(Permission.READ_CHART)
def intake_read(request: HttpRequest, pk: UUID, intake: UUID) -> HttpResponse:
    """The answers by section. Of a sitting that was not sent, only while a safety flag of it is open."""
    at = timezone.now()
    sitting: Intake = record_of(request, Intake, intake, of=pk)
    client = client_of(request, pk)
    if request.method == "POST":
        Client.objects.get_for(reader(request), Permission.MARK_READ, pk)
        if sitting.submitted_at is not None:
            _say_read(request, sitting, sitting.mark_read(by=reader(request), at=at))
        return redirect("intake_read", pk, sitting.pk)
    audit.seen(request, client, "intake", sitting)
    readable = sitting.submitted_at is not None or any(flag.source_id == sitting.pk for flag in open_flags(client))
    replies = actions.replies_of(sitting) if readable else {}
    context = {
        **frame(request, client, at),
        "sitting": sitting,
        "packet": actions.packet_of(sitting),
        "readable": readable,
        "groups": groups(request.practice, sitting, replies) if readable else [],  # type: ignore[attr-defined]
        "helper": sitting.completed_by not in ("client", "me", "staff") and sitting.answered_by_id is None,
        "entered": heard(sitting),
        "may_mark": Permission.MARK_READ in allowed(reader(request), client),
        "read_by": named(sitting.read_by, reader(request)) if sitting.read_at else "",
        "scores": [assessment_row(row) for row in assessments(client) if row.intake_id == sitting.pk],
        "trials": trial_rows(replies),
        "may_confirm": sitting.submitted_at is not None and Permission.WRITE_NOTE in allowed(reader(request), client),
        "confirmed_by": named(sitting.trials_confirmed_by, reader(request)) if sitting.trials_confirmed_at else "",
    }
    return render(request, "intake/intake_read.html", context)


def heard(sitting: Intake, instrument: str = "") -> str:
    """Who gave the answers of this sitting, or to this instrument in it, or how staff heard them, and how many.

    Nothing when the client gave them all.
    """
    asked = {page.slug for page in actions.packet_of(sitting).pages if not instrument or page.instrument == instrument}
    answers = sitting.answers.select_related("entered_by", "answered_by")
    rows = [row for row in answers if row.question in asked]
    if guardians := [row.answered_by for row in rows if row.answered_by]:
        people = dict.fromkeys(signs.person_words(person) for person in guardians)
        words = gettext("Answered by {names}, not by the client").format(names="; ".join(people))
        return _of_how_many(words, len(guardians), len(rows))
    if not sitting.entered_how:
        return ""
    names = dict.fromkeys(row.entered_by.name for row in rows if row.entered_by)
    words = gettext("{how}, entered by {names}").format(
        how=HEARD[Intake.How(sitting.entered_how)], names=", ".join(names)
    )
    return _of_how_many(words, sum(row.entered_by is not None for row in rows), len(rows))


def _of_how_many(words: str, n: int, count: int) -> str:
    """With how many answers came so when not all of them did; nothing when none did."""
    if 0 < n < count:
        return gettext("{n} of {count} answers: {words}").format(n=n, count=count, words=words)
    return words if n else ""


def groups(practice: Practice, sitting: Intake, replies: flow.Replies) -> list[dict[str, Any]]:
    """Question and answer by section; of an unfinished sitting only what was answered or skipped."""
    wanted = actions.packet_of(sitting)
    then = sitting.submitted_at or timezone.now()
    shown = flow.pages(wanted, replies, actions.world(practice, actions.alert_of(sitting), wanted, then))
    found: list[dict[str, Any]] = []
    for section in wanted.sections:
        rows = []
        for page in shown:
            reply = replies.get(page.slug)
            if page.section != section.key or (reply is None and sitting.submitted_at is None):
                continue
            said = flow.words(page, flow.value_of(replies, page.slug))
            skipped = reply is not None and reply.skipped
            value = gettext("Skipped: would like to talk about this in person") if skipped else "\n".join(said)
            rows.append({"label": page.text, "value": value, "mark": behalf.words(reply) if reply is not None else ""})
        if rows:
            found.append({"key": slugify(section.key), "title": section.title, "rows": rows})
    return found


def trial_rows(replies: flow.Replies) -> dict[str, Any] | None:
    """Each medicine that was tried with why it counts or does not, and how many count; None when not asked."""
    reply = replies.get(trials.PAGE)
    if reply is None or reply.skipped:
        return None
    told: Sequence[Mapping[str, Any]] = [row for row in reply.value or [] if row.get("drug")]
    counted = clinical_trials.count(trials.from_rows(told))
    return {
        "rows": [
            {"drug": row["drug"], "mg": row.get("mg", ""), "weeks": row.get("weeks", ""), "verdict": verdict}
            for row, verdict in zip(told, counted.per_trial, strict=True)
        ],
        "failed": counted.failed_adequate,
    }


# --- Agreements ------------------------------------------------------------------------------------------------------


@staff_page(Permission.READ_CHART)
def agreement_copy(request: HttpRequest, pk: UUID, signature: UUID) -> HttpResponse:
    """The signed text as a PDF."""
    found: Signature = record_of(request, Signature, signature, of=pk)
    audit.seen(request, client_of(request, pk), "agreement", found, document=found.document)
    return copies.download(found)
