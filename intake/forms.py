"""Builds the form of a page. Errors are sentences that say what to do; nothing typed is lost."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from crispy_forms.helper import FormHelper
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.agreement import Agreement
from intake.models import Signature
from intake.packet import Field, Page

LINE, LETTER = 200, 4000  # characters of a line, and of a text
ROWS = 30
OLDEST = 120  # years
# Marks that turn the direction of text around, and other characters nobody can see. They come along with copied text.
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\u200b]")


# --- Fields ----------------------------------------------------------------------------------------------------------


class Words(forms.CharField):
    """Text: without the marks that nobody can see, and never with a character that cannot be kept."""

    def __init__(self, *, long: bool = False, most: int = 0, **kwargs: Any) -> None:
        size = most or (LETTER if long else LINE)
        super().__init__(
            max_length=size,
            widget=forms.Textarea(attrs={"rows": 5}) if long else forms.TextInput(),
            **kwargs,
        )
        self.error_messages["max_length"] = _("This is too long. Keep it under %(limit_value)d letters.")

    def to_python(self, value: Any) -> str:
        text = UNSEEN.sub("", str(super().to_python(value) or ""))
        if any(unicodedata.category(letter) in ("Cs", "Cc") and letter not in "\n\r\t" for letter in text):
            raise ValidationError(
                _("There is a character here that we cannot keep. Take it out, or type the text again.")
            )
        return unicodedata.normalize("NFC", text)


class Phone(Words):
    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        digits = sum(letter.isdigit() for letter in text)
        if text and (not 7 <= digits <= 15 or re.search(r"[^\d\s().+x#-]", text, re.IGNORECASE)):
            raise ValidationError(_("Write a phone number, such as 555 0142."))
        return text


class Mail(Words):
    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if text:
            try:
                forms.EmailField().clean(text)
            except ValidationError:
                raise ValidationError(_("Write an e-mail address, such as name@example.com.")) from None
        return text


class Number(forms.DecimalField):
    """A number in its range; kept as a whole number when it is one."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(min_value=least, max_value=most, max_digits=8, decimal_places=2, **kwargs)
        self.widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "maxlength": "40"})
        words = _("Write a number from %(least)d to %(most)d.") % {"least": least, "most": most}
        self.error_messages |= {"invalid": words}
        self.validators = [_in_range(least, most, words)]  # one sentence, whatever is wrong with the number

    def clean(self, value: Any) -> Any:
        text = str(value or "").strip()
        if len(text) > 40:
            raise ValidationError(self.error_messages["invalid"])
        found = super().clean(text)
        return found if found is None else int(found) if found == found.to_integral_value() else float(found)


def _in_range(least: int, most: int, words: Any) -> Any:
    def check(value: Decimal) -> None:
        if not least <= value <= most:
            raise ValidationError(words)

    return check


class DateBoxes(forms.MultiWidget):
    """Month, day and year as three boxes: no picker, digits only."""

    use_fieldset = True

    def __init__(self, autocomplete: str = "") -> None:
        def box(label: Any, size: int, part: str) -> forms.TextInput:
            attrs = {"label": label, "inputmode": "numeric", "maxlength": str(size)}
            return forms.TextInput(attrs=attrs | ({"autocomplete": f"{autocomplete}-{part}"} if autocomplete else {}))

        super().__init__([box(_("Month"), 2, "month"), box(_("Day"), 2, "day"), box(_("Year"), 4, "year")])

    def decompress(self, value: Any) -> list[Any]:
        if not value:
            return [None, None, None]
        on = date.fromisoformat(str(value))
        return [on.month, on.day, on.year]


class Day(forms.MultiValueField):
    """A calendar day of the past, kept as an ISO date."""

    def __init__(self, *, today: date, autocomplete: str = "", **kwargs: Any) -> None:
        self.today = today
        boxes = [forms.CharField(max_length=40, required=False) for _ in range(3)]
        super().__init__(boxes, widget=DateBoxes(autocomplete), require_all_fields=False, **kwargs)
        self.error_messages["required"] = kwargs.get("error_messages", {}).get(
            "required", _("Write the month, day and year.")
        )

    def compress(self, data_list: list[Any]) -> str | None:
        parts = [str(part or "").strip() for part in data_list or []]
        if not any(parts):
            return None
        if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
            raise ValidationError(_("Write the month, day and year in numbers, such as 3 27 1985."))
        month, day, year = (int(part) for part in parts)
        if year < 100:
            raise ValidationError(_("Write the year with four numbers, such as 1985."))
        try:
            on = date(year, month, day)
        except ValueError:
            raise ValidationError(_("This day is not in the calendar. Check the month and the day.")) from None
        if on > self.today:
            raise ValidationError(_("This day has not come yet. Check the year."))
        if on.year < self.today.year - OLDEST:
            raise ValidationError(_("This year is too long ago. Check the year."))
        return on.isoformat()


