"""The audit trail: who did what about whom. Reading it is itself a line of it."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, merging
from practice.access import Permission
from practice.forms import Day, HouseForm
from practice.models import AuditEvent, Client, User
from practice.pages import StaffRequest, staff_page
from practice.views.action_words import ACTION_WORDS
from practice.views.search import ClientNumber

PAGE = 100
OUTCOMES = {"ok": "", "refused": _("refused"), "failed": _("failed")}


class FilterForm(HouseForm):
    who = forms.ModelChoiceField(label=_("Who"), queryset=User.objects.none(), required=False, empty_label=_("Anybody"))
    client = ClientNumber(label=_("Client number"))
    action = forms.CharField(label=_("What, as listed"), required=False, max_length=48)
    start = Day(label=_("From"), required=False)
    end = Day(label=_("Until"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True
        self.fields["who"].queryset = User.objects.order_by("name")  # type: ignore[attr-defined]


@staff_page(Permission.READ_AUDIT)
def audit_log(request: StaffRequest) -> HttpResponse:
    form = FilterForm(request.GET or None)
    said = form.cleaned_data if form.is_bound and form.is_valid() else {}
    events = matching(said)
    page = Paginator(events, PAGE).get_page(request.GET.get("page"))
    rows = rows_of(list(page.object_list))  # read before this reading is written down, which moves the pages by one
    audit.record(
        "read.audit",
        by=request.user,
        client=said.get("client"),
        filters=sorted(name for name, value in said.items() if value),
    )
    asked = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    context = {
        "form": form,
        "rows": rows,
        "page": page,
        "query": urlencode(asked) + "&" if asked else "",
    }
    return render(request, "practice/audit_log.html", context, status=400 if form.errors else 200)


def matching(said: dict[str, Any]) -> QuerySet[AuditEvent]:
    events = AuditEvent.objects.order_by("-seq")
    if said.get("who"):
        events = events.filter(actor_kind="staff", actor_id=said["who"].pk)
    if said.get("client"):
        events = events.filter(client_id__in=merging.ids_of(said["client"]))
    if said.get("action"):
        events = events.filter(action__startswith=said["action"])
    if said.get("start"):
        events = events.filter(at__gte=_midnight(said["start"]))
    if said.get("end"):
        events = events.filter(at__lt=_midnight(said["end"] + timedelta(days=1)))
    return events


def _midnight(on: date) -> datetime:
    return timezone.make_aware(datetime.combine(on, time.min))


def rows_of(events: list[AuditEvent]) -> list[dict[str, Any]]:
    staff = {e.actor_id for e in events if e.actor_id and e.actor_kind == "staff"}
    ids = {e.client_id for e in events if e.client_id} | {e.actor_id for e in events if e.actor_id} - staff
    people: dict[UUID | None, str] = dict(User.objects.filter(pk__in=staff).values_list("pk", "name"))
    clients: dict[UUID | None, str] = {c.pk: c.code for c in Client.objects.filter(pk__in=ids).only("pk", "number")}
    kinds = {
        "system": gettext("The system"),
        "clinic": gettext("A clinic"),
        "outside": gettext("A prescriber outside"),
        "home": gettext("An adult in the home"),
        "trusted": gettext("Somebody a client trusts, or a guardian"),
        "nobody": gettext("Somebody not signed in"),
    }
    rows = []
    for event in events:
        who = people.get(event.actor_id) or clients.get(event.actor_id) or kinds.get(event.actor_kind, "")
        facts = ", ".join(
            f"{name} {_plain(value)}" for name, value in event.facts.items() if value not in ("", [], None)
        )
        rows.append(
            {
                "seq": event.seq,
                "at": event.at,
                "who": who or gettext("Somebody who is gone"),
                "action": event.action,
                "words": ACTION_WORDS.get(event.action, ""),
                "client": clients.get(event.client_id, ""),
                "outcome": OUTCOMES.get(event.outcome, event.outcome),
                "origin": event.origin,
                "facts": facts,
            }
        )
    return rows


def _plain(value: Any) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
