"""The referral report: its page, the rows behind each number, how it is counted, and the rows as a file."""

import sys
from datetime import datetime
from io import BytesIO
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, coverage, sheets
from practice.access import Permission
from practice.models import Client, Site, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import full_day, moment
from referrals.models import Course, Destination, Referral
from referrals.reports import steps
from referrals.reports.cases import ELSEWHERE, Case, supporting
from referrals.reports.counted import REPORTS, Counted, Kind
from referrals.reports.days import ALL, MINE, ask_days
from referrals.reports.figures import Report
from referrals.reports.files import LONGEST, Lines
from referrals.reports.filters import Asked, FilterForm, ask, spans
from referrals.reports.sources import REFERRALS
from referrals.states import State

P = Permission
PAGE = 50


@staff_page(P.SEE_REPORTS)
def reports(request: StaffRequest) -> HttpResponse:
    """The reports, each with one number."""
    at = timezone.now()
    _form, asked = ask(request.user, type(request.GET)(), at, request.practice)
    assert asked is not None
    context = {
        "flags": Report.of(asked, "", at).cell("flagged"),
        "counted": [_first(request, kind, at) for kind in REPORTS.values() if request.user.may(kind.sees)],
    }
    return render(request, "referrals/reports/reports.html", context)


def _first(request: StaffRequest, kind: Kind, at: datetime) -> dict[str, Any]:
    _form, days = ask_days(request.user, type(request.GET)(), at, request.practice, days=kind.days)
    assert days is not None
    number = Counted(kind, days, at, "").numbers[kind.first]
    return {"kind": kind, "number": number, "words": kind.lines[kind.first].words}


