"""Two records that look alike and are two people: said once, in words, and taken back (feature O4)."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice import alike, erasure, merging, record
from practice.actions import NotNow
from practice.models import Apart, AuditEvent, Client, Erased, Merge, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)
WORDS = "Sisters: they share a phone, and I met both."


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sister(omar: User, sam: Client) -> Client:
    return factories.client(omar, "Sally Whitehorse", email="sally@example.net", phone=sam.phone)


def pairs(user: User) -> list[tuple[Client, Client, tuple[str, ...]]]:
    return [(pair.one, pair.other, pair.why) for pair in alike.likely(user)]


def apart(by: User, one: Client, other: Client, words: str = WORDS, at: Any = NOW) -> Apart:
    return merging.keep_apart(by=by, one=one, other=other, words=words, at=at)


def page_of(one: Client, other: Client) -> str:
    return reverse("merge_apart", args=[one.pk, other.pk])


def test_pair_once_looked_at_is_listed_no_more_and_comes_back(
    rosa: User, sam: Client, sister: Client, as_user: As, post: Post
) -> None:
    browser = as_user(rosa)
    assert pairs(rosa) == [(sam, sister, ("phone_index",))]
    assert page_of(sam, sister) in browser.get(reverse("merges")).content.decode()
    page = browser.get(page_of(sister, sam)).content.decode()
    assert ("The same phone" in page, "Sally Whitehorse" in page, "The same e-mail" in page) == (True, True, False)
    empty = post(browser, page_of(sam, sister), {"words": " "})
    assert (empty.status_code, Apart.objects.count()) == (400, 0)
    done = post(browser, page_of(sister, sam), {"words": WORDS})  # whichever stands first
    row = Apart.objects.get()
    assert (done["Location"], row.client, row.other, row.why, row.words) == (
        f"{reverse('merges')}#apart-h", sam, sister, ["phone_index"], WORDS,
    )  # fmt: skip
    listed = browser.get(reverse("merges")).content.decode()
    assert (pairs(rosa), WORDS in listed, page_of(sam, sister) in listed) == ([], True, False)
    undo = reverse("apart_undo", args=[row.pk])
    assert undo in listed
    assert post(browser, undo, {"words": ""}).status_code == 400
    assert post(browser, undo, {"words": "The ID was hers."})["Location"] == reverse("merges")
    row.refresh_from_db()
    assert (row.undone_at, row.undone_by, row.undone_words) == (NOW, rosa, "The ID was hers.")
    assert pairs(rosa) == [(sam, sister, ("phone_index",))]
    late = post(browser, undo, {"words": "Again"})
    assert (late.status_code, "took this back first" in late.content.decode()) == (400, True)
    told = AuditEvent.objects.filter(action__startswith="client.apart").order_by("seq")
    assert [(each.action, each.client_id, each.facts["other"]) for each in told] == [
        ("client.apart", sam.pk, sister.code),
        ("client.apart", sister.pk, sam.code),
        ("client.apart_undone", sam.pk, sister.code),
        ("client.apart_undone", sister.pk, sam.code),
    ]


def test_what_comes_to_be_alike_later_asks_again(rosa: User, sam: Client, sister: Client) -> None:
    """What was looked at was a phone; the same e-mail too is another question. The other way round it is not."""
    apart(rosa, sam, sister)
    sister.set_identity(email=sam.email)
    sister.save_identity()
    assert pairs(rosa) == [(sam, sister, ("email_index", "phone_index"))]
    second = apart(rosa, sam, sister, at=LATER)
    assert (second.why, pairs(rosa)) == (["email_index", "phone_index"], [])
    sister.set_identity(phone="+1 202 555 0177")
    sister.save_identity()
    assert pairs(rosa) == []
    merging.ask_again(by=rosa, row=second, words="Look again", at=LATER)
    assert (pairs(rosa), Apart.objects.standing().count()) == ([(sam, sister, ("email_index",))], 0)


def test_every_way_of_being_alike_is_seen_of_a_pair(rosa: User, omar: User, sam: Client) -> None:
    twin = factories.client(omar, "Sam Whitehorse", email=sam.email, phone=sam.phone)
    for client in (sam, twin):
        client.set_identity(other_id="MRN 7")
        client.save_identity()
    assert alike.between(sam, twin) == list(alike.WHY) == list(pairs(rosa)[0][2])
    stranger = factories.client(omar, "Ana Stone", email="", phone="", birth_date="1970-01-01")
    assert alike.between(sam, stranger) == []


def test_pair_that_is_alike_by_a_merged_record_is_put_aside_too(rosa: User, omar: User, sam: Client) -> None:
    """A record that was merged speaks for the one that stays; the button has to hold for such a pair."""
    former = factories.client(omar, "Sam Whitehorse", email="x@example.net", phone="")
    kept = factories.client(omar, "Samantha Hill", email="y@example.net", phone="", birth_date="1980-01-01")
    merging.merge(by=rosa, kept=kept, former=former, take=(), words="Married name", at=NOW)
    assert [(one, other) for one, other, _why in pairs(rosa)] == [(sam, kept)]
    apart(rosa, sam, Client.objects.get(pk=kept.pk), at=LATER)
    assert pairs(rosa) == []


def test_said_twice_it_stands_once(rosa: User, sam: Client, sister: Client) -> None:
    apart(rosa, sam, sister)
    with pytest.raises(NotNow, match="Rosa Bell said so already"):
        apart(rosa, sister, sam)
    with pytest.raises(NotNow, match="two different"):
        apart(rosa, sam, sam)
    with pytest.raises(NotNow, match="how you know"):
        apart(rosa, sam, sister, words=" ")
    assert Apart.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_leave_one(rosa: User, sam: Client, sister: Client) -> None:
    said: list[str] = []
    gate = threading.Barrier(2)

    def act(one: Client, other: Client) -> None:
        gate.wait()
        try:
            apart(rosa, one, other)
        except NotNow as sentence:
            said.append(str(sentence))
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=pair) for pair in ((sam, sister), (sister, sam))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (said, Apart.objects.count()) == (["Rosa Bell said so already."], 1)


def test_merging_them_after_all_ends_it(rosa: User, sam: Client, sister: Client) -> None:
    row = apart(rosa, sam, sister)
    merging.merge(by=rosa, kept=sam, former=sister, take=(), words="One person: she changed her name.", at=LATER)
    row.refresh_from_db()
    assert (row.client, row.other, row.undone_at, row.undone_by) == (sam, sister, LATER, rosa)
    merging.undo(by=rosa, merge=Merge.objects.get(), words="No.", at=LATER)
    assert pairs(rosa) == [(sam, sister, ("phone_index",))]


def test_nobody_says_it_of_records_beyond_their_reach(
    sol: User, maya: User, pax: User, fay: User, rosa: User, sam: Client, sister: Client, as_user: As, post: Post
) -> None:
    """A supervisor reaches one of the two: the other, and what was said of both, is unknown to them."""
    assert post(as_user(sol), page_of(sam, sister), {"words": WORDS}).status_code == 404
    row = apart(rosa, sam, sister)
    undo = reverse("apart_undo", args=[row.pk])
    assert [as_user(sol).get(url).status_code for url in (page_of(sam, sister), undo)] == [404, 404]
    assert "Sally" not in as_user(sol).get(reverse("merges")).content.decode()
    for user in (maya, pax, fay):
        assert [post(as_user(user), url, {"words": WORDS}).status_code for url in (page_of(sam, sister), undo)] == [
            403, 403,
        ]  # fmt: skip
    assert Apart.objects.standing().count() == 1
    assert as_user(rosa).get(page_of(sam, sam)).status_code == 404


def test_what_was_said_goes_with_either_record_and_is_in_no_clients_copy(
    rosa: User, sam: Client, sister: Client
) -> None:
    """It speaks of two people, so neither takes it home, and erasing either erases it."""
    apart(rosa, sam, sister)
    assert "practice.Apart" not in {kind.label for kind in record.kinds(of_client=True)}
    assert "practice.Apart" in {kind.label for kind in record.kinds(of_client=False)}
    erasure.erase(by=rosa, client=sister, what=Erased.What.CLIENT, why=Erased.Why.AGE, at=LATER)
    assert (Apart.objects.count(), Client.objects.filter(pk=sam.pk).exists()) == (0, True)


def test_list_of_them_takes_the_same_queries_for_one_and_three(
    rosa: User, omar: User, sam: Client, sister: Client, as_user: As
) -> None:
    browser, counts = as_user(rosa), []
    apart(rosa, sam, sister)
    browser.get(reverse("merges"))
    for _round in range(2):
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("merges"))
        counts.append(len(queries))
        for n in range(2):
            apart(rosa, sam, factories.client(omar, f"Sister {n}{_round}", email="", phone=sam.phone))
    assert counts[0] == counts[1]
