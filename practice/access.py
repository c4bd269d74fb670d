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
    MARK_READ = "mark as read"  # takes it off the list of who treats them; not for who only stands in
    ACT_ON_ALERT = "act on alert"  # acknowledge, record a contact, close
    RAISE_FLAG = "raise flag"
    REVIEW_SUGGESTION = "review suggestion"
    WRITE_NOTE = "write note"
    WRITE_SAFETY_PLAN = "write safety plan"
    DECIDE = "decide on care"  # which path, what clears a hold, emergency steps
    OVERRIDE_EXCLUSION = "override exclusion"  # a prescriber's written reason against a rule that excludes a path
    ASK_RELEASE = "ask for a release"  # ask for, witness and take back a release of information; list disclosures
    SEND_REFERRAL = "send referral"  # draft, preview, withhold, send, cancel, redirect
    SEE_REFERRALS = "see referrals"  # which clinic, which state, since when; never the packet
    TRACK_REFERRAL = "track referral"  # remind, call, record what the clinic says on its behalf
    EDIT_DIRECTORY = "edit directory"
    PLAN_KAP = "plan KAP"  # make a plan of our own sessions, move, add, skip, end
    RUN_SESSION = "run a session"
    CLEAR_DOSES = "clear doses"  # a prescriber's: clear, take back, lift a limit with a reason
    SEE_PLANS = "see plans"  # dates, n of m; never doses, vitals or words
    KEEP_ABSENCES = "keep absences"  # when other people of the practice are away; one's own is one's own
    INVITE_CLIENT = "invite client"
    ANSWER_ENQUIRY = "answer enquiry"  # of people who are not clients: the front desk and admins
    FILL_IN = "fill in for a client"  # write down what they say, by phone or in the room; never a signature
    ASSIGN_CLIENT = "assign client"  # give somebody who began by themselves to a therapist
    EDIT_CLIENT = "edit client"
    SEE_ALERTS = "see alerts"
    SEE_PRACTICE = "see practice settings"
    MANAGE_PRACTICE = "manage practice"
    MANAGE_PEOPLE = "manage people"
    SIGN_CLINICAL = "sign clinical rules"
    RUN_DRILL = "run drill"
    READ_AUDIT = "read audit"
    BREAK_GLASS = "break glass"  # open a chart that is not one's own for an hour, in an emergency, with a reason
    REVIEW_BREAK_GLASS = "review emergency access"  # and who looked at what of one client
    MOVE_CLIENTS = "move clients"  # to another therapist
    MERGE_CLIENTS = "merge clients"  # two records of one person, both within reach; and undo it
    IMPORT_CLIENTS = "import clients"
    EXPORT_CLIENT = "export client"  # a copy of one client's record, and their requests for one
    EXPORT_PRACTICE = "export practice"  # a copy of everything
    WRITE_MESSAGE = "write message"  # read what a client wrote to their therapist, and answer
    KEEP_RECORDS = "keep records"  # backups, legal holds, requests of erasure, deleting what may be deleted
    SEE_REPORTS = "see reports"  # counts of whom one reaches; what is clinical in them by READ_CHART
    TUNE_RULES = "tune rules"  # the practice's own numbers in the decision table
    SEE_OWN_ACCOUNT = "see own account"


P = Permission
_CLINICAL = {
    P.READ_CHART,
    P.MARK_READ,
    P.ACT_ON_ALERT,
    P.RAISE_FLAG,
    P.REVIEW_SUGGESTION,
    P.WRITE_NOTE,
    P.FILL_IN,
    P.WRITE_SAFETY_PLAN,
    P.DECIDE,
    P.ASK_RELEASE,
    P.SEND_REFERRAL,
    P.TRACK_REFERRAL,
    P.EDIT_DIRECTORY,
    P.PLAN_KAP,
    P.RUN_SESSION,
    P.EXPORT_CLIENT,
}
_EVERYONE = {P.SEE_CASELOAD, P.SEE_CLIENT, P.SEE_OWN_ACCOUNT, P.SEE_REFERRALS, P.SEE_PLANS}

GRANTS: dict[str, set[Permission]] = {
    Role.THERAPIST: _EVERYONE
    | _CLINICAL
    | {P.SEE_REPORTS, P.SEE_ALERTS, P.INVITE_CLIENT, P.EDIT_CLIENT, P.BREAK_GLASS, P.WRITE_MESSAGE},
    Role.SUPERVISOR: _EVERYONE
    | _CLINICAL
    | {
        P.SEE_REPORTS,
        P.SEE_ALERTS,
        P.INVITE_CLIENT,
        P.ASSIGN_CLIENT,
        P.EDIT_CLIENT,
        P.KEEP_ABSENCES,
        P.SIGN_CLINICAL,
        P.BREAK_GLASS,
        P.REVIEW_BREAK_GLASS,
        P.MOVE_CLIENTS,
        P.MERGE_CLIENTS,
        P.WRITE_MESSAGE,
    },
    Role.PRESCRIBER: _EVERYONE
    | {
        P.READ_CHART,
        P.MARK_READ,
        P.RAISE_FLAG,
        P.WRITE_NOTE,
        P.WRITE_SAFETY_PLAN,
        P.ACT_ON_ALERT,
        P.SEE_ALERTS,
        P.OVERRIDE_EXCLUSION,
        P.RUN_SESSION,
        P.CLEAR_DOSES,
        P.BREAK_GLASS,
    },
    Role.FRONT_DESK: _EVERYONE
    | {
        P.SEE_REPORTS,
        P.INVITE_CLIENT,
        P.ANSWER_ENQUIRY,
        P.ASSIGN_CLIENT,
        P.EDIT_CLIENT,
        P.TRACK_REFERRAL,
        P.ASK_RELEASE,
        P.EDIT_DIRECTORY,
    },
    Role.ADMIN: _EVERYONE
    | {
        P.SEE_REPORTS,
        P.INVITE_CLIENT,
        P.ANSWER_ENQUIRY,
        P.ASSIGN_CLIENT,
        P.EDIT_CLIENT,
        P.SEE_ALERTS,
        P.SEE_PRACTICE,
        P.MANAGE_PRACTICE,
        P.MANAGE_PEOPLE,
        P.KEEP_ABSENCES,
        P.MOVE_CLIENTS,
        P.MERGE_CLIENTS,
        P.RUN_DRILL,
        P.READ_AUDIT,
        P.REVIEW_BREAK_GLASS,
        P.IMPORT_CLIENTS,
        P.EXPORT_CLIENT,
        P.EXPORT_PRACTICE,
        P.TUNE_RULES,
        P.KEEP_RECORDS,
        P.TRACK_REFERRAL,
        P.ASK_RELEASE,
        P.EDIT_DIRECTORY,
    },
}

# A person on call, or told about an open alert, may do this for that client while the alert is open; so may a clinician
# with emergency access, while it lasts.
COVER: frozenset[Permission] = frozenset(
    {P.SEE_CASELOAD, P.SEE_CLIENT, P.SEE_ALERTS, P.READ_CHART, P.ACT_ON_ALERT, P.WRITE_NOTE, P.WRITE_SAFETY_PLAN}
)


def granted(roles: set[str]) -> set[Permission]:
    return set().union(*(GRANTS[role] for role in roles)) if roles else set()
