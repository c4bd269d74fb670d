"""The client's safety plan on their own page, and what the copy on their phone holds."""

import re
from datetime import date
from typing import Any

import pytest
from django.test import Client as Browser

from practice import safety_plan
from practice.models import AuditEvent, Client, SafetyPlan, User
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import text_of

pytestmark = pytest.mark.usefixtures("clock")
PLAN, KEPT = "/my/safety-plan/", "/my/safety-plan/kept/"


def finished(client: Client, by: User, reason: str, give: bool = True) -> SafetyPlan:
    plan = safety_plan.begin(by=by, client=client, at=NOW)
    steps = plan.steps | {
        "reasons": [{"text": reason}],
        "ask-for-help": [{"name": "Lee", "phone": "555 0177"}, {"name": "Jo next door", "phone": "knock"}],
    }
    safety_plan.save(by=by, plan=plan, steps=steps, means="done", means_words="Lee keeps the pills.",
                     review_on=date(2026, 12, 3), seen=plan.version, writer="", at=NOW)  # fmt: skip
    safety_plan.finish(by=by, plan=plan, at=NOW, give=give)
    return plan


def test_plan_that_was_given_stands_there_with_numbers_to_tap(sam: Client, maya: User) -> None:
    finished(sam, maya, "My dog Bo")
    browser = at_home(sam)
    assert "Made on Nov 19, 2026. Your steps, and numbers to call." in text_of(browser.get("/my/home/"))
    page = browser.get(PLAN)
    assert re.findall(r'href="(tel:[^"]+)"', page.content.decode())[:6] == [
        "tel:988", "tel:911", "tel:5550177", "tel:5550110", "tel:5550110", "tel:988",
    ]  # fmt: skip
    words = text_of(page)
    assert ("My dog Bo" in words, "Jo next door knock" in words) == (True, True)
    assert "Lee keeps the pills" not in words  # what the therapist noted is not part of the plan
    assert AuditEvent.objects.filter(action="safety_plan.opened", actor_kind="client").count() == 1


def test_version_that_was_not_given_does_not_replace_the_one_that_was(sam: Client, maya: User) -> None:
    finished(sam, maya, "My dog Bo")
    newer = finished(sam, maya, "Spring", give=False)
    browser = at_home(sam)
    assert "My dog Bo" in text_of(browser.get(PLAN))
    safety_plan.give_to_client(by=maya, plan=SafetyPlan.objects.get(pk=newer.pk), at=NOW)
    assert ("Spring" in text_of(browser.get(PLAN)), "Bo" in text_of(browser.get(PLAN))) == (True, False)


def test_nothing_is_there_before_a_plan_is_given(sam: Client, maya: User) -> None:
    finished(sam, maya, "My dog Bo", give=False)
    browser = at_home(sam)
    assert "safety plan" not in text_of(browser.get("/my/home/"))
    assert "You and Maya can write one together. Ask Maya." in text_of(browser.get(PLAN))
    assert (browser.get(KEPT).status_code, browser.get("/my/safety-plan/pdf/").status_code) == (404, 404)


def test_copy_for_the_phone_names_nobody_and_leads_nowhere_else(sam: Client, maya: User) -> None:
    finished(sam, maya, "My dog Bo")
    page = at_home(sam).get(KEPT).content.decode()
    assert "My dog Bo" in page
    assert [word for word in ("Sam", "Whitehorse", "CH-0", "csrf", "form_key", "data-locked-url") if word in page] == []
    paths = {
        path for path in re.findall(r'(?:href|action|data-\w+)="(/[^"#]*)', page) if not path.startswith("/static/")
    }
    assert paths == {KEPT, "/my/safety-plan/worker.js", "/help-now/", "/leave/", "/who-sees-this/", "/accessibility/"}


def test_plan_is_behind_the_door_and_only_ones_own(sam: Client, kit: Client, maya: User, omar: User) -> None:
    finished(sam, maya, "My dog Bo")
    finished(kit, omar, "The garden")
    for url in (PLAN, KEPT, "/my/safety-plan/pdf/"):
        assert Browser().get(url)["Location"] == "/my/locked/"
    words = text_of(at_home(kit).get(PLAN))
    assert ("The garden" in words, "Bo" in words) == (True, False)


def test_copy_to_print_is_a_pdf(sam: Client, maya: User) -> None:
    finished(sam, maya, "My dog Bo")
    answer = at_home(sam).get("/my/safety-plan/pdf/")
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "application/pdf",
        'attachment; filename="plan.pdf"',
    )


def test_script_that_opens_the_copy_reaches_no_further_than_the_plan(db: None) -> None:
    answer: Any = Browser().get("/my/safety-plan/worker.js")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert "Service-Worker-Allowed" not in answer
    assert "default-src 'none'" in answer["Content-Security-Policy"]
