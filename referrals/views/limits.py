"""When a silent referral is chased: the practice's own numbers, in place of the defaults of clocks.toml."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.forms import HouseForm
from practice.models import Practice
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict
from referrals import clocks
from referrals.models import Decision

UNITS = {clocks.WORKING_HOURS: _("working hours"), clocks.DAYS: _("days")}


def numbers() -> Iterator[tuple[str, str, clocks.Limit]]:
    """Every number that may be changed, as field name, urgency and clock; the first reminder goes out at once."""
    for urgency in Decision.Urgency.values:
        for limit in (*clocks.clocks(), *clocks.rungs()):
            if limit.code != "remind":
                yield f"{urgency}_{limit.code}", urgency, limit


class LimitsForm(HouseForm):
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, urgency, limit in numbers():
            self.fields[name] = forms.IntegerField(
                label=gettext("{urgency}: {clock} ({unit}; {n} when nothing else is set)").format(
                    urgency=Decision.Urgency(urgency).label,
                    clock=gettext(limit.words).lower(),
                    unit=UNITS[limit.unit[urgency]],
                    n=limit.limit[urgency],
                ),
                min_value=0,
                max_value=clocks.LONGEST,
                error_messages={"required": gettext("Write a number from 0 to {most}.").format(most=clocks.LONGEST)},
            )

    @classmethod
    def initial_of(cls, practice: Practice) -> dict[str, Any]:
        own = practice.referral_limits
        return {name: limit.amount(urgency, own) for name, urgency, limit in numbers()} | {"version": practice.version}

    def own(self) -> dict[str, dict[str, int]]:
        """The practice's own numbers: only those that differ from the defaults."""
        found: dict[str, dict[str, int]] = {}
        for name, urgency, limit in numbers():
            if self.cleaned_data[name] != limit.limit[urgency]:
                found.setdefault(urgency, {})[limit.code] = self.cleaned_data[name]
        return found


@staff_page(Permission.MANAGE_PRACTICE)
def referral_limits(request: StaffRequest) -> HttpResponse:
    practice = (
        Practice.objects.select_for_update(no_key=True).get(pk=1) if request.method == "POST" else request.practice
    )
    form = LimitsForm(request.POST or None, initial=LimitsForm.initial_of(practice))
    if request.method != "POST" or not form.is_valid():
        return render(request, "referrals/limits.html", {"form": form}, status=400 if form.errors else 200)
    if form.cleaned_data["version"] != practice.version:
        theirs = LimitsForm(initial=LimitsForm.initial_of(practice))
        return conflict(request, gettext("Somebody changed the settings first"), form, theirs, practice.version)
    practice.referral_limits = form.own()
    practice.version += 1
    practice.save(update_fields=["referral_limits", "version"])
    audit.record("practice.edited", by=request.user, target=practice, fields=["referral_limits"])
    messages.success(request, gettext("Saved. It counts from the next thing that happens to each referral."))
    return redirect("practice_settings")
