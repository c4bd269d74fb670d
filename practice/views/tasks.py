"""Everything that is open, client by client: whose it is, by when, and what may be done with several at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit, places, words
from practice import caseload as lists
from practice.access import GRANTS, Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client, Task, User
from practice.models.tasks import KINDS
from practice.pages import StaffRequest, staff_page
from practice.views import choosing
from practice.views.activity import BY_WORDS
from practice.views.chart import leading
from practice.views.moving import keys

PAGE = 50
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
# What a line of words may finish for several clients at once. Nothing that concerns somebody's safety is.
IN_BULK = tuple(kind for kind in BY_WORDS if KINDS[kind].tone != "safety")
WHOSE: dict[str, str | Promise] = {"": _("Everybody's"), "mine": _("Mine"), "nobody": _("Nobody's")}
WHEN: dict[str, str | Promise] = {"": _("Any time"), "late": _("Late"), "today": _("Today"), "week": _("Seven days")}


class ActForm(HouseForm):
    """What to do with the ticked ones: done, with words; or to a colleague."""

    words = words_field(
        _("What was done"),
        "",
        required=False,
        rows=2,
        help_text=_("One line for all that you ticked. It becomes a note in the record of each client."),
    )
    to = forms.ModelChoiceField(
        label=_("Give them to"), queryset=User.objects.none(), required=False, empty_label=_("Choose a colleague")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # which one is needed is said by the button that is pressed
        self.fields["to"].queryset = able()  # type: ignore[attr-defined]


def able() -> QuerySet[User]:
    """Those who may do something about an item: their own clients only, which is asked item by item."""
    roles = [role for role, granted in GRANTS.items() if Permission.WRITE_NOTE in granted]
    return User.objects.filter(is_active=True, role_grants__role__in=roles).distinct().order_by("name")


# --- Which -----------------------------------------------------------------------------------------------------------


def scope(user: User, who: str) -> QuerySet[Task]:
    """The open items of the clients that `who` means; for somebody who may not read charts, only those that tell
    nothing."""
    found = Task.objects.filter(done_at=None, client__in=lists.scope(user, who).values("pk"))
    return found.filter(kind__in=lists.STATES) if who == "all" else found


def narrowed(tasks: QuerySet[Task], user: User, whose: str, when: str, at: datetime) -> QuerySet[Task]:
    owner = {
        "": Q(),
        "mine": Q(owner=user) | Q(owner=None, client__therapist=user),
        "nobody": Q(owner__is_active=False) | Q(owner=None, client__therapist=None),
    }
    midnight = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    due = {
        "": Q(),
        "late": Q(due_at__lte=at),
        "today": Q(due_at__lt=midnight + timedelta(days=1)),
        "week": Q(due_at__lt=midnight + timedelta(days=7)),
    }
    return tasks.filter(owner[whose], due[when])


@staff_page(Permission.SEE_CASELOAD)
def tasks(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    mine = lists.widths(user)
    who = choosing.asked(request, "who", mine, mine[0])
    whose = choosing.asked(request, "whose", list(WHOSE), "")
    when = choosing.asked(request, "when", list(WHEN), "")
    form = ActForm(request.POST or None)
    ticked: list[Task] = []
    if request.method == "POST":
        ticked = _ticked(request)
        if form.is_valid() and _acted(request, form, ticked, at):
            return redirect(request.get_full_path())
    chosen = {"who": who if who != mine[0] else "", "whose": whose, "when": when}
    shown = _page(narrowed(scope(user, who), user, whose, when, at), f"tasks|{who}|{whose}|{when}", request)
    led = leading(user, shown.rows) if who != "all" else set()
    may_act = who != "all" and user.may(Permission.WRITE_NOTE)
    context = {
        "form": form if may_act else None,
        "rows": [_row(task, at, who, task in ticked, task.pk in led) for task in shown.rows],
        "people": [choosing.link(chosen, "who", w, lists.WHO[w], w == who) for w in mine] if len(mine) > 1 else [],
        "owners": [choosing.link(chosen, "whose", w, label, w == whose) for w, label in WHOSE.items()],
        "times": [choosing.link(chosen, "when", w, label, w == when) for w, label in WHEN.items()],
        "more": choosing.url(chosen | {"after": shown.next}) if shown.next else "",
        "top": choosing.url(chosen),
        "is_first": shown.is_first,
        "filtered": bool(whose or when),
    }
    return render(request, "practice/tasks.html", context, status=400 if form.errors else 200)


def _page(found: QuerySet[Task], about: str, request: StaffRequest) -> places.Stretch:
    found = found.select_related("client__therapist", "owner")
    found = found.annotate(by=Coalesce("due_at", Value(NEVER), output_field=DateTimeField()))
    return places.stretch(found, ["by", "opened_at", "pk"], about, request.GET.get("after", ""), PAGE)


def _row(task: Task, at: datetime, who: str, ticked: bool, led: bool) -> dict[str, Any]:
    charted = who != "all"
    client, look = task.client, task.look
    owner = task.owner or client.therapist
    return {
        "pk": task.pk,
        "name": client.name,
        "code": client.code,
        "url": client.get_absolute_url() if charted else reverse("client_edit", args=[client.pk]),
        "label": look.label,
        "tone": "" if look.tone == "quiet" else look.tone,
        "icon": look.icon,
        "why": words.why(task) if charted else "",
        "owner": owner.name if owner else "",
        "gone": owner is not None and not owner.is_active,
        "due_at": task.due_at,
        "due": words.due(task, at),
        "late": task.due_at is not None and task.due_at <= at,
        **_way(task, charted, led),
        "in_bulk": charted,
        "ticked": ticked,
    }


def _way(task: Task, charted: bool, led: bool) -> dict[str, Any]:
    """Where the button leads: where it is done; for whoever may not do it, to the client."""
    if not charted:
        return {"action_url": reverse("client_edit", args=[task.client_id]), "action": _("Open")}
    if task.kind in BY_WORDS:
        return {"action_url": reverse("task_done", args=[task.client_id, task.pk]), "action": task.look.action}
    if not led:
        return {"action_url": task.client.get_absolute_url(), "action": _("Open")}
    return {"action_url": task.action_url, "action": task.look.action}


# --- Acts ------------------------------------------------------------------------------------------------------------


def _ticked(request: StaffRequest) -> list[Task]:
    """Of what was sent, the open items of clients about whom this person may write. Nothing else is spoken of."""
    if not request.user.may(Permission.WRITE_NOTE):
        raise PermissionDenied
    found = Task.objects.visible_to(request.user, Permission.WRITE_NOTE).filter(done_at=None)
    return list(found.filter(pk__in=keys(request.POST.getlist("task"))).select_related("client").order_by("pk"))


def _acted(request: StaffRequest, form: ActForm, ticked: list[Task], at: datetime) -> bool:
    if not ticked:
        form.add_error(None, gettext("Tick one item or more."))
        return False
    if request.POST.get("act") == "give":
        return _give(request, form, ticked, at)
    return _finish(request, form, ticked, at)


def _finish(request: StaffRequest, form: ActForm, ticked: list[Task], at: datetime) -> bool:
    wanted = [task for task in ticked if task.kind in IN_BULK]
    others = len(ticked) - len(wanted)
    if not form.cleaned_data["words"].strip():
        form.add_error("words", gettext("Write what was done."))
    elif not wanted:
        form.add_error(None, gettext("What you ticked has a page of its own, where it is done. Open each."))
    if form.errors:
        return False
    done = 0
    for task in wanted:
        try:
            actions.finish_task(by=request.user, task=task, words=form.cleaned_data["words"], at=at)
            done += 1
        except NotNow as sentence:
            messages.warning(request, str(sentence))
    said = ngettext("{n} item is done, and kept as a note.", "{n} items are done, and kept as notes.", done)
    messages.success(request, said.format(n=done))
    if others:
        said = ngettext(
            "{n} item has a page of its own, where it is done. It stays open.",
            "{n} items have a page of their own, where they are done. They stay open.",
            others,
        )
        messages.warning(request, said.format(n=others))
    return True


@transaction.atomic
def _give(request: StaffRequest, form: ActForm, ticked: list[Task], at: datetime) -> bool:
    """Each goes only to somebody who looks after its client."""
    to = form.cleaned_data["to"]
    if to is None:
        form.add_error("to", gettext("Choose a colleague."))
        return False
    asked = Client.objects.filter(pk__in={task.client_id for task in ticked})
    known = (asked.visible_to(to, Permission.RAISE_FLAG), asked.looked_after_by(to))  # an hour of emergency is neither
    theirs = {pk for rows in known for pk in rows.values_list("pk", flat=True)}
    given = [task for task in ticked if task.client_id in theirs]
    if not given:
        said = gettext("{name} does not look after these clients. Hand the client over, or choose somebody else.")
        form.add_error("to", said.format(name=to.name))
        return False
    for task in given:
        Task.objects.filter(pk=task.pk, done_at=None).update(owner=to)
        audit.record("task.given", by=request.user, client=task.client, target=task, at=at, to=str(to.pk))
    said = ngettext("{n} item is with {name} now.", "{n} items are with {name} now.", len(given))
    messages.success(request, said.format(n=len(given), name=to.name))
    if left := len(ticked) - len(given):
        said = ngettext(
            "{n} item stays where it was: {name} does not look after the client.",
            "{n} items stay where they were: {name} does not look after the clients.",
            left,
        )
        messages.warning(request, said.format(n=left, name=to.name))
    return True
