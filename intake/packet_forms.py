"""The forms with which an admin words a packet. What is typed stays text: it is never read as markup or a template."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from intake import fixed, packet, pieces
from intake.build import Row
from intake.drafting import TYPES, WITH_CHOICES, Data, Wording
from intake.forms import Words
from intake.models import PacketStart
from practice import instruments
from practice.forms import HouseForm
from practice.models import Site

LINE, HINT, TITLE = 300, 400, 80
CHOICES = 20
SPANISH = "es"
KINDS = {
    "text": _("A line of text"),
    "words": _("Text of any length"),
    "choice": _("One of several choices"),
    "checks": _("Several of some choices"),
    "number": _("A number"),
    "date": _("A day that has been"),
}
assert tuple(KINDS) == TYPES


def line(label: Any, most: int = LINE, **options: Any) -> Words:
    return Words(label=label, most=most, required=options.pop("required", False), **options)


class Lines(Words):
    """One choice on each line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(long=True, **kwargs)

    def clean(self, value: Any) -> Any:
        said = [each.strip() for each in super().clean(value).splitlines()]
        found = [each for each in said if each]
        if len(found) > CHOICES:
            raise forms.ValidationError(_("Give at most %(n)s choices.") % {"n": CHOICES})
        if any(len(each) > LINE for each in found):
            raise forms.ValidationError(_("Keep each choice under %(n)s letters.") % {"n": LINE})
        if len(set(found)) < len(found):
            raise forms.ValidationError(_("Two choices read the same."))
        return found


class SeenForm(HouseForm):
    """A form about a draft as somebody saw it: `version` says which state of it."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)


class QuestionForm(SeenForm):
    text = line(_("Question"), required=True, error_messages={"required": _("Write the question.")})
    hint = line(_("Hint under the question"), HINT)
    type = forms.ChoiceField(
        label=_("Kind of answer"),
        choices=list(KINDS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what kind of answer you ask for.")},
    )
    choices = Lines(label=_("Choices, one on each line"), required=False)
    none = line(_("Box for “none of these”"), help_text=_("Stands last, below the boxes. Leave empty for none."))
    minimum = forms.IntegerField(label=_("Smallest number"), min_value=0, max_value=99999, required=False)
    maximum = forms.IntegerField(label=_("Largest number"), min_value=0, max_value=99999, required=False)
    required = forms.BooleanField(
        label=_("Has to be answered"),
        required=False,
        help_text=_("A client who cannot answer it cannot send the form. Most questions do better without."),
    )
    es_text = line(_("Question in Spanish"))
    es_hint = line(_("Hint in Spanish"), HINT)
    es_choices = Lines(label=_("Choices in Spanish, one on each line, in the same order"), required=False)
    es_none = line(_("Box for “none of these” in Spanish"))

    def __init__(self, *args: Any, row: Row | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        if row is None or fixed.name(row).startswith(fixed.OWN):
            return
        for name in ("type", "minimum", "maximum"):
            del self.fields[name]
        if not row.get("options"):
            del self.fields["choices"], self.fields["es_choices"]
        if not row.get("none"):
            del self.fields["none"], self.fields["es_none"]
        if fixed.is_read(row):
            del self.fields["required"]

    @classmethod
    def initial_of(cls, row: Row, told: Mapping[str, str]) -> dict[str, Any]:
        labels = [each["label"] for each in row.get("options", ())]
        said = {words: spanish_of(words, told) for words in (row["text"], row.get("hint", ""), row.get("none", ""))}
        in_spanish = [spanish_of(label, told) for label in labels]
        return {
            **{name: row.get(name) for name in ("text", "hint", "type", "none", "minimum", "maximum", "required")},
            "choices": "\n".join(labels),
            "es_text": said[row["text"]],
            "es_hint": said[row.get("hint", "")],
            "es_none": said[row.get("none", "")],
            "es_choices": "\n".join(in_spanish) if all(in_spanish) else "",
        }

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        kind = said.get("type") if "type" in self.fields else (self.row or {}).get("type", "text")
        choices, translated = said.get("choices") or [], said.get("es_choices") or []
        if kind in WITH_CHOICES and "choices" in self.fields and len(choices) < 2 and "choices" not in self.errors:
            self.add_error("choices", _("Give at least two choices, one on each line."))
        if translated and len(translated) != len(choices):
            self.add_error("es_choices", gettext("Give one line for each of the {n} choices.").format(n=len(choices)))
        least, most = said.get("minimum"), said.get("maximum")
        if kind == "number" and least is not None and most is not None and least >= most:
            self.add_error("maximum", _("The largest number is above the smallest."))
        return said

    def wording(self) -> Wording:
        said = self.cleaned_data
        kind = str(said.get("type") or (self.row or {}).get("type", "text"))
        choices = said.get("choices", []) if kind in WITH_CHOICES else []
        none = said.get("none", "") if kind == "checks" else ""
        is_number = kind == "number"
        told = {said["text"]: said["es_text"]}
        told |= {said["hint"]: said["es_hint"]} if said["hint"] else {}
        told |= {none: said.get("es_none", "")} if none else {}
        translated = (choices and said.get("es_choices")) or [""] * len(choices)
        told |= dict(zip(choices, translated, strict=True))
        return Wording(
            text=said["text"],
            hint=said["hint"],
            choices=choices,
            none=none,
            required=said.get("required", False),
            type=kind,
            minimum=said.get("minimum") if is_number else None,
            maximum=said.get("maximum") if is_number else None,
            told=without_shipped(told),
        )


def spanish_of(words: str, told: Mapping[str, str]) -> str:
    """What stands for these words in Spanish: the practice's, or the catalogue's for Waymark's own; "" when nothing."""
    if words in told or words not in packet.shipped_words():
        return told.get(words, "")
    with override(SPANISH):
        return gettext(words)


