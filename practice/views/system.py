"""Keeping the practice safe: the clinical signature, the drill, and the state of messages and jobs."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit, instruments, jobs, notices, signing, staff
from practice.access import Permission
from practice.clinical import escalation, table, tuning
from practice.clinical.instrument import Instrument
from practice.forms import HouseForm, words_field
from practice.models import Alert, ClinicalSignature, Job, Notice, Practice
from practice.pages import StaffRequest, staff_page
from practice.views.opening import setting_up
from practice.views.rules import own_numbers

# --- The clinical signature ------------------------------------------------------------------------------------------

# What a part is, and where it can be read.
PARTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "rules": (_("Rules"), _("The decision table: when a flag is raised and when a path is worth discussing.")),
    "instruments": (_("Questionnaires"), _("Their wording, scoring, bands and cut points.")),
    "clocks": (_("Clocks"), _("How fast somebody picks up a flag, who is told next, and when answers are read.")),
    "options": (_("Ways of care"), _("What anyone reads on the public page about the ways of care.")),
    "safety_wording": (_("Safety wording"), _("What a client reads before and after a question about suicide.")),
}


class SignForm(HouseForm):
    words = words_field(
        _("In your words"),
        _("Write what you read and that it may be used here."),
        help_text=_("Such as: I have read all rules and agree that they are used in this practice."),
        max_length=1000,
    )


@staff_page(Permission.SIGN_CLINICAL)
def clinical_sign(request: StaffRequest) -> HttpResponse:
    versions = signing.versions(request.practice)
    part = request.POST.get("part", "")
    form = SignForm(request.POST, prefix=part) if request.method == "POST" else SignForm()
    if request.method == "POST":
        if part not in versions:
            raise Http404
        if form.is_valid():
            if sign(part, versions[part], request.user, form.cleaned_data["words"], timezone.now()):
                messages.success(request, gettext("Signed."))
            else:
                messages.info(request, gettext("This version was signed already."))
            return redirect("clinical_sign")
    found = ClinicalSignature.objects.select_related("by").order_by("-at")
    signed = {row.part: row for row in found if row.version == versions.get(row.part)}
    rows = [
        {"part": name, "title": PARTS[name][0], "about": PARTS[name][1], "version": versions[name],
         "signed": signed.get(name),
         "reads": reads(name, request.practice), "form": form if name == part else SignForm(prefix=name)}
        for name in versions
    ]  # fmt: skip
    older = [row for row in found if row.version != versions.get(row.part)]
    context_ = {"rows": rows, "older": older, "wrong": form if form.errors else None, "setting_up": setting_up(request)}
    return render(request, "practice/clinical_sign.html", context_, status=400 if form.errors else 200)


def reads(part: str, practice: Practice) -> list[tuple[str, str]]:
    """What a part holds, line by line, with the page where it can be read in full ("" when the line is all of it)."""
    if part == "rules":
        own = tuning.standing(practice.rule_overrides or {})
        return [(_rule_line(rule, own), reverse("rule", args=[rule.id])) for rule in table.rules()]
    if part == "instruments":
        return [(f"{each.title}. {_bands(each)}".strip(), "") for each in instruments.catalogue(timezone.now())]
    if part == "clocks":
        ladders = {severity: escalation.minutes(severity, practice.ladder) for severity in escalation.LADDER_MIN}
        return [(f"{Alert.Severity(s).label}: {', '.join(map(str, minutes))}", "") for s, minutes in ladders.items()]
    return [(gettext("The help page that every client page leads to"), reverse("help_now"))]


def _rule_line(rule: table.Rule, own: table.Overrides) -> str:
    """A rule, and where this practice uses its own number."""
    numbers = "; ".join(own_numbers(rule, own))
    return f"{rule.id}: {rule.reason}" + (f" ({numbers})" if numbers else "")


def _bands(instrument: Instrument) -> str:
    return ", ".join(f"{band.label} {band.minimum:g}+" for band in instrument.bands if band.minimum is not None)


def sign(part: str, version: str, by: Any, words: str, at: datetime) -> bool:
    """Record that somebody signed this version of a part. False when it was signed before."""
    try:
        with transaction.atomic():
            row = ClinicalSignature.objects.create(part=part, version=version, by=by, at=at, words=words)
    except IntegrityError:
        return False
    audit.record("clinical.signed", by=by, target=row, at=at, part=part, version=version)
    return True


# --- The drill -------------------------------------------------------------------------------------------------------

PAST = 20


@staff_page(Permission.RUN_DRILL)
def drill(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    if request.method == "POST":
        running = Alert.objects.filter(is_drill=True, closed_at=None).exists()
        if running:
            messages.info(request, gettext("A drill is running already."))
        else:
            actions.run_drill(by=request.user, at=at)
            messages.success(request, gettext("The test flag is on its way to whoever is on call."))
        return redirect("drill")
    past = (
        Alert.objects.filter(is_drill=True)
        .select_related("raised_by", "acknowledged_by")
        .prefetch_related("notices__user")
    )
    rows = [
        {
            "pk": alert.pk,
            "at": alert.opened_at,
            "by": alert.raised_by,
            "told": list(dict.fromkeys(notice.user.name for notice in alert.notices.all())),
            "who": alert.acknowledged_by,
            "minutes": alert.minutes_to_acknowledge(at),
            "open": alert.is_open,
        }
        for alert in past.order_by("-opened_at")[:PAST]
    ]
    return render(request, "practice/drill.html", {"rows": rows, "setting_up": setting_up(request)})


# --- The state of the system -----------------------------------------------------------------------------------------

SHOWN = 50


@staff_page(Permission.MANAGE_PRACTICE)
def system_state(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    anchor = _last_anchor()
    context_ = {
        "unsent": notices.unsent(at).count(),
        "waiting_min": jobs.oldest_waiting_min(at),
        "waiting": Job.objects.filter(state=Job.State.DUE, run_at__lte=at).count(),
        "dead": Job.objects.filter(state=Job.State.DEAD).order_by("-run_at")[:SHOWN],
        "failed": Notice.objects.filter(state=Notice.State.FAILED)
        .select_related("user", "client")
        .order_by("-created_at")[:SHOWN],
        "anchor": anchor,
        "anchor_old": anchor is None or at - anchor > timedelta(hours=3),
    }
    return render(request, "practice/system_state.html", context_)


def _last_anchor() -> datetime | None:
    """When the head of the audit trail was last written outside the database."""
    path = settings.DATA_DIR / audit.ANCHORS
    lines = path.read_text().splitlines() if path.exists() else []
    return datetime.fromisoformat(lines[-1].split(" ")[0]) if lines else None


@staff_page(Permission.MANAGE_PRACTICE)
def job_again(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Try a job that gave up once more, and the message it carries."""
    if request.method != "POST":
        raise Http404
    if staff.try_again(by=request.user, job_id=pk, at=timezone.now()):
        messages.success(request, gettext("It is tried again now."))
    else:
        messages.info(request, gettext("It is not waiting for another try."))
    return redirect("system_state")
