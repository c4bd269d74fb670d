"""The practice's settings: the checklist, the form, two admins at once, and the card that survives a dead database."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client as Browser

from practice import actions, coverage
from practice.models import AuditEvent, ClinicalSignature, CoverageShift, Practice, Site, User
from practice.signing import versions
from practice.views.opening import checklist, following, gap_words
from practice.views.settings import PracticeForm
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
EDIT = "/practice/edit/"


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def form(practice: Practice, **changed: Any) -> dict[str, Any]:
    given = PracticeForm.initial_of(practice) | changed
    return {name: value for name, value in given.items() if value is not False}


def test_new_practice_is_told_all_that_is_missing(as_user: As, rosa: User) -> None:
    Practice.objects.update(name="", phone="", hours_text="", answer_calls_nobody=False)
    page = words(as_user(rosa).get("/practice/"))
    assert "6 things are missing before you can open." in page
    for said in (
        "The practice has no name.",
        "Clients have no number to call.",
        "Clients are not told when you are there.",
        "Not confirmed that an answer calls nobody.",
        "Nobody is on call, at no time of the week.",
        "Nobody is a therapist yet. Nobody is a supervisor yet.",
        "No drill was picked up yet.",
        "The clinical rules and texts are not signed. A supervisor signs them.",
    ):
        assert said in page
    assert "Next: Name, phone and hours" in page
    assert page.count("Not set") == 5


def test_practice_that_has_everything_is_ready(
    as_user: As, rosa: User, maya: User, sol: User, on_call: User, house: Practice
) -> None:
    drill = actions.run_drill(by=rosa, at=NOW)
    for part, version in versions().items():
        ClinicalSignature.objects.create(part=part, version=version, by=sol, at=NOW, words="Read.")
    assert [step.label for step in checklist(house, rosa) if not step.done] == ["Drill"]
    actions.acknowledge(by=on_call, alert=drill, at=NOW)
    assert [step.label for step in checklist(house, rosa) if not step.done] == []
    page = words(as_user(rosa).get("/practice/"))
    assert "Ready to open. Invite your first client" in page
    assert "Next:" not in page
    assert "not yet signed by your clinical lead" not in page


def test_settings_are_saved_with_what_changed(
    as_user: As, post: Post, rosa: User, house: Practice, django_capture_on_commit_callbacks: Any
) -> None:
    changed = form(house, phone="555 0199", zone="America/Denver", screen_everyone="on", ladder_urgent="0, 10, 20, 40")
    with django_capture_on_commit_callbacks(execute=True):
        assert post(as_user(rosa), EDIT, changed)["Location"] == "/practice/"
    now = Practice.get()
    assert (now.phone, now.zone, now.screen_everyone, now.version) == ("555 0199", "America/Denver", True, 2)
    assert now.ladder == {"urgent": [0, 10, 20, 40]}
    assert AuditEvent.objects.get(action="practice.edited").facts == {
        "fields": ["phone", "zone", "screen_everyone", "ladder"]
    }
    card = json.loads((settings.DATA_DIR / "practice-card.json").read_text())
    assert card == {
        "name": "Cedar House",
        "phone": "555 0199",
        "hours": "weekdays 8 am to 5 pm",
        "hours_es": "de lunes a viernes, de 8 am a 5 pm",
    }
    assert "555 0199" in words(Browser().get("/help-now/"))


def test_help_page_is_told_nothing_that_was_not_saved(rosa: User, house: Practice, as_user: As, post: Post) -> None:
    card = settings.DATA_DIR / "practice-card.json"
    card.unlink(missing_ok=True)
    with transaction.atomic():
        post(as_user(rosa), EDIT, form(house, phone="555 0333"))
        transaction.set_rollback(True)
    assert not card.exists()


def test_two_admins_at_once_lose_nothing(as_user: As, post: Post, rosa: User, house: Practice) -> None:
    first, second = form(house, phone="555 0111"), form(house, phone="555 0222", hours_text="Mondays")
    assert post(as_user(rosa), EDIT, first).status_code == 302
    conflict = post(as_user(rosa), EDIT, second)
    assert conflict.status_code == 409
    for both in ("555 0111", "555 0222", "Mondays", "weekdays 8 am to 5 pm"):
        assert both in words(conflict)
    assert Practice.get().phone == "555 0111"
    assert post(as_user(rosa), EDIT, second | {"version": 2}).status_code == 302
    assert (Practice.get().phone, Practice.get().hours_text) == ("555 0222", "Mondays")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("discreet_name", "x" * 41, "Name that clients see: write 40 letters at most; these are 41."),
        ("name", "", "Write the name of the practice."),
        ("phone", "soon", "Write the phone number in digits"),
        ("zone", "Mars/Olympus", "valid choice"),
        ("zone", "../../etc/passwd", "valid choice"),
        ("opens_at", "25:00", "The workday starts: write a time from 00:00 to 23:59, such as 08:30."),
        ("opens_at", "8 o'clock", "The workday starts: write a time from 00:00 to 23:59, such as 08:30."),
        ("reads_by", "", "Answers are read by, on the next workday: write a time from 00:00 to 23:59, such as 08:30."),
        ("messages_until", "", "Until when messages go out: write a time from 00:00 to 23:59, such as 20:00."),
        ("measure_link_days", "", "Days that the link of a check-in works: write a number in digits, such as 12."),
        ("record_years", "", "Years a record is kept after its last entry: write a number in digits, such as 12."),
        ("quiet_days", "ten", "Days without a word until a client is quiet: write a number in digits, such as 12."),
        ("closes_at", "07:00", "The workday ends after it starts."),
        ("ladder_urgent", "0, 10, 5, 40", "four rising numbers"),
        ("ladder_urgent", "5, 10, 20, 40", "four rising numbers"),
        ("ladder_urgent", "0, 10, 20", "four rising numbers"),
        ("ladder_urgent", "0, ten, 20, 40", "whole minutes"),
        ("ladder_urgent", "0, 1" + "0" * 30, "whole minutes"),
        ("ladder_urgent", "0, ٣, 20, 40", "whole minutes"),
        ("name", "x" * 9000, "Name of the practice: write 80 letters at most; these are 9000."),
        ("quiet_days", "366", "Days without a word until a client is quiet: 365 at most."),
        ("quiet_days", "0", "Days without a word until a client is quiet: 1 or more."),
        ("version", str(2**70), ""),
    ],
)
def test_bad_settings_are_said_and_nothing_is_saved(
    as_user: As, post: Post, rosa: User, house: Practice, field: str, value: str, said: str
) -> None:
    response = post(as_user(rosa), EDIT, form(house, clinical_lead="Dr Kept", **{field: value}))
    assert response.status_code == 400
    assert said in words(response)
    assert "Dr Kept" in response.content.decode()
    assert Practice.get().version == 1


def test_only_admins_see_and_change_the_settings(
    as_user: As, post: Post, maya: User, sol: User, pax: User, fay: User, rosa: User, house: Practice
) -> None:
    got = {
        user.first_name: (
            as_user(user).get("/practice/").status_code,
            as_user(user).get(EDIT).status_code,
            post(as_user(user), EDIT, form(house, phone="555 0666")).status_code,
        )
        for user in (maya, sol, pax, fay)
    }
    assert got == dict.fromkeys(("Maya", "Sol", "Pax", "Fay"), (403, 403, 403))
    assert Practice.get().phone == "555 0110"
    assert as_user(rosa).get(EDIT).status_code == 200


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ([(d, "00:00", "12:00") for d in range(7)] + [(d, "12:00", "00:00") for d in range(7)], []),
        ([], ["Nobody is on call, at no time of the week."]),
        (
            [*[(d, "00:00", "12:00") for d in range(6)], *[(d, "12:00", "00:00") for d in range(5)],
             (5, "12:00", "18:00")],
            ["Nobody is on call Sat 6 pm to Mon midnight."],
        ),
        (
            [(0, "08:00", "00:00"), *[(d, "00:00", "12:00") for d in range(1, 7)],
             *[(d, "12:00", "00:00") for d in (1, 2, 3, 4, 6)], (5, "12:00", "18:00")],
            ["Nobody is on call Mon midnight to Mon 8 am.", "Nobody is on call Sat 6 pm to Sun midnight."],
        ),
        ([(d, "20:00", "08:00") for d in range(7)], [f"Nobody is on call {d} 8 am to {d} 8 pm." for d in
                                                     ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")]),
    ],
)  # fmt: skip
def test_gaps_are_named_in_words(omar: User, shifts: list[tuple[int, str, str]], said: list[str]) -> None:
    for weekday, starts, ends in shifts:
        CoverageShift.objects.create(user=omar, weekday=weekday, starts=starts, ends=ends)
    assert gap_words(coverage.gaps(coverage.shifts())) == said


def test_weekend_gap_that_goes_round_the_week_is_one_sentence(omar: User) -> None:
    for weekday in range(5):
        CoverageShift.objects.create(user=omar, weekday=weekday, starts="08:00", ends="20:00")
        if weekday < 4:
            CoverageShift.objects.create(user=omar, weekday=weekday, starts="20:00", ends="08:00")
    assert gap_words(coverage.gaps(coverage.shifts())) == ["Nobody is on call Fri 8 pm to Mon 8 am."]


def test_ex_staff_on_the_roster_leaves_a_gap(gone: User) -> None:
    factories.always_on_call(gone)
    assert gap_words(coverage.gaps(coverage.shifts())) == ["Nobody is on call, at no time of the week."]


def test_next_step_is_the_first_that_this_person_can_do(rosa: User, house: Practice, settings: Any) -> None:
    """Feature O7: what only the server's keeper or a supervisor can do does not stand in the admin's way."""
    settings.LOOPBACK, settings.EMAIL_BACKEND = False, "django.core.mail.backends.filebased.EmailBackend"
    left = [step for step in checklist(house, rosa) if not step.done]
    assert [step.label for step in left] == ["Mail", "People", "On call", "Drill", "Clinical lead's signature"]
    assert following(left) == left[1]
    assert following([left[0], left[-1]]) == left[0]
    assert following([]) is None


def test_every_step_says_why_and_what_is_missing_and_leads_to_a_page_that_opens(as_user: As, rosa: User) -> None:
    Practice.objects.update(name="", phone="", hours_text="", answer_calls_nobody=False)
    steps = checklist(Practice.get(), rosa)
    assert [step.label for step in steps if not (step.why and (step.done or step.missing))] == []
    assert [as_user(rosa).get(step.url).status_code for step in steps if step.url] == [200] * 6


def test_pages_of_the_steps_name_the_next_one_until_all_is_done(
    as_user: As, rosa: User, maya: User, sol: User, on_call: User, house: Practice
) -> None:
    page = words(as_user(rosa).get("/practice/people/"))
    assert "Setting up: 2 steps are left . Next: Drill" in page
    assert "This is the next one: Drill." in words(as_user(rosa).get("/practice/drill/"))
    drill = actions.run_drill(by=rosa, at=NOW)
    actions.acknowledge(by=on_call, alert=drill, at=NOW)
    assert "Next: Clinical lead&#x27;s signature. The clinical rules and texts are not signed." in words(
        as_user(rosa).get("/practice/people/")
    )
    for part, version in versions().items():
        ClinicalSignature.objects.create(part=part, version=version, by=sol, at=NOW, words="Read.")
    for path in ("people", "coverage", "drill", "sites"):
        assert "Setting up" not in words(as_user(rosa).get(f"/practice/{path}/"))
    assert "Setting up" not in words(as_user(sol).get("/practice/clinical/"))


def test_hours_are_proposed_and_not_saved_until_somebody_saves(as_user: As, rosa: User) -> None:
    Practice.objects.update(hours_text="")
    assert 'value="weekdays 8 am to 5 pm"' in as_user(rosa).get(EDIT).content.decode()
    assert Practice.get().hours_text == ""
    Practice.objects.update(hours_text="Mondays")
    assert 'value="Mondays"' in as_user(rosa).get(EDIT).content.decode()


@pytest.mark.parametrize(
    ("said", "spanish", "proposed"),
    [
        ("", "", "de lunes a viernes, de 8 am a 5 pm"),
        ("weekdays 8 am to 5 pm", "", "de lunes a viernes, de 8 am a 5 pm"),
        ("Mondays", "", None),  # what they are in Spanish is the practice's to say
        ("Mondays", "los lunes", "los lunes"),
    ],
)
def test_hours_in_spanish_are_proposed_where_they_are_the_workday(
    said: str, spanish: str, proposed: str | None, as_user: As, rosa: User, house: Practice
) -> None:
    Practice.objects.update(hours_text=said, hours_text_es=spanish)
    assert as_user(rosa).get(EDIT).context["form"]["hours_text_es"].value() == (proposed or "")
    shown = {row["label"]: row["value"] for row in as_user(rosa).get("/practice/").context["rows"]}
    assert shown["Hours, in Spanish"] == spanish


def test_only_site_follows_the_practice_to_another_time_zone(
    as_user: As, post: Post, rosa: User, house: Practice
) -> None:
    post(as_user(rosa), EDIT, form(house, zone="America/Denver"))
    assert [site.zone for site in Site.objects.all()] == ["America/Denver"]
    factories.site("South")
    post(as_user(rosa), EDIT, form(Practice.get(), zone="America/Chicago"))
    assert {site.name: site.zone for site in Site.objects.all()} == {
        "Cedar House North": "America/Denver",
        "South": "America/New_York",
    }


def test_address_fax_and_part_2_are_settings(as_user: As, post: Post, rosa: User, house: Practice) -> None:
    post(as_user(rosa), EDIT, form(house, address="1 Elm St", fax="202 555 0143", is_part2="on"))
    now = Practice.get()
    assert (now.address, now.fax, now.is_part2) == ("1 Elm St", "202 555 0143", True)
    assert post(as_user(rosa), EDIT, form(now, fax="by post")).status_code == 400


def test_first_admin_lands_where_the_practice_is_set_up(as_user: As, rosa: User, maya: User) -> None:
    assert as_user(rosa).get("/")["Location"] == "/caseload/"
    Practice.objects.update(name="")
    assert as_user(rosa).get("/")["Location"] == "/practice/"
    assert as_user(maya).get("/")["Location"] == "/caseload/"
    assert "See what is left" in words(as_user(rosa).get("/caseload/"))
    assert "See what is left" not in words(as_user(maya).get("/caseload/"))
