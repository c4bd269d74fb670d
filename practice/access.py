"""Who may do what: one table. A role grants verbs; its reach says on whose clients (`ClientQuerySet.visible_to`)."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    THERAPIST = "therapist", _("Therapist")
    SUPERVISOR = "supervisor", _("Supervisor")
    PRESCRIBER = "prescriber", _("Prescriber")
    FRONT_DESK = "front_desk", _("Front desk")
    ADMIN = "admin", _("Admin")


class Reach(StrEnum):
    """Whose clients a role's verbs apply to."""

    OWN = "own clients"
    TEAM = "clients of the people I supervise"
    PRESCRIBED = "clients I prescribe for"
    SITE = "clients of my sites"
    PRACTICE = "every client"


REACH: dict[str, Reach] = {
    Role.THERAPIST: Reach.OWN,
    Role.SUPERVISOR: Reach.TEAM,
    Role.PRESCRIBER: Reach.PRESCRIBED,
    Role.FRONT_DESK: Reach.SITE,
    Role.ADMIN: Reach.PRACTICE,
}


class Permission(StrEnum):
    SEE_CASELOAD = "see caseload"
    SEE_CLIENT = "see client"  # name, contact, states and counts; never an answer
    READ_CHART = "read chart"  # answers, scores, flags, notes
    ACT_ON_ALERT = "act on alert"  # acknowledge, record a contact, close
    RAISE_FLAG = "raise flag"
    REVIEW_SUGGESTION = "review suggestion"
    WRITE_NOTE = "write note"
    INVITE_CLIENT = "invite client"
    EDIT_CLIENT = "edit client"
    SEE_ALERTS = "see alerts"
    SEE_PRACTICE = "see practice settings"
    MANAGE_PRACTICE = "manage practice"
    MANAGE_PEOPLE = "manage people"
    SIGN_CLINICAL = "sign clinical rules"
    RUN_DRILL = "run drill"
    READ_AUDIT = "read audit"
    SEE_OWN_ACCOUNT = "see own account"


P = Permission
_CLINICAL = {P.READ_CHART, P.ACT_ON_ALERT, P.RAISE_FLAG, P.REVIEW_SUGGESTION, P.WRITE_NOTE}
_EVERYONE = {P.SEE_CASELOAD, P.SEE_CLIENT, P.SEE_OWN_ACCOUNT}

GRANTS: dict[str, set[Permission]] = {
    Role.THERAPIST: _EVERYONE | _CLINICAL | {P.SEE_ALERTS, P.INVITE_CLIENT, P.EDIT_CLIENT},
    Role.SUPERVISOR: _EVERYONE | _CLINICAL | {P.SEE_ALERTS, P.INVITE_CLIENT, P.EDIT_CLIENT, P.SIGN_CLINICAL},
    Role.PRESCRIBER: _EVERYONE | {P.READ_CHART, P.RAISE_FLAG, P.WRITE_NOTE, P.ACT_ON_ALERT, P.SEE_ALERTS},
    Role.FRONT_DESK: _EVERYONE | {P.INVITE_CLIENT, P.EDIT_CLIENT},
    Role.ADMIN: _EVERYONE
    | {
        P.INVITE_CLIENT,
        P.EDIT_CLIENT,
        P.SEE_ALERTS,
        P.SEE_PRACTICE,
        P.MANAGE_PRACTICE,
        P.MANAGE_PEOPLE,
        P.RUN_DRILL,
        P.READ_AUDIT,
    },
}

# A person on call, or told about an open alert, may do this for that client while the alert is open.
COVER: frozenset[Permission] = frozenset(
    {P.SEE_CASELOAD, P.SEE_CLIENT, P.SEE_ALERTS, P.READ_CHART, P.ACT_ON_ALERT, P.WRITE_NOTE}
)


def granted(roles: set[str]) -> set[Permission]:
    return set().union(*(GRANTS[role] for role in roles)) if roles else set()
