"""A client on a phone: opening a link, answering page by page, as a browser without script would."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from intake import actions, flow
from intake.models import Intake, Invitation
from practice.models import Client, User
from tests.conftest import send
from tests.factories import NOW

NO, YES = "0", "1"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


class Phone:
    """One browser of a client. Every answer is typed by the page's own field names."""

    def __init__(self, invitation: Invitation) -> None:
        self.invitation = invitation
        self.browser = Browser()

    @property
    def sitting(self) -> Intake:
        return Intake.objects.select_related("invitation", "client").get(invitation=self.invitation)

    def get(self, url: str) -> Any:
        return self.browser.get(url, follow=True)

    def post(self, url: str, data: dict[str, Any] | None = None, **extra: Any) -> Any:
        return send(self.browser, url, data, **extra)

    def open(self) -> Any:
        return self.post(self.invitation.path)

    def start(self) -> "Phone":
        self.open()
        self.post("/my/")
        return self

    def say(self, page: str, value: Any = None, **fields: Any) -> Any:
        data = {"answer": value} if value is not None else fields
        return self.post(f"/my/q/{page}/", data)

    def skip(self, page: str) -> Any:
        return self.post(f"/my/q/{page}/", {"skip": "1"})

    def saved(self, page: str) -> Any:
        return flow.value_of(actions.replies_of(self.sitting), page)

    def said(self) -> dict[str, Any]:
        return {slug: None if row.skipped else row.value for slug, row in actions.replies_of(self.sitting).items()}


REQUIRED: dict[str, dict[str, Any]] = {
    "contact": {"phone": "555 0142", "email": "sam@example.net"},
    "place": {"state": "NY", "address": "12 Elm Street, Troy"},
    "names": {"used": "Sam", "legal": "Samuel Whitehorse"},
    "birth-date": {"answer_0": "3", "answer_1": "8", "answer_2": "1993"},
    "agreement--treatment": {"typed_name": "Samuel Whitehorse", "relation": "self"},
}


def fill_required(phone: Phone) -> Phone:
    for page, fields in REQUIRED.items():
        answer = phone.post(f"/my/q/{page}/", fields)
        assert answer.status_code == 303, (page, answer.content.decode())
    return phone


@pytest.fixture
def sent(clock: object, sam: Client, maya: User, on_call: User) -> Invitation:
    return actions.invite(by=maya, client=sam, key="intake", at=NOW)


@pytest.fixture
def phone(sent: Invitation) -> Phone:
    """A phone on which the client has pressed Start."""
    return Phone(sent).start()


@pytest.fixture
def fresh(sent: Invitation) -> Callable[[], Phone]:
    """Another browser with the same link, not opened yet."""
    return lambda: Phone(sent)


@pytest.fixture
def check_in(clock: object, sam: Client, maya: User, on_call: User) -> Phone:
    return Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()


def text_of(answer: Any) -> str:
    """The words of a page, as somebody reads them."""
    html = re.sub(r"<(script|style|svg).*?</\1>", " ", answer.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
