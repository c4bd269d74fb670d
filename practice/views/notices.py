"""What was sent to a client and about them, by which way, and what became of it."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, notices
from practice.access import Permission
from practice.models import Client, Notice
from practice.pages import client_of, staff_page
from practice.templatetags.ui import moment
from practice.views.chart import allowed, frame, reader

PER_PAGE = 50

# What each message was about. Those not named here went to staff or to a clinic.
ABOUT = {
    "invitation": _("Forms to fill in"),
    "code": _("A code they asked for"),
    "reminder": _("Reminder of a form"),
    "check_in": _("Check-in"),
    "news": _("News on their page"),
    "home": _("Link to their page"),
    "call_me": _("Reply to a request for a call"),
    "agreement": _("Agreement to sign"),
    "message": _("A message on their page"),
    "person_link": _("Link for somebody they trust"),
    "person_code": _("A code for somebody they trust"),
    "person_ride": _("A ride home, to somebody they trust"),
    "text_stopped": _("Answer to STOP"),
    "text_started": _("Answer to START"),
    "text_help": _("Answer to HELP"),
    "text_unread": _("Answer to a text that nobody reads"),
}
TROUBLE = {
    "SMTPRecipientsRefused": _("There is no such address, says the mail server."),
    "HTTPError": _("The text message service refused it."),
    "access_ended": _("Their access ended, or was held back, before it went out."),
}
NO_ANSWER = _("No answer from the mail server or the text message service.")


@staff_page(Permission.SEE_CLIENT)
def notices_sent(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The delivery log of one client, newest first (J3). Addresses and words of messages are not on it.

    Whom a client trusts stands on the chart: what went to them is listed for those who read it.
    """
    at = timezone.now()
    client = client_of(request, pk)
    audit.seen(request, client, "notices")
    reads = Permission.READ_CHART in allowed(reader(request), client)
    shown = notices.TO_CLIENTS + (notices.TO_PEOPLE if reads else ())
    found = Notice.objects.filter(client=client, template__in=shown).order_by("-created_at")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    rows = [{"notice": notice, "about": ABOUT[notice.template], "trouble": trouble_words(notice)} for notice in page]
    return render(
        request,
        "practice/notices_sent.html",
        {**frame(request, client, at), "rows": rows, "page": page, "stops": stop_words(client)},
    )


def stop_words(client: Client) -> list[str]:
    """Since when texts or mails to this client are stopped by who has the number or the mailbox, and what ends that."""
    said = []
    if client.texts_stopped_at:
        said.append(
            gettext(
                "Their number answered STOP {when}: no texts go out. Only a text START from that number"
                " turns them on again."
            ).format(when=moment(client.texts_stopped_at))
        )
    if client.mails_stopped_at:
        said.append(
            gettext(
                "They unsubscribed from mails {when}: no reminders, check-ins or news by mail. The link at"
                " the end of those mails turns them on again."
            ).format(when=moment(client.mails_stopped_at))
        )
    return said


def trouble_words(notice: Notice) -> str:
    if notice.state == Notice.State.STOPPED and notice.trouble not in TROUBLE:
        return str(_("They asked us not to use this way, or left, before it went out."))
    return str(TROUBLE.get(notice.trouble, NO_ANSWER)) if notice.trouble else ""
