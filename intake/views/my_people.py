"""Who has a page about the client: given, changed and taken back by the client, with who looked and when (K7)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import doors, trusted
from intake.doors import Link, home_page, see_other, show
from intake.home import Line
from intake.models import Look, Part, TrustedPerson
from intake.models.trusted import BY_THE_CLIENT
from intake.views.language import retelling
from practice import audit
from practice.actions import NotNow
from practice.forms import Day, HouseForm, phone_like, text
from practice.language import as_typed
from practice.models import Practice
from practice.templatetags.ui import full_day

LISTED = 50  # looks, the newest first
STATES: dict[str, str | Promise] = {
    trusted.OPEN: _("Until {day}."),
    trusted.HELD: _("The practice holds it back for now. Ask them why."),
    trusted.EXPIRED: _("It ended on {day}."),
    trusted.OF_AGE: _("It ended when you came of age."),
    trusted.ENDED: _("It was taken back."),
    trusted.CARE_ENDED: _("It ended with your care."),
}


class PartsField(forms.MultipleChoiceField):
    """What somebody may see, each ticked by itself; nothing is ticked beforehand."""

    widget = forms.CheckboxSelectMultiple


class PersonForm(HouseForm):
    """Who they are and how they are reached; staff use it for a guardian, too."""

    name = text(_("Their name"), required=True, error_messages={"required": _("Write their name.")})
    relation = text(_("Who they are to you"), 60, help_text=_("Such as: partner, friend, mother."))
    phone = text(_("Their phone"), 32, validators=[phone_like])
    email = forms.EmailField(
        label=_("Their e-mail"), required=False, error_messages={"invalid": _("Write the e-mail address in full.")}
    )
    may = PartsField(
        label=_("What they may see or get"),
        error_messages={
            "required": _("Tick at least one thing that they may see."),
            "invalid_choice": _("Choose among the things in the list."),
        },
    )
    until = Day(label=_("Last day"), error_messages={"required": _("Give the last day.")})

    def __init__(self, *args: Any, practice: Practice, at: datetime, lasts: relativedelta, **kwargs: Any) -> None:
        super().__init__(*args, initial={"until": timezone.localdate(at) + lasts}, **kwargs)
        self.fields["may"].choices = self.parts(practice)  # type: ignore[attr-defined]

    def parts(self, practice: Practice) -> list[tuple[str, Any]]:
        return [(part.value, part.label) for part in trusted.offered(practice, TrustedPerson.Kind.SUPPORT)]


class GiveForm(PersonForm):
    signed_name = text(
        _("Type your full name to sign"),
        required=True,
        error_messages={"required": _("Type your full name to sign.")},
    )


class MayForm(HouseForm):
    may = PartsField(label=_("What they may see or get"), required=False)

    def __init__(self, *args: Any, parts: list[Part], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True
        self.fields["may"].choices = [(part.value, part.label) for part in parts]  # type: ignore[attr-defined]


def line(link: Link, at: datetime) -> Line:
    rows = link.client.trusted.filter(ended_at=None).select_related("client")
    n = sum(trusted.state_of(row, at, link.practice) == trusted.OPEN for row in rows)
    some = ngettext("%(n)s person has a page of their own.", "%(n)s people have a page of their own.", n) % {"n": n}
    return Line(
        title=gettext("People you trust"),
        text=some if n else gettext("Nobody but the practice sees anything here. You can give somebody a page."),
        url=reverse("my_people"),
        label=gettext("See it, or change it"),
    )


@home_page
def my_people(request: HttpRequest) -> HttpResponse:
    """Each person: what they may see, until when; and who looked."""
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    audit.record("read.own_people", by=link.client, client=link.client)
    rows = [row_of(row, at, link.practice) for row in trusted.people_of(link.client)]
    looks = Look.objects.filter(person__client=link.client).select_related("person")[:LISTED]
    context = {
        "current": [row for row in rows if row["stands"]],
        "over": [row for row in rows if not row["stands"]],
        "looks": [{"name": look.person.name, "what": look.get_part_display(), "at": look.at} for look in looks],
    }
    return show(request, "intake/my_people.html", context)


def row_of(person: TrustedPerson, at: datetime, practice: Practice) -> dict[str, Any]:
    state = trusted.state_of(person, at, practice)
    return {
        "person": person,
        "state": state,
        "stands": state in (trusted.OPEN, trusted.HELD),
        "words": str(STATES[state]).format(day=full_day(person.until)),
        "may": [part.label for part in Part if part in person.may],
        "acts": Part.ACT in person.may,
        "is_guardian": person.kind == TrustedPerson.Kind.GUARDIAN,
    }


@home_page
@retelling
def my_person_new(request: HttpRequest) -> HttpResponse:
    """Give somebody a page. Only who showed a code may: others know a birth date."""
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    if not doors.has_shown_code(request, link.client.pk):
        return show(request, "intake/my_people_code.html")
    form = GiveForm(request.POST or None, practice=link.practice, at=at, lasts=trusted.LASTS)
    as_typed(request, form)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                person = trusted.give(by=link.client, at=at, **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(
                request, gettext("Done. We sent %(name)s a link. You can stop it here.") % {"name": person.name}
            )
            return see_other("my_people")
    return show(request, "intake/my_person_new.html", {"form": form}, status=400 if form.errors else 200)


@home_page
@retelling
def my_person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One person: change what they may see, send the link again, or stop it."""
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    person = TrustedPerson.objects.filter(client=link.client, pk=pk).select_related("client__therapist").first()
    if person is None:
        raise Http404
    if request.method == "POST" and "stop" in request.POST:
        trusted.end(by=link.client, person=person, at=at)
        messages.success(request, gettext("Stopped. %(name)s cannot open it any more.") % {"name": person.name})
        return see_other("my_people")
    if not doors.has_shown_code(request, link.client.pk):
        return show(request, "intake/my_people_code.html", {"stops": person})
    row = row_of(person, at, link.practice)
    offered = trusted.offered(link.practice, person.kind)
    parts = [part for part in offered if not row["is_guardian"] or part in BY_THE_CLIENT]
    form = as_typed(request, MayForm(request.POST or None, parts=parts, initial={"may": person.may}))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                _changed(request, link, person, form, at)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            return see_other("my_people")
    context = row | {"form": form, "has_parts": bool(parts)}
    return show(request, "intake/my_person.html", context, status=400 if form.errors else 200)


def _changed(request: HttpRequest, link: Link, person: TrustedPerson, form: MayForm, at: datetime) -> None:
    if "send" in request.POST:
        trusted.send_link(by=link.client, person=person, at=at)
        messages.success(request, gettext("We sent %(name)s a new link.") % {"name": person.name})
        return
    trusted.change(by=link.client, person=person, may=form.cleaned_data["may"], at=at)
    messages.success(request, gettext("Saved."))
