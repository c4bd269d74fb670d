"""A packet as the client would see it, one question on a page; nothing that is typed here goes anywhere."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode

from intake import flow, packet
from intake.forms import form_for
from intake.models import PacketDraft
from intake.packet import Packet
from intake.spoken import of_text, spoken, why
from practice import coverage
from practice.access import Permission
from practice.language import CODES, HOUSE
from practice.pages import StaffRequest, staff_page


def _wanted(key: str, version: str) -> Packet | None:
    """The draft, or one version of the packet; None when there is nothing to show."""
    if version:
        try:
            return packet.load(key, version)
        except ValueError:
            raise Http404 from None
    draft = PacketDraft.objects.filter(key=key).first()
    if draft is None:
        raise Http404
    return packet.built(draft.rows)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_preview(request: StaffRequest, key: str) -> HttpResponse:
    version = request.GET.get("version", "")[:16]
    wanted = _wanted(key, version)
    language = request.GET.get("language", HOUSE)
    shown = list(wanted.pages) if wanted else []
    slugs = [page.slug for page in shown]
    at = slugs.index(request.GET["at"]) if request.GET.get("at") in slugs else 0
    back = reverse("packet_versions" if version else "packet_draft", args=[key])
    with translation.override(language if language in CODES else HOUSE):
        if not shown or wanted is None:
            return render(request, "intake/packet_preview.html", {"back_url": back})
        page = shown[at]

        def url(**asked: str) -> str:
            said = {"version": version, "at": page.slug, "language": language} | asked
            return "?" + urlencode({name: value for name, value in said.items() if value})

        today = coverage.local(timezone.now(), request.practice).date()
        context = {
            "back_url": back,
            "page": spoken(page),
            "text_language": of_text(page),
            "form": None if page.kind == "agreement" else form_for(spoken(page), today=today),
            "place": flow.place(wanted, shown, page),
            "why": why(wanted, page.section),
            "sometimes": bool(page.show_when) or bool(page.instrument and page.item.enable_when),
            "before": url(at=slugs[at - 1]) if at else "",
            "after": url(at=slugs[at + 1]) if at + 1 < len(slugs) else "",
            "languages": [(code, name, url(language=code)) for code, name in settings.LANGUAGES if code != language],
            "therapist": request.practice.display_name,
            "practice": request.practice,
        }
        return render(request, "intake/packet_preview.html", context)
