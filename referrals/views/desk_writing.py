"""What a clinic writes on its page besides its answers: messages, worries about safety, letters; and what it takes."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import see_other
from practice import audit
from practice.actions import NotNow
from practice.forms import LONGEST_WORDS, HouseForm, Moment, text, words_field
from practice.middleware import kept_fields
from practice.uploads import takes_file
from practice.views.trouble import card
from referrals import attachments
from referrals.actions import desk as actions
from referrals.actions import events
from referrals.desk_doors import Desk, packet_of, referral_page, safety_page, say_name, show, why_gone
from referrals.models import Referral
from referrals.states import Actor, Event, State
from referrals.views.desk_referral import act, by_whom, page, therapist_of


class MessageForm(HouseForm):
    words = words_field(_("Your message"), _("Write your message first."))
    who = text(_("Your name"))


@referral_page
def desk_message(request: HttpRequest, referral: Referral) -> HttpResponse:
    if request.method != "POST":
        return see_other("desk_referral", referral.pk, query="#thread")
    here: Desk = request.desk  # type: ignore[attr-defined]
    form = MessageForm(request.POST)
    if not form.is_valid():
        wrong = [str(line) for lines in form.errors.values() for line in lines]
        return page(request, referral, errors=wrong, unsent=request.POST.get("words", ""))
    said = form.cleaned_data

    def write() -> str:
        who = by_whom(request, said["who"])
        actions.write(referral=referral, key=here.key, name=who["by_name"], words=said["words"], at=who["at"])
        return gettext("Sent. {name} has been told.").format(name=therapist_of(referral.client, here.practice))

    return act(request, referral, write, "#thread", unsent=said["words"])


# --- Safety ----------------------------------------------------------------------------------------------------------


class SafetyForm(HouseForm):
    words = words_field(_("What happened"), _("Write what happened."))
    when = Moment(label=_("When"), required=False)
    safe = forms.ChoiceField(
        label=_("Is the client safe now?"),
        choices=[("yes", _("Yes")), ("no", _("No")), ("unknown", _("We do not know"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether the client is safe now.")},
    )
    who = text(_("Your name"))
    phone = text(_("Phone for a call back"), 160)  # whatever is written: a worry never waits for a form


def _said_with_a_phone(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """When nothing can be saved, the practice's number stands big, with what was typed: it has to be told by phone."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (DatabaseError, InterfaceError):
            connection.close()
            fields = kept_fields(request) if request.method == "POST" else []
            html = render_to_string(
                "referrals/desk_safety_failed.html",
                {
                    "card": card(),
                    "fields": fields,
                    "path": request.path,
                    "csrf_token": request.META.get("CSRF_COOKIE", ""),
                },
            )
            return HttpResponse(html, status=503)

    return guarded


@_said_with_a_phone
@safety_page
def desk_safety(request: HttpRequest, referral: Referral) -> HttpResponse:
    """A side effect or a worry about safety: the phone first. Open whatever became of the referral."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    form = SafetyForm(request.POST or None, initial={"who": here.name, "phone": here.key.destination.phone})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        say_name(request, said["who"])
        actions.report_safety(
            referral=referral,
            key=here.key,
            name=said["who"] or here.name,
            phone=said["phone"],
            words=said["words"],
            happened_at=said["when"],
            safe_now=said["safe"],
            at=timezone.now(),
        )
        return see_other("desk_safety", referral.pk, query="?told=1")
    context = {
        "form": form,
        "referral": referral,
        "told": "told" in request.GET and request.method == "GET",
        "therapist": therapist_of(referral.client, here.practice),
        "gone": why_gone(referral),
    }
    return show(request, "referrals/desk_safety.html", context, status=400 if form.errors else 200)


# --- Letters ---------------------------------------------------------------------------------------------------------


class LetterForm(HouseForm):
    words = forms.CharField(
        label=_("Write the letter here"),
        max_length=LONGEST_WORDS * 4,
        required=False,
        widget=forms.Textarea({"rows": 8}),
    )
    last = forms.ChoiceField(
        label=_("Which letter is it?"),
        choices=[
            ("yes", _("The last one: complete the referral")),
            ("no", _("One on the way: the referral stays open")),
        ],
        widget=forms.RadioSelect,
        initial="yes",
    )
    who = text(_("Your name"))
    # the file stands last: one that is too large ends the reading of the form
    file = forms.FileField(
        label=_("Or choose a file"),
        help_text=_("PDF, photo, text or Word file, up to 20 MB."),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput({"accept": attachments.ACCEPT}),
    )


@takes_file
@referral_page
def desk_letter(request: HttpRequest, referral: Referral) -> HttpResponse:
    """A letter as a file or typed, and with the last one the end of the referral."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    form = LetterForm(request.POST or None, request.FILES or None, initial={"who": here.name, "last": "yes"})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                words = _hand(request, referral, form.cleaned_data)
        except NotNow as sentence:
            form.add_error("file", str(sentence))
        else:
            messages.success(request, words)
            return see_other("desk_referral", referral.pk)
    context = {"form": form, "referral": referral, "therapist": therapist_of(referral.client, here.practice)}
    return show(request, "referrals/desk_letter.html", context, status=400 if form.errors else 200)


