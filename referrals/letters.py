"""What goes on paper: the packet and its fax cover as PDF. Made by a job, never in the request that sends."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext

from practice import coverage, pdf
from practice.models import Practice
from referrals import packet as packets
from referrals.models import Packet, Referral, Section
from referrals.sections.record import full_moment, known

# The drawing in black and white: lines and marks, no tints that a fax swallows.
INK = """<style>
text{font-family:"Libertinus Serif";fill:#000}
.b0,.b1,.b2,.b3,.b4{fill:none;stroke:#000;stroke-width:.5;stroke-dasharray:1 3}
.ln{fill:none;stroke:#000;stroke-width:2}.gap{fill:none;stroke:#000;stroke-dasharray:1 5}
.pt{fill:#fff;stroke:#000;stroke-width:2}.pt9,.inf,.kap{fill:#000}.inf-bg{fill:none;stroke:#000}
.ax,.gr{stroke:#000;stroke-width:.75}.gr{stroke-dasharray:1 3}
.rl,.rl2{stroke:#000;stroke-width:1.5;stroke-dasharray:6 4}.rl2{stroke-dasharray:2 4}
.st,.rlt,.rlt2{font-weight:700}.halo{paint-order:stroke;stroke:#fff;stroke-width:3}
.today{stroke:#000;stroke-dasharray:1 3}
</style>"""


def packet_pdf(packet: Packet) -> bytes:
    """Return the PDF of one frozen packet: the same content as its page."""
    content = packet.content
    with timezone.override(Practice.get().zone), translation.override("en"):
        blocks = [_drawn(each) for each in content["blocks"]]
        return pdf.render(
            "packet",
            {
                **content,
                "blocks": blocks,
                "part2": _is_labelled(content),
                "stamp": stamp(packet),
                "footer": gettext("confidential"),
                "return_phone": gettext("Call {phone}").format(phone=content["practice"]["phone"]),
            },
        )


def stamp(packet: Packet) -> str:
    return gettext("Packet version {number} · verification code {code} · made {made}").format(
        number=packet.number, code=packet.code, made=packet.content["made"]
    )


def _is_labelled(content: Mapping[str, Any]) -> bool:
    return bool(content["notice"]) and Section.SUBSTANCES in packets.sections_present(dict(content))


def _drawn(each: dict[str, Any]) -> dict[str, Any]:
    if "chart" not in each:
        return each
    drawing, words = packets.chart(each["chart"])
    head, _close, rest = str(drawing).partition(">")
    return each | {"chart": {"svg": f'{head} xmlns="http://www.w3.org/2000/svg">{INK}{rest}', "words": words}}


def fax_cover(referral: Referral, packet: Packet) -> bytes:
    """Return the cover sheet: to whom, from whom, how many pages. Nothing on it tells who the client is."""
    practice, clinic = Practice.get(), referral.destination
    with timezone.override(practice.zone), translation.override("en"):
        return pdf.render(
            "fax_cover",
            {
                "practice": {
                    "name": practice.name,
                    "address": practice.address,
                    "phone": known(practice.phone),
                    "fax": known(practice.fax),
                },
                "to": clinic.name if clinic else known(""),
                "coordinator": clinic.coordinator if clinic else "",
                "fax": known(clinic.fax if clinic else ""),
                "phone": known(clinic.phone if clinic else ""),
                "reference": referral.reference,
                "urgency": str(referral.get_urgency_display()),
                "pages": known("" if packet.pdf_pages is None else packet.pdf_pages + 1),
                "made": full_moment(coverage.local(packet.made_at, practice)),
            },
        )


def keep_pdf(packet: Packet, made: bytes) -> None:
    """Store the PDF beside the content it shows. Made twice, the first stays."""
    current = Packet.objects.held(packet.pk)
    if current.pdf_sha256:
        return
    current.pdf, current.pdf_sha256 = made, hashlib.sha256(made).hexdigest()
    current.pdf_pages = pdf.pages(made)
    current.save(update_fields=["pdf", "pdf_sha256", "pdf_pages"])
