"""The safety plan as staff see it: written live with the client, read, reviewed, printed, given to them."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice import safety_plan as plans
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client, SafetyPlan
from practice.pages import client_of, staff_page
from practice.safety_plan import LONGEST, MOST_ROWS, Changed, Part, Section, Steps
from practice.templatetags.ui import full_day
from practice.views.chart import allowed, frame, reader
from practice.views.clients import differences

MIN_BLANK = 1


class ClosingForm(HouseForm):
    """What is asked besides the steps. Nothing of it is required until the plan is finished."""

    means = forms.ChoiceField(
        label=_("Was it talked about, how to make their surroundings safer?"),
        choices=SafetyPlan.Means,
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether you talked about making their surroundings safer.")},
    )
    means_words = words_field(_("What was said, in a line"), _("Write a line on what was said about it."), rows=2)
    review_on = forms.DateField(
        label=_("Review by"),
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "off"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Say by which day you review this plan together."),
            "invalid": _("Write the date as year, month, day, such as 2026-12-03."),
        },
    )

    def __init__(self, *args: Any, today: date, draft: bool = False, **kwargs: Any) -> None:
        """`draft`: nothing is missing yet."""
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            field.required = not draft

    def clean_review_on(self) -> date | None:
        day: date | None = self.cleaned_data["review_on"]
        if day is None:
            return None
        if not self.today < day <= self.today + timedelta(days=plans.FURTHEST_REVIEW_DAYS):
            raise ValidationError(_("Review it on a day after today, within a year."))
        return day


# --- What was typed --------------------------------------------------------------------------------------------------


def name_of(section: Section, row: int, part: Part) -> str:
    return f"{section.code}-{row}-{part.key}"


def typed(data: Mapping[str, str]) -> tuple[Steps, list[dict[str, str]]]:
    """Return the steps as they were typed, without blank rows, and what is too long or holds what nobody types."""
    steps: Steps = {}
    wrong = []
    plain = forms.CharField(required=False, max_length=LONGEST)
    for section in plans.form().sections:
        rows = []
        for n in range(MOST_ROWS):
            row: dict[str, Any] = {}
            for part in section.parts:
                said = data.get(name := name_of(section, n, part), "")
                try:
                    row[part.key] = bool(said) if part.kind == "tick" else plain.clean(said)
                except ValidationError as trouble:
                    row[part.key] = said
                    wrong.append({"text": f"{section.prompt}: {trouble.messages[0]}", "href": f"#{name}"})
            if any(row.values()):
                rows.append(row)
        steps[section.code] = rows
    return steps, wrong


def lines(steps: Steps) -> list[dict[str, Any]]:
    """The sections as boxes to type in: what is there, and room for more."""
    found = []
    for section in plans.form().sections:
        rows = steps.get(section.code, [])
        count = min(MOST_ROWS, max(section.recommended, len(rows) + MIN_BLANK))
        found.append(
            {
                "section": section,
                "head": [part.label for part in section.parts] if len(section.parts) > 1 else [],
                "rows": [
                    [
                        {
                            "name": name_of(section, n, part),
                            "part": part,
                            "label": gettext("{label}, line {n}").format(label=part.label, n=n + 1),
                            "value": rows[n].get(part.key, "") if n < len(rows) else "",
                        }
                        for part in section.parts
                    ]
                    for n in range(count)
                ],
            }
        )
    return found


def closing(draft: SafetyPlan) -> dict[str, Any]:
    return {"means": draft.means, "means_words": draft.means_words, "review_on": draft.review_on}


def said_so_far(form: ClosingForm) -> dict[str, Any]:
    """What of the closing part a draft may keep: what fits. What is missing is asked for at the end only."""
    form.is_valid()
    said = form.cleaned_data
    return {
        "means": said.get("means", ""),
        "means_words": said.get("means_words", ""),
        "review_on": said.get("review_on"),
    }


def number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


# --- The page --------------------------------------------------------------------------------------------------------


@staff_page(Permission.READ_CHART)
def safety_plan(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The draft when there is one, else the plan that stands, else how to begin; `?version=2` is an older one."""
    client = client_of(request, pk)
    audit.seen(request, client, "safety_plan")
    draft = plans.draft_of(client)
    if draft is not None and not request.GET.get("version"):
        return edit(request, client, draft)
    return read(request, client, draft)


def may_write(request: HttpRequest, client: Client) -> bool:
    return Permission.WRITE_SAFETY_PLAN in allowed(reader(request), client) and client.status not in Client.LEFT


