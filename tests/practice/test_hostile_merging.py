"""Merging, attacked: no number or mailbox becomes safe or private by what was said of another one."""

from datetime import timedelta
from typing import Any

import pytest

from intake import actions
from intake.models import Assessment
from practice import merging
from practice.models import Alert, Client, Task, User
from tests import factories
from tests.factories import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("house")]
LATER = NOW + timedelta(minutes=5)
OURS, THEIRS = "+1 202 555 0142", "+1 202 555 0190"
ALONE = {"email": True, "sms": True, "voice": True, "voicemail": False, "private": ["sms", "email"]}


@pytest.mark.parametrize(
    ("ours", "theirs", "take", "number", "codes"),
    [
        (ALONE, {}, ("phone",), THEIRS, ["email"]),  # nobody said who reads the number that came
        (ALONE, {}, (), OURS, ["email", "sms"]),
        ({}, ALONE, (), OURS, []),  # the words were of the other number, and of another mailbox
        ({}, ALONE, ("phone", "email"), THEIRS, ["email", "sms"]),
        (ALONE, ALONE, ("phone",), THEIRS, ["email", "sms"]),
        (ALONE, ALONE | {"private": ["email"]}, ("phone",), THEIRS, ["email"]),
        (ALONE | {"private": ["email"]}, ALONE, (), OURS, ["email"]),
    ],
)
def test_codes_go_only_to_what_was_said_to_be_private(
    ours: Any, theirs: Any, take: tuple[str, ...], number: str, codes: list[str], rosa: User
) -> None:
    sam = factories.client(rosa, "Sam Whitehorse", email="a@example.net", phone=OURS, reach=ours)
    double = factories.client(rosa, "Sam Whitehorse", email="b@example.net", phone=THEIRS, reach=theirs)
    merging.merge(by=rosa, kept=sam, former=double, take=take, words="Same birth date.", at=LATER)
    sam.refresh_from_db()
    assert (sam.phone, sorted(actions.private_ways(sam))) == (number, codes)


def test_what_a_client_says_just_after_a_merge_is_the_kept_records(
    sam: Client, omar: User, rosa: User, on_call: User
) -> None:
    """Law 1: the flag of a page that was asked for before the merge is opened at once by who is told of it."""
    double = factories.client(omar, "Sam Whitehorse", email="b@example.net", phone=THEIRS)
    sitting = actions.start(invitation=actions.invite(by=omar, client=double, key="check-in", at=NOW), at=NOW)
    merging.merge(by=rosa, kept=sam, former=Client.objects.get(pk=double.pk), take=(), words="The same.", at=LATER)
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    flag = actions.save_answer(by=double, sitting=sitting, page=page, value=2, at=LATER)
    assert flag is not None
    assert {notice.user for notice in flag.notices.all()} >= {on_call}
    assert Alert.objects.get().client == sam
    actions.submit(by=double, sitting=sitting, at=LATER)
    assert {task.client for task in Task.objects.filter(kind="new_intake")} == {sam}
    assert set(Assessment.objects.values_list("client", flat=True)) == {sam.pk}
