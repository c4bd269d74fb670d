"""For anyone, where the practice switched it on: begin the forms by oneself, after a one-time code."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import arrivals as acts
from intake import doors, enquiries
from intake.doors import see_other
from intake.forms import Day, Mail, Phone, Words, helper
from intake.models import Arrival
from intake.models.packets import TRIES
from intake.trusted import is_of_age
from intake.views.asking import open_page
from intake.views.language import retelling
from practice import coverage
from practice.actions import NotNow
from practice.language import as_typed
from practice.models import Practice, PublicPages

HELD = "arrival"  # where a session keeps which one this browser began
CAME_IN = "came_in"  # and, after the code, whose forms it opened: another tab, or Back, leads to them
TRAP = "website"  # nobody sees this field; what fills in every field does


class BeginForm(forms.Form):
    """Who somebody is, and the phone or mailbox that is theirs alone."""

    use_required_attribute = False

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = Words(
            label=_("Your name"),
            help_text=_("The name you use. It need not be the one on your papers."),
            error_messages={"required": _("Write a name we can use.")},
        )
        self.fields["birth_date"] = Day(
            today=today, autocomplete="bday", label=_("When were you born?"), help_text=_("For example 3 27 1985.")
        )
        self.fields["channel"] = forms.ChoiceField(
            label=_("Where shall we send your code?"),
            help_text=_("Choose what nobody else reads. Your link comes the same way."),
            choices=[("sms", _("Text message")), ("email", _("E-mail"))],
            widget=forms.RadioSelect,
            error_messages={
                "required": _("Choose one of the two."),
                "invalid_choice": _("Choose from the answers on this page."),
            },
        )
        self.fields["phone"] = Phone(label=_("Your phone"), required=False)
        self.fields["email"] = Mail(label=_("Your e-mail"), required=False)
        self.fields["agree"] = forms.BooleanField(
            label=_("Yes, nobody else reads it, and you may contact me there."),
            error_messages={"required": _("Tick the box if it is safe. If it is not, ask us to contact you instead.")},
        )
        for name, kind, autocomplete in (
            ("name", "text", "name"),
            ("phone", "tel", "tel"),
            ("email", "email", "email"),
        ):
            self.fields[name].widget.input_type = kind
            self.fields[name].widget.attrs["autocomplete"] = autocomplete
        self.helper = helper()

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("channel") == "sms" and "phone" not in self.errors and not said.get("phone"):
            self.add_error("phone", _("Write your phone number, or choose e-mail."))
        if said.get("channel") == "email" and "email" not in self.errors and not said.get("email"):
            self.add_error("email", _("Write your e-mail, or choose text message."))
        return said

    def said(self) -> dict[str, str]:
        """What is kept. Only after is_valid()."""
        found = self.cleaned_data
        return {
            "name": found["name"],
            "birth_date": found["birth_date"],
            "channel": found["channel"],
            "address": found["email" if found["channel"] == "email" else "phone"],
        }


@open_page
@retelling
def begin(request: HttpRequest, pages: PublicPages, practice: Practice) -> HttpResponse:
    """Who are you, and where may a code go. The same answer for everybody: nobody is looked up here."""
    if not pages.starts_open:
        raise Http404
    if not acts.is_open(pages):
        return render(request, "intake/begin_closed.html", status=409)
    at = timezone.now()
    form = as_typed(request, BeginForm(request.POST or None, today=coverage.local(at, practice).date()))
    status, wrong = 200, ""
    if request.method == "POST":
        status = 400
        if request.POST.get(TRAP):
            wrong = gettext("Something filled in a field that nobody sees. Press the button once more.")
        elif form.is_valid():
            try:
                found = acts.begin(
                    said=form.said(),
                    language=translation.get_language() or "en",
                    origin=request.origin,  # type: ignore[attr-defined]
                    at=at,
                )
            except enquiries.TooMany:
                status = 429
                wrong = gettext(
                    "We cannot take this right now, because many people began in the last hours. Nothing was sent. "
                    "What you wrote is still here: try again later, or ask us to contact you."
                )
            else:
                request.session[HELD] = str(found.pk)
                return see_other("begin_code")
    return render(request, "intake/begin.html", {"form": form, "wrong": wrong, "trap": TRAP}, status=status)


@open_page
def begin_code(request: HttpRequest, pages: PublicPages, practice: Practice) -> HttpResponse:
    """The one-time code. Right: the forms open in this browser. Five wrong ones: begin anew."""
    found = acts.held(request.session.get(HELD, ""))
    if found is None:
        return see_other("my_start" if _is_in(request) else "begin")
    at = timezone.now()
    if request.method == "POST" and request.POST.get("send"):
        acts.send_code(arrival=found, at=at)
        return see_other("begin_code", query="?again=1")
    wrong = ""
    if request.method == "POST":
        try:
            invitation = acts.confirm(arrival=found, code=request.POST.get("code", ""), at=at)
        except NotNow as sentence:
            wrong = str(sentence)
        else:
            if invitation is not None:
                request.session.pop(HELD, None)
                request.session[CAME_IN] = str(invitation.pk)
                doors.admit(request, invitation, None)
                return see_other("my_start")
            found.refresh_from_db()
            wrong = gettext("That code does not fit. Check it and try again.")
    return _code_page(request, found, wrong, practice, at)


def _is_in(request: HttpRequest) -> bool:
    """Whether the forms that this browser began by itself are what it has open."""
    invitation = doors.held(request)
    return invitation is not None and request.session.get(CAME_IN) == str(invitation.pk)


def _code_page(request: HttpRequest, found: Arrival, wrong: str, practice: Practice, at: datetime) -> HttpResponse:
    context = {
        "wrong": wrong,
        "is_shut": found.tries >= TRIES,
        "by_mail": found.channel == Arrival.Channel.EMAIL,
        "again": "again" in request.GET,
        "minor": not is_of_age(found, coverage.local(at, practice).date(), practice),
        "told_by": enquiries.answer_by(at, practice),
    }
    return render(request, "intake/begin_code.html", context, status=400 if wrong else 200)
