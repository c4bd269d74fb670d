"""Jobs of this package, registered by name."""

from collections.abc import Callable

from django.utils import timezone

from practice import jobs
from referrals import letters
from referrals.actions import releases
from referrals.models import Packet


@jobs.job("make_packet_pdf")
def make_packet_pdf(ref: str) -> Callable[[], None] | None:
    """Make the PDF of a frozen packet, outside of any transaction; it is kept together with the job's completion."""
    packet = Packet.objects.select_related("referral").get(pk=ref)
    if packet.pdf_sha256:
        return None
    made = letters.packet_pdf(packet)
    return lambda: letters.keep_pdf(packet, made)


@jobs.job("warn_releases")
def warn_releases(ref: str) -> None:
    releases.warn(at=timezone.now())
