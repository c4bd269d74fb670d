"""One's own account: name, looks, shortcuts, devices; and the text that was kept when a page locked."""

import re
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.forms import HouseForm, phone_like, text
from practice.models import Client, ClientRecord, KeptForm, User
from practice.pages import StaffRequest, staff_page
from practice.privacy import our_models

SWITCH = [("on", _("On")), ("off", _("Off"))]


class AccountForm(HouseForm):
    name = text(_("Name"), required=True, error_messages={"required": _("Write your name as clients know it.")})
    phone = text(
        _("Phone for urgent text messages"),
        32,
        validators=[phone_like],
        help_text=_("We text it when a safety flag waits for you. The text names no client."),
    )
    theme = forms.ChoiceField(
        label=_("Light or dark"), choices=User.theme.field.choices or [], widget=forms.RadioSelect, required=False
    )
    keys = forms.ChoiceField(
        label=_("Single-key shortcuts"),
        choices=SWITCH,
        widget=forms.RadioSelect,
        help_text=_("Press ? on any page to see them."),
    )


@staff_page(Permission.SEE_OWN_ACCOUNT)
def account(request: StaffRequest) -> HttpResponse:
    user = request.user
    before = {"name": user.name, "phone": user.phone, "theme": user.theme, "keys": "on" if user.keys_on else "off"}
    form = AccountForm(request.POST or None, initial=before)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        user.name, user.phone, user.theme = said["name"], said["phone"], said["theme"]
        user.keys_on = said["keys"] == "on"
        user.save(update_fields=["name", "phone", "theme", "keys_on"])
        audit.record("account.edited", by=user, target=user, fields=[f for f in before if before[f] != said[f]])
        messages.success(request, gettext("Saved."))
        return redirect("account")
    factors = Authenticator.objects.filter(user=user).order_by("created_at")
    context = {
        "form": form,
        "devices": [
            {"agent": browser(s.user_agent), "ip": s.ip, "since": s.created_at, "here": s.is_current()}
            for s in UserSession.objects.purge_and_list(user)
        ],
        "factors": [factor for factor in factors if factor.type != Authenticator.Type.RECOVERY_CODES],
        "codes_left": sum(
            len(f.wrap().get_unused_codes()) for f in factors if f.type == Authenticator.Type.RECOVERY_CODES
        ),
    }
    return render(request, "practice/account.html", context, status=400 if form.errors else 200)


# What a browser calls itself, most telling first.
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS", "Mac"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """Return "Firefox on Windows", as far as the browser says."""
    name = next((word for mark, word in _BROWSERS if mark in agent), "")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    if name and system:
        return gettext("{browser} on {system}").format(browser=name, system=system)
    return name or system or gettext("A browser")


# --- Text that was typed when a page locked --------------------------------------------------------------------------

IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_SENT = {"kept", "form_key", "csrfmiddlewaretoken"}


@staff_page(Permission.SEE_OWN_ACCOUNT)
def kept(request: StaffRequest) -> HttpResponse:
    found = list(KeptForm.objects.filter(user=request.user).order_by("-at"))
    rows = [row for row in found if _still_theirs(request.user, row)]
    context = {"rows": [_kept(row) for row in rows], "away": len(found) - len(rows)}
    return render(request, "practice/kept.html", context)


def _still_theirs(user: User, row: KeptForm) -> bool:
    """Whether whom the text is about is this person's client still. Text about nobody is theirs."""
    keys = [UUID(found) for found in IDS.findall(row.path)]
    if not keys:
        return True
    about = set(Client.objects.filter(pk__in=keys).values_list("pk", flat=True))
    for model in our_models():
        if issubclass(model, ClientRecord):
            about.update(model.objects.filter(pk__in=keys).values_list(model.client_path, flat=True))
    about.discard(None)
    return Client.objects.visible_to(user).filter(pk__in=about).count() == len(about)


def _kept(row: KeptForm) -> dict[str, Any]:
    fields = [(name, value) for name, value in row.fields or [] if name not in NOT_SENT]
    try:
        resolve(row.path)
        path = row.path
    except Resolver404:
        path = ""
    return {"pk": row.pk, "at": row.at, "path": path, "fields": fields}


@staff_page(Permission.SEE_OWN_ACCOUNT)
def kept_discard(request: StaffRequest, pk: UUID) -> HttpResponse:
    row = KeptForm.objects.filter(user=request.user, pk=pk).first()
    if row is None and request.method != "POST":
        raise Http404
    if row is not None and request.method == "POST":
        row.delete()
        audit.record("kept.discarded", by=request.user)
        messages.success(request, gettext("Thrown away."))
    return redirect("kept" if KeptForm.objects.filter(user=request.user).exists() else "caseload")
