"""The decision: one screen with all that is known, the fit of the paths side by side, and what a clinician decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

from intake import flow, measures
from intake.actions import packet_of
from intake.models import Answer
from intake.views.reading import assessments, band_words, score_words
from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import criteria, follow_up, infusion, table
from practice.clinical.criteria import NONE_NOW, UNKNOWN, UNMET, Criterion
from practice.clinical.instrument import load as load_instrument
from practice.forms import HouseForm, words_field
from practice.models import Client, User
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import SIDE, Panel, allowed, frame, named, open_flags, reader
from practice.views.rules import CONFIDENCE_WORDS, value_words
from referrals import holds
from referrals.actions import decisions as actions
from referrals.holds import Kind, Standing
from referrals.models import Decision, Path, Suggestion
from referrals.views import holds as hold_views

Choice, Said = Decision.Choice, Decision.Said
FURTHEST_REVIEW = timedelta(days=366)
ON_CHART = 4
SITTINGS_READ = 12

# Every path, in the order of the table and none before another; what each is, for the talk with the client.
PATHS: dict[str, tuple[Any, Any]] = {
    Path.INFUSION: (
        _("Infusion clinic"),
        _(
            "{count} infusions within {days} days, by drip or injection, as a clinic elsewhere gives them."
            " No therapist in the room: therapy goes on here, after each."
        ),
    ),
    Path.PAIN: (
        _("Hospital or pain infusion"),
        _("For pain. A pain clinic or hospital looks at the pain score, the opioids and how long it has lasted."),
    ),
    Path.AT_HOME: (
        _("Supervised at home"),
        _(
            "A programme that supervises from afar. For milder concerns, with good support, an adult in the house and"
            " a safe, private room. Intentions before, talking it through after."
        ),
    ),
    Path.KAP: (
        _("KAP here"),
        _(
            "The therapist is in the room: prepare, focus on an intention, integrate."
            " Weekly sessions, intensive weekends, boosters."
        ),
    ),
    NONE_NOW: (
        _("None now"),
        _("Care goes on as it is: therapy, other treatment, and a day on which this is looked at again."),
    ),
}
EFFECT_WORDS = {
    ("support", "met"): _("Met: speaks for it"),
    ("support", "unmet"): _("Unmet"),
    ("hold", "unmet"): _("Unmet: on hold"),
    ("exclude", "unmet"): _("Unmet: not suggested"),
    ("hold", "met"): _("Met"),
    ("exclude", "met"): _("Met"),
}
# Pages of the form, newest answer of each: what the therapist reads beside the scores.
TOLD: dict[str, tuple[Any, tuple[str, ...]]] = {
    "medicines": (_("Medicines and allergies"), ("medicines-now", "medicine-kinds", "allergies")),
    "supports": (_("Supports"), ("support-person", "count-on", "lives-with", "adult-stays", "safe-home", "ride")),
    "trials": (_("Tried before"), ("trials", "other-treatments", "ketamine-outside")),
    "preferences": (_("What the client wishes"), ("concern", "hopes", "talk-therapy", "ketamine-interest")),
}


# --- The form --------------------------------------------------------------------------------------------------------


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
    review_on = forms.DateField(
        label=_("Look at this again on"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
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


class AddForm(HouseForm):
    words = words_field(_("What you want to add"), _("Write what you want to add."))
    recheck = forms.BooleanField(label=_("This was the recheck: take it off the list"), required=False)

    def __init__(self, *args: Any, rechecking: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not rechecking:
            del self.fields["recheck"]


# --- The screen ------------------------------------------------------------------------------------------------------


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
    suggestion = client.suggestions.filter(pk=card).first() if card else None  # type: ignore[attr-defined]
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
    card: Suggestion | None = client.suggestions.filter(state=Suggestion.State.OPEN).first()  # type: ignore[attr-defined]
    before = list(client.decisions.select_related("by")[:ON_CHART])  # type: ignore[attr-defined]
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
        "flags": [_flag_line(flag) for flag in open_flags(client)],
        "paths": [path_card(code, standing, person) for code in PATHS],
        "fit": fit_rows(standing),
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


# --- What is known ---------------------------------------------------------------------------------------------------


def score_rows(client: Client) -> list[dict[str, Any]]:
    """The newest score of each instrument."""
    newest: dict[str, Any] = {}
    for each in assessments(client):
        newest.setdefault(each.instrument, each)
    return [
        {
            "label": each.definition.short_name,
            "value": ", ".join(part for part in (score_words(each), band_words(each)) if part),
            "when": full_day(each.taken_on),
            "url": reverse("assessment", args=[client.pk, each.pk]),
            "safety": each.safety,
        }
        for each in newest.values()
    ]


def _flag_line(flag: Any) -> dict[str, str]:
    return {
        "text": gettext("{severity}, opened {when}").format(
            severity=flag.get_severity_display(), when=moment(flag.opened_at)
        ),
        "url": reverse("alert", args=[flag.client_id, flag.pk]),
    }


def told(client: Client) -> list[dict[str, Any]]:
    """What the client said of medicines, supports, trials and wishes: the newest answer of each, with its day."""
    slugs = [slug for _title, group in TOLD.values() for slug in group]
    answers = (
        Answer.objects.filter(intake__client=client, intake__submitted_at__isnull=False, question__in=slugs)
        .select_related("intake__invitation")
        .order_by("-intake__submitted_at")
    )
    newest: dict[str, Answer] = {}
    for answer in answers[: SITTINGS_READ * len(slugs)]:
        newest.setdefault(answer.question, answer)
    return [
        {"title": title, "rows": [_told_row(newest[slug]) for slug in group if slug in newest]}
        for title, group in TOLD.values()
    ]


def _told_row(answer: Answer) -> dict[str, Any]:
    page = packet_of(answer.intake).by_slug.get(answer.question)
    if page is None:
        return {"label": answer.question, "lines": [gettext("not known")], "when": ""}
    said = flow.words(page, None if answer.skipped else answer.value)
    skipped = [gettext("Skipped: would like to talk about this in person")]
    return {
        "label": page.text,
        "lines": skipped if answer.skipped else said or [gettext("not known")],
        "when": full_day(timezone.localdate(answer.intake.submitted_at)),
    }


# --- The fit of the paths --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FitGroup:
    title: str
    rows: list[dict[str, Any]]
    folded: bool = False
    unknown: bool = False


def path_card(code: str, standing: Standing, person: User) -> dict[str, Any]:
    """One path: what it is, how it stands by the rules, and what is in the way, each with its button."""
    title, what = PATHS[code]
    if code == NONE_NOW:
        reasons = [c.rule.reason for c in _criteria(standing) if c.state(NONE_NOW) == criteria.MET]
        held: list[holds.Hold] = []
    else:
        reasons = [table.rule(rule).reason for rule in standing.decision.supports[code]]
        held = standing.for_path(code)
    blocking = [hold for hold in held if hold.cleared_by is None]
    return {
        "code": code,
        "title": title,
        "what": str(what).format(count=infusion.COUNT, days=infusion.WITHIN_DAYS),
        "status": _status_words(code, reasons, blocking),
        "reasons": reasons,
        "holds": [hold_views.line(hold, person, paths=(code,), brief=True) for hold in held],
    }


def _status_words(code: str, reasons: list[str], blocking: list[holds.Hold]) -> str:
    if any(hold.kind == Kind.EXCLUDE for hold in blocking):
        return gettext("Not suggested now")
    if blocking:
        return gettext("May be talked about; sending is on hold")
    if reasons:
        return gettext("May be talked about")
    return gettext("Always possible") if code == NONE_NOW else gettext("Nothing known speaks for it")


def _criteria(standing: Standing) -> tuple[Criterion, ...]:
    return criteria.criteria(standing.inputs, standing.overrides)


def fit_rows(standing: Standing) -> list[FitGroup]:
    """The criteria of all paths in groups, the unknown first."""
    every = _criteria(standing)
    unknown = [each for each in every if each.fired is None]
    speaks = [each for each in every if each.fired is True and each.speaks_for]
    silent = [each for each in every if each.fired is False and each.speaks_for]
    against = [each for each in every if each.fired is True and not each.speaks_for]
    clear = [each for each in every if each.fired is False and not each.speaks_for]
    groups = [
        FitGroup(gettext("Not known yet"), _unknown_rows(unknown), unknown=True),
        FitGroup(gettext("What speaks for a path"), [_fit_row([each], standing) for each in speaks]),
        FitGroup(gettext("What stands against a path"), [_fit_row([each], standing) for each in against]),
        FitGroup(
            gettext("What could speak for a path, and is unmet"), [_fit_row([each], standing) for each in silent], True
        ),
        FitGroup(gettext("Asked, and not in the way"), [_fit_row([each], standing) for each in clear], folded=True),
    ]
    return [group for group in groups if group.rows]


def _unknown_rows(unknown: list[Criterion]) -> list[dict[str, Any]]:
    """One row for each set of answers that is missing, with all the criteria that hang on it."""
    by_missing: dict[tuple[str, ...], list[Criterion]] = {}
    for each in unknown:
        by_missing.setdefault(each.missing, []).append(each)
    known, shown = table.inputs(), set()
    rows = []
    for missing, found in by_missing.items():
        row = _fit_row(found, None)
        row["asks"] = [
            {
                "name": name,
                "label": known[name].label,
                "can": name not in shown and measures.can_ask(name),
                "own": not measures.can_ask(name),
            }
            for name in missing
        ]
        shown.update(missing)
        rows.append(row)
    return rows


def _fit_row(found: list[Criterion], standing: Standing | None) -> dict[str, Any]:
    return {
        "criteria": [
            {
                "id": each.rule.id,
                "reason": each.rule.reason,
                "source": each.rule.citation,
                "confidence": CONFIDENCE_WORDS.get(each.rule.confidence, each.rule.confidence),
                "url": reverse("rule", args=[each.rule.id]),
            }
            for each in found
        ],
        "answers": [answer_words(name, standing) for name in found[0].rule.inputs] if standing else [],
        "cells": [_cell(found, code) for code in PATHS],
    }


def _cell(found: list[Criterion], code: str) -> dict[str, str]:
    """The state of these criteria for one path, in words and with its icon."""
    states = {(each.effects[code], each.state(code)) for each in found if code in each.effects}
    if not states:
        return {"text": "", "icon": ""}
    effect, state = sorted(states)[0]
    if state == UNKNOWN:
        return {"text": gettext("Unknown"), "icon": "circle-help"}
    icon = {UNMET: "x" if effect == criteria.SUPPORT else "lock", criteria.MET: "check"}[state]
    return {"text": str(EFFECT_WORDS[effect, state]), "icon": icon}


def answer_words(name: str, standing: Standing) -> dict[str, Any]:
    """What was answered, when, and in which form: "PHQ-9 total: 19", "PHQ-9, Nov 19, 2026"."""
    known = table.inputs()[name]
    value = standing.inputs.get(name)
    origin, day = standing.origins.get(name), standing.dates.get(name)
    if value is None:
        return {"text": f"{known.label}: {known.blank_means or gettext('not known')}", "where": "", "url": ""}
    where = gettext("from the record")
    if origin is not None:
        form = load_instrument(origin.instrument).short_name if origin.instrument else gettext("form of the client")
        where = f"{form}, {full_day(date.fromisoformat(day))}" if day else form
    return {
        "text": f"{known.label}: {value_words(value)}",
        "where": where,
        "url": reverse("intake_read", args=[standing.client.pk, origin.intake]) if origin and origin.intake else "",
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


# --- One decision ----------------------------------------------------------------------------------------------------


@staff_page(Permission.READ_CHART)
def decision(request: HttpRequest, pk: UUID, decision: UUID) -> HttpResponse:
    at = timezone.now()
    found = _decision(request, pk, decision)
    client = client_of(request, pk)
    audit.seen(request, client, "decision", found)
    return _decision_page(request, client, found, at, None)


def _decision(request: HttpRequest, pk: UUID, decision: UUID) -> Decision:
    found: Decision = record_of(request, Decision, decision)
    if found.client_id != pk:
        raise Http404
    return found


def _decision_page(
    request: HttpRequest, client: Client, found: Decision, at: datetime, form: AddForm | None
) -> HttpResponse:
    person = reader(request)
    may = Permission.DECIDE in allowed(person, client)
    rechecking = _rechecking(client, found)
    kept = found.snapshot or {}
    context = {
        **frame(request, client, at),
        "decision": found,
        "row": row(found, person),
        "facts": decision_facts(found),
        "evidence": evidence_rows(kept),
        "rules": [rule for entry in kept.get("rules", []) if (rule := _rule_line(entry))],
        "unknowns": [table.inputs()[name].label for name in kept.get("unknowns", []) if name in table.inputs()],
        "questions": [question_row(each, person) for each in found.questions.select_related("to", "asked_by")],  # type: ignore[attr-defined]
        "addenda": list(found.addenda.select_related("by")),  # type: ignore[attr-defined]
        "newer": client.decisions.filter(at__gt=found.at).first(),  # type: ignore[attr-defined]
        "refer_url": f"{reverse('referral_new', args=[client.pk])}?decision={found.pk}"
        if found.choice in Decision.REFERS and Permission.SEND_REFERRAL in allowed(person, client)
        else "",
        "holds": _holds_of(found, client, person, at),
        "may_decide": may,
        "form": (form or AddForm(rechecking=rechecking)) if may else None,
        "rechecking": rechecking,
    }
    return render(request, "referrals/decision.html", context, status=400 if form and form.errors else 200)


def _rechecking(client: Client, found: Decision) -> bool:
    return client.tasks.filter(kind="recheck", subject_id=found.pk, done_at=None).exists()


def _holds_of(found: Decision, client: Client, person: User, at: datetime) -> list[dict[str, Any]]:
    """For a decision to refer: what stands in the way of sending now."""
    if found.choice not in Decision.REFERS:
        return []
    return [hold_views.line(hold, person, paths=(found.choice,)) for hold in holds.blocks(client, found.choice, at)]


def row(found: Decision, person: User) -> dict[str, Any]:
    return {
        "title": found.get_choice_display(),
        "urgent": found.urgency == Decision.Urgency.URGENT,
        "when": gettext("{when}, by {who}").format(when=moment(found.at), who=named(found.by, person)),
        "reasoning": found.reasoning,
        "url": reverse("decision", args=[found.client_id, found.pk]),
    }


def decision_facts(found: Decision) -> list[dict[str, str]]:
    """What was weighed, offered and said, and when it is looked at again."""

    def paths(codes: Iterable[str]) -> str:
        return ", ".join(str(PATHS[code][0]) for code in codes if code in PATHS) or gettext("None written down")

    rows = [
        {"label": gettext("Urgency"), "value": found.get_urgency_display()},
        {"label": gettext("Weighed"), "value": paths(found.weighed)},
        {"label": gettext("Offered to the client"), "value": paths(found.offered)},
        {"label": gettext("The client"), "value": found.get_said_display()},
    ]
    if found.review_on:
        rows.append({"label": gettext("Look at this again on"), "value": full_day(found.review_on)})
    return rows


def evidence_rows(kept: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was known when it was decided, as it was then."""
    known, dates = table.inputs(), kept.get("dates", {})
    return [
        {
            "label": known[name].label,
            "value": value_words(value),
            "when": full_day(date.fromisoformat(dates[name])) if name in dates else gettext("from the record"),
        }
        for name, value in kept.get("inputs", {}).items()
        if name in known
    ]