def _hand(request: HttpRequest, referral: Referral, said: dict[str, Any]) -> str:
    """Keep the letter, then try to complete: a referral that cannot be completed yet does not lose its letter."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    who = by_whom(request, said["who"])
    name = therapist_of(referral.client, here.practice)
    file = attachments.chosen(request)
    letter = actions.hand_letter(
        referral=referral,
        key=here.key,
        name=who["by_name"],
        words=said["words"],
        file=file,
        is_outcome=said["last"] == "yes",
        at=who["at"],
    )
    if said["last"] == "yes":
        try:
            with transaction.atomic():
                events.record(referral, Event.OUTCOME, Actor.RECIPIENT, letter=letter, **who)
        except NotNow as sentence:
            return gettext("{name} has your letter. The referral stays open: {why}").format(name=name, why=sentence)
        return gettext("Thank you. {name} has your letter, and the referral is complete.").format(name=name)
    return gettext("Thank you. {name} has your letter.").format(name=name)


# --- Colleagues ------------------------------------------------------------------------------------------------------


class PassForm(HouseForm):
    email = forms.EmailField(
        label=_("E-mail of your colleague"),
        max_length=254,
        error_messages={"required": _("Write your colleague's e-mail address.")},
    )
    name = text(_("Their name"))


@referral_page
def desk_pass(request: HttpRequest, referral: Referral) -> HttpResponse:
    here: Desk = request.desk  # type: ignore[attr-defined]
    if not referral.is_open:  # a page that stood open: a colleague would find nothing to answer
        messages.info(request, gettext("This has ended, so there is nothing to pass on. Please call us instead."))
        return see_other("desk_referral", referral.pk)
    form = PassForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            colleague = actions.pass_on(referral=referral, key=here.key, at=timezone.now(), **form.cleaned_data)
        except NotNow as sentence:
            form.add_error("email", str(sentence))
        else:
            messages.success(request, _passed_words(here, colleague.approved_at is not None))
            mine = Referral.objects.at_desk(here.key).filter(pk=referral.pk).exists()
            return see_other("desk_referral", referral.pk) if mine else see_other("desk")
    context = {"form": form, "referral": referral, "domain": here.key.destination.mail_domain}
    return show(request, "referrals/desk_pass.html", context, status=400 if form.errors else 200)


def _passed_words(here: Desk, at_once: bool) -> str:
    if at_once:
        return gettext("Passed on. Your colleague gets a link by mail and needs a code of their own.")
    return gettext("{name} has been asked to approve this address. Your colleague gets the link after that.").format(
        name=here.practice.name
    )


# --- The packet ------------------------------------------------------------------------------------------------------


@referral_page
def desk_packet(request: HttpRequest, referral: Referral) -> HttpResponse:
    here: Desk = request.desk  # type: ignore[attr-defined]
    packet = packet_of(referral)
    if referral.state == State.DECLINED or packet is None:
        return see_other("desk_referral", referral.pk)
    audit.record("read.desk_packet", by=here.key, client=referral.client_id, target=packet)
    context = {"referral": referral, "packet": packet, "content": packet.content}
    return show(request, "referrals/desk_packet.html", context)


@referral_page
def desk_pdf(request: HttpRequest, referral: Referral) -> HttpResponse:
    """The packet as it was frozen. While it is being made, the page says so and asks again."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    packet = packet_of(referral)
    if referral.state == State.DECLINED or packet is None:
        return see_other("desk_referral", referral.pk)
    if not packet.pdf_sha256:
        response = show(request, "referrals/desk_pdf_soon.html", {"referral": referral})
        response["Refresh"] = "4"
        return response
    audit.record("read.desk_pdf", by=here.key, client=referral.client_id, target=packet)
    response = HttpResponse(packet.pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{referral.reference}.pdf"'
    return response
