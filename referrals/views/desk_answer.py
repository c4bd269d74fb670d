"""The clinic's answer: accept, ask, decline, mark as received, confirm that it is taken back."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import see_other
from practice.forms import LONGEST_WORDS, HouseForm, Moment
from referrals import states
from referrals.actions import acts, events
from referrals.actions import desk as actions
from referrals.desk_doors import Desk, referral_page
from referrals.models import Referral
from referrals.states import Actor, Event
from referrals.views.desk_referral import act, by_whom, page, seen, therapist_of


class AnswerForm(HouseForm):
    answer = forms.ChoiceField(
        choices=[("accept", ""), ("ask", ""), ("decline", "")],
        error_messages={"required": _("Choose your answer."), "invalid_choice": _("Choose your answer.")},
    )
    first = Moment(required=False)
    talk = forms.BooleanField(required=False)  # the first visit is a talk, and no session of the course
    who = forms.CharField(max_length=80, required=False)
    reason = forms.ChoiceField(choices=[("", ""), *acts.WhyNot.choices], required=False)
    words = forms.CharField(max_length=LONGEST_WORDS, required=False)

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if said.get("answer") == "ask" and not said.get("words"):
            self.add_error("words", gettext("Write what you need to know."))
        if said.get("answer") == "decline" and not said.get("reason"):
            self.add_error("reason", gettext("Choose a reason for declining."))
        return said


@referral_page
def desk_answer(request: HttpRequest, referral: Referral) -> HttpResponse:
    """Accept, ask, decline, only mark as received, or confirm that it is taken back."""
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    here: Desk = request.desk  # type: ignore[attr-defined]
    name = request.POST.get("who", "")
    therapist = therapist_of(referral.client, here.practice)
    if "received" in request.POST:
        actions.receive(referral=referral, key=here.key, name=by_whom(request, name)["by_name"], at=timezone.now())
        messages.success(
            request,
            gettext("Marked as received. {name} has been told. Please answer below when you can.").format(
                name=therapist
            ),
        )
        return see_other("desk_referral", referral.pk)
    if "confirm" in request.POST:
        return act(request, referral, lambda: _confirm(request, referral, name))
    form = AnswerForm(request.POST, auto_id="%s")
    if not form.is_valid():
        if Event.ACCEPT not in states.open_to(referral.state, Actor.RECIPIENT):  # its fields are not on that page
            wrong = [str(text) for texts in form.errors.values() for text in texts]
            return page(request, referral, errors=wrong, unsent=request.POST.get("words", ""))
        return page(request, referral, form=form)
    said = form.cleaned_data
    answer = ANSWERS[said["answer"]]
    return act(request, referral, lambda: answer(request, referral, said, therapist), form=form, unsent=said["words"])


def _confirm(request: HttpRequest, referral: Referral, name: str) -> str:
    events.record(referral, Event.CONFIRM_CANCEL, Actor.RECIPIENT, seen=seen(request), **by_whom(request, name))
    return ""


def _accept(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    events.record(referral, Event.ACCEPT, Actor.RECIPIENT, seen=seen(request), **who)
    if said["first"] and referral.path in acts.WITH_COURSE and not said["talk"]:
        events.book(referral, 1, said["first"], **who)
    elif said["first"]:
        events.record(referral, Event.SCHEDULE, Actor.RECIPIENT, visit_at=said["first"], **who)
    if said["words"]:
        actions.write(referral=referral, key=who["by_key"], name=who["by_name"], words=said["words"], at=who["at"])
    return ""


def _ask(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    actions.receive(referral=referral, key=who["by_key"], name=who["by_name"], at=who["at"])
    actions.write(
        referral=referral,
        key=who["by_key"],
        name=who["by_name"],
        words=said["words"],
        at=who["at"],
        is_question=True,
    )
    return gettext("{name} has your question. The answer will stand on this page, and you get a mail.").format(
        name=therapist
    )


def _decline(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    events.record(
        referral,
        Event.DECLINE,
        Actor.RECIPIENT,
        seen=seen(request),
        reason=said["reason"],
        words=said["words"],
        **who,
    )
    return ""


ANSWERS: dict[str, Callable[[HttpRequest, Referral, dict[str, Any], str], str]] = {
    "accept": _accept,
    "ask": _ask,
    "decline": _decline,
}
