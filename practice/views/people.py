"""Who works here: inviting, roles, cover, and letting somebody go without leaving a client alone."""

from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.core.validators import validate_email
from django.db.models import Count, Exists, OuterRef, Prefetch, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import coverage, staff
from practice.access import Permission, Role
from practice.actions import NotNow
from practice.forms import HouseForm, text
from practice.models import Client, RoleGrant, Site, User
from practice.pages import StaffRequest, staff_page

IN_CARE = ~Q(clients__status__in=Client.LEFT)


class PersonForm(HouseForm):
    name = text(_("Name"), required=True, error_messages={"required": _("Write their name.")})
    email = forms.CharField(
        label=_("E-mail"),
        max_length=160,
        widget=forms.EmailInput,
        error_messages={"required": _("Write their e-mail.")},
        help_text=_("They sign in with it."),
    )
    licence = text(_("Licence"), help_text=_("As it shall stand under letters, such as LCSW 12345."))
    roles = forms.MultipleChoiceField(
        label=_("Roles"),
        choices=Role.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose one role or more.")},
    )
    sites = forms.ModelMultipleChoiceField(
        label=_("Sites"),
        queryset=Site.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose one site or more.")},
    )
    supervisor = forms.ModelChoiceField(
        label=_("Supervisor"), queryset=User.objects.none(), required=False, empty_label=_("Nobody")
    )
    backup = forms.ModelChoiceField(
        label=_("Backup"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody"),
        help_text=_("Is told when they do not pick up a safety flag in time."),
    )

    def __init__(self, *args: Any, person: User | None = None, **kwargs: Any) -> None:
        if person is not None:
            kwargs["initial"] = {
                **{name: getattr(person, name) for name in ("name", "email", "licence", "supervisor", "backup")},
                "roles": sorted(person.roles),
                "sites": person.sites.all(),
            }
        super().__init__(*args, **kwargs)
        self.person = person
        others = User.objects.filter(is_active=True)
        others = others.exclude(pk=person.pk) if person else others
        self.fields["sites"].queryset = Site.objects.all()  # type: ignore[attr-defined]
        self.fields["supervisor"].queryset = others.filter(role_grants__role=Role.SUPERVISOR)  # type: ignore[attr-defined]
        self.fields["backup"].queryset = others  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        validate_email(email)
        same = User.objects.filter(email__iexact=email)
        if self.person is not None:
            same = same.exclude(pk=self.person.pk)
        if same.exists():
            raise forms.ValidationError(_("Somebody here has this e-mail already."))
        return email


def everybody() -> Any:
    """Everybody, with what the list says of them. One query, and one for the roles."""
    factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=["totp", "webauthn"])
    return (
        User.objects.select_related("supervisor", "backup")
        .prefetch_related(Prefetch("role_grants", RoleGrant.objects.order_by("pk")), "sites")
        .annotate(factor=Exists(factors), in_care=Count("clients", filter=IN_CARE, distinct=True))
        .order_by("-is_active", "name")
    )


@staff_page(Permission.MANAGE_PEOPLE)
def people(request: StaffRequest) -> HttpResponse:
    found = list(everybody())
    context = {"here": [p for p in found if p.is_active], "left": [p for p in found if not p.is_active]}
    return render(request, "practice/people.html", context)


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_new(request: StaffRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = staff.employ(by=request.user, **form.cleaned_data)
        messages.success(
            request, gettext("{name} gets a mail with a link that works for 72 hours.").format(name=person.name)
        )
        return redirect("people")
    return render(request, "practice/person_new.html", {"form": form}, status=400 if form.errors else 200)


def _person(pk: UUID) -> User:
    person: User | None = everybody().filter(pk=pk).first()
    if person is None:
        raise Http404
    return person


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_edit(request: StaffRequest, pk: UUID) -> HttpResponse:
    person = _person(pk)
    form = PersonForm(request.POST or None, person=person)
    if request.method == "POST" and form.is_valid():
        try:
            staff.change_person(by=request.user, person=person, **form.cleaned_data)
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("Saved."))
            return redirect("people")
    context = {"form": form, "person": person, "may_leave": person != request.user}
    return render(request, "practice/person_edit.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_invite(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Send the first link again, to somebody who has never set a password."""
    person = _person(pk)
    if request.method == "POST":
        try:
            staff.invite_again(by=request.user, person=person)
        except NotNow as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, gettext("Sent again to {name}.").format(name=person.name))
    return redirect("person_edit", pk)


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_factor(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Take a lost second factor away: they set up a new one at their next sign-in."""
    person = _person(pk)
    if request.method == "POST":
        try:
            staff.reset_factor(by=request.user, person=person)
        except NotNow as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(
                request, gettext("{name} sets up a new second factor at the next sign-in.").format(name=person.name)
            )
    return redirect("person_edit", pk)


# --- Letting somebody go ---------------------------------------------------------------------------------------------


class LeaveForm(HouseForm):
    therapist = forms.ModelChoiceField(
        label=_("Who becomes the therapist of their clients"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Choose a therapist"),
    )
    prescriber = forms.ModelChoiceField(
        label=_("Who prescribes for their clients"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Choose a prescriber"),
    )

    def __init__(self, *args: Any, person: User, asked: dict[str, bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # never said as optional: a field is there only when somebody has to be chosen
        for name, role in (("therapist", Role.THERAPIST), ("prescriber", Role.PRESCRIBER)):
            if asked[name]:
                self.fields[name].queryset = User.objects.with_role(role).exclude(pk=person.pk)  # type: ignore[attr-defined]
            else:
                del self.fields[name]


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_leave(request: StaffRequest, pk: UUID) -> HttpResponse:
    person = _person(pk)
    theirs = {"therapist": list(staff.in_care(person)), "prescriber": list(staff.prescribed(person))}
    form = LeaveForm(request.POST or None, person=person, asked={name: bool(rows) for name, rows in theirs.items()})
    if request.method == "POST" and form.is_valid():
        said = {name: form.cleaned_data.get(name) for name in theirs}
        try:
            moved = staff.let_go(by=request.user, person=person, at=timezone.now(), **said)
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(
                request,
                ngettext(
                    "{name} has left. {n} client was handed over.",
                    "{name} has left. {n} clients were handed over.",
                    moved,
                ).format(name=person.name, n=moved),
            )
            return redirect("coverage" if coverage.gaps(coverage.shifts()) else "people")
    context = {
        "form": form,
        "person": person,
        "clients": sorted({*theirs["therapist"], *theirs["prescriber"]}, key=lambda client: client.number),
        "team": list(person.team.filter(is_active=True)),
        "backs": list(person.backs_up.filter(is_active=True)),
        "on_call": person.shifts.exists(),
    }
    return render(request, "practice/person_leave.html", context, status=400 if form.errors else 200)
