"""What staff do about a session by video: say that it is one, make the link of the adult in the home, end it."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, phone_like, text
from practice.kap.actions import chaperone
from practice.kap.views.session import page, session_of, there
from practice.kap.views.session_acts import act
from practice.pages import StaffRequest, staff_page

P = Permission


class ChaperoneForm(HouseForm):
    name = text(_("Name"), required=True, error_messages={"required": _("Write the name of the adult in the home.")})
    phone = text(
        _("Phone"),
        32,
        required=True,
        validators=[phone_like],
        error_messages={"required": _("Write the phone number of the adult in the home.")},
    )
    email = forms.EmailField(required=False, error_messages={"invalid": _("Write the e-mail address in full.")})
    may_send = forms.MultipleChoiceField(
        required=False, choices=[(chaperone.SMS, _("Text message")), (chaperone.EMAIL, _("E-mail"))]
    )

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if chaperone.EMAIL in said.get("may_send", []) and not said.get("email") and "email" not in self.errors:
            self.add_error("email", _("Write the e-mail address that the link goes to."))
        return said


@staff_page(P.RUN_SESSION)
def session_place(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    """Say whether the session is in the room or by video."""
    row, setting = session_of(request, plan, session), request.POST.get("setting", "")
    return act(request, row, chaperone.place, kind="place", place="place", setting=setting)


@staff_page(P.RUN_SESSION)
def session_chaperone(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    """Make the link of the adult in the home, and send it when they said yes to that."""
    row = session_of(request, plan, session)
    if request.method != "POST":
        return there(row)
    form = ChaperoneForm(request.POST)
    wrong = " ".join(str(sentence) for errors in form.errors.values() for sentence in errors)
    if not wrong:
        try:
            chaperone.ask(by=request.user, session=row, at=timezone.now(), **form.cleaned_data)
        except NotNow as sentence:
            wrong = str(sentence)
    if wrong:
        typed = {name: request.POST.get(name, "")[:200] for name in ("name", "phone", "email")}
        return page(
            request, row, wrong=wrong, typed=typed | {"may_send": request.POST.getlist("may_send")}, kind="home"
        )
    return there(row, "home")


@staff_page(P.RUN_SESSION)
def session_chaperone_end(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    row = session_of(request, plan, session)
    if request.method == "POST":
        chaperone.end(by=request.user, session=row, at=timezone.now())
    return there(row, "home")
