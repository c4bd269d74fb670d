"""An admin raises a threshold, sees what it would have done, and cancels; then saves (journey 3 step 5)."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from intake.models import Intake
from intake.signals import assessment_submitted
from practice.access import Role
from practice.models import Practice, RoleGrant, User
from tests import factories
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import follow, press
from tests.sittings import assessed, phq9_of, sitting

pytestmark = pytest.mark.story


def test_threshold_is_tried_on_the_past_before_it_counts(staff_window: Window, both: Look, maya: User) -> None:
    for n, total in enumerate([16] * 7 + [20] * 6):
        client = factories.client(maya, f"Client Number{n}", email=f"c{n}@example.net")
        row = sitting(client, timezone.now() - timedelta(days=5))
        assessed(row, "phq-9", phq9_of(total))
        assessment_submitted.send(sender=Intake, intake=row, at=row.submitted_at)
    RoleGrant.objects.create(user=maya, role=Role.ADMIN)
    desk = staff_window(maya)
    desk.goto("/practice/")
    follow(desk, "Rules")
    both(desk, "rules-01-list")
    follow(desk, "Try other numbers IN-01")
    desk.get_by_label("PHQ-9 total is … or more").fill("99")
    press(desk, "Try it on the past")
    expect(desk.get_by_role("alert")).to_contain_text("Write a number from 0 to 27.")
    both(desk, "rules-02-refused")
    desk.get_by_label("PHQ-9 total is … or more").fill("17")
    press(desk, "Try it on the past")
    expect(desk.get_by_text("13 → 6")).to_be_visible()
    both(desk, "rules-03-preview")
    follow(desk, "Leave as it is")
    assert Practice.get().rule_overrides == {}
    follow(desk, "Try other numbers IN-01")
    desk.get_by_label("PHQ-9 total is … or more").fill("17")
    press(desk, "Try it on the past")
    press(desk, "Save these numbers")
    expect(desk.get_by_role("alert")).to_contain_text("Write why the number changes.")
    desk.get_by_label("Why the number changes").fill("Too many cards in mild weeks.")
    press(desk, "Save these numbers")
    expect(desk.get_by_role("heading", name="Version 1: IN-01")).to_be_visible()
    assert Practice.get().rule_overrides == {"IN-01": {"phq9_total >=": 17}}
    both(desk, "rules-04-saved")
    press(desk, "Back to the table's numbers IN-01")
    expect(desk.get_by_text("6 → 13")).to_be_visible()
    assert Practice.get().rule_overrides == {"IN-01": {"phq9_total >=": 17}}