def read(request: HttpRequest, client: Client, draft: SafetyPlan | None) -> HttpResponse:
    at = timezone.now()
    finished = list(SafetyPlan.objects.filter(client=client, finished_at__isnull=False).select_related("finished_by"))
    wanted = number(request.GET.get("version", "")) or (finished[0].number if finished else 0)
    plan = next((row for row in finished if row.number == wanted), None)
    if plan is None and finished:
        raise Http404
    context = {
        **frame(request, client, at),
        "plan": plan,
        "sections": plans.shown(plan.steps) if plan else [],
        "facts": _facts(plan, at) if plan else [],
        "versions": finished,
        "is_newest": plan is not None and plan == finished[0],
        "draft": draft,
        "may_write": may_write(request, client),
    }
    return render(request, "practice/safety_plan.html", context)


def _facts(plan: SafetyPlan, at: datetime) -> list[dict[str, Any]]:
    due = plan.is_due(timezone.localdate(at))
    review = full_day(plan.review_on)
    return [
        {"label": gettext("Finished"), "value": f"{full_day(plan.finished_at)}, {plan.finished_by}"},
        {
            "label": gettext("Review by"),
            "value": gettext("{day}: due").format(day=review) if due else review,
        },
        {"label": gettext("Safer surroundings"), "value": f"{plan.get_means_display()}. {plan.means_words}"},
        {
            "label": gettext("On their own page"),
            "value": gettext("Since {day}").format(day=full_day(plan.given_at)) if plan.given_at else gettext("No"),
        },
    ]


def edit(
    request: HttpRequest,
    client: Client,
    draft: SafetyPlan,
    *,
    form: ClosingForm | None = None,
    steps: Steps | None = None,
    wrong: list[dict[str, str]] | None = None,
) -> HttpResponse:
    """The draft on one screen. With `form` and `steps`: as it was typed, with what is missing."""
    at = timezone.now()
    if form is None:
        form = ClosingForm(initial=closing(draft), today=timezone.localdate(at))
    for field in form.fields.values():
        field.required = True  # so that no label says "optional": it is asked for at the end
    trouble = wrong or []
    if form.is_bound:
        trouble = trouble + [
            {"text": str(error), "href": f"#{field.auto_id}{'_0' if field.name == 'means' else ''}"}
            for field in form
            for error in field.errors
        ]
    context = {
        **frame(request, client, at),
        "draft": draft,
        "title": plans.form().title,
        "lines": lines(steps if steps is not None else draft.steps or {}),
        "form": form,
        "wrong": trouble,
        # a page that comes back with something missing is still the page that was open
        "writer": request.POST.get("writer", "")[:32] or secrets.token_urlsafe(18),
        "version": number(request.POST.get("version", "")) or draft.version,
        "current": SafetyPlan.current(client),
        "may_write": may_write(request, client),
    }
    return render(request, "practice/safety_plan_edit.html", context, status=400 if trouble else 200)


# --- Acts ------------------------------------------------------------------------------------------------------------


@staff_page(Permission.WRITE_SAFETY_PLAN)
def safety_plan_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    if request.method == "POST":
        try:
            plans.begin(by=reader(request), client=client, at=timezone.now())
        except NotNow as sentence:
            messages.warning(request, str(sentence))
    return redirect("safety_plan", pk)


