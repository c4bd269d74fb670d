"""The practice's directory of clinics, hospitals and at-home programmes: found by filters that live in the address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.forms import HouseForm, phone_like, text
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import full_day
from practice.views.clients import conflict
from practice.words import days_long, to_half_days
from referrals import track
from referrals.actions import desk
from referrals.actions import directory as actions
from referrals.models import DeskKey, Destination, Path
from referrals.track import Track

MOST_MONEY = Decimal(100_000)
ELSEWHERE = [choice for choice in Path.choices if choice[0] != Path.KAP]  # what others give


class DestinationForm(HouseForm):
    name = text(_("Name"), required=True, error_messages={"required": _("Write the name of the clinic.")})
    paths = forms.MultipleChoiceField(
        label=_("Kind of care"),
        choices=ELSEWHERE,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one kind of care.")},
    )
    gives = forms.MultipleChoiceField(
        label=_("How ketamine is given"),
        choices=Destination.Given.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    accepts_suicidal = forms.TypedChoiceField(
        label=_("Accepts clients with suicidal thoughts"),
        choices=[("", _("Not known")), ("yes", _("Yes")), ("no", _("No"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        required=False,
    )
    coordinator = text(_("Coordinator"))
    email = forms.EmailField(
        label=_("E-mail"), required=False, help_text=_("The link to a referral goes here. Codes too.")
    )
    phone = text(_("Phone"), 32, validators=[phone_like])
    fax = text(_("Fax"), 32, validators=[phone_like])
    fax_email = forms.EmailField(
        label=_("Address of the e-mail-to-fax gateway"), required=False, help_text=_("The packet goes there as a PDF.")
    )
    hours = text(_("Hours"), 80)
    address = text(_("Address"), 160)
    miles = forms.DecimalField(
        label=_("Miles from the practice"), min_value=0, max_digits=6, decimal_places=1, required=False
    )
    price_usd = forms.DecimalField(
        label=_("Price of a session, in dollars"), min_value=0, max_digits=8, decimal_places=2, required=False
    )
    price_note = text(_("About the price"), 160)
    insurance = text(_("Insurance taken"), 160, help_text=_("Names, with commas between them."))
    supervision = text(_("Who is with the client"), 160)
    asks_for = text(_("What they ask for in a referral"), 240)
    quick_consult = forms.BooleanField(label=_("Offers a short call between clinicians"), required=False)
    notes = forms.CharField(label=_("Notes"), max_length=2000, widget=forms.Textarea({"rows": 3}), required=False)
    is_active = forms.BooleanField(
        label=_("May be chosen for new referrals"),
        required=False,
        initial=True,
        help_text=_("Referrals that were sent there stay as they are."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1, required=False)

    @property
    def said(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}

    @classmethod
    def initial_of(cls, clinic: Destination) -> dict[str, Any]:
        found = {name: getattr(clinic, name) for name in cls.base_fields}
        return found | {"accepts_suicidal": {True: "yes", False: "no", None: ""}[clinic.accepts_suicidal]}


# --- The list --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What the address asks for; empty parts ask for nothing."""

    path: str = ""
    given: str = ""
    miles: Decimal | None = None
    price: Decimal | None = None
    days: Decimal | None = None
    insurance: str = ""
    suicidal: bool = False
    gone: bool = False

    @classmethod
    def read(cls, query: QueryDict) -> "Asked":
        asked = cls(
            path=query.get("path", ""),
            given=query.get("given", ""),
            miles=_number(query.get("miles", "")),
            price=_number(query.get("price", "")),
            days=_number(query.get("days", "")),
            insurance=query.get("insurance", "").strip()[:80],
            suicidal=query.get("suicidal") == "yes",
            gone=query.get("gone") == "yes",
        )
        if asked.path not in ("", *Path.values) or asked.given not in ("", *Destination.Given.values):
            raise BadRequest
        return asked

    def fits(self, clinic: Destination, known: Track) -> bool:
        """Whether the clinic is what was asked for. What is not known of it leaves it in, but for safety."""
        return (
            clinic.is_active != self.gone
            and (not self.path or self.path in clinic.paths)
            and (not self.given or self.given in clinic.gives)
            and (self.miles is None or clinic.miles is None or clinic.miles <= self.miles)
            and (self.price is None or clinic.price_usd is None or clinic.price_usd <= self.price)
            and (self.days is None or known.to_first is None or to_half_days(known.to_first) <= self.days)
            and self.insurance.lower() in clinic.insurance.lower()
            and (not self.suicidal or clinic.accepts_suicidal is True)
        )


