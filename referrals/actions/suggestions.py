"""Writes over several models of referrals: opening a review card from new answers, and reviewing it."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from intake.models import Assessment, Intake
from practice import audit, coverage
from practice.actions import NotNow
from practice.clinical import fit, table, tuning
from practice.clinical.scoring import worst
from practice.models import Client, Practice, Task, User
from referrals import picture
from referrals.models import Suggestion

BOTH = "IN-01"  # depression and a suicidal sign, each over the practice's line: its two halves are lines of their own
RECONCILE = "SR-08"
State = Suggestion.State


@transaction.atomic
def suggest(*, by: User | None, client: Client, sitting: Intake | None, at: datetime) -> Suggestion | None:
    """Open the review card that the answers call for, in place of an open one. A reviewed card is left as it is.

    Writes the rules that fired onto the assessments of `sitting`. Nothing here is a diagnosis, and nothing is shown to
    the client. Returns None when there is nothing to weigh; an older open card then stays until somebody reviews it.
    """
    Client.objects.hold(client.pk)
    practice = Practice.get()
    today = coverage.local(at, practice).date()
    known = picture.known(client, today)
    overrides = own_numbers(practice)
    decision = fit.decide(known.inputs, overrides=overrides)
    fired = [{"id": rule.id, "version": rule.version} for rule in (*decision.fired, *decision.superseded)]
    if sitting is not None:
        _note_on_assessments(sitting, (*decision.fired, *decision.superseded))
    if RECONCILE in decision.rule_ids:
        Task.open(client, "reconcile", at=at, due_at=coverage.routine_by(at, practice), rules=[RECONCILE])
    if not is_worth_a_card(known.inputs, overrides):
        return None
    before = Suggestion.objects.select_for_update(no_key=True).filter(client=client, state=State.OPEN).first()
    if before is not None:
        Suggestion.objects.filter(pk=before.pk).update(state=State.SUPERSEDED)
        Task.finish(client, "suggestion", at=at, by=None, subject_id=before.pk)
    severity = severity_of(decision, known.inputs, overrides)
    card = Suggestion(
        client=client,
        intake_id=sitting.pk if sitting else None,
        suggested=decision.suggested,
        status=decision.status,
        severity=severity,
        rules=fired,
        rules_version=tuning.version(overrides),
        overrides=overrides,
        opened_at=at,
        decide_by=_decide_by(severity, at, practice),
    )
    card.picture = {"inputs": known.inputs, "dates": known.dates}
    card.save(force_insert=True)
    audit.record("suggestion.opened", by=by, client=client, target=card, at=at, rules=[rule["id"] for rule in fired])
    if severity != "info":
        Task.open(
            client,
            "suggestion",
            at=at,
            subject_id=card.pk,
            due_at=card.decide_by,
            suggested=decision.suggested,
            status=decision.status,
            rules=list(decision.rule_ids),
        )
    return card


def own_numbers(practice: Practice) -> dict[str, dict[str, float]]:
    """The practice's own numbers that the table of today still takes; one that it no longer has changes nothing."""
    return tuning.standing(practice.rule_overrides or {})


def over_lines(inputs: dict[str, Any], overrides: table.Overrides) -> tuple[bool, bool]:
    """Whether depression, and whether a suicidal sign, is over the practice's line (D14)."""
    when = table.tuned(table.rule(BOTH), overrides)
    assert isinstance(when, table.Group)
    depression, sign = (table.evaluate(half, inputs) is True for half in when.members)
    return depression, sign


def is_worth_a_card(inputs: dict[str, Any], overrides: table.Overrides) -> bool:
    """Whether a rule speaks for a path, or one of the lines is crossed."""
    return any(over_lines(inputs, overrides)) or any(
        table.evaluate(table.tuned(rule, overrides), inputs) for rule in table.rules() if rule.supports
    )


def severity_of(decision: fit.Decision, inputs: dict[str, Any], overrides: table.Overrides) -> str:
    """The most pressing reason for the card: what speaks for a path, and safety. Depression alone is routine."""
    reasons = [rule.severity for rule in decision.fired if rule.supports or rule.category == "safety"]
    return worst([*reasons, "routine" if any(over_lines(inputs, overrides)) else "info"])


def _decide_by(severity: str, at: datetime, practice: Practice) -> datetime:
    """When the card should be decided; the safety step of an urgent one has its own, faster clock."""
    if severity in ("urgent", "priority"):
        return coverage.read_by(at, practice)
    return coverage.routine_by(at, practice)


def _note_on_assessments(sitting: Intake, fired: tuple[table.Rule, ...]) -> None:
    """Keep with each assessment which rules, at which version, read it and fired."""
    for row in sitting.assessments.all():
        gives = set(row.definition.picture)
        mine = {rule.id: rule.version for rule in fired if gives.intersection(rule.inputs)}
        kept = {rule["id"]: rule["version"] for rule in row.rules}
        rules = [{"id": rule_id, "version": version} for rule_id, version in (kept | mine).items()]
        if rules != row.rules:
            Assessment.objects.filter(pk=row.pk).update(rules=rules)


@transaction.atomic
def review(*, by: User, suggestion: Suggestion, reasoning: str, at: datetime) -> None:
    """Mark the card reviewed, with a named clinician's line of reasoning. Once: the second person reads who it was."""
    if not reasoning.strip():
        raise NotNow(gettext("Write a line of reasoning."))
    Client.objects.hold(suggestion.client_id)
    won = Suggestion.objects.filter(pk=suggestion.pk, state=State.OPEN).update(
        state=State.REVIEWED, reviewed_at=at, reviewed_by=by
    )
    suggestion.refresh_from_db()
    if not won and suggestion.state == State.REVIEWED:
        raise NotNow(
            gettext("{who} reviewed this first. Read their line of reasoning below.").format(who=suggestion.reviewed_by)
        )
    if not won:
        raise NotNow(gettext("Newer answers came in and this card was replaced. Review the newer one."))
    suggestion.reasoning = reasoning
    suggestion.save(update_fields=["reasoning"])
    audit.record("suggestion.reviewed", by=by, client=suggestion.client, target=suggestion, at=at)
    Task.finish(suggestion.client, "suggestion", at=at, by=by, subject_id=suggestion.pk)


@transaction.atomic
def confirm_trials(*, by: User, sitting: Intake, at: datetime) -> bool:
    """Confirm the medicines that were tried, so that the rules may count them, and weigh the client anew.

    Once; returns whether this person was the first.
    """
    if sitting.submitted_at is None:
        raise NotNow(gettext("The client has not sent this form yet."))
    Client.objects.hold(sitting.client_id)
    won = Intake.objects.filter(pk=sitting.pk, trials_confirmed_at=None).update(
        trials_confirmed_at=at, trials_confirmed_by=by
    )
    sitting.refresh_from_db(fields=["trials_confirmed_at", "trials_confirmed_by"])
    audit.record("intake.trials_confirmed", by=by, client=sitting.client, target=sitting, at=at, first=bool(won))
    if won:
        suggest(by=by, client=sitting.client, sitting=None, at=at)
    return bool(won)