@staff_page(Permission.WRITE_SAFETY_PLAN, often=True)
def safety_plan_save(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep the draft: by the script while it is typed (204, 400, 409), or by its button."""
    client, at = client_of(request, pk), timezone.now()
    draft = plans.draft_of(client)
    is_pressed = "save" in request.POST or request.headers.get("Sec-Fetch-Mode") == "navigate"
    if request.method != "POST":
        return redirect("safety_plan", pk)
    if draft is None:
        return too_late(request, client, at) if is_pressed else HttpResponse(status=409)
    steps, wrong = typed(request.POST)
    form = ClosingForm(request.POST, today=timezone.localdate(at), draft=True)
    if wrong and not is_pressed:
        return HttpResponse(status=400)
    if wrong:
        return edit(request, client, draft, form=form, steps=steps, wrong=wrong)
    try:
        _keep(request, draft, steps, said_so_far(form), at)
    except Changed:
        return conflict(request, client, draft, steps, form) if is_pressed else HttpResponse(status=409)
    if not is_pressed:
        return HttpResponse(status=204)
    if form.errors:
        return edit(request, client, draft, form=form, steps=steps)
    messages.success(request, gettext("Draft saved."))
    return redirect("safety_plan", pk)


def _keep(request: HttpRequest, draft: SafetyPlan, steps: Steps, said: dict[str, Any], at: datetime) -> None:
    if request.POST.get("both"):
        steps = plans.together(draft.steps or {}, steps)
        words = "\n".join(dict.fromkeys(each for each in (draft.means_words, said["means_words"]) if each))
        said = {name: value or getattr(draft, name) for name, value in said.items()} | {"means_words": words}
    plans.save(
        by=reader(request),
        plan=draft,
        steps=steps,
        seen=number(request.POST.get("version", "")),
        writer=request.POST.get("writer", "")[:32],
        at=at,
        **said,
    )


@staff_page(Permission.WRITE_SAFETY_PLAN)
def safety_plan_finish(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Save what is on the page, then finish it: with a review day, and the talk about safer surroundings."""
    client, at = client_of(request, pk), timezone.now()
    draft = plans.draft_of(client)
    if request.method != "POST":
        return redirect("safety_plan", pk)
    if draft is None:
        return too_late(request, client, at)
    steps, wrong = typed(request.POST)
    form = ClosingForm(request.POST, today=timezone.localdate(at))
    try:
        if not wrong:
            _keep(request, draft, steps, said_so_far(form), at)
    except Changed:
        return conflict(request, client, draft, steps, form)
    wrong += _lacking(steps)
    if wrong or not form.is_valid():
        return edit(request, client, draft, form=form, steps=steps, wrong=wrong)
    try:
        plans.finish(by=reader(request), plan=draft, at=at, give=bool(request.POST.get("give")))
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    else:
        messages.success(request, gettext("The safety plan is finished."))
    return redirect("safety_plan", pk)


def _lacking(steps: Steps) -> list[dict[str, str]]:
    return [
        {
            "text": gettext("Write at least one line: {prompt}.").format(prompt=section.prompt),
            "href": f"#{name_of(section, 0, section.parts[0])}",
        }
        for section in plans.form().sections
        if len(steps[section.code]) < section.least
    ]


def conflict(request: HttpRequest, client: Client, draft: SafetyPlan, mine: Steps, form: ClosingForm) -> HttpResponse:
    """Another page saved this draft since: both texts, section by section, and the choice to keep both."""
    draft.refresh_from_db()
    theirs = draft.steps or {}
    rows = [
        {"label": section.prompt, "mine": _as_text(mine, section), "theirs": _as_text(theirs, section)}
        for section in plans.form().sections
        if mine.get(section.code, []) != theirs.get(section.code, [])
    ]
    rows += differences(form, ClosingForm(initial=closing(draft), today=form.today))
    leave_out = {"csrfmiddlewaretoken", "form_key", "version", "writer", "both", "kept"}
    context = {
        "title": gettext("Somebody else wrote in this plan"),
        "rows": rows,
        "fields": [(name, value) for name, value in request.POST.items() if name not in leave_out]
        + ([] if "save" in request.POST else [("save", "1")]),
        "version": draft.version,
        "again": reverse("safety_plan_save", args=[client.pk]),
        "both": True,
        "theirs_url": reverse("safety_plan", args=[client.pk]),
    }
    return render(request, "practice/conflict.html", context, status=409)


def too_late(request: HttpRequest, client: Client, at: datetime) -> HttpResponse:
    """Somebody finished the draft that this page was writing: what it has besides goes into the next version."""
    steps, _wrong = typed(request.POST)
    last = SafetyPlan.current(client)
    if not any(steps.values()) or (last is not None and last.steps == steps):
        return redirect("safety_plan", client.pk)
    try:
        draft = plans.begin(by=reader(request), client=client, at=at)
    except NotNow as sentence:
        messages.warning(request, str(sentence))
        return redirect("safety_plan", client.pk)
    form = ClosingForm(request.POST, today=timezone.localdate(at), draft=True)
    said_so_far(form)
    return conflict(request, client, draft, steps, form)


def _as_text(steps: Steps, section: Section) -> str:
    shown = plans.shown({section.code: steps.get(section.code, [])})
    rows = shown[0]["rows"] if shown else []
    return "\n".join(" ".join(part for part in (row["text"], row["phone"]) if part) for row in rows)


@staff_page(Permission.WRITE_SAFETY_PLAN)
def safety_plan_give(request: HttpRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    plan = SafetyPlan.current(client)
    if request.method == "POST" and plan is not None:
        try:
            used = plans.give_to_client(by=reader(request), plan=plan, at=timezone.now())
        except NotNow as sentence:
            messages.warning(request, str(sentence))
        else:
            told = gettext("It is on their own page now, and a message is on its way.")
            silent = gettext("It is on their own page now. No way to tell them is safe: say so when you meet.")
            messages.success(request, told if used else silent)
    return redirect("safety_plan", pk)


@staff_page(Permission.READ_CHART)
def safety_plan_pdf(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The plan that stands, to print or hand over."""
    client = client_of(request, pk)
    plan = SafetyPlan.current(client)
    if plan is None:
        raise Http404
    audit.seen(request, client, "safety_plan", plan, copy="pdf")
    return plans.download(plan, request.practice)  # type: ignore[attr-defined]
