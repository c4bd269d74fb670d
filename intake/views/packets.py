"""Forms and packets: every packet with its versions, and what goes out by itself."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from intake import fixed, issuing, packet, starting
from intake.models import PacketDraft, PacketStart, PacketVersion
from intake.packet_forms import (
    StartForm,
    TitleForm,
)
from practice.access import Permission
from practice.actions import NotNow
from practice.pages import StaffRequest, staff_page

# --- All packets, and what goes out by itself ------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def practice_forms(request: StaffRequest) -> HttpResponse:
    drafts = {draft.key: draft for draft in PacketDraft.objects.select_related("changed_by")}
    sent = issuing.sent_of_all()
    shown = [each for each in packet.all_packets() if not fixed.is_closed(each.key)]
    known = {each.key for each in shown}
    titles = {each.key: each.title for each in shown}
    context = {
        "rows": [{"packet": each, "sent": sent.get(each.key, 0), "draft": drafts.get(each.key)} for each in shown],
        "new": [draft for key, draft in drafts.items() if key not in known],
        "starts": [
            {"start": each, "title": titles.get(each.packet, each.packet)}
            for each in PacketStart.objects.select_related("site", "by")
        ],
    }
    return render(request, "intake/practice_forms.html", context)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_new(request: StaffRequest) -> HttpResponse:
    form = TitleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        draft = issuing.begin_new(by=request.user, title=form.cleaned_data["title"], at=timezone.now())
        return redirect("packet_draft", draft.key)
    return render(request, "intake/packet_new.html", {"form": form}, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def packet_start_new(request: StaffRequest) -> HttpResponse:
    form = StartForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            starting.add(by=request.user, group=said["group"], key=said["packet"], site=said["site"], at=timezone.now())
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, gettext("Saved. It goes out to clients who join from now on."))
            return redirect("practice_forms")
    return render(request, "intake/packet_start_new.html", {"form": form}, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_start_remove(request: StaffRequest, start: UUID) -> HttpResponse:
    if request.method == "POST":
        if starting.remove(by=request.user, pk=start, at=timezone.now()):
            messages.success(request, gettext("It does not go out by itself any more."))
        else:
            messages.warning(request, gettext("It was taken out already."))
    return redirect("practice_forms")


# --- One packet ------------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def packet_versions(request: StaffRequest, key: str) -> HttpResponse:
    own = list(PacketVersion.objects.filter(key=key).select_related("published_by").defer("rows"))
    shipped = sorted(packet.SHELF.paths.get(key, {}), key=int, reverse=True)
    draft = PacketDraft.objects.select_related("changed_by").filter(key=key).first()
    if not (own or shipped or draft) or fixed.is_closed(key):
        raise Http404
    sent = issuing.sent(key)
    context = {
        "key": key,
        "title": packet.load(key).title if own or shipped else draft.rows["title"] if draft else "",
        "draft": draft,
        "versions": [{"version": row, "sent": sent.get(row.version, 0), "in_use": row is own[0]} for row in own],
        "shipped": [
            {"name": name, "sent": sent.get(name, 0), "in_use": not own and name == shipped[0]} for name in shipped
        ],
        "newer": own and shipped and own[0].base.partition(".")[0] != shipped[0],
    }  # fmt: skip
    return render(request, "intake/packet_versions.html", context)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_begin(request: StaffRequest, key: str) -> HttpResponse:
    if request.method == "POST":
        if fixed.is_closed(key):
            raise Http404
        try:
            issuing.begin(by=request.user, key=key, at=timezone.now(), from_waymark="waymark" in request.POST)
        except ValueError:
            raise Http404 from None
        return redirect("packet_draft", key)
    return redirect("packet_versions", key)
