"""A dosing session on a phone in the room, two hours of it without a connection (journeys, script 2 step 6)."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from intake.models import Signature
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans
from practice.kap.models import Session
from practice.models import Client, User
from tests.journeys.conftest import DESK, PHONE, Look, Window

pytestmark = pytest.mark.story
READY = {"screener": "No", "food": "Yes, fasted", "alcohol": "Yes, none", "substances": "Yes, none", "medicines": "Yes"}
LEAVE = {
    "unreal": "0", "foggy": "1", "sick": "0", "frightened": "0", "steady": "Steady", "oriented": "Yes",
    "self_harm": "No", "no_driving": "Agreed",
}  # fmt: skip


def booked(maya: User, pax: User, sam: Client) -> Session:
    at = timezone.now()
    clearance.grant(
        by=pax, client=sam, doses=2, until=(at + timedelta(days=40)).date(), most_mg=Decimal(100),
        route="sublingual", words="", at=at,
    )  # fmt: skip
    signed = Signature(client=sam, document="ketamine", version="1", text_sha256="0" * 64, signed_at=at)
    signed.typed_name = "Sam Whitehorse"
    signed.save()
    plan = plans.make(
        by=maya, client=sam, template=templates()["weekly"], at=at, first=(at + timedelta(days=7)).date(),
        clock=at.time().replace(minute=0), therapist=maya, room="Blue room", count=2,
    )  # fmt: skip
    found: Session = plan.sessions.filter(kind="dosing").earliest("starts_at")
    Session.objects.filter(pk=found.pk).update(starts_at=at)
    return found


def tap(page: Page, part: str, code: str, answer: str) -> None:
    page.locator(f"#{part}-{code}").get_by_role("button", name=answer, exact=True).click()
    expect(page.locator(f"#{part}-{code} [aria-pressed=true]")).to_have_text(answer)


def reading(page: Page, upper: int, lower: int) -> None:
    page.get_by_label("Upper").fill(str(upper))
    page.get_by_label("Lower").fill(str(lower))
    page.get_by_role("button", name="Keep the reading").click()


def prepared(page: Page) -> None:
    for code, answer in READY.items():
        tap(page, "prepare", code, answer)
    page.get_by_label("With whom").fill("Lee")
    tap(page, "prepare", "ride", "Yes")
    reading(page, 122, 80)
    expect(page.get_by_text("122/80")).to_be_visible()


def test_session_from_prepare_to_the_note_without_script(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    session = booked(maya, pax, sam)
    page = staff_window(maya, PHONE, script=False)
    page.goto(reverse("session", args=[session.plan_id, session.pk]))
    expect(page.get_by_role("button", name="Start the session")).to_be_disabled()
    prepared(page)
    page.get_by_role("button", name="Start the session").click()
    page.get_by_label("Milligrams, as on the label").fill("100")
    page.get_by_label("How", exact=True).select_option("sublingual")
    page.get_by_role("button", name="Record the dose").click()
    expect(page.get_by_text("27-31 mg as measured")).to_be_visible()
    page.get_by_role("button", name="As expected").click()
    for code, answer in LEAVE.items():
        tap(page, "leave", code, answer)
    page.get_by_label("Who", exact=True).fill("Lee")
    tap(page, "leave", "escort", "Here")
    page.get_by_label("When").select_option("after")
    reading(page, 126, 82)
    page.get_by_role("button", name="Sign: the client may leave").click()
    expect(page.get_by_text("Signed by Maya Torres").first).to_be_visible()
    page.get_by_role("button", name="Keep the note in the record").click()
    expect(page.get_by_text("The note is in the record")).to_be_visible()
    session.refresh_from_db()
    assert (session.state, session.note.body.count("Maya Torres")) == ("done", 1)


def test_session_page_looks_right_in_every_state(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    session = booked(maya, pax, sam)
    page = staff_window(maya, PHONE)
    page.goto(reverse("session", args=[session.plan_id, session.pk]))
    look(page, "room-01-prepare")
    prepared(page)
    page.get_by_role("button", name="Start the session").click()
    page.get_by_label("Milligrams, as on the label").fill("100")
    page.get_by_label("How", exact=True).select_option("sublingual")
    page.get_by_role("button", name="Record the dose").click()
    expect(page.get_by_text("27-31 mg as measured")).to_be_visible()
    look(page, "room-02-day")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    look(page, "room-02-day")


def test_two_hours_without_a_connection_lose_and_double_nothing(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    session = booked(maya, pax, sam)
    page = staff_window(maya, PHONE)
    page.goto(reverse("session", args=[session.plan_id, session.pk]))
    prepared(page)
    page.get_by_role("button", name="Start the session").click()
    expect(page.get_by_role("button", name="Sign: the client may leave")).to_be_visible()
    page.wait_for_function("caches.keys().then(k => k.length === 1)")
    page.wait_for_function("navigator.serviceWorker.ready.then(w => !!w.active)")
    before = session.entries.count()

    page.context.set_offline(True)
    page.get_by_label("Milligrams, as on the label").fill("100")
    page.get_by_label("How", exact=True).select_option("sublingual")
    page.get_by_role("button", name="Record the dose").click()
    expect(page.get_by_text("Kept on this device. It is sent as soon as there is a connection.")).to_be_visible()
    page.get_by_role("button", name="Start the hold").click()
    expect(page.locator("[data-hold] [data-left]")).to_have_text(re.compile(r"^1[45]:"))
    look(page, "room-03-offline")
    page.reload()
    expect(page.get_by_role("heading", name="Dosing 1")).to_be_visible()
    expect(page.locator("[data-waiting] li")).to_have_count(2)
    page.get_by_role("button", name="As expected").click()
    tap(page, "leave", "steady", "Steady")
    reading(page, 131, 84)
    page.get_by_role("button", name="Sign: the client may leave").click()
    expect(page.get_by_text("This needs the connection")).to_be_visible()
    expect(page.locator("[data-waiting] li")).to_have_count(5)
    assert session.entries.count() == before

    page.context.set_offline(False)
    expect(page.locator("#net")).to_be_hidden()
    expect(page.get_by_text("27-31 mg as measured")).to_be_visible()
    kinds = [entry.kind for entry in session.entries.order_by("happened_at")][before:]
    assert kinds == ["dose", "hold", "check", "leave", "vitals"]
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_label("Why they leave with this open").fill("Their brother took them to the emergency department.")
    page.get_by_role("button", name="Sign: the client may leave").click()
    expect(page.get_by_text("Signed by Maya Torres").first).to_be_visible()
    page.wait_for_function("caches.keys().then(k => k.length === 0)")
    assert page.evaluate("Object.keys(localStorage)") == []
    assert session.entries.filter(kind="dose").count() == 1


def test_reading_that_cannot_be_and_a_lock_in_between_keep_what_was_tapped(
    staff_window: Window, maya: User, pax: User, sam: Client
) -> None:
    session = booked(maya, pax, sam)
    page = staff_window(maya, PHONE)
    page.goto(reverse("session", args=[session.plan_id, session.pk]))
    page.wait_for_load_state("networkidle")  # the copy for later is made
    page.evaluate("document.querySelector('#v-dbp').min = 0")
    reading(page, 120, 8)
    expect(page.get_by_text("This reading cannot be.")).to_be_visible()
    expect(page.get_by_label("Upper")).to_have_value("120")
    page.get_by_role("button", name="Seen").click()
    expect(page.locator("#net")).to_be_hidden()
    assert not session.entries.exists()

    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.locator("#prepare-food").get_by_role("button", name="Yes, fasted").click()
    expect(page.get_by_text("Kept on this device. Sign in again to send it.")).to_be_visible()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto(reverse("session", args=[session.plan_id, session.pk]))
    expect(page.locator("#prepare-food [data-says]")).to_have_text("Fine")
    assert session.entries.count() == 1
