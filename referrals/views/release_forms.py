"""What staff write for a release: what is asked for, a signature that they witness, and taking back."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from intake.forms import Words
from intake.models import Signature
from practice.forms import Day, HouseForm, words_field
from practice.models import Practice
from referrals import release_text
from referrals.models import Destination, Release, Section

HERE, PAPER, SEND = "here", "paper", "send"


class ClinicField(forms.ModelChoiceField):
    """A clinic of the directory. What is no id at all is as unknown as any other."""

    default_error_messages = {
        "required": _("Choose who gets it."),
        "invalid_choice": _("This clinic is not in use. Choose another one."),
    }

    def to_python(self, value: Any) -> Destination | None:
        if value not in self.empty_values and uuid_of(str(value)) is None:
            raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        found: Destination | None = super().to_python(value)
        return found


class ReleaseForm(HouseForm):
    destination = ClinicField(
        label=_("Who gets it"), queryset=Destination.objects.none(), empty_label=_("Choose a clinic")
    )
    sections = forms.MultipleChoiceField(
        label=_("What they get"),
        help_text=_("Go through it with the client and tick one by one. Psychotherapy notes are never part of it."),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one part of the record.")},
    )
    part2 = forms.BooleanField(
        label=_("Ask for the consent of 42 CFR 2.31 too: alcohol and drug records of a Part 2 programme"),
        required=False,
    )
    purpose = words_field(
        _("What it is for"),
        _("Write what they get it for."),
        rows=2,
        max_length=400,
        help_text=_("The client reads this."),
    )
    expires_on = Day(label=_("Last day"), error_messages={"required": _("Choose the last day.")})
    how = forms.ChoiceField(
        label=_("How it is signed"),
        choices=[
            (SEND, _("Send it to the client now: they read and sign on their own page")),
            (HERE, _("Sign here, with me")),
            (PAPER, _("On paper")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how it is signed.")},
    )

    def __init__(self, practice: Practice, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["destination"].queryset = Destination.objects.filter(is_active=True)  # type: ignore[attr-defined]
        lines = release_text.details()
        self.fields["sections"].choices = [  # type: ignore[attr-defined]
            (section.value, f"{section.label}. {lines[section]}") for section in Section
        ]
        self.is_part2 = practice.is_part2
        if not practice.is_part2:
            del self.fields["part2"]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if self.is_part2 and Section.SUBSTANCES in said.get("sections", ()) and not said.get("part2"):
            self.add_error(
                "part2",
                _("Alcohol and drug records leave here only with this consent. Tick it, or take that part out."),
            )
        return said


class SignForm(HouseForm):
    """A signature that a member of staff takes and witnesses."""

    typed_name = Words(
        label=_("Full name of the person who signs"), error_messages={"required": _("Type the full name to sign.")}
    )
    relation = forms.ChoiceField(
        label=_("They sign"),
        choices=Signature.Relation.choices,
        initial=Signature.Relation.SELF,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose for whom they sign.")},
    )
    method = forms.ChoiceField(
        label=_("How it was signed"),
        choices=[
            (Release.Method.STAFF, _("Here: they read it and typed their name")),
            (Release.Method.PAPER, _("On paper, which we keep")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how it was signed.")},
    )
    signed_on = Day(label=_("Day on the paper"), required=False, help_text=_("Only for a paper from another day."))


class RevokeForm(HouseForm):
    words = words_field(
        _("What the client said, and how"),
        _("Write what the client said, and how."),
        help_text=_("Such as: called at 3 pm and asked us to stop."),
    )


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
