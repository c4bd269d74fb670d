"""Deciding: one screen with all that is known, the fit of the paths side by side, and the form."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import measures
from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import follow_up, table
from practice.forms import Day, HouseForm, words_field
from practice.models import Client, User
from practice.pages import client_of, staff_page
from practice.views.chart import allowed, frame, open_flags, reader
from referrals import holds
from referrals.actions import decisions as actions
from referrals.holds import Standing
from referrals.models import Decision, Path, Suggestion
from referrals.views.decisions import ON_CHART, row
from referrals.views.fit import PATHS, fit_rows, flag_line, path_card, score_rows, told

Choice, Said = Decision.Choice, Decision.Said
FURTHEST_REVIEW = timedelta(days=366)


class DecisionForm(HouseForm):
    choice = forms.ChoiceField(
        label=_("Your decision, with the client"),
        choices=Choice,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what you decided.")},
    )
    reasoning = words_field(
        _("Your reasoning, in one line"), _("Write one line of reasoning."), rows=2, help_text=_("Kept in the record.")
    )
    urgency = forms.ChoiceField(
        label=_("How urgent is it?"),
        choices=Decision.Urgency,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how urgent it is.")},
    )
    question = forms.CharField(
        label=_("What do you need to know first?"),
        help_text=_("For “not yet”. The question and its answer stand in the record."),
        max_length=4000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
    )
    to = forms.ChoiceField(label=_("Who can answer it?"), required=False)
    weighed = forms.MultipleChoiceField(
        label=_("Weighed"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    offered = forms.MultipleChoiceField(
        label=_("Offered to the client"), required=False, widget=forms.CheckboxSelectMultiple
    )
    said = forms.ChoiceField(
        label=_("What the client said"),
        choices=Said,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what the client said, or “not talked about yet”.")},
    )
    said_words = forms.CharField(
        label=_("In their own words"), max_length=4000, required=False, widget=forms.Textarea({"rows": 2})
    )
    review_on = Day(
        label=_("Look at this again on"),
        required=False,
        error_messages={"invalid": _("Give a day, such as 2026-11-27.")},
    )
    suggestion = forms.UUIDField(required=False, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)

    FIRST = ("choice", "reasoning", "urgency", "review_on")
    NOT_YET = ("question", "to")
    TALKED = ("weighed", "offered", "said", "said_words")

    def __init__(self, *args: Any, people: Iterable[User], today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(person.pk): person for person in people}
        self.today = today
        paths = [(code, title) for code, (title, _what) in PATHS.items()]
        self.fields["weighed"].choices = paths  # type: ignore[attr-defined]
        self.fields["offered"].choices = paths  # type: ignore[attr-defined]
        names = [(pk, person.name) for pk, person in self.people.items()]
        self.fields["to"].choices = [("", gettext("Nobody")), *names]  # type: ignore[attr-defined]

    def clean_review_on(self) -> date | None:
        day: date | None = self.cleaned_data["review_on"]
        if day is not None and not self.today < day <= self.today + FURTHEST_REVIEW:
            raise forms.ValidationError(_("Give a day after today and within a year."))
        return day

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("choice") == Choice.NOT_YET:
            if not given.get("question", "").strip():
                self.add_error("question", _("Write what you need to know first."))
            if not given.get("to"):
                self.add_error("to", _("Choose who can answer it."))
        elif given.get("question", "").strip():
            self.add_error("question", _("Choose “not yet” to ask this, or take the question out."))
        if given.get("choice") in PATHS:
            given["weighed"] = list(dict.fromkeys([*given.get("weighed", []), given["choice"]]))
        if given.get("said", Said.NOT_ASKED) != Said.NOT_ASKED and not given.get("offered"):
            self.add_error("offered", _("Tick what the client was offered."))
        return given

    def part(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def first(self) -> list[forms.BoundField]:
        return self.part(self.FIRST)

    @property
    def not_yet(self) -> list[forms.BoundField]:
        return self.part(self.NOT_YET)

    @property
    def not_yet_open(self) -> bool:
        """Shown unfolded: it is what was chosen, or something in it is filled or missing."""
        return self["choice"].value() == Choice.NOT_YET or any(each.errors or each.value() for each in self.not_yet)

    @property
    def talked(self) -> list[forms.BoundField]:
        return self.part(self.TALKED)

    @property
    def talked_open(self) -> bool:
        return any(each.errors for each in self.talked) or bool(self["said_words"].value() or self["offered"].value())

    @property
    def hidden(self) -> list[forms.BoundField]:
        return self.part(("suggestion", "seen"))


@staff_page(Permission.DECIDE)
def decision_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All that is known, the paths side by side, and the form."""
    at = timezone.now()
    client = client_of(request, pk)
    people, today = actions.colleagues(client, reader(request)), timezone.localdate(at)
    if request.method != "POST":
        audit.seen(request, client, "decision_form")
        return _screen(request, client, at, None)
    form = DecisionForm(request.POST, people=people, today=today)
    if form.is_valid() and (made := _decided(request, client, form, at)) is not None:
        messages.success(request, gettext("Decision kept."))
        if made.choice == Choice.CARE_TODAY:
            return redirect("care_today", pk)
        return redirect("decision", pk, made.pk)
    return _screen(request, client, at, form)


