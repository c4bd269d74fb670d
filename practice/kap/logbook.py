"""Each kind of line in the log of a session: what it takes from a device, and how it reads.

A line is a fact that somebody saw. One that cannot be (a blood pressure of 1200/8) is given back with a sentence.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.actions import NotNow
from practice.clinical import room as rules
from practice.clinical import table
from practice.kap.models import Entry, Route, Session
from practice.templatetags.ui import clock, full_day

Kind = Entry.Kind
TEXT = 1000
HUNDREDTH = Decimal("0.01")  # of a milligram, as a clearance counts
LEAST_DBP = 20  # a lower one is a number left out, as 120/8; no rule of care reads this
ALARM = "attention"  # of the checks: told at once when it comes from the home
CHECKS = {"as_expected": _("As expected"), "frightened": _("Frightened"), ALARM: _("Needs attention")}
THEN = {"spit": _("spat out"), "swallow": _("swallowed")}
WHEN = {"before": _("Before the dose"), "during": _("Near the peak"), "after": _("After")}


# --- What it takes ---------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    return str(value or "").replace("\x00", "")[:TEXT]


def _asked(part: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def take(facts: Mapping[str, Any]) -> dict[str, Any]:
        item = next((each for each in rules.items(part) if each.code == facts.get("item")), None)
        answer = facts.get("answer")
        if item is not None and item.most is not None and str(answer).isdecimal():
            answer = int(str(answer)[:3])
        if item is None or not item.takes(answer):
            raise NotNow(gettext("Choose one of the answers."))
        return {"item": item.code, "answer": answer, "words": text(facts.get("words"))}

    return take


def _vitals(facts: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: _whole(facts.get(name)) for name in ("sbp", "dbp", "pulse", "spo2")}
    if numbers["sbp"] is None or numbers["dbp"] is None:
        raise NotNow(gettext("Enter both numbers of the blood pressure."))
    try:
        table.check_picture({"sbp": numbers["sbp"], "dbp": numbers["dbp"]})
        possible = numbers["sbp"] > numbers["dbp"] >= LEAST_DBP
    except ValueError:
        possible = False
    pulse, oxygen = numbers["pulse"], numbers["spo2"]
    if (
        not possible
        or (pulse is not None and not 20 <= pulse <= 250)
        or (oxygen is not None and not 50 <= oxygen <= 100)
    ):
        raise NotNow(gettext("This reading cannot be. Check the numbers, as 132 over 84, and enter them again."))
    when = str(facts.get("when"))
    if when not in ("before", "during", "after"):
        raise ValueError(when)
    return {"when": when, **numbers, "symptoms": bool(facts.get("symptoms"))}


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(str(value).strip())
    except ValueError:
        raise NotNow(gettext("Enter whole numbers, as 132 over 84.")) from None


def _dose_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    if str(facts.get("unit", "mg")) != "mg":
        raise NotNow(gettext("Enter the dose in milligrams, as on the label."))
    try:
        mg = Decimal(str(facts.get("mg", "")).strip())
    except InvalidOperation:
        raise NotNow(gettext("Enter the dose in milligrams, as on the label: a number such as 100.")) from None
    if not mg.is_finite() or not 1 <= mg <= 10_000 or mg != mg.quantize(HUNDREDTH):
        raise NotNow(gettext("Enter the dose in milligrams, as on the label: a number such as 100."))
    if facts.get("route") not in Route.values:
        raise NotNow(gettext("Choose how it was given."))
    return {"mg": f"{mg.normalize():f}", "route": str(facts["route"])} | {
        name: text(facts.get(name)) for name in ("form", "strength", "lot")
    }


def _event(facts: Mapping[str, Any]) -> dict[str, Any]:
    known = {code for group in rules.events().values() for code in group}
    if facts.get("what") not in known or str(facts.get("grade")) not in rules.grades():
        raise NotNow(gettext("Choose what happened and how severe it is."))
    return {
        "what": str(facts["what"]),
        "grade": int(str(facts["grade"])),
        "action": text(facts.get("action")),
        "words": text(facts.get("words")),
    }


def _hold(facts: Mapping[str, Any]) -> dict[str, Any]:
    if facts.get("what") not in ("start", "end"):
        raise NotNow(gettext("Start or end the timer."))
    then = str(facts.get("then") or "")
    return {"what": str(facts["what"]), "then": then if then in THEN else ""}


def _check(facts: Mapping[str, Any]) -> dict[str, Any]:
    if facts.get("state") not in CHECKS:
        raise NotNow(gettext("Say how the client is."))
    kept = {"state": str(facts["state"]), "words": text(facts.get("words"))}
    if facts.get("sees") in rules.sees():
        kept["sees"] = str(facts["sees"])
    return kept | ({"help": "now"} if facts.get("help") == "now" else {})


def _needs(name: str, sentence: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def take(facts: Mapping[str, Any]) -> dict[str, Any]:
        if not text(facts.get(name)).strip():
            raise NotNow(str(sentence))
        return {key: text(value) for key, value in facts.items() if key in (name, "by_name")}

    return take


TAKES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Kind.READY: _asked("ready"),
    Kind.LEAVE: _asked("leave"),
    Kind.PRESENT: _needs("names", _("Say who is here.")),
    Kind.VITALS: _vitals,
    Kind.GATE: _needs("words", _("Write what the prescriber said.")),
    Kind.DOSE: _dose_facts,
    Kind.SUPPLEMENT: _dose_facts,
    Kind.HOLD: _hold,
    Kind.CHECK: _check,
    Kind.EVENT: _event,
    Kind.CORRECT: _needs("words", _("Write what was wrong.")),
}


# --- How it reads ----------------------------------------------------------------------------------------------------


def said(entry: Entry) -> str:
    """One line of the log as a sentence, without its time."""
    facts = entry.facts or {}
    return TELLS[Kind(entry.kind)](facts).strip()


def _tell_asked(part: str) -> Callable[[Mapping[str, Any]], str]:
    def tell(facts: Mapping[str, Any]) -> str:
        item = next(each for each in rules.items(part) if each.code == facts["item"])
        answer = (
            gettext("{n} of 10").format(n=facts["answer"]) if item.most is not None else item.answers[facts["answer"]]
        )
        return f"{item.ask} {answer}. {facts.get('words', '')}"

    return tell


def _tell_vitals(facts: Mapping[str, Any]) -> str:
    parts = [gettext("{when}: {sbp} over {dbp}").format(when=WHEN[facts["when"]], sbp=facts["sbp"], dbp=facts["dbp"])]
    if facts.get("pulse") is not None:
        parts.append(gettext("pulse {n}").format(n=facts["pulse"]))
    if facts.get("spo2") is not None:
        parts.append(gettext("oxygen {n} %").format(n=facts["spo2"]))
    if facts.get("symptoms"):
        parts.append(gettext("chest pain or stroke signs"))
    return ", ".join(parts) + "."


def _tell_dose(facts: Mapping[str, Any]) -> str:
    parts = [gettext("{mg} mg as labelled, {route}").format(mg=facts["mg"], route=Route(facts["route"]).label.lower())]
    parts += [str(facts[name]) for name in ("form", "strength") if facts.get(name)]
    if facts.get("lot"):
        parts.append(gettext("lot {lot}").format(lot=facts["lot"]))
    return f"{', '.join(parts)}. {facts.get('against', '')}"


def _tell_event(facts: Mapping[str, Any]) -> str:
    names = {code: words for group in rules.events().values() for code, words in group.items()}
    parts = [f"{names[facts['what']]}, {rules.grades()[str(facts['grade'])].lower()}."]
    return " ".join([*parts, facts.get("words", ""), facts.get("action", "")])


def _tell_hold(facts: Mapping[str, Any]) -> str:
    if facts["what"] == "start":
        return gettext("Hold begun.")
    return (
        gettext("Hold ended, {then}.").format(then=THEN[facts["then"]]) if facts.get("then") else gettext("Hold ended.")
    )


def _tell_check(facts: Mapping[str, Any]) -> str:
    parts = [f"{CHECKS[facts['state']]}."]
    if facts.get("help"):
        parts.append(gettext("Help is needed now."))
    if facts.get("sees"):
        parts.append(f"{rules.sees()[facts['sees']]}.")
    return " ".join([*parts, facts.get("words", "")])


TELLS: dict[Kind, Callable[[Mapping[str, Any]], str]] = {
    Kind.READY: _tell_asked("ready"),
    Kind.LEAVE: _tell_asked("leave"),
    Kind.PRESENT: lambda facts: str(facts["names"]),
    Kind.VITALS: _tell_vitals,
    Kind.GATE: lambda facts: f"{facts['words']} {facts.get('by_name', '')}",
    Kind.DOSE: _tell_dose,
    Kind.SUPPLEMENT: _tell_dose,
    Kind.HOLD: _tell_hold,
    Kind.CHECK: _tell_check,
    Kind.EVENT: _tell_event,
    Kind.CORRECT: lambda facts: str(facts["words"]),
}


def draft_note(session: Session) -> str:
    """A note from the log, for the clinician to change and keep in the record (H14). Corrected lines are left out."""
    rows = list(session.entries.all())
    gone = {row.corrects_id for row in rows if row.corrects_id}
    told = [gettext("{session}, {day}.").format(session=session, day=full_day(session.started_at or session.starts_at))]
    for row in rows:
        if row.pk not in gone:
            told.append(f"{clock(row.happened_at)} {row.get_kind_display()}: {said(row)}")
    if session.signed_at is not None:
        told.append(
            gettext("{time} Left. Signed by {who}.").format(time=clock(session.signed_at), who=session.signed_by)
        )
    return "\n".join(told)


def is_alarm(entry: Entry) -> bool:
    return entry.by_chaperone_id is not None and (entry.facts or {}).get("state") == ALARM


def unanswered(entries: Sequence[Entry]) -> list[Entry]:
    """The alarms from the home after which no member of staff wrote an event or a check, and none is corrected."""
    gone = {entry.corrects_id for entry in entries}
    answers = (Kind.EVENT, Kind.CHECK)
    last = max((e.at for e in entries if e.by_id is not None and e.kind in answers), default=None)
    return [e for e in entries if is_alarm(e) and e.pk not in gone and (last is None or e.at > last)]
