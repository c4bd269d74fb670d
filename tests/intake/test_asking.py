"""The public page of the ways of care and the form that asks to be contacted (Z6, Z7, A16, F6)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from intake import enquiries, options
from intake.models import Invitation
from practice import jobs
from practice.models import AuditEvent, Client, Enquiry, Notice, Practice, PublicPages, Site, User
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.intake.test_words import HARDEST, NEVER, grade, main_of

As = Callable[[User], Browser]
State = Enquiry.State
SAID = {
    "name": "Noor Vale",
    "phone": "202 555 0188",
    "email": "noor@example.net",
    "channels": ["voice", "email"],
    "note": "Not in the evening",
    "about": "I read about it and would like to talk.",
    "agree": "on",
}


@pytest.fixture(autouse=True)
def _practice(house: Practice) -> None:
    """A practice with its name, number and hours."""


def ask(browser: Browser | None = None, **said: Any) -> Any:
    return send(browser or Browser(), reverse("enquire"), SAID | said)


def asked(at: datetime = NOW, **said: Any) -> Enquiry:
    """An enquiry as the form leaves it."""
    kept = {
        "name": "Noor Vale", "phone": "202 555 0188", "email": "noor@example.net",
        "reach": {"email": True, "sms": False, "voice": True, "voicemail": False, "note": "Not in the evening"},
        "about": "To talk about it",
    }  # fmt: skip
    origin = said.pop("origin", "192.0.2.7")
    return enquiries.receive(by=None, said=kept | said, language="en", origin=origin, at=at)


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", main_of(html))


# --- The page of options ---------------------------------------------------------------------------------------------


def test_page_says_of_every_way_who_how_what_like_and_what_it_costs() -> None:
    pages = PublicPages(pk=1, cost_kap="240 dollars a session.")
    pages.save()
    page = Browser().get("/options/").content.decode()
    said = plain(page)
    found = options.load()
    assert [way.key for way in found.ways] == ["kap", "infusion", "home", "hospital"]
    every = [fact.text for fact in found.facts] + [fact.text for way in found.ways for fact in way.facts.values()]
    assert [text for text in every if text not in said] == []
    assert said.count("Who is in the room") == said.count("What it costs here") == len(found.ways)
    assert said.count("Ask us. We tell you before you decide.") == len(found.ways) - 1
    assert '<span lang="en">240 dollars a session.</span>' in page
    assert f'href="{reverse("enquire")}"' in page
    assert [line for line in ('href="tel:988"', 'href="tel:911"', "sms:988") if line not in page] == []


def test_title_of_a_public_page_tells_nothing() -> None:
    titles = {
        path: re.findall(r"<title>(.*?)</title>", Browser().get(path).content.decode())[0]
        for path in ("/options/", "/enquire/", "/enquire/sent/")
    }
    assert titles == {
        "/options/": "How care works here - Cedar House",
        "/enquire/": "Ask us to contact you - Cedar House",
        "/enquire/sent/": "We have it - Cedar House",
    }


@pytest.mark.parametrize("path", ["/options/", "/enquire/", "/enquire/sent/"])
def test_public_page_reads_at_grade_eight_or_below(path: str) -> None:
    text = main_of(Browser().get(path).content.decode())
    assert [word for word in NEVER if word.lower() in text.lower()] == []
    assert grade(text) <= HARDEST


def test_no_fact_is_a_promise_or_a_price() -> None:
    found = options.load()
    facts = [*found.facts, *(fact for way in found.ways for fact in (way.purpose, *way.facts.values()))]
    assert [fact.text for fact in facts if not fact.sources] == []
    promise = re.compile(r"\$|dollar|\d ?%|feel better|heals?\b|cures?\b|works for|guarantee|safe and", re.IGNORECASE)
    assert [fact.text for fact in facts if promise.search(fact.text)] == []


@pytest.mark.parametrize("path", ["/options/", "/enquire/", "/enquire/sent/"])
def test_practice_closes_its_public_pages(path: str, rosa: User, as_user: As, post: Any) -> None:
    assert Browser().get(path).status_code == 200
    assert "I am not a client" in Browser().get("/").content.decode()
    browser = as_user(rosa)
    version = PublicPages.get().version
    assert post(browser, reverse("public_pages"), {"version": version})["Location"] == reverse("public_pages")
    assert Browser().get(path).status_code == 404
    assert ask().status_code == 404
    assert Enquiry.objects.count() == 0
    assert "I am not a client" not in Browser().get("/").content.decode()
    event = AuditEvent.objects.get(action="public_pages.edited")
    assert (event.actor_id, event.facts) == (rosa.pk, {"fields": ["is_open"]})


def test_costs_are_shown_as_text_and_two_who_edit_see_each_other(rosa: User, as_user: As, post: Any) -> None:
    browser = as_user(rosa)
    version = PublicPages.get().version
    words = "<script>alert(1)</script> {{ 7|add:7 }} Sliding scale."
    post(browser, reverse("public_pages"), {"version": version, "is_open": "on", "cost_kap": words})
    page = Browser().get("/options/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7|add:7 }} Sliding scale." in page
    late = post(browser, reverse("public_pages"), {"version": version, "is_open": "on", "cost_kap": "Other"})
    assert late.status_code == 409
    assert PublicPages.get().cost_kap == words


# --- Asking ----------------------------------------------------------------------------------------------------------


@time_machine.travel(NOW, tick=False)
def test_enquiry_is_kept_sealed_and_the_front_desk_is_told_without_a_word_of_it(fay: User, rosa: User) -> None:
    answer = ask()
    assert (answer.status_code, answer["Location"]) == (303, "/enquire/sent/")
    row = Enquiry.objects.get()
    assert (row.name, row.phone, row.email, row.about, row.state, row.client, row.at) == (
        "Noor Vale", "202 555 0188", "noor@example.net", SAID["about"], State.WAITING, None, NOW,
    )  # fmt: skip
    assert row.reach == {
        "email": True, "sms": False, "voice": True, "voicemail": False, "note": "Not in the evening",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM practice_enquiry")
        stored = repr([bytes(c) if isinstance(c, memoryview) else c for c in cursor.fetchone()])
    assert [word for word in ("Noor", "0188", "noor@", "read about", "evening", "127.0.0.1") if word in stored] == []
    jobs.run_due()
    assert [(m.to, m.subject) for m in mail.outbox] == [([fay.email], "Somebody asks to be contacted")]
    assert [word for word in ("Noor", "Vale", "0188", "talk") if word in mail.outbox[0].body] == []
    assert [(e.action, e.actor_kind) for e in AuditEvent.objects.filter(action__startswith="enquiry")] == [
        ("enquiry.received", "system")
    ]


def test_admins_are_told_where_there_is_no_front_desk(rosa: User) -> None:
    asked()
    assert [notice.user for notice in Notice.objects.filter(template="enquiry")] == [rosa]


@time_machine.travel(NOW, tick=False)
def test_visitor_is_told_by_when_somebody_is_in_touch() -> None:
    ask()
    page = plain(Browser().get("/enquire/sent/").content.decode())
    assert "Somebody at Cedar House is in touch by Fri Nov 20, 12:00 pm, in a way that you ticked." in page
    assert timezone.localtime(Enquiry.objects.get().answer_by, timezone=factories.NOW.tzinfo).hour == 17  # noon there


ERRORS = {
    "no name": ({"name": " "}, "Write a name we can use."),
    "no way": ({"channels": []}, "Tick one way or more."),
    "a way that is none": ({"channels": ["pigeon"]}, "Choose from the answers on this page."),
    "mail ticked, none given": ({"email": ""}, "Write your e-mail, or untick it below."),
    "phone ticked, none given": ({"phone": ""}, "Write your phone number, or untick call and text below."),
    "no mail": ({"email": "noor at home"}, "Write an e-mail address, such as name@example.com."),
    "no phone": ({"phone": "call me"}, "Write a phone number, such as 555 0142."),
    "no yes": ({"agree": ""}, "Tick the box if we may contact you. Without it we cannot answer."),
    "a bell": (
        {"about": "ring \x07"},
        "There is a character here that we cannot keep. Take it out, or type the text again.",
    ),
    "a book": ({"about": "x" * 4001}, "This is too long. Keep it under 4000 letters."),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_form_says_what_to_do_and_keeps_what_was_typed(case: str) -> None:
    said, sentence = ERRORS[case]
    answer = ask(**said)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in plain(page)
    assert "<title>Error:" in page
    assert ("Noor Vale" in page) == ("name" not in said)
    assert Enquiry.objects.count() == 0


HOSTILE = ("<img src=x onerror=alert(1)>", "{{ 7|add:7 }}{% debug %}", "=cmd()", "' OR 1=1 --", "نور \u202e🌱", "%(x)s")


def as_kept(text: str) -> str:
    """Without the marks that nobody can see."""
    return text.replace("\u202e", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_kept_and_shown_as_text(text: str, fay: User, as_user: As) -> None:
    """Security check 37, 73."""
    ask(name=text, about=text, note=text)
    row = Enquiry.objects.get()
    seen = as_user(fay).get(reverse("enquiry", args=[row.pk]))
    assert seen.status_code == 200
    shown = seen.content.decode()
    assert "<img src=x" not in shown
    assert escape(row.about) in shown and escape(row.name) in shown
    assert (row.about, row.name) == (as_kept(text), as_kept(text))


def test_what_nobody_asked_for_is_not_taken(maya: User, sam: Client) -> None:
    ask(client=sam.pk, state="invited", answered_by=maya.pk, therapist=maya.pk, language="xx", at="2020-01-01")
    row = Enquiry.objects.get()
    assert (row.client, row.state, row.answered_by, row.language, row.at.year) == (
        None, State.WAITING, None, "en", timezone.now().year,
    )  # fmt: skip


def test_same_form_sent_twice_is_one_enquiry(client: Browser) -> None:
    key = "k" * 32
    answers = [send(client, reverse("enquire"), SAID, key=key)["Location"] for _ in range(2)]
    assert answers == ["/enquire/sent/"] * 2
    assert Enquiry.objects.count() == 1


# --- Limits ----------------------------------------------------------------------------------------------------------


def test_sixth_of_one_address_in_an_hour_is_asked_to_call_and_loses_nothing() -> None:
    for _ in range(enquiries.MOST_OF_ADDRESS):
        assert ask().status_code == 303
    answer = ask(about="Still here")
    page = answer.content.decode()
    assert (answer.status_code, Enquiry.objects.count()) == (429, enquiries.MOST_OF_ADDRESS)
    assert "Nothing was sent. What you wrote is still here: try again in an hour. Or call us: 555 0110" in plain(page)
    assert "Still here" in page
    assert ask(Browser(REMOTE_ADDR="198.51.100.4")).status_code == 303
    assert ask(Browser(HTTP_X_FORWARDED_FOR="203.0.113.9")).status_code == 429  # what the client claims is no address


def test_limit_of_the_practice_holds_for_every_address_and_ends_with_the_hour() -> None:
    at = timezone.now()
    for n in range(enquiries.MOST_OF_PRACTICE):
        asked(at=at - timedelta(minutes=59), origin=f"192.0.2.{n}")
    assert ask(Browser(REMOTE_ADDR="198.51.100.4")).status_code == 429
    with time_machine.travel(at + timedelta(minutes=2), tick=False):
        assert ask(Browser(REMOTE_ADDR="198.51.100.4")).status_code == 303


def test_one_household_of_ipv6_is_one_address() -> None:
    one, other, far = "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"
    digests = [enquiries.origin_digest(address) for address in (one, other, far, "", "odd")]
    assert len(set(digests)) == 4 and digests[0] == digests[1]


# --- Nobody is revealed ----------------------------------------------------------------------------------------------


def test_visitor_sees_the_same_whether_they_are_known_or_not(sam: Client) -> None:
    """The same page by the same queries: nobody is looked up before staff look (A16)."""

    def tried(**said: Any) -> tuple[int, str, str, list[str]]:
        browser = Browser()
        with CaptureQueriesContext(
            connection,
        ) as asked_db:
            answer = ask(browser, **said)
        kinds = [re.sub(r"'[^']*'|x?'[0-9a-f]*'|\d+", "?", q["sql"])[:60] for q in asked_db.captured_queries]
        shown = re.sub(r'value="[^"]*"', "", browser.get(answer["Location"]).content.decode())
        return answer.status_code, answer["Location"], shown, kinds

    ask()  # the first act of a test writes the head of the trail
    known = tried(email=sam.email, phone=sam.phone, name="Sam Whitehorse")
    stranger = tried(email="nobody@example.net", phone="202 555 0999", name="Nobody Else")
    assert known == stranger
    assert "client" not in " ".join(known[3]).replace('"client_id"', "").replace("client_id", "").lower()


# --- Staff -----------------------------------------------------------------------------------------------------------


def test_queue_is_for_the_front_desk_and_admins(
    fay: User, rosa: User, maya: User, sol: User, pax: User, as_user: As
) -> None:
    row = asked()
    pages = ("", f"{row.pk}/")
    seen = {
        user.first_name: [as_user(user).get(f"/enquiries/{page}").status_code for page in pages]
        for user in (fay, rosa, maya, sol, pax)
    }
    assert seen == {"Fay": [200, 200], "Rosa": [200, 200], "Maya": [403, 403], "Sol": [403, 403], "Pax": [403, 403]}
    assert as_user(fay).get("/enquiries/00000000-0000-4000-8000-000000000000/").status_code == 404
    assert as_user(fay).get("/enquiries/?show=everything").status_code == 400


@time_machine.travel(NOW, tick=False)
def test_queue_says_who_waits_how_long_and_who_may_be_known(fay: User, sam: Client, as_user: As) -> None:
    asked(at=NOW - timedelta(days=3), name="Sam W", email=sam.email)
    asked(name="Noor Vale")
    page = plain(as_user(fay).get(reverse("enquiries")).content.decode())
    assert page.index("Sam W") < page.index("Same e-mail or phone as a client") < page.index("Noor Vale")
    assert page.count("Same e-mail or phone as a client") == 1
    assert "Told they hear from us by Tue Nov 17, 12:00 pm" in page
    assert "e-mail, phone call" in page


def test_list_asks_no_more_for_fifty_than_for_three(fay: User, sam: Client, as_user: As) -> None:
    browser = as_user(fay)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert browser.get(reverse("enquiries")).status_code == 200
        return len(found)

    queries()
    for n in range(3):
        asked(name=f"Few {n}", email=sam.email, origin=f"192.0.2.{n}")
    few = queries()
    for n in range(enquiries.MOST_OF_PRACTICE - 3):
        asked(name=f"Many {n}", origin=f"198.51.100.{n}")
    assert queries() == few


def test_match_that_is_not_ones_own_to_see_is_not_offered(fay: User, rosa: User, ines: User, as_user: As) -> None:
    """The front desk of one site learns nothing of a client of another; an admin sees the match."""
    far = factories.client(ines, "Farah Away", email="noor@example.net", phone="+1 202 555 0111")
    row = asked()
    url = reverse("enquiry", args=[row.pk])
    assert "Farah" not in as_user(fay).get(url).content.decode()
    assert "It is this client" not in as_user(fay).get(url).content.decode()
    assert "Farah Away, " + far.code in as_user(rosa).get(url).content.decode()
    answer = send(as_user(fay), url, {"act": "known", "client": far.pk, "words": "Called her"})
    assert answer.status_code == 400
    row.refresh_from_db()
    assert (row.state, row.client) == (State.WAITING, None)


def invite(browser: Browser, row: Enquiry, therapist: User, site: Site, **said: Any) -> Any:
    reach = row.reach or {}
    data = {
        "act": "invite", "name_used": row.name, "email": row.email, "phone": row.phone,
        "channels": [name for name in ("email", "sms", "voice", "voicemail") if reach.get(name)],
        "reach_note": reach.get("note", ""), "language": row.language, "therapist": therapist.pk, "site": site.pk,
        "packet": "intake",
    }  # fmt: skip
    return send(browser, reverse("enquiry", args=[row.pk]), data | said)


@pytest.mark.usefixtures("on_call")
def test_enquiry_becomes_a_client_by_one_press(fay: User, maya: User, north: Site, as_user: As) -> None:
    row = asked()
    page = as_user(fay).get(reverse("enquiry", args=[row.pk])).content.decode()
    assert [
        word for word in ('value="Noor Vale"', 'value="noor@example.net"', 'value="202 555 0188"') if word not in page
    ] == []
    answer = invite(as_user(fay), row, maya, north)
    assert answer["Location"] == reverse("enquiries")
    client = Client.objects.get()
    row.refresh_from_db()
    assert (client.name_used, client.email, client.phone, client.therapist, client.site, client.status) == (
        "Noor Vale", "noor@example.net", "202 555 0188", maya, north, Client.Status.INVITED,
    )  # fmt: skip
    assert client.reach == row.reach
    assert (row.state, row.client, row.answered_by) == (State.INVITED, client, fay)
    assert [(i.packet, i.created_by) for i in Invitation.objects.all()] == [("intake", fay)]
    assert list(Enquiry.objects.visible_to(maya)) == [row]  # part of the record now
    again = invite(as_user(fay), row, maya, north, another="on")
    assert again.status_code == 400
    assert "Somebody answered this one already. Nothing was changed." in plain(again.content.decode())
    assert Client.objects.count() == 1


@pytest.mark.usefixtures("on_call")
def test_second_one_of_the_same_person_is_offered_not_doubled(
    fay: User, maya: User, north: Site, sam: Client, as_user: As
) -> None:
    """A16: a match to look at, never a silent duplicate; and the earlier enquiry stands beside it."""
    first = asked(name="Sammy W", email=sam.email)
    row = asked(name="Sam W", email=sam.email)
    browser = as_user(fay)
    page = plain(browser.get(reverse("enquiry", args=[row.pk])).content.decode())
    assert f"Sam Whitehorse, {sam.code}" in page and "Sammy W" in page
    refused = invite(browser, row, maya, north)
    assert refused.status_code == 400
    assert "You have a client with this e-mail or phone." in plain(refused.content.decode())
    assert Client.objects.count() == 1
    empty = send(browser, reverse("enquiry", args=[row.pk]), {"act": "known", "client": sam.pk, "words": " "})
    assert "Write what you told them." in plain(empty.content.decode())
    send(
        browser, reverse("enquiry", args=[row.pk]), {"act": "known", "client": sam.pk, "words": "She comes on Friday."}
    )
    row.refresh_from_db()
    assert (row.state, row.client, row.words, row.answered_by) == (State.KNOWN, sam, "She comes on Friday.", fay)
    assert [e.client_id for e in AuditEvent.objects.filter(action="enquiry.known")] == [sam.pk]
    first.refresh_from_db()
    assert first.state == State.WAITING


def test_enquiry_is_closed_only_with_words(fay: User, as_user: As) -> None:
    row = asked()
    url = reverse("enquiry", args=[row.pk])
    empty = send(as_user(fay), url, {"act": "decline", "words": ""})
    assert (empty.status_code, "Write what you told them, or why nobody did." in plain(empty.content.decode())) == (
        400,
        True,
    )
    for act in ("", "delete"):
        send(as_user(fay), url, {"act": act, "words": "x"})
    row.refresh_from_db()
    assert row.state == State.WAITING
    send(as_user(fay), url, {"act": "decline", "words": "Lives in another state. Gave her two names."})
    row.refresh_from_db()
    assert (row.state, row.words, row.client) == (State.DECLINED, "Lives in another state. Gave her two names.", None)
    page = plain(as_user(fay).get(reverse("enquiries") + "?show=answered").content.decode())
    assert "Noor Vale" in page and "Answered, no client" in page
    assert "Lives in another state." in plain(as_user(fay).get(url).content.decode())


def test_never_accepted_ones_are_deleted_after_ninety_days_and_the_trail_keeps_their_ids(
    fay: User, maya: User, sam: Client
) -> None:
    """Security 5.3.12."""
    old, new = NOW - timedelta(days=90, minutes=1), NOW - timedelta(days=89)
    rows = {name: asked(at=old, name=name, origin=name) for name in ("waiting", "declined", "known")}
    rows["young"] = asked(at=new, origin="young")
    enquiries.settle(by=fay, enquiry=rows["declined"], state=State.DECLINED, words="No", at=old)
    enquiries.settle(by=fay, enquiry=rows["known"], state=State.KNOWN, words="Hers", client=sam, at=old)
    assert enquiries.forget(at=NOW) == 2
    assert {row.pk for row in Enquiry.objects.all()} == {rows["known"].pk, rows["young"].pk}
    ledger = AuditEvent.objects.filter(action="enquiry.purged")
    assert {event.target_id for event in ledger} == {str(rows["waiting"].pk), str(rows["declined"].pk)}
    assert enquiries.forget(at=NOW) == 0


def test_nav_counts_who_waits(fay: User, maya: User, as_user: As) -> None:
    asked()
    assert re.search(r'href="/enquiries/"[^>]*>.*?1', as_user(fay).get("/account/").content.decode(), re.S)
    assert 'href="/enquiries/"' not in as_user(maya).get("/account/").content.decode()


# --- Spanish ---------------------------------------------------------------------------------------------------------


def test_pages_speak_spanish_and_the_client_keeps_the_language(fay: User, maya: User, north: Site, as_user: As) -> None:
    factories.always_on_call(maya)
    browser = Browser(HTTP_ACCEPT_LANGUAGE="es")
    options_page = plain(browser.get("/options/").content.decode())
    assert "Quién está en la sala" in options_page and "Who is in the room" not in options_page
    assert "Marque una forma o más." in plain(ask(browser, channels=[]).content.decode())
    assert ask(browser).status_code == 303
    row = Enquiry.objects.get()
    assert row.language == "es"
    invite(as_user(fay), row, maya, north)
    assert Client.objects.get().language == "es"
