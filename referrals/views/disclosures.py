"""Everything that left the practice in six years, the emergencies first: the accounting of 45 CFR 164.528."""

from datetime import datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from practice import audit, places
from practice.access import Permission
from practice.forms import Day, HouseForm
from practice.models import Client
from practice.pages import StaffRequest, staff_page
from practice.views.search import ClientNumber
from referrals.models import Destination, Disclosure
from referrals.views.release_forms import ClinicField
from referrals.views.release_rows import disclosure_row

PER_PAGE = 50
KEPT = relativedelta(years=6)  # 45 CFR 164.528(a)
ORDER = ["-is_emergency", "-at", "-id"]


class FilterForm(HouseForm):
    client = ClientNumber(label=_("Client number"))
    destination = ClinicField(
        label=_("Who got it"), queryset=Destination.objects.none(), required=False, empty_label=_("Anybody")
    )
    emergency = forms.BooleanField(label=_("Only emergencies, without a release"), required=False)
    start = Day(label=_("From"), required=False)
    end = Day(label=_("Until"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True
        self.fields["destination"].queryset = Destination.objects.order_by("name")  # type: ignore[attr-defined]


@staff_page(Permission.READ_AUDIT)
def disclosures(request: StaffRequest) -> HttpResponse:
    asked = {name: request.GET[name] for name in FilterForm.base_fields if request.GET.get(name)}
    form = FilterForm(request.GET if asked else None)
    said = form.cleaned_data if form.is_bound and form.is_valid() else {}
    at = timezone.now()
    after = request.GET.get("after", "")
    found = places.stretch(matching(said, at), ORDER, "disclosures", after, PER_PAGE)
    audit.record(
        "read.disclosures",
        by=request.user,
        client=said.get("client"),
        filters=sorted(name for name, value in said.items() if value),
    )
    ids = {row.client_id for row in found.rows}
    mine = set(Client.objects.visible_to(request.user).filter(pk__in=ids).values_list("pk", flat=True))
    context = {
        "form": form,
        "rows": [
            disclosure_row(row, request.user)
            | {"code": row.client.code, "name": row.client.name if row.client_id in mine else "", "pk": row.client_id}
            for row in found.rows
        ],
        "next": found.next,
        "is_first": found.is_first,
        "query": urlencode(asked) + "&" if asked else "",
        "emergencies": matching(said, at).filter(is_emergency=True).count(),
    }
    return render(request, "referrals/disclosures.html", context, status=400 if form.errors else 200)


def matching(said: dict[str, Any], at: datetime) -> QuerySet[Disclosure]:
    """What left since six years ago, or in the days that were asked for."""
    start = said.get("start") or timezone.localdate(at) - KEPT
    rows = Disclosure.objects.select_related("client", "by").filter(at__gte=_midnight(start))
    if said.get("client"):
        rows = rows.filter(client=said["client"])
    if said.get("destination"):
        rows = rows.filter(destination=said["destination"])
    if said.get("emergency"):
        rows = rows.filter(is_emergency=True)
    if said.get("end"):
        rows = rows.filter(at__lt=_midnight(said["end"] + timedelta(days=1)))
    return rows


def _midnight(on: Any) -> datetime:
    return timezone.make_aware(datetime.combine(on, time.min))
