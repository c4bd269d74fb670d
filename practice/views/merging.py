"""Likely duplicates, two records side by side, merging them, and taking them apart again (feature O4)."""

from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import alike, audit, merging, moves
from practice.access import Permission
from practice.forms import HouseForm, attempt, text, words_field
from practice.models import Apart, Client, Merge
from practice.pages import StaffRequest, client_of, staff_page
from practice.templatetags.ui import full_day
from practice.views.keeping import FindForm

PAGE, MOST_APART = 20, 100
LABELS: dict[str, Any] = {
    "legal_name": _("Legal name"),
    "name_used": _("Name used"),
    "pronouns": _("Pronouns"),
    "birth_date": _("Birth date"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "address": _("Address"),
    "payment": _("Insurance or payment"),
    "other_id": _("Number in another system"),
}
# What the two hold, as counts: the table, its words, and which of the rows still go on (None: nothing goes on).
HELD: tuple[tuple[str, str | Promise, Q | None], ...] = (
    ("practice.Alert", _("Safety flags"), Q(closed_at=None) & ~Q(source="history")),
    ("practice.Task", _("Items to do"), Q(done_at=None)),
    ("practice.Note", _("Notes"), None),
    ("practice.SafetyPlan", _("Safety plans"), None),
    ("practice.LegalHold", _("Legal holds"), Q(lifted_at=None)),
    ("practice.ErasureRequest", _("Requests to be deleted"), Q(state__in=("asked", "restricted"))),
    ("intake.Intake", _("Forms"), Q(submitted_at=None)),
    ("intake.Assessment", _("Assessments"), None),
    ("intake.Signature", _("Agreements signed"), None),
    ("intake.Message", _("Messages"), None),
    ("intake.MedicinePage", _("Pages of medication lists"), None),
    ("referrals.Decision", _("Decisions"), None),
    ("referrals.Referral", _("Referrals"), Q(closed_at=None)),
    ("referrals.Release", _("Releases of information"), Q(signed_at__isnull=False, revoked_at=None)),
    ("referrals.Disclosure", _("Disclosures"), None),
    ("referrals.Course", _("Courses of infusions"), Q(state="under_way")),
    ("kap.Plan", _("KAP plans"), Q(state="under_way")),
    ("kap.DoseClearance", _("Doses cleared"), None),
)


class PairForm(HouseForm):
    """Two records by their numbers."""

    one = text(_("One record"), 12, required=True, help_text=_("Its number, such as CH-0412."))
    other = text(_("The other record"), 12, required=True)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for name in ("one", "other"):
            if name in said:
                number = FindForm({"code": said[name]})
                if number.is_valid():
                    said[name] = number.cleaned_data["code"]
                else:
                    self.add_error(name, number.errors["code"][0])
        return said


class MergeForm(HouseForm):
    seen = forms.CharField(widget=forms.HiddenInput, max_length=80)
    words = words_field(
        _("How you know that they are one person"),
        _("Write how you know that they are one person."),
        rows=2,
        max_length=400,
        help_text=_("It stays with the merge. Merging can be undone."),
    )

    def __init__(self, *args: Any, kept: Client, former: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = merging.versions(kept, former)
        for name, label in LABELS.items():
            ours, theirs = getattr(kept, name), getattr(former, name)
            if theirs and ours != theirs:
                self.fields[name] = forms.ChoiceField(
                    label=label,
                    choices=[("kept", _told(kept, name) or _("Nothing")), ("former", _told(former, name))],
                    initial="kept" if ours else "former",
                    widget=forms.RadioSelect,
                )
        self.order_fields([*LABELS, "words", "seen"])

    @property
    def take(self) -> set[str]:
        return {name for name in LABELS if self.cleaned_data.get(name) == "former"}


class UndoForm(HouseForm):
    words = words_field(
        _("How you know that they are two people"),
        _("Write how you know that they are two people."),
        rows=2,
        max_length=400,
    )


class AgainForm(HouseForm):
    words = words_field(
        _("Why they may be one person after all"),
        _("Write why they may be one person after all."),
        rows=2,
        max_length=400,
    )


@staff_page(Permission.MERGE_CLIENTS)
def merges(request: StaffRequest) -> HttpResponse:
    """Pairs that may be one person, and what was merged: the only place where a merged record is still named."""
    mine = Client.objects.visible_to(request.user, Permission.MERGE_CLIENTS)
    form = PairForm(request.POST or None, initial={"one": request.GET.get("one", "")})
    if request.method == "POST" and form.is_valid():
        numbers = [form.cleaned_data["one"], form.cleaned_data["other"]]
        found = list(mine.filter(number__in=numbers))
        if len(found) == 2:
            kept = next(client for client in found if client.number == numbers[0])
            return redirect("merge", kept.pk, next(client.pk for client in found if client != kept))
        form.add_error(None, gettext("Two clients with these numbers were not found among those you may merge."))
    page = Paginator(alike.likely(request.user), PAGE).get_page(request.GET.get("page"))
    done = Merge.objects.visible_to(request.user, Permission.MERGE_CLIENTS)
    context = {
        "form": form,
        "pairs": page.object_list,
        "page": page,
        "done": done.select_related("client", "former", "by", "undone_by")[:PAGE],
        "apart": _apart(request).standing().select_related("client", "other", "by")[:MOST_APART],
    }
    audit.record("read.merges", by=request.user, pairs=page.paginator.count)
    return render(request, "practice/merges.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MERGE_CLIENTS, fresh=True)
def merge(request: StaffRequest, pk: UUID, other: UUID) -> HttpResponse:
    """Two records side by side: what each holds by counts, what is chosen, what stands in the way."""
    if pk == other:
        raise Http404
    if gone := _merged_already(request, pk, other):
        messages.info(request, gettext("These records were merged already. It stands below."))
        return redirect(f"{reverse('merges')}#merge-{gone.pk}")
    kept, former = client_of(request, pk), client_of(request, other)
    form = MergeForm(request.POST or None, kept=kept, former=former)
    at = timezone.now()
    if form.is_valid():
        words, seen = form.cleaned_data["words"], form.cleaned_data["seen"]
        if attempt(
            form,
            lambda: merging.merge(
                by=request.user, kept=kept, former=former, take=form.take, words=words, at=at, seen=seen
            ),
        ):
            said = gettext("{former} is part of {kept} now. You can undo it below.")
            messages.success(request, said.format(former=former.code, kept=kept.code))
            return redirect("merges")
        kept.refresh_from_db()
        former.refresh_from_db()
    if request.method != "POST":
        audit.seen(request, kept, "merge", other=former.code)
        audit.seen(request, former, "merge", other=kept.code)
    context = {
        "kept": kept,
        "former": former,
        "form": form,
        "held": _held(kept, former),
        "same": [(LABELS[name], _told(kept, name)) for name in LABELS if _is_settled(kept, former, name)],
        "obstacles": merging.obstacles(kept, former, at),
    }
    return render(request, "practice/merge.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MERGE_CLIENTS)
def merge_apart(request: StaffRequest, pk: UUID, other: UUID) -> HttpResponse:
    """That the two are two people: in words, and the pair is no longer listed."""
    if pk == other:
        raise Http404
    one, two = client_of(request, pk), client_of(request, other)
    form = UndoForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: merging.keep_apart(by=request.user, one=one, other=two, at=timezone.now(), **form.cleaned_data)
    ):
        said = gettext("{one} and {other} are listed as two people. You can take that back below.")
        messages.success(request, said.format(one=one.code, other=two.code))
        return redirect(f"{reverse('merges')}#apart-h")
    if request.method != "POST":
        audit.seen(request, one, "merge", other=two.code)
        audit.seen(request, two, "merge", other=one.code)
    why = [alike.WHY[what] for what in alike.between(one, two)]
    context = {"one": one, "other": two, "why": why, "form": form, "back": reverse("merge", args=[pk, other])}
    return render(request, "practice/merge_apart.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MERGE_CLIENTS)
def apart_undo(request: StaffRequest, pk: UUID) -> HttpResponse:
    """To look at a pair again that somebody found to be two people."""
    row = _apart(request).filter(pk=pk).select_related("client", "other", "by", "undone_by").first()
    if row is None:
        raise Http404
    form = AgainForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: merging.ask_again(by=request.user, row=row, at=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, gettext("Taken back. While anything of the two is alike, they are listed again."))
        return redirect("merges")
    if request.method != "POST":
        audit.seen(request, row.client, "merge", other=row.other.code)
        audit.seen(request, row.other, "merge", other=row.client.code)
    return render(request, "practice/apart_undo.html", {"row": row, "form": form}, status=400 if form.errors else 200)


def _apart(request: StaffRequest) -> Any:
    """What was said of two records, both within this person's reach."""
    mine = Client.objects.visible_to(request.user, Permission.MERGE_CLIENTS)
    return Apart.objects.filter(client__in=mine.values("pk"), other__in=mine.values("pk"))


@staff_page(Permission.MERGE_CLIENTS, fresh=True)
def merge_undo(request: StaffRequest, pk: UUID) -> HttpResponse:
    """What would move back, what was added since and stays, and the words for it."""
    row = Merge.objects.get_for(request.user, Permission.MERGE_CLIENTS, pk)
    form = UndoForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: merging.undo(by=request.user, merge=row, at=timezone.now(), **form.cleaned_data)
    ):
        code = row.former.code if row.former else ""
        messages.success(request, gettext("{code} is a record of its own again.").format(code=code))
        return redirect("merges")
    if request.method != "POST":
        audit.seen(request, row.client, "merge")
    row.refresh_from_db()
    context = {
        "row": row,
        "form": form,
        "moved": _named({step.table: len(step.keys) for step in row.moves.all()}),
        "since": _named(merging.since(row)),
    }
    return render(request, "practice/merge_undo.html", context, status=400 if form.errors else 200)


def _merged_already(request: StaffRequest, *keys: UUID) -> Merge | None:
    found = Merge.objects.visible_to(request.user, Permission.MERGE_CLIENTS)
    gone: Merge | None = found.filter(former__in=keys, undone_at=None).first()
    return gone


def _told(client: Client, name: str) -> str:
    """What a record says, with days as every other day is told."""
    return full_day(client.born) if name == "birth_date" else str(getattr(client, name))


def _is_settled(kept: Client, former: Client, name: str) -> bool:
    """Whether nothing has to be chosen: they say the same, or only the kept record says something."""
    ours, theirs = getattr(kept, name), getattr(former, name)
    return bool(ours) and (not theirs or ours == theirs)


def _held(kept: Client, former: Client) -> list[dict[str, Any]]:
    """A line for each kind of entry that one of the two has; the rest as one line."""
    every = [moves.count(kept), moves.count(former)]
    rows = []
    for label, words, goes_on in HELD:
        counts = [found.pop(label, 0) for found in every]
        if any(counts):
            two = zip((kept, former), counts, strict=True)
            rows.append({"words": words, "cells": [_cell(*each, label, goes_on) for each in two]})
    other = [sum(found.values()) for found in every]
    if any(other):
        rows.append({"words": gettext("Other entries"), "cells": [str(n) for n in other]})
    return rows


def _cell(client: Client, n: int, label: str, goes_on: Q | None) -> str:
    if goes_on is None or not n:
        return str(n)
    going = apps.get_model(label)._base_manager.filter(goes_on, client=client.pk).count()
    return gettext("{n}, open: {going}").format(n=n, going=going) if going else str(n)


def _named(found: dict[str, int]) -> list[str]:
    """ "3 Assessments" and the like; what has no words of its own as one line."""
    known = {name: str(words) for name, words, _goes_on in HELD}
    lines = [f"{words}: {found[label]}" for label, words in known.items() if label in found]
    other = sum(n for label, n in found.items() if label not in known)
    return [*lines, f"{gettext('Other entries')}: {other}"] if other else lines
