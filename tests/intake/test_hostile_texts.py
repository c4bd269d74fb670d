"""Texts that come in, attacked: nothing of a signed text is refused for its letters, and nobody sees a fault."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client as Browser
from django.urls import reverse

from intake.models import Message
from practice.models import Client, Enquiry
from practice.sms import sign
from tests.factories import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture(autouse=True)
def _key(settings: LazySettings) -> None:
    settings.SMS_IN_SECRET = "k" * 40


def comes(body: str, **headers: str) -> Any:
    stamp = str(int(NOW.timestamp()))
    return Browser().post(
        reverse("texts_in"), body, content_type="application/json",
        headers={"X-Timestamp": stamp, "X-Signature": sign(stamp, body.encode())} | headers,
    )  # fmt: skip


@pytest.mark.parametrize("words", ["\\ud800 I took them", "\\u0000 I took them", "\\ud83c\\udf31 I took them"])
@pytest.mark.parametrize("key", ["t-1", "t-\\ud800", "t-\\u0000"])
def test_whatever_letters_it_has_a_text_reaches_a_person(words: str, key: str, sam: Client) -> None:
    """Security check 73; law 1: a service that gets a fault hands over the same text again, and never the next."""
    answer = comes(f'{{"id": "{key}", "from": "{sam.phone}", "text": "{words}"}}')
    assert (answer.status_code, [row.words.endswith("I took them") for row in Message.objects.all()]) == (204, [True])


def test_number_that_nobody_has_reaches_the_front_desk_whatever_letters(sam: Client) -> None:
    answer = comes('{"id": "1", "from": "+1 202 555 0199", "text": "\\ud800 hello"}')
    assert (answer.status_code, Enquiry.objects.count()) == (204, 1)
