"""The safety plan: written live and never lost, finished with a review day, given to the client, reviewed in time."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from practice import actions, jobs, safety_plan
from practice.actions import NotNow
from practice.models import AuditEvent, Client, KeptForm, Notice, Practice, SafetyPlan, Task, User
from practice.safety_plan import Steps
from practice.schedule import tick
from tests.conftest import send
from tests.factories import NOW
from tests.intake.conftest import text_of

pytestmark = pytest.mark.usefixtures("clock")
Browse = Callable[[User], Browser]
REVIEW = "2026-12-03"
PAGE = {
    "warning-signs-0-text": "I stop sleeping",
    "warning-signs-2-text": "I do not answer calls",
    "own-coping-0-text": "Walk to the river",
    "ask-for-help-0-name": "Lee",
    "ask-for-help-0-phone": "555 0177",
    "means-safety-0-what": "Pills to Lee",
    "means-safety-0-who": "Lee",
    "means-safety-0-when": "tonight",
    "means-safety-0-done": "1",
    "reasons-0-text": "My dog Bo",
}
CLOSING = {"means": "done", "means_words": "Lee keeps the pills.", "review_on": REVIEW}
STEPS: Steps = {
    "warning-signs": [{"text": "I stop sleeping"}, {"text": "I do not answer calls"}],
    "own-coping": [{"text": "Walk to the river"}],
    "people-places": [],
    "ask-for-help": [{"name": "Lee", "phone": "555 0177"}],
    "professionals": [],
    "means-safety": [{"what": "Pills to Lee", "who": "Lee", "when": "tonight", "done": True}],
    "reasons": [{"text": "My dog Bo"}],
}


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


def url(name: str, client: Client) -> str:
    return reverse(name, args=[client.pk])


def begun(client: Client, by: User) -> SafetyPlan:
    return safety_plan.begin(by=by, client=client, at=NOW)


def kept(plan: SafetyPlan, by: User, steps: Steps = STEPS, seen: int = 1, writer: str = "w", **said: Any) -> None:
    words = {"means": "", "means_words": "", "review_on": None} | said
    safety_plan.save(by=by, plan=plan, steps=steps, seen=seen, writer=writer, at=NOW, **words)


def finished(client: Client, by: User, review_on: date = date(2026, 12, 3), give: bool = False) -> SafetyPlan:
    plan = begun(client, by)
    kept(plan, by, seen=plan.version, means="done", means_words="Lee keeps them.", review_on=review_on)
    safety_plan.finish(by=by, plan=plan, at=NOW, give=give)
    plan.refresh_from_db()
    return plan


def script(desk: Browser, client: Client, page: dict[str, Any]) -> int:
    """What the page's script sends while somebody types."""
    return desk.post(url("safety_plan_save", client), page, HTTP_SEC_FETCH_MODE="cors").status_code


# --- Its words -------------------------------------------------------------------------------------------------------


def test_form_has_six_steps_and_what_matters_most() -> None:
    assert [section.code for section in safety_plan.form().sections] == [
        "warning-signs", "own-coping", "people-places", "ask-for-help", "professionals", "means-safety", "reasons",
    ]  # fmt: skip


def test_first_draft_knows_the_professionals(sam: Client, house: Practice) -> None:
    assert safety_plan.prefilled(sam, house)["professionals"] == [
        {"name": "Maya Torres, my therapist", "phone": "555 0110"},
        {"name": "Cedar House, weekdays 8 am to 5 pm", "phone": "555 0110"},
        {"name": "988, call or text, day or night", "phone": "988"},
        {"name": "Nearest emergency room", "phone": ""},
    ]