@staff_page(P.SEE_REPORTS)
def report_referrals(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    form, asked = ask(request.user, request.GET, at, request.practice)
    if asked is None:
        return render(request, "referrals/reports/referrals.html", {"form": form}, status=400)
    report = Report.of(asked, reverse("report_rows"), at)
    is_empty = not report.found.groups
    context = _frame(asked, form, "report_referrals", at) | {
        "sentence": _sentence(asked, report, at),
        "empty": is_empty,
    }
    if not is_empty:
        context |= {
            "tiles": report.tiles(at),
            "funnel": report.funnel(),
            "stops": report.stops(),
            "days": report.days(),
            "clinics": report.clinics(),
            "paths": report.paths(),
            "loop": report.loop(),
            "nudges": report.nudges(at),
        }
    return render(request, "referrals/reports/referrals.html", context)


def _frame(asked: Asked, form: FilterForm, page: str, at: datetime) -> dict[str, Any]:
    here = reverse(page)
    today = coverage.local(at, asked.practice).date()
    return {
        "form": form,
        "asked": asked,
        "clear": here,
        "spans": [
            {
                "label": label,
                "url": asked.url(here, start=start.isoformat(), end=end.isoformat()),
                "current": (asked.said["start"], asked.said["end"]) == (start, end),
            }
            for label, start, end in spans(today)
        ],
        "whose": [
            {"label": label, "url": asked.url(here, who=who), "current": asked.seen.who == who}
            for who, label in ((ALL, gettext("All I see")), (MINE, gettext("Charts I read")))
        ]
        if asked.seen.both
        else [],
        "files": [
            {"label": gettext("CSV, no names"), "url": asked.url(reverse("report_csv")), "icon": "download"},
            {"label": gettext("CSV with names"), "url": asked.url(reverse("report_csv_named")), "icon": "lock"},
            {"label": gettext("Excel, no names"), "url": asked.url(reverse("report_xlsx")), "icon": "download"},
            {"label": gettext("Excel with names"), "url": asked.url(reverse("report_xlsx_named")), "icon": "lock"},
        ],
    }


def _sentence(asked: Asked, report: Report, at: datetime) -> str:
    return gettext(
        "Flags raised {start} to {end}. Referrals: {sent}. Clinics asked: {clinics}. Counted by flag date; as of {now}."
    ).format(
        start=full_day(asked.said["start"]),
        end=full_day(asked.said["end"]),
        sent=report.count("sent"),
        clinics=report.clinics_asked,
        now=moment(at),
    )


# --- The rows --------------------------------------------------------------------------------------------------------


@staff_page(P.SEE_REPORTS)
def report_rows(request: StaffRequest) -> HttpResponse:
    """Exactly the rows that a number counted."""
    at = timezone.now()
    form, asked = ask(request.user, request.GET, at, request.practice)
    if asked is None:
        return render(request, "referrals/reports/rows.html", {"form": form}, status=400)
    wanted = Paginator(range(sys.maxsize), PAGE).get_page(request.GET.get("page")).number
    rows, count = _page_of(asked, wanted, PAGE)
    withheld = asked.clinical and not asked.seen.reads and 0 < count < steps.FEWEST
    page = Paginator(range(0 if withheld else count), PAGE).get_page(wanted)
    nameless = asked.clinical and not asked.seen.reads
    context = _frame(asked, form, "report_rows", at) | {
        "title": _title(asked),
        "count": count,
        "withheld": withheld,
        "fewest": steps.FEWEST,
        "nameless": nameless,
        "page": page,
        "query": asked.url("")[1:] + "&",
        "rows": _lines(asked, [] if withheld else rows, nameless),
        "back": asked.url(reverse("report_referrals"), step="", stop=""),
    }
    return render(request, "referrals/reports/rows.html", context)


def _page_of(asked: Asked, wanted: int, size: int) -> tuple[list[Case], int]:
    """The rows of this page, or of the last one if there is no such page, and how many there are. Keeps no others."""
    kept, count = list[Case](), 0
    for row in filter(asked.chooses, asked.each()):
        if count < wanted * size:
            if count % size == 0:
                kept = []
            kept.append(row)
        count += 1
    return kept, count


def _title(asked: Asked) -> str:
    step, stop = asked.said.get("step"), asked.said.get("stop")
    if stop:
        return f"{steps.HEADS[steps.STOPS[stop].after]}: {steps.STOPS[stop].words}"
    return str(steps.TESTS[step].words) if step else gettext("Every flag and referral")


def _lines(asked: Asked, rows: list[Case], nameless: bool) -> list[dict[str, Any]]:
    """The rows of this page as they are shown: three queries, and one for names."""
    sites: dict[int, str] = dict(Site.objects.values_list("pk", "name"))
    lines = Lines(asked, names=False)
    clients = {} if nameless else Client.objects.in_bulk({row.client for row in rows})
    people: dict[Any, str] = dict(User.objects.values_list("pk", "name")) if not nameless else {}
    clinics: dict[Any, str] = dict(Destination.objects.values_list("pk", "name")) if not nameless else {}
    paths = dict(steps_paths())
    found = []
    for row in rows:
        whose = not nameless and (asked.seen.reads or row.sent_at is not None)
        found.append(
            {
                "name": clients[row.client].name if whose else "",
                "url": _url(row) if whose else "",
                "code": row.code if whose else "",
                "therapist": people.get(row.therapist, "") if whose else "",
                "site": sites.get(row.site, ""),
                "month": lines.month(row.flagged_at),
                "flagged": row.flagged_at if asked.seen.reads else None,
                "path": paths.get(row.path, ""),
                "clinic": clinics.get(row.clinic, "") if whose else "",
                "state": State(row.state).label if row.state and whose else "",
                "reached": list(steps.FUNNEL.values())[steps.reached(row) - 1].words if asked.seen.reads else "",
                "why": lines.stops.get(steps.stop_of(row), "") if asked.seen.reads else "",
                "sent": row.sent_at if whose else None,
                "first": row.first_on if whose else None,
                "given": row.given if whose and row.first_on else None,
                "planned": row.planned or Course._meta.get_field("planned").default,
            }
        )
    return found


def steps_paths() -> list[tuple[str, str]]:
    return [(code, str(label)) for code, label in Referral._meta.get_field("path").choices or []]


def _url(row: Case) -> str:
    if row.referral is not None:
        return Referral(pk=row.referral).get_absolute_url()
    return reverse("chart", args=[row.client])


@staff_page(P.SEE_REPORTS)
def report_how(request: StaffRequest) -> HttpResponse:
    context = {
        "fewest": steps.FEWEST,
        "funnel": [test.words for test in steps.FUNNEL.values()],
        "rules": [{"label": code, "value": reason} for code, reason in supporting().items()],
        "paths": [label for code, label in steps_paths() if code in ELSEWHERE],
    }
    return render(request, "referrals/reports/how.html", context)


# --- Files -----------------------------------------------------------------------------------------------------------


@staff_page(P.SEE_REPORTS)
def report_csv(request: StaffRequest) -> HttpResponse:
    return _file(request, "csv", names=False)


@staff_page(P.SEE_REPORTS, fresh=True)
def report_csv_named(request: StaffRequest) -> HttpResponse:
    return _file(request, "csv", names=True)


@staff_page(P.SEE_REPORTS)
def report_xlsx(request: StaffRequest) -> HttpResponse:
    return _file(request, "xlsx", names=False)


@staff_page(P.SEE_REPORTS, fresh=True)
def report_xlsx_named(request: StaffRequest) -> HttpResponse:
    return _file(request, "xlsx", names=True)


def _file(request: StaffRequest, kind: str, *, names: bool) -> HttpResponse:
    """The rows that the list shows, as a file; what is too long to wait for is made in the background."""
    at = timezone.now()
    form, asked = ask(request.user, request.GET, at, request.practice)
    if asked is None:
        return render(request, "referrals/reports/referrals.html", {"form": form}, status=400)
    rows, count = _page_of(asked, 1, LONGEST[kind])
    if count > LONGEST[kind]:
        context = {
            "report": REFERRALS,
            "title": gettext("Infusion referrals"),
            "count": count,
            "most": LONGEST[kind],
            "kind": kind,
            "names": names,
            "query": asked.url("")[1:],
            "back": asked.url(reverse("report_referrals")),
        }
        return render(request, "referrals/reports/too_long.html", context)
    if asked.clinical and not asked.seen.reads and len(rows) < steps.FEWEST:
        rows = []
    lines = Lines(asked, names=names)
    audit.record(
        "report.exported", by=request.user, report="referrals", kind=kind, names=lines.names, rows=len(rows),
        filters=sorted(asked.query),
    )  # fmt: skip
    name = f"referrals-{asked.said['start']}-{asked.said['end']}{'-names' if lines.names else ''}.{kind}"
    if kind == "csv":
        return sheets.csv_response(name, lines.head, lines.of(rows))
    file = BytesIO()
    sheets.write_xlsx(file, gettext("Referrals"), lines.head, lines.of(rows))
    return sheets.as_download(name, sheets.XLSX_TYPE, [file.getvalue()])
