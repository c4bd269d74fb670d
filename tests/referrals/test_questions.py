"""Questions on a case to a named colleague, and the page of care today (E5, E6, E8)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils.html import escape

from practice import actions as practice_actions
from practice import jobs
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Note, Task, User
from referrals.actions import decisions as actions
from referrals.models import CareToday, CaseQuestion, Decision
from tests import factories
from tests.factories import NOW

As = Callable[[User], Any]
Post = Callable[..., Any]
LATER = NOW + timedelta(hours=1)
QUESTION = "Is her blood pressure treated? Two readings over 150."


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(LATER, tick=False):
        yield


def new(client: Client) -> str:
    return reverse("decision_new", args=[client.pk])


def page_of(asked: CaseQuestion) -> str:
    return reverse("case_question", args=[asked.client_id, asked.pk])


def not_yet(to: User | None, **more: Any) -> dict[str, Any]:
    given = {
        "choice": "not_yet",
        "urgency": "routine",
        "said": "not_asked",
        "reasoning": "Need the blood pressure first",
        "question": QUESTION,
        "to": str(to.pk) if to else "",
    }
    return given | more


@pytest.fixture
def asked(as_user: As, post: Post, maya: User, pax: User, sam: Client) -> CaseQuestion:
    post(as_user(maya), new(sam), not_yet(pax))
    return CaseQuestion.objects.get()


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_not_yet_asks_the_colleague_and_puts_it_on_the_list(
    asked: CaseQuestion, maya: User, pax: User, sam: Client, mailoutbox: list[Any]
) -> None:
    assert (asked.question, asked.asked_by, asked.to, asked.decision) == (QUESTION, maya, pax, Decision.objects.get())
    [task] = Task.objects.filter(kind="case_question", done_at=None)
    assert (task.subject_id, task.owner, task.action_url) == (asked.pk, pax, page_of(asked))
    jobs.run_due()
    [mail] = mailoutbox
    assert (mail.to, mail.subject) == ([pax.email], "A colleague asks you something")
    assert page_of(asked) in mail.body
    for word in ("Sam", "Whitehorse", "blood", "CH-0401"):
        assert word not in f"{mail.subject}{mail.body}"


def test_only_colleagues_who_may_see_the_client_can_be_asked(
    as_user: As, post: Post, maya: User, sol: User, pax: User, omar: User, rosa: User, sam: Client
) -> None:
    page = as_user(maya).get(new(sam)).content.decode()
    choices = page[page.index('name="to"') : page.index("</select>", page.index('name="to"'))]
    assert [person.name for person in (maya, sol, pax, omar, rosa) if str(person.pk) in choices] == [
        "Sol Amari",
        "Pax Lind",
    ]
    assert post(as_user(maya), new(sam), not_yet(omar)).status_code == 400
    with pytest.raises(NotNow, match="Choose a colleague who may see this client"):
        actions.ask_colleague(by=maya, client=sam, to=omar, question="x", at=LATER)
    assert not CaseQuestion.objects.exists()


def test_colleague_who_left_cannot_be_asked(maya: User, pax: User, sol: User, sam: Client) -> None:
    pax.is_active = False
    pax.save()
    assert actions.colleagues(sam, maya) == [sol]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"question": " "}, "Write what you need to know first."),
        ({"to": ""}, "Choose who can answer it."),
        ({"to": "not-a-person"}, "Select a valid choice."),
    ],
)
def test_not_yet_needs_a_question_and_a_person(
    as_user: As, post: Post, maya: User, pax: User, sam: Client, missing: dict[str, str], words: str
) -> None:
    answer = post(as_user(maya), new(sam), not_yet(pax) | missing)
    assert (answer.status_code, words in answer.content.decode()) == (400, True)
    assert not Decision.objects.exists() and not CaseQuestion.objects.exists()


# --- Answering -------------------------------------------------------------------------------------------------------


def test_answer_lands_on_the_decision_and_the_asker_is_told(
    as_user: As, post: Post, asked: CaseQuestion, maya: User, pax: User, sam: Client, mailoutbox: list[Any]
) -> None:
    page = as_user(pax).get(page_of(asked)).content.decode()
    assert QUESTION in page and 'name="words"' in page
    answer = post(as_user(pax), page_of(asked), {"words": "Yes, since May. <i>Fine</i> to go on."})
    assert answer["Location"] == page_of(asked)
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_by, asked.answered_at) == ("Yes, since May. <i>Fine</i> to go on.", pax, LATER)
    assert not Task.objects.filter(kind="case_question", done_at=None).exists()
    [task] = Task.objects.filter(kind="recheck", done_at=None)
    assert (task.subject_id, task.owner, task.facts) == (asked.decision_id, maya, {"answered": True})
    page = as_user(maya).get(reverse("decision", args=[sam.pk, asked.decision_id])).content.decode()
    assert QUESTION in page and "Yes, since May. &lt;i&gt;Fine&lt;/i&gt; to go on." in page
    jobs.run_due()
    assert sorted((mail.subject, mail.to) for mail in mailoutbox) == [
        ("A colleague answered you", [maya.email]),
        ("A colleague asks you something", [pax.email]),
    ]
    assert not [mail for mail in mailoutbox if "since May" in mail.body]
    assert AuditEvent.objects.filter(action="question.answered", actor_id=pax.pk).count() == 1


def test_question_is_answered_once(as_user: As, post: Post, asked: CaseQuestion, pax: User) -> None:
    post(as_user(pax), page_of(asked), {"words": "First"})
    answer = post(as_user(pax), page_of(asked), {"words": "Second thoughts"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "You answered this already. Your first answer stands." in page and "Second thoughts" in page
    asked.refresh_from_db()
    assert asked.answer == "First"


def test_second_press_answers_once(as_user: As, post: Post, asked: CaseQuestion, pax: User) -> None:
    browser, key = as_user(pax), "k" * 24
    landed = [post(browser, page_of(asked), {"words": "Yes"}, key=key)["Location"] for _ in range(2)]
    assert landed == [page_of(asked)] * 2
    assert AuditEvent.objects.filter(action="question.answered").count() == 1


@pytest.mark.parametrize("words", ["", "  \n"])
def test_answer_needs_words(as_user: As, post: Post, asked: CaseQuestion, pax: User, words: str) -> None:
    answer = post(as_user(pax), page_of(asked), {"words": words})
    assert (answer.status_code, "Write your answer." in answer.content.decode()) == (400, True)
    asked.refresh_from_db()
    assert asked.answered_at is None


def test_only_the_person_asked_answers(
    as_user: As, post: Post, asked: CaseQuestion, maya: User, sol: User, pax: User
) -> None:
    for person in (maya, sol):
        browser = as_user(person)
        page = browser.get(page_of(asked)).content.decode()
        assert "Waits for Pax Lind." in page and 'name="words"' not in page
        assert post(browser, page_of(asked), {"words": "Mine"}).status_code == 404
    with pytest.raises(NotNow, match="This question is for Pax Lind"):
        actions.answer(by=sol, asked=asked, words="Mine", at=LATER)
    asked.refresh_from_db()
    assert asked.answered_at is None


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)])
def test_question_is_closed_to_everybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, asked: CaseQuestion, who: str, status: int
) -> None:
    browser = as_user(request.getfixturevalue(who))
    shown, sent = browser.get(page_of(asked)), post(browser, page_of(asked), {"words": "x"})
    assert (shown.status_code, sent.status_code) == (status, status)
    assert "blood pressure" not in shown.content.decode()


def test_question_of_one_client_is_not_found_under_another(as_user: As, maya: User, asked: CaseQuestion) -> None:
    other = factories.client(maya, "Noor Adel", email="noor@example.net")
    assert as_user(maya).get(reverse("case_question", args=[other.pk, asked.pk])).status_code == 404


def test_question_and_answer_are_sealed(asked: CaseQuestion, pax: User) -> None:
    from django.db import connection

    actions.answer(by=pax, asked=asked, words="Since May", at=LATER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT question, answer FROM referrals_casequestion")
        [(question, answer)] = cursor.fetchall()
    assert b"blood" not in bytes(question) and b"May" not in bytes(answer)


# --- Care today ------------------------------------------------------------------------------------------------------


def steps(**more: Any) -> dict[str, Any]:
    given = {
        "step": "steps",
        "steps": ["988", "trusted_person"],
        "where": "At her brother's",
        "with_whom": "Her brother",
        "outcome": "Stays there tonight",
        "next_check_at": "2026-11-19T18:00",
    }
    return given | more


def care(client: Client) -> str:
    return reverse("care_today", args=[client.pk])


def test_care_today_goes_from_opening_over_the_steps_to_the_check(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    browser = as_user(maya)
    assert "Say that this client needs care today" in browser.get(care(sam)).content.decode()
    assert post(browser, care(sam), {"step": "open", "reason": "Wrote a goodbye note"})["Location"] == care(sam)
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW
    page = browser.get(care(sam)).content.decode()
    assert "Wrote a goodbye note" in page and "Every referral is on hold until the steps are recorded here." in page
    assert post(browser, care(sam), steps())["Location"] == reverse("chart", args=[sam.pk])
    row = CareToday.objects.get()
    assert (row.steps, row.where, row.with_whom, row.outcome, row.recorded_by) == (
        ["988", "trusted_person"],
        "At her brother's",
        "Her brother",
        "Stays there tonight",
        maya,
    )
    [task] = Task.objects.filter(client=sam, done_at=None)
    assert (task.kind, task.due_at, task.action_url) == ("care_check", row.next_check_at, care(sam))
    page = browser.get(care(sam)).content.decode()
    assert (
        "Record the check that was agreed" in page and "Called 988 with the client, Told the person they trust" in page
    )
    assert post(browser, care(sam), {"step": "checked", "words": "Safe, slept"})["Location"] == reverse(
        "chart", args=[sam.pk]
    )
    assert not Task.objects.filter(client=sam, done_at=None).exists()
    assert [note.body for note in Note.objects.filter(client=sam)] == ["Safe, slept"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"steps": []}, "Tick what was done."),
        ({"steps": ["prayed"]}, "Select a valid choice."),
        ({"where": ""}, "Write where the client is."),
        ({"with_whom": " "}, "Write who is with them"),
        ({"outcome": ""}, "Write how it ended."),
        ({"next_check_at": ""}, "Say when somebody checks again."),
        ({"next_check_at": "2026-11-19T09:00"}, "The next check must be later than now, and within a year."),
        ({"next_check_at": "soon"}, "Give a day and a time"),
    ],
)
def test_steps_are_asked_for_whole_and_the_lock_stays(
    as_user: As, post: Post, maya: User, sam: Client, missing: dict[str, Any], words: str
) -> None:
    actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    answer = post(as_user(maya), care(sam), steps() | missing)
    assert (answer.status_code, words in answer.content.decode()) == (400, True)
    assert CareToday.objects.get().recorded_at is None


def test_two_people_record_the_steps_and_one_wins(as_user: As, post: Post, maya: User, sol: User, sam: Client) -> None:
    actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    post(as_user(sol), care(sam), steps(outcome="Sol's words"))
    answer = post(as_user(maya), care(sam), steps(outcome="Maya's words"))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Sol Amari recorded the steps first" in page
    assert escape("Maya's words") in page and escape("Sol's words") in page
    assert CareToday.objects.get().outcome == "Sol's words"


def test_care_today_is_opened_once(as_user: As, post: Post, maya: User, sol: User, sam: Client) -> None:
    post(as_user(sol), care(sam), {"step": "open", "reason": "First"})
    answer = post(as_user(maya), care(sam), {"step": "open", "reason": "My own words"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Sol Amari opened this at" in page and "My own words" in page
    assert [row.reason for row in CareToday.objects.all()] == ["First"]


def test_steps_for_nobody_are_refused(as_user: As, post: Post, maya: User, sam: Client) -> None:
    answer = post(as_user(maya), care(sam), steps())
    assert answer.status_code == 400
    assert "Nobody said that this client needs care today. Say so first." in answer.content.decode()


def test_person_covering_records_the_steps_and_does_not_open(
    as_user: As, post: Post, omar: User, on_call: User, maya: User, sam: Client
) -> None:
    practice_actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    assert post(as_user(omar), care(sam), {"step": "open", "reason": "x"}).status_code == 403
    actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    assert post(as_user(omar), care(sam), steps()).status_code == 302
    assert CareToday.objects.get().recorded_by == omar


@pytest.mark.parametrize(
    ("who", "shown", "opened", "recorded"),
    [
        ("sol", 200, 302, 302),
        ("pax", 200, 403, 302),
        ("omar", 404, 404, 404),
        ("ines", 404, 404, 404),
        ("fay", 403, 403, 403),
        ("rosa", 403, 403, 403),
    ],
)
def test_who_opens_and_who_records(
    as_user: As,
    post: Post,
    request: pytest.FixtureRequest,
    maya: User,
    sam: Client,
    who: str,
    shown: int,
    opened: int,
    recorded: int,
) -> None:
    browser = as_user(request.getfixturevalue(who))
    assert browser.get(care(sam)).status_code == shown
    assert post(browser, care(sam), {"step": "open", "reason": "x"}).status_code == opened
    if opened != 302:
        assert not CareToday.objects.exists()
        actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    assert post(browser, care(sam), steps()).status_code == recorded
    assert (CareToday.objects.get().recorded_at is not None) is (recorded == 302)


@pytest.mark.parametrize("step", ["", "nonsense"])
def test_unknown_step_writes_nothing(as_user: As, post: Post, maya: User, sam: Client, step: str) -> None:
    assert post(as_user(maya), care(sam), {"step": step, "reason": "x"})["Location"] == care(sam)
    assert not CareToday.objects.exists()
