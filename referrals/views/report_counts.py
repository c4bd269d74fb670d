"""The reports that are counted by tables: the page, the rows behind each number, and both as files."""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext

from practice import audit, pdf, sheets
from practice.access import Permission
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import full_day, moment
from referrals.reports import listed
from referrals.reports.counted import HEAD, REPORTS, Counted, Kind
from referrals.reports.days import ALL, MINE, Days, DaysForm, ask_days
from referrals.reports.files import LONGEST
from referrals.reports.sources import Behind
from referrals.reports.steps import FEWEST

P = Permission
PAGE = 50


@staff_page(P.SEE_REPORTS)
def report_count(request: StaffRequest, kind: str) -> HttpResponse:
    at, what = timezone.now(), _kind(request, kind)
    form, days = _ask(request, what, at)
    if days is None:
        return render(request, "referrals/reports/count.html", {"kind": what, "form": form}, status=400)
    days.said["line"] = ""
    counted = Counted(what, days, at, reverse("report_count_rows", args=[kind]))
    context = _frame(what, form, days, reverse("report_count", args=[kind])) | {
        "sentence": _sentence(days, at),
        "tables": counted.tables(),
        "middles": counted.middles(),
        "empty": not counted.rows,
        "hides": any(number.hidden for number in counted.numbers.values()),
        "fewest": FEWEST,
        "files": [
            {"label": gettext("PDF, no names"), "url": days.url(reverse("report_count_pdf", args=[kind]))},
            {"label": gettext("CSV, no names"), "url": days.url(reverse("report_count_csv", args=[kind]))},
        ],
    }
    return render(request, "referrals/reports/count.html", context)


@staff_page(P.SEE_REPORTS)
def report_count_rows(request: StaffRequest, kind: str) -> HttpResponse:
    """Exactly the rows that a number counted."""
    at, what = timezone.now(), _kind(request, kind)
    form, days = _ask(request, what, at)
    if days is None:
        return render(request, "referrals/reports/count_rows.html", {"kind": what, "form": form}, status=400)
    code = _line(what, days)
    counted = Counted(what, days, at, "")
    number, sees = counted.numbers[code], counted.sees(code)
    page = Paginator([] if number.hidden else counted.of(code), PAGE).get_page(request.GET.get("page"))
    context = _frame(what, form, days, reverse("report_count_rows", args=[kind])) | {
        "title": what.lines[code].words,
        "count": number.count,
        "withheld": number.hidden,
        "fewest": FEWEST,
        "nameless": not sees,
        "page": page,
        "query": days.url("")[1:] + "&",
        "rows": listed.shown(list(page.object_list), days, sees=sees),
        "back": days.url(reverse("report_count", args=[kind]), line=""),
        "files": [
            {"label": gettext("CSV, no names"), "url": days.url(reverse("report_count_rows_csv", args=[kind]))},
        ],
    }
    return render(request, "referrals/reports/count_rows.html", context)


@staff_page(P.SEE_REPORTS)
def report_count_rows_csv(request: StaffRequest, kind: str) -> HttpResponse:
    """The list as a file, without names; what is too long to wait for is made in the background."""
    at, what = timezone.now(), _kind(request, kind)
    form, days = _ask(request, what, at)
    if days is None:
        return render(request, "referrals/reports/count_rows.html", {"kind": what, "form": form}, status=400)
    code = _line(what, days)
    found = Behind(what, days, code, at)
    if len(found.rows) > LONGEST["csv"]:
        context = {
            "report": kind,
            "title": what.title,
            "count": len(found.rows),
            "most": LONGEST["csv"],
            "kind": "csv",
            "names": False,
            "query": found.query,
            "back": days.url(reverse("report_count_rows", args=[kind])),
        }
        return render(request, "referrals/reports/too_long.html", context)
    lines = listed.lines(found.rows, days, sees=found.sees)
    _note(request, what, "csv", len(lines), line=code)
    return sheets.csv_response(_name(what, days, "csv", code), found.head, lines)


