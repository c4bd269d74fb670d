"""On the client's own page: what they told us, in words; and how it went over time, where their therapist shares it.

No score is a verdict here: a shared measure has no band, no line and no colour. It stands under the therapist's words.
Only a one-time code opens these pages: others know a birth date.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, doors, flow, shares
from intake.doors import Link, home_page, see_other, show
from intake.home import Line, Shown
from intake.models import Assessment, Intake, SharedScores
from intake.models.packets import SIGNING
from intake.spoken import packet_title, title
from intake.views.sending import row_of
from practice import audit
from practice.charts import Point, Size, trend
from practice.charts.drawing import number
from practice.clinical import brought
from practice.clinical.instrument import load
from practice.models import Client
from practice.templatetags.ui import full_day

# What each kind of measure is called where clients read it. What has no name here is called by the last.
NAMES: dict[str, str | Promise] = {
    "depression": _("How you have been"),
    "anxiety": _("Worry"),
    "trauma": _("Hard experiences"),
    "alcohol": _("Alcohol"),
    "drugs": _("Drugs"),
    "pain": _("Pain"),
    "function": _("Daily life"),
    "well-being": _("Well-being"),
}
OTHER = _("Your answers")
PLAIN = Size("chart-z", width=340, left=36, right=16, height=170, narrow=True)


def line(link: Link, at: datetime) -> Line | None:
    shared = link.client.shared_scores.filter(ended_at=None).exists()
    if not shared and not sent(link.client).exists():
        return None
    text = gettext("What you told us, in words.")
    if shared:
        text += " " + gettext("%(name)s shares with you how it went over time.") % {
            "name": doors.called(link.client, link.practice)
        }
    return Line(title=gettext("Your answers"), text=text, url=reverse("my_answers"), label=gettext("See your answers"))


def sent(client: Client) -> Any:
    """What the client sent, the newest first."""
    rows = client.intakes.filter(submitted_at__isnull=False).exclude(
        invitation__packet=SIGNING
    )  # those are signed copies
    return rows.select_related("invitation", "answered_by").order_by("-submitted_at", "pk")


@home_page
def my_answers(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    if not doors.has_shown_code(request, link.client.pk):
        return show(request, "intake/my_answers_code.html")
    audit.record("read.own_answers", by=link.client, client=link.client)
    context = {
        "cards": [card(row) for row in shares.standing(link.client)],
        "rows": [
            {
                "title": title_of(row),
                "at": row.submitted_at,
                "url": reverse("my_answers_sent", args=[row.pk]),
                "by": row.answered_by.name if row.answered_by else "",
            }
            for row in sent(link.client)
        ],
    }
    return show(request, "intake/my_answers.html", context)


def title_of(sitting: Intake) -> str:
    """What these forms were called, in the language of the page."""
    asked = actions.packet_of(sitting)
    if asked.key in brought.known():  # called by its section: the name of an instrument says nothing to a client
        return gettext(asked.sections[0].title)
    return packet_title(asked)


@home_page
def my_answers_sent(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One sitting, question by question, in the words in which it was answered."""
    link: Link = request.link  # type: ignore[attr-defined]
    if not doors.has_shown_code(request, link.client.pk):
        return see_other("my_answers")
    sitting: Intake | None = sent(link.client).filter(pk=pk).first()
    if sitting is None:
        raise Http404
    audit.record("read.own_answers", by=link.client, client=link.client, target=sitting)
    groups = told(sitting, link)
    others = sitting.answers.exclude(answered_by=None).select_related("answered_by")
    context = {
        "title": title_of(sitting),
        "at": sitting.submitted_at,
        "groups": groups,
        "foreign": any(row["language"] for _title, rows in groups for row in rows),
        "by": sitting.answered_by.name if sitting.answered_by else "",
        "others": ", ".join(dict.fromkeys(row.answered_by.name for row in others if row.answered_by)),
    }
    return show(request, "intake/my_answers_sent.html", context)


def told(sitting: Intake, link: Link) -> list[tuple[str, list[dict[str, Any]]]]:
    """(section, rows) of what was answered or skipped; what was signed has its own page."""
    wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
    then = sitting.submitted_at or sitting.started_at
    shown = flow.pages(wanted, replies, actions.world(link.practice, actions.alert_of(sitting), wanted, then))
    answered = [page for page in shown if page.slug in replies and page.kind != "agreement"]
    return [
        (title(wanted, section.key), rows)
        for section in wanted.sections
        if (rows := [row_of(page, replies) for page in answered if page.section == section.key])
    ]


# --- How it went over time -------------------------------------------------------------------------------------------


def card(shared: SharedScores) -> dict[str, Any]:
    """What the client sees of one shared measure; staff see the same before they let it stand."""
    rows = shares.rows_of(shared.client, shared.instrument, shared.first_on, shared.last_on, shared.shared_at)
    known = [(row.taken_on, float(row.total)) for row in rows if row.total is not None]
    definition = rows[-1].definition if rows else load(shared.instrument)  # two records that were merged, and are not
    name = str(NAMES.get(definition.domain, OTHER))
    words = went(known, float(definition.scoring["maximum"]), definition.higher_is_better) if known else []
    return {
        "shared": shared,
        "name": name,
        "by": shared.shared_by.first_name,
        "words": words,
        "chart": chart(rows, shared, name, " ".join(words)) if len(known) > 1 else "",
    }


def went(known: Sequence[tuple[date, float]], most: float, higher_is_better: bool) -> list[str]:
    """The first and the last total in plain sentences, and which way the numbers run. No word of good or bad."""
    (first_on, first), (last_on, last) = known[0], known[-1]
    facts = {"first": number(first), "last": number(last), "day": full_day(first_on), "end": full_day(last_on)}
    if len(known) == 1:
        said = [gettext("On %(day)s your answers came to %(first)s.") % facts]
    else:
        said = [gettext("Your answers came to %(first)s on %(day)s, and to %(last)s on %(end)s.") % facts]
        if first == last:
            said.append(gettext("That is the same as at the start."))
        elif last < first:
            said.append(gettext("That is a lower number than at the start."))
        else:
            said.append(gettext("That is a higher number than at the start."))
    scale = {"most": number(most)}
    if higher_is_better:
        said.append(gettext("It can be from 0 to %(most)s. A higher number means that there was more of it.") % scale)
    else:
        said.append(gettext("It can be from 0 to %(most)s. A lower number means that there was less of it.") % scale)
    return said


def chart(rows: Sequence[Assessment], shared: SharedScores, name: str, description: str) -> Any:
    """A line and its days: no bands, no cuts, no safety answer, whatever the measure has."""
    definition = rows[-1].definition
    return trend(
        [Point(row.taken_on, None if row.total is None else float(row.total)) for row in rows],
        name=name,
        bands=(),
        maximum=float(definition.scoring["maximum"]),
        minimum=float(definition.scoring.get("minimum", 0)),
        size=PLAIN,
        chart_id=f"s-{shared.pk}",
        title=name,
        description=description,
    )


# --- For somebody whom the client trusts -----------------------------------------------------------------------------


def answers_for_person(link: Link, at: datetime) -> Shown:
    """Every sitting that was sent, each in full: the client ticked that this person may read them."""
    sittings = [
        {"title": title_of(row), "at": row.submitted_at, "groups": told(row, link)} for row in sent(link.client)
    ]
    return Shown(template="intake/_person_answers.html", context={"sittings": sittings})


def scores_for_person(link: Link, at: datetime) -> Shown:
    cards = [card(row) for row in shares.standing(link.client)]
    return Shown(template="intake/_person_scores.html", context={"cards": cards})
