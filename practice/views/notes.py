"""Notes in the record, and psychotherapy notes, which are apart from it and for their author alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client, Note, PsychotherapyNote
from practice.pages import client_of, record_of, staff_page
from practice.views.chart import SIDE, Panel, allowed, frame, reader

PER_PAGE = 50
ON_CHART = 3
LONGEST_NOTE = 20_000


class NoteForm(HouseForm):
    about = forms.UUIDField(required=False, widget=forms.HiddenInput)
    words = words_field(_("Note"), _("Write the note first."), max_length=LONGEST_NOTE, rows=5)


class PrivateNoteForm(HouseForm):
    words = words_field(_("Psychotherapy note"), _("Write the note first."), max_length=LONGEST_NOTE, rows=8)


def latest(client: Client) -> list[Note]:
    """The newest notes of the record, for the panels of the chart. Asks the database once per client."""
    if not hasattr(client, "latest_notes"):
        client.latest_notes = list(client.notes.select_related("by")[: ON_CHART + 1])  # type: ignore[attr-defined]
    return client.latest_notes  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    found = latest(client)
    may_write = Permission.WRITE_NOTE in allowed(reader(request), client)
    return Panel(
        "practice/notes_panel.html",
        {"notes": found[:ON_CHART], "more": len(found) > ON_CHART, "may_write": may_write},
        SIDE,
    )


@staff_page(Permission.READ_CHART)
def notes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The notes of the record, newest first, each with what was added to it."""
    at = timezone.now()
    client = client_of(request, pk)
    may_write = Permission.WRITE_NOTE in allowed(reader(request), client)
    form = NoteForm(request.POST or None)
    if request.method == "POST":
        if not may_write:
            raise Http404
        if _written(request, form, lambda said: _write(request, client, said, at)):
            return redirect("notes", pk)
    else:
        audit.seen(request, client, "notes")
    page = Paginator(client.notes.filter(about=None).select_related("by"), PER_PAGE).get_page(request.GET.get("page"))
    added: dict[UUID, list[Note]] = {}
    for addendum in client.notes.filter(about__in=[n.pk for n in page]).select_related("by").order_by("at"):
        added.setdefault(cast(UUID, addendum.about_id), []).append(addendum)
    context = {
        **frame(request, client, at),
        "rows": [{"note": note, "addenda": added.get(note.pk, [])} for note in page],
        "page": page,
        "form": form,
        "about": _about(request, client),
        "may_write": may_write,
        "has_private_page": has_private_page(reader(request), client),
    }
    return render(request, "practice/notes.html", context, status=400 if form.errors else 200)


def _about(request: HttpRequest, client: Client) -> Note | None:
    """The note to add to, when the address or the form names one of this client's."""
    named = request.POST.get("about") or request.GET.get("about")
    if not named:
        return None
    try:
        note: Note = record_of(request, Note, UUID(named))
    except ValueError:
        raise Http404 from None
    if note.client_id != client.pk:
        raise Http404
    return note.about or note


def _write(request: HttpRequest, client: Client, said: dict[str, Any], at: datetime) -> None:
    about = _about(request, client)
    actions.write_note(by=reader(request), client=client, words=said["words"], about=about, at=at)


def _written(request: HttpRequest, form: forms.Form, write: Callable[[dict[str, Any]], object]) -> bool:
    if not form.is_valid():
        return False
    try:
        write(form.cleaned_data)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    messages.success(request, gettext("Note saved."))
    return True


def has_private_page(user: Any, client: Client) -> bool:
    """Whether this person may keep psychotherapy notes about this client: their therapist, or an author of one."""
    if not user.may(Permission.WRITE_NOTE):
        return False
    return client.therapist_id == user.pk or (
        PsychotherapyNote.objects.visible_to(user, Permission.SEE_CLIENT).filter(client=client).exists()
    )


@staff_page(Permission.SEE_CLIENT)
def psychotherapy_notes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The reader's own psychotherapy notes. For everybody else the page does not exist, whatever their role."""
    at = timezone.now()
    client = client_of(request, pk)
    if not has_private_page(reader(request), client):
        raise Http404
    form = PrivateNoteForm(request.POST or None)
    if request.method == "POST":
        if _written(
            request,
            form,
            lambda said: actions.write_psychotherapy_note(by=reader(request), client=client, at=at, **said),
        ):
            return redirect("psychotherapy_notes", pk)
    else:
        audit.seen(request, client, "psychotherapy_notes")
    own = PsychotherapyNote.objects.visible_to(reader(request), Permission.SEE_CLIENT).filter(client=client)
    page = Paginator(own, PER_PAGE).get_page(request.GET.get("page"))
    context = {**frame(request, client, at), "page": page, "form": form}
    return render(request, "practice/psychotherapy_notes.html", context, status=400 if form.errors else 200)
