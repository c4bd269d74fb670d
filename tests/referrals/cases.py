"""A client with a whole record, and a referral of theirs to a clinic, for tests of what is sent."""

from datetime import date, datetime, timedelta
from typing import Any

from practice import actions
from practice.models import Client, SafetyPlan, User
from referrals.models import Course, CourseSession, Destination, Path, Referral, Release, Section
from referrals.states import State
from tests import sittings
from tests.factories import NOW

ALL = [str(section.value) for section in Section]
DENIED: dict[str, Any] = {
    "aneurysm": "no", "brain__bleed": "no", "heart__attack": "no", "stroke": "no", "heart": "no",
    "head__pressure": "no", "liver": "none", "thyroid": "none", "glaucoma": "none", "bladder": "none",
    "seizures": "no", "breathing": "no", "memory": "no", "pregnancy": "no", "breastfeeding": "no", "high__mood": "no",
    "bipolar": "none", "voices": "no", "plots": "no", "psychosis": "no", "family__psychosis": "no",
    "dissociative": "unsure", "ketamine__allergy": "no",
}  # fmt: skip


def clinic(**fields: Any) -> Destination:
    known = {
        "name": "Northlake Infusion", "paths": [Path.INFUSION], "gives": ["iv"], "coordinator": "Marta Lopez",
        "email": "m.lopez@northlake.example", "phone": "555 0160", "fax": "555 0161", "created_at": NOW,
    }  # fmt: skip
    return Destination.objects.create(**(known | fields))


def released(client: Client, to: Destination, sections: list[str] | None = None, **fields: Any) -> Release:
    """A release that was signed, and is good for a hundred days."""
    known = {
        "document_version": "1", "text_sha256": "0" * 64, "expires_on": date(2027, 2, 27), "asked_at": NOW,
        "signed_at": NOW, "method": Release.Method.PHONE,
    }  # fmt: skip
    row = Release(client=client, destination=to, sections=ALL if sections is None else sections, **(known | fields))
    row.purpose, row.typed_name = "Assessment for infusions", client.legal_name
    row.save(force_insert=True)
    return row


def referral(client: Client, by: User, to: Destination | None, *, at: datetime = NOW, **fields: Any) -> Referral:
    """A draft, written by its therapist."""
    words = {
        "why_now": "Depression came back after six months, in weekly therapy. She did well with infusions in March.",
        "ask": "Assess for a series of six infusions over about two weeks.",
        "keep_doing": "Weekly therapy through and after the series, safety checks every few days.",
    }
    words |= {name: fields.pop(name) for name in tuple(words) if name in fields}
    known = {"number": 2, "path": Path.INFUSION, "state": State.DRAFT, "state_at": at, "created_at": at}
    row = Referral(client=client, created_by=by, destination=to, **(known | fields))
    for name, value in words.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


def whole_record(client: Client, by: User, at: datetime = NOW) -> None:
    """Everything that a packet tells: a year of scores, infusions, an intake, a safety contact and a plan."""
    client.diagnoses = [{"code": "F33.2", "text": "Major depressive disorder, recurrent, severe"}]
    client.payment, client.allergies = "Self-pay, wants an estimate first", "Penicillin: rash"
    client.contacts = [
        {"role": "support", "name": "Lee Whitehorse", "relation": "family", "phone": "555 0199", "may_talk": "yes"}
    ]
    client.save_identity()
    for days, total, item9 in ((320, 21, 2), (262, 21, 2), (244, 9, 0), (180, 5, 0), (116, 3, 0), (40, 12, 0)):
        then = at - timedelta(days=days)
        sittings.assessed(sittings.sitting(client, then, packet="check-in"), "phq-9", sittings.phq9_of(total, item9))
    earlier = Course.objects.create(
        client=client, clinic="Northlake Infusion", started_on=(at - timedelta(days=260)).date(), state="done"
    )
    for number in range(6):
        CourseSession.objects.create(
            course=earlier,
            number=number + 1,
            on=(at - timedelta(days=260 - 2 * number)).date(),
            state="done",
            route="iv",
        )
    row = sittings.sitting(client, at - timedelta(hours=20))
    sittings.assessed(row, "phq-9", sittings.phq9_of(19, 2))
    sittings.assessed(row, "gad-7", {f"gad7-{n}": 2 for n in range(1, 8)})
    sittings.assessed(row, sittings.CSSRS, sittings.CSSRS_MODERATE)
    sittings.assessed(row, "audit-c", {"auditc-1": 1, "auditc-2": 0, "auditc-3": 0})
    sittings.assessed(row, "sisq-drug", {"sisq-1": 0})
    sittings.answered(
        row,
        **DENIED,
        language={"language": "English, Spanish", "interpreter": "no"},
        medicines__now=[{"name": "Sertraline", "dose": "150 mg daily", "why": "depression"}],
        medicine__kinds=[],
        trials=[
            {"drug": "Escitalopram", "mg": 20, "weeks": 8, "best_improvement_pct": "0", "stopped": "no_help"},
            {"drug": "Bupropion", "mg": 300, "weeks": 6, "best_improvement_pct": "25", "stopped": "side_effects"},
        ],
        other__treatments=["therapy", "ketamine"],
        blood__pressure={"upper": 124, "lower": 80, "on": "2026-11-18"},
        ketamine__outside="no",
        pain="no",
        ride="yes",
        count__on="2",
        lives__with="My brother",
        adult__stays="yes",
        safe__home="yes",
    )
    alert = actions.raise_manual_flag(by=by, client=client, severity="priority", reason="Thoughts of suicide", at=at)
    actions.record_contact(
        by=by, alert=alert, recorded_at=at, reached="yes", at=at - timedelta(minutes=10), level="moderate",
        action="Went through the plan", plan="Call tomorrow", next_check_at=at + timedelta(days=1),
    )  # fmt: skip
    plan = SafetyPlan(
        client=client, number=1, started_at=at, started_by=by, finished_at=at, finished_by=by, means="done",
        review_on=(at + timedelta(days=30)).date(),
    )  # fmt: skip
    plan.steps, plan.means_words = {"signs": ["Not sleeping"]}, "Pills are at the brother's house."
    plan.save(force_insert=True)
