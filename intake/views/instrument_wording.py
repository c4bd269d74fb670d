"""The wording of a brought instrument: typing it, and seeing it as a client will, with a trial of the scoring."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake.forms import Words
from intake.views.instruments import LANGUAGE_WORDS, known, missing_words, words_of
from practice import instruments
from practice.access import Permission
from practice.clinical import brought
from practice.clinical.instrument import Instrument, build
from practice.clinical.scoring import score
from practice.forms import HouseForm
from practice.models import InstrumentDraft
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict


class WordingForm(HouseForm):
    """The words of one language. It may be saved half done; publishing asks for all of it."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, key: str, wording: Mapping[str, Any], version: int, **kwargs: Any) -> None:
        kwargs["initial"] = initial_of(key, wording) | {"version": version}
        super().__init__(*args, **kwargs)
        facts = self.facts = brought.facts(key)
        self.key, self.numbers = key, range(1, facts["items"] + 1)
        self.shared: tuple[int, ...] = tuple(facts.get("values", ()))
        self._add("instructions", _("What stands above the questions"), long=True)
        if not self.shared:
            about = _("One answer on each line, in the order of the form, from two to eleven.")
            self._add("answers", _("The answers of all questions"), long=True, help_text=about)
        for value in self.shared:
            self._add(f"answer_{value}", gettext("Answer {n}").format(n=value))
        if facts.get("reverse"):
            label = gettext("Your form has turned question {n} round already").format(n=facts["reverse"][0])
            self.fields["turned"] = forms.BooleanField(label=label, help_text=facts.get("trap", ""), required=False)
        for number in self.numbers:
            self._add(f"item_{number}", gettext("Question {n}").format(n=number), long=True, rows=2)
        if "follow" in facts:
            self._add("follow", _("What is asked after each yes"), long=True, rows=2)
            for value in facts["follow"]:
                self._add(f"follow_{value}", gettext("Its answer {n}").format(n=value))
        for number in self.numbers:
            label = gettext("Own answers of question {n}").format(n=number)
            self._add(f"own_{number}", label, long=True, help_text=self._own_words(number))
        self._add("notice", _("The notice of whoever holds the rights, as it must stand with the form"), long=True)

    def _add(self, name: str, label: Any, *, long: bool = False, rows: int = 3, **options: Any) -> None:
        self.fields[name] = Words(label=label, long=long, required=False, **options)
        if long:
            self.fields[name].widget.attrs["rows"] = rows

    def _own_words(self, number: int) -> str:
        wanted = brought.values(self.key, number)
        if not wanted:
            return gettext("Only where they differ: one on each line.")
        return gettext(
            "Only where they differ: one on each line, {n} lines, from {first} to {last}. A line between may be empty."
        ).format(n=len(wanted), first=wanted[0], last=wanted[-1])

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        names = ["answers"] if "answers" in self.fields else []
        for name, number in [(name, 1) for name in names] + [(f"own_{n}", n) for n in self.numbers]:
            lines = (said.get(name) or "").splitlines()
            if lines and not brought.is_whole(self.key, number, lines):
                wanted = len(brought.values(self.key, number))
                words = gettext("Write {n} lines here, the first and the last not empty. There are {m}.")
                few = gettext("Write from two to eleven lines here.")
                self.add_error(name, words.format(n=wanted, m=len(lines)) if wanted else few)
        return said

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The fields as the page shows them; answers of single questions folded while there are none."""
        own = [self[f"own_{n}"] for n in self.numbers]
        first = [name for name in self.fields if name.startswith(("instructions", "answer", "turned"))]
        then = [name for name in self.fields if name.startswith(("item_", "follow"))]
        return [
            {"title": gettext("Above the questions, and the answers"), "fields": [self[name] for name in first]},
            {"title": gettext("The questions"), "fields": [self[name] for name in then]},
            {
                "title": gettext("Questions with answers of their own"),
                "fields": own,
                "folded": True,
                "open": any(field.value() or field.errors for field in own),
            },
            {"title": gettext("Below the questions"), "fields": [self["notice"]]},
        ]

    def wording(self) -> dict[str, Any]:
        said = self.cleaned_data
        answers = [said[f"answer_{value}"] for value in self.shared] or said.get("answers", "").splitlines()
        follow = [said[f"follow_{value}"] for value in self.facts.get("follow", ())]
        items = [said[f"item_{n}"] for n in self.numbers]
        return {
            "instructions": said["instructions"],
            "notice": said["notice"],
            "items": items if any(items) else [],
            "answers": answers if any(answers) else [],
            "own": {str(n): lines for n in self.numbers if (lines := said[f"own_{n}"].splitlines())},
            "turned": said.get("turned", False),
            "follow": said.get("follow", ""),
            "follow_answers": follow if any(follow) else [],
        }


def initial_of(key: str, wording: Mapping[str, Any]) -> dict[str, Any]:
    facts, answers = brought.facts(key), wording.get("answers", [])
    found: dict[str, Any] = {name: wording.get(name, "") for name in ("instructions", "notice", "follow", "turned")}
    found |= {f"item_{n}": text for n, text in enumerate(wording.get("items", []), 1)}
    found |= {f"own_{n}": "\n".join(lines) for n, lines in wording.get("own", {}).items()}
    follow = zip(facts.get("follow", ()), wording.get("follow_answers", ()), strict=False)
    found |= {f"follow_{value}": said for value, said in follow}
    if "values" in facts:
        return found | {f"answer_{value}": said for value, said in zip(facts["values"], answers, strict=False)}
    return found | {"answers": "\n".join(answers)}


@staff_page(Permission.MANAGE_PRACTICE)
def instrument_wording(request: StaffRequest, key: str, language: str) -> HttpResponse:
    known(key)
    if language not in LANGUAGE_WORDS:
        raise Http404
    draft = InstrumentDraft.objects.filter(instrument=key).first()
    kept: dict[str, Any] = {"key": key, "wording": words_of(draft, language), "version": draft.version if draft else 0}
    form = WordingForm(request.POST or None, **kept)
    if request.method == "POST" and form.is_valid():
        saved = instruments.save_wording(
            by=request.user,
            key=key,
            language=language,
            wording=form.wording(),
            version=form.cleaned_data["version"],
            at=timezone.now(),
        )
        if saved is None:
            title = gettext("Somebody changed the wording first")
            return conflict(request, title, form, WordingForm(**kept), kept["version"])
        messages.success(request, gettext("Saved. Nobody is asked these words until they are published."))
        return redirect("instrument", key)
    context = {"key": key, "name": brought.short(key), "form": form, "language": LANGUAGE_WORDS[language]}
    context["is_translation"] = language != brought.ENGLISH
    return render(request, "intake/instrument_wording.html", context, status=400 if form.errors else 200)


# --- As the client sees it, and a trial of the scoring ---------------------------------------------------------------


class TrialForm(HouseForm):
    """Every question as it will be asked. Nothing of it is kept."""

    def __init__(self, *args: Any, instrument: Instrument, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for item in instrument.items:
            self.fields[item.link_id] = forms.ChoiceField(
                label=item.text,
                help_text=item.hint,
                choices=[(option.code, option.label) for option in item.options],
                widget=forms.RadioSelect,
                required=False,
                error_messages={"invalid_choice": _("Choose one of the answers on this page.")},
            )


@staff_page(Permission.MANAGE_PRACTICE)
def instrument_preview(request: StaffRequest, key: str) -> HttpResponse:
    known(key)
    draft = get_object_or_404(InstrumentDraft, instrument=key)
    if missing_words(key, draft):
        messages.info(request, gettext("The wording is not complete yet. What is missing stands below."))
        return redirect("instrument", key)
    wordings = {code: words for code, words in draft.wordings.items() if any(words.values())}
    english = build(brought.define(key, "0", wordings))
    language = request.GET.get("language", brought.ENGLISH)
    spoken = english.said_in(language)
    form = TrialForm(request.POST or None, instrument=spoken)
    result = None
    if request.method == "POST" and form.is_valid():
        given = {link_id: english.item(link_id).option(code) for link_id, code in form.cleaned_data.items()}
        result = trial(english, {link_id: option.value for link_id, option in given.items() if option})
    context = {
        "key": key,
        "name": brought.short(key),
        "spoken": spoken,
        "form": form,
        "rows": [{"field": form[item.link_id], "safety": item.safety} for item in spoken.items],
        "calls_nobody": request.practice.answer_calls_nobody,
        "result": result,
        "others": [(code, LANGUAGE_WORDS[code]) for code in wordings if code != spoken.language],
        "tongue": spoken.language,
    }
    return render(request, "intake/instrument_preview.html", context, status=400 if form.errors else 200)


def trial(asked: Instrument, given: Mapping[str, Any]) -> dict[str, Any]:
    """What these answers come to, in words."""
    found = score(asked, given)
    most = asked.scoring.get("maximum")
    total = gettext("No total") if found.total is None else f"{found.total:g}"
    if found.total is not None and most is not None:
        total = gettext("{total} of {most}").format(total=f"{found.total:g}", most=f"{most:g}")
    return {
        "total": total,
        "band": asked.band(found.band).label if found.band else "",
        "missing": ngettext("{n} answer is missing.", "{n} answers are missing.", len(found.missing)).format(
            n=len(found.missing)
        )
        if found.missing
        else "",
        "flags": [asked.flag(code).reason for code in found.flags],
    }