@pytest.mark.parametrize(
    ("written", "call"),
    [
        ("988", "988"),
        ("555 0177", "5550177"),
        ("+1 (202) 555-0142", "+12025550142"),
        ("555 0110 ext. 12", "5550110"),
        ("555 0110 or 555 0111", "5550110"),
        ("Lee: 555-0177", "5550177"),
        ("ask Jo", ""),
        ("", ""),
    ],
)
def test_link_calls_the_first_number_and_never_two_run_together(written: str, call: str) -> None:
    assert safety_plan.to_call(written) == call


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_plan_is_written_on_one_page_and_finished(as_user: Browse, maya: User, sam: Client) -> None:
    desk = as_user(maya)
    assert "No plan yet" in text_of(desk.get(url("safety_plan", sam)))
    send(desk, url("safety_plan_new", sam))
    page = desk.get(url("safety_plan", sam))
    heads = re.findall(r"<h2[^>]*>(\d)\. ([^<]+)</h2>", page.content.decode())
    assert [words for _, words in heads] == [section.prompt for section in safety_plan.form().sections]
    answer = send(desk, url("safety_plan_finish", sam), {"version": "1", "writer": "w", **PAGE, **CLOSING})
    assert answer["Location"] == url("safety_plan", sam)
    plan = SafetyPlan.objects.get()
    assert (plan.steps, plan.means, plan.means_words, plan.review_on) == (
        STEPS, "done", "Lee keeps the pills.", date(2026, 12, 3),
    )  # fmt: skip
    assert (plan.number, plan.finished_by, plan.given_at) == (1, maya, None)
    words = text_of(desk.get(url("safety_plan", sam)))
    assert [w for w in ("I stop sleeping", "Lee 555 0177", "Pills to Lee, Lee, tonight (done)") if w not in words] == []


def test_draft_is_kept_while_it_is_typed(as_user: Browse, maya: User, sam: Client) -> None:
    desk = as_user(maya)
    begun(sam, maya)
    page = {"version": "1", "writer": "tab"}
    said = ("I stop", "I stop sl", "I stop sl")
    assert [script(desk, sam, page | {"warning-signs-0-text": text}) for text in said] == [204, 204, 204]
    plan = SafetyPlan.objects.get()
    assert (plan.steps["warning-signs"], plan.version) == ([{"text": "I stop sl"}], 3)
    assert AuditEvent.objects.filter(action="safety_plan.saved").count() == 2


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ("review_on", "Say by which day you review this plan together."),
        ("means", "Say whether you talked about making their surroundings safer."),
        ("means_words", "Write a line on what was said about it."),
        ("warning-signs", "Write at least one line: How I can tell things are getting worse."),
    ],
)
def test_plan_is_not_finished_without(as_user: Browse, maya: User, sam: Client, left_out: str, sentence: str) -> None:
    desk = as_user(maya)
    begun(sam, maya)
    said = {name: value for name, value in (PAGE | CLOSING).items() if not name.startswith(left_out + "-")}
    said.pop(left_out, None)
    page = send(desk, url("safety_plan_finish", sam), {"version": "1", "writer": "w", **said})
    assert (page.status_code, sentence in text_of(page), "Walk to the river" in page.content.decode()) == (
        400, True, True,
    )  # fmt: skip
    plan = SafetyPlan.objects.get()
    assert (plan.finished_at, plan.steps["own-coping"]) == (None, [{"text": "Walk to the river"}])
    again = {"version": "1", "writer": "w", **PAGE, **CLOSING}
    assert send(desk, url("safety_plan_finish", sam), again).status_code == 302


@pytest.mark.parametrize("day", ["2026-11-19", "2026-11-18", "2027-11-21", "9999-12-31"])
def test_review_is_after_today_and_within_a_year(as_user: Browse, maya: User, sam: Client, day: str) -> None:
    begun(sam, maya)
    said = {"version": "1", **PAGE, **CLOSING, "review_on": day}
    for name, button in (("safety_plan_finish", {}), ("safety_plan_save", {"save": "1"})):
        page = send(
            as_user(maya),
            url(name, sam),
            {**said, "writer": name, "version": SafetyPlan.objects.get().version} | button,
        )
        assert (page.status_code, "Review it on a day after today, within a year." in text_of(page)) == (400, True)


def test_finished_plan_is_never_edited(maya: User, sam: Client) -> None:
    plan = finished(sam, maya)
    with pytest.raises(NotNow, match="Maya Torres finished this plan"):
        kept(plan, maya, steps={}, seen=plan.version)
    with pytest.raises(NotNow, match="finished this plan first"):
        safety_plan.finish(by=maya, plan=plan, at=NOW)
    plan.refresh_from_db()
    assert plan.steps == STEPS


