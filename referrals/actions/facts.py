"""What a clinician knows: kept as the record's own word, and the client weighed anew by it."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext

from practice import audit, coverage
from practice.access import Permission
from practice.actions import NotNow, raise_alert
from practice.clinical import table, windows
from practice.models import Alert, Client, Practice, User
from referrals.actions.suggestions import suggest
from referrals.models import ClinicianFact

# Which act lets a person say what, by the group of the input. A prescriber says readings and conditions.
SAYS: dict[str, Permission] = {
    "judgement": Permission.DECIDE,
    "harm": Permission.DECIDE,
    "reading": Permission.WRITE_NOTE,
    "support": Permission.DECIDE,
    "condition": Permission.WRITE_NOTE,
}
# A yes to one of these is a safety sign, and rings like one.
RAISES = {"homicidal_ideation": "SR-09", "abuse_or_neglect_disclosed": "SR-10"}


def sayable(may: Iterable[Permission]) -> tuple[table.Input, ...]:
    """The inputs that somebody with these permissions may say of a client, in the order of the table."""
    given = set(may)
    return tuple(known for known in table.inputs().values() if known.clinician and SAYS[known.clinician] in given)


@transaction.atomic
def record(*, by: User, client: Client, said: Mapping[str, tuple[Any, date]], at: datetime) -> list[ClinicianFact]:
    """Keep each value with the day on which it was so, and weigh the client anew. None takes back what was said.

    Raises NotNow with the sentence to read, and then nothing is kept.
    """
    client = Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not said:
        raise NotNow(gettext("Say at least one thing that you know."))
    _check(by, client, said, coverage.local(at, Practice.get()).date())
    rows = [_keep(by, client, name, value, on, at) for name, (value, on) in said.items()]
    audit.record("fact.recorded", by=by, client=client, target=client, at=at, inputs=sorted(said))
    for name, (value, _on) in said.items():
        if name in RAISES and value is True:
            _raise(by, client, name, at)
    suggest(by=by, client=client, sitting=None, at=at)
    return rows


def _check(by: User, client: Client, said: Mapping[str, tuple[Any, date]], today: date) -> None:
    known = table.inputs()
    for name in said:
        if name not in known or not known[name].clinician:
            raise NotNow(gettext("This is not for a clinician to say here."))
    for permission in {SAYS[known[name].clinician] for name in said}:
        if not Client.objects.visible_to(by, permission).filter(pk=client.pk).exists():
            raise PermissionDenied
    try:
        table.check_picture({name: value for name, (value, _on) in said.items()})
    except ValueError:
        raise NotNow(gettext("One of the values is not one that the rules take.")) from None
    if any(on > today or (client.born is not None and on < client.born) for _value, on in said.values()):
        raise NotNow(gettext("Give a day up to today."))
    _check_reading({name: said[name] for name in windows.PASSING if name in said})


def _check_reading(reading: Mapping[str, tuple[Any, date]]) -> None:
    """A blood pressure is both numbers of one measurement, and both are taken back together."""
    if not reading:
        return
    if set(reading) != windows.PASSING or len({on for _value, on in reading.values()}) > 1:
        raise NotNow(gettext("Give both numbers of the blood pressure."))
    upper, lower = reading["sbp"][0], reading["dbp"][0]
    if (upper is None) != (lower is None):
        raise NotNow(gettext("Give both numbers of the blood pressure."))
    if upper is not None and upper <= lower:
        raise NotNow(gettext("The upper number of a blood pressure is higher than the lower one."))


def _keep(by: User, client: Client, name: str, value: Any, on: date, at: datetime) -> ClinicianFact:
    row = ClinicianFact(client=client, input=name, on=on, by=by, at=at)
    row.value = value
    row.save(force_insert=True)
    return row


def _raise(by: User, client: Client, name: str, at: datetime) -> None:
    rule = table.rule(RAISES[name])
    raise_alert(
        by=by,
        client=client,
        source=Alert.Source.MANUAL,
        severity=rule.severity,
        rules=[{"id": rule.id, "version": rule.version}],
        reason=rule.reason,
        at=at,
    )