def _rule_line(entry: Mapping[str, str]) -> dict[str, str] | None:
    rule = next((each for each in table.rules() if each.id == entry.get("id")), None)
    if rule is None:
        return None
    return {
        "id": rule.id,
        "version": entry.get("version", ""),
        "reason": rule.reason,
        "url": reverse("rule", args=[rule.id]),
    }


def question_row(asked: Any, person: User) -> dict[str, Any]:
    return {
        "question": asked.question,
        "asked": gettext("{who} asked {to}, {when}").format(
            who=named(asked.asked_by, person), to=named(asked.to, person), when=moment(asked.asked_at)
        ),
        "answer": asked.answer,
        "answered": gettext("Answered {when}").format(when=moment(asked.answered_at)) if asked.answered_at else "",
        "url": reverse("case_question", args=[asked.client_id, asked.pk]),
    }


@staff_page(Permission.DECIDE)
def decision_add(request: HttpRequest, pk: UUID, decision: UUID) -> HttpResponse:
    """An addendum; what was decided stays as it was."""
    at = timezone.now()
    found = _decision(request, pk, decision)
    client = client_of(request, pk)
    if request.method != "POST":
        return redirect("decision", pk, decision)
    form = AddForm(request.POST, rechecking=_rechecking(client, found))
    if not form.is_valid():
        return _decision_page(request, client, found, at, form)
    act = actions.finish_recheck if form.cleaned_data.get("recheck") else actions.add_words
    act(by=reader(request), decision=found, words=form.cleaned_data["words"], at=at)
    messages.success(request, gettext("Added. What was written before stays as it was."))
    return redirect("decision", pk, decision)


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The newest decisions on the chart, beside."""
    found = list(client.decisions.select_related("by")[:ON_CHART])  # type: ignore[attr-defined]
    may = Permission.DECIDE in allowed(reader(request), client)
    if not found and not may:
        return None
    rows = [row(each, reader(request)) for each in found]
    return Panel(
        "referrals/decisions_panel.html",
        {"rows": rows, "decide_url": reverse("decision_new", args=[client.pk]) if may else ""},
        SIDE,
    )
