"""How open items are said to staff, in words: why a client stands in the caseload, and by when.

Facts first, no adjectives; times in the zone of the page. Codes come from `Task.facts`.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice.clinical import table
from practice.models import Task
from practice.templatetags.ui import clock, day, full_day

Words = str | Promise
Reason = Callable[[dict[str, Any], datetime], list["Words"]]

# What a safety rule found, shortest true words. Most pressing first; the order is the order on the page.
SAFETY: dict[str, Words] = {
    "manual": _("raised by a member of staff"),
    "help-now": _("asked for help now in a message"),
    "clinic": _("a clinic reports a side effect or a safety worry"),
    "SR-01": _("C-SSRS high"),
    "SR-02": _("thoughts of suicide right now"),
    "safe-now": _("not safe right now, or not sure"),
    "SR-09": _("harm to others"),
    "SR-10": _("abuse disclosed"),
    "SR-03": _("C-SSRS moderate"),
    "SR-04": _("C-SSRS low"),
    "SR-06": _("item 9 more than half the days"),
    "SR-05": _("item 9 positive"),
    "own-item": _("a question about suicide above zero"),
    "SR-08": _("item 9 positive, C-SSRS all no"),
    "check-in-paused": _("the short check-ins were paused"),
    "check-in-worse": _("a check-in came back worse"),
    "check-in-late": _("a check-in did not come back"),
    "SR-07": _("a safety question was not answered"),
}
REACHED: dict[str, Words] = {
    "yes": _("Spoke with the client."),
    "message": _("Left a message, no contact yet."),
    "no": _("No answer, no contact yet."),
    "somebody": _("Spoke with someone they allow us to call."),
}
SUGGESTED: dict[str, Words] = {
    "infusion_clinic": _("Consider infusion referral"),
    "hospital_pain_infusion": _("Consider pain medicine"),
    "kap": _("Consider KAP"),
    "at_home_supervised": _("Consider supervised care at home"),
    "psychotherapy_first": _("Review: psychotherapy first"),
    "no_ketamine_now": _("Review: no ketamine now"),
}
# What is due, for the line under the name.
DUE: dict[str, Words] = {
    "safety": _("Contact"),
    "call_me": _("Call"),
    "next_check": _("Check"),
    "suggestion": _("Decision"),
    "missed": _("Follow-up"),
    "new_intake": _("Reading"),
    "reconcile": _("Answer"),
    "unfinished": _("Form"),
    "booster": _("Booster"),
    "todo": _("Task"),
    "quiet": _("Contact"),
    "care_today": _("Emergency steps"),
    "care_check": _("Check"),
    "hand_off": _("Interim contact"),
    "no_show": _("Follow-up"),
    "declined": _("Another clinic"),
    "clinic_asks": _("Answer"),
    "client_says": _("Answer"),
    "call_clinic": _("Call"),
    "case_question": _("Answer"),
    "back_to_therapy": _("Therapy"),
    "adverse": _("Adverse event"),
    "integrate": _("Therapy contact"),
    "kap_integrate": _("Integration"),
    "letter": _("Letter"),
    "recheck": _("Recheck"),
    "plan_review": _("Safety plan review"),
    "release": _("Release"),
    "record_copy": _("Copy"),
    "message": _("Message"),
    "medicines": _("Medication list"),
    "assign": _("Therapist"),
}
ERRANDS: dict[str, Words] = {
    "not_sent": _("A form that was planned could not be sent: nobody on call, or no safe way. Ask them yourself."),
    "referral_closed": _("A referral was put away after a long silence. One press on its page brings it back."),
    "prescriber_answered": _("A prescriber answered a question about doses. Read it on the page of the cleared doses."),
    "history": _("Answers came over from another system with a safety question above no, or left blank. Read them."),
    "chaperone": _("The adult in the home said that something is wrong. Read the log of the session and grade it."),
    "chaperone_now": _("The adult in the home asked for help at once. Read the log of the session and grade it."),
    "client_away": _("The client told of days on which they cannot come. Plan around them."),
    "client_away_booked": _("The client cannot come on a day that is booked. Find another day with them."),
    "call_instead": _("They asked us to stop texts or mails, and no other way is safe. Call them about what is new."),
    "pause": _("The client paused their check-ins. Nothing that is planned goes out; see the page for until when."),
    "pause_flag": _("The client paused their check-ins while a safety flag is open. Ask them how they are."),
    "pause_holds": _("A form of their plan was not sent, because the client paused check-ins. Ask them yourself."),
    "not_delivered": _("A message to them did not arrive. Check the address with them; see Messages sent."),
    "signing_declined": _("They did not sign the new version of an agreement. Talk about it; see Agreements."),
    "signing_not_reached": _("An agreement has to be signed again and no message reached them. Ask at the next visit."),
    "wrong_codes": _("Somebody typed wrong codes on their link. Call them, and send a new link if it was them."),
}
CALLS: dict[str, Words] = {
    "bounced": _("The message to the clinic came back."),
    "stopped": _("The clinic asked for calls instead of mail."),
    "locked": _("Somebody typed wrong codes on the clinic's page."),
    "address": _("The clinic passed the referral to an address elsewhere. Approve it first."),
}
RELEASES: dict[str, Words] = {
    "ends": _("A release of information ends soon."),
    "taken_back": _("The client took a release of information back."),
    "declined": _("The client said no to a release of information."),
}
SAYS: dict[str, Words] = {
    "went": _("The client says they went."),
    "not_yet": _("The client says they have not been there yet."),
    "told_no": _("The client says the clinic said no."),
    "changed": _("The client changed their mind. Nothing is cancelled yet."),
}
# What speaks for an earlier booster: codes of practice.clinical.kap.booster.
EARLY: dict[str, Words] = {
    "phq9_item9_positive": _("Item 9 is positive: the safety step comes first."),
    "phq9_back_to_10": _("PHQ-9 is back to 10 or more."),
    "phq9_up_5": _("PHQ-9 is 5 or more above its best since the last dose."),
    "pcl5_up_10": _("PCL-5 is 10 or more above its best since the last dose."),
}
SOON = timedelta(hours=24)
ALSO_NAMED = 3  # more would push the next row off a phone


def sentence(parts: Sequence[Words]) -> str:
    said = ", ".join(str(part) for part in parts)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def chip_text(task: Task) -> str:
    return str(SUGGESTED.get(task.facts.get("suggested", ""), task.look.label))


def why(task: Task) -> str:
    """Return why this item is open, as sentences."""
    said = REASONS[task.kind](task.facts, task.opened_at)
    return " ".join(str(part) for part in said if part)


def _stronger(rule_id: str) -> set[str]:
    """The rules that say more than this one: with one of them, this one need not be said too."""
    held = {"SR-08"} if rule_id in ("SR-05", "SR-06") else set()  # its words hold theirs
    return held.union(*(rule.superseded_by for rule in table.rules() if rule.id == rule_id))


def _safety(facts: dict[str, Any], opened: datetime) -> list[Words]:
    rules = set(facts.get("rules", ()))
    found = [words for rule, words in SAFETY.items() if rule in rules and not rules & _stronger(rule)]
    if facts.get("contact"):
        state: Words = REACHED[facts["contact"]]
    elif facts.get("acknowledged"):
        state = _("Picked up, no contact yet.")
    else:
        state = ""
    left = _("Left after a safety answer.") if facts.get("left") else ""
    return [sentence(found or [_("safety flag open")]), left, state]


def _suggestion(facts: dict[str, Any], opened: datetime) -> list[Words]:
    fired = [rule for rule in table.rules() if rule.id in facts.get("rules", ()) and rule.id.startswith("IN-")]
    reasons: list[Words] = [rule.reason for rule in fired[:2]]
    on_hold = _("On hold: see what has to be cleared first.") if facts.get("status") == "hold" else ""
    return [*(reasons or [_("New answers to weigh.")]), on_hold]


def _todo(facts: dict[str, Any], opened: datetime) -> list[Words]:
    if facts.get("reason") == "two_records":
        said = gettext("The same person as {code}: two records. Read both; what is in one is not in the other.")
        return [said.format(code=facts.get("code", ""))]
    return [ERRANDS.get(facts.get("reason", ""), _("Something to do: see the client's page."))]


def _unfinished(facts: dict[str, Any], opened: datetime) -> list[Words]:
    sent = int(facts.get("reminders") or 0)
    reminded = ngettext("{n} reminder sent.", "{n} reminders sent.", sent).format(n=sent) if sent else ""
    return [gettext("Form not back, sent {day}.").format(day=day(opened)), reminded]


def _booster(facts: dict[str, Any], opened: datetime) -> list[Words]:
    """When a booster is due and what speaks for an earlier one."""
    if not facts.get("due"):
        return [gettext("The booster window is open. Nothing booked.")]
    due = gettext("Booster due {day}.").format(day=full_day(date.fromisoformat(facts["due"])))
    booked = "" if facts.get("booked") else gettext("Nothing booked.")
    return [due, booked, *(EARLY[code] for code in facts.get("early", ()) if code in EARLY)]


def _integrate(facts: dict[str, Any], opened: datetime) -> list[Words]:
    """Which infusions are without contact since, and what is proposed: contact, or a booked session of therapy."""
    if not facts.get("number"):
        return [gettext("An infusion was {day}.").format(day=day(opened))]
    on = day(date.fromisoformat(facts["on"])) if facts.get("on") else day(opened)
    said: list[Words] = [gettext("Infusion {n} was {day}.").format(n=facts["number"], day=on)]
    earlier = [str(number) for number in facts.get("numbers", ()) if number != facts["number"]]
    if earlier:
        said.append(gettext("No contact recorded after infusion {n} either.").format(n=", ".join(earlier)))
    return [*said, _("Book therapy now.") if facts.get("book") else _("Offer therapy or a call.")]


def _kap_integrate(facts: dict[str, Any], opened: datetime) -> list[Words]:
    if facts.get("late"):
        return [gettext("No integration since the dose on {day}.").format(day=day(date.fromisoformat(facts["on"])))]
    return [_("A dose was given; no integration within 72 hours is booked.")]


def _quiet(facts: dict[str, Any], opened: datetime) -> list[Words]:
    days = int(facts.get("days") or 0)
    said = gettext("No answer, no contact and no appointment for {n} days or more.")
    return [said.format(n=days) if days else _("No answer, no contact and no appointment for a while.")]


def _record_copy(facts: dict[str, Any], opened: datetime) -> list[Words]:
    if not facts.get("due"):
        return [_("The client asked for a copy of their record.")]
    due = full_day(date.fromisoformat(facts["due"]))
    return [gettext("The client asked for a copy of their record. By law they have it by {day}.").format(day=due)]


def _words(*said: Words) -> Reason:
    return lambda facts, opened: list(said)


REASONS: dict[str, Reason] = {
    "safety": _safety,
    "call_me": lambda facts, opened: [
        gettext("Asked for a call {day} at {time}.").format(day=day(opened), time=clock(opened))
    ],
    "next_check": _words(_("Flag closed; the agreed check is not recorded yet.")),
    "suggestion": _suggestion,
    "missed": _words(_("A session did not take place.")),
    "care_today": _words(_("Marked as needing care today; the emergency steps are not recorded yet.")),
    "care_check": _words(_("Emergency steps were recorded; the agreed check is not.")),
    "hand_off": _words(_("Agreed contact between the referral and the first visit.")),
    "no_show": _words(_("The clinic says the client was not there.")),
    "declined": _words(_("The clinic cannot take this referral.")),
    "clinic_asks": _words(_("The clinic has a question about the referral.")),
    "client_says": lambda facts, opened: [
        SAYS.get(facts.get("said", ""), _("The client said something about the referral."))
    ],
    "call_clinic": lambda facts, opened: [CALLS.get(facts.get("reason", ""), _("The clinic is silent."))],
    "case_question": _words(_("A question about this client waits for your answer.")),
    "back_to_therapy": _words(_("The last infusion is done. Therapy goes on here.")),
    "adverse": _words(_("A severe adverse event was recorded in a session. See its log.")),
    "integrate": _integrate,
    "kap_integrate": _kap_integrate,
    "letter": _words(_("A letter came from the clinic and is not read yet.")),
    "recheck": lambda facts, opened: [
        _("A colleague answered a question. Decide anew, or add to the decision.")
        if facts.get("answered")
        else _("A decision is to be looked at again.")
    ],
    "plan_review": lambda facts, opened: [
        _("A safety flag opened after the safety plan was made. Review it together.")
        if facts.get("reason") == "flag"
        else _("The safety plan is due for a review.")
    ],
    "record_copy": _record_copy,
    "release": lambda facts, opened: [RELEASES.get(facts.get("reason", ""), RELEASES["ends"])],
    "new_intake": lambda facts, opened: [gettext("Intake finished {day}, not read yet.").format(day=day(opened))],
    "reconcile": _words(_("Item 9 is positive and the C-SSRS is all no. Ask which one fits.")),
    "unfinished": _unfinished,
    "booster": _booster,
    "quiet": _quiet,
    "medicines": lambda facts, opened: [gettext("Sent a medication list {day}.").format(day=day(opened))],
    "assign": lambda facts, opened: [
        gettext("Began the forms by themselves {day}. They have no therapist yet.").format(day=day(opened))
    ],
    "message": lambda facts, opened: [
        (
            gettext("Texted a number that nobody reads, {day} at {time}. Read it today.")
            if facts.get("by_text")
            else gettext("Wrote to their therapist {day} at {time}.")
        ).format(day=day(opened), time=clock(opened))
    ],
    "todo": _todo,
}


def reasons(tasks: Sequence[Task]) -> str:
    """Return why a client stands in the list: the first item and every safety flag in full, the others by name."""
    full = [task for task in tasks if task is tasks[0] or task.kind == "safety"]
    names = list(dict.fromkeys(chip_text(task) for task in tasks if task not in full))
    named = [f"{name[0].lower()}{name[1:]}" for name in names[:ALSO_NAMED]]
    if rest := len(names) - len(named):
        named.append(gettext("{n} more").format(n=rest))
    also = [gettext("Also: {names}.").format(names=", ".join(named))] if named else []
    return " ".join([*(why(task) for task in full), *also])


def due(task: Task, at: datetime) -> str:
    """Return the line about time under the name: late, or due within a day; "" otherwise."""
    if task.due_at is None or task.due_at - at > SOON:
        return ""
    thing = DUE[task.kind]
    if task.due_at <= at:
        return gettext("{thing} {time} late").format(thing=thing, time=length(at - task.due_at))
    if timezone.localdate(task.due_at) == timezone.localdate(at):
        return gettext("{thing} due {time}").format(thing=thing, time=clock(task.due_at))
    return gettext("{thing} due {day}, {time}").format(thing=thing, day=day(task.due_at), time=clock(task.due_at))


def to_half_days(days: float) -> float:
    """As far as days are said: whole hours below a day, half days from there on."""
    hours = round(days * 24)
    return hours / 24 if hours < 24 else round(days * 2) / 2


def days_long(days: float) -> str:
    """Return "under an hour", "3 hours", "1 day" or "2.5 days"."""
    said = to_half_days(days)
    if said >= 1:
        return half_days(said)
    hours = round(said * 24)
    return ngettext("{n} hour", "{n} hours", hours).format(n=hours) if hours else gettext("under an hour")


def half_days(days: float) -> str:
    """Return "1 day" or "2.5 days" of a number that was counted in days of the calendar."""
    return ngettext("{n} day", "{n} days", 1 if days == 1 else 2).format(n=f"{days:g}")


def length(span: timedelta) -> str:
    """Return "12 min", "3 h" or "9 days"."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 60:
        return gettext("{n} min").format(n=max(minutes, 1))
    if minutes < 24 * 60:
        return gettext("{n} h").format(n=minutes // 60)
    days = minutes // (24 * 60)
    return ngettext("{n} day", "{n} days", days).format(n=days)
