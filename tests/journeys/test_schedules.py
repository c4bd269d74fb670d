"""A check-in set by hand, the client's hour and pause, and the way out of a mail (features C3, C5, C11, J4)."""

from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from intake import measures
from practice import notices, stops
from practice.models import Client, Notice, User
from tests import factories
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.walking import at_own_page, follow, press, reads


def test_therapist_sets_it_and_the_client_pauses_it(
    window: Window, staff_window: Window, look: Look, maya: User, sam: Client, on_call: User
) -> None:
    desk = staff_window(maya)
    desk.goto(f"/clients/{sam.pk}/")
    follow(desk, "Set a check-in")
    expect(desk.get_by_role("heading", level=2, name="Set a check-in")).to_be_visible()
    press(desk, "Set it")
    expect(desk.locator(".err-summary")).to_contain_text("Choose when it goes out.")
    look(desk, "schedule-01-missing")
    desk.get_by_label("Every so many days").check()
    desk.locator("[name=days]").fill("7")
    desk.locator("[name=first_on]").fill((factories.today() + timedelta(days=2)).isoformat())
    look(desk, "schedule-02-new")
    press(desk, "Set it")
    planned = desk.get_by_role("region", name="Planned check-ins")
    expect(planned).to_contain_text("every 7 days")
    look(desk, "schedule-03-chart")
    planned.get_by_role("link", name="Change or end").click()
    look(desk, "schedule-04-change")
    measures.start_interim(by=maya, client=sam, subject_id=sam.pk, at=timezone.now())
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Change or pause them")
    reads(phone, "Check-ins")
    look(phone, "schedule-05-mine")
    phone.get_by_label("What time of day?").select_option(label="7 pm")
    press(phone, "Save the time")
    phone.get_by_label("2 weeks").check()
    phone.get_by_label("Anything you want to say").fill("I need a break.")
    press(phone, "Pause my check-ins")
    expect(phone.locator("main")).to_contain_text("Paused until")
    look(phone, "schedule-06-paused")
    desk.goto(f"/clients/{sam.pk}/")
    expect(planned).to_contain_text("The client paused them")
    planned.get_by_role("link", name="Let them go on").click()
    expect(desk.locator("main")).to_contain_text("I need a break.")
    look(desk, "schedule-07-resume")
    press(phone, "Start them again")
    expect(phone.get_by_role("button", name="Pause my check-ins")).to_be_visible()


def test_the_way_out_of_a_mail_and_what_staff_see(
    window: Window, staff_window: Window, look: Look, maya: User, sam: Client
) -> None:
    notices.tell_client(sam, "news", link="x")
    mail = Notice.objects.get(client=sam, channel="email")
    stops.stop(channel=stops.SMS, address=sam.phone, at=timezone.now())
    phone = window()
    phone.goto(f"/m/{notices.unsubscribe_token(mail.pk)}/")
    look(phone, "stops-01-mail")
    press(phone, "Stop these mails")
    reads(phone, "We send you no more reminders")
    look(phone, "stops-02-stopped")
    for size in (DESK, {"width": 390, "height": 844}):
        desk = staff_window(maya, size)
        desk.goto(f"/clients/{sam.pk}/notices/")
        expect(desk.locator("main")).to_contain_text("Their number answered STOP")
        look(desk, "stops-03-log")
        desk.goto(f"/clients/{sam.pk}/")
        expect(desk.locator("body")).to_contain_text("No texts: STOP")
        look(desk, "stops-04-chart")
