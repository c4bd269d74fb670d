"""Clients from a file: send it, see what would become of each row, then take it in or throw it away."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit, csv_in, taking_in, uploads
from practice.access import Permission, Role
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.importing import ASKED, DATES, FIELDS, WHY, Fate, Planned
from practice.models import Client, ClientImport, Site, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import full_day, moment

PER_PAGE = 50
LISTED = 8
State = ClientImport.State
ENCODINGS = (
    ("", _("Find out by yourself")),
    ("utf-8", "UTF-8"),
    ("cp1252", _("Windows, Western Europe and America")),
    ("utf-16", "UTF-16"),
)
TONES = {Fate.NEW: ("", "user-plus"), Fate.MATCH: ("watch", "users"), Fate.TWICE: ("watch", "users")}


class FileForm(HouseForm):
    encoding = forms.ChoiceField(label=_("How its letters are written"), choices=ENCODINGS, required=False)
    # the file stands last: one that is too large ends the reading of the form
    file = forms.FileField(
        label=_("The file"),
        help_text=_(
            "A table saved as CSV, with the names of the columns in the first row. Up to 20 MB and 5,000 rows."
        ),
        error_messages={"required": _("Choose a file.")},
        allow_empty_file=True,
        widget=forms.FileInput({"accept": ".csv,.tsv,.txt,text/csv"}),
    )


class PlacesForm(HouseForm):
    """Which column is what. A column that holds two things is no choice."""

    def __init__(self, *args: Any, header: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = [("", _("Not in the file")), *((str(n), name) for n, name in enumerate(header))]
        for key, known in FIELDS.items():
            self.fields[key] = forms.ChoiceField(label=str(known.label), choices=columns, required=False)
        self.fields["dates"] = forms.ChoiceField(
            label=_("Dates are written"), choices=[(way, words) for way, (words, _pattern) in DATES.items()]
        )
        self.fields["whose"] = forms.ModelChoiceField(
            label=_("Their therapist"),
            queryset=User.objects.with_role(Role.THERAPIST),
            empty_label=_("Choose a therapist"),
            help_text=_("Of those for whom the file names none."),
            error_messages={"required": _("Choose their therapist.")},
        )
        self.fields["site"] = forms.ModelChoiceField(
            label=_("Site"),
            queryset=Site.objects.all(),
            empty_label=_("Choose a site"),
            error_messages={"required": _("Choose the site.")},
        )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        used = [said[key] for key in FIELDS if said.get(key)]
        for key in FIELDS:
            if said.get(key) and used.count(said[key]) > 1:
                self.add_error(key, _("This column is chosen twice. Choose it once."))
        if not any(said.get(key) for key in ("name_used", "legal_name", "first", "last")):
            self.add_error("name_used", _("Choose the column of the name."))
        if said.get("whose") and said.get("site") and said["site"] not in said["whose"].sites.all():
            self.add_error("site", gettext("{name} does not work at this site.").format(name=said["whose"].name))
        return said

    def columns(self) -> dict[str, int]:
        return {key: int(self.cleaned_data[key]) for key in FIELDS if self.cleaned_data[key]}


def initial_of(row: ClientImport) -> dict[str, Any]:
    people, sites = list(User.objects.with_role(Role.THERAPIST)[:2]), list(Site.objects.all()[:2])
    return {
        **{key: str(place) for key, place in row.columns.items()},
        "dates": row.dates,
        "whose": row.therapist or (people[0] if len(people) == 1 else None),
        "site": row.site or (sites[0] if len(sites) == 1 else None),
    }


@uploads.takes_file
@staff_page(Permission.IMPORT_CLIENTS)
def clients_import(request: StaffRequest) -> HttpResponse:
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        form.full_clean()
        encoding = form.cleaned_data.get("encoding", "")
        try:
            row = taking_in.keep(by=request.user, body=_body(request), encoding=encoding, at=timezone.now())
        except csv_in.NotATable as sentence:
            form.errors.pop("file", None)
            form.add_error("file", str(sentence))
        else:
            return redirect("client_import", row.pk)
    rows = ClientImport.objects.select_related("by").order_by("-at")[:LISTED]
    context = {"form": form, "imports": [_listed(row) for row in rows]}
    return render(request, "practice/clients_import.html", context, status=400 if form.errors else 200)


def _body(request: StaffRequest) -> bytes:
    """The bytes of the file. Raises NotATable when it is too large or none was sent."""
    if uploads.was_too_large(request):
        words = gettext("That file is larger than {n} MB. Leave out columns, or split it.")
        raise csv_in.NotATable(words.format(n=uploads.LARGEST // 1024 // 1024))
    file = request.FILES.get("file")
    if file is None:
        raise csv_in.NotATable(gettext("Choose a file."))
    return file.read()  # in memory, of a known greatest size (practice.uploads)


def _listed(row: ClientImport) -> dict[str, Any]:
    return {
        "pk": row.pk,
        "when": moment(row.at),
        "who": row.by.name if row.by else gettext("The command line"),
        "state": row.get_state_display(),
        "rows": ngettext("{n} row", "{n} rows", row.rows).format(n=row.rows),
    }


@staff_page(Permission.IMPORT_CLIENTS)
def client_import(request: StaffRequest, pk: UUID) -> HttpResponse:
    found = ClientImport.objects.select_related("by", "therapist", "site")
    if request.method == "POST":  # one press after the other
        found = found.select_for_update(of=("self",), no_key=True)
    row = get_object_or_404(found, pk=pk)
    at = timezone.now()
    if request.method == "POST":
        act = ACTS.get(request.POST.get("act", ""), _settle)
        return act(request, row, at)
    audit.record("read.import", by=request.user, target=row)
    if row.state != State.WAITING:
        return _ended(request, row)
    return _page(request, row, at, PlacesForm(header=taking_in.table_of(row).header, initial=initial_of(row)))


def _page(request: StaffRequest, row: ClientImport, at: datetime, form: PlacesForm, status: int = 200) -> HttpResponse:
    planned = taking_in.preview(row, at)
    tally = taking_in.tally(planned)
    show = request.GET.get("show", "")
    shown = [one for one in planned if one.fate == show] if show in tally else planned
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "row": row,
        "form": form,
        "ready": row.therapist is not None and row.site is not None,
        "choice": taking_in.choice(row),
        "new": tally.get(Fate.NEW, 0),
        "tabs": [
            {"label": f"{label}: {n}", "url": f"?{urlencode({'show': code})}" if code else "?", "current": code == show}
            for code, label, n in [
                ("", gettext("All"), len(planned)),
                *((fate.value, fate.label, tally[fate]) for fate in Fate if fate in tally),
            ]
        ],
        "rows": _rows(list(page), set(row.separate)),
        "page": page,
        "query": f"{urlencode({'show': show})}&" if show else "",
    }
    return render(request, "practice/client_import.html", context, status=status)


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else 0


def _rows(page: Sequence[Planned], separate: set[int]) -> list[dict[str, Any]]:
    """Rows for people. Those who are like somebody here name them; only an admin reads this page."""
    alike = Client.objects.in_bulk({pk for one in page for pk in one.clients})
    return [
        {
            "number": one.number,
            "name": one.name or gettext("No name"),
            "facts": _facts(one.identity),
            "fate": Fate(one.fate).label,
            "tone": TONES.get(Fate(one.fate), ("", "circle-help"))[0],
            "icon": TONES.get(Fate(one.fate), ("", "circle-help"))[1],
            "why": str(WHY[one.why]),
            "like": [alike[pk] for pk in one.clients if pk in alike],
            "above": one.row,
            "therapist": one.therapist.name if one.therapist else "",
            "asked": one.fate in ASKED or one.number in separate,
            "separate": one.number in separate,
        }
        for one in page
    ]


def _facts(identity: Mapping[str, str]) -> list[str]:
    born = identity.get("birth_date", "")
    with suppress(ValueError):  # a row that is not taken shows what the file says
        born = gettext("born {day}").format(day=full_day(date.fromisoformat(born))) if born else ""
    return [part for part in (born, identity.get("email"), identity.get("phone")) if part]


def _settle(request: StaffRequest, row: ClientImport, at: datetime) -> HttpResponse:
    if row.state != State.WAITING:
        messages.info(request, str(taking_in.ENDED))
        return redirect("client_import", row.pk)
    form = PlacesForm(request.POST, header=taking_in.table_of(row).header)
    if not form.is_valid():
        return _page(request, row, at, form, status=400)
    said = form.cleaned_data
    taking_in.settle(row, form.columns(), said["dates"], said["whose"], said["site"])
    messages.success(request, gettext("Saved. Below is what would become of each row."))
    return redirect("client_import", row.pk)


def _is_old(request: StaffRequest, row: ClientImport) -> bool:
    """Whether the rows that were looked at stood on another choice of columns; then nothing is done, and it is said."""
    if row.state != State.WAITING or request.POST.get("choice", "") == taking_in.choice(row):
        return False
    words = gettext("The columns, or whose clients they are, were chosen anew since you opened that page. ")
    messages.warning(request, words + gettext("Nothing was done. Look at the rows once more, then press again."))
    return True


def _mark(request: StaffRequest, row: ClientImport, at: datetime) -> HttpResponse:
    if _is_old(request, row):
        return redirect("client_import", row.pk)
    waits = row.state == State.WAITING
    if waits:
        shown, ticked = ({_number(n) for n in request.POST.getlist(name)} for name in ("shown", "separate"))
        taking_in.mark(row, shown, ticked)
    if request.POST.get("act") == "mark":
        messages.success(request, gettext("Saved.")) if waits else messages.info(request, str(taking_in.ENDED))
    return redirect("client_import", row.pk)


def _take(request: StaffRequest, row: ClientImport, at: datetime) -> HttpResponse:
    if _is_old(request, row):
        return redirect("client_import", row.pk)
    answer = _mark(request, row, at)
    try:
        taking_in.start(by=request.user, row=row, at=at)
    except NotNow as sentence:
        messages.error(request, str(sentence))
    return answer


def _discard(request: StaffRequest, row: ClientImport, at: datetime) -> HttpResponse:
    try:
        taking_in.discard(by=request.user, row=row, at=at)
    except NotNow as sentence:
        messages.error(request, str(sentence))
        return redirect("client_import", row.pk)
    messages.success(request, gettext("The file is thrown away. Nobody was taken in."))
    return redirect("clients_import")


ACTS: dict[str, Callable[[StaffRequest, ClientImport, datetime], HttpResponse]] = {
    "mark": _mark,
    "take": _take,
    "discard": _discard,
}


def _ended(request: StaffRequest, row: ClientImport) -> HttpResponse:
    """What became of the file: how many of each fate, and every row that was not taken with its reason."""
    counts = taking_in.counts(row)
    left = [{"number": number, "fate": Fate(fate).label, "why": str(WHY[why])} for number, fate, why in row.outcomes]
    context = {
        "row": row,
        "who": row.by.name if row.by else gettext("the command line"),
        "taken": counts.get(Fate.NEW, 0),
        "facts": [{"label": fate.label, "value": counts[fate]} for fate in Fate if counts.get(fate)],
        "page": Paginator(left, PER_PAGE).get_page(request.GET.get("page")),
        "waits": row.rows - row.taken_to,
    }
    return render(request, "practice/client_import_ended.html", context)
