"""For anyone, without a link or a sign-in: the ways of care in plain words, and the form that asks to be contacted."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from intake import arrivals, enquiries, options
from intake.doors import see_other
from intake.forms import Mail, Phone, Words, helper
from intake.views.language import retelling
from practice.language import as_typed
from practice.models import Practice, PublicPages
from practice.pages import public

BY_PHONE = ("sms", "voice", "voicemail")


class EnquireForm(forms.Form):
    """Name, safe ways to reach somebody, their yes to that; what it is about if they like."""

    use_required_attribute = False

    name = Words(
        label=_("Your name"),
        help_text=_("The name you use. It need not be the one on your papers."),
        error_messages={"required": _("Write a name we can use.")},
    )
    phone = Phone(label=_("Your phone"), required=False)
    email = Mail(label=_("Your e-mail"), required=False)
    channels = forms.MultipleChoiceField(
        label=_("How may we reach you safely?"),
        help_text=_("Tick only what nobody else sees or hears."),
        choices=[
            ("voice", _("Phone call")),
            ("voicemail", _("A message on my voicemail")),
            ("sms", _("Text message")),
            ("email", _("E-mail")),
        ],
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Tick one way or more."),
            "invalid_choice": _("Choose from the answers on this page."),
            "invalid_list": _("Choose from the answers on this page."),
        },
    )
    note = Words(
        label=_("What to know before we call"),
        help_text=_("Such as: not in the evening, or do not say where you call from."),
        required=False,
    )
    about = Words(
        long=True,
        label=_("What is it about?"),
        help_text=_(
            "A few words are enough. Nobody watches this page day and night: if it cannot wait, call or text 988."
        ),
        required=False,
    )
    agree = forms.BooleanField(
        label=_("Yes, you may contact me in the ways I ticked."),
        error_messages={"required": _("Tick the box if we may contact you. Without it we cannot answer.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = helper()
        for name, kind, autocomplete in (
            ("name", "text", "name"),
            ("phone", "tel", "tel"),
            ("email", "email", "email"),
        ):
            self.fields[name].widget.input_type = kind
            self.fields[name].widget.attrs["autocomplete"] = autocomplete
        self.fields["note"].widget.attrs["autocomplete"] = "off"

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        ticked = said.get("channels", [])
        if "email" in ticked and "email" not in self.errors and not said.get("email"):
            self.add_error("email", _("Write your e-mail, or untick it below."))
        if set(ticked) & set(BY_PHONE) and "phone" not in self.errors and not said.get("phone"):
            self.add_error("phone", _("Write your phone number, or untick call and text below."))
        return said

    def said(self) -> dict[str, Any]:
        """What is kept. Only after is_valid()."""
        found = self.cleaned_data
        ways = {name: name in found["channels"] for name in ("email", *BY_PHONE)}
        return {
            "name": found["name"],
            "phone": found["phone"],
            "email": found["email"],
            "reach": ways | {"note": found["note"]},
            "about": found["about"],
        }


View = Callable[[HttpRequest, PublicPages, Practice], HttpResponse]


def open_page(view: View) -> Callable[..., HttpResponse]:
    """A public page that the practice can close; then there is no such page."""

    @public
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        pages, practice = PublicPages.get(), Practice.get()
        if not pages.is_open:
            raise Http404
        with timezone.override(practice.zone):
            return view(request, pages, practice)

    return guarded


@open_page
def options_page(request: HttpRequest, pages: PublicPages, practice: Practice) -> HttpResponse:
    found = options.load()
    ways = [
        {
            "way": way,
            "rows": [{"label": label, "text": way.facts[name].text} for name, label in options.ASKED.items()],
            "cost": getattr(pages, f"cost_{way.key}"),
        }
        for way in found.ways
    ]
    context = {"title": found.title, "ways": ways, "facts": found.facts, "may_begin": arrivals.is_open(pages)}
    return render(request, "intake/options.html", context)


@open_page
@retelling
def enquire(request: HttpRequest, pages: PublicPages, practice: Practice) -> HttpResponse:
    """Ask to be contacted. The same answer for everybody: nobody is looked up here."""
    at = timezone.now()
    form = as_typed(request, EnquireForm(request.POST or None))
    status = 200
    too_many = False
    if request.method == "POST":
        if form.is_valid():
            try:
                enquiries.receive(
                    by=None,
                    said=form.said(),
                    language=translation.get_language() or "en",
                    origin=request.origin,  # type: ignore[attr-defined]
                    at=at,
                )
                return see_other("enquire_sent")
            except enquiries.TooMany:
                too_many = True
        status = 429 if too_many else 400
    context = {"form": form, "too_many": too_many, "answer_by": enquiries.answer_by(at, practice)}
    return render(request, "intake/enquire.html", context, status=status)


@open_page
def enquire_sent(request: HttpRequest, pages: PublicPages, practice: Practice) -> HttpResponse:
    context = {"answer_by": enquiries.answer_by(timezone.now(), practice)}
    return render(request, "intake/enquire_sent.html", context)
