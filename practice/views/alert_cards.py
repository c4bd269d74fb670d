"""A safety flag as staff read it: its cards on the chart, its story, and each event in words."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import words
from practice.access import Permission
from practice.clinical import escalation, table
from practice.models import Alert, AlertEvent, AlertNotice, Client, SafetyContact
from practice.templatetags.ui import full_day, moment
from practice.views import rules
from practice.views.chart import Panel, allowed, named, open_flags, past_flags, reader

Kind = AlertEvent.Kind

PAST_SHOWN = 6

RUNG_WORDS = dict(
    zip(escalation.RUNGS, (_("their therapist"), _("the backup"), _("the supervisor"), _("the admins")), strict=True)
)

# What a client may tap on a support page, by the code that is kept.
TAPPED_WORDS = {
    "call_988": _("Call 988"),
    "text_988": _("Text 988"),
    "chat_988": _("Chat with 988"),
    "call_911": _("Call 911"),
    "support_call": _("Call the person they trust"),
    "support_text": _("Text the person they trust"),
    "practice_call": _("Call the practice"),
    "help_now": _("I need help now"),
    "where": _("Where are you right now?"),
}


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """One card for each open flag, so that no flag hides another; below, those of the client's history elsewhere."""
    flags, past = open_flags(client), past_flags(client)
    if not flags and not past:
        return None
    may_act = Permission.ACT_ON_ALERT in allowed(reader(request), client)
    cards = [card(flag, reader(request), may_act, at) for flag in flags]
    if len(cards) > 1:
        for n, one in enumerate(cards, 1):
            one["title"] = gettext("{title} ({n} of {count})").format(title=one["title"], n=n, count=len(cards))
    rows = [past_row(flag) for flag in past]
    return Panel("practice/alerts_panel.html", {"cards": cards, "past": rows[:PAST_SHOWN], "older": rows[PAST_SHOWN:]})


def past_row(flag: Alert) -> dict[str, Any]:
    """A safety answer from another system: its day, how serious it was by our rules, and what was answered."""
    return {
        "url": reverse("alert", args=[flag.client_id, flag.pk]),
        "on": full_day(flag.opened_at),
        "severity": flag.get_severity_display(),
        "why": ", ".join(rules.name(rule_id) for rule_id in flag.rule_ids),
        "answers": "; ".join(str(row.get("answer", "")) for row in flag.answers or []),
    }


def card(flag: Alert, reader: Any, may_act: bool, at: datetime) -> dict[str, Any]:
    """All that one flag says of itself: what was answered, which rule, what the client saw, who was told (D9)."""
    args = [flag.client_id, flag.pk]
    events = sorted(flag.events.all(), key=lambda e: e.at)
    chips = []
    if flag.left_at:
        chips.append(chip("log-out", gettext("Left after a safety answer, {time}").format(time=moment(flag.left_at))))
    if flag.call_wanted_at:
        chips.append(chip("phone", gettext("Asked for a call, {time}").format(time=moment(flag.call_wanted_at))))
    return {
        "flag": flag,
        "id": f"flag-{flag.pk}",
        "title": gettext("Safety flag: {severity}").format(severity=flag.get_severity_display().lower()),
        "when": gettext("Opened {when}").format(when=moment(flag.opened_at)),
        "chips": chips,
        "answers": [
            {"label": row.get("question", ""), "value": row.get("answer", ""), "mark": entered_words(row)}
            for row in flag.answers or []
        ],
        "seen": [line for event in events if (line := seen_words(event))],
        "rules": [rule_words(rule) for rule in flag.rules],
        "told": [told_words(event) for event in events if event.kind == Kind.TOLD],
        "state": state_words(flag, reader, at),
        "contacts": [contact_facts(contact, reader) for contact in flag.contacts.all()],
        "notes": [event for event in events if event.kind == Kind.ADDED and event.words],
        "url": reverse("alert", args=args),
        "plan_url": reverse("safety_plan", args=args[:1]),
        "answers_url": reverse("intake_read", args=[flag.client_id, flag.source_id])
        if flag.source == Alert.Source.INTAKE and flag.source_id
        else "",
        "acknowledge_url": reverse("alert_acknowledge", args=args)
        if may_act and flag.is_open and not flag.acknowledged_at
        else "",
        "may_act": may_act,
    }


ENTERED = {
    "phone": _("Said by phone, entered by {name}, {when}"),
    "room": _("Said in the room, entered by {name}, {when}"),
    "guardian": _("Answered by {name}, not by the client, {when}"),
}


def entered_words(row: dict[str, Any]) -> str:
    """That staff entered this answer, or a guardian gave it, how and when; "" for the client's own."""
    if "how" not in row:
        return ""
    return str(ENTERED[row["how"]]).format(name=row["who"], when=moment(datetime.fromisoformat(row["at"])))


def chip(icon: str, text: str) -> dict[str, str]:
    return {"tone": "safety-soft", "icon": icon, "text": text}


