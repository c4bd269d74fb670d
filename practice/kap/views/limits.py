"""A plan that waits for a prescriber without an account: the limit by its name, their words, lifted or left."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.forms import HouseForm, text, words_field
from practice.kap import words
from practice.kap.actions import requests
from practice.kap.models import ClearanceRequest
from practice.kap.views.plan_forms import LIFTED
from practice.templatetags.ui import moment

Act = tuple[HouseForm, Callable[[dict[str, Any]], object]]


class KeepForm(HouseForm):
    licence = text(_("Your licence"), required=True, error_messages={"required": _("Write your licence.")})
    said = words_field(_("Your words"), _("Write a line, so that the practice knows why."), rows=3)


class LiftForm(HouseForm):
    codes = forms.MultipleChoiceField(
        label=_("What is lifted"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Choose the limit that is lifted."),
            "invalid_choice": _("That limit does not stand against this plan any more. Read it again."),
        },
    )
    licence = text(_("Your licence"), required=True, error_messages={"required": _("Write your licence.")})
    said = words_field(_("The reason"), _("Write the reason."), rows=3)

    def __init__(self, *args: Any, codes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["codes"].choices = [(code, LIFTED[code]) for code in codes]  # type: ignore[attr-defined]


def lift(request: HttpRequest, row: ClearanceRequest, at: datetime) -> Act:
    return LiftForm(request.POST, codes=_codes(row, at)), _answer(request, row, at)


def keep(request: HttpRequest, row: ClearanceRequest, at: datetime) -> Act:
    return KeepForm(request.POST), _answer(request, row, at)


def _codes(row: ClearanceRequest, at: datetime) -> list[str]:
    return list(dict.fromkeys(conflict.code for conflict in requests.conflicts(row, at)))


def _answer(request: HttpRequest, row: ClearanceRequest, at: datetime) -> Callable[[dict[str, Any]], object]:
    seen = request.POST.get("seen", "")
    version = int(seen) if seen.isdecimal() and len(seen) < 10 else None

    def answer(said: dict[str, Any]) -> None:
        requests.answer_limit(
            request=row, codes=said.get("codes", []), said=said["said"], licence=said["licence"], seen=version, at=at
        )

    return answer


def panel(row: ClearanceRequest, at: datetime, wrong: HouseForm | None, typed: dict[str, str]) -> dict[str, Any]:
    """What stands against the plan, with the two answers; or how it was answered."""
    given = row.changes.first()
    found = requests.conflicts(row, at) if given is None else []
    first = {"licence": typed.get("licence") or row.to.licence, "said": typed.get("said", "")}
    return {
        "rows": [{"text": words.named(conflict)} for conflict in found],
        "seen": row.plan.version if row.plan else "",
        "lift": wrong if isinstance(wrong, LiftForm) else LiftForm(codes=_codes(row, at), initial=first),
        "keep": wrong if isinstance(wrong, KeepForm) else KeepForm(initial=first),
        "given": gettext("{what}, {when}").format(what=given.get_what_display(), when=moment(given.at))
        if given
        else "",
        "given_words": given.words if given else "",
    }