# --- Forms -----------------------------------------------------------------------------------------------------------


class PageForm(forms.Form):
    """The form of one page. `draft`: saved while typing, so nothing is required yet."""

    use_required_attribute = False

    def __init__(self, page: Page, *args: Any, today: date, draft: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.page, self.draft = page, draft
        for each in page.fields:
            required = not draft and (each.required or (page.kind == "one" and _must_choose(page)))
            self.fields[each.key] = _form_field(each, required=required, today=today, page=page)
        self.helper = helper()
        if page.kind == "one":
            self.helper.legend_h1, self.helper.legend_stem = True, page.stem
        self.helper.all_optional = not any(field.required for field in self.fields.values())

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        wanted = self.page.one_of
        if wanted and not self.draft and not self.errors and not any(found.get(key) for key in wanted):
            self.add_error(wanted[0], self.page.missing)
        for each in self.page.fields:  # of a safety question what was ticked is heard, whatever stands beside it
            ticked = found.get(each.key) if each.type == "checks" and not (self.draft or self.page.safety) else None
            if ticked and "none" in ticked and len(ticked) > 1:
                said = _("You ticked “%(none)s” and something else. Untick what does not fit.")
                self.add_error(each.key, said % {"none": each.none})
        return found

    def answer(self) -> Any:
        """Return what was said, as it is kept. Only after is_valid()."""
        if self.page.kind == "one":
            return _kept(self.page, self.page.only, self.cleaned_data.get("answer"))
        found = {each.key: _kept(self.page, each, self.cleaned_data.get(each.key)) for each in self.page.fields}
        return {key: value for key, value in found.items() if value not in (None, "", [])} or None


class RowsFormSet(forms.BaseFormSet):
    """The rows of a page; a row that was emptied is gone."""

    page: Page
    today: date

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {"page": self.page, "today": self.today, "draft": self.draft}

    def __init__(self, *args: Any, draft: bool = False, **kwargs: Any) -> None:
        self.draft = draft
        super().__init__(*args, **kwargs)
        self.helper = helper()
        self.helper.row_label = self.page.row

    @property
    def none_of_these(self) -> bool:
        """Whether the box "I take none" is ticked."""
        if self.is_bound:
            return bool(self.data.get("none"))
        return self.value == []

    value: Any = None

    def initial_form_count(self) -> int:
        return 0  # what is sent is the whole list: a row that is empty now is not asked for its name

    def answer(self) -> Any:
        kept = [row for form in self.forms if (row := form.answer())]
        return kept or ([] if self.none_of_these else None)


class SignForm(forms.Form):
    """Signing an agreement: each point that needs it by itself, then the name, typed.

    `signs_as`: as what a guardian signs, by their document; they do not choose it.
    """

    use_required_attribute = False

    def __init__(self, agreement: Agreement, *args: Any, signs_as: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for point in agreement.acknowledgements:
            self.fields[f"ack_{point.key}"] = forms.BooleanField(
                label=point.ack,
                error_messages={"required": _("Tick the box: %(words)s") % {"words": point.ack}},
            )
            self.fields[f"ack_{point.key}"].language = agreement.language  # type: ignore[attr-defined]
        self.fields["typed_name"] = Words(
            label=_("Type your full name to sign"),
            error_messages={"required": _("Type your full name to sign.")},
        )
        self.fields["typed_name"].widget.attrs["autocomplete"] = "name"
        self.fields["relation"] = forms.ChoiceField(
            label=_("You sign this"),
            choices=Signature.Relation.choices,
            initial=Signature.Relation.SELF,
            widget=forms.RadioSelect,
            error_messages={
                "required": _("Choose for whom you sign."),
                "invalid_choice": _("Choose one of the answers."),
            },
        )
        if signs_as:
            del self.fields["relation"]
        self.helper = helper()
        self.agreement = agreement

    @property
    def acknowledged(self) -> list[str]:
        return [point.key for point in self.agreement.acknowledgements if self.cleaned_data[f"ack_{point.key}"]]


def helper() -> FormHelper:
    """The page draws the form's frame, its buttons and its error summary."""
    found = FormHelper()
    found.form_tag = False
    found.disable_csrf = True
    found.form_show_errors = False
    return found


def form_for(
    page: Page, *, today: date, value: Any = None, data: Any = None, draft: bool = False, extra: int = 0
) -> Any:
    """Return the form of a page (a formset for rows), with the answer in it, or with what was just sent."""
    if page.kind == "rows":
        rows = [row for row in value or [] if isinstance(row, Mapping)]
        base: Any = forms.formset_factory(
            PageForm,
            formset=RowsFormSet,
            extra=len(rows) + (extra if rows else 1),
            max_num=ROWS,
            absolute_max=ROWS,
            validate_max=True,
        )
        named = type("Rows", (base,), {"page": page, "today": today, "value": value})
        return named(data, initial=None if data is not None else rows, prefix="rows", draft=draft)
    initial = {"answer": _shown(page, value)} if page.kind == "one" else dict(value or {})
    return PageForm(page, data, initial=initial, today=today, draft=draft)


def _must_choose(page: Page) -> bool:
    """A question with given answers wants one of them (or Skip); an open one may be passed with nothing written."""
    return page.required or page.only.type in ("choice", "checks", "select") or bool(page.instrument)


def _form_field(each: Field, *, required: bool, today: date, page: Page) -> forms.Field:
    is_only = page.kind == "one" or [field for field in page.fields if field.required] == [each]
    missing = page.missing if is_only and page.missing else _missing(each, may_skip=not page.required)
    common: dict[str, Any] = {
        "label": each.label,
        "required": required,
        "help_text": page.hint if page.kind == "one" else each.hint,
        "error_messages": {"required": missing},
    }
    field: forms.Field
    if each.type in ("choice", "select"):
        wrong = {"invalid_choice": _("Choose one of the answers on this page.")}
        choices: list[tuple[str, Any]] = [(choice.code, choice.label) for choice in each.choices]
        widget = forms.Select if each.type == "select" else forms.RadioSelect
        if each.type == "select":
            choices = [("", _("Choose one")), *choices]
        common["error_messages"] |= wrong
        field = forms.ChoiceField(choices=choices, widget=widget, **common)
    elif each.type == "checks":
        common["error_messages"]["invalid_choice"] = _("Choose from the answers on this page.")
        common["error_messages"]["invalid_list"] = _("Choose from the answers on this page.")
        ends = [("none", each.none)] if each.none else []
        choices = [*((choice.code, choice.label) for choice in each.choices), *ends]
        field = forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **common)
    elif each.type == "date":
        field = Day(today=today, autocomplete=each.autocomplete, **common)
    elif each.type == "number":
        field = Number(least=each.minimum or 0, most=99999 if each.maximum is None else each.maximum, **common)
    else:
        kinds: dict[str, Any] = {"tel": Phone, "email": Mail}
        field = kinds.get(each.type, Words)(long=each.type == "words", **common)
        shape = {"tel": "tel", "email": "email"}.get(each.type)
        if shape:
            field.widget.input_type = shape
    if each.autocomplete and each.type != "date":
        field.widget.attrs["autocomplete"] = each.autocomplete
    elif each.type in ("name", "tel", "text"):
        field.widget.attrs["autocomplete"] = "off"
    return field


def _missing(each: Field, *, may_skip: bool) -> str:
    if each.type in ("choice", "select"):
        if not may_skip:
            return gettext("Choose the answer that fits best.")
        return gettext("Choose the answer that fits best, or skip the question.")
    if each.type == "checks":
        return gettext("Tick what fits, or skip the question.") if may_skip else gettext("Tick what fits.")
    return gettext("Write your answer here: %(label)s.") % {"label": each.label.rstrip("?.")}


def _shown(page: Page, value: Any) -> Any:
    """A kept value as its form shows it."""
    if page.only.type == "checks" and value is not None:
        return value or ["none"]
    return value if value is None or not page.only.choices else str(value)


def _kept(page: Page, each: Field, value: Any) -> Any:
    """A cleaned value as it is kept: an instrument's own value, codes, plain text."""
    if value in (None, ""):
        return None
    if each.type == "checks":
        return [code for code in value if code != "none"] if value else None
    if page.instrument and page.item.options:
        option = page.item.option(value)
        return None if option is None else option.value if option.code == str(option.value) else option.code
    return value
