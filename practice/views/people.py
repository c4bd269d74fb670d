"""Who works here: inviting, roles, cover, and letting somebody go without leaving a client alone."""

from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.core.validators import validate_email
from django.db.models import Exists, OuterRef, Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import coverage, handover, staff
from practice.access import Permission, Role
from practice.actions import NotNow
from practice.forms import HouseForm, text, words_field
from practice.models import RoleGrant, Site, Task, User
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict, seen_field, version_of
from practice.views.opening import setting_up

MOST = 500
KEPT = ("name", "email", "licence", "supervisor", "backup", "most_clients")


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
    most_clients = forms.IntegerField(
        label=_("As many clients as they take"),
        required=False,
        min_value=1,
        max_value=MOST,
        help_text=_("Past it, whoever gives them another client writes why. Leave empty for no limit."),
    )

    def __init__(self, *args: Any, person: User | None = None, **kwargs: Any) -> None:
        if person is not None:
            now = {
                **{name: getattr(person, name) for name in KEPT},
                "roles": [role for role in Role.values if role in person.roles],
                "sites": person.sites.all(),
            }
            kwargs["initial"] = now | {"version": version_of(now)}
        super().__init__(*args, **kwargs)
        if person is not None:
            self.fields["version"] = seen_field()
        self.person = person
        others = User.objects.filter(is_active=True)
        others = others.exclude(pk=person.pk) if person else others
        self.fields["sites"].queryset = Site.objects.all()  # type: ignore[attr-defined]
        if person is None and len(only := Site.objects.all()[:2]) == 1:
            self.fields["sites"].initial = list(only)
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
        handover.with_load(User.objects.select_related("supervisor", "backup"))
        .prefetch_related(Prefetch("role_grants", RoleGrant.objects.order_by("pk")), "sites")
        .annotate(factor=Exists(factors))
        .order_by("-is_active", "name")
    )


@staff_page(Permission.MANAGE_PEOPLE)
def people(request: StaffRequest) -> HttpResponse:
    found = list(everybody())
    for person in found:
        person.load = handover.load_words(person)
        person.is_over = person.most_clients is not None and person.in_care > person.most_clients
    context = {
        "here": [p for p in found if p.is_active],
        "left": [p for p in found if not p.is_active],
        "alarms": handover.alarms(),
        "setting_up": setting_up(request),
    }
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
        now = form.initial["version"]
        if form.cleaned_data.pop("version") not in (None, now):
            theirs = PersonForm(person=person)
            return conflict(request, gettext("Somebody changed this first"), form, theirs, now)
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


class Taker(forms.ModelChoiceField):
    """Somebody who takes clients, with how many they have."""

    def label_from_instance(self, person: Any) -> str:
        return f"{person.name}, {handover.load_words(person)}"


class LeaveForm(HouseForm):
    """Where everything of somebody who leaves goes. A field is there only when there is something to hand over."""

    therapist = Taker(
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
    supervisor = forms.ModelChoiceField(
        label=_("Who supervises their team"), queryset=User.objects.none(), required=False, empty_label=_("Nobody yet")
    )
    words = words_field(
        _("Why, when somebody gets more clients than they take"), "", required=False, max_length=400, rows=2
    )

    def __init__(self, *args: Any, person: User, asked: dict[str, bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # never said as optional: a field is there only when somebody has to be chosen
        self.fields["supervisor"].initial = person.supervisor_id
        for name, role in SUCCESSORS.items():
            if asked[name]:
                able = User.objects.with_role(role).exclude(pk=person.pk)
                able = handover.with_load(able) if role == Role.THERAPIST else able
                self.fields[name].queryset = able.order_by("name")  # type: ignore[attr-defined]
            else:
                del self.fields[name]
        if not asked["therapist"]:
            del self.fields["words"]


SUCCESSORS = {"therapist": Role.THERAPIST, "prescriber": Role.PRESCRIBER, "supervisor": Role.SUPERVISOR}


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_leave(request: StaffRequest, pk: UUID) -> HttpResponse:
    person = _person(pk)
    if not person.is_active:
        messages.info(request, gettext("They have left already."))
        return redirect("person_edit", pk)
    theirs: dict[str, list[Any]] = {
        "therapist": [*handover.in_care(person), *handover.still_open(person)],
        "prescriber": list(handover.prescribed(person)),
        "supervisor": list(person.team.filter(is_active=True)),
    }
    form = LeaveForm(request.POST or None, person=person, asked={name: bool(rows) for name, rows in theirs.items()})
    if request.method == "POST" and form.is_valid():
        said: dict[str, Any] = {name: form.cleaned_data.get(name) for name in theirs}
        said["words"] = form.cleaned_data.get("words", "")
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
    tasks = Task.objects.filter(owner=person, done_at=None).count()
    context = {
        "form": form,
        "person": person,
        "clients": sorted({*theirs["therapist"], *theirs["prescriber"]}, key=lambda client: client.number),
        "team": theirs["supervisor"],
        "backs": list(person.backs_up.filter(is_active=True)),
        "on_call": person.shifts.exists(),
        "goes": [words for make in staff.GOES if (words := make(person))],
        "tasks": tasks,
    }
    return render(request, "practice/person_leave.html", context, status=400 if form.errors else 200)
