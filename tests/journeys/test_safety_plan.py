"""The safety plan from the therapist's desk to the client's phone, with the network off (journeys, script 2 step 4)."""

from datetime import timedelta
from typing import Any

from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from practice import safety_plan
from practice.models import Client, Notice, SafetyPlan, User
from tests import factories
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import at_own_page, follow, on, plan_written, press, reads


def test_plan_written_together_opens_on_the_phone_without_a_connection(
    window: Window, staff_window: Window, look: Look, both: Look, maya: User, sam: Client
) -> None:
    desk = staff_window(maya)
    desk.goto(reverse("safety_plan", args=[sam.pk]))
    look(desk, "plan-01-none")
    press(desk, "Start a safety plan")
    both(desk, "plan-02-draft")
    SafetyPlan.objects.all().delete()
    plan_written(desk, sam)
    look(desk, "plan-03-finished")
    assert {notice.template for notice in Notice.objects.all()} == {"news"}

    phone = window()
    at_own_page(phone, sam)
    look(phone, "plan-04-home")
    follow(phone, "Open my safety plan")
    reads(phone, "My safety plan")
    assert phone.get_by_role("link", name="Lee, my brother").get_attribute("href") == "tel:5550177"
    look(phone, "plan-05-plan")
    expect(phone.get_by_role("button", name="Keep it on this phone")).to_be_visible()
    press(phone, "Keep it on this phone")
    expect(phone.get_by_text("Kept on this phone.")).to_be_visible()
    expect(phone.get_by_role("button", name="Keep it on this phone")).to_be_hidden()
    look(phone, "plan-06-kept")

    phone.context.set_offline(True)
    phone.goto("/my/safety-plan/")
    reads(phone, "My safety plan")
    expect(phone.get_by_text("My dog Bo")).to_be_visible()
    assert phone.get_by_role("link", name="Call 988").first.get_attribute("href") == "tel:988"
    assert phone.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily").startswith("Hyperlegible")
    follow(phone, "Open the copy on this phone")
    on(phone, "/my/safety-plan/kept/")
    look(phone, "plan-07-offline")
    assert phone.evaluate("fetch('/my/home/').then(() => 'answered', () => 'nothing')") == "nothing"
    assert phone.evaluate("caches.keys()") == ["safety-plan"]
    kept = phone.evaluate(
        "caches.open('safety-plan').then(c => c.keys()).then(k => k.map(r => new URL(r.url).pathname))"
    )
    assert [path for path in kept if not path.startswith("/static/")] == ["/my/safety-plan/kept/"]
    press(phone, "Take it off this phone")
    expect(phone.get_by_text("Taken off this phone.")).to_be_visible()
    phone.context.set_offline(False)
    assert phone.evaluate("caches.keys()") == []
    assert phone.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0


def test_newer_plan_replaces_the_kept_one_and_the_lock_keeps_the_rest_closed(
    window: Window, staff_window: Window, maya: User, sam: Client
) -> None:
    desk = staff_window(maya)
    plan_written(desk, sam)
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Open my safety plan")
    press(phone, "Keep it on this phone")
    expect(phone.get_by_text("Kept on this phone.")).to_be_visible()
    press(desk, "Review it together")
    desk.locator("[name=reasons-0-text]").fill("Spring in the garden")
    desk.get_by_label("Talked about, steps agreed").check()
    desk.get_by_label("What was said, in a line").fill("As before.")
    desk.get_by_label("Review by").fill((factories.today() + timedelta(days=30)).isoformat())
    press(desk, "Finish the plan")
    expect(desk.get_by_text("The safety plan is finished.")).to_be_visible()
    phone.reload()
    expect(phone.get_by_text("Spring in the garden")).to_be_visible()
    phone.wait_for_function(
        "caches.match('/my/safety-plan/kept/', {ignoreVary: true}).then(r => r.text()).then(t => t.includes('Spring'))"
    )
    phone.goto("/my/home/")
    press(phone, "Lock this page")
    on(phone, "/my/locked/")
    phone.goto("/my/safety-plan/")
    on(phone, "/my/locked/")  # with a connection the door is ours
    phone.goto("/my/safety-plan/kept/")
    expect(phone.get_by_text("Spring in the garden")).to_be_visible()
    phone.goto("/my/copies/")
    on(phone, "/my/locked/")


