"""Where the client's own referral stands, in plain words; and what they say about it.

Nothing here names a diagnosis, a score or a reason of the clinic. That nobody drives before the next day, after a
night's sleep: SPRAVATO-LABEL in docs/clinical-sources.md.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake.doors import Link, called, home_page, see_other, show
from intake.home import Line, Shown
from intake.views.language import retelling
from practice import audit, coverage
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client
from practice.templatetags.ui import day, moment
from referrals.actions import client_words, clocks
from referrals.models import ClientWord, Course, CourseSession, Path, Referral
from referrals.states import IN_TREATMENT, TERMINAL, Event, State
from referrals.views.standing import visit_words

Kind = ClientWord.Kind
GOES_THERE = (Path.INFUSION, Path.PAIN)
THANKS = {
    Kind.CONFIRMED: _("Thank you. You said that you will be there."),
    Kind.WENT: _("Thank you. We know that you went."),
    Kind.NOT_YET: _("Thank you. We will look into it."),
    Kind.TOLD_NO: _("Thank you for telling us. We will look for another way with you."),
    Kind.CHANGED: _("Thank you for telling us. Nothing is cancelled yet; we talk with you first."),
}


class WordForm(HouseForm):
    """What the client says, with one of the buttons."""

    referral = forms.UUIDField()
    said = forms.ChoiceField(choices=Kind.choices)
    words = words_field(_("Anything you want to add"), "", required=False, max_length=1000)


@home_page
@retelling
def my_referral(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    if request.method == "POST":
        return _take(request, link.client, at)
    standing, earlier = _rows(link.client)
    audit.record("read.my_referral", by=link.client, client=link.client, at=at)
    rows = [card(row, link, at) for row in standing]
    context = {
        "rows": rows,
        "own": next((row["referral"].pk for row in rows if row["is_open"]), None),  # whose words the switch sends along
        "typed": request.POST.get("words", ""),
        "earlier": [{"clinic": row.destination, "state": lead(row, link, at)} for row in earlier],
        "read_by": coverage.read_by(at, link.practice),
    }
    return show(request, "referrals/my_referral.html", context)


def _take(request: HttpRequest, client: Client, at: datetime) -> HttpResponse:
    mine = client.referrals.exclude(state=State.DRAFT)
    referral = mine.filter(pk=_pk(request.POST.get("referral", ""))).first()
    if referral is None:
        raise Http404
    if request.POST.get("messages") in ("on", "off"):
        wanted = request.POST["messages"] == "on"
        client_words.choose_messages(client=client, referral=referral, wanted=wanted, at=at)
        on, off = gettext("You get a message at each step."), gettext("You get no more messages about this.")
        messages.success(request, on if wanted else off)
        return see_other("my_referral")
    form = WordForm(request.POST)
    if not form.is_valid():
        messages.error(request, gettext("We did not understand that. Please press one of the buttons."))
        return see_other("my_referral")
    kind = Kind(form.cleaned_data["said"])
    try:
        client_words.say(client=client, referral=referral, kind=kind, words=form.cleaned_data["words"], at=at)
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    else:
        messages.success(request, THANKS[kind])
    return see_other("my_referral")


def _pk(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _rows(client: Client) -> tuple[list[Referral], list[Referral]]:
    """What is under way for the client, else what was last; and what came before that."""
    found = list(client.referrals.exclude(state=State.DRAFT).select_related("destination").order_by("-sent_at"))
    standing = [row for row in found if row.state not in TERMINAL and row.closed_why not in ("ended", "discharged")]
    standing = standing or found[:1]
    return standing, [row for row in found if row not in standing]


def line(link: Link, at: datetime) -> Line | None:
    """The referral's part of the client's own page: where it stands, or what it asks of them."""
    standing, _earlier = _rows(link.client)
    if not standing:
        return None
    first = next((row for row in standing if asks(row, at)), standing[0])
    asked = asks(first, at)
    parts = [opened_words(first), lead(first, link, at), gettext("Will you be there?") if asked == "visit" else ""]
    return Line(
        title=gettext("Your referral"),
        text=gettext("Did you go?") if asked == "went" else " ".join(part for part in parts if part),
        url=reverse("my_referral"),
        label=gettext("Answer") if asked else gettext("See where it stands"),
        todo=bool(asked),
    )


def for_person(link: Link, at: datetime) -> Shown:
    """Where it stands, for somebody whom the client trusts: no reason, no diagnosis, nothing to press."""
    standing, _earlier = _rows(link.client)
    if not standing:
        return Shown(said=[gettext("There is no referral now.")])
    return Shown(rows=[(str(row.destination), lead(row, link, at)) for row in standing])


def opened_words(referral: Referral) -> str:
    """When the clinic opened it, for as long as nothing was given there."""
    waits = referral.state in (State.SENT, State.ACCEPTED, State.SCHEDULED) and not sessions(referral)[0]
    if not waits or not referral.opened_at:
        return ""
    return gettext("Opened by the clinic %(when)s.") % {"when": moment(referral.opened_at)}


def asks(referral: Referral, at: datetime) -> str:
    """What the page asks of the client first: "visit" (will you be there?), "went" (did you go?), or nothing."""
    if referral.state in TERMINAL or referral.state == State.CANCEL_ASKED:
        return ""
    if referral.visit_at is not None and referral.visit_at > at:
        return "" if referral.visit_confirmed_at else "visit"
    if referral.visit_at is not None and referral.state == State.SCHEDULED:
        said = referral.client_words.filter(at__gt=referral.visit_at).exists()
        return "" if said else "went"
    return "" if clocks.has_answered(referral) else "went"


def card(referral: Referral, link: Link, at: datetime) -> dict[str, Any]:
    open_here = referral.state not in TERMINAL
    return {
        "referral": referral,
        "clinic": referral.destination,
        "lead": lead(referral, link, at),
        "steps": steps(referral),
        "asks": asks(referral, at),
        "visit": visit_words(referral.visit_at) if referral.visit_at and referral.visit_at > at else "",
        "brings": referral.state in (State.ACCEPTED, *IN_TREATMENT),
        "rides": referral.path in GOES_THERE,
        "driver": (link.client.contact("support") or {}).get("name", ""),
        "is_open": open_here,
        "therapist": called(link.client, link.practice),
    }


def lead(referral: Referral, link: Link, at: datetime) -> str:
    """Where it stands, in a sentence or two."""
    name = called(link.client, link.practice)
    state = State(referral.state)
    if state == State.SENT:
        if referral.opened_at or referral.received_at:
            return gettext("They have it. We wait for their answer.")
        return gettext("We sent it. They have not opened it yet; we keep asking.")
    if state == State.SCHEDULED and referral.visit_at is not None:
        if referral.visit_at > at:
            return gettext("Your next visit is on %(when)s.") % {"when": visit_words(referral.visit_at)}
        return gettext("Your visit was on %(when)s. We wait for a word from them.") % {
            "when": visit_words(referral.visit_at)
        }
    said = {
        State.ACCEPTED: _("They said yes. They will give you a day for your first visit."),
        State.DECLINED: _("They cannot take you. %(name)s will talk with you about another way."),
        State.ACTIVE: _("You are being looked after there."),
        State.SCHEDULED: _("A visit is booked."),
        State.NO_SHOW: _("They say that you were not there. That happens. %(name)s will talk with you about it."),
        State.VISIT_CANCELLED: _("There is no day for your next visit yet."),
        State.VISITED: _("Your last visit is done. There is no day for the next one yet."),
        State.CANCEL_ASKED: _("We asked them to take this back. They have not confirmed it yet."),
        State.CANCELLED: _("This was taken back. Nothing is open there."),
        State.COMPLETED: _("They have finished and written to %(name)s. %(name)s will talk with you about it."),
    }[state]
    done, planned = sessions(referral)
    if state in (State.VISITED, State.VISIT_CANCELLED) and planned and done >= planned:
        return gettext("All your sessions there are done. %(name)s sees you next.") % {"name": name}
    return str(said) % {"name": name}


def sessions(referral: Referral) -> tuple[int, int]:
    """How many sessions are done, and of how many; (0, 0) where there is no course."""
    course = Course.objects.filter(referral=referral).first()
    if course is None:
        return 0, 0
    return course.sessions.filter(state=CourseSession.State.DONE, is_maintenance=False).count(), course.planned


def steps(referral: Referral) -> list[str]:
    """What has happened so far, oldest first."""
    said = [gettext("We sent it on %(when)s.") % {"when": moment(referral.sent_at)}] if referral.sent_at else []
    if seen := referral.opened_at or referral.received_at:
        said.append(gettext("They opened it on %(when)s.") % {"when": moment(seen)})
    corrected = referral.changes.exclude(corrects=None).order_by().values("corrects")
    accepted = referral.changes.filter(event=Event.ACCEPT).exclude(pk__in=corrected).last()
    if accepted is not None:
        said.append(gettext("They said yes on %(when)s.") % {"when": day(accepted.happened_at)})
    done, planned = sessions(referral)
    if done:
        words = ngettext("%(done)s of %(n)s session is done.", "%(done)s of %(n)s sessions are done.", planned)
        said.append(words % {"done": done, "n": planned})
    if referral.visit_confirmed_at:
        said.append(gettext("You said that you will be there."))
    return said
