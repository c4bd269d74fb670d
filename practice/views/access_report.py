"""Who looked at what of one client, in a period: the audit report (security checks 45 and 47)."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import CharField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, merging, sheets
from practice.access import Permission
from practice.models import AuditEvent, Client, User
from practice.pages import StaffRequest, client_of, staff_page
from practice.views.action_words import ACTION_WORDS
from practice.views.audit_log import FilterForm, matching, rows_of

PAGE = 100
NEWEST = "-when"
# What the columns are called and sorted by. What nobody else tells apart goes by the order of the trail.
COLUMNS = {
    "when": (_("When"), "seq"),
    "who": (_("Who"), "name"),
    "what": (_("What"), "action"),
    "result": (_("Result"), "outcome"),
    "from": (_("From"), "origin"),
}
BACKWARDS = [
    (f"-{name}", format_lazy(_("{column}, backwards"), column=label)) for name, (label, _by) in COLUMNS.items()
]


class AccessForm(FilterForm):
    client = None  # type: ignore[assignment]  # the page is about one
    action = forms.ChoiceField(label=_("What"), required=False)  # type: ignore[assignment]  # those that happened
    sort = forms.ChoiceField(
        label=_("Sorted by"),
        required=False,
        choices=[("", _("Newest first")), *((name, label) for name, (label, _by) in COLUMNS.items()), *BACKWARDS],
        error_messages={"invalid_choice": _("The list cannot be sorted by that.")},
    )

    def __init__(self, *args: Any, happened: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = sorted(((action, str(ACTION_WORDS.get(action, action))) for action in happened), key=lambda row: row[1])
        self.fields["action"].choices = [("", _("Anything")), *said]  # type: ignore[attr-defined]


@staff_page(Permission.REVIEW_BREAK_GLASS)
def client_access(request: StaffRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    said, sort = _asked(form := _form(request, client))
    page = Paginator(report(client, said, sort), PAGE).get_page(request.GET.get("page"))
    rows = rows_of(list(page.object_list))  # read before this reading is written down
    audit.seen(request, client, "access", filters=_filters(said))
    asked = {name: request.GET[name] for name in form.fields if name != "sort" and request.GET.get(name)}
    context = {
        "client": client,
        "form": form,
        "rows": rows,
        "page": page,
        "columns": [_column(name, sort, asked) for name in COLUMNS],
        "query": urlencode({**asked, "sort": sort}) + "&",
        "narrowed": bool(asked),
    }
    return render(request, "practice/client_access.html", context, status=400 if form.errors else 200)


@staff_page(Permission.REVIEW_BREAK_GLASS, fresh=True)
def client_access_file(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The same lines as a file, all of them. Names of staff are in it; of the client, the number."""
    client = client_of(request, pk)
    form = _form(request, client)
    said, sort = _asked(form)
    if form.errors:
        raise BadRequest
    rows = rows_of(list(report(client, said, sort)))
    audit.seen(request, client, "access_file", filters=_filters(said), rows=len(rows))
    head = [gettext("Line"), *(str(label) for label, _by in COLUMNS.values()), gettext("Action"), gettext("More")]
    lines = [
        [
            row["seq"], timezone.localtime(row["at"]).isoformat(" ", "seconds"), row["who"],
            str(row["words"] or row["action"]), str(row["outcome"] or gettext("done")), row["origin"], row["action"],
            row["facts"],
        ]
        for row in rows
    ]  # fmt: skip
    name = f"access-{client.code}.csv"
    return sheets.csv_response(name, head, lines)


def _form(request: StaffRequest, client: Client) -> AccessForm:
    happened = (
        AuditEvent.objects.filter(client_id__in=merging.ids_of(client))
        .order_by("action")
        .values_list("action", flat=True)
    )
    return AccessForm(request.GET or None, happened=list(happened.distinct()))


def _asked(form: AccessForm) -> tuple[dict[str, Any], str]:
    """What to narrow down to, and the column to sort by; everything, newest first, when that was not understood."""
    said = form.cleaned_data if form.is_bound and form.is_valid() else {}
    return said, said.get("sort") or NEWEST


def _filters(said: dict[str, Any]) -> list[str]:
    return sorted(name for name, value in said.items() if value and name != "sort")


def report(client: Client, said: dict[str, Any], sort: str) -> QuerySet[AuditEvent]:
    """The events of this client that fit what was asked, in the order of one column."""
    events = matching({**said, "client": client, "action": ""})
    if said.get("action"):
        events = events.filter(action=said["action"])
    name = User.objects.filter(pk=OuterRef("actor_id")).values("name")
    events = events.annotate(name=Coalesce(Subquery(name), F("actor_kind"), output_field=CharField()))
    column, back = COLUMNS[sort.removeprefix("-")][1], sort.startswith("-")
    return events.order_by(f"-{column}" if back else column, *([] if column == "seq" else ["-seq"]))


def _column(name: str, sort: str, asked: dict[str, str]) -> dict[str, Any]:
    """A head of the table: pressing it sorts by it, pressing it again turns the order round."""
    here = sort.removeprefix("-") == name
    turned = name if sort == f"-{name}" else f"-{name}" if here or name == "when" else name
    order = ("descending" if sort.startswith("-") else "ascending") if here else ""
    return {"label": COLUMNS[name][0], "url": "?" + urlencode({**asked, "sort": turned}), "order": order}
