"""Conflicts of a plan in words, and what clears each."""

from collections.abc import Iterable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.clinical import kap, planning
from practice.clinical.planning import Conflict
from practice.kap.models import Session
from practice.templatetags.ui import moment

CONFLICTS = {
    kap.UNDER_48_HOURS: _("less than 48 hours after another dose"),
    kap.OVER_2_IN_7_DAYS: _("more than two doses in seven days"),
    kap.NO_INTEGRATION: _("no integration session since the dose before"),
    planning.NO_PREPARATION: _("no preparation session before the first dose"),
    planning.OUTSIDE_WINDOW: _("outside the booster's window"),
    planning.NOT_CLEARED: _("no prescriber has cleared a dose"),
    planning.BEYOND_COUNT: _("more doses than the prescriber cleared"),
    planning.BEYOND_DATE: _("after the last day that the prescriber cleared"),
    planning.OVERLAP: _("at the same time as another session of this plan"),
}
TAKEN = {
    "therapist": _("the therapist has another session then"),
    "therapist_away": _("the therapist is away"),
    "room": _("the room is taken"),
    "client": _("the client has another session then"),
    "client_away": _("the client is away"),
}
CLEARED_BY = {
    "override": _("A prescriber's recorded reason clears it."),
    "clearance": _("A prescriber's clearance of more doses clears it."),
    "integration": _("Add an integration session before it."),
    "preparation": _("Add a preparation session before it."),
    "move": _("Choose another time."),
}


def what(conflict: Conflict) -> str:
    return str(TAKEN[conflict.what] if conflict.code == planning.BUSY else CONFLICTS[conflict.code])


def sentence(conflict: Conflict) -> str:
    """One conflict as a sentence with what clears it: "Dosing 2, Sun Jul 19, 9:00 am: less than 48 hours ..."."""
    return gettext("{session}, {when}: {what}. {clears}").format(
        session=f"{Session.Kind(conflict.slot.kind).label} {conflict.slot.number}",
        when=moment(conflict.slot.starts),
        what=what(conflict),
        clears=CLEARED_BY[conflict.cleared_by],
    )


def sentences(conflicts: Iterable[Conflict]) -> str:
    return " ".join(sentence(conflict) for conflict in conflicts)
