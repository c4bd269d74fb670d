"""Before a booster everything is asked anew (H14): what is answered, what is due, and the sending of the questions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions as intake
from intake.models import Intake, Invitation, Measure
from practice.actions import NotNow
from practice.clinical import kap
from practice.kap.models import Plan, Session
from practice.models import Client, User
from referrals import picture

PACKET = "before-booster"
LEAD = timedelta(days=min(kap.BOOSTER_REMIND_DAYS))  # the questions go out with the later reminder
NAMES: dict[str, str | Promise] = {
    "phq-9": "PHQ-9",
    "gad-7": "GAD-7",
    "cssrs-screener-recent": "C-SSRS",
    "pc-ptsd-5": "PC-PTSD-5",
    "pcl-5": "PCL-5",
    "meds": _("Medicines"),
    "pregnancy": _("Pregnancy question"),
    "cystitis": _("Urinary question"),
}

SAID_AS = {"med_list_confirmed": "meds"}  # a clinician's word that the list of medicines is right


@dataclass(frozen=True)
class Row:
    code: str
    answered_on: date | None
    is_due: bool


def booster_dose(plan: Plan) -> Session | None:
    """The dose of this plan that is ahead, when the plan is a booster that goes on."""
    if plan.shape != Plan.Shape.BOOSTER or plan.state != Plan.State.UNDER_WAY:
        return None
    doses = plan.sessions.filter(kind=Session.Kind.DOSING, state__in=Session.AHEAD)
    return doses.order_by("starts_at").first()


def standing(client: Client, dose_on: date, today: date) -> list[Row]:
    """Each thing that is asked before a booster, with the day of its newest answer."""
    answered: dict[str, date] = {}
    trauma = False
    for row in client.assessments.order_by("taken_at").defer("answers"):
        if row.instrument in NAMES and (row.total is not None or row.level):
            answered[row.instrument] = row.taken_on
            if row.instrument == kap.TRAUMA_SCREEN:
                trauma = row.band == "positive"
    for code, day in picture.known(client, today).dates.items():
        if (code := SAID_AS.get(code, code)) in NAMES:
            answered[code] = max(date.fromisoformat(day), answered.get(code, date.min))
    due = kap.rescreen(answered, dose_on, trauma=trauma)
    wanted = [*kap.RESCREEN, *([kap.TRAUMA_MEASURE] if trauma else [])]
    return [Row(code, answered.get(code), code in due) for code in wanted]


def due_words(rows: Collection[Row]) -> str:
    return ", ".join(str(NAMES[row.code]) for row in rows if row.is_due)


def against(session: Session, today: date) -> str:
    """The sentence against the start of a booster whose questions are not answered anew; "" when there is none."""
    if session.plan.shape != Plan.Shape.BOOSTER:
        return ""
    names = due_words(standing(session.plan.client, today, today))
    return gettext("Re-screening due: {names}.").format(names=names) if names else ""


def wanted(plan: Plan) -> list[tuple[str, str, datetime]]:
    """When the questions go out for the booster that is ahead; a booster planned late sends them at once.

    Not again for a dose that was moved while the answers still count.
    """
    dose = booster_dose(plan)
    if dose is None or dose.state != Session.State.PLANNED:
        return []
    since = dose.starts_at - timedelta(days=kap.RESCREEN_WITHIN_DAYS)
    if Intake.objects.filter(client=plan.client, invitation__packet=PACKET, submitted_at__gte=since).exists():
        return []
    due_at = dose.starts_at - LEAD
    return [(PACKET, str(Measure.Why.PLAN), max(due_at, plan.created_at) if plan.created_at else due_at)]


def on_its_way(client: Client, at: datetime) -> Invitation | None:
    """The questions that were sent and are not back."""
    rows = client.invitations.filter(packet=PACKET, state__in=intake.OPEN, expires_at__gt=at)
    found: Invitation | None = rows.order_by("-created_at").first()
    return found


def from_day(dose_on: date) -> date:
    """The first day whose answers count for this dose."""
    return dose_on - timedelta(days=kap.RESCREEN_WITHIN_DAYS)


def send(*, by: User, plan: Plan, at: datetime) -> Invitation:
    """Send the questions now. Raises NotNow with what stands against it."""
    dose, zone = booster_dose(plan), plan.tz()
    if dose is None:
        raise NotNow(gettext("No booster is ahead in this plan."))
    if at.astimezone(zone).date() < (first := from_day(dose.starts_at.astimezone(zone).date())):
        raise NotNow(gettext("Answers count from {day} on. Send the questions then.").format(day=first.isoformat()))
    return intake.invite(by=by, client=plan.client, key=PACKET, at=at)
