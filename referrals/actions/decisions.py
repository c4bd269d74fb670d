"""Writes around a decision: what was decided and why, questions to colleagues, what clears a hold, care today."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext

from intake import measures
from intake.models import Measure
from practice import audit, coverage, notices
from practice.access import Permission
from practice.actions import NotNow, write_note
from practice.clinical import follow_up, tuning
from practice.models import Client, Practice, Task, User
from practice.templatetags.ui import moment
from referrals import holds
from referrals.actions import suggestions
from referrals.models import Addendum, CareToday, CaseQuestion, Clearance, Decision, Suggestion

Choice = Decision.Choice
RECHECK_PACKET = "check-in"
# What ends the short check-ins that an earlier decision for an infusion clinic began.
ENDS_INTERIM = (Choice.PAIN, Choice.AT_HOME, Choice.KAP, Choice.NONE)


@transaction.atomic
def decide(
    *,
    by: User,
    client: Client,
    suggestion: Suggestion | None,
    choice: str,
    urgency: str,
    weighed: Sequence[str],
    offered: Sequence[str],
    said: str,
    said_words: str,
    reasoning: str,
    review_on: date | None,
    at: datetime,
    question: str = "",
    to: User | None = None,
    seen: str | None = None,
) -> Decision:
    """Keep what was decided, with the evidence as it is now, and start what follows from it.

    The card it answers is reviewed by it: of two people, one wins. `seen` is the newest decision that the writer had
    read ("" for none); a newer one has to be read first.
    """
    if not reasoning.strip():
        raise NotNow(gettext("Write one line of reasoning."))
    client = Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    newest = client.decisions.select_related("by").first()
    if seen is not None and newest is not None and str(newest.pk) != seen:
        raise NotNow(
            gettext("{who} wrote a decision meanwhile, {when}. Read it, then decide.").format(
                who=newest.by, when=moment(newest.at)
            )
        )
    standing = holds.standing(client, at)
    if choice == Choice.WATCH and review_on is None:
        review_on = _today(at) + timedelta(days=follow_up.RECHECK_DAYS)
    decision = Decision(
        client=client,
        suggestion=suggestion,
        choice=choice,
        urgency=urgency,
        weighed=list(weighed),
        offered=list(offered),
        said=said,
        rules_version=tuning.version(standing.overrides),
        review_on=review_on,
        by=by,
        at=at,
    )
    decision.said_words, decision.reasoning, decision.snapshot = said_words, reasoning, snapshot(standing)
    decision.save(force_insert=True)
    audit.record("decision.made", by=by, client=client, target=decision, at=at)
    if suggestion is not None:
        suggestions.review(by=by, suggestion=suggestion, reasoning=reasoning, at=at)
    Task.finish(client, "recheck", at=at, by=by)
    _follow(decision, standing, question, to)
    return decision


def snapshot(standing: holds.Standing) -> dict[str, Any]:
    """The evidence as it stood: what was known and since when, which rules fired, and what stood in the way."""
    found = standing.decision
    return {
        "inputs": dict(standing.inputs),
        "dates": dict(standing.dates),
        "overrides": dict(standing.overrides),
        "rules": [{"id": rule.id, "version": rule.version} for rule in (*found.fired, *found.superseded)],
        "unknowns": [unknown.input for unknown in found.unknowns],
        "supports": {path: list(rules) for path, rules in found.supports.items()},
        "holds": {path: list(rules) for path, rules in found.holds.items()},
        "excludes": {path: list(rules) for path, rules in found.excludes.items()},
        "cleared": [
            {"rule": hold.rule, "kind": str(hold.kind)} for hold in standing.holds if hold.cleared_by is not None
        ],
    }


def _follow(decision: Decision, standing: holds.Standing, question: str, to: User | None) -> None:
    """What a decision starts, by its choice."""
    client, by, at = decision.client, decision.by, decision.at
    if decision.choice in ENDS_INTERIM:
        measures.stop_interim(by=by, client=client, at=at)
    if decision.choice == Choice.INFUSION and has_sign(standing):
        measures.start_interim(by=by, client=client, subject_id=decision.pk, at=at)
    if decision.choice == Choice.WATCH and decision.review_on is not None:
        due = follow_up.days_later(at, (decision.review_on - _today(at)).days, Practice.get().zone)
        measures.plan(client, RECHECK_PACKET, Measure.Why.RECHECK, due, subject_id=decision.pk, at=at, by=by)
        Task.open(client, "recheck", at=at, subject_id=decision.pk, due_at=due)
    if decision.choice == Choice.NOT_YET:
        ask_colleague(by=by, client=client, to=to, question=question, at=at, decision=decision)
    if decision.choice == Choice.CARE_TODAY:
        open_care_today(by=by, client=client, reason=decision.reasoning, at=at)


def _today(at: datetime) -> date:
    return coverage.local(at, Practice.get()).date()


def has_sign(standing: holds.Standing) -> bool:
    """Whether there is a suicidal sign, by the practice's line."""
    return suggestions.over_lines(dict(standing.inputs), standing.overrides)[1]


