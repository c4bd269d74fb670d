"""What stands in the way of each path of care now, and what clears it. Sending is held; deciding and preparing never.

A safety hold lifts when a person recorded a contact, with a level, after the flag was last raised. Any other hold is
cleared by a person's words, an exclusion by a prescriber's, both good while the answers that the rule read stay as they
were. While a client needs care today, nothing goes anywhere until the emergency steps are recorded.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.urls import reverse
from django.utils.translation import gettext

from practice import coverage
from practice.clinical import fit, table
from practice.models import Alert, Client, Practice, SafetyContact
from practice.sealed import blind
from practice.views.rules import OWN
from referrals import picture
from referrals.actions.suggestions import own_numbers
from referrals.models import CareToday, Clearance, Path

ALL_PATHS = tuple(Path.values)
CARE_TODAY = "care-today"
PRESSING = (Alert.Severity.URGENT, Alert.Severity.PRIORITY)


class Kind(StrEnum):
    """In the order in which they are to be dealt with."""

    CARE_TODAY = "care_today"
    SAFETY = "safety"
    EXCLUDE = "exclude"
    HOLD = "hold"


@dataclass(frozen=True)
class Hold:
    """One rule that stands in the way of some paths."""

    rule: str
    rule_version: str
    reason: str
    must: str
    source: str
    kind: Kind
    paths: tuple[str, ...]
    cleared_by: Clearance | SafetyContact | None
    clear_url: str
    clear_label: str


@dataclass(frozen=True)
class Standing:
    """A client's picture by the rules of today, and all that stands in the way of each path, cleared or not."""

    client: Client
    decision: fit.Decision
    inputs: Mapping[str, Any]
    dates: Mapping[str, str]
    origins: Mapping[str, picture.Origin]
    overrides: table.Overrides
    care_today: CareToday | None
    holds: tuple[Hold, ...]

    def for_path(self, path: str) -> list[Hold]:
        return [hold for hold in self.holds if path in hold.paths]

    def by_rule(self, rule: str) -> list[Hold]:
        return [hold for hold in self.holds if hold.rule == rule]


def blocks(client: Client, path: str, at: datetime) -> list[Hold]:
    """What a person has to clear before anything of this path may be sent, the most pressing first."""
    return uncleared(standing(client, at), path)


def uncleared(found: Standing, path: str) -> list[Hold]:
    return [hold for hold in found.for_path(path) if hold.cleared_by is None]


def standing(client: Client, at: datetime, practice: Practice | None = None) -> Standing:
    practice = practice or Practice.get()
    known = picture.known(client, coverage.local(at, practice).date())
    overrides = own_numbers(practice)
    decision = fit.decide(known.inputs, overrides=overrides)
    care_today = client.care_today.filter(recorded_at=None).select_related("opened_by").first()
    flags = _flags(client)
    fired = (*decision.fired, *decision.superseded)
    safety = [_safety_hold(client, rule, paths, flags, known, practice) for rule, paths in _safety(fired)]
    held = [
        *([_care_today_hold(client, care_today)] if care_today else []),
        *safety,
        *_of_flags(client, flags, {hold.rule for hold in safety}),
        *_by_words(client, fired, known.inputs),
    ]
    return Standing(
        client=client,
        decision=decision,
        inputs=known.inputs,
        dates=known.dates,
        origins=known.origins,
        overrides=overrides,
        care_today=care_today,
        holds=tuple(sorted(held, key=lambda hold: list(Kind).index(hold.kind))),
    )


def _flags(client: Client) -> list[Alert]:
    """Every flag of this client with the contacts recorded on it, the newest first."""
    contacts = Prefetch("contacts", SafetyContact.objects.select_related("by"))
    return list(client.alerts.order_by("-raised_at").prefetch_related(contacts))


def inputs_digest(rule: table.Rule, inputs: Mapping[str, Any]) -> str:
    """A keyed digest of what this rule reads: equal while the answers are, and telling nothing of them."""
    read = {name: sorted(v) if isinstance(v := inputs.get(name), list | tuple | set) else v for name in rule.inputs}
    return blind("inputs", sha256(json.dumps(read, sort_keys=True).encode()).hexdigest())


def _bites(fired: Iterable[table.Rule], rule: table.Rule, paths: Iterable[str]) -> tuple[str, ...]:
    """The paths on which this rule is the one to name: where no stronger one that fired stands in the way too."""
    stronger = [other for other in fired if other.id in rule.superseded_by]
    return tuple(p for p in paths if not any(p in other.holds or p in other.excludes for other in stronger))


# --- Safety: cleared by a contact ------------------------------------------------------------------------------------


def _safety(fired: tuple[table.Rule, ...]) -> list[tuple[table.Rule, tuple[str, ...]]]:
    """The safety rules that hold a path. One that holds some and excludes others asks for its contact on all."""
    holding = [rule for rule in fired if rule.category == "safety" and rule.holds]
    found = [(rule, _bites(fired, rule, dict.fromkeys((*rule.holds, *rule.excludes)))) for rule in holding]
    return [(rule, paths) for rule, paths in found if paths]


