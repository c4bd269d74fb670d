"""A client's own past answers in words (K3), and their scores where the therapist shares them (K4)."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import shares
from intake.models import SharedScores
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Notice, User
from tests import sittings
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import text_of

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("clock")
TODAY = date(2026, 11, 19)
WORDS = "You told me the mornings are lighter. So do these."


def heard(client: Client, total: int, weeks_ago: int, key: str = "phq-9", item9: int = 0) -> None:
    at = NOW - timedelta(weeks=weeks_ago)
    row = sittings.sitting(client, at, packet="check-in")
    sittings.answered(row, at, **{"phq-9--1": 1})
    answers = sittings.phq9_of(total, item9) if key == "phq-9" else sittings.CSSRS_NONE
    sittings.assessed(row, key, answers)


def shared(client: Client, by: User, **more: Any) -> SharedScores:
    said = {"instrument": "phq-9", "first_on": date(2026, 6, 1), "last_on": TODAY, "words": WORDS} | more
    return shares.share(by=by, client=client, at=NOW, **said)


@pytest.fixture
def url(sam: Client) -> str:
    return reverse("scores_shared", args=[sam.pk])


def test_answers_stand_there_in_words_and_without_a_score(sam: Client) -> None:
    """Feature K3: own past answers in words; law 2: no score, no band."""
    heard(sam, 19, 2)
    browser = at_home(sam)
    assert "What you told us, in words. See your answers" in text_of(browser.get("/my/home/"))
    listed = text_of(browser.get("/my/answers/"))
    assert "Your check-in , Nov 5, 2026 Sent Nov 5, 2026" in listed
    page = text_of(browser.get(reverse("my_answers_sent", args=[sam.intakes.get().pk])))
    assert "Little interest or pleasure in doing things Several days" in page
    assert [word for word in ("19", "severe", "PHQ") if word in page.partition("Leave this site")[0]] == []
    assert AuditEvent.objects.filter(action="read.own_answers", actor_kind="client").count() == 2


def test_who_reads_spanish_hears_why_the_questions_are_in_english(sam: Client) -> None:
    heard(sam, 19, 2)
    url = reverse("my_answers_sent", args=[sam.intakes.get().pk])
    said = "Estas preguntas están en inglés"
    assert said not in text_of(at_home(sam).get(url))
    Client.objects.filter(pk=sam.pk).update(language="es")
    assert text_of(at_home(sam).get(url)).count(said) == 1


def test_answers_of_somebody_else_and_unsent_ones_are_unknown(sam: Client, kit: Client) -> None:
    heard(kit, 12, 1)
    unsent = sittings.sitting(sam, NOW, sent=False, packet="check-in")
    browser = at_home(sam)
    assert "Your answers" not in text_of(browser.get("/my/home/"))
    asked = [browser.get(reverse("my_answers_sent", args=[row.pk])) for row in (kit.intakes.get(), unsent)]
    assert [answer.status_code for answer in asked] == [404, 404]


def test_birth_date_opens_no_answers(sam: Client, maya: User) -> None:
    sam.reach = {"email": True, "sms": True, "private": []}
    sam.save()
    heard(sam, 19, 2)
    shared(sam, maya)
    browser = at_home(sam)
    page = text_of(browser.get("/my/answers/"))
    assert ("To add one, call 555 0110" in page, WORDS in page, "Sent Nov" in page) == (True, False, False)
    answer = browser.get(reverse("my_answers_sent", args=[sam.intakes.get().pk]))
    assert (answer.status_code, answer["Location"]) == (303, "/my/answers/")


def test_scores_are_off_until_the_therapist_shares_them(
    sam: Client, maya: User, as_user: As, post: Post, url: str
) -> None:
    """Feature K4: off by default, with a line of the therapist's own, un-shared at once, and audited."""
    heard(sam, 19, 8, item9=2)
    heard(sam, 11, 1)
    browser, staff = at_home(sam), as_user(maya)
    assert WORDS not in text_of(browser.get("/my/answers/"))
    said = {"instrument": "phq-9", "first_on": "2026-09-01", "last_on": "2026-11-19", "words": WORDS}
    answer = post(staff, url, said)
    assert (answer.status_code, answer["Location"]) == (302, url)
    page = browser.get("/my/answers/")
    assert (
        f"How you have been {WORDS} Maya, Nov 19, 2026 Your answers came to 19 on Sep 24, 2026, and to 11 on "
        "Nov 12, 2026. That is a lower number than at the start. It can be from 0 to 27. A lower number means that "
        "there was less of it."
    ) in text_of(page)
    html = page.content.decode()
    assert [html.count(f'class="{mark}') for mark in ("pt9", "b0", "b4", "rl", 'pt"')] == [0, 0, 0, 0, 2]
    assert [word for word in ("PHQ", "severe", "moderate", "safety question", "Response") if word in html] == []
    assert Notice.objects.filter(client=sam, template="news").exists()
    [row] = SharedScores.objects.all()
    assert "Taken back" in text_of(staff.get(post(staff, url, {"stop": str(row.pk)})["Location"]))
    assert WORDS not in text_of(browser.get("/my/answers/"))
    assert "It was taken back already" in text_of(staff.get(post(staff, url, {"stop": str(row.pk)})["Location"]))
    done = AuditEvent.objects.filter(action__startswith="scores.").values_list("action", "facts")
    assert list(done) == [("scores.shared", {"instrument": "phq-9"}), ("scores.unshared", {})]


