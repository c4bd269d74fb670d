"""The packet as it was sent, on a page and on paper, and the letters that came back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, uploads
from practice.access import Permission
from practice.models import Client
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import moment
from practice.views.chart import allowed, emergency_words, frame, named, reader
from referrals import attachments, letters
from referrals import packet as packets
from referrals.actions import letters as actions
from referrals.models import Letter, Packet, Referral


def _referral(request: HttpRequest, referral: UUID) -> Referral:
    found: Referral = record_of(request, Referral, referral)
    return found


def _version(request: HttpRequest, referral: Referral) -> Packet | None:
    """The version that the address asks for, else the newest; None while nothing was sent. 404 for no such version."""
    wanted = request.GET.get("version", "")
    if not wanted:
        return referral.packets.first()
    found = referral.packets.filter(number=int(wanted)).first() if wanted.isdecimal() and len(wanted) < 5 else None
    if found is None:
        raise Http404
    return found


@staff_page(Permission.READ_CHART)
def packet(request: HttpRequest, referral: UUID) -> HttpResponse:
    """What the clinic was sent, in the version asked for; before anything is sent, what would go now."""
    found = _referral(request, referral)
    frozen = _version(request, found)
    audit.seen(request, found.client, "packet", frozen or found)
    context = {
        "referral": found,
        "packet": frozen,
        "content": frozen.content if frozen else packets.outgoing(found, timezone.now())[0],
        "versions": list(found.packets.values_list("number", flat=True)) if frozen else [],
        "ready": bool(frozen and frozen.pdf_sha256),
        "emergency": emergency_words(reader(request), found.client, timezone.now()),
    }
    return render(request, "referrals/packet.html", context)


@staff_page(Permission.READ_CHART)
def packet_pdf(request: HttpRequest, referral: UUID) -> HttpResponse:
    found = _referral(request, referral)
    frozen = _version(request, found)
    if frozen is None:
        raise Http404
    if not frozen.pdf_sha256:
        messages.info(request, gettext("The PDF is being made. Look again in a moment."))
        return redirect("packet", found.pk)
    audit.seen(request, found.client, "packet_pdf", frozen)
    return uploads.as_attachment(bytes(frozen.pdf), attachments.PDF, f"packet-{found.reference}-{frozen.number}.pdf")


@staff_page(Permission.READ_CHART)
def fax_cover(request: HttpRequest, referral: UUID) -> HttpResponse:
    """The sheet that goes before the packet on a fax machine."""
    found = _referral(request, referral)
    frozen = _version(request, found)
    if frozen is None:
        raise Http404
    audit.seen(request, found.client, "fax_cover", frozen)
    cover = letters.fax_cover(found, frozen)
    return uploads.as_attachment(cover, attachments.PDF, f"fax-cover-{found.reference}.pdf")


# --- Letters that came back ------------------------------------------------------------------------------------------


def _letter(request: HttpRequest, referral: UUID, letter: UUID) -> Letter:
    found: Letter = record_of(request, Letter, letter)
    if found.referral_id != referral:
        raise Http404
    return found


@staff_page(Permission.READ_CHART)
def letter(request: HttpRequest, referral: UUID, letter: UUID) -> HttpResponse:
    found = _letter(request, referral, letter)
    client = client_of(request, found.referral.client_id)
    audit.seen(request, client, "letter", found)
    context: dict[str, Any] = {
        **frame(request, client, timezone.now()),
        "referral": found.referral,
        "letter": found,
        "sender": found.by_name or (found.by.name if found.by else gettext("the clinic")),
        "came": moment(found.at),
        "size": filesizeformat(found.size),
        "may_mark": Permission.MARK_READ in allowed(reader(request), client),
        "read_by": named(found.read_by, reader(request)) if found.read_at else "",
    }
    return render(request, "referrals/letter.html", context)


@staff_page(Permission.READ_CHART)
def letter_file(request: HttpRequest, referral: UUID, letter: UUID) -> HttpResponse:
    """The file as it came, to be kept; the browser neither shows nor runs it."""
    found = _letter(request, referral, letter)
    if not found.kind:
        raise Http404
    audit.seen(request, found.referral.client, "letter_file", found)
    return attachments.attach(found)


@staff_page(Permission.READ_CHART)
def letter_read(request: HttpRequest, referral: UUID, letter: UUID) -> HttpResponse:
    found = _letter(request, referral, letter)
    if request.method == "POST":
        Client.objects.get_for(reader(request), Permission.MARK_READ, found.referral.client_id)
        if actions.mark_read(by=reader(request), letter=found, at=timezone.now()):
            messages.success(request, gettext("Marked as read."))
        else:
            who = named(found.read_by, reader(request))
            messages.info(
                request, gettext("Read already, by {who}, {when}.").format(who=who, when=moment(found.read_at))
            )
    return redirect("letter", found.referral_id, found.pk)
