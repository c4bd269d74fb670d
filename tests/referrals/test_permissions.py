"""The pages of releases: for staff, for the client, and the report of everything that left."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from practice.models import AuditEvent, Client, Notice, Practice, Task, User
from referrals.actions import releases as actions
from referrals.disclosure import may_read
from referrals.models import Disclosure, Referral, Release, Section
from tests import factories
from tests.conftest import send as press
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import text_of
from tests.referrals.test_disclosure import SOME, TODAY, WHY, clinic, packet, release, send
from tests.referrals.test_releases import asked

pytestmark = pytest.mark.usefixtures("house")
HOSTILE = '<script>alert(1)</script> "{{ 7*7 }}" \u202eevil \U0001f600'
As = Callable[[User], Browser]
MINE = "/my/permissions/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def page_of(browser: Browser, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return text_of(answer)


def new_url(client: Client) -> str:
    return reverse("release_new", args=[client.pk])


def url(name: str, row: Release) -> str:
    return reverse(name, args=[row.client_id, row.pk])


def filled(to: Any, **fields: Any) -> dict[str, Any]:
    given = {
        "destination": str(to.pk),
        "sections": list(SOME),
        "purpose": WHY,
        "expires_on": (TODAY + timedelta(days=90)).isoformat(),
        "how": "send",
    }
    return given | fields


# --- Staff: asking ---------------------------------------------------------------------------------------------------


def test_form_proposes_half_a_year_and_ticks_nothing(as_user: As, maya: User, sam: Client) -> None:
    clinic()
    html = as_user(maya).get(new_url(sam)).content.decode()
    assert 'value="2027-05-19"' in html
    boxes = re.findall(r'<input[^>]*name="sections"[^>]*>', html)
    assert (len(boxes), [box for box in boxes if "checked" in box]) == (len(Section), [])
    assert "Ask for the consent of 42 CFR 2.31" not in html


def test_asking_sends_it_to_the_client(as_user: As, maya: User, sam: Client) -> None:
    """Feature B5."""
    here = clinic()
    answer = press(as_user(maya), new_url(sam), filled(here))
    assert (answer.status_code, answer["Location"]) == (302, reverse("releases", args=[sam.pk]))
    row = Release.objects.get()
    assert (row.client, row.destination, row.sections, row.purpose, row.asked_by) == (
        sam, here, ["identity", "safety", "substances"], WHY, maya,
    )  # fmt: skip
    assert {notice.template for notice in Notice.objects.all()} == {"agreement"}


def test_asking_twice_by_one_form_is_once(as_user: As, maya: User, sam: Client) -> None:
    here, browser = clinic(), as_user(maya)
    for _ in range(2):
        press(browser, new_url(sam), filled(here), key="k" * 24)
    assert Release.objects.count() == 1


def test_nothing_is_asked_when_it_could_not_be_sent(as_user: As, maya: User) -> None:
    mute = factories.client(maya, "Ada Quill", reach={"email": False, "sms": False})
    answer = press(as_user(maya), new_url(mute), filled(clinic()))
    assert (answer.status_code, Release.objects.count()) == (400, 0)
    assert "There is no safe way to send this" in text_of(answer)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"destination": ""}, "Choose who gets it."),
        ({"destination": "x' OR 1=1 --"}, "This clinic is not in use. Choose another one."),
        ({"sections": []}, "Tick at least one part of the record."),
        ({"sections": ["psychotherapy_notes"]}, "Select a valid choice."),
        ({"purpose": " "}, "Write what they get it for."),
        ({"purpose": "x" * 401}, "400 letters at most"),
        ({"expires_on": "soon"}, "Give a day, such as 2026-11-20."),
        ({"expires_on": "2020-01-01"}, "Choose a last day between today and"),
        ({"how": ""}, "Choose how it is signed."),
    ],
)
def test_form_says_what_is_missing_and_keeps_the_rest(
    fields: dict[str, Any], sentence: str, as_user: As, maya: User, sam: Client
) -> None:
    answer = press(as_user(maya), new_url(sam), filled(clinic(), **fields))
    assert (answer.status_code, Release.objects.count()) == (400, 0)
    assert sentence in text_of(answer)
    assert "purpose" in fields or WHY in answer.content.decode()


def test_programme_asks_for_the_part2_consent_with_substances(as_user: As, maya: User, sam: Client) -> None:
    """Security check 51."""
    factories.practice(is_part2=True)
    here, browser = clinic(), as_user(maya)
    answer = press(browser, new_url(sam), filled(here))
    assert answer.status_code == 400
    assert "Alcohol and drug records leave here only with this consent." in text_of(answer)
    press(browser, new_url(sam), filled(here, part2="on"))
    assert Release.objects.get().part2 is True


def test_asking_again_begins_with_what_was_asked_before(as_user: As, maya: User, sam: Client, kit: Client) -> None:
    before = release(sam, clinic(), expires_on=TODAY - timedelta(days=1))
    html = as_user(maya).get(f"{new_url(sam)}?again={before.pk}").content.decode()
    assert html.count("checked") == len(SOME) + 1  # and how it is signed
    others = release(kit, clinic("Lakeside"), ["pain"])
    assert as_user(maya).get(f"{new_url(sam)}?again={others.pk}").status_code == 404
    assert as_user(maya).get(f"{new_url(sam)}?destination=x").status_code == 200


# --- Staff: one release ----------------------------------------------------------------------------------------------


def test_list_says_how_each_stands(as_user: As, maya: User, fay: User, sam: Client) -> None:
    release(sam, clinic("Good"))
    release(sam, clinic("Soon"), expires_on=TODAY + timedelta(days=14))
    release(sam, clinic("Asked"), signed_at=None, method="")
    release(sam, clinic("Over"), expires_on=TODAY - timedelta(days=1))
    actions.revoke(by=sam, release=release(sam, clinic("Back")), at=NOW)
    for person in (maya, fay):
        html = as_user(person).get(reverse("releases", args=[sam.pk])).content.decode()
        heads = re.findall(r'<h2 id="r-[^>]*>(\w+)</h2>\s*<span class="chip[^>]*>.*?</svg>([^<]*)', html, re.DOTALL)
        assert dict(heads) == {
            "Good": "Good until May 18, 2027",
            "Soon": "Ends soon, on Dec 3, 2026",
            "Asked": "Asked for, not signed",
            "Over": "Ended on Nov 18, 2026",
            "Back": "Taken back",
        }


def test_signing_here_makes_the_member_of_staff_the_witness(as_user: As, maya: User, sam: Client) -> None:
    browser = as_user(maya)
    answer = press(browser, new_url(sam), filled(clinic(), how="here"))
    row = Release.objects.get()
    assert answer["Location"] == url("release_sign", row) + "?how=here"
    assert "Psychotherapy" not in page_of(browser, answer["Location"])
    assert WHY in page_of(browser, answer["Location"])
    press(browser, url("release_sign", row), {"typed_name": "Sam W", "relation": "self", "method": "staff"})
    row.refresh_from_db()
    assert (row.typed_name, row.method, row.witness) == ("Sam W", "staff", maya)
    assert Notice.objects.count() == 0


def test_signing_goes_back_to_the_referral_that_waits_for_it(as_user: As, maya: User, fay: User, sam: Client) -> None:
    """Features B5, G1: from the sentence that names what is missing, through the signature, back to the draft."""
    here = clinic()
    draft = Referral.objects.create(
        client=sam, number=1, path="infusion_clinic", destination=here, state_at=NOW, created_at=NOW, created_by=maya
    )
    html = as_user(maya).get(f"{new_url(sam)}?destination={here.pk}").content.decode()
    assert f'<option value="{here.pk}" selected>' in html
    data = {"typed_name": "Sam W", "relation": "self", "method": "staff"}
    answer = press(as_user(maya), url("release_sign", asked(maya, sam, here)), data)
    assert answer["Location"] == reverse("referral_edit", args=[draft.pk])
    answer = press(as_user(fay), url("release_sign", asked(fay, sam, here)), data)
    assert answer["Location"] == reverse("releases", args=[sam.pk])  # she may not send


def test_second_signature_is_told_that_the_first_stands(as_user: As, maya: User, fay: User, sam: Client) -> None:
    """Two tabs: both had the page open."""
    row = asked(maya, sam, clinic())
    data = {"typed_name": "Sam W", "relation": "self", "method": "staff"}
    press(as_user(maya), url("release_sign", row), data)
    browser = as_user(fay)
    press(browser, url("release_sign", row), data | {"typed_name": "Fay Moss"})
    assert "The first signature stands." in page_of(browser, reverse("releases", args=[sam.pk]))
    assert Release.objects.get().typed_name == "Sam W"
    answer = browser.get(url("release_sign", row), follow=True)
    assert "This release is signed already." in text_of(answer)


def test_signature_without_a_name_is_asked_for(as_user: As, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    answer = press(as_user(maya), url("release_sign", row), {"relation": "self", "method": "paper"})
    assert (answer.status_code, "Type the full name to sign." in text_of(answer)) == (400, True)


def test_taking_back_for_the_client_needs_their_words(as_user: As, maya: User, sam: Client) -> None:
    row, browser = release(sam, clinic()), as_user(maya)
    assert press(browser, url("release_revoke", row), {"words": " "}).status_code == 400
    assert Release.objects.get().revoked_at is None
    press(browser, url("release_revoke", row), {"words": "Called at 3 pm"})
    said = page_of(browser, reverse("releases", args=[sam.pk]))
    assert "by you: Called at 3 pm" in said
    assert "Northlake cannot open it any more." in said


def test_item_is_put_away_by_a_button(as_user: As, maya: User, sam: Client) -> None:
    row, browser = release(sam, clinic()), as_user(maya)
    actions.revoke(by=sam, release=row, at=NOW)
    assert "Nothing more to do" in page_of(browser, reverse("releases", args=[sam.pk]))
    assert browser.get(url("release_seen", row)).status_code == 400
    press(browser, url("release_seen", row))
    assert Task.objects.get(kind="release").done_by == maya
    assert "Nothing more to do" not in page_of(browser, reverse("releases", args=[sam.pk]))


def test_copy_is_a_file_whose_name_says_nothing(as_user: As, maya: User, sam: Client) -> None:
    answer = as_user(maya).get(url("release_copy", release(sam, clinic())))
    assert answer.content.startswith(b"%PDF")
    assert answer["Content-Disposition"] == 'attachment; filename="permission-to-share.pdf"'
    assert AuditEvent.objects.filter(action="read.release", client_id=sam.pk, actor_id=maya.pk).count() == 1


def test_message_to_staff_leads_to_the_page(as_user: As, maya: User, omar: User, sam: Client) -> None:
    row = release(sam, clinic())
    address = reverse("release_open", args=[row.pk])
    assert str(sam.pk) not in address
    assert as_user(maya).get(address)["Location"] == reverse("releases", args=[sam.pk])
    assert as_user(omar).get(address).status_code == 404


OF_CLIENT = ("releases", "release_new")
OF_RELEASE = ("release_sign", "release_tell", "release_revoke", "release_seen", "release_copy")


@pytest.mark.parametrize("name", [*OF_CLIENT, *OF_RELEASE])
def test_colleague_without_the_client_gets_404(
    name: str, as_user: As, omar: User, pax: User, kit: Client, sam: Client
) -> None:
    """Law 3; and a release of one client does not open under another one's address."""
    row = release(sam, clinic())
    args = [sam.pk] if name in OF_CLIENT else [sam.pk, row.pk]
    here = reverse(name, args=args)
    browser = as_user(omar)
    assert [
        browser.get(reverse(name, args=args)).status_code,
        press(browser, reverse(name, args=args)).status_code,
    ] == [
        404,
        404,
    ]
    assert as_user(pax).get(here).status_code == 403  # her client, but not hers to ask
    if len(args) == 2:
        assert press(browser, reverse(name, args=[kit.pk, row.pk]), {"words": "x"}).status_code == 404
    assert Release.objects.get().revoked_at is None