def test_review_begins_from_the_last_version_and_keeps_it(as_user: Browse, maya: User, sam: Client) -> None:
    first = finished(sam, maya)
    second = begun(sam, maya)
    assert (second.number, second.steps, second.means) == (2, first.steps, "")
    assert begun(sam, maya).pk == second.pk
    kept(second, maya, steps=STEPS | {"reasons": [{"text": "Spring"}]}, means="done", means_words="x",
         review_on=date(2026, 12, 24))  # fmt: skip
    safety_plan.finish(by=maya, plan=second, at=NOW)
    desk = as_user(maya)
    newest, older = (text_of(desk.get(url("safety_plan", sam) + query)) for query in ("", "?version=1"))
    assert ("Spring" in newest, "My dog Bo" in newest) == (True, False)
    assert ("Spring" in older, "My dog Bo" in older, "This is an older version." in older) == (False, True, True)
    assert desk.get(url("safety_plan", sam) + "?version=3").status_code == 404


def test_draft_of_somebody_who_left_is_refused_in_words(as_user: Browse, maya: User, sam: Client) -> None:
    begun(sam, maya)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    page = {"version": "1", "writer": "w", "give": "1", **PAGE, **CLOSING}
    answer = send(as_user(maya), url("safety_plan_finish", sam), page, follow=True)
    assert "Take them back into care first." in text_of(answer)
    assert (SafetyPlan.objects.get().finished_at, Notice.objects.count()) == (None, 0)


# --- Two writers -----------------------------------------------------------------------------------------------------


def test_two_writers_see_both_texts_and_nothing_is_lost(as_user: Browse, maya: User, sol: User, sam: Client) -> None:
    """The second page is refused; it shows both, and "Keep both" holds the rows of each once."""
    begun(sam, maya)
    mine = {"version": "1", "writer": "a", "own-coping-0-text": "Walk", "reasons-0-text": "My dog"}
    theirs = {"version": "1", "writer": "b", "own-coping-0-text": "Breathe", "reasons-0-text": "My dog"}
    first, second = as_user(sol), as_user(maya)
    assert (script(first, sam, theirs), script(second, sam, mine), script(first, sam, theirs)) == (204, 409, 204)
    page = send(second, url("safety_plan_save", sam), mine | {"save": "1"})
    words = text_of(page)
    assert (page.status_code, "Somebody else wrote in this plan" in words) == (409, True)
    assert ("Walk" in words, "Breathe" in words, "Keep both" in words) == (True, True, True)
    version = SafetyPlan.objects.get().version
    again = mine | {"save": "1", "both": "1", "version": str(version), "writer": ""}
    assert send(second, url("safety_plan_save", sam), again).status_code == 302
    steps = SafetyPlan.objects.get().steps
    assert (steps["own-coping"], steps["reasons"]) == ([{"text": "Breathe"}, {"text": "Walk"}], [{"text": "My dog"}])
    assert script(first, sam, theirs | {"own-coping-1-text": "more"}) == 409


def test_both_closing_words_are_shown_and_kept(as_user: Browse, maya: User, sam: Client) -> None:
    plan = begun(sam, maya)
    kept(plan, maya, writer="other", means="done", means_words="Lee keeps them.", review_on=date(2026, 12, 3))
    desk = as_user(maya)
    mine = {"version": "1", "writer": "w", **PAGE, "means_words": "The lock is new.", "save": "1"}
    words = text_of(send(desk, url("safety_plan_save", sam), mine))
    said = ("Lee keeps them.", "The lock is new.", "Talked about, steps agreed", "2026-12-03")
    assert [each for each in said if each not in words] == []
    plan.refresh_from_db()
    send(desk, url("safety_plan_save", sam), mine | {"both": "1", "version": plan.version})
    plan.refresh_from_db()
    assert (plan.means, plan.means_words, plan.review_on) == (
        "done", "Lee keeps them.\nThe lock is new.", date(2026, 12, 3),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["safety_plan_save", "safety_plan_finish"])
def test_words_typed_while_somebody_finished_the_plan_go_into_the_next_version(
    as_user: Browse, maya: User, sol: User, sam: Client, name: str
) -> None:
    """The page that was open when a supervisor pressed finish shows its words again; they are not thrown away."""
    finished(sam, sol)
    desk = as_user(maya)
    mine = {"version": "1", "writer": "w", **PAGE, "reasons-0-text": "The sea", "save": "1"}
    page = send(desk, url(name, sam), mine)
    words = text_of(page)
    assert (page.status_code, "The sea" in words, "My dog Bo" in words) == (409, True, True)
    again = mine | {"both": "1", "version": str(page.context["version"])}
    assert send(desk, url("safety_plan_save", sam), again).status_code == 302
    draft, stands = safety_plan.draft_of(sam), SafetyPlan.current(sam)
    assert draft is not None and stands is not None
    assert draft.steps["reasons"] == [{"text": "My dog Bo"}, {"text": "The sea"}]
    assert (stands.number, stands.steps, draft.number) == (1, STEPS, 2)


