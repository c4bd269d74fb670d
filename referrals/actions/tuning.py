"""Trying other numbers in a rule on what came in, and saving what was tried."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from practice import audit, coverage
from practice.actions import NotNow
from practice.clinical import table, tuning
from practice.models import Client, Practice, User
from referrals import tuning as past
from referrals.actions.suggestions import own_numbers
from referrals.models import RuleChange

GOOD_FOR = timedelta(days=1)  # what comes in meanwhile makes a preview old


@transaction.atomic
def try_numbers(*, by: User, rule: table.Rule, numbers: Mapping[str, float], at: datetime) -> RuleChange:
    """Weigh the last 90 days with these numbers in a rule, and keep what came of it. Nothing else changes.

    Raises NotNow when a number is not the practice's to set, or nothing would change.
    """
    open_ = tuning.numbers(rule.id)
    if not open_:
        raise NotNow(gettext("The numbers of this rule are fixed."))
    if any(name not in open_ or not tuning.fits(open_[name], value) for name, value in numbers.items()):
        raise NotNow(gettext("That number cannot stand in this rule."))
    if tuning.crossed(rule.id, numbers):
        raise NotNow(gettext("With these numbers the rule would never fire: the lower one is not under the upper one."))
    practice = Practice.get()
    before = own_numbers(practice)
    after = tuning.standing({**before, rule.id: dict(numbers)})
    if after == before:
        raise NotNow(gettext("These are the numbers that are in use now. Nothing would change."))
    effect = past.weigh(past.cases(Client.objects.values("pk"), at, practice), before=before, after=after)
    change = RuleChange.objects.create(
        rule=rule.id,
        before=before,
        after=after,
        rules_version=tuning.version(after),
        since=coverage.local(past.since(at), practice).date(),
        counts=past.counts(effect),
        by=by,
        at=at,
    )
    audit.record("rules.tried", by=by, target=change, at=at, **_facts(change))
    return change


@transaction.atomic
def save_numbers(*, by: User, change: RuleChange, reason: str, at: datetime) -> RuleChange:
    """Put the numbers that were tried in force, as the next version, for what comes in from now on."""
    if not reason.strip():
        raise NotNow(gettext("Write why the number changes."))
    practice = Practice.objects.select_for_update(no_key=True).get(pk=1)
    change = RuleChange.objects.select_for_update(no_key=True).get(pk=change.pk)
    if change.number is not None:
        raise NotNow(gettext("{who} saved this already.").format(who=change.saved_by))
    if own_numbers(practice) != change.before:
        raise NotNow(gettext("The numbers were changed since this was tried. Try it again, then save."))
    if at - change.at > GOOD_FOR:
        raise NotNow(gettext("This was tried more than a day ago. Try it again, then save."))
    change.number = (RuleChange.objects.aggregate(n=Max("number"))["n"] or 0) + 1
    change.saved_by, change.saved_at, change.reason = by, at, reason
    change.save(update_fields=["number", "saved_by", "saved_at", "reason"])
    Practice.objects.filter(pk=1).update(rule_overrides=change.after)
    audit.record("rules.changed", by=by, target=change, at=at, version=change.number, **_facts(change))
    return change


def _facts(change: RuleChange) -> dict[str, Any]:
    """The rule and its numbers, before and after: the practice's, not a client's. The reason stays in the row."""
    return {
        "rule": change.rule,
        "before": change.before.get(change.rule, {}),
        "after": change.after.get(change.rule, {}),
    }
