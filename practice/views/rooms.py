"""The rooms of the practice: which pages its own page leads to, and who is shown which."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from practice.access import Permission
from practice.models import EmergencyAccess, User

P = Permission
ROOMS: tuple[tuple[str, str | Promise, str | Promise, str, Permission], ...] = (
    # page, name, what it is for, icon, who is shown it
    ("people", _("People"), _("Who works here, their roles and who covers for whom"), "users", P.SEE_PRACTICE),
    ("sites", _("Sites"), _("The places where you work"), "door-open", P.MANAGE_PRACTICE),
    ("coverage", _("On call"), _("Who is told of a safety flag, hour by hour"), "calendar-check", P.SEE_PRACTICE),
    ("drill", _("Drill"), _("Send a test flag and see how fast it is picked up"), "bell", P.SEE_PRACTICE),
    ("system_state", _("System"), _("Messages and jobs that wait or failed"), "activity", P.SEE_PRACTICE),
    (
        "referral_limits",
        _("Clocks of referrals"),
        _("When a clinic that is silent is reminded and called"),
        "clock",
        P.MANAGE_PRACTICE,
    ),
    (
        "agreements",
        _("Agreements"),
        _("What clients sign, new versions in your own words, and who is asked to sign again"),
        "file-text",
        P.MANAGE_PRACTICE,
    ),
    (
        "public_pages",
        _("Public pages"),
        _("What anyone may read about your care, what it costs, and whether people may ask you"),
        "eye",
        P.MANAGE_PRACTICE,
    ),
    (
        "practice_forms",
        _("Forms and packets"),
        _("What clients are asked: your own wording and questions, packets, and what goes out by itself"),
        "file-text",
        P.MANAGE_PRACTICE,
    ),
    (
        "clients_import",
        _("Import clients"),
        _("Take clients over from a file; you see what would become of each row first"),
        "user-plus",
        P.IMPORT_CLIENTS,
    ),
    (
        "merges",
        _("Duplicates"),
        _("Records that may be one person, and those that were merged; it can be undone"),
        "users",
        P.MERGE_CLIENTS,
    ),
    (
        "rules",
        _("Rules"),
        _("Thresholds of the decision table, tried on the last 90 days before they count"),
        "list-checks",
        P.TUNE_RULES,
    ),
    (
        "instruments_page",
        _("Instruments"),
        _("Which questionnaires you have, and bringing one for which you have permission"),
        "list-checks",
        P.MANAGE_PRACTICE,
    ),
    (
        "clinical_sign",
        _("Clinical signature"),
        _("What your clinical lead has read and signed"),
        "shield-check",
        P.SIGN_CLINICAL,
    ),
    (
        "record_copies",
        _("Copies asked for"),
        _("Which clients asked for a copy of their record, and by when they have it"),
        "file-text",
        P.EXPORT_CLIENT,
    ),
    (
        "practice_export",
        _("Copy of everything"),
        _("Everything you keep here, as open files"),
        "download",
        P.EXPORT_PRACTICE,
    ),
    (
        "practice_data",
        _("Keeping and deleting"),
        _("Backups, how long what is kept, legal holds, clients who asked to be deleted"),
        "lock",
        P.KEEP_RECORDS,
    ),
    ("audit_log", _("Audit trail"), _("Who looked at whom, and what they did"), "history", P.READ_AUDIT),
    (
        "disclosures",
        _("Disclosures"),
        _("What left the practice, to whom and why; emergencies first"),
        "send",
        P.READ_AUDIT,
    ),
    (
        "emergency_list",
        _("Emergency access"),
        _("Charts opened in an emergency, and those that wait for a review"),
        "door-open",
        P.REVIEW_BREAK_GLASS,
    ),
)


@dataclass(frozen=True)
class Room:
    url: str
    name: str | Promise
    about: str | Promise
    icon: str
    waiting: str = ""
    """What waits there for this person."""


def rooms(user: User) -> list[Room]:
    return [
        Room(reverse(page), name, about, icon, WAITING[page](user) if page in WAITING else "")
        for page, name, about, icon, permission in ROOMS
        if user.may(permission)
    ]


def _emergencies(user: User) -> str:
    n = EmergencyAccess.objects.visible_to(user, P.REVIEW_BREAK_GLASS).filter(reviewed_at=None).count()
    return ngettext("{n} waits for a review", "{n} wait for a review", n).format(n=n) if n else ""


WAITING: dict[str, Callable[[User], str]] = {"emergency_list": _emergencies}
