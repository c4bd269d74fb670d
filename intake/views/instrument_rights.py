"""The permission for a brought instrument: written down, ended; and publishing its wording under it."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.forms import Words
from intake.views.instruments import LANGUAGE_WORDS, TRANSLATIONS, known, missing_words, today
from practice import instruments, uploads
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import brought
from practice.forms import Day, HouseForm, words_field
from practice.models import InstrumentDraft, InstrumentPermission, InstrumentVersion
from practice.pages import StaffRequest, staff_page

PDF = b"%PDF-"


class PermissionForm(HouseForm):
    holder = Words(
        label=_("Who holds the rights"),
        error_messages={"required": _("Write who holds the rights and gave the permission.")},
    )
    reference = words_field(
        _("Where the permission is"),
        _("Write where the permission can be found."),
        help_text=_("Such as: letter of March 3, 2026, in the blue folder; or the number of the licence."),
        max_length=1000,
    )
    granted_on = Day(label=_("Since when"), error_messages={"required": _("Say since when you have the permission.")})
    expires_on = Day(label=_("The last day of it"), required=False, help_text=_("Leave empty when it has no end."))
    translations = forms.MultipleChoiceField(
        label=_("It also covers a validated translation"),
        choices=[(code, LANGUAGE_WORDS[code]) for code in TRANSLATIONS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Without it, clients read the English with a sentence that says so."),
    )
    mine = forms.BooleanField(
        label=_("I have read the permission. It lets this practice show these questions to its clients on a screen."),
        error_messages={"required": _("Tick this once you have read the permission.")},
    )
    replaces = forms.CharField(widget=forms.HiddenInput, required=False, max_length=36)

    def __init__(self, *args: Any, day: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.day = day

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        since, until = said.get("granted_on"), said.get("expires_on")
        if since and since > self.day:
            self.add_error("granted_on", _("This day has not come yet. Write it down when it has."))
        if until and until < self.day:
            self.add_error("expires_on", _("This day is past: the permission would have run out already."))
        return said


@uploads.takes_file
@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def instrument_permission(request: StaffRequest, key: str) -> HttpResponse:
    known(key)
    before = instruments.standing(key)
    initial = {"replaces": str(before.pk) if before else ""}
    form = PermissionForm(request.POST or None, initial=initial, day=today(request))
    wrong = ""
    if request.method == "POST":
        wrong, body = _pdf(request)
        if form.is_valid() and not wrong:
            said = form.cleaned_data
            try:
                instruments.state_permission(
                    by=request.user,
                    key=key,
                    holder=said["holder"],
                    reference=said["reference"],
                    granted_on=said["granted_on"],
                    expires_on=said["expires_on"],
                    languages=said["translations"],
                    file=body,
                    replaces=said["replaces"],
                    at=timezone.now(),
                )
            except NotNow as sentence:
                form.add_error(None, str(sentence))
            else:
                messages.success(request, gettext("The permission is written down."))
                return redirect("instrument", key)
    bad = bool(form.errors or wrong)
    context = {"key": key, "name": brought.short(key), "form": form, "before": before, "wrong": wrong, "bad": bad}
    return render(request, "intake/instrument_permission.html", context, status=400 if bad else 200)


def _pdf(request: StaffRequest) -> tuple[str, bytes]:
    """Return (what is wrong, the bytes) of the file that came along, ("", b"") when none did."""
    largest = uploads.LARGEST // 1024 // 1024
    if uploads.was_too_large(request):
        return gettext("That file is larger than {n} MB. Save it smaller and send it again.").format(n=largest), b""
    file = request.FILES.get("file")
    if file is None:
        return "", b""
    body = file.read()
    if not body.startswith(PDF):
        return gettext("That file is not a PDF. Save the permission as PDF and send it again."), b""
    return "", body


@staff_page(Permission.MANAGE_PRACTICE)
def instrument_file(request: StaffRequest, key: str, pk: UUID) -> HttpResponse:
    """The permission as it was attached."""
    found = get_object_or_404(InstrumentPermission, pk=pk, instrument=key)
    if not found.file:
        raise Http404
    return uploads.as_attachment(bytes(found.file), "application/pdf", f"permission-{key}-{found.granted_on}.pdf")


class EndForm(HouseForm):
    words = words_field(_("Why it ends"), _("Write why the permission ends."), max_length=1000)


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def instrument_end(request: StaffRequest, key: str) -> HttpResponse:
    known(key)
    form = EndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            instruments.end_permission(by=request.user, key=key, words=form.cleaned_data["words"], at=timezone.now())
        except NotNow as sentence:
            messages.info(request, str(sentence))
        else:
            messages.success(request, gettext("The permission has ended. Nobody is asked these questions any more."))
        return redirect("instrument", key)
    context = {"key": key, "name": brought.short(key), "form": form, "permission": instruments.standing(key)}
    return render(request, "intake/instrument_end.html", context, status=400 if form.errors else 200)


# --- Publishing ------------------------------------------------------------------------------------------------------


class PublishForm(HouseForm):
    reason = words_field(
        _("Why"),
        _("Write why this version is published."),
        help_text=_("Such as: first version; or a misprint in question 4."),
        max_length=1000,
    )
    draft = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def instrument_publish(request: StaffRequest, key: str) -> HttpResponse:
    known(key)
    draft = get_object_or_404(InstrumentDraft, instrument=key)
    form = PublishForm(request.POST or None, initial={"draft": draft.version})
    if request.method == "POST" and form.is_valid():
        try:
            done = instruments.publish(by=request.user, key=key, at=timezone.now(), **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Version {n} is published.").format(n=done.number))
            return redirect("instrument", key)
    context = {
        "key": key,
        "name": brought.short(key),
        "form": form,
        "lacking": missing_words(key, draft),
        "permission": instruments.standing(key),
        "words": readable(key, draft.wordings),
    }
    return render(request, "intake/instrument_publish.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE)
def instrument_version(request: StaffRequest, key: str, number: int) -> HttpResponse:
    """A published version, as it is frozen."""
    known(key)
    rows = InstrumentVersion.objects.select_related("published_by", "permission")
    found = get_object_or_404(rows, instrument=key, number=number)
    context = {"key": key, "name": brought.short(key), "found": found, "words": readable(key, found.wordings)}
    return render(request, "intake/instrument_version.html", context)


def readable(key: str, wordings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A wording to be read through, language by language: each question with the answers that it takes."""
    found = []
    for code, wording in wordings.items():
        if not any(wording.values()):
            continue
        own, shared = wording.get("own", {}), wording.get("answers", [])
        items = [
            {"text": text, "answers": " / ".join(own.get(str(n)) or shared)}
            for n, text in enumerate(wording.get("items", []), 1)
        ]
        found.append({"language": LANGUAGE_WORDS[code], "code": code, **wording, "items": items})
    return found
