"""Notes in the record, and psychotherapy notes that only their author reads (security checks 7 and 8)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import get_resolver, reverse

from practice import actions
from practice.models import AuditEvent, Client, Note, PsychotherapyNote, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Any]
Post = Callable[..., Any]
CANARY = "zebra-canary-4711"


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def notes(client: Client) -> str:
    return reverse("notes", args=[client.pk])


def private(client: Client) -> str:
    return reverse("psychotherapy_notes", args=[client.pk])


def test_note_is_kept_sealed_with_its_author_and_shows_on_the_chart(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    browser = as_user(maya)
    assert post(browser, notes(sam), {"words": "Slept better.\nBack to work."})["Location"] == notes(sam)
    note = Note.objects.get()
    assert (note.by, note.client, note.body) == (maya, sam, "Slept better.\nBack to work.")
    assert "Slept better." in browser.get(notes(sam)).content.decode()
    assert "Slept better." in browser.get(reverse("chart", args=[sam.pk])).content.decode()
    [event] = AuditEvent.objects.filter(action="note.added")
    assert (event.client_id, event.facts) == (sam.pk, {"addendum": False})


@pytest.mark.parametrize("words", ["", "   ", "a\x00b", "x" * 20_001])
def test_note_that_cannot_be_kept_is_refused_with_its_words_on_the_page(
    as_user: As, post: Post, maya: User, sam: Client, words: str
) -> None:
    answer = post(as_user(maya), notes(sam), {"words": words})
    assert (answer.status_code, Note.objects.count()) == (400, 0)
    assert "There is a problem" in answer.content.decode()


def test_note_shows_markup_as_text(as_user: As, post: Post, maya: User, sam: Client) -> None:
    browser = as_user(maya)
    post(browser, notes(sam), {"words": "<script>alert(1)</script>{{ 7|add:7 }}"})
    page = browser.get(notes(sam)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}" in page


def test_addendum_stands_under_its_note_and_leaves_it_as_it_was(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    first = actions.write_note(by=maya, client=sam, words="Dose 50 mg", at=NOW)
    browser = as_user(sol)
    assert "Add to a note" in browser.get(f"{notes(sam)}?about={first.pk}").content.decode()
    post(browser, notes(sam), {"words": "Correction: 100 mg", "about": str(first.pk)})
    first.refresh_from_db()
    addendum = Note.objects.get(about=first)
    assert (first.body, addendum.body, addendum.by) == ("Dose 50 mg", "Correction: 100 mg", sol)
    page = browser.get(notes(sam)).content.decode()
    assert page.index("Dose 50 mg") < page.index("Addendum by Sol Amari") < page.index("Correction: 100 mg")


@pytest.mark.parametrize("named", ["not-an-id", "11111111-1111-1111-1111-111111111111"])
def test_addendum_to_a_note_that_is_not_there_is_not_found(
    as_user: As, post: Post, maya: User, sam: Client, named: str
) -> None:
    assert post(as_user(maya), notes(sam), {"words": "x", "about": named}).status_code in (400, 404)
    assert Note.objects.count() == 0


def test_addendum_to_a_note_of_another_client_is_refused(as_user: As, post: Post, maya: User, sam: Client) -> None:
    other = actions.write_note(by=maya, client=factories.client(maya, "Noor Adel"), words="Hers", at=NOW)
    answer = post(as_user(maya), notes(sam), {"words": "x", "about": str(other.pk)})
    assert answer.status_code == 404
    assert Note.objects.count() == 1


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)])
def test_notes_are_closed_to_everybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, maya: User, sam: Client, who: str, status: int
) -> None:
    actions.write_note(by=maya, client=sam, words=CANARY, at=NOW)
    browser = as_user(request.getfixturevalue(who))
    shown, sent = browser.get(notes(sam)), post(browser, notes(sam), {"words": "x"})
    assert (shown.status_code, sent.status_code, Note.objects.count()) == (status, status, 1)
    assert CANARY not in shown.content.decode()


# --- Psychotherapy notes ---------------------------------------------------------------------------------------------


@pytest.fixture
def kept(maya: User, sam: Client) -> PsychotherapyNote:
    return actions.write_psychotherapy_note(by=maya, client=sam, words=CANARY, at=NOW)


def test_author_writes_and_reads_psychotherapy_notes(as_user: As, post: Post, maya: User, sam: Client) -> None:
    browser = as_user(maya)
    assert post(browser, private(sam), {"words": CANARY})["Location"] == private(sam)
    page = browser.get(private(sam)).content.decode()
    assert CANARY in page
    assert "kept apart from the record (45 CFR 164.501). Only you can read them" in page
    assert reverse("psychotherapy_notes", args=[sam.pk]) in browser.get(notes(sam)).content.decode()


@pytest.mark.parametrize("who", ["sol", "pax", "omar", "ines", "fay", "rosa"])
def test_psychotherapy_notes_do_not_exist_for_anybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, kept: PsychotherapyNote, who: str
) -> None:
    browser = as_user(request.getfixturevalue(who))
    shown, sent = browser.get(private(sam)), post(browser, private(sam), {"words": "x"})
    assert (shown.status_code, sent.status_code) == (404, 404)
    assert CANARY not in shown.content.decode() + sent.content.decode()
    assert PsychotherapyNote.objects.count() == 1


def test_colleague_who_covers_an_alert_does_not_reach_them(
    as_user: As, on_call: User, sam: Client, kept: PsychotherapyNote, maya: User
) -> None:
    actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    browser = as_user(on_call)
    assert browser.get(notes(sam)).status_code == 200
    assert browser.get(private(sam)).status_code == 404
    assert private(sam) not in browser.get(notes(sam)).content.decode()


def test_two_authors_read_only_their_own(maya: User, sol: User, sam: Client, kept: PsychotherapyNote) -> None:
    other = actions.write_psychotherapy_note(by=sol, client=sam, words="Sol's own", at=NOW)
    assert list(PsychotherapyNote.objects.visible_to(maya)) == [kept]
    assert list(PsychotherapyNote.objects.visible_to(sol)) == [other]


def test_no_other_page_holds_a_word_of_a_psychotherapy_note(
    as_user: As, maya: User, sol: User, sam: Client, kept: PsychotherapyNote
) -> None:
    """Every page of a client that needs no other row, for the author and for the supervisor."""
    from tests.meta.test_doors import patterns

    own = {p.name for p in patterns(get_resolver()) if str(p.pattern).startswith("clients/<uuid:pk>/")}
    walked = []
    for name in sorted(own - {"psychotherapy_notes"}):
        for user in (maya, sol):
            try:
                here = reverse(name, args=[sam.pk])
            except Exception:  # needs another row
                break
            page = as_user(user).get(here)
            walked.append(name)
            assert CANARY not in b"".join(page).decode(), (name, user)
    assert {"chart", "notes", "activity"} <= set(walked)
    for here in ("/caseload/", f"/search/?q={CANARY}", "/search/?q=Sam", "/alerts/"):
        page = as_user(maya).get(here).content.decode()
        assert CANARY not in page.replace(f'value="{CANARY}"', "").replace(f"“{CANARY}”", "")


def test_psychotherapy_note_is_sealed_and_leaves_no_word_in_the_trail(kept: PsychotherapyNote) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM practice_psychotherapynote")
        assert CANARY.encode() not in bytes(cursor.fetchone()[0])
    assert [CANARY in repr(event.facts) for event in AuditEvent.objects.all()] == [False] * AuditEvent.objects.count()
