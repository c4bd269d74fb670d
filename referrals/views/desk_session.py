"""What the clinic says of visits and sessions: one button, one act."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import see_other
from practice.actions import NotNow
from practice.forms import LONGEST_WORDS, HouseForm
from practice.templatetags.ui import day
from referrals.actions import acts, events
from referrals.desk_doors import referral_page
from referrals.models import CourseSession, Referral
from referrals.states import Actor, Event
from referrals.views.desk_referral import act, by_whom, page, seen, whole
from referrals.views.desk_table import when_words


class SessionForm(HouseForm):
    on = forms.DateField(required=False, error_messages={"invalid": _("Give a day, such as 2026-12-01.")})
    clock = forms.TimeField(required=False, error_messages={"invalid": _("Give a time, such as 09:30.")})
    route = forms.ChoiceField(choices=[("", ""), *CourseSession.Route.choices], required=False)
    who = forms.CharField(max_length=80, required=False)
    words = forms.CharField(max_length=LONGEST_WORDS, required=False)


@referral_page
def desk_session(request: HttpRequest, referral: Referral) -> HttpResponse:
    """What became of a session or visit, or its new day: one button, one act, undone by one press."""
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    do = SESSION_ACTS.get(request.POST.get("do", ""))
    if do is None:
        raise BadRequest
    form = SessionForm(request.POST)
    if not form.is_valid():
        wrong = [str(text) for texts in form.errors.values() for text in texts]
        return page(request, referral, errors=wrong, unsent=request.POST.get("words", ""))
    said = form.cleaned_data
    who = by_whom(request, said["who"]) | {"seen": seen(request)}
    return act(request, referral, lambda: do(request, referral, said, who), "#infusions", unsent=said["words"])


Said = dict[str, Any]


def _when(said: Said) -> date | datetime:
    """The day that was given, with its time when there is one."""
    if said["on"] is None:
        raise NotNow(gettext("Give the day."))
    on: date = said["on"]
    return timezone.make_aware(datetime.combine(on, said["clock"])) if said["clock"] else on


def _moment(said: Said) -> datetime:
    when = _when(said)
    if not isinstance(when, datetime):
        raise NotNow(gettext("Give the time, too."))
    return when


def _do_done(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.done(referral, whole(request, "number"), said["on"], route=said["route"], note=said["words"], **who)
    return ""


def _do_missed(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.missed(referral, whole(request, "number"), said["on"], words=said["words"], **who)
    return ""


def _do_save(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    number = whole(request, "number")
    session = events.book(referral, number, _when(said), route=said["route"], **who)
    return gettext("Infusion {n} is booked for {when}.").format(n=number, when=when_words(session))


def _do_cancel(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    number = whole(request, "number")
    events.call_off(referral, number, **who)
    return gettext("The date of infusion {n} is cancelled.").format(n=number)


def _do_fill(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    if said["on"] is None:
        raise NotNow(gettext("Give the first day."))
    booked = events.fill_dates(referral, said["on"], route=said["route"], **who)
    return gettext("{n} dates are filled, from {first} to {last}. Change any of them.").format(
        n=len(booked), first=day(booked[0].on), last=day(booked[-1].on)
    )


def _do_add(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    session = events.add_maintenance(referral, _when(said), route=said["route"], **who)
    return gettext("A maintenance session is booked for {when}.").format(when=when_words(session))


def _do_stop(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.stop_early(referral, said["words"], **who)
    return gettext("The series is marked as stopped early. Please send a letter when you can.")


def _do_go_on(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.go_on(referral, **who)
    return gettext("The series goes on. Give the next dates.")


def _visit(event: Event) -> Callable[[HttpRequest, Referral, Said, Said], str]:
    """A visit that is no session of a course: a first talk, or treatment without infusions."""

    def do(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
        more = {"visit_at": _moment(said)} if event in acts.BOOKS else {"words": said["words"]}
        events.record(referral, event, Actor.RECIPIENT, **who, **more)
        return ""

    return do


SESSION_ACTS: dict[str, Callable[[HttpRequest, Referral, Said, Said], str]] = {
    "done": _do_done,
    "missed": _do_missed,
    "save": _do_save,
    "cancel": _do_cancel,
    "fill": _do_fill,
    "add": _do_add,
    "stop": _do_stop,
    "go_on": _do_go_on,
    **{
        f"visit-{event.value}": _visit(event)
        for event in (
            Event.SCHEDULE, Event.RESCHEDULE, Event.VISIT, Event.NO_SHOW, Event.CANCEL_VISIT,
            Event.UNDER_WAY_BOOKED, Event.UNDER_WAY_NOTED,
        )
    },
}  # fmt: skip
