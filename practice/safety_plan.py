"""The safety plan: its steps (safety_plan.toml), and the acts of writing, finishing and giving it.

A plan is written with the client, live: one draft at a time, saved as it is typed. Each open page says which version of
the draft it read and who it is; when another page saved since, nothing is written and both texts are shown (`Changed`).
A finished version is never edited; a review begins a draft from it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q
from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from practice import audit, coverage, notices, pdf
from practice.actions import NotNow
from practice.language import CODES, checked, said_in
from practice.models import Alert, Client, Practice, SafetyPlan, Task, User
from practice.templatetags.ui import full_day, tel

FILE = Path(__file__).with_name("safety_plan.toml")
MOST_ROWS = 12
LONGEST = 300
NUMBER = re.compile(r"\+?[\d\s().-]+")
SHORTEST_NUMBER = 3  # 988
FURTHEST_REVIEW_DAYS = 366
LIFELINE, EMERGENCY_ROOM = _("988, call or text, day or night"), _("Nearest emergency room")
Steps = dict[str, list[dict[str, Any]]]


class Changed(Exception):
    """Somebody else saved the draft since it was read."""


@dataclass(frozen=True)
class Part:
    """One box of a row."""

    key: str
    label: str
    kind: str = "text"  # text, phone, tick


@dataclass(frozen=True)
class Section:
    code: str
    prompt: str
    ask: str
    recommended: int
    parts: tuple[Part, ...]
    least: int = 0


@dataclass(frozen=True)
class Form:
    title: str
    version: str
    source: str
    sections: tuple[Section, ...]


@cache
def form() -> Form:
    said = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Form(
        title=said["title"],
        version=said["version"],
        source=said["source"],
        sections=tuple(
            Section(
                code=row["code"],
                prompt=row["prompt"],
                ask=row["ask"],
                recommended=row["recommended"],
                parts=tuple(Part(**part) for part in row.get("fields", [{"key": "text", "label": row["prompt"]}])),
                least=row.get("least", 0),
            )
            for row in said["sections"]
        ),
    )


# --- What a plan says ------------------------------------------------------------------------------------------------


def prefilled(client: Client, practice: Practice) -> Steps:
    """The steps of a first draft: the professionals we know of, and a row for the nearest emergency room."""
    services = []
    if client.therapist:
        name = gettext("{name}, my therapist").format(name=client.therapist.name)
        services.append({"name": name, "phone": practice.phone})
    hours = gettext("{practice}, {hours}").format(practice=practice.display_name, hours=practice.hours)
    services.append({"name": hours if practice.hours else practice.display_name, "phone": practice.phone})
    services.append({"name": str(LIFELINE), "phone": "988"})
    services.append({"name": str(EMERGENCY_ROOM), "phone": ""})
    return {section.code: [] for section in form().sections} | {"professionals": services}


def shown(steps: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The sections that say something, in order, each row in words: {"text", "phone", "call", "done"}."""
    found = []
    for section in form().sections:
        rows = [_row(section, row) for row in steps.get(section.code, ())]
        has_calls = any(row["call"] for row in rows)
        if rows:
            prompt = gettext(section.prompt)
            found.append({"code": section.code, "prompt": prompt, "rows": rows, "has_calls": has_calls})
    return found


def _row(section: Section, row: Mapping[str, Any]) -> dict[str, Any]:
    words = [_as_read(str(row.get(part.key, "")).strip()) for part in section.parts if part.kind == "text"]
    text = ", ".join(word for word in words if word)
    phone = str(row.get("phone", ""))
    return {"text": text, "phone": phone, "call": to_call(phone), "done": bool(row.get("done"))}


def _as_read(words: str) -> str:
    """A line of ours in the language of its reader, whatever the plan was begun in; the client's words as they are."""
    ours = (line for line in (LIFELINE, EMERGENCY_ROOM) for code in CODES if words == said_in(code, str, line))
    return str(next(ours, words))


def to_call(phone: str) -> str:
    """The first number of what was written as a phone, as a link wants it: never two run together, no extension."""
    found = next((each for each in NUMBER.findall(phone) if len(tel(each)) >= SHORTEST_NUMBER), "")
    return tel(found)


def together(theirs: Steps, mine: Steps) -> Steps:
    """Both writers' rows, theirs first, each once: nothing of either is lost."""
    return {
        section.code: [
            *theirs.get(section.code, []),
            *(row for row in mine.get(section.code, []) if row not in theirs.get(section.code, [])),
        ]
        for section in form().sections
    }


def plan_pdf(plan: SafetyPlan, practice: Practice | None = None) -> bytes:
    """The plan on paper, in the client's language. Its text does not name the client: it may hang on a wall."""
    with translation.override(checked(plan.client.language)):
        said = {
            "title": gettext(form().title),
            "practice": (practice or Practice.get()).display_name,
            "made": gettext("Made {day}").format(day=full_day(plan.finished_at)),
            "review": gettext("We look at it again by {day}").format(day=full_day(plan.review_on)),
            "sections": shown(plan.steps),
            "language": translation.get_language(),
            "crisis": gettext("Call or text 988, day or night. If you are hurt or in danger, call 911."),
            "done": gettext("done"),
            "of": pgettext("page 1 of 2", "of"),
        }
    return pdf.render("safety_plan", said)