def without_shipped(told: Mapping[str, str]) -> dict[str, str]:
    """Only what the practice has to keep: not what the catalogue says in the same words."""
    return {
        words: "" if words in packet.shipped_words() and said == spanish_of(words, {}) else said
        for words, said in told.items()
    }


class SectionForm(SeenForm):
    title = line(_("Name of the section"), TITLE, required=True, error_messages={"required": _("Write the name.")})
    why = line(_("Why we ask"), HINT, help_text=_("Stands above the questions of the section."))
    minutes = forms.IntegerField(
        label=_("Minutes it takes"),
        min_value=1,
        max_value=60,
        error_messages={"required": _("Write how many minutes it takes, from 1 to 60.")},
    )
    es_title = line(_("Name in Spanish"), TITLE)
    es_why = line(_("Why we ask, in Spanish"), HINT)

    @classmethod
    def initial_of(cls, section: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, Any]:
        return {
            **{name: section[name] for name in ("title", "why", "minutes")},
            "es_title": spanish_of(section["title"], told),
            "es_why": spanish_of(section["why"], told) if section["why"] else "",
        }

    def said(self) -> dict[str, Any]:
        found = self.cleaned_data
        told = {found["title"]: found["es_title"]} | ({found["why"]: found["es_why"]} if found["why"] else {})
        return {name: found[name] for name in ("title", "why", "minutes")} | {"told": without_shipped(told)}


class TitleForm(HouseForm):
    title = line(
        _("Name of the packet"),
        TITLE,
        required=True,
        help_text=_("Clients read it above answers that they gave earlier."),
        error_messages={"required": _("Write a name.")},
    )


class PacketForm(TitleForm, SeenForm):
    offered = forms.BooleanField(
        label=_("Offered where a person chooses what to send"),
        required=False,
        help_text=_("Without it, the packet only goes out by itself."),
    )
    es_title = line(_("Name in Spanish"), TITLE)
    field_order = ("title", "es_title", "offered", "version")

    def said(self) -> dict[str, Any]:
        found = self.cleaned_data
        told = without_shipped({found["title"]: found["es_title"]})
        return {"title": found["title"], "offered": found["offered"], "told": told}


class PieceForm(SeenForm):
    piece = forms.ChoiceField(label=_("What to add"), error_messages={"required": _("Choose what to add.")})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["piece"].choices = [("", _("Choose one")), *pieces.offered(instruments.in_use(timezone.now()))]  # type: ignore[attr-defined]


class PublishForm(SeenForm):
    reason = Words(
        label=_("Why it changes"),
        long=True,
        most=1000,
        error_messages={"required": _("Write why it changes.")},
        help_text=_("It stays with the version. No names of clients."),
    )


def named() -> Sequence[tuple[str, str]]:
    return [(each.key, each.title) for each in packet.all_packets() if not fixed.is_closed(each.key)]


class StartForm(HouseForm):
    group = forms.ChoiceField(label=_("When a client"), choices=PacketStart.Group.choices)
    site = forms.ModelChoiceField(
        label=_("At"), queryset=Site.objects.none(), required=False, empty_label=_("Every site")
    )
    packet = forms.ChoiceField(label=_("Send"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site"].queryset = Site.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["packet"].choices = named()  # type: ignore[attr-defined]


def untold(rows: Data, row: Row) -> bool:
    """Whether this question of the practice's would be shown in English to who reads Spanish."""
    if not row.get("own"):
        return False
    told = rows.get("said", {}).get(SPANISH, {})
    words = [row["text"], row.get("hint"), row.get("none"), *(each["label"] for each in row.get("options", ()))]
    return any(each and each not in told and each not in packet.shipped_words() for each in words)
