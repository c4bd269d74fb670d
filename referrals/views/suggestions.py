"""A review card: what the decision table says of what is known, for a clinician to weigh."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.models import Intake
from practice import audit, signing
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import fit, follow_up, table
from practice.forms import HouseForm, words_field
from practice.models import Client, User
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import Panel, allowed, frame, named
from practice.views.rules import CONFIDENCE_WORDS, MODALITY_WORDS, effects, modality_words, value_words
from referrals import holds
from referrals.actions import facts
from referrals.actions import suggestions as actions
from referrals.models import Decision, RuleChange, Suggestion
from referrals.views import holds as hold_views
from referrals.views.fit import known_url

TITLES = {
    "infusion_clinic": _("Consider an infusion clinic referral"),
    "hospital_pain_infusion": _("Consider a pain medicine referral (hospital or pain infusion)"),
    "kap": _("Consider ketamine-assisted psychotherapy"),
    "at_home_supervised": _("Consider supervised care at home"),
    "no_ketamine_now": _("Review: no ketamine now"),
    "psychotherapy_first": _("Review: psychotherapy first"),
}
# What the first button of a card prepares, by what the card suggests; else a decision for none of the paths now.
PREPARE = {
    "infusion_clinic": Decision.Choice.INFUSION,
    "hospital_pain_infusion": Decision.Choice.PAIN,
    "kap": Decision.Choice.KAP,
    "at_home_supervised": Decision.Choice.AT_HOME,
}
CHOICE_WORDS = {
    Decision.Choice.INFUSION: _("Prepare infusion referral"),
    Decision.Choice.PAIN: _("Prepare pain medicine referral"),
    Decision.Choice.KAP: _("Decide on KAP"),
    Decision.Choice.AT_HOME: _("Prepare at-home referral"),
    Decision.Choice.NONE: _("Decide: none now"),
}
STATUS_WORDS = {
    fit.DISCUSS: _("May be talked about now."),
    fit.HOLD: _("On hold until a person clears what is listed below."),
    fit.NOT_APPLICABLE: _("No path is suggested."),
}


class ReviewForm(HouseForm):
    reasoning = words_field(_("Your line of reasoning"), _("Write a line of reasoning."))


def panel(request: StaffRequest, client: Client, at: datetime) -> Panel | None:
    """The open card on the chart, under the safety flags."""
    open_card = client.suggestions.filter(state=Suggestion.State.OPEN).first()
    if open_card is None:
        return None
    return Panel("referrals/suggestion_panel.html", {"card": card(open_card, client, request, at)})


def card(suggestion: Suggestion, client: Client, request: StaffRequest, at: datetime) -> dict[str, Any]:
    """All that one card says: unknowns first, inputs, rules in words, holds, conflicts between paths (D14, D15).

    While it is open, what is on hold is said as it stands now, with the button that clears it, and who may decide finds
    the choices.
    """
    person, practice = request.user, request.practice
    kept = suggestion.picture or {}
    inputs: Mapping[str, Any] = kept.get("inputs", {})
    decision = fit.decide(inputs, overrides=suggestion.overrides)
    fired = {rule["id"]: rule.get("version", "") for rule in suggestion.rules}
    stronger = {rule.id for rule in decision.superseded}
    rules = [rule for rule in table.rules() if rule.id in fired and rule.id not in stronger]
    depression, sign = actions.over_lines(dict(inputs), suggestion.overrides)
    is_open = suggestion.state == Suggestion.State.OPEN
    held = hold_lines(decision, holds.standing(client, at, practice), person) if is_open else hold_rows(decision)
    on_hold = is_open and any(not line["cleared"] for line in held)
    status = fit.DISCUSS if is_open and suggestion.status == fit.HOLD and not on_hold else suggestion.status
    return {
        "suggestion": suggestion,
        "choices": choices(suggestion, client, person)
        if is_open and Permission.DECIDE in allowed(person, client)
        else [],
        "id": f"suggestion-{suggestion.pk}",
        "title": TITLES[suggestion.suggested],
        "when": gettext("Opened {opened} · decide by {by}").format(
            opened=moment(suggestion.opened_at), by=moment(suggestion.decide_by)
        ),
        "lead": lead_words(decision, depression, sign),
        "status": STATUS_WORDS[status],
        "unknowns": [unknown_words(unknown) for unknown in decision.unknowns],
        "say_url": say_url(decision, client, person) if is_open else "",
        "inputs": input_rows(inputs, kept.get("dates", {}), rules),
        "other_inputs": input_rows(inputs, kept.get("dates", {}), rules, others=True),
        "rules": [rule_row(rule, fired[rule.id]) for rule in rules],
        "holds": held,
        "on_hold": on_hold,
        "conflicts": [conflict_words(conflict) for conflict in decision.conflicts],
        "disagreements": decision.disagreements,
        "changed": suggestion.rules_version != signing.versions(practice)["rules"],
        "tuned": RuleChange.objects.in_force(suggestion.opened_at) if suggestion.overrides else None,
        "url": reverse("suggestion", args=[suggestion.client_id, suggestion.pk]),
    }


def lead_words(decision: fit.Decision, depression: bool, sign: bool) -> str:
    """Why the card is here, facts first."""
    if depression and sign:
        said = [gettext("Depression is over this practice's line, and there is a sign of suicidal thoughts.")]
    elif depression:
        said = [gettext("Depression is over this practice's line.")]
    elif sign:
        said = [gettext("There is a sign of suicidal thoughts.")]
    else:
        said = []
    reasons = [rule.reason for rule in decision.fired if rule.supports and rule.id != actions.BOTH]
    return " ".join([*said, *reasons])


def unknown_words(unknown: fit.Unknown) -> str:
    return gettext("{input} (could change {rules})").format(input=unknown.label, rules=", ".join(unknown.rules))


def say_url(decision: fit.Decision, client: Client, person: User) -> str:
    """Where this person says what they know of the unknowns; empty when none of them is theirs to say."""
    mine = {known.name for known in facts.sayable(allowed(person, client))}
    return next((known_url(client, each.input) for each in decision.unknowns if each.input in mine), "")


def input_rows(
    inputs: Mapping[str, Any], dates: Mapping[str, str], rules: list[table.Rule], *, others: bool = False
) -> list[dict[str, str]]:
    """The inputs that the fired rules read; with `others`, everything else that was known."""
    read = {name for rule in rules for name in rule.inputs}
    known = table.inputs()
    return [
        {
            "label": known[name].label,
            "value": value_words(value),
            "when": full_day(date.fromisoformat(dates[name])) if name in dates else gettext("from the record"),
        }
        for name, value in inputs.items()
        if name in known and (name in read) != others
    ]


def rule_row(rule: table.Rule, version: str) -> dict[str, Any]:
    return {
        "id": rule.id,
        "version": version,
        "reason": rule.reason,
        "must": rule.human_action,
        "source": rule.citation,
        "confidence": CONFIDENCE_WORDS.get(rule.confidence, rule.confidence),
        "effects": effects(rule),
        "url": reverse("rule", args=[rule.id]),
    }


def choices(suggestion: Suggestion, client: Client, person: User) -> list[dict[str, str]]:
    """The buttons of the card: each opens the page to decide with its choice made, to be reasoned and kept there."""
    if Permission.DECIDE not in allowed(person, client):
        return []
    here = reverse("decision_new", args=[client.pk])
    leads = PREPARE.get(suggestion.suggested, Decision.Choice.NONE)
    found = [{"label": str(CHOICE_WORDS[leads]), "url": f"{here}?choice={leads}", "kind": "", "key": "d"}]
    supervisor = person.supervisor_id if person.pk == client.therapist_id else None
    for pk, label in ((client.prescriber_id, _("Ask the prescriber")), (supervisor, _("Ask the supervisor"))):
        if pk not in (None, person.pk):
            found.append({"label": str(label), "url": f"{here}?choice=not_yet&to={pk}", "kind": "2"})
    watch = gettext("Watch, recheck in {days} days").format(days=follow_up.RECHECK_DAYS)
    return [
        *found,
        {"label": watch, "url": f"{here}?choice={Decision.Choice.WATCH}", "kind": "2"},
        {"label": gettext("Other decision"), "url": here, "kind": "3"},
    ]


def _shown_paths(decision: fit.Decision) -> tuple[str, ...]:
    """The paths that a card speaks of: what something speaks for."""
    return tuple(m for m in MODALITY_WORDS if decision.supports[m] or m == decision.suggested)


def hold_lines(decision: fit.Decision, standing: holds.Standing, person: User) -> list[dict[str, Any]]:
    """What stands in the way of these paths now, and who cleared what."""
    paths = _shown_paths(decision)
    return [hold_views.line(hold, person, paths) for hold in standing.holds if set(hold.paths) & set(paths)]


def hold_rows(decision: fit.Decision) -> list[dict[str, Any]]:
    """What was on hold, by which rule, and what was to be done: for a card that is not open any more."""
    return [
        {
            "text": gettext("{path} is on hold by {rule}. To clear it: {must}").format(
                path=_capital(modality), rule=rule_id, must=table.rule(rule_id).human_action
            ),
            "cleared": False,
        }
        for modality in _shown_paths(decision)
        for rule_id in decision.holds[modality]
    ]


def conflict_words(conflict: fit.Conflict) -> str:
    path = _capital(conflict.modality)
    parts = [gettext("{path}: {rules} speak for it").format(path=path, rules=", ".join(conflict.supported_by))]
    if conflict.excluded_by:
        parts.append(gettext("{rules} against it").format(rules=", ".join(conflict.excluded_by)))
    if conflict.held_by:
        parts.append(gettext("{rules} hold it").format(rules=", ".join(conflict.held_by)))
    return ", ".join(parts) + "."


def _capital(modality: str) -> str:
    words = modality_words([modality])
    return f"{words[0].upper()}{words[1:]}"


@staff_page(Permission.READ_CHART)
def suggestion(request: StaffRequest, pk: UUID, suggestion: UUID) -> HttpResponse:
    """Read the card; whoever may review it writes a line of reasoning."""
    at = timezone.now()
    found: Suggestion = record_of(request, Suggestion, suggestion, of=pk)
    client = client_of(request, pk)
    may_review = Permission.REVIEW_SUGGESTION in allowed(request.user, client)
    form = ReviewForm(request.POST or None)
    if request.method == "POST":
        if not may_review:
            raise Http404
        if form.is_valid() and _reviewed(request, found, form, at):
            return redirect("suggestion", pk, found.pk)
    else:
        audit.seen(request, client, "suggestion", found)
    newer = None
    if found.state == Suggestion.State.SUPERSEDED:
        newer = client.suggestions.filter(opened_at__gt=found.opened_at).order_by("opened_at").last()
    context = {
        **frame(request, client, at),
        "card": card(found, client, request, at),
        "form": form,
        "newer": newer,
        "may_review": may_review and found.state == Suggestion.State.OPEN,
    }
    return render(request, "referrals/suggestion.html", context, status=400 if form.errors else 200)


def _reviewed(request: StaffRequest, found: Suggestion, form: ReviewForm, at: datetime) -> bool:
    reasoning = form.cleaned_data["reasoning"]
    try:
        actions.review(by=request.user, suggestion=found, reasoning=reasoning, at=at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    messages.success(request, gettext("Marked as reviewed, with your reasoning."))
    return True


@staff_page(Permission.WRITE_NOTE)
def trials_confirm(request: StaffRequest, pk: UUID, intake: UUID) -> HttpResponse:
    """A clinician went over the past trials; the decision table may count them from now on."""
    sitting: Intake = record_of(request, Intake, intake, of=pk)
    if request.method == "POST":
        try:
            first = actions.confirm_trials(by=request.user, sitting=sitting, at=timezone.now())
        except NotNow as sentence:
            messages.error(request, str(sentence))
        else:
            words = gettext("Confirmed. The rules count these trials from now on.")
            already = gettext("Confirmed already, by {who}.").format(
                who=named(sitting.trials_confirmed_by, request.user)
            )
            messages.success(request, words if first else already)
    return redirect("intake_read", pk, sitting.pk)
