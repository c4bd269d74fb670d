"""The whole of it: an intake with a positive safety answer, a flag picked up, acted on and closed, a card reviewed."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.core import mail
from django.utils import timezone
from playwright.sync_api import expect

from practice import jobs
from practice.models import Alert, Client, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import answer, choose, follow, on, press, reads, say

MOMENT = "%Y-%m-%dT%H:%M"


def test_from_an_invitation_to_a_closed_flag_and_a_reviewed_card(
    window: Window, staff_window: Window, look: Look, up: str, maya: User, on_call: User
) -> None:
    """Done when: invited, answered, the flag picked up, acted on and closed, the card reviewed."""
    desk = staff_window(maya)
    desk.goto("/caseload/")
    desk.get_by_role("link", name="Invite a client").first.click()
    desk.get_by_label("Name used").fill("Ari Stone")
    desk.get_by_role("textbox", name="E-mail").fill("ari@example.net")
    look(desk, "story-01-invite")
    press(desk, "Send the invitation")
    expect(desk).to_have_url(re.compile(r"/clients/[0-9a-f-]{36}/"))
    look(desk, "story-02-invited")
    jobs.run_due()
    written = next(message for message in mail.outbox if message.to == ["ari@example.net"])
    found = re.search(rf"{re.escape(up)}(/p/\S+)", str(written.body))
    assert found and "Ari" not in str(written.body) + written.subject

    phone = window()
    phone.goto(found[1])
    press(phone, "Continue")
    press(phone, "Start")
    press(phone, "I have written it down")
    reads(phone, "How is it safe for us to reach you?")
    ari = Client.objects.get(invitations__state="in_progress")
    sitting = ari.intakes.get()
    answer(
        sitting,
        "phq-9--9",
        names={"used": "Ari Stone", "legal": "Ariel Stone"},
        **{f"phq_9__{n}": 2 for n in range(1, 9)},
    )
    phone.goto("/my/")
    reads(phone, "Welcome back")
    press(phone, "Go on")
    on(phone, "/my/q/phq-9--9/")
    say(phone, "Several days")
    on(phone, "/my/support/")
    follow(phone, "Go on")
    for label in ("Yes", "Yes", "Yes", "No", "No", "No"):
        say(phone, label)
        phone.wait_for_load_state()
    on(phone, "/my/support/")
    follow(phone, "I am OK to keep going")
    answer(sitting)
    phone.goto("/my/check/")
    press(phone, "Send my answers to Maya")
    reads(phone, "Maya has your answers")
    jobs.run_due()
    urgent = [message for message in mail.outbox if message.to == [maya.email]]
    assert urgent and "Ari" not in str(urgent[0].body) + urgent[0].subject
    link = re.search(rf"{re.escape(up)}(/alerts/open/\S+)", str(urgent[0].body))
    assert link

    desk.goto("/caseload/")
    row = desk.get_by_role("row").filter(has_text="Ari Stone")
    expect(row).to_contain_text("C-SSRS moderate, item 9 positive.")
    desk.goto(link[1])
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Ari Stone")
    look(desk, "story-03-flag")
    desk.get_by_role("main").get_by_role("button", name="Acknowledge").click()
    expect(desk.get_by_text(re.compile(r"^You picked this up at"))).to_be_visible()

    close = desk.get_by_role("region", name="Close this flag")
    choose(desk, "Safety plan made or reviewed", of="Action")
    close.get_by_label("Why this flag can be closed").fill("Safe plan in place.")
    close.get_by_role("button", name="Close the flag").click()
    expect(desk.locator(".err-summary")).to_contain_text(
        "Record a contact with a level, a plan and the next check first."
    )
    look(desk, "story-04-close-too-soon")

    contact = desk.get_by_role("region", name="Record safety contact")
    contact.get_by_role("button", name="Save the contact").click()
    expect(desk.locator(".err-summary")).to_contain_text("Choose whether you reached them.")
    look(desk, "story-05-contact-errors")
    choose(desk, "Spoke with the client", of="Did you reach them?")
    choose(desk, "Moderate", of="Level, by your own assessment")
    contact.get_by_label("What you did").fill("Called; went through the steps of the plan.")
    contact.get_by_label("Plan", exact=True).fill("Sister stays tonight. Call tomorrow.")
    soon = (timezone.now() + timedelta(days=1)).astimezone(ZoneInfo("America/New_York")).strftime(MOMENT)
    contact.get_by_label("Next check").fill(soon)
    contact.get_by_role("button", name="Save the contact").click()
    expect(desk.get_by_text("Contact recorded.")).to_be_visible()
    expect(desk.get_by_role("region", name="Open safety flag")).to_contain_text(re.compile(r"Contact made .* by you\."))
    look(desk, "story-06-contact")

    choose(desk, "Safety plan made or reviewed", of="Action")
    desk.get_by_label("Why this flag can be closed").fill("Plan made together, sister is there, call tomorrow.")
    press(desk, "Close the flag")
    expect(desk.get_by_text("Flag closed. The next check stays on the caseload")).to_be_visible()
    look(desk, "story-07-closed")
    alert = Alert.objects.get(client=ari)
    assert (alert.closed_by, alert.action, alert.is_open) == (maya, "safety_plan", False)

    desk.goto(ari.get_absolute_url())
    expect(desk.get_by_role("region", name="Open safety flag")).to_have_count(0)
    card = desk.get_by_role("region", name="Consider an infusion clinic referral")
    expect(card).to_contain_text("You decide.")
    look(desk, "story-08-chart")
    card.get_by_role("link", name=re.compile("^Review")).click()
    look(desk, "story-09-card")
    press(desk, "Mark as reviewed")
    expect(desk.locator(".err-summary")).to_contain_text("Write a line of reasoning.")
    desk.get_by_label("Your line of reasoning").fill("Talked it over; first the safety plan, then again in two weeks.")
    press(desk, "Mark as reviewed")
    expect(desk.get_by_text("Talked it over; first the safety plan, then again in two weeks.")).to_be_visible()
    look(desk, "story-10-reviewed")
    suggestion = ari.suggestions.get()
    assert (suggestion.reviewed_by, suggestion.state) == (maya, "reviewed")
    desk.goto("/caseload/")
    row = desk.get_by_role("row").filter(has_text="Ari Stone")
    expect(row).to_contain_text("Flag closed; the agreed check is not recorded yet.")
    desk.goto("/caseload/?show=intakes")
    expect(desk.get_by_role("row").filter(has_text="Ari Stone")).to_have_count(1)
