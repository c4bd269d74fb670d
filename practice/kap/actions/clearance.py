"""The clearance ledger: what a prescriber allows, what was used, what is left. Its rows are never changed."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from practice import audit
from practice.actions import NotNow
from practice.clinical.planning import Cleared
from practice.kap.models import ClearanceRequest, DoseClearance, DoseUse, Route, Session, Withdrawal
from practice.models import Client, User
from practice.templatetags.ui import full_day


@dataclass(frozen=True)
class Line:
    """One clearance with what became of it."""

    clearance: DoseClearance
    used: int
    state: str
    """`good`, `used_up`, `ended` or `withdrawn`."""

    @property
    def left(self) -> int:
        return self.clearance.doses - self.used if self.state == "good" else 0


@dataclass(frozen=True)
class Ledger:
    lines: tuple[Line, ...]

    @property
    def good(self) -> tuple[Line, ...]:
        """Those that still allow a dose, the one that ends first in front: it is used first."""
        return tuple(sorted((line for line in self.lines if line.left), key=lambda line: line.clearance.until))

    @property
    def used(self) -> int:
        return sum(line.used for line in self.lines)

    @property
    def left(self) -> int:
        return sum(line.left for line in self.lines)

    @property
    def cleared(self) -> Cleared | None:
        """What planning may count on: the doses left, until the last day of any."""
        return Cleared(self.left, max(line.clearance.until for line in self.good)) if self.good else None


def ledger(client: Client, today: date) -> Ledger:
    """Every clearance of this client, oldest first, with its state today. Two queries."""
    rows = client.dose_clearances.select_related("by", "by_request__to", "withdrawal__by").prefetch_related("uses")
    return Ledger(tuple(_line(row, today) for row in rows))


def _line(row: DoseClearance, today: date) -> Line:
    used = len(row.uses.all())
    if hasattr(row, "withdrawal"):
        return Line(row, used, "withdrawn")
    if used >= row.doses:
        return Line(row, used, "used_up")
    return Line(row, used, "ended" if today > row.until else "good")


@transaction.atomic
def grant(
    *,
    by: User | None,
    client: Client,
    doses: int,
    until: date,
    most_mg: Decimal,
    route: str,
    words: str,
    at: datetime,
    every_days: int | None = None,
    request: ClearanceRequest | None = None,
) -> DoseClearance:
    """Clear doses. By a prescriber of the practice, or by the answer to a request to one without an account."""
    if until < timezone.localdate(at):
        raise NotNow(gettext("The last day lies in the past. Choose a later one."))
    row = DoseClearance(
        client=client,
        doses=doses,
        until=until,
        every_days=every_days,
        most_mg=most_mg,
        route=route,
        by=by,
        by_request=request,
        at=at,
    )
    row.words = words
    row.save(force_insert=True)
    audit.record("clearance.granted", by=by or request, client=client, target=row, at=at)
    return row


@transaction.atomic
def withdraw(
    *,
    by: User | None,
    clearance: DoseClearance,
    words: str,
    at: datetime,
    request: ClearanceRequest | None = None,
) -> Withdrawal:
    """Take a clearance back, also in the middle of a session. Doses given under it stay in the ledger."""
    if not words.strip():
        raise NotNow(gettext("Write why the clearance is taken back."))
    row = Withdrawal(clearance=clearance, by=by, by_request=request, at=at)
    row.words = words
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise NotNow(gettext("This clearance was taken back already.")) from None
    audit.record("clearance.withdrawn", by=by or request, client=clearance.client, target=clearance, at=at)
    return row


def against(found: Ledger, *, mg: Decimal | None, route: str, today: date, last_dose_on: date | None) -> str:
    """Return the sentence that names the rule against a dose today, or "" when there is none.

    `mg` None asks before the dose is known; the dose itself is asked about again when it is recorded.
    """
    if not found.good:
        return _none_left(found)
    by_route = [line.clearance for line in found.good if line.clearance.route == route]
    if not by_route:
        routes = ", ".join(str(Route(line.clearance.route).label) for line in found.good)
        return gettext("The prescriber cleared another route: {routes}.").format(routes=routes)
    fitting = _fitting(found, mg, route)
    if not fitting:
        most = max(row.most_mg for row in by_route).normalize()
        return gettext("This is more than the prescriber cleared: at most {mg} mg.").format(mg=f"{most:f}")
    row = fitting[0]
    if row.every_days and last_dose_on and today < last_dose_on + timedelta(days=row.every_days):
        return gettext("The prescriber cleared one dose in {n} days. The last was on {day}.").format(
            n=row.every_days, day=full_day(last_dose_on)
        )
    return ""


def against_more(session: Session, *, mg: Decimal, route: str, today: date) -> str:
    """The same for what is given, or entered anew, on top of the use of this session: its clearance has to stand."""
    used = DoseUse.objects.select_related("clearance__withdrawal").filter(session=session).first()
    lines = () if used is None else (_line_of(used),)
    return against(Ledger(lines), mg=mg, route=route, today=today, last_dose_on=None)


def _line_of(used: DoseUse) -> Line:
    """The clearance of this use as it would stand without it."""
    return Line(used.clearance, 0, "withdrawn" if hasattr(used.clearance, "withdrawal") else "good")


def _fitting(found: Ledger, mg: Decimal | None, route: str) -> list[DoseClearance]:
    """The clearances that allow this dose, the one that is used first in front."""
    rows = [line.clearance for line in found.good if line.clearance.route == route]
    return [row for row in rows if mg is None or mg <= row.most_mg]


def _none_left(found: Ledger) -> str:
    if not found.lines:
        return gettext("No prescriber has cleared a dose.")
    last = found.lines[-1]
    return {
        "withdrawn": gettext("The prescriber took the clearance back."),
        "used_up": ngettext(
            "The cleared dose is used.", "All {n} cleared doses are used.", last.clearance.doses
        ).format(n=last.clearance.doses),
        "ended": gettext("The clearance ended on {day}.").format(day=full_day(last.clearance.until)),
    }[last.state]


@transaction.atomic
def use(*, session: Session, mg: Decimal, route: str, last_dose_on: date | None, at: datetime) -> DoseUse:
    """Take one dose out of the ledger for this session. Raises NotNow with the rule; entered anew it uses none.

    The client's clearances are locked, so that two sessions at once cannot use the last one twice.
    """
    client = session.plan.client
    before = DoseUse.objects.filter(session=session).first()
    if before is not None:
        if sentence := against_more(session, mg=mg, route=route, today=timezone.localdate(at)):
            raise NotNow(sentence)
        return before
    list(DoseClearance.objects.select_for_update(no_key=True).filter(client=client).values_list("pk", flat=True))
    today = timezone.localdate(at)
    found = ledger(client, today)
    if sentence := against(found, mg=mg, route=route, today=today, last_dose_on=last_dose_on):
        raise NotNow(sentence)
    row = DoseUse(clearance=_fitting(found, mg, route)[0], session=session, at=at)
    row.save(force_insert=True)
    return row
