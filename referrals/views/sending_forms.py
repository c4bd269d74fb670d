"""The forms of writing a referral and sending it."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.forms import Day, HouseForm, text, words_field
from practice.models import Client
from referrals.actions import sending as actions
from referrals.models import Decision, Destination, Section, Sending
from referrals.views import directory

ALWAYS = (Section.IDENTITY,)  # a packet about nobody is of no use
MAY_STAY_OUT = [section for section in Section if section not in ALWAYS]
ICD10CM = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?")  # the shape of an ICD-10-CM code
MOST_DIAGNOSES = 12
LONGEST_DIAGNOSIS = 120


class ClinicChoice(forms.ModelChoiceField):
    widget = forms.RadioSelect


class DraftForm(HouseForm):
    destination = ClinicChoice(
        queryset=Destination.objects.none(),
        label=_("Clinic"),
        required=False,
        empty_label=None,
        error_messages={"invalid_choice": _("Choose one of the clinics below.")},
    )
    path = forms.ChoiceField(label=_("Kind of care"), choices=directory.ELSEWHERE)
    urgency = forms.ChoiceField(
        label=_("How soon"), choices=Decision.Urgency.choices, widget=forms.RadioSelect, initial="routine"
    )
    why_now = words_field(_("Why now"), "", required=False, rows=4, help_text=_("Three sentences; needed to send it."))
    ask = words_field(_("What we ask of them"), "", required=False)
    keep_doing = words_field(_("What we keep doing"), "", required=False)
    diagnoses = words_field(
        _("Diagnoses"),
        "",
        required=False,
        help_text=_("One on each line, the ICD-10-CM code first, such as: F33.2 Recurrent depression, severe."),
    )
    include = forms.MultipleChoiceField(
        label=_("What they get besides name and contact"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Take out what this clinic does not need. Psychotherapy notes are never in it."),
    )
    quick_consult = forms.BooleanField(label=_("Ask for a short call between clinicians first"), required=False)
    client_told = forms.BooleanField(label=_("Tell the client at each step"), required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1, required=False)
    diagnoses_were = forms.CharField(widget=forms.HiddenInput, max_length=4000, required=False)

    def __init__(self, *args: Any, chosen: Destination | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Destination.objects.filter(is_active=True)
        self.fields["destination"].queryset = (  # type: ignore[attr-defined]
            known | Destination.objects.filter(pk=chosen.pk) if chosen else known
        )
        self.fields["include"].choices = [  # type: ignore[attr-defined]
            (section.value, SECTIONS[section]) for section in MAY_STAY_OUT
        ]

    def clean_diagnoses(self) -> str:
        said = str(self.cleaned_data["diagnoses"])
        diagnoses_of(said)
        return said

    @property
    def said(self) -> dict[str, Any]:
        """The columns of the referral as they shall be."""
        data = self.cleaned_data
        plain = {name: data[name] for name in PLAIN}
        return plain | {"withheld": [s.value for s in MAY_STAY_OUT if s.value not in data["include"]]}


PLAIN = ("destination", "path", "urgency", "why_now", "ask", "keep_doing", "quick_consult", "client_told")
SECTIONS = {
    Section.SAFETY: _("Thoughts of suicide, and what was done"),
    Section.WHY: _("Why now, and diagnoses"),
    Section.SCORES: _("Scores over time"),
    Section.MEDICINES: _("Medicines and earlier trials"),
    Section.HEALTH: _("Health questions"),
    Section.SUBSTANCES: _("Alcohol and drugs"),
    Section.PAIN: _("Pain"),
    Section.SUPPORT: _("Support, home, ride"),
    Section.HISTORY: _("Ketamine treatment before"),
}


def diagnoses_of(said: str) -> list[dict[str, str]]:
    """Read the lines of diagnoses. Raises ValidationError naming the line that is not one."""
    found = []
    for line in (line.strip() for line in said.splitlines()):
        if not line:
            continue
        code, _space, words = line.partition(" ")
        if not ICD10CM.fullmatch(code.upper()) or not words.strip() or len(words) > LONGEST_DIAGNOSIS:
            raise forms.ValidationError(
                gettext("“{line}” does not begin with an ICD-10-CM code and words after it, such as F33.2 Depression.")
                .format(line=line[:40])
            )  # fmt: skip
        found.append({"code": code.upper(), "text": words.strip()})
    if len(found) > MOST_DIAGNOSES:
        raise forms.ValidationError(gettext("At most {n} diagnoses.").format(n=MOST_DIAGNOSES))
    return found


def diagnoses_text(client: Client) -> str:
    return "\n".join(f"{row.get('code', '')} {row.get('text', '')}".strip() for row in client.diagnoses or [])


class HandOffForm(HouseForm):
    to = text(
        _("With whom at the clinic did you speak?"),
        160,
        required=True,
        error_messages={"required": _("Write with whom at the clinic you spoke.")},
    )
    plan_given = forms.TypedChoiceField(
        label=_("Does the client have their safety plan?"),
        choices=[("yes", _("Yes, they have it")), ("no", _("Not yet"))],
        widget=forms.RadioSelect,
        coerce=lambda value: value == "yes",
        error_messages={"required": _("Say whether the client has their safety plan.")},
    )
    words = words_field(_("If not yet: why"), "", required=False, rows=2)
    interim_on = Day(
        label=_("When are you next in touch with the client?"),
        error_messages={
            "required": _("Give the day of the next contact with the client."),
            "invalid": _("Write the day as year, month, day, such as 2026-11-24."),
        },
    )


class SendForm(HouseForm):
    channels = forms.MultipleChoiceField(
        label=_("How it goes"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one way to send it.")},
    )
    spoke_with = text(_("By phone: with whom"), 160)

    def __init__(self, *args: Any, clinic: Destination | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible = actions.ways(clinic)
        self.fields["channels"].choices = [(way, ways_words(way, clinic)) for way in possible]  # type: ignore[attr-defined]
        self.fields["channels"].initial = possible[:1]


class EmergencyForm(SendForm):
    emergency_reason = words_field(
        _("Why this cannot wait for the client's release"), _("Write why this cannot wait for a release.")
    )


class DiscardForm(HouseForm):
    words = words_field(_("Why it is not sent"), _("Write why this is not sent."), rows=2)


def ways_words(way: str, clinic: Destination | None) -> str:
    label, place = str(Sending.Channel(way).label), ""
    if clinic is not None:
        of = {Sending.Channel.LINK: clinic.email, Sending.Channel.PHONE: clinic.phone}
        place = of.get(Sending.Channel(way), clinic.fax)
    return f"{label}: {place}" if place else label
