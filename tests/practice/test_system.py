"""The clinical signature, the drill and the state of the system."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client as Browser

from practice import actions, audit, jobs
from practice.clinical import table
from practice.models import Alert, AuditEvent, ClinicalSignature, Job, Notice, User
from practice.signing import PARTS, unsigned, versions
from practice.views.system import PARTS as TITLES
from practice.views.system import sign
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
SIGN, DRILL, STATE = "/practice/clinical/", "/practice/drill/", "/practice/system/"


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


# --- The clinical signature ------------------------------------------------------------------------------------------


def test_every_part_has_its_words() -> None:
    assert set(TITLES) == set(PARTS)


def test_strip_stays_until_every_part_is_signed(as_user: As, post: Post, sol: User, maya: User) -> None:
    browser, strip = as_user(sol), "not yet signed by your clinical lead"
    for part in PARTS:
        assert strip in words(as_user(maya).get("/caseload/"))
        said = {"part": part, f"{part}-words": f"I have read the {part}."}
        assert post(browser, SIGN, said)["Location"] == SIGN
    assert strip not in words(as_user(maya).get("/caseload/"))
    assert unsigned() == []
    page = words(browser.get(SIGN))
    assert page.count("Signed by Sol Amari, Nov 19, 2026.") == len(PARTS)
    assert "I have read the rules." in page
    assert sorted(e.facts["part"] for e in AuditEvent.objects.filter(action="clinical.signed")) == sorted(PARTS)


def test_page_shows_what_is_signed(as_user: As, sol: User) -> None:
    html = as_user(sol).get(SIGN).content.decode()
    assert len(re.findall(r'href="/rules/[^"]*"', html)) == len(table.rules())
    page = words(as_user(sol).get(SIGN))
    assert "Patient Health Questionnaire-9 (PHQ-9). Minimal or none 0+, Mild 5+, Moderate 10+" in page
    assert "Urgent: 0, 15, 30, 60" in page


def test_signature_needs_words(as_user: As, post: Post, sol: User) -> None:
    response = post(as_user(sol), SIGN, {"part": "rules", "rules-words": "   "})
    assert response.status_code == 400
    assert "Write what you read and that it may be used here." in words(response)
    assert ClinicalSignature.objects.count() == 0


def test_new_version_asks_again_and_shows_the_old_signature(as_user: As, sol: User) -> None:
    sign("rules", "an-older-version", sol, "Read then.", NOW)
    page = words(as_user(sol).get(SIGN))
    assert "rules" in unsigned()
    assert "Earlier versions rules an-older-version" in page


def test_two_people_sign_one_part_once(sol: User, maya: User) -> None:
    assert [sign("rules", versions()["rules"], user, "Read.", NOW) for user in (sol, maya)] == [True, False]
    assert (ClinicalSignature.objects.get().by, AuditEvent.objects.filter(action="clinical.signed").count()) == (sol, 1)


@pytest.mark.parametrize("part", ["", "weather", "rules' --", "x" * 500])
def test_unknown_part_is_not_there(as_user: As, post: Post, sol: User, part: str) -> None:
    assert post(as_user(sol), SIGN, {"part": part, f"{part}-words": "Read."}).status_code == 404


def test_only_those_who_may_sign_see_the_page(
    as_user: As, post: Post, maya: User, pax: User, fay: User, rosa: User
) -> None:
    for user in (maya, pax, fay, rosa):
        got = as_user(user).get(SIGN), post(as_user(user), SIGN, {"part": "rules", "rules-words": "Read."})
        assert [response.status_code for response in got] == [403, 403]
    assert ClinicalSignature.objects.count() == 0


# --- The drill -------------------------------------------------------------------------------------------------------


def test_drill_goes_down_the_real_path_and_shows_the_minutes(
    as_user: As, post: Post, rosa: User, on_call: User, _thursday: Any
) -> None:
    browser = as_user(rosa)
    assert "No drill yet" in words(browser.get(DRILL))
    assert post(browser, DRILL)["Location"] == DRILL
    flag = Alert.objects.get()
    assert (flag.is_drill, flag.client_id) == (True, None)
    assert [n.user for n in Notice.objects.all()] == [on_call]
    _thursday.shift(7 * 60)
    assert "Omar Haddad Not yet, 7 minutes so far" in words(browser.get(DRILL))
    actions.acknowledge(by=on_call, alert=flag, at=NOW + timedelta(minutes=7))
    assert "after 7 minutes, by Omar Haddad" in words(browser.get(DRILL))


def test_drill_runs_once_at_a_time(as_user: As, post: Post, rosa: User, on_call: User) -> None:
    browser = as_user(rosa)
    post(browser, DRILL)
    assert "A drill is running already." in words(browser.get(post(browser, DRILL)["Location"]))
    assert Alert.objects.count() == 1


def test_drill_with_nobody_on_call_tells_the_admins(as_user: As, post: Post, rosa: User) -> None:
    post(as_user(rosa), DRILL)
    assert [n.user for n in Notice.objects.all()] == [rosa]


def test_only_admins_run_drills(as_user: As, post: Post, maya: User, sol: User, fay: User, on_call: User) -> None:
    for user in (maya, sol, fay):
        assert (as_user(user).get(DRILL).status_code, post(as_user(user), DRILL).status_code) == (403, 403)
    assert Alert.objects.count() == 0


# --- The state of the system -----------------------------------------------------------------------------------------


def test_calm_system_says_so(as_user: As, rosa: User) -> None:
    Job.objects.all().delete()
    (settings.DATA_DIR / audit.ANCHORS).unlink(missing_ok=True)
    page = words(as_user(rosa).get(STATE))
    assert "Nothing waits" in page
    assert "All sent" in page
    assert "Never yet; it is copied once an hour" in page
    assert "unsent for more than" not in page


def test_late_jobs_and_anchor_are_said(as_user: As, rosa: User, _thursday: Any) -> None:
    audit.record("something", by=None)
    audit.anchor(NOW)
    jobs.enqueue("tidy")
    assert "Thu Nov 19, 10:00 am" in words(as_user(rosa).get(STATE))
    _thursday.shift(4 * 3600)
    page = words(as_user(rosa).get(STATE))
    assert "1 wait, the oldest for 240 minutes" in page
    assert "that is too long ago" in page
    (settings.DATA_DIR / audit.ANCHORS).unlink()


def dead(rosa: User, minutes: int = 20) -> tuple[Job, Notice]:
    from practice import notices

    notices.tell_staff(
        rosa, "urgent", urgent=True, link="http://testserver/x", at="10:00", minutes=0, next_at="", drill=False
    )
    notice = Notice.objects.latest("created_at")
    Notice.objects.filter(pk=notice.pk).update(
        state=Notice.State.FAILED, trouble="ConnectionRefusedError", created_at=NOW - timedelta(minutes=minutes)
    )
    job = Job.objects.get(ref=str(notice.pk))
    Job.objects.filter(pk=job.pk).update(state=Job.State.DEAD, attempts=8, trouble="ConnectionRefusedError")
    return job, notice


@pytest.mark.parametrize(("minutes", "said"), [(14, False), (16, True)])
def test_unsent_safety_message_is_a_banner_after_a_quarter_of_an_hour(
    as_user: As, rosa: User, minutes: int, said: bool
) -> None:
    dead(rosa, minutes)
    assert ("1 safety message is unsent for more than 15 minutes." in words(as_user(rosa).get(STATE))) is said


def test_dead_job_is_tried_again_with_its_message(as_user: As, post: Post, rosa: User, mailoutbox: list[Any]) -> None:
    job, notice = dead(rosa)
    browser = as_user(rosa)
    page = words(browser.get(STATE))
    assert "deliver_notice" in page
    assert "8 tries, ConnectionRefusedError" in page
    assert post(browser, f"{STATE}jobs/{job.pk}/again/")["Location"] == STATE
    assert "It is not waiting for another try." in words(
        browser.get(post(browser, f"{STATE}jobs/{job.pk}/again/")["Location"])
    )
    jobs.run_due()
    notice.refresh_from_db()
    assert (notice.state, len(mailoutbox)) == (Notice.State.SENT, 1)
    assert AuditEvent.objects.filter(action="job.again").count() == 1


def test_only_admins_see_the_system(as_user: As, post: Post, maya: User, sol: User, fay: User, rosa: User) -> None:
    job, _ = dead(rosa)
    for user in (maya, sol, fay):
        got = as_user(user).get(STATE), post(as_user(user), f"{STATE}jobs/{job.pk}/again/")
        assert [response.status_code for response in got] == [403, 403]
    job.refresh_from_db()
    assert job.state == Job.State.DEAD
    assert as_user(rosa).get(f"{STATE}jobs/{job.pk}/again/").status_code == 404
