"""A client at their own page: the link pressed, and the check passed, as a browser without script would."""

from typing import Any

from django.test import Client as Browser
from django.utils import timezone

from intake import actions
from practice.models import Client, Notice
from tests.conftest import send


def newest_code(template: str, **which: Any) -> str:
    """The newest one-time code on its way, all taken out: of two at one moment nothing tells which is newer."""
    waiting = Notice.objects.filter(template=template, state=Notice.State.WAITING, **which)
    *_older, newest = waiting.order_by("created_at")
    waiting.update(state=Notice.State.SENT)
    return str(newest.words["code"])


def code_sent(client: Client) -> str:
    return newest_code("code", client=client)


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
