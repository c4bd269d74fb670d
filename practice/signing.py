"""What a clinical lead signs, each part at the version of its own files: a change asks for a new signature."""

import hashlib
from functools import cache

from django.conf import settings

from practice.clinical import tuning
from practice.models import ClinicalSignature, Practice

PARTS: dict[str, tuple[str, ...]] = {
    "rules": ("practice/clinical/rules.lock",),
    "instruments": ("practice/clinical/instruments.lock",),
    "clocks": ("practice/clinical/escalation.py", "practice/clinical/windows.py"),
    "options": ("intake/options.toml",),
    "safety_wording": (
        "templates/intake/support.html",
        "templates/intake/bridge.html",
        "templates/intake/_988.html",
        "templates/intake/_people.html",
        "templates/components/call_list.html",
        "templates/components/care_card.html",
        "templates/practice/help_now.html",
        "practice/safety_plan.toml",
        "templates/intake/_plan.html",
    ),
}


@cache
def _files() -> dict[str, str]:
    """Return {part: 12 hex digits of its files}."""
    return {
        part: hashlib.sha256(b"".join((settings.ROOT / name).read_bytes() for name in files)).hexdigest()[:12]
        for part, files in PARTS.items()
    }


def versions(practice: Practice | None = None) -> dict[str, str]:
    """Return the version of each part: with the practice's own numbers in the rules, and the instruments it brought."""
    practice = practice or Practice.get()
    found = _files() | {"rules": tuning.version(practice.rule_overrides or {})}
    if practice.brought:
        together = f"{found['instruments']} {practice.brought}"
        found["instruments"] = hashlib.sha256(together.encode()).hexdigest()[:12]
    return found


def unsigned(practice: Practice | None = None) -> list[str]:
    """The parts that nobody has signed at their current version."""
    signed = set(ClinicalSignature.objects.values_list("part", "version"))
    return [part for part, version in versions(practice).items() if (part, version) not in signed]