@pytest.mark.parametrize("said", [PAGE, {}])
def test_page_without_other_words_begins_no_version(as_user: Browse, maya: User, sam: Client, said: Any) -> None:
    finished(sam, maya)
    answer = send(as_user(maya), url("safety_plan_finish", sam), {"version": "1", "writer": "w", **said, **CLOSING})
    assert (answer.status_code, SafetyPlan.objects.count()) == (302, 1)


def test_finishing_over_somebody_elses_words_is_refused_too(as_user: Browse, maya: User, sam: Client) -> None:
    plan = begun(sam, maya)
    kept(plan, maya, writer="other")
    page = send(as_user(maya), url("safety_plan_finish", sam), {"version": "1", "writer": "w", **PAGE, **CLOSING,
                                                               "reasons-0-text": "The sea"})  # fmt: skip
    assert (page.status_code, SafetyPlan.objects.get().finished_at) == (409, None)
    assert "The sea" in text_of(page)


def test_text_of_a_locked_page_can_be_sent_again(as_user: Browse, maya: User, sam: Client, clock: Any) -> None:
    begun(sam, maya)
    desk = as_user(maya)
    desk.get(url("safety_plan", sam))
    clock.shift(timedelta(minutes=16))
    send(desk, url("safety_plan_save", sam), {"version": "1", "writer": "w", "reasons-0-text": "Spring"})
    row = KeptForm.objects.get()
    again = dict(row.fields) | {"kept": str(row.pk)}
    answer = as_user(maya).post(row.path, again, HTTP_SEC_FETCH_MODE="navigate")
    assert (answer.status_code, answer["Location"]) == (302, url("safety_plan", sam))
    assert (SafetyPlan.objects.get().steps["reasons"], KeptForm.objects.count()) == ([{"text": "Spring"}], 0)


def test_what_is_too_long_or_no_text_is_said_and_kept_on_the_page(as_user: Browse, maya: User, sam: Client) -> None:
    begun(sam, maya)
    desk = as_user(maya)
    for words in ("x" * 301, "a\x00b"):
        page = {"version": "1", "writer": "w", "reasons-0-text": words}
        assert script(desk, sam, page) == 400
        answer = send(desk, url("safety_plan_save", sam), page | {"save": "1"})
        assert (answer.status_code, "What matters most to me: " in text_of(answer)) == (400, True)
    assert (
        "x" * 301
        in send(desk, url("safety_plan_save", sam), page | {"reasons-0-text": "x" * 301, "save": "1"}).content.decode()
    )


def test_markup_stays_text(as_user: Browse, maya: User, sam: Client) -> None:
    plan = begun(sam, maya)
    kept(plan, maya, steps=STEPS | {"reasons": [{"text": '<script>alert(1)</script> #panic() {{ x }}'}]}, means="done",
         means_words="x", review_on=date(2026, 12, 3))  # fmt: skip
    page = as_user(maya).get(url("safety_plan", sam)).content.decode()
    assert ("<script>alert" in page, "&lt;script&gt;alert(1)&lt;/script&gt; #panic() {{ x }}" in page) == (False, True)
    safety_plan.finish(by=maya, plan=plan, at=NOW)
    assert as_user(maya).get(url("safety_plan_pdf", sam)).content.startswith(b"%PDF")


# --- Giving it -------------------------------------------------------------------------------------------------------


def test_plan_is_given_with_a_message_that_says_nothing(as_user: Browse, maya: User, sam: Client) -> None:
    finished(sam, maya)
    send(as_user(maya), url("safety_plan_give", sam))
    assert SafetyPlan.objects.get().given_at == NOW
    assert [(n.template, list(n.words)) for n in Notice.objects.all()] == [("news", ["link"]), ("news", ["link"])]


def test_plan_can_be_given_without_a_safe_way_to_tell(as_user: Browse, maya: User, sam: Client) -> None:
    sam.reach = {"email": False, "sms": False}
    sam.save()
    finished(sam, maya)
    page = send(as_user(maya), url("safety_plan_give", sam), follow=True)
    assert "No way to tell them is safe: say so when you meet." in text_of(page)
    assert (SafetyPlan.objects.get().given_at, Notice.objects.count()) == (NOW, 0)


