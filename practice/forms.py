"""What the forms of staff pages share."""

from collections.abc import Callable
from typing import Any

from crispy_forms.helper import FormHelper
from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from practice.actions import NotNow

LONGEST_WORDS = 4000
# A page of many numbers says which one is meant.
LIMITS = {"max_value": _("{label}: %(limit_value)s at most."), "min_value": _("{label}: %(limit_value)s or more.")}
TOO_LONG = _("{label}: write %(limit_value)s letters at most; these are %(show_value)s.")
TIMES = _("{label}: write a time from 00:00 to 23:59, such as 08:30.")
NUMBERS = _("{label}: write a number in digits, such as 12.")
DJANGOS = [
    kind.default_error_messages[code]
    for kind, code in (
        (forms.Field, "required"),
        (forms.IntegerField, "invalid"),
        (forms.FloatField, "invalid"),
        (forms.DecimalField, "invalid"),
        (forms.TimeField, "invalid"),
    )
]

phone_like = RegexValidator(
    r"^\+?[\d\s().-]{7,32}(?:\s*(?:x|ext\.?)\s*\d{1,6})?$", _("Write the phone number in digits, such as 202 555 0142.")
)


class HouseForm(forms.Form):
    """A form whose page gives it the form tag and the error summary; its ids are its own, so several fit on a page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"{type(self).__name__.lower()}_%s")
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
        self.helper.form_show_errors = False
        for field in self.fields.values():
            if isinstance(field, forms.IntegerField):  # and every other number
                _name_it(field, NUMBERS)
                for code, said in LIMITS.items():
                    field.error_messages.setdefault(code, str(said).format(label=_label(field)))
            elif isinstance(field, forms.CharField) and field.max_length and field.label:
                field.error_messages.setdefault("max_length", str(TOO_LONG).format(label=_label(field)))
            elif isinstance(field, forms.TimeField):
                _name_it(field, TIMES)


def _label(field: forms.Field) -> str:
    """The name of the field, to stand in a sentence into which numbers are put."""
    return str(field.label or "").replace("%", "%%")


def _name_it(field: forms.Field, said: Any) -> None:
    """Say the name of the field and what to write, where it has no sentence but Django's."""
    for code in ("required", "invalid"):
        if field.label and field.error_messages[code] in DJANGOS:
            field.error_messages[code] = str(said).format(label=field.label)


def attempt(form: forms.Form, act: Callable[[], object]) -> bool:
    """Whether it was done; a refusal becomes a sentence of the form."""
    try:
        act()
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    return True


class Moment(forms.DateTimeField):
    """A day and a clock time in the practice's zone, as one control of the browser."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"invalid": _("Give a day and a time, such as 2026-11-20 09:30.")}


class Day(forms.DateField):
    """A day, as the control of the browser gives it."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    default_error_messages = {"invalid": _("Give a day, such as 2026-11-20.")}


def text(label: Any, longest: int = 80, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=longest, required=options.pop("required", False), **options)


class Lines(forms.CharField):
    """Counts the end of a line as one letter, as the browser does that stops the typing at the same length."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


def words_field(label: Any, missing: Any, **options: Any) -> forms.CharField:
    """Several lines of words; `missing` is what to say when there are none."""
    return Lines(
        label=label,
        max_length=options.pop("max_length", LONGEST_WORDS),
        widget=forms.Textarea({"rows": options.pop("rows", 3)}),
        error_messages={"required": missing},
        **options,
    )