def download(plan: SafetyPlan, practice: Practice) -> HttpResponse:
    """The plan as a file, under a name that says nothing of the client."""
    response = HttpResponse(plan_pdf(plan, practice), content_type="application/pdf")
    response["Content-Disposition"] = 'attachment; filename="plan.pdf"'
    return response


# --- Acts ------------------------------------------------------------------------------------------------------------


def draft_of(client: Client) -> SafetyPlan | None:
    found: SafetyPlan | None = SafetyPlan.objects.filter(client=client, finished_at=None).first()
    return found


@transaction.atomic
def begin(*, by: User, client: Client, at: datetime) -> SafetyPlan:
    """Return the open draft, or begin one: from the last version when there is one, else with what we know."""
    client = Client.objects.select_for_update(of=("self",), no_key=True).select_related("therapist").get(pk=client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if (draft := draft_of(client)) is not None:
        return draft
    last = SafetyPlan.current(client)
    number = SafetyPlan.objects.filter(client=client).aggregate(n=Max("number"))["n"] or 0
    plan = SafetyPlan(client=client, number=number + 1, started_at=at, started_by=by)
    with translation.override(checked(client.language)):
        plan.steps = last.steps if last else prefilled(client, Practice.get())
    plan.save(force_insert=True)
    audit.record("safety_plan.begun", by=by, client=client, target=plan, at=at)
    return plan


@transaction.atomic
def save(
    *,
    by: User,
    plan: SafetyPlan,
    steps: Steps,
    means: str,
    means_words: str,
    review_on: date | None,
    seen: int,
    writer: str,
    at: datetime,
) -> None:
    """Keep the draft as it stands on the page `writer`, which read version `seen`. The same words change nothing.

    Raises Changed when another page saved something else since, NotNow when the plan is finished.
    """
    row = SafetyPlan.objects.held(plan.pk)
    if row.finished_at is not None:
        raise NotNow(gettext("{who} finished this plan. Begin a review to change it.").format(who=row.finished_by))
    said = {"steps": steps, "means": means, "means_words": means_words, "review_on": review_on}
    changed = [name for name, value in said.items() if getattr(row, name) != value]
    if not changed:
        return
    if row.version != seen and (not writer or row.writer != writer):
        raise Changed
    for name in changed:
        setattr(row, name, said[name])
    row.version, row.writer, row.saved_at = row.version + 1, writer, at
    row.save(update_fields=[*changed, "version", "writer", "saved_at"])
    audit.record("safety_plan.saved", by=by, client=row.client_id, target=row, at=at, fields=changed)


@transaction.atomic
def finish(*, by: User, plan: SafetyPlan, at: datetime, give: bool = False) -> None:
    """Finish the draft as it was saved. Once; the second person reads who did."""
    row = SafetyPlan.objects.held(plan.pk)
    if row.finished_at is not None:
        raise NotNow(gettext("{who} finished this plan first.").format(who=row.finished_by))
    row.finished_at, row.finished_by, row.version = at, by, row.version + 1
    row.save(update_fields=["finished_at", "finished_by", "version"])
    Task.finish(row.client, "plan_review", at=at, by=by)
    audit.record("safety_plan.finished", by=by, client=row.client, target=row, at=at, number=row.number)
    if give:
        give_to_client(by=by, plan=row, at=at)


@transaction.atomic
def give_to_client(*, by: User, plan: SafetyPlan, at: datetime) -> list[str]:
    """Put a finished plan on the client's own page, and say that there is news. Returns the channels used."""
    if plan.finished_at is None:
        raise NotNow(gettext("Finish the plan first."))
    if plan.client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    Client.objects.hold(plan.client_id)
    SafetyPlan.objects.filter(pk=plan.pk, given_at=None).update(given_at=at, version=F("version") + 1)
    plan.refresh_from_db(fields=["given_at", "version"])
    used = notices.tell_news(plan.client, at)
    audit.record("safety_plan.given", by=by, client=plan.client, target=plan, at=at, channels=used)
    return used


# --- Reviews ---------------------------------------------------------------------------------------------------------

SERIOUS = (Alert.Severity.URGENT, Alert.Severity.PRIORITY)  # a high or moderate screen


def open_reviews(*, at: datetime) -> int:
    """Open the item to review a plan when its day has come, or a serious flag opened after it. Returns how many."""
    finished = SafetyPlan.objects.filter(finished_at__isnull=False)
    newer = finished.filter(client=OuterRef("client"), number__gt=OuterRef("number"))
    flags = Alert.objects.filter(client=OuterRef("client"), severity__in=SERIOUS, raised_at__gt=OuterRef("finished_at"))
    waiting = Task.objects.filter(client=OuterRef("client"), kind="plan_review", done_at=None)
    plans = finished.exclude(client__status__in=Client.LEFT).filter(~Exists(newer), ~Exists(waiting))
    flagged = Exists(flags.exclude(action=Alert.Action.ENTERED_IN_ERROR))
    today = coverage.local(at, Practice.get()).date()
    due = plans.annotate(flagged=flagged).filter(Q(review_on__lte=today) | Q(flagged=True))
    found = list(due.select_related("client"))
    for plan in found:
        with transaction.atomic():
            Client.objects.hold(plan.client_id)
            Task.open(plan.client, "plan_review", at=at, reason="flag" if plan.flagged else "date")
            audit.record("task.opened", by=None, client=plan.client, target=plan, at=at, kind="plan_review")
    return len(found)
