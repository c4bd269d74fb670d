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


def named(conflict: Conflict) -> str:
    """One conflict of one session: "Dosing 2, Sun Jul 19, 9:00 am: less than 48 hours after another dose"."""
    return gettext("{session}, {when}: {what}").format(
        session=f"{Session.Kind(conflict.slot.kind).label} {conflict.slot.number}",
        when=moment(conflict.slot.starts),
        what=what(conflict),
    )


def alone(conflict: Conflict) -> str:
    """The same beside its session: "Less than 48 hours after another dose. A prescriber's ... clears it."."""
    said = what(conflict)
    return f"{said[:1].upper()}{said[1:]}. {CLEARED_BY[conflict.cleared_by]}"


def grouped(conflicts: Iterable[Conflict]) -> list[str]:
    """One sentence for each thing that stands against a plan: "Dosing 3, 4: more doses than ... cleared. ..."."""
    groups: dict[tuple[str, str, str], list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.slot.kind, conflict.code, conflict.what), []).append(conflict)
    return [_together(group) for group in groups.values()]


def _together(group: list[Conflict]) -> str:
    if len(group) == 1:
        return sentence(group[0])
    return gettext("{kind} {numbers}: {what}. {clears}").format(
        kind=Session.Kind(group[0].slot.kind).label,
        numbers=", ".join(str(conflict.slot.number) for conflict in group),
        what=what(group[0]),
        clears=CLEARED_BY[group[0].cleared_by],
    )


def sentences(conflicts: Iterable[Conflict]) -> str:
    return " ".join(sentence(conflict) for conflict in conflicts)
