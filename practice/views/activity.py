"""What is open for a client, what was done lately, and the report of who saw and did what."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit, merging, words
from practice.access import Permission
from practice.forms import HouseForm, attempt, words_field
from practice.models import AlertEvent, AuditEvent, Client, Task, User
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import moment
from practice.views import notes
from practice.views.action_words import ACTION_WORDS
from practice.views.chart import SIDE, Panel, allowed, frame, leading, named, open_flags, reader

PER_PAGE = 50
LATELY = timedelta(days=30)
MOST_TASKS = 60
ON_CHART = 6

# Items without a page of their own: words finish them.
BY_WORDS = (
    "call_me",
    "reconcile",
    "missed",
    "hand_off",
    "no_show",
    "client_says",
    "adverse",
    "integrate",
    "kap_integrate",
    "back_to_therapy",
    "booster",
    "todo",
    "quiet",
)

DONE_WORDS = {
    "safety": _("Safety flag closed"),
    "call_me": _("Called back"),
    "next_check": _("Safety check recorded"),
    "suggestion": _("Suggestion reviewed"),
    "missed": _("Missed session followed up"),
    "new_intake": _("Intake read"),
    "reconcile": _("Answers reconciled"),
    "unfinished": _("Form came back"),
    "assign": _("Given to a therapist"),
    "booster": _("Booster booked"),
    "todo": _("Task done"),
    "quiet": _("In touch again"),
    "care_today": _("Emergency steps recorded"),
    "care_check": _("Check after care today recorded"),
    "hand_off": _("Interim contact recorded"),
    "no_show": _("Missed visit followed up"),
    "declined": _("Another clinic chosen"),
    "clinic_asks": _("Clinic answered"),
    "client_says": _("Client answered"),
    "call_clinic": _("Clinic called"),
    "case_question": _("Question answered"),
    "back_to_therapy": _("Therapy booked"),
    "adverse": _("Adverse event followed up"),
    "integrate": _("Therapy contact recorded"),
    "kap_integrate": _("Integration recorded"),
    "letter": _("Letter read"),
    "recheck": _("Rechecked"),
    "plan_review": _("Safety plan reviewed"),
    "release": _("Release looked after"),
    "record_copy": _("Copy of the record given"),
    "message": _("Message looked after"),
    "medicines": _("Medication list typed"),
}
REPLACED = _("Suggestion replaced by a newer one")  # nobody reviewed it
TOLD_ON_CHART = {
    AlertEvent.Kind.OPENED: _("Safety flag opened"),
    AlertEvent.Kind.ROSE: _("Safety flag became more serious"),
    AlertEvent.Kind.ACKNOWLEDGED: _("Safety flag picked up"),
    AlertEvent.Kind.CONTACT: _("Safety contact recorded"),
}


def tasks(client: Client, at: datetime) -> list[Task]:
    """Open items and those done lately, the most pressing first. Asks the database once per client."""
    if not hasattr(client, "tasks_lately"):
        lately = client.tasks.filter(Q(done_at=None) | Q(done_at__gte=at - LATELY)).select_related("done_by")
        client.tasks_lately = list(lately.order_by("rank", "opened_at")[:MOST_TASKS])  # type: ignore[attr-defined]
    return client.tasks_lately  # type: ignore[attr-defined]


def todo(request: HttpRequest, client: Client, at: datetime) -> Panel:
    """The open items of this client, each leading to where it is done."""
    may_act = Permission.WRITE_NOTE in allowed(reader(request), client)
    rows = []
    still = [task for task in tasks(client, at) if task.done_at is None]
    led = leading(reader(request), still)
    for task in still:
        by_words = task.kind in BY_WORDS
        url = reverse("task_done", args=[client.pk, task.pk]) if by_words else task.action_url
        here = url == reverse("chart", args=[client.pk])
        rows.append(
            {
                "text": task.look.label,
                "why": words.why(task),
                "due": words.due(task, at),
                "late": bool(task.due_at and task.due_at <= at),
                "url": url if not here and (may_act if by_words else task.pk in led) else "",
                "action": task.look.action,
            }
        )
    return Panel("practice/todo_panel.html", {"rows": rows}, SIDE)


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    """What was done lately, from the rows themselves; who looked at what is on the activity page."""
    person = reader(request)
    lines: list[tuple[datetime, str]] = []
    for task in tasks(client, at):
        if task.done_at is not None:
            replaced = task.kind == "suggestion" and task.done_by is None
            done = REPLACED if replaced else DONE_WORDS[task.kind]
            lines.append((task.done_at, _by(str(done), task.done_by, person)))
    lines += [(note.at, _by(gettext("Note"), note.by, person)) for note in notes.latest(client)]
    for flag in open_flags(client):
        for event in flag.events.all():
            if told := TOLD_ON_CHART.get(AlertEvent.Kind(event.kind)):
                lines.append((event.at, _by(str(told), event.by, person)))
    newest = sorted(lines, key=lambda line: line[0], reverse=True)[:ON_CHART]
    return Panel(
        "practice/activity_panel.html", {"rows": [{"text": text, "when": moment(when)} for when, text in newest]}, SIDE
    )


def _by(what: str, who: User | None, reader: Any) -> str:
    return gettext("{what}, by {who}").format(what=what, who=named(who, reader)) if who else what


class DoneForm(HouseForm):
    words = words_field(_("What was done"), _("Write what was done."))


@staff_page(Permission.WRITE_NOTE)
def task_done(request: HttpRequest, pk: UUID, task: UUID) -> HttpResponse:
    """Finish an item that has no page of its own, by words that become a note."""
    at = timezone.now()
    item = record_of(request, Task, task)
    if item.client_id != pk or item.kind not in BY_WORDS:
        raise Http404
    client = client_of(request, pk)
    form = DoneForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: actions.finish_task(by=reader(request), task=item, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Done, and kept as a note."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "task", item)
    context = {**frame(request, client, at), "task": item, "why": words.why(item), "form": form}
    return render(request, "practice/task_done.html", context, status=400 if form.errors else 200)


@staff_page(Permission.READ_CHART)
def activity(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who saw and did what for this client, newest first: the audit report, so it alone reads the audit trail."""
    at = timezone.now()
    client = client_of(request, pk)
    audit.seen(request, client, "activity")
    page = Paginator(
        AuditEvent.objects.filter(client_id__in=merging.ids_of(client)).order_by("-seq"), PER_PAGE
    ).get_page(request.GET.get("page"))
    people = {user.pk: user.name for user in User.objects.filter(pk__in={e.actor_id for e in page if e.actor_id})}
    rows = [
        {"when": event.at, "who": actor_words(event, people), "what": ACTION_WORDS.get(event.action, event.action)}
        for event in page
    ]
    return render(request, "practice/activity.html", {**frame(request, client, at), "rows": rows, "page": page})


def actor_words(event: AuditEvent, people: dict[UUID, str]) -> str:
    if event.actor_kind == "staff":
        return people.get(event.actor_id, gettext("Somebody")) if event.actor_id else gettext("Somebody")
    return {
        "client": gettext("The client"),
        "clinic": gettext("The clinic"),
        "outside": gettext("The prescriber"),
        "home": gettext("The adult in the home"),
        "trusted": gettext("Somebody the client trusts, or a guardian"),
        "system": gettext("Waymark itself"),
    }.get(event.actor_kind, gettext("Nobody signed in"))
