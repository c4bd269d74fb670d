"""The places where the practice works: adding one, and saying where it is."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import staff
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, phone_like, text
from practice.models import Site
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict, seen_field, version_of
from practice.views.opening import setting_up
from practice.views.settings import zones


class SiteForm(HouseForm):
    name = text(_("Name of the site"), required=True, error_messages={"required": _("Write the name of the site.")})
    zone = forms.ChoiceField(label=_("Time zone"), choices=zones)
    address = text(_("Address"), 160)
    phone = text(_("Phone"), 32, validators=[phone_like])


@staff_page(Permission.MANAGE_PRACTICE)
def sites(request: StaffRequest) -> HttpResponse:
    form = SiteForm(request.POST or None, initial={"zone": request.practice.zone})
    if request.method == "POST" and form.is_valid() and _kept(form, None, request):
        messages.success(
            request,
            gettext("{name} is added. Say under People who works there.").format(name=form.cleaned_data["name"]),
        )
        return redirect("sites")
    rows = [(site, site.zone.replace("_", " ")) for site in Site.objects.annotate(people=Count("staff"))]
    context = {
        "form": form,
        "rows": rows,
        "setting_up": setting_up(request),
    }
    return render(request, "practice/sites.html", context, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE)
def site_edit(request: StaffRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(Site, pk=pk)
    initial = {name: getattr(site, name) for name in SiteForm.base_fields}
    now = version_of(initial)
    form, theirs = (SiteForm(data, initial=initial | {"version": now}) for data in (request.POST or None, None))
    form.fields["version"] = seen_field()
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data.pop("version") not in (None, now):
            return conflict(request, gettext("Somebody changed this first"), form, theirs, now)
        if _kept(form, site, request):
            messages.success(request, gettext("Saved."))
            return redirect("sites")
    return render(request, "practice/site_edit.html", {"form": form, "site": site}, status=400 if form.errors else 200)


def _kept(form: SiteForm, site: Site | None, request: StaffRequest) -> bool:
    said: dict[str, Any] = form.cleaned_data
    try:
        staff.keep_site(by=request.user, site=site, **said)
    except NotNow as refusal:
        form.add_error("name", str(refusal))
        return False
    return True
