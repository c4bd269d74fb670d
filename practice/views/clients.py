"""Who a client is and how to reach them: the form that staff fill in and correct."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID
from zlib import crc32

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.forms import HouseForm, phone_like, text
from practice.models import Client, User
from practice.pages import StaffRequest, client_of, staff_page

OLDEST_BIRTH = date(1900, 1, 1)
CHANNELS = (
    ("email", _("E-mail")),
    ("sms", _("Text message")),
    ("voice", _("Phone call")),
    ("voicemail", _("Voicemail")),
)
MAY_TALK = (
    ("", _("Not said")),
    ("yes", _("Yes, we may talk with them about care")),
    ("emergency", _("Only in an emergency")),
    ("no", _("No, do not call them")),
)
CONTACTS = (("emergency", _("Emergency contact")), ("support", _("Support person")))


class PersonForm(HouseForm):
    """Name and ways to reach somebody: what an invitation needs."""

    name_used = text(
        _("Name used"),
        required=True,
        error_messages={"required": _("Write the name they use.")},
        help_text=_("Shown everywhere."),
    )
    email = forms.EmailField(label=_("E-mail"), max_length=160, required=False)
    phone = text(_("Mobile phone"), 40, validators=[phone_like])
    channels = forms.MultipleChoiceField(
        label=_("Safe ways to reach them"),
        choices=CHANNELS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=[name for name, _label in CHANNELS[:3]],
        help_text=_("Only tick what the client said is safe. They can change it on their first form."),
    )
    reach_note = text(_("What to know before you call"), 200, help_text=_("Such as: do not call in the evening."))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "email" in self.fields and not (said.get("email") or said.get("phone") or self.errors):
            self.add_error("email", _("Write an e-mail or a mobile phone, so that the link can reach them."))
        return said

    def reach(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        ticked = self.cleaned_data["channels"]
        return {
            **(before or {}),
            **{name: name in ticked for name, _label in CHANNELS},
            "note": self.cleaned_data["reach_note"],
        }


class ClientForm(PersonForm):
    legal_name = text(_("Legal name"))
    pronouns = text(_("Pronouns"), 40)
    birth_date = forms.DateField(
        label=_("Birth date"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "off"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("Write the date as year, month, day, such as 1993-03-08.")},
    )
    address = text(_("Address"), 240)
    language = forms.ChoiceField(
        label=_("Language of the forms and messages"), choices=settings.LANGUAGES, required=False
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    field_order = ["name_used", "legal_name", "pronouns", "birth_date", "email", "phone", "address", "language"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role, label in CONTACTS:
            self.fields[f"{role}_name"] = text(label)
            self.fields[f"{role}_relation"] = text(_("Relation"), 40)
            self.fields[f"{role}_phone"] = text(_("Phone"), 40, validators=[phone_like])
            self.fields[f"{role}_may_talk"] = forms.ChoiceField(
                label=_("May we talk with them?"), choices=MAY_TALK, required=False
            )
            for part in ("relation", "phone", "may_talk"):
                self.fields[f"{role}_{part}"].label = f"{label}: {self.fields[f'{role}_{part}'].label}"

    def clean_birth_date(self) -> date | None:
        born: date | None = self.cleaned_data["birth_date"]
        if born and not OLDEST_BIRTH <= born <= timezone.localdate():
            raise forms.ValidationError(_("Write the day they were born: a day in the past."))
        return born

    @classmethod
    def initial_of(cls, client: Client) -> dict[str, Any]:
        reach = client.reach or {}
        found = {name: getattr(client, name) for name in PLAIN} | {
            "birth_date": client.born,
            "language": client.language,
            "channels": [name for name, _label in CHANNELS if reach.get(name, True)],
            "reach_note": reach.get("note", ""),
            "version": client.version,
        }
        for role, _label in CONTACTS:
            contact = client.contact(role) or {}
            found |= {f"{role}_{part}": contact.get(part, "") for part in ("name", "relation", "phone", "may_talk")}
        return found

    def identity(self, client: Client) -> dict[str, Any]:
        """The sealed fields as they shall be."""
        said = self.cleaned_data
        kept = [c for c in client.contacts or [] if c.get("role") not in dict(CONTACTS)]
        for role, _label in CONTACTS:
            contact = {part: said[f"{role}_{part}"] for part in ("name", "relation", "phone", "may_talk")}
            if contact["name"] or contact["phone"]:
                kept.append({**(client.contact(role) or {}), "role": role, **contact})
        return {name: said[name] for name in PLAIN} | {
            "birth_date": said["birth_date"].isoformat() if said["birth_date"] else "",
            "reach": self.reach(client.reach),
            "contacts": kept,
            "language": said["language"] or client.language,
        }


PLAIN = ("name_used", "legal_name", "pronouns", "email", "phone", "address")


@staff_page(Permission.EDIT_CLIENT)
def client_edit(request: StaffRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    if request.method != "POST":
        audit.seen(request, client, "identity")
        return _page(request, client, ClientForm(initial=ClientForm.initial_of(client)))
    form = ClientForm(request.POST)
    if not form.is_valid():
        return _page(request, client, form, status=400)
    client = Client.objects.hold(client.pk)
    if client.version != form.cleaned_data["version"]:
        theirs = ClientForm(initial=ClientForm.initial_of(client))
        return conflict(request, gettext("Somebody changed this first"), form, theirs, client.version)
    changed = revise(client, form.identity(client), by=request.user)
    messages.success(request, gettext("Saved.") if changed else gettext("Nothing was different."))
    return redirect(back_to(request.user, client))


def revise(client: Client, identity: dict[str, Any], by: User) -> list[str]:
    """Save who somebody is under a new version. Returns the names of the fields that changed."""
    changed = sorted(name for name, value in identity.items() if (getattr(client, name) or "") != (value or ""))
    if changed:
        client.set_identity(**identity)
        client.version += 1
        client.save_identity()
    audit.record("client.edited", by=by, client=client, target=client, fields=changed)
    return changed


def back_to(user: User, client: Client) -> str:
    """The page of this client that this person may read."""
    charted = Client.objects.visible_to(user, Permission.READ_CHART).filter(pk=client.pk).exists()
    return client.get_absolute_url() if charted else reverse("client_edit", args=[client.pk])


def _page(request: StaffRequest, client: Client, form: ClientForm, status: int = 200) -> HttpResponse:
    mine = Client.objects.filter(pk=client.pk)
    context = {
        "client": client,
        "form": form,
        "back": back_to(request.user, client),
        "may_end": mine.visible_to(request.user, Permission.DECIDE).exists(),
        "may_move": mine.visible_to(request.user, Permission.MOVE_CLIENTS).exclude(status__in=Client.LEFT).exists(),
        "may_merge": mine.visible_to(request.user, Permission.MERGE_CLIENTS).exists(),
        "may_review": mine.visible_to(request.user, Permission.REVIEW_BREAK_GLASS).exists(),
    }
    return render(request, "practice/client_edit.html", context, status=status)


def conflict(request: StaffRequest, title: str, mine: forms.Form, theirs: forms.Form, version: int) -> HttpResponse:
    """Somebody saved first: both texts, and the choice which one stays."""
    context = {
        "title": title,
        "rows": list(differences(mine, theirs)),
        "fields": [(name, value) for name, values in request.POST.lists() for value in values if name not in KEYS],
        "version": version,
        "again": request.path,
    }
    return render(request, "practice/conflict.html", context, status=409)


KEYS = {"csrfmiddlewaretoken", "form_key", "version"}


def differences(mine: forms.Form, theirs: forms.Form) -> Iterable[dict[str, str]]:
    for name, field in mine.fields.items():
        if name == "version":
            continue
        yours, others = plain(mine.cleaned_data.get(name)), plain(theirs.get_initial_for_field(field, name))
        if (yours or "") != (others or ""):
            yield {"label": str(field.label), "mine": shown(field, yours), "theirs": shown(field, others)}


def plain(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, QuerySet) else value


def version_of(said: Mapping[str, Any]) -> int:
    """A number that is another one as soon as any of these values is, for rows that count no versions."""
    rows = {name: plain(value) for name, value in said.items()}
    keys = {name: [v.pk if isinstance(v, Model) else v for v in _many(value)] for name, value in rows.items()}
    return crc32(repr(sorted(keys.items())).encode()) >> 1  # as large as a version may be


def seen_field() -> forms.IntegerField:
    """Of such a row, what the form was made from; a form that says nothing of it is taken as it is."""
    return forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def shown(field: forms.Field, value: Any) -> str:
    """A value of a form in the words of its form."""
    if isinstance(field, forms.ModelMultipleChoiceField):
        return ", ".join(str(each) for each in value or []) or gettext("Empty")
    if isinstance(field, forms.BooleanField):
        return gettext("Yes") if value else gettext("No")
    if isinstance(field, forms.ModelChoiceField):
        return str(value or gettext("Empty"))
    if isinstance(field, forms.ChoiceField):
        labels: Any = field.choices
        chosen = [str(v) for v in (value if isinstance(value, list) else [value])]
        return ", ".join(str(label) for code, label in labels if str(code) in chosen) or gettext("Empty")
    return str(value) if value not in (None, "") else gettext("Empty")