def seen_words(event: AlertEvent) -> str:
    """What the client saw or did, in one line; empty for an event of the practice."""
    time = moment(event.at)
    if event.kind == Kind.TAPPED:
        what = str(event.facts.get("what", ""))
        return gettext("Tapped “{what}”, {time}").format(
            what=TAPPED_WORDS.get(what, what.replace("_", " ").capitalize()), time=time
        )
    said = {
        Kind.SHOWN: gettext("Was shown 988 and the support page, {time}"),
        Kind.CALL_WANTED: gettext("Asked to be called, {time}"),
        Kind.CALL_UNWANTED: gettext("Took back the request for a call, {time}"),
        Kind.LEFT: gettext("Left after a safety answer, {time}"),
        Kind.CAME_BACK: gettext("Came back and went on, {time}"),
    }.get(Kind(event.kind), "")
    if event.kind == Kind.SHOWN and event.facts.get("guardian"):
        return gettext("Their guardian was shown 988 and the support page, {time}").format(time=time)
    if event.kind == Kind.LEFT and event.facts.get("guardian"):
        return gettext("Their guardian left after a safety answer, {time}").format(time=time)
    return said.format(time=time)


def rule_words(rule: dict[str, str]) -> dict[str, str]:
    """One reason for a flag: the rule's own words and source, or those of a reason that is no rule."""
    said = {"name": rules.name(rule["id"]), "version": rule.get("version", "")}
    link = {"url": reverse("rule", args=[rule["id"]])}
    if rule["id"] in rules.OWN:
        _title, reason, must = rules.OWN[rule["id"]]
        return {**said, **link, "reason": str(reason), "must": str(must), "source": ""}
    try:
        found = table.rule(rule["id"])
    except ValueError:  # a rule of an older table
        return {**said, "url": "", "reason": "", "must": "", "source": ""}
    return {**said, **link, "reason": found.reason, "must": found.human_action, "source": found.citation}


def told_words(event: AlertEvent) -> str:
    return gettext("{name}, {why}, {time}").format(
        name=event.facts.get("name", ""), why=why_told(event), time=moment(event.at)
    )


def why_told(event: AlertEvent) -> str:
    return str(AlertNotice.Why(event.facts["why"]).label)


def state_words(flag: Alert, reader: Any, at: datetime) -> str:
    """Where the flag stands: who picked it up and closed it, or how long it waits and who hears of it next."""
    if flag.is_historical:
        return gettext("Answered {day}, and taken over from another system. Nobody was called; it stays here.").format(
            day=full_day(flag.opened_at)
        )
    said = []
    if flag.acknowledged_at:
        said.append(
            gettext("Picked up by {who}, {time}, after {long}.").format(
                who=named(flag.acknowledged_by, reader),
                time=moment(flag.acknowledged_at),
                long=words.length(flag.acknowledged_at - flag.opened_at),
            )
        )
    elif flag.is_open:
        said.append(gettext("Nobody has picked it up for {long}.").format(long=words.length(at - flag.opened_at)))
        if flag.climbs_at:
            rung = RUNG_WORDS[escalation.RUNGS[flag.rung + 1]]
            said.append(gettext("Next: {who}, {time}.").format(who=rung, time=moment(flag.climbs_at)))
    if flag.closed_at and not flag.is_drill:
        said.append(
            gettext("Closed by {who}, {time}: {action}.").format(
                who=named(flag.closed_by, reader), time=moment(flag.closed_at), action=flag.get_action_display()
            )
        )
    return " ".join(said)


def contact_facts(contact: SafetyContact, reader: Any) -> dict[str, Any]:
    return {
        "title": gettext("{what}, {time}, by {who}").format(
            what=contact.get_reached_display(), time=moment(contact.at), who=named(contact.by, reader)
        ),
        "rows": [
            {"label": gettext("Level"), "value": contact.get_level_display()},
            {"label": gettext("Action"), "value": contact.action},
            {"label": gettext("Plan"), "value": contact.plan},
            {"label": gettext("Next check"), "value": moment(contact.next_check_at)},
            {"label": gettext("Recorded"), "value": moment(contact.recorded_at)},
        ],
    }


def chain(flag: Alert, reader: Any) -> list[dict[str, str]]:
    """Every event in order, each in words: the story that a colleague reads the next morning (journeys, script 2)."""
    return [
        {"when": moment(event.at), "what": event_words(event, reader), "words": event.words}
        for event in sorted(flag.events.all(), key=lambda e: e.at)
    ]


def event_words(event: AlertEvent, reader: Any) -> str:
    if seen := seen_words(event).removesuffix(f", {moment(event.at)}"):
        return gettext("Client: {what}").format(what=seen)
    if event.kind == Kind.TOLD:
        rung = RUNG_WORDS[escalation.RUNGS[min(event.facts.get("rung", 0), 3)]]
        return gettext("Told {name} ({why}; step: {rung})").format(
            name=event.facts.get("name", ""), why=why_told(event), rung=rung
        )
    if event.kind == Kind.CONTACT:
        label = str(SafetyContact.Reached(event.facts["reached"]).label)
        return gettext("Contact recorded by {who}: {what}").format(who=named(event.by, reader), what=label)
    more = event.kind == Kind.ADDED and not event.words
    label = gettext("More was answered") if more else str(event.get_kind_display())
    fired = ", ".join(rules.name(rule_id) for rule_id in event.facts.get("rules", ()))
    label = f"{label} ({fired})" if fired else label
    return gettext("{what}, by {who}").format(what=label, who=named(event.by, reader)) if event.by else label
