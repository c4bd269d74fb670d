"""A dosing session on a phone in the room, two hours of it without a connection (journeys, script 2 step 6)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from intake.models import Signature
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans
from practice.kap.models import Session
from practice.models import Client, User
from tests.journeys.conftest import DESK, PHONE

Look = Callable[[Page, str], None]
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
    staff_window: Callable[..., Page], look: Look, maya: User, pax: User, sam: Client
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
    staff_window: Callable[..., Page], look: Look, maya: User, pax: User, sam: Client
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