def _safety_hold(
    client: Client,
    rule: table.Rule,
    paths: tuple[str, ...],
    flags: list[Alert],
    known: picture.Known,
    practice: Practice,
) -> Hold:
    naming = [flag for flag in flags if rule.id in flag.rule_ids]
    since = max((_raised(flag, rule.id) for flag in naming), default=_said(rule, known, practice))
    contact = _contact(flags, since)
    return Hold(
        rule=rule.id,
        rule_version=rule.version,
        reason=rule.reason,
        must=rule.human_action,
        source=rule.citation,
        kind=Kind.SAFETY,
        paths=paths,
        cleared_by=contact,
        clear_url=_contact_url(client, [*naming, *flags]),
        clear_label=gettext("Record contact"),
    )


def _raised(flag: Alert, rule: str) -> datetime:
    """When this flag, or this rule on it, was last raised."""
    named = [datetime.fromisoformat(row["at"]) for row in flag.rules if row["id"] == rule and row.get("at")]
    return max([flag.raised_at, *named])


def _said(rule: table.Rule, known: picture.Known, practice: Practice) -> datetime | None:
    """The start of the day of the newest answer that the rule reads: for a sign of which no flag was raised."""
    days = [known.dates[name] for name in rule.inputs if name in known.dates]
    if not days:
        return None
    return datetime.combine(datetime.fromisoformat(max(days)).date(), time(), tzinfo=ZoneInfo(practice.zone))


def _contact(flags: Iterable[Alert], since: datetime | None) -> SafetyContact | None:
    """The newest contact with a level, recorded at or after `since`."""
    found = [
        contact
        for flag in flags
        for contact in flag.contacts.all()
        if contact.level != SafetyContact.Level.UNKNOWN and since is not None and contact.recorded_at >= since
    ]
    return max(found, key=lambda contact: contact.recorded_at, default=None)


def _contact_url(client: Client, flags: list[Alert]) -> str:
    """Where the contact is recorded: on the open flag; without one, a person raises a flag first."""
    for flag in flags:
        if flag.is_open:
            return f"{reverse('alert', args=[client.pk, flag.pk])}#contact"
    return reverse("flag_new", args=[client.pk])


def _of_flags(client: Client, flags: list[Alert], named: set[str]) -> list[Hold]:
    """Open flags that the answers sent so far do not explain: a person's own, and those of a sitting not sent yet."""
    found = []
    for flag in flags:
        if not flag.is_open or flag.severity not in PRESSING or named.intersection(flag.rule_ids):
            continue
        for rule_id in flag.rule_ids:
            paths = ALL_PATHS if rule_id in OWN else tuple(dict.fromkeys(_held_by(rule_id)))
            if paths:
                found.append(_flag_hold(client, flag, rule_id, paths))
                break
    return found


def _held_by(rule_id: str) -> tuple[str, ...]:
    rule = next((rule for rule in table.rules() if rule.id == rule_id), None)
    return (*rule.holds, *rule.excludes) if rule is not None and rule.holds else ()


def _flag_hold(client: Client, flag: Alert, rule_id: str, paths: tuple[str, ...]) -> Hold:
    if rule_id in OWN:
        title, reason, must = (str(part) for part in OWN[rule_id])
    else:
        rule = table.rule(rule_id)
        title, reason, must = rule.citation, rule.reason, rule.human_action
    return Hold(
        rule=rule_id,
        rule_version=next(row.get("version", "") for row in flag.rules if row["id"] == rule_id),
        reason=reason,
        must=must,
        source=title,
        kind=Kind.SAFETY,
        paths=paths,
        cleared_by=_contact([flag], _raised(flag, rule_id)),
        clear_url=_contact_url(client, [flag]),
        clear_label=gettext("Record contact"),
    )


# --- Holds and exclusions: cleared by words --------------------------------------------------------------------------


def _by_words(client: Client, fired: tuple[table.Rule, ...], inputs: Mapping[str, Any]) -> list[Hold]:
    holding = [rule for rule in fired if rule.excludes or (rule.holds and rule.category != "safety")]
    written = list(client.clearances.select_related("by")) if holding else []
    found = []
    for rule in holding:
        excludes = _bites(fired, rule, rule.excludes)
        holds = _bites(fired, rule, [path for path in rule.holds if path not in rule.excludes])
        for kind, paths in ((Kind.EXCLUDE, excludes), (Kind.HOLD, holds if rule.category != "safety" else ())):
            if not paths:
                continue
            good = [
                words
                for words in written
                if (words.rule, words.rule_version, words.inputs_digest)
                == (rule.id, rule.version, inputs_digest(rule, inputs))
                and (words.is_override or kind == Kind.HOLD)
            ]
            found.append(
                Hold(
                    rule=rule.id,
                    rule_version=rule.version,
                    reason=rule.reason,
                    must=rule.human_action,
                    source=rule.citation,
                    kind=kind,
                    paths=paths,
                    cleared_by=good[0] if good else None,
                    clear_url=reverse("hold_clear", args=[client.pk, rule.id]),
                    clear_label=gettext("Clear with a line")
                    if kind == Kind.HOLD
                    else gettext("Write a prescriber's reason"),
                )
            )
    return found


def _care_today_hold(client: Client, care_today: CareToday) -> Hold:
    return Hold(
        rule=CARE_TODAY,
        rule_version="1",
        reason=gettext("The client needs care today."),
        must=gettext("Record the emergency steps. Nothing else goes out before that."),
        source=gettext("A person's decision"),
        kind=Kind.CARE_TODAY,
        paths=ALL_PATHS,
        cleared_by=None,
        clear_url=reverse("care_today", args=[client.pk]),
        clear_label=gettext("Record the steps"),
    )
