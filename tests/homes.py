"""A client at their own page: the link pressed, and the check passed, as a browser without script would."""

from django.test import Client as Browser
from django.utils import timezone

from intake import actions
from practice.models import Client, Notice
from tests.conftest import send


def code_sent(client: Client) -> str:
    """The newest one-time code that is on its way to this client."""
    waiting = Notice.objects.filter(client=client, template="code", state=Notice.State.WAITING)
    return str(waiting.latest("created_at").words["code"])


def at_home(client: Client, browser: Browser | None = None) -> Browser:
    """A browser in which this client's own page is open: by a code, or by the birth date where no way is private."""
    browser = browser or Browser()
    send(browser, actions.home_invitation(client=client, at=timezone.now()).path)
    if ways := actions.private_ways(client):
        send(browser, "/my/home/check/", {"send": ways[0]})
        said = {"code": code_sent(client)}
    else:
        year, month, day = client.birth_date.split("-")
        said = {"year": year, "month": month, "day": day}
    answer = send(browser, "/my/home/check/", said)
    assert (answer.status_code, answer["Location"]) == (303, "/my/home/")
    return browser
