"""Running the practice under attack: emergency access past its limits, copies, files that are no tables."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from practice import csv_in, emergencies, exports, handover
from practice.models import Client, Export, Note, PsychotherapyNote, Task, User

As = Callable[[User], Browser]
Post = Callable[..., Any]


@pytest.mark.parametrize(
    "body",
    [b'"",""\n', b'"",""\n"",""\n', "\u00a0,\u00a0\n\u2003,\n".encode(), b"\x0b,\x0c\n", b'" ";" "\r\n" ";" "'],
)
def test_table_of_nothing_is_a_sentence(body: bytes) -> None:
    with pytest.raises(csv_in.NotATable):
        csv_in.read(body)


# --- Emergency access ------------------------------------------------------------------------------------------------


@pytest.fixture
def broken(omar: User, rosa: User, sam: Client) -> User:
    """Omar, who looks at Sam's chart in an emergency."""
    emergencies.open_chart(by=omar, client=sam, reason="He is on the roof", at=timezone.now())
    return omar


def test_open_item_does_not_stay_with_somebody_who_sees_the_client_for_an_hour(
    broken: User, maya: User, sam: Client, as_user: As, post: Post
) -> None:
    """Given to them, it would be nobody's once the hour is over."""
    task = Task.open(sam, "todo", at=timezone.now(), owner=maya)
    for who in (broken, maya):
        sent = {"task": str(task.pk), "act": "give", "to": broken.pk}
        answer = post(as_user(who), reverse("tasks"), sent)
        assert "Omar Haddad does not look after these clients." in answer.content.decode()
    task.refresh_from_db()
    assert task.owner == maya


def test_emergency_access_takes_no_copy_and_reads_no_psychotherapy_note(
    broken: User, maya: User, sam: Client, as_user: As, post: Post
) -> None:
    private = PsychotherapyNote(client=sam, by=maya, at=timezone.now())
    private.body = "Said aside"
    private.save()
    browser = as_user(broken)
    for name in ("record_copy", "record_copy_make"):
        assert post(browser, reverse(name, args=[sam.pk])).status_code == 403
    assert not Export.objects.exists()
    for answer in (
        browser.get(reverse("psychotherapy_notes", args=[sam.pk])),
        post(browser, reverse("psychotherapy_notes", args=[sam.pk]), {"words": "Mine"}),
    ):
        assert (answer.status_code, "Said aside" in answer.content.decode()) == (404, False)
    assert "Said aside" not in browser.get(reverse("chart", args=[sam.pk])).content.decode()
    assert [row.body for row in PsychotherapyNote.objects.visible_to(maya)] == ["Said aside"]


def test_what_was_written_in_an_emergency_stays_and_cannot_be_added_to_afterwards(
    broken: User, sam: Client, as_user: As, post: Post
) -> None:
    browser, url = as_user(broken), reverse("notes", args=[sam.pk])
    assert post(browser, url, {"words": "Safe at home."}).status_code == 302
    sam.emergencies.update(until=timezone.now())
    assert post(browser, url, {"words": "And more."}).status_code == 404
    assert [note.body for note in Note.objects.all()] == ["Safe at home."]


# --- Copies ----------------------------------------------------------------------------------------------------------


def test_copy_of_a_client_who_was_handed_over_is_gone_for_who_asked(
    maya: User, omar: User, rosa: User, sam: Client, as_user: As
) -> None:
    now = timezone.now()
    export = Export.objects.create(
        client=sam, asked_by=maya, asked_at=now, state=Export.State.READY, ready_at=now, kinds_all=1
    )
    exports.folder(export).mkdir(parents=True)
    url = reverse("export_file", args=[export.pk])
    assert as_user(maya).get(url).status_code == 200
    handover.transfer(by=rosa, clients=[sam], to=omar, at=now)
    for who in (maya, omar, rosa):
        assert as_user(who).get(url).status_code == 404
    emergencies.open_chart(by=maya, client=sam, reason="He is on the roof", at=now)
    assert as_user(maya).get(url).status_code == 404
    assert not exports.may_have(export)


def test_copy_that_is_being_made_stops_when_the_client_is_handed_over(
    maya: User, omar: User, rosa: User, sam: Client
) -> None:
    at = timezone.now()
    export = exports.begin(by=maya, client=sam, at=at)
    handover.transfer(by=rosa, clients=[sam], to=omar, at=at)
    note = exports.make_slice(export, at=at + timedelta(minutes=1))
    assert note is not None
    note()
    export.refresh_from_db()
    assert (export.state, export.stopped_why, export.files.count()) == ("stopped", "right_lost", 0)