@transaction.atomic
def add_words(*, by: User, decision: Decision, words: str, at: datetime) -> Addendum:
    """Add to a decision; what was written before stays as it was."""
    if not words.strip():
        raise NotNow(gettext("Write what you want to add."))
    addendum = Addendum(decision=decision, by=by, at=at)
    addendum.words = words
    addendum.save(force_insert=True)
    audit.record("decision.added", by=by, client=decision.client, target=decision, at=at)
    return addendum


@transaction.atomic
def finish_recheck(*, by: User, decision: Decision, words: str, at: datetime) -> None:
    """Record what the recheck of this decision found. Once; a second person's words are added all the same."""
    Client.objects.hold(decision.client_id)
    add_words(by=by, decision=decision, words=words, at=at)
    Task.finish(decision.client, "recheck", at=at, by=by, subject_id=decision.pk)


def open_reviews(*, at: datetime) -> int:
    """Open the item for each decision whose review date has come, unless somebody decided anew. Each once."""
    later = Decision.objects.filter(client=OuterRef("client"), at__gt=OuterRef("at"))
    told = Task.objects.filter(client=OuterRef("client"), kind="recheck", subject_id=OuterRef("pk"))
    due = Decision.objects.filter(~Exists(later), ~Exists(told), review_on__lte=_today(at))
    found = list(due.exclude(client__status__in=Client.LEFT).select_related("client"))
    for decision in found:
        with transaction.atomic():
            Client.objects.hold(decision.client_id)
            Task.open(decision.client, "recheck", at=at, subject_id=decision.pk, due_at=at)
            audit.record("decision.review_came", by=None, client=decision.client, target=decision, at=at)
    return len(found)


# --- Questions to colleagues -----------------------------------------------------------------------------------------


def colleagues(client: Client, by: User) -> list[User]:
    """Whom this person may ask about this client: who treats, prescribes and supervises, and may read the chart."""
    therapist = client.therapist
    people = [therapist, client.prescriber, therapist.supervisor if therapist else None]
    named = list(dict.fromkeys(person for person in people if person is not None and person != by))
    return [person for person in named if Client.objects.visible_to(person, Permission.READ_CHART).filter(pk=client.pk)]


@transaction.atomic
def ask_colleague(
    *, by: User, client: Client, to: User | None, question: str, at: datetime, decision: Decision | None = None
) -> CaseQuestion:
    """Ask a named colleague who may see this client. The mail to them says nothing but that there is a question."""
    if not question.strip():
        raise NotNow(gettext("Write what you need to know."))
    if to is None or to not in colleagues(client, by):
        raise NotNow(gettext("Choose a colleague who may see this client."))
    Client.objects.hold(client.pk)
    asked = CaseQuestion(client=client, decision=decision, to=to, asked_by=by, asked_at=at)
    asked.question = question
    asked.save(force_insert=True)
    audit.record("question.asked", by=by, client=client, target=asked, at=at)
    due = coverage.routine_by(at, Practice.get())
    Task.open(client, "case_question", at=at, subject_id=asked.pk, due_at=due, owner=to)
    notices.tell_staff(
        to, "question", answered=False, link=notices.link(reverse("case_question", args=[client.pk, asked.pk]))
    )
    return asked


@transaction.atomic
def answer(*, by: User, asked: CaseQuestion, words: str, at: datetime) -> None:
    """Answer a question; once, by the person who was asked. The asker finds it on the decision and in "This week"."""
    if not words.strip():
        raise NotNow(gettext("Write your answer."))
    if asked.to != by:
        raise NotNow(gettext("This question is for {who}.").format(who=asked.to))
    Client.objects.hold(asked.client_id)
    if not CaseQuestion.objects.filter(pk=asked.pk, answered_at=None).update(answered_at=at, answered_by=by):
        raise NotNow(gettext("You answered this already. Your first answer stands."))
    asked.refresh_from_db()
    asked.answer = words
    asked.save(update_fields=["answer"])
    audit.record("question.answered", by=by, client=asked.client, target=asked, at=at)
    Task.finish(asked.client, "case_question", at=at, by=by, subject_id=asked.pk)
    if asked.decision_id is not None:
        Task.open(asked.client, "recheck", at=at, subject_id=asked.decision_id, owner=asked.asked_by, answered=True)
    _tell(asked.asked_by, asked, answered=True)


def _tell(person: User, asked: CaseQuestion, *, answered: bool) -> None:
    here = reverse("case_question", args=[asked.client_id, asked.pk])
    notices.tell_staff(person, "question", answered=answered, link=notices.link(here))


# --- Holds -----------------------------------------------------------------------------------------------------------


def clear_hold(*, by: User, client: Client, rule: str, words: str, at: datetime) -> Clearance:
    """Clear what this rule holds, by a clinician's words. A safety hold is not cleared here."""
    return _clear(by, client, rule, words, at, override=False)