def test_what_comes_in_after_the_last_day_is_not_shown(sam: Client, maya: User) -> None:
    heard(sam, 19, 4)
    heard(sam, 11, 1)
    shared(sam, maya, last_on=date(2026, 11, 11))
    page = text_of(at_home(sam).get("/my/answers/"))
    assert ("On Oct 22, 2026 your answers came to 19." in page, "11 on" in page) == (True, False)
    newer = shared(sam, maya, last_on=date(2026, 11, 12))
    assert [row.pk for row in shares.standing(sam)] == [newer.pk]  # the one before gave way


def test_suicide_is_never_drawn(sam: Client, maya: User, as_user: As) -> None:
    heard(sam, 0, 1, key=sittings.CSSRS)
    assert shares.shareable(sam) == []
    with pytest.raises(NotNow, match="Choose one of the measures"):
        shared(sam, maya, instrument=sittings.CSSRS)
    page = text_of(as_user(maya).get(reverse("scores_shared", args=[sam.pk])))
    assert "No measure with a total has come in yet." in page


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"words": "  "}, "Write a line of your own. It stands above the numbers."),
        ({"words": "x" * 601}, "What it means, in your own words: write 600 letters at most; these are 601."),
        ({"last_on": "2026-11-20"}, "The last day cannot lie ahead: you share what you have seen."),
        ({"first_on": "2026-11-20"}, "The first day comes before the last."),
        ({"first_on": "yesterday"}, "Give a day, such as 2026-11-20."),
        ({"last_on": ""}, "Give the last day."),
        ({"instrument": "cssrs-screener-recent"}, "Choose one of the measures."),
        ({"instrument": "'; --"}, "Choose one of the measures."),
        ({"first_on": "2026-11-13"}, "There is no total in these days. Choose other days."),
    ],
)
def test_what_cannot_be_shared_is_said_and_kept(
    sam: Client, maya: User, as_user: As, post: Post, url: str, more: dict[str, str], sentence: str
) -> None:
    heard(sam, 11, 1)
    said = {"instrument": "phq-9", "first_on": "2026-11-12", "last_on": "2026-11-19", "words": WORDS} | more
    answer = post(as_user(maya), url, said)
    page = text_of(answer)
    assert (answer.status_code, sentence in page) == (400, True)
    assert SharedScores.objects.count() == 0
    assert said["words"].strip() in page
    assert post(as_user(maya), url, said | {"first_on": "2026-11-12", "last_on": "2026-11-12", "words": WORDS,
                                            "instrument": "phq-9"}).status_code == 302  # fmt: skip


def test_only_who_decides_on_their_care_shares(
    sam: Client, kit: Client, maya: User, omar: User, pax: User, rosa: User, as_user: As, post: Post, url: str
) -> None:
    heard(kit, 12, 1)
    theirs = shared(kit, omar)
    assert [as_user(user).get(url).status_code for user in (maya, omar, pax, rosa)] == [200, 404, 403, 403]
    for wrong in (str(theirs.pk), "x", ""):
        assert post(as_user(maya), url, {"stop": wrong}).status_code == 404
    assert [row.pk for row in shares.standing(kit)] == [theirs.pk]


def test_one_measure_is_shared_once_and_ended_by_somebody(sam: Client, maya: User) -> None:
    heard(sam, 11, 1)
    first = shared(sam, maya)
    for wrong in ({"ended_at": None}, {"ended_at": NOW}):
        twin = SharedScores(
            client=sam, instrument="phq-9", first_on=TODAY, last_on=TODAY, shared_at=NOW, shared_by=maya
        )
        twin.words = WORDS
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.ended_at = wrong["ended_at"]
            twin.save(force_insert=True)
    assert shares.stop(by=maya, shared=first, at=NOW) is True
    assert shares.stop(by=maya, shared=first, at=NOW) is False


def test_client_reads_it_in_spanish(sam: Client, maya: User, as_user: As, url: str) -> None:
    heard(sam, 19, 8)
    heard(sam, 19, 1)
    shared(sam, maya)
    Client.objects.filter(pk=sam.pk).update(language="es")
    page = text_of(at_home(sam).get("/my/answers/"))
    assert "Sus respuestas dieron 19 el 24 de septiembre de 2026, y 19 el 12 de noviembre de 2026." in page
    assert "Es lo mismo que al principio." in page
    staff = text_of(as_user(maya).get(url))
    assert ("Es lo mismo que al principio." in staff, "What the client sees now" in staff) == (True, True)


@pytest.mark.parametrize("n", [1, 3])
def test_list_asks_the_same_number_of_questions(sam: Client, n: int) -> None:
    for week in range(n):
        heard(sam, 10 + week, week + 1)
    browser = at_home(sam)
    browser.get("/my/answers/")
    with CaptureQueriesContext(connection) as asked:
        browser.get("/my/answers/")
    assert sum("SELECT" in query["sql"] for query in asked.captured_queries) == 8
