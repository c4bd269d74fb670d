"""A client at their own page: the link pressed, and the check passed, as a browser without script would."""

from django.test import Client as Browser
from django.utils import timezone

from intake import actions
from practice.models import Client, Notice
from tests.conftest import send


def codes(client: Client) -> dict[object, str]:
    """The one-time codes on their way to this client, by notice, oldest first."""
    waiting = Notice.objects.filter(client=client, template="code", state=Notice.State.WAITING)
    return {notice.pk: str(notice.words["code"]) for notice in waiting.order_by("created_at")}


def code_sent(client: Client) -> str:
    """The newest one-time code that is on its way to this client."""
    return list(codes(client).values())[-1]


def at_home(client: Client, browser: Browser | None = None) -> Browser:
    """A browser in which this client's own page is open: by a code, or by the birth date where no way is private."""
    browser = browser or Browser()
    send(browser, actions.home_invitation(client=client, at=timezone.now()).path)
    if ways := actions.private_ways(client):
        before = codes(client)  # where the clock stands still, time does not tell the newest
        send(browser, "/my/home/check/", {"send": ways[0]})
        [code] = [code for pk, code in codes(client).items() if pk not in before]
        said = {"code": code}
    else:
        year, month, day = client.birth_date.split("-")
        said = {"year": year, "month": month, "day": day}
    answer = send(browser, "/my/home/check/", said)
    assert (answer.status_code, answer["Location"]) == (303, "/my/home/")
    return browser