def override(*, by: User, client: Client, rule: str, words: str, at: datetime) -> Clearance:
    """A prescriber's written reason against what this rule excludes."""
    return _clear(by, client, rule, words, at, override=True)


@transaction.atomic
def _clear(by: User, client: Client, rule_id: str, words: str, at: datetime, *, override: bool) -> Clearance:
    needed = Permission.OVERRIDE_EXCLUSION if override else Permission.DECIDE
    client = Client.objects.hold(client.pk)
    Client.objects.get_for(by, needed, client.pk)
    if not words.strip():
        raise NotNow(gettext("Write why this may go on."))
    standing = holds.standing(client, at)
    found = [
        hold for hold in standing.by_rule(rule_id) if hold.kind == (holds.Kind.EXCLUDE if override else holds.Kind.HOLD)
    ]
    if not found:
        raise NotNow(gettext("Nothing of this kind is on hold by {rule} now.").format(rule=rule_id))
    first = found[0].cleared_by
    if first is not None:
        raise NotNow(gettext("{who} cleared this first, {when}.").format(who=first.by, when=moment(first.at)))
    rule = next(rule for rule in _fired(standing) if rule.id == rule_id)
    row = Clearance(
        client=client,
        rule=rule.id,
        rule_version=rule.version,
        inputs_digest=holds.inputs_digest(rule, standing.inputs),
        is_override=override,
        by=by,
        at=at,
    )
    row.words = words
    row.save(force_insert=True)
    audit.record(
        "exclusion.overridden" if override else "hold.cleared", by=by, client=client, target=row, at=at, rule=rule.id
    )
    return row


def _fired(standing: holds.Standing) -> tuple[Any, ...]:
    return (*standing.decision.fired, *standing.decision.superseded)


# --- Care today ------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_care_today(*, by: User, client: Client, reason: str, at: datetime) -> CareToday:
    """Say that this client needs care today: nothing else goes out until the emergency steps are recorded."""
    if not reason.strip():
        raise NotNow(gettext("Write what you saw or heard."))
    client = Client.objects.hold(client.pk)
    before: CareToday | None = client.care_today.filter(recorded_at=None).select_related("opened_by").first()
    if before is not None:
        raise NotNow(
            gettext("{who} opened this at {when}. Record the steps there.").format(
                who=before.opened_by, when=moment(before.opened_at)
            )
        )
    row = CareToday(client=client, opened_at=at, opened_by=by)
    row.reason = reason
    row.save(force_insert=True)
    audit.record("care_today.opened", by=by, client=client, target=row, at=at)
    Task.open(client, "care_today", at=at, subject_id=row.pk, due_at=at)
    return row


@transaction.atomic
def record_care_today(
    *,
    by: User,
    care_today: CareToday,
    steps: Sequence[str],
    where: str,
    with_whom: str,
    outcome: str,
    next_check_at: datetime,
    at: datetime,
) -> None:
    """Record the emergency steps, once. Other paths are open again, and the next check stands on the caseload."""
    if not steps or not outcome.strip():
        raise NotNow(gettext("Choose what was done, and write how it ended."))
    Client.objects.hold(care_today.client_id)
    if not CareToday.objects.filter(pk=care_today.pk, recorded_at=None).update(recorded_at=at, recorded_by=by):
        care_today.refresh_from_db()
        raise NotNow(
            gettext("{who} recorded the steps first, {when}. Read them below.").format(
                who=care_today.recorded_by, when=moment(care_today.recorded_at)
            )
        )
    care_today.refresh_from_db()
    care_today.steps, care_today.next_check_at = list(steps), next_check_at
    care_today.where, care_today.with_whom, care_today.outcome = where, with_whom, outcome
    care_today.save(update_fields=["steps", "next_check_at", "where", "with_whom", "outcome"])
    audit.record("care_today.recorded", by=by, client=care_today.client, target=care_today, at=at)
    Task.finish(care_today.client, "care_today", at=at, by=by, subject_id=care_today.pk)
    Task.open(care_today.client, "care_check", at=at, subject_id=care_today.pk, due_at=next_check_at)


@transaction.atomic
def finish_care_check(*, by: User, client: Client, words: str, at: datetime) -> None:
    """Record the check that was agreed after care today, as a note. Once; the second person reads who was first."""
    Client.objects.hold(client.pk)
    if not Task.objects.filter(client=client, kind="care_check", done_at=None).update(done_at=at, done_by=by):
        last = client.tasks.filter(kind="care_check").select_related("done_by").order_by("-done_at").first()
        raise NotNow(
            gettext("{who} recorded this check first.").format(who=last.done_by if last else gettext("Somebody"))
        )
    client.refresh_rank()
    write_note(by=by, client=client, words=words, at=at)
    audit.record("care_today.checked", by=by, client=client, at=at)