def test_plan_of_another_person_is_never_kept_unasked_on_a_shared_phone(
    window: Window, staff_window: Window, maya: User, sam: Client
) -> None:
    """Two who live together are clients here: one kept their plan, and the other only reads theirs on that tablet."""
    desk = staff_window(maya)
    plan_written(desk, sam)
    ada = factories.client(maya, "Ada Finch")
    plan = safety_plan.begin(by=maya, client=ada, at=timezone.now())
    SafetyPlan.objects.filter(pk=plan.pk).update(
        finished_at=timezone.now(),
        finished_by=maya,
        given_at=timezone.now(),
        review_on=factories.today(),
        means="declined",
    )
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Open my safety plan")
    press(phone, "Keep it on this phone")
    expect(phone.get_by_text("Kept on this phone.")).to_be_visible()
    at_own_page(phone, ada)
    follow(phone, "Open my safety plan")
    expect(phone.get_by_role("button", name="Keep it on this phone")).to_be_visible()
    phone.wait_for_load_state("networkidle")
    kept = "caches.match('/my/safety-plan/kept/', {ignoreVary: true}).then(r => r.text())"
    assert "My dog Bo" in phone.evaluate(kept)


def test_leaving_quickly_takes_the_kept_plan_off_too(
    window: Window, staff_window: Window, maya: User, sam: Client, settings: Any, up: str
) -> None:
    """The page says so before anybody presses; nothing of a person stays on the phone."""
    settings.LEAVE_URL = f"{up}/accessibility/"
    plan_written(staff_window(maya), sam)
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Open my safety plan")
    press(phone, "Keep it on this phone")
    expect(phone.get_by_text("Kept on this phone.")).to_be_visible()
    follow(phone, "Leave this site quickly")
    on(phone, "/accessibility/")
    assert phone.evaluate("caches.keys()") == []
    assert phone.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0


def test_two_people_who_write_at_once_see_both_texts(
    staff_window: Window, look: Look, maya: User, sol: User, sam: Client
) -> None:
    first, second = staff_window(maya), staff_window(sol)
    first.goto(reverse("safety_plan", args=[sam.pk]))
    press(first, "Start a safety plan")
    second.goto(reverse("safety_plan", args=[sam.pk]))
    first.locator("[name=own-coping-0-text]").fill("Walk to the river")
    expect(first.locator("#saved")).to_contain_text("Saved at")
    first.locator("[name=own-coping-0-text]").fill("Walk to the river at noon")
    second.locator("[name=own-coping-0-text]").fill("Breathe slowly")
    expect(second.locator("#saved")).to_contain_text("Somebody else wrote in this plan")
    press(second, "Save the draft")
    reads(second, "Somebody else wrote in this plan")
    look(second, "plan-08-conflict")
    press(second, "Keep both")
    expect(second.locator("[name=own-coping-0-text]")).to_have_value("Walk to the river at noon")
    expect(second.locator("[name=own-coping-1-text]")).to_have_value("Breathe slowly")


def test_care_is_ended_in_words(staff_window: Window, look: Look, maya: User, sam: Client) -> None:
    desk = staff_window(maya)
    desk.goto(reverse("client_edit", args=[sam.pk]))
    follow(desk, "End their care: discharge, or a death")
    look(desk, "plan-09-discharge")
    press(desk, "End their care")
    expect(desk.get_by_role("alert")).to_contain_text("Choose what happened.")
    look(desk, "plan-10-discharge-error")
    desk.get_by_label("Their care here ended: discharged").check()
    desk.get_by_label("How it ended, for the record").fill("Moved to another town.")
    press(desk, "End their care")
    expect(desk.get_by_text("Recorded. Nothing is sent to them any more.")).to_be_visible()
    desk.goto(reverse("client_discharge", args=[sam.pk]))
    look(desk, "plan-11-back")
    desk.get_by_label("Why they are back, for the record").fill("Moved back.")
    press(desk, "Take them back into care")
    expect(desk.get_by_text("They are in care again.")).to_be_visible()


def test_plan_works_without_script(window: Window, staff_window: Window, look: Look, maya: User, sam: Client) -> None:
    plan_written(staff_window(maya), sam)
    phone = window(script=False)
    at_own_page(phone, sam)
    follow(phone, "Open my safety plan")
    reads(phone, "My safety plan")
    expect(phone.get_by_role("button", name="Keep it on this phone")).to_have_count(0)
    with phone.expect_download() as copy:
        follow(phone, "PDF to keep or print")
    assert copy.value.suggested_filename == "plan.pdf"
    assert Browser().get(reverse("my_safety_plan_pdf")).status_code == 303
