"""One rule in words: what it reads, when it fires, what it does, who says so, and who signed for it."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import signing
from practice.access import Permission
from practice.clinical import table, tuning
from practice.models import ClinicalSignature, Practice
from practice.pages import staff_page

# Reasons for a flag that are not in the decision table, because nothing is computed: id -> (title, what, what to do).
OWN: dict[str, tuple[Any, Any, Any]] = {
    "manual": (
        _("Raised by a person"),
        _("A member of staff raised this flag in their own words. It takes the same path as any other flag."),
        _("Read what they wrote, and act on it."),
    ),
    "help-now": (
        _("“I need help now”"),
        _("The client sent a message with the button “I need help now”. Their page showed 988 and 911 first."),
        _("Contact the client now. Then answer the message."),
    ),
    "clinic": (
        _("Told by a clinic"),
        _("A clinic reported a side effect or a worry about safety on its page. It takes the same path as any flag."),
        _("Read what they wrote, call the clinic, and contact the client."),
    ),
    "safe-now": (
        _("“Are you safe right now?”"),
        _("The client answered “no” or “not sure” on the first page of a form."),
        _("Contact the client now. The form stays open meanwhile."),
    ),
    "own-item": (
        _("A suicide question of your own questionnaire"),
        _(
            "A question about suicide was answered above “not at all” in a questionnaire that your practice brought. "
            "It is read like item 9 of the PHQ-9: a value of 2 or more is urgent until the C-SSRS is answered "
            "to its end."
        ),
        _("Read the answer, contact the client, and ask the C-SSRS if it was not asked."),
    ),
    "check-in-late": (
        _("A check-in did not come back"),
        _("Between the decision and the first treatment a short check-in goes out every few days. This one is late."),
        _("Contact the client today. Nobody has heard how they are."),
    ),
    "check-in-paused": (
        _("The client paused the short check-ins"),
        _("Between the decision and the first treatment a short check-in goes out every few days. They want none now."),
        _("Contact the client today. Agree how you hear of them meanwhile."),
    ),
    "check-in-worse": (
        _("A check-in came back worse"),
        _("The first two mood questions add up to more than the time before."),
        _("Read the check-in, and contact the client today."),
    ),
    "drill": (
        _("Drill"),
        _("Somebody pressed the drill button. There is no client behind it."),
        _("Acknowledge it, so that the minutes are known."),
    ),
}
MODALITY_WORDS = {
    "infusion_clinic": _("infusion clinic"),
    "hospital_pain_infusion": _("hospital or pain infusion"),
    "kap": _("ketamine-assisted psychotherapy"),
    "at_home_supervised": _("supervised care at home"),
}
CONFIDENCE_WORDS = {
    "retrieved": _("read in the source"),
    "secondary": _("read in a second-hand source"),
    "recalled": _("from memory, not seen in a source"),
    "own": _("our own default"),
}
SEVERITY_WORDS = {
    "info": _("For information"),
    "routine": _("Routine"),
    "priority": _("Priority"),
    "urgent": _("Urgent"),
}
OPERATOR_WORDS = {
    ">=": _("{input} is {value} or more"),
    ">": _("{input} is above {value}"),
    "<=": _("{input} is {value} or less"),
    "<": _("{input} is under {value}"),
    "==": _("{input}: {value}"),
    "in": _("{input}: {value}"),
    "has": _("{input} include {value}"),
    "missing": _("{input} is not known"),
}


def name(rule_id: str) -> str:
    """How a rule is called where it is named; a reason that is no rule has a title instead of a number."""
    return str(OWN[rule_id][0]) if rule_id in OWN else rule_id


LATEST = re.compile(r"latest within (\d+) days")


def condition_words(when: table.Condition) -> dict[str, Any]:
    """A condition as a tree of words: {"text", "members"}."""
    if isinstance(when, table.Group):
        text = gettext("All of these:") if when.kind == "all" else gettext("Any of these:")
        return {"text": text, "members": [condition_words(member) for member in when.members]}
    label = table.inputs()[when.input].label
    text = str(OPERATOR_WORDS[when.op]).format(input=label, value=value_words(when.value))
    return {"text": text, "members": []}


def input_words(known: table.Input) -> str:
    """What an input may be, in words: "a number from 0 to 27, the latest within 14 days"."""
    if known.kind == "yes_no":
        said = gettext("yes or no")
    elif known.kind == "choice":
        said = value_words(known.values)
    elif known.kind == "list":
        said = gettext("any of the classes that were told")
    else:
        said = gettext("a number from {least} to {most}").format(least=f"{known.minimum:g}", most=f"{known.maximum:g}")
    if window := LATEST.search(known.meaning):
        said = gettext("{said}, the latest within {n} days").format(said=said, n=window[1])
    return said


def value_words(value: Any) -> str:
    """A value of the decision table as a person says it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list | tuple | set | frozenset):
        return gettext(" or ").join(value_words(each) for each in value) or gettext("none")
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("_", " ")


def modality_words(modalities: Any) -> str:
    return ", ".join(str(MODALITY_WORDS[m]) for m in modalities)


def signed_by(practice: Practice) -> ClinicalSignature | None:
    """Who signed for the decision table as it is now, with the practice's own numbers."""
    version = signing.versions(practice)["rules"]
    return ClinicalSignature.objects.filter(part="rules", version=version).select_related("by").first()


def effects(rule: table.Rule) -> list[dict[str, str]]:
    said = (
        (gettext("Speaks for"), rule.supports),
        (gettext("On hold until a person clears it"), rule.holds),
        (gettext("Not suggested; a prescriber may decide otherwise with a reason"), rule.excludes),
    )
    return [{"label": label, "value": modality_words(modalities)} for label, modalities in said if modalities]


def own_numbers(rule: table.Rule, overrides: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Where the practice uses its own number in place of the table's."""
    return [
        gettext("{input}: {mine} here, {theirs} in the table").format(
            input=table.inputs()[name.split()[0]].label, mine=f"{mine:g}", theirs=f"{rule.thresholds[name]:g}"
        )
        for name, mine in overrides.get(rule.id, {}).items()
        if name in rule.thresholds
    ]


@staff_page(Permission.SEE_CASELOAD)
def rule(request: HttpRequest, rule: str) -> HttpResponse:
    practice: Practice = request.practice  # type: ignore[attr-defined]
    if rule in OWN:
        title, what, must = OWN[rule]
        return render(request, "practice/rule_own.html", {"id": rule, "title": title, "what": what, "must": must})
    try:
        found = table.rule(rule)
    except ValueError:
        raise Http404 from None
    overrides = tuning.standing(practice.rule_overrides or {})
    return render(
        request,
        "practice/rule.html",
        {
            "rule": found,
            "when": condition_words(table.tuned(found, overrides)),
            "inputs": [(table.inputs()[name].label, input_words(table.inputs()[name])) for name in found.inputs],
            "severity": SEVERITY_WORDS[found.severity],
            "severity_means": table.selection()["severities"][found.severity],
            "effects": effects(found),
            "own": own_numbers(found, overrides),
            "confidence": CONFIDENCE_WORDS.get(found.confidence, found.confidence),
            "stronger": ", ".join(found.superseded_by),
            "signature": signed_by(practice),
        },
    )