@staff_page(P.SEE_REPORTS)
def report_count_csv(request: StaffRequest, kind: str) -> HttpResponse:
    """The numbers of the page, without one that would tell on somebody when they are of several caseloads."""
    at, what = timezone.now(), _kind(request, kind)
    form, days = _ask(request, what, at)
    if days is None:
        return render(request, "referrals/reports/count.html", {"kind": what, "form": form}, status=400)
    lines = list(Counted(what, days, at, "", for_file=True).lines())
    _note(request, what, "csv", len(lines))
    head = [str(words) for words in HEAD]
    return sheets.csv_response(_name(what, days, "csv"), head, lines)


@staff_page(P.SEE_REPORTS)
def report_count_pdf(request: StaffRequest, kind: str) -> HttpResponse:
    at, what = timezone.now(), _kind(request, kind)
    form, days = _ask(request, what, at)
    if days is None:
        return render(request, "referrals/reports/count.html", {"kind": what, "form": form}, status=400)
    counted = Counted(what, days, at, "", for_file=True)
    data = {
        "title": str(what.title),
        "practice": request.practice.name,
        "sentence": _sentence(days, at),
        "head": [gettext("Number"), gettext("Share")],
        "tables": [
            {
                "title": str(table["title"]),
                "first": str(table["first"]),
                "lines": [[str(line["words"]), str(line["number"]), line["share"]] for line in table["lines"]],
            }
            for table in counted.tables()
        ],
        "medians": gettext("Medians"),
        "middles": [[str(each["label"]), each["value"], each["words"]] for each in counted.middles()],
        "counting": gettext("How we count"),
        "how": [*(str(words) for words in what.how), _few()],
        "of": gettext("of"),
        "language": (get_language() or "en").split("-")[0],
    }
    _note(request, what, "pdf", len(data["tables"]))
    response = HttpResponse(pdf.render("report", data), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{_name(what, days, "pdf")}"'
    return response


# --- Parts of them ---------------------------------------------------------------------------------------------------


def _kind(request: StaffRequest, code: str) -> Kind:
    what = REPORTS.get(code)
    if what is None:
        raise Http404
    if not request.user.may(what.sees):
        raise PermissionDenied
    return what


def _ask(request: StaffRequest, what: Kind, at: datetime) -> tuple[DaysForm, Days | None]:
    return ask_days(
        request.user, request.GET, at, request.practice, days=what.days,
        by_therapist=request.user.may(what.choose_therapist),
    )  # fmt: skip


def _line(what: Kind, days: Days) -> str:
    code = str(days.said.get("line") or what.first)
    if code not in what.lines:
        raise Http404
    return code


def _frame(what: Kind, form: DaysForm, days: Days, here: str) -> dict[str, Any]:
    return {
        "kind": what,
        "form": form,
        "asked": days,
        "clear": here,
        "keep": [{"name": "who", "value": days.query["who"]}] if "who" in days.query else [],
        "whose": [
            {"label": label, "url": days.url(here, who=who), "current": days.seen.who == who}
            for who, label in ((ALL, gettext("All I see")), (MINE, gettext("Charts I read")))
        ]
        if days.seen.both
        else [],
    }


def _sentence(days: Days, at: datetime) -> str:
    return gettext("{start} to {end}. As of {now}.").format(
        start=full_day(days.said["start"]), end=full_day(days.said["end"]), now=moment(at)
    )


def _few() -> str:
    return gettext(
        "A number of under {n} people, or from which such a number could be worked out, is left out: too few."
    ).format(n=FEWEST)


def _name(what: Kind, days: Days, kind: str, line: str = "") -> str:
    parts = [what.code, *([line.replace("_", "-")] if line else []), str(days.said["start"]), str(days.said["end"])]
    return f"{'-'.join(parts)}.{kind}"


def _note(request: StaffRequest, what: Kind, kind: str, rows: int, *, line: str = "") -> None:
    audit.record("report.exported", by=request.user, report=what.code, kind=kind, names=False, rows=rows, line=line)