def test_what_people_typed_is_shown_as_text(as_user: As, maya: User, sam: Client) -> None:
    browser = as_user(maya)
    press(browser, new_url(sam), filled(clinic("<b>Lake</b>"), purpose=HOSTILE, how="paper"))
    row = Release.objects.get()
    press(browser, url("release_sign", row), {"typed_name": "<i>Sam</i>", "relation": "self", "method": "paper"})
    press(browser, url("release_revoke", row), {"words": HOSTILE})
    phone = at_home(sam)
    pages = [
        browser.get(reverse("releases", args=[sam.pk])),
        phone.get(MINE),
        phone.get(reverse("my_release", args=[row.pk])),
    ]
    found = [raw for page in pages for raw in ("<script>alert", "<b>Lake", "<i>Sam") if raw in page.content.decode()]
    assert found == []
    assert "{{ 7*7 }}" in pages[0].content.decode()
    assert phone.get(reverse("my_release_copy", args=[row.pk])).content.startswith(b"%PDF")


# --- The client ------------------------------------------------------------------------------------------------------


def signing(name: str = "Sam Whitehorse") -> dict[str, str]:
    return {"typed_name": name, "relation": "self"}


def test_waiting_release_is_the_next_thing_on_their_page(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    phone = at_home(sam)
    html = phone.get("/my/home/").content.decode()
    assert "One thing for you" in html
    assert reverse("my_release", args=[row.pk]) in html
    assert "What you share" not in html
    press(phone, reverse("my_release", args=[row.pk]), signing())
    assert "You share with 1 place." in page_of(phone, "/my/home/")


def test_sharing_can_be_stopped_from_their_page_while_something_else_waits(maya: User, sam: Client) -> None:
    release(sam, clinic("Lakeside"))
    asked(maya, sam, clinic())
    html = at_home(sam).get("/my/home/").content.decode()
    assert ("Something to read and sign" in html, "You share with 1 place." in html) == (True, True)
    assert f'href="{MINE}"' in html


def test_client_reads_in_plain_parts_and_signs(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    phone = at_home(sam)
    said = page_of(phone, reverse("my_release", args=[row.pk]))
    for words in ("Northlake", "Alcohol and drugs", WHY, "May 18, 2027", "They keep what they have read"):
        assert words in said, words
    assert "Where it hurts" not in said
    answer = press(phone, reverse("my_release", args=[row.pk]), signing())
    assert (answer.status_code, answer["Location"]) == (303, MINE)
    row.refresh_from_db()
    assert (row.typed_name, row.method, row.signed_at) == ("Sam Whitehorse", "phone", NOW)
    assert "You can stop it here at any time." in page_of(phone, MINE)


def test_signing_needs_a_name_and_keeps_what_was_chosen(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    answer = press(at_home(sam), reverse("my_release", args=[row.pk]), {"typed_name": " ", "relation": "guardian"})
    assert answer.status_code == 400
    assert "Type your full name to sign." in text_of(answer)
    assert re.search(r'value="guardian"[^>]*checked', answer.content.decode())
    assert Release.objects.get().signed_at is None


def test_signing_in_two_tabs_is_once(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    phone = at_home(sam)
    for name in ("Sam Whitehorse", "Somebody Else"):
        assert press(phone, reverse("my_release", args=[row.pk]), signing(name)).status_code == 303
    assert Release.objects.get().typed_name == "Sam Whitehorse"
    assert AuditEvent.objects.filter(action="release.signed").count() == 1


def test_taken_back_by_staff_while_they_sign_is_said_in_a_sentence(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    phone = at_home(sam)
    actions.revoke(by=maya, release=row, words="Wrong clinic", at=NOW)
    answer = press(phone, reverse("my_release", args=[row.pk]), signing())
    assert answer.status_code == 400
    assert "This permission was taken back. Nothing was signed." in text_of(answer)
    assert Release.objects.get().signed_at is None


def test_client_may_say_no(maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    phone = at_home(sam)
    press(phone, reverse("my_release", args=[row.pk]), {"stop": "1"})
    assert "You said no. Nothing goes to Northlake." in page_of(phone, MINE)
    assert Task.objects.get(kind="release").facts == {"reason": "declined"}


def test_sharing_stops_in_two_presses_and_the_next_view_is_refused(maya: User, sam: Client) -> None:
    """UX check 19, security check 51, feature B6."""
    here = clinic()
    mine = release(sam, here)
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made)
    assert may_read(made, NOW).code == "ok"
    phone = at_home(sam)
    html = phone.get(MINE).content.decode()
    (first,) = re.findall(r'<a class="btn btn-2" href="([^"]*)">Stop sharing with Northlake</a>', html)
    html = phone.get(first).content.decode()
    assert "They keep what they already have." in html
    (second,) = re.findall(r'<button[^>]*name="(stop)"[^>]*>Stop sharing with Northlake</button>', html)
    answer = press(phone, first, {second: "1"})
    assert may_read(made, NOW).code == "revoked"
    assert answer["Location"] == MINE
    said = page_of(phone, MINE)
    assert "You stopped sharing with Northlake. They cannot open it any more." in said
    assert Release.objects.get(pk=mine.pk).revoked_by is None
    assert [task.facts for task in Task.objects.filter(kind="release")] == [{"reason": "taken_back"}]


def test_nothing_shared_is_said(maya: User, sam: Client) -> None:
    phone = at_home(sam)
    assert "You have not shared anything." in page_of(phone, MINE)
    assert "Nothing was sent about you yet." in page_of(phone, "/my/shared/")


def test_client_reads_what_was_sent_about_them(maya: User, sam: Client) -> None:
    here = clinic()
    release(sam, here)
    send(maya, sam, here)
    send(maya, sam, here, sections=["pain"], channel="phone", emergency_reason="Secret words of staff")
    said = page_of(at_home(sam), "/my/shared/")
    assert said.count("Northlake") == 2
    for words in (
        "Alcohol and drugs",
        "Pain",
        f"What for: {WHY}",
        "Thu Nov 19, 10:00 am",
        "We told them on the phone.",
    ):
        assert words in said, words
    assert said.count("It could not wait for your permission.") == 1
    assert "Secret words" not in said


def test_one_client_never_sees_another(maya: User, omar: User, sam: Client, kit: Client) -> None:
    theirs = release(kit, clinic("Lakeside"))
    waiting = asked(omar, kit, clinic("Hillside"))
    send(omar, kit, theirs.destination)
    phone = at_home(sam)
    for row in (theirs, waiting):
        here = reverse("my_release", args=[row.pk])
        assert [phone.get(here).status_code, press(phone, here, signing()).status_code] == [404, 404]
        assert press(phone, here, {"stop": "1"}).status_code == 404
        assert phone.get(reverse("my_release_copy", args=[row.pk])).status_code == 404
    shown = [page_of(phone, address) for address in (MINE, "/my/shared/", "/my/home/")]
    assert [words for words in shown for name in ("Lakeside", "Hillside", "Kit") if name in words] == []
    assert Release.objects.filter(signed_at=None).get().revoked_at is None
    assert Release.objects.filter(revoked_at__isnull=False).count() == 0
    assert phone.get(reverse("my_release", args=[uuid4()])).status_code == 404


def test_pages_of_the_client_are_shut_without_the_check(maya: User, sam: Client) -> None:
    row = release(sam, clinic())
    addresses = [MINE, "/my/shared/", reverse("my_release", args=[row.pk]), reverse("my_release_copy", args=[row.pk])]
    assert [Browser().get(address)["Location"] for address in addresses] == ["/my/locked/"] * 4
    assert press(Browser(), addresses[2], {"stop": "1"})["Location"] == "/my/locked/?lost=1"
    assert Release.objects.get().revoked_at is None


# --- The report ------------------------------------------------------------------------------------------------------


@pytest.fixture
def left(maya: User, omar: User, sam: Client, kit: Client) -> list[Disclosure]:
    """Four things that left, one of them in an emergency, one more than six years ago."""
    here, there = clinic(), clinic("Lakeside")
    release(sam, here, expires_on=TODAY + timedelta(days=400))
    release(kit, there, expires_on=TODAY + timedelta(days=400))
    return [
        send(maya, sam, here, at=NOW - timedelta(days=3)),
        send(omar, kit, there, at=NOW - timedelta(days=1)),
        send(maya, sam, here, at=NOW - timedelta(days=30), channel="phone", emergency_reason="Unconscious on arrival"),
        send(maya, sam, here, at=NOW - timedelta(days=366 * 6)),
    ]


REPORT = "/practice/disclosures/"


def listed(browser: Browser, query: str = "") -> list[tuple[str, str]]:
    """The rows of the report: client's number and recipient."""
    html = browser.get(REPORT + query).content.decode()
    rows = re.findall(r'<tr role="row" class="r">(.*?)</tr>', html, re.DOTALL)
    return [(re.findall(r"CH-\d+", row)[0], re.findall(r"Northlake|Lakeside", row)[0]) for row in rows]


def test_report_lists_six_years_with_emergencies_first(
    as_user: As, rosa: User, sam: Client, kit: Client, left: list[Disclosure]
) -> None:
    """Security check 50, feature B7."""
    browser = as_user(rosa)
    assert listed(browser) == [(sam.code, "Northlake"), (kit.code, "Lakeside"), (sam.code, "Northlake")]
    said = page_of(browser, REPORT)
    assert said.index("Emergency, without a release") < said.index("Lakeside", said.index("What and why"))
    for words in ("1 time without a release", "Why it could not wait: Unconscious on arrival", "Maya Torres", WHY):
        assert words in said, words
    assert AuditEvent.objects.filter(action="read.disclosures", actor_id=rosa.pk).count() == 2


def test_report_can_be_narrowed(as_user: As, rosa: User, sam: Client, kit: Client, left: list[Disclosure]) -> None:
    browser = as_user(rosa)
    here, there = (sam.code, "Northlake"), (kit.code, "Lakeside")
    assert listed(browser, f"?client={kit.code}") == [there]
    assert listed(browser, f"?destination={left[1].destination_id}") == [there]
    assert listed(browser, "?emergency=on") == [here]
    assert listed(browser, "?start=2026-11-16&end=2026-11-16") == [here]
    assert listed(browser, "?start=2020-01-01") == [here, there, here, here]
    assert browser.get(REPORT + "?client=CH-9999").status_code == 400
    assert browser.get(REPORT + "?start=%00&destination=x").status_code == 400


def test_report_goes_on_by_place(
    as_user: As, rosa: User, maya: User, sam: Client, left: list[Disclosure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("referrals.views.disclosures.PER_PAGE", 2)
    browser = as_user(rosa)
    html = browser.get(REPORT).content.decode()
    (after,) = re.findall(r'rel="next" href="\?after=([^"]*)"', html)
    assert len(listed(browser)) == 2
    assert listed(browser, f"?after={after}") == [(sam.code, "Northlake")]
    assert len(listed(browser, "?after=nonsense")) == 2


def test_report_is_for_those_who_read_the_audit_trail(
    as_user: As, maya: User, fay: User, left: list[Disclosure]
) -> None:
    assert [as_user(person).get(REPORT).status_code for person in (maya, fay)] == [403, 403]


def test_report_asks_no_more_with_more_rows(
    as_user: As,
    rosa: User,
    maya: User,
    sam: Client,
    left: list[Disclosure],
    django_assert_max_num_queries: Any,
) -> None:
    for days in range(20):
        send(maya, sam, left[0].destination, at=NOW - timedelta(days=days))  # type: ignore[arg-type]
    browser = as_user(rosa)
    browser.get(REPORT)
    with django_assert_max_num_queries(22):
        browser.get(REPORT)


def test_chart_says_what_is_on_file(as_user: As, maya: User, sam: Client) -> None:
    release(sam, clinic())
    release(sam, clinic("Over"), expires_on=TODAY - timedelta(days=1))
    html = as_user(maya).get(sam.get_absolute_url()).content.decode()
    panel = html[html.index('aria-labelledby="rel-h"') :].partition("</section>")[0]
    assert ("Good until May 18, 2027" in panel, "Over" in panel) == (True, False)
    assert reverse("releases", args=[sam.pk]) in panel


def test_practice_page_leads_to_the_report(as_user: As, rosa: User, house: Practice) -> None:
    assert f'href="{REPORT}"' in as_user(rosa).get("/practice/").content.decode()