def test_copy_is_a_tagged_pdf_that_names_nobody(as_user: Browse, maya: User, sam: Client) -> None:
    finished(sam, maya)
    answer = as_user(maya).get(url("safety_plan_pdf", sam))
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "application/pdf",
        'attachment; filename="plan.pdf"',
    )
    assert b"/StructTreeRoot" in answer.content
    assert b"Whitehorse" not in answer.content


# --- On the chart ----------------------------------------------------------------------------------------------------


def test_storyboard_tells_the_day_and_whether_a_review_is_due(
    as_user: Browse, maya: User, sam: Client, clock: Any
) -> None:
    chart = url("chart", sam)
    assert "Safety plan None yet" in text_of(as_user(maya).get(chart))
    finished(sam, maya)
    assert "Safety plan Nov 19, 2026 Allergies" in text_of(as_user(maya).get(chart))
    clock.shift(timedelta(days=14))
    assert "Safety plan Nov 19, 2026, review due" in text_of(as_user(maya).get(chart))


def test_open_flag_leads_to_the_plan(as_user: Browse, maya: User, sam: Client) -> None:
    actions.raise_manual_flag(by=maya, client=sam, severity="priority", reason="x", at=NOW)
    page = as_user(maya).get(url("chart", sam)).content.decode()
    assert f'href="{url("safety_plan", sam)}">Open safety plan</a>' in page


def test_plan_is_not_for_a_colleague(as_user: Browse, omar: User, maya: User, sam: Client) -> None:
    finished(sam, maya)
    for name in ("safety_plan", "safety_plan_pdf"):
        answer = as_user(omar).get(url(name, sam))
        assert (answer.status_code, b"dog Bo" in answer.content) == (404, False)
    for name in ("safety_plan_new", "safety_plan_give", "safety_plan_finish"):
        assert send(as_user(omar), url(name, sam)).status_code == 404
    assert script(as_user(omar), sam, {"version": "1"}) == 404
    assert SafetyPlan.objects.count() == 1


# --- Reviews ---------------------------------------------------------------------------------------------------------


def reviews() -> list[tuple[str, dict[str, Any]]]:
    return list(Task.objects.filter(done_at=None, kind="plan_review").values_list("kind", "facts"))


def test_review_opens_on_its_day_and_once(maya: User, sam: Client) -> None:
    finished(sam, maya)
    day_before, day = NOW + timedelta(days=13), NOW + timedelta(days=14)
    assert [safety_plan.open_reviews(at=at) for at in (NOW, day_before, day, day)] == [0, 0, 1, 0]
    assert reviews() == [("plan_review", {"reason": "date"})]


@pytest.mark.parametrize(("severity", "opens"), [("urgent", 1), ("priority", 1), ("routine", 0)])
def test_review_opens_when_a_serious_flag_comes_after_the_plan(
    maya: User, sam: Client, on_call: User, severity: str, opens: int
) -> None:
    actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW - timedelta(days=1))
    finished(sam, maya)
    assert safety_plan.open_reviews(at=NOW) == 0
    actions.raise_manual_flag(by=maya, client=sam, severity=severity, reason="x", at=NOW + timedelta(hours=1))
    assert safety_plan.open_reviews(at=NOW + timedelta(hours=2)) == opens
    assert reviews() == [("plan_review", {"reason": "flag"})][:opens]


def test_new_version_finishes_the_review(maya: User, sam: Client) -> None:
    finished(sam, maya)
    safety_plan.open_reviews(at=NOW + timedelta(days=14))
    finished(sam, maya, review_on=date(2027, 1, 5))
    assert reviews() == []
    assert safety_plan.open_reviews(at=NOW + timedelta(days=14)) == 0


def test_no_review_for_somebody_who_left_and_for_nobody_without_a_plan(maya: User, sam: Client, kit: Client) -> None:
    finished(sam, maya)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert safety_plan.open_reviews(at=NOW + timedelta(days=30)) == 0


def test_schedule_runs_the_review(maya: User, sam: Client, clock: Any) -> None:
    finished(sam, maya)
    clock.shift(timedelta(days=14))
    tick(NOW + timedelta(days=14))
    jobs.run_due()
    assert reviews() == [("plan_review", {"reason": "date"})]