def _number(said: str) -> Decimal | None:
    if not said.strip():
        return None
    try:
        number = Decimal(said.strip()[:12])
    except InvalidOperation as wrong:
        raise BadRequest from wrong
    if not (number.is_finite() and 0 <= number <= MOST_MONEY):
        raise BadRequest
    return number


def found(asked: Asked, at: datetime) -> list[tuple[Destination, Track]]:
    """The clinics that fit, each with its track. Two queries, whatever their number."""
    clinics = list(Destination.objects.all())
    known = track.of([clinic.pk for clinic in clinics], at)
    return [(clinic, known[clinic.pk]) for clinic in clinics if asked.fits(clinic, known[clinic.pk])]


def card(clinic: Destination, known: Track) -> dict[str, Any]:
    """What one needs to know of a clinic to choose it."""
    return {
        "clinic": clinic,
        "paths": [str(Path(path).label) for path in clinic.paths if path in Path.values],
        "gives": ", ".join(str(Destination.Given(g).label) for g in clinic.gives if g in Destination.Given.values),
        "suicidal": {
            True: gettext("Accepts clients with suicidal thoughts"),
            False: gettext("Does not accept clients with suicidal thoughts"),
            None: gettext("Not known whether they accept suicidal thoughts"),
        }[clinic.accepts_suicidal],
        "price": price_words(clinic),
        "distance": gettext("{n} miles").format(n=f"{clinic.miles:f}") if clinic.miles is not None else "",
        "speed": speed_words(known),
        "url": clinic.get_absolute_url(),
    }


def price_words(clinic: Destination) -> str:
    parts = [f"${clinic.price_usd:,.0f}"] if clinic.price_usd is not None else []
    return ", ".join([*parts, clinic.price_note] if clinic.price_note else parts) or gettext("Price not known")


def days_words(days: float | None) -> str:
    return gettext("too few to say") if days is None else days_long(days)


def speed_words(known: Track) -> str:
    """ "Opens in 10 hours, first session in 3 days, letters 9 of 11": what is known, from our own referrals."""
    said = [
        form.format(time=days_long(days))
        for form, days in (
            (gettext("opens in {time}"), known.to_open),
            (gettext("answers in {time}"), known.to_accept),
            (gettext("first session in {time}"), known.to_first),
        )
        if days is not None
    ]
    if known.letters_of:
        said.append(gettext("letters {n} of {m}").format(n=known.letters, m=known.letters_of))
    if not said:
        few = ngettext("{n} referral in a year: too few to say", "{n} referrals in a year: too few to say", known.sent)
        return few.format(n=known.sent)
    words = ", ".join(said)
    return f"{words[0].upper()}{words[1:]}"