def _decided(request: HttpRequest, client: Client, form: DecisionForm, at: datetime) -> Decision | None:
    given = dict(form.cleaned_data)
    card = given.pop("suggestion")
    suggestion = client.suggestions.filter(pk=card).first() if card else None
    if card and suggestion is None:
        raise Http404
    to = form.people.get(given.pop("to"))
    try:
        return actions.decide(by=reader(request), client=client, suggestion=suggestion, to=to, at=at, **given)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return None


def _screen(request: HttpRequest, client: Client, at: datetime, form: DecisionForm | None) -> HttpResponse:
    person = reader(request)
    standing = holds.standing(client, at)
    card: Suggestion | None = client.suggestions.filter(state=Suggestion.State.OPEN).first()
    before = list(client.decisions.select_related("by")[:ON_CHART])
    newest = str(before[0].pk) if before else ""
    if form is None:
        form = DecisionForm(
            initial=_initial(request, standing, card, newest),
            people=actions.colleagues(client, person),
            today=timezone.localdate(at),
        )
    elif form.is_bound:  # this page shows what is there now
        form.data = request.POST.copy()
        form.data["seen"], form.data["suggestion"] = newest, str(card.pk) if card else ""
    context = {
        **frame(request, client, at),
        "form": form,
        "card": card,
        "before": [row(each, person) for each in before],
        "told": told(client),
        "scores": score_rows(client),
        "flags": [flag_line(flag) for flag in open_flags(client)],
        "paths": [path_card(code, standing, person) for code in PATHS],
        "fit": fit_rows(standing, allowed(person, client)),
        "columns": [title for title, _what in PATHS.values()],
        "disagreements": standing.decision.disagreements,
        "may_ask": Permission.INVITE_CLIENT in allowed(person, client),
        "ask_url": reverse("ask_client", args=[client.pk]),
    }
    return render(request, "referrals/decision_new.html", context, status=400 if form.errors else 200)


def _initial(request: HttpRequest, standing: Standing, card: Suggestion | None, newest: str) -> dict[str, Any]:
    """What the button that led here says, and else what is plain: never a choice that nobody made."""
    asked = request.GET.get("choice", "")
    choice = asked if asked in Choice.values else ""
    supported = [path for path in Path.values if standing.decision.supports[path]]
    weighed = list(dict.fromkeys([*supported, *([choice] if choice in PATHS else [])]))
    soon = timezone.localdate() + timedelta(days=follow_up.RECHECK_DAYS)
    return {
        "choice": choice,
        "urgency": Decision.Urgency.ROUTINE,
        "weighed": weighed,
        "said": Said.NOT_ASKED,
        "to": request.GET.get("to", ""),
        "review_on": soon if choice == Choice.WATCH else None,
        "suggestion": card.pk if card else None,
        "seen": newest,
    }


# --- Asking the client ----------------------------------------------------------------------------------------------


@staff_page(Permission.DECIDE)
def ask_client(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the client just the question behind one unknown; what was typed in the form so far comes back with it."""
    client = client_of(request, pk)
    if request.method != "POST":
        return redirect("decision_new", pk)
    Client.objects.get_for(reader(request), Permission.INVITE_CLIENT, pk)
    name, at = request.POST.get("input", ""), timezone.now()
    if name not in table.inputs():
        raise Http404
    try:
        measures.ask(by=reader(request), client=client, input_name=name, at=at)
    except NotNow as sentence:
        messages.error(request, str(sentence))
    else:
        messages.success(
            request, gettext("Asked the client: {input}.").format(input=table.inputs()[name].label.lower())
        )
    if not request.POST.get("seen_form"):
        return redirect("decision_new", pk)
    people, today = actions.colleagues(client, reader(request)), timezone.localdate(at)
    return _screen(request, client, at, DecisionForm(initial=_typed(request), people=people, today=today))


def _typed(request: HttpRequest) -> dict[str, Any]:
    """What stood in the decision form when another button of the page was pressed."""
    many = ("weighed", "offered")
    names = DecisionForm.FIRST + DecisionForm.NOT_YET + DecisionForm.TALKED + ("suggestion", "seen")
    return {name: request.POST.getlist(name) if name in many else request.POST.get(name, "") for name in names}
