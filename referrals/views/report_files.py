"""Files of a report that are made in the background: asking, how far it is, taking it."""

import tempfile
from collections.abc import Iterator
from typing import IO, cast
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from practice import audit, sheets
from practice.access import Permission
from practice.pages import StaffRequest, staff_page
from referrals.models.reports import ReportFile
from referrals.reports import making
from referrals.reports.sources import page_of, source

P = Permission


@staff_page(P.SEE_REPORTS, fresh=True)
def report_file_new(request: StaffRequest) -> HttpResponse:
    at, kind = timezone.now(), request.POST.get("kind", "")
    if request.method != "POST":
        return redirect("report_referrals")
    report, query, names = (request.POST.get(name, "") for name in ("report", "query", "names"))
    found = source(request.user, report, query, at, names=names == "yes")
    if found is None or kind not in ReportFile.Kind.values:
        raise BadRequest
    return redirect(making.begin(by=request.user, report=report, found=found, kind=kind, at=at))


@staff_page(P.SEE_REPORTS)
def report_file(request: StaffRequest, pk: UUID) -> HttpResponse:
    file = _of(request, pk)
    refused = file.state == ReportFile.State.REFUSED or not making.may_have(file)
    url, title = page_of(file.report)
    context = {"file": file, "refused": refused, "back": f"{url}?{file.query}", "title": title}
    return render(request, "referrals/reports/file.html", context)


@staff_page(P.SEE_REPORTS, fresh=True)
def report_file_get(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The file, when it is ready and who asked may still have it; else the page that says why not."""
    file, at = _of(request, pk), timezone.now()
    found = making.source_of(file, at)
    if file.state != ReportFile.State.READY or found is None or not making.may_have(file):
        return redirect(file)
    audit.record(
        "report.exported", by=request.user, target=file, at=at, report=file.report, kind=file.kind, names=file.names,
        rows=file.rows,
    )  # fmt: skip
    name = f"{found.stem}-{file.asked_at:%Y-%m-%d}{'-names' if file.names else ''}.{file.kind}"
    if file.kind == ReportFile.Kind.CSV:
        return sheets.csv_response(name, found.head, making.rows(file))
    out = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed when it has been sent)
    making.write(file, found, out)
    out.seek(0)
    return sheets.as_download(name, sheets.XLSX_TYPE, _pieces(out))


def _pieces(out: IO[bytes]) -> Iterator[bytes]:
    with out:
        while piece := out.read(1 << 16):
            yield piece


def _of(request: StaffRequest, pk: UUID) -> ReportFile:
    file = ReportFile.objects.filter(pk=pk, by=request.user).select_related("by").first()
    if file is None:
        raise Http404
    return cast(ReportFile, file)