@staff_page(Permission.SEE_REFERRALS)
def destinations(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    asked = Asked.read(request.GET)
    rows = found(asked, at)
    context = {
        "cards": [card(clinic, known) for clinic, known in rows],
        "asked": asked,
        "filtered": bool(request.GET),
        "paths": _options([("", gettext("Any")), *ELSEWHERE], asked.path),
        "given": _options([("", gettext("Any")), *Destination.Given.choices], asked.given),
        "may_edit": request.user.may(Permission.EDIT_DIRECTORY),
        "any": bool(rows) or Destination.objects.exists(),
    }
    return render(request, "referrals/destinations.html", context)


def _options(choices: Sequence[tuple[Any, Any]], chosen: str) -> list[dict[str, Any]]:
    return [{"value": value, "label": label, "chosen": value == chosen} for value, label in choices]


# --- One clinic ------------------------------------------------------------------------------------------------------


def clinic_of(pk: UUID) -> Destination:
    """A clinic of the directory: nobody's client, so for all staff who may see referrals."""
    row: Destination | None = Destination.objects.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


@staff_page(Permission.SEE_REFERRALS)
def destination(request: StaffRequest, pk: UUID) -> HttpResponse:
    at = timezone.now()
    clinic = clinic_of(pk)
    known = track.of([clinic.pk], at)[clinic.pk]
    may_edit = request.user.may(Permission.EDIT_DIRECTORY)
    context = {
        "clinic": clinic,
        "card": card(clinic, known),
        "facts": facts(clinic),
        "numbers": numbers(known),
        "fewest": track.FEWEST,
        "keys": list(clinic.keys.filter(is_main=False).select_related("approved_by").order_by("email"))
        if may_edit
        else [],
        "may_edit": may_edit,
        "sent_url": f"{reverse('referrals')}?clinic={clinic.pk}",
    }
    return render(request, "referrals/destination.html", context)


def facts(clinic: Destination) -> list[dict[str, Any]]:
    rows = (
        (gettext("Coordinator"), clinic.coordinator),
        (gettext("E-mail"), clinic.email),
        (gettext("Phone"), clinic.phone),
        (gettext("Fax"), clinic.fax),
        (gettext("Fax gateway"), clinic.fax_email),
        (gettext("Hours"), clinic.hours),
        (gettext("Address"), clinic.address),
        (gettext("Insurance taken"), clinic.insurance),
        (gettext("Who is with the client"), clinic.supervision),
        (gettext("Asks for"), clinic.asks_for),
        (gettext("Short call between clinicians"), gettext("Offered") if clinic.quick_consult else ""),
        (gettext("Mail"), _stopped(clinic)),
        (gettext("Notes"), clinic.notes),
    )
    return [{"label": label, "value": value or gettext("Not known")} for label, value in rows]


def _stopped(clinic: Destination) -> str:
    if clinic.mail_stopped_at is None:
        return gettext("May be sent") if clinic.email else ""
    return gettext("Asked for calls instead of mail on {day}").format(day=full_day(clinic.mail_stopped_at))


def numbers(known: Track) -> list[dict[str, str]]:
    letters = gettext("{n} of {m}").format(n=known.letters, m=known.letters_of) if known.letters_of else ""
    return [
        {"label": gettext("Referrals sent in a year"), "value": str(known.sent)},
        {"label": gettext("Opened after"), "value": days_words(known.to_open)},
        {"label": gettext("Accepted after"), "value": days_words(known.to_accept)},
        {"label": gettext("First session after"), "value": days_words(known.to_first)},
        {"label": gettext("Letters back"), "value": letters or gettext("too few to say")},
    ]


@staff_page(Permission.EDIT_DIRECTORY)
def destination_new(request: StaffRequest) -> HttpResponse:
    form = DestinationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        clinic = actions.add(by=request.user, at=timezone.now(), **form.said)
        messages.success(request, gettext("Added to the directory."))
        return redirect(clinic)
    return _form_page(request, form, gettext("Add a clinic"), reverse("destinations"))


@staff_page(Permission.EDIT_DIRECTORY)
def destination_edit(request: StaffRequest, pk: UUID) -> HttpResponse:
    clinic = clinic_of(pk)
    if request.method != "POST":
        return _form_page(
            request, DestinationForm(initial=DestinationForm.initial_of(clinic)), clinic.name, clinic.get_absolute_url()
        )
    form = DestinationForm(request.POST)
    if not form.is_valid():
        return _form_page(request, form, clinic.name, clinic.get_absolute_url())
    clinic = Destination.objects.select_for_update(no_key=True).get(pk=clinic.pk)
    if clinic.version != form.cleaned_data["version"]:
        theirs = DestinationForm(initial=DestinationForm.initial_of(clinic))
        return conflict(request, gettext("Somebody changed this clinic first"), form, theirs, clinic.version)
    changed = actions.revise(by=request.user, clinic=clinic, fields=form.said, at=timezone.now())
    messages.success(request, gettext("Saved.") if changed else gettext("Nothing was different."))
    return redirect(clinic)


def _form_page(request: StaffRequest, form: DestinationForm, title: str, back: str) -> HttpResponse:
    context: Mapping[str, Any] = {"form": form, "title": title, "back": back}
    return render(request, "referrals/destination_edit.html", context, status=400 if form.errors else 200)


@staff_page(Permission.EDIT_DIRECTORY)
def desk_key_approve(request: StaffRequest, key: UUID) -> HttpResponse:
    """An address at another domain, to which a clinic passed a referral, may read it from now on."""
    row: DeskKey | None = DeskKey.objects.filter(pk=key, is_main=False).select_related("destination").first()
    if row is None:
        raise Http404
    if request.method == "POST":
        first = desk.approve_key(by=request.user, key=row, at=timezone.now())
        said = gettext("Approved. They can read what was passed to them.")
        messages.success(request, said if first else gettext("This address was approved before."))
    return redirect(row.destination)
