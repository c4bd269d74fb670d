"""Jobs of this package, registered by name."""

from collections.abc import Callable

from django.utils import timezone

from practice import jobs
from practice.tasks import DELIVERY_ATTEMPTS
from referrals import letters
from referrals.actions import clocks, decisions, delivery, releases
from referrals.models import Destination, Packet, ReportFile, Sending
from referrals.reports import making


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


@jobs.job("review_decisions")
def review_decisions(ref: str) -> None:
    decisions.open_reviews(at=timezone.now())


@jobs.job("send_fax_mail", attempts=DELIVERY_ATTEMPTS)
def send_fax_mail(ref: str) -> Callable[[], None] | None:
    """Mail the packet to the e-mail-to-fax gateway, once its PDF is made."""
    row = Sending.objects.select_related("packet__referral__client", "referral__client", "referral__destination")
    found = row.get(pk=ref)
    return delivery.send_fax_mail(found, timezone.now()) if found.state == Sending.State.WAITING else None


@jobs.job("climb_referrals")
def climb_referrals(ref: str) -> None:
    """Do the next thing for each silent referral, and ask each client once whether they went."""
    clocks.climb(at=timezone.now())
    clocks.ask_clients(at=timezone.now())


@jobs.job("send_desk_digest")
def send_desk_digest(ref: str) -> None:
    clocks.send_digest(destination=Destination.objects.get(pk=ref), at=timezone.now())


@jobs.job("make_report")
def make_report(ref: str) -> Callable[[], None] | None:
    return making.make_slice(ReportFile.objects.select_related("by").get(pk=ref), at=timezone.now())


@jobs.job("drop_reports")
def drop_reports(ref: str) -> None:
    making.throw_away(timezone.now())
