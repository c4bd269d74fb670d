"""The client side in Spanish: chosen in the footer, kept, and whole; what staff read of it stays in English."""

import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from gettext import NullTranslations
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils.translation import override, trans_real

from intake import actions
from intake.models import Invitation, Message, TrustedPerson
from practice import notices, safety_plan
from practice.models import (
    AccessRequest,
    Alert,
    AuditEvent,
    Client,
    Enquiry,
    Notice,
    Practice,
    PublicPages,
    SentForm,
    Site,
    User,
)
from practice.views.settings import write_card
from tests.conftest import send, sign_in
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, fill_required, text_of
from tests.meta import matrix
from tests.meta.test_doors import patterns

ITEM4 = "phq-9--4"
WRONG = {"answer": "\x00", "phone": "x", "state": "x", "upper": "x", "rows-0-mg": "x"}


class Missed(NullTranslations):
    """Stands behind the Spanish catalogue: what reaches it was said in English."""

    def __init__(self) -> None:
        super().__init__()
        self.words: set[str] = set()

    def gettext(self, message: str) -> str:
        self.words.add(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture
def missed() -> Iterator[Missed]:
    spanish = trans_real.translation("es")
    before, spanish._fallback = spanish._fallback, Missed()  # type: ignore[attr-defined]
    yield spanish._fallback  # type: ignore[attr-defined]
    spanish._fallback = before  # type: ignore[attr-defined]


def in_spanish(phone: Phone) -> Phone:
    phone.post("/lang/", {"speak": "es", "back": "/my/"})
    return phone


def language_of(answer: Any) -> str:
    found = re.search(r'<html lang="(\w+)"', answer.content.decode())
    assert found is not None
    return found[1]


def test_switching_on_a_question_keeps_the_answer_and_the_place(phone: Phone, sam: Client) -> None:
    """UX check 17, without script: the footer's button sends what is chosen on the page along."""
    answer = phone.post(f"/my/q/{ITEM4}/", {"answer": "2", "speak": "es"})
    assert (answer.status_code, answer["Location"]) == (303, f"/my/q/{ITEM4}/")
    page = phone.get(f"/my/q/{ITEM4}/")
    html = page.content.decode()
    assert (language_of(page), phone.saved(ITEM4)) == ("es", 2)
    assert 'value="2" id="id_answer_2" checked' in re.sub(r'(type="radio"|required|aria-\S+) ?', "", html) or re.search(
        r'<input[^>]*value="2"[^>]*checked', html
    )
    assert "Pregunta 4 de" in html and "Estas preguntas están en inglés" in html
    sam.refresh_from_db()
    assert (sam.language, phone.browser.cookies["language"].value) == ("es", "es")
    phone.post(f"/my/q/{ITEM4}/", {"speak": "en"})
    assert (language_of(phone.get(f"/my/q/{ITEM4}/")), phone.saved(ITEM4)) == ("en", 2)
    changed = AuditEvent.objects.filter(action="client.updated", facts={"fields": ["language"]})
    assert changed.count() == 2


def test_a_safety_answer_sent_with_the_switch_raises_its_flag(phone: Phone) -> None:
    phone.post("/my/q/safe-now/", {"answer": "no", "speak": "es"})
    found = Alert.objects.get()
    assert (phone.saved("safe-now"), found.severity) == ("no", "urgent")
    assert [(row["question"], row["answer"]) for row in found.answers] == [("Are you safe right now?", "No")]


def test_what_cannot_be_kept_stays_on_the_page(phone: Phone) -> None:
    answer = phone.post("/my/q/contact/", {"phone": "call me maybe", "email": "sam@example.net", "speak": "es"})
    html = answer.content.decode()
    assert (answer.status_code, language_of(answer)) == (200, "es")
    assert "call me maybe" in html and "Escriba un número de teléfono, como 555 0142." in html


def test_switching_on_an_agreement_signs_nothing_and_keeps_what_was_typed(phone: Phone, sam: Client) -> None:
    answer = phone.post("/my/q/agreement--treatment/", {"typed_name": "Samuel W", "relation": "self", "speak": "es"})
    assert "Samuel W" in answer.content.decode()
    assert sam.signatures.count() == 0
    assert "Este texto está en inglés" in answer.content.decode()


def test_an_item_keeps_its_official_words_and_says_which_language_they_are_in(phone: Phone) -> None:
    """WCAG 3.1.2. No item of an instrument is translated by us."""
    html = in_spanish(phone).get("/my/q/phq-9--9/").content.decode()
    part = re.search(r'<div lang="en-US">(.*?)</fieldset>', html, re.S)
    assert part is not None
    assert "Thoughts that you would be better off dead" in part[1] and "Several days" in part[1]
    send(phone.browser, "/lang/", {"speak": "en", "back": "/my/"})
    assert "These questions are in English" not in text_of(phone.get("/my/q/phq-9--9/"))
    in_spanish(phone)
    own = phone.get("/my/q/safe-now/").content.decode()
    assert "¿Está a salvo en este momento?" in own and 'lang="en-US"' not in own


def test_language_is_chosen_before_the_link_is_opened(sent: Invitation, sam: Client) -> None:
    browser = Browser()
    answer = send(browser, sent.path, {"speak": "es"})
    assert (answer.status_code, language_of(answer)) == (200, "es")
    assert "tiene formularios para usted" in answer.content.decode()
    sent.refresh_from_db()
    sam.refresh_from_db()
    assert (sent.state, sam.language) == (Invitation.State.SENT, "es")
    assert sent.token not in repr(list(SentForm.objects.values()))
    assert language_of(Browser().get(sent.path)) == "es"  # of the client, on any device


def test_a_dead_link_changes_no_client(sent: Invitation, sam: Client) -> None:
    Invitation.objects.update(expires_at=NOW)
    browser = Browser()
    send(browser, "/lang/", {"speak": "es", "back": sent.path})
    sam.refresh_from_db()
    assert (sam.language, language_of(browser.get(sent.path))) == ("en", "es")


@pytest.mark.parametrize(
    ("back", "lands"),
    [
        ("/who-sees-this/", "/who-sees-this/"),
        ("/my/q/phq-9--4/?from=check", "/my/q/phq-9--4/?from=check"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/caseload/", "/"),
        ("/nowhere/", "/"),
        ("", "/"),
    ],
)
def test_the_switch_leads_back_to_a_page_for_clients_only(house: Practice, back: str, lands: str) -> None:
    answer = send(Browser(), "/lang/", {"speak": "es", "back": back})
    assert (answer.status_code, answer["Location"]) == (303, lands)


def test_a_language_we_do_not_speak_is_refused(house: Practice) -> None:
    assert send(Browser(), "/lang/", {"speak": "xx"}).status_code == 404


def test_a_page_that_knows_nobody_follows_the_device(house: Practice) -> None:
    browser = Browser()
    assert language_of(browser.get("/who-sees-this/")) == "en"
    assert language_of(browser.get("/who-sees-this/", headers={"accept-language": "es-MX,es;q=0.9"})) == "es"
    send(browser, "/lang/", {"speak": "es", "back": "/who-sees-this/"})
    assert [language_of(browser.get(path)) for path in ("/who-sees-this/", "/help-now/", "/accessibility/", "/")] == [
        "es"
    ] * 4
    assert language_of(browser.get("/help-now/?language=en")) == "en"


@pytest.mark.parametrize(
    ("spanish", "said"),
    [("los lunes", "555 0110 , los lunes. No vigilamos"), ("", "555 0110 . No vigilamos")],
)
def test_hours_are_said_in_the_language_of_the_page_or_not_at_all(
    spanish: str, said: str, house: Practice, django_capture_on_commit_callbacks: Any
) -> None:
    house.hours_text_es = spanish
    house.save()
    write_card(house)
    browser = Browser(headers={"accept-language": "es"})
    assert said in text_of(browser.get("/help-now/"))
    home = text_of(browser.get("/"))
    assert ("555 0110" in home, "los lunes" in home, "weekdays" in home) == (True, bool(spanish), False)
    assert "555 0110 , weekdays 8 am to 5 pm." in text_of(Browser().get("/help-now/"))
    _subject, text = notices.render("code", "email", {"code": "123456"}, house, "es")
    assert text.rstrip().endswith(f"Cedar House, 555 0110{', los lunes' if spanish else ''}.")


def test_help_now_in_spanish_leads_to_help_in_spanish(client: Browser) -> None:
    """Without the database, like the English one."""
    html = client.get("/help-now/?language=es").content.decode()
    assert "Llamar al 988" in html and "Oprima 2 para español." in html
    assert 'href="sms:988?body=AYUDA"' in html and 'href="tel:911"' in html
    assert 'href="sms:988"' not in html


def test_no_switch_stands_where_it_would_lose_what_was_typed(sam: Client, clock: Any) -> None:
    """A page that locked while somebody wrote carries the words along; leaving it would be the end of them."""
    browser = at_home(sam)
    clock.shift(timedelta(minutes=16))
    asked = send(browser, "/my/record/", {"words": "On paper, please"}).content.decode()
    assert ("On paper, please" in asked, 'name="speak"' in asked) == (True, False)
    assert 'name="speak"' in browser.get("/my/home/check/").content.decode()


def test_staff_pages_stay_in_english(maya: User, sam: Client) -> None:
    browser = Browser(headers={"accept-language": "es"})
    send(browser, "/lang/", {"speak": "es", "back": "/"})
    assert language_of(browser.get(reverse("account_login"))) == "en"
    sign_in(browser, maya)
    chart = browser.get(reverse("chart", args=[sam.pk]))
    assert (language_of(chart), 'name="speak"' in chart.content.decode()) == ("en", False)


def test_messages_are_in_the_language_of_their_reader(phone: Phone, sam: Client, maya: User) -> None:
    in_spanish(phone).say("safe-now", "no")
    sam.refresh_from_db()
    notices.tell_client(sam, "news", channels=("email",), link="http://testserver/p/x/")
    for notice in Notice.objects.filter(template__in=["news", "urgent"], channel="email").order_by("created_at"):
        notices.deliver(notice)
    said = {(letter.to[0], letter.subject) for letter in mail.outbox}
    assert said == {("sam@example.net", "Cedar House: hay noticias para usted"), *(s for s in said if "Urgent" in s[1])}
    spanish = next(letter for letter in mail.outbox if letter.to == ["sam@example.net"])
    assert '<html lang="es">' in spanish.alternatives[0][0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("reminder", "Cedar House: le queda algo por terminar. Unos 8 min. http://x/"),
        ("home", "Cedar House: este es su enlace para entrar. http://x/"),
        ("person_link", "Cedar House: hay un acceso para usted. Se abre con una clave. http://x/"),
    ],
)
def test_a_spanish_text_says_what_it_is_for(template: str, said: str, house: Practice) -> None:
    """Without a letter that makes a text dear; `algo que puede terminar` read as a threat."""
    words = notices.render(template, "sms", {"link": "http://x/", "minutes": 8}, house, "es")[1]
    assert (words.strip(), words.isascii()) == (said, True)


def test_what_is_kept_of_a_spanish_page_reads_in_english(check_in: Phone, sam: Client) -> None:
    """Staff read the record; the client reads the message."""
    in_spanish(check_in).say("phq-9--9", "2")
    check_in.post("/my/call-me/", {"wanted": "1"})
    page = text_of(check_in.browser.get("/my/call-me/"))
    assert "Maya le llamará antes del jueves 19 de noviembre, 12:00 pm" in page
    kept = Alert.objects.get().events.get(kind="call_wanted")
    assert kept.facts == {"when": "Thu Nov 19, 12:00 pm"}
    notice = Notice.objects.get(template="call_me")
    words = notices.render("call_me", "sms", notice.words, Practice.get(), "es")[1]
    assert "antes del jueves 19 de noviembre, 12:00 pm" in words


def test_who_they_name_is_kept_in_the_words_of_the_record(phone: Phone, sam: Client) -> None:
    fill_required(in_spanish(phone))
    phone.say("support-person", name="Alex", phone="555 0178", relation="family", may_talk="emergency")
    phone.post("/my/send/")
    sam.refresh_from_db()
    assert (sam.contact("support") or {})["relation"] == "Other family"


def test_what_was_signed_is_named_in_the_language_of_its_text(phone: Phone, sam: Client) -> None:
    """WCAG 3.1.2: the titles of agreements, which are signed in English, on a page in Spanish."""
    fill_required(in_spanish(phone))
    phone.post("/my/send/")
    pages = [phone.get("/my/done/"), at_home(sam).get("/my/copies/")]
    named = [re.findall(r"<span lang=\"([\w-]+)\">([^<]+)</span> \(PDF\)", page.content.decode()) for page in pages]
    assert [language_of(page) for page in pages] == ["es", "es"]
    assert sorted(named[0]) == sorted(named[1])
    assert ("en", "Agreement to start care") in named[0]


def test_the_page_for_somebody_else_asks_for_their_name(sam: Client) -> None:
    """In Spanish, `su nombre` is also the reader's own."""
    browser = at_home(sam)
    send(browser, "/lang/", {"speak": "es", "back": "/my/"})
    asked = re.findall(r'<label class="label"[^>]*>([^<]+?)\s*<', browser.get("/my/people/new/").content.decode())
    assert [label for label in asked if label.startswith("Su ")] == []
    assert asked[0] == "Nombre de esa persona"


def test_the_plan_to_take_along_is_in_their_language(sam: Client, maya: User) -> None:
    Client.objects.filter(pk=sam.pk).update(language="es")
    sam.refresh_from_db()
    draft = safety_plan.begin(by=maya, client=sam, at=NOW)
    names = [row["name"] for row in draft.steps["professionals"]]
    assert names[-2:] == ["988, llame o envíe un mensaje, de día y de noche", "Sala de emergencias más cercana"]
    assert safety_plan.shown(draft.steps)[0]["prompt"] == "Professionals and services"  # to staff
    lines = [row["text"] for row in safety_plan.shown(draft.steps)[0]["rows"]]
    assert lines[-2:] == ["988, call or text, day or night", "Nearest emergency room"]  # to staff, too
    with override("es"):
        mine = {"professionals": [{"name": "Nearest emergency room "}, {"name": "Nearest friend"}]}
        assert [row["text"] for row in safety_plan.shown(mine)[0]["rows"]] == [names[-1], "Nearest friend"]


def test_no_question_and_no_mistake_on_it_misses_a_word(phone: Phone, missed: Missed) -> None:
    fill_required(in_spanish(phone))
    for page in actions.packet_of(phone.sitting).pages:
        phone.get(f"/my/q/{page.slug}/")
        phone.post(
            f"/my/q/{page.slug}/", {"answer": "\x00", "phone": "x", "state": "x", "upper": "x", "rows-0-mg": "x"}
        )
    for path in ("/my/", "/my/check/", "/my/later/", "/my/call-me/", "/my/locked/", "/my/code/"):
        phone.get(path)
    assert sorted(missed.words) == []


THEIRS = {"name": "Lee", "phone": "202 555 0199", "may": ["see_plan"], "until": "2026-12-01", "signed_name": "Sam W"}


@pytest.mark.parametrize(
    ("path", "said", "answer"),
    [
        ("/my/people/new/", THEIRS | {"phone": "call me"}, "Escriba el número de teléfono con cifras"),
        ("/my/people/new/", THEIRS | {"phone": ""}, "Escriba un teléfono o un correo electrónico que solo lea"),
        ("/my/people/new/", THEIRS | {"phone": "+1 202 555 0142"}, "Ese teléfono o correo electrónico es el suyo."),
        ("/my/people/new/", THEIRS | {"until": "2026-11-01"}, "Elija un último día entre hoy y el"),
        ("/my/people/new/", THEIRS | {"until": "x", "email": "x", "may": ["x"]}, "Escriba la dirección de correo"),
        (
            "/my/plan/away/",
            {"first_on": "2026-12-02", "last_on": "2026-12-01"},
            "El último día está antes del primero.",
        ),
        ("/my/plan/away/", {"first_on": "2026-11-01"}, "Esos días ya pasaron."),
        ("/my/plan/away/", {"first_on": "2026-12-02", "last_on": "2032-12-01"}, "Elija días dentro de los próximos"),
        ("/my/plan/away/", {"first_on": "x"}, "Escriba un día"),
        ("/my/check-ins/", {"act": "pause", "how_long": "x"}, "Elija por cuánto tiempo."),
    ],
)
def test_no_mistake_on_a_page_of_their_own_misses_a_word(
    path: str, said: dict[str, Any], answer: str, sam: Client, missed: Missed
) -> None:
    Client.objects.filter(pk=sam.pk).update(language="es")
    shown = send(at_home(sam), path, said)
    assert (shown.status_code, answer in unescape(shown.content.decode())) == (400, True)
    assert sorted(missed.words) == []


def test_no_page_of_a_client_misses_a_word(
    maya: User, omar: User, pax: User, rosa: User, on_call: User, sam: Client, missed: Missed
) -> None:
    """Every page behind a client's door, as they first open it and with nothing in its form."""
    Client.objects.filter(pk=sam.pk).update(language="es")
    world = matrix.build({"own": maya, "colleague": omar, "prescriber": pax, "admin": rosa}, sam)
    doors = [pattern for pattern in patterns() if getattr(pattern.callback, "door", None)]
    theirs = [pattern for pattern in doors if pattern.callback.door.kind in ("public", "client", "link")]
    home, sitting = at_home(sam), Browser()
    send(sitting, reverse("link_open", args=[world.objects["token"]]))
    seen = set()
    for pattern in theirs:
        name, wanted = matrix.name_and_arguments(pattern)
        url = reverse(name, kwargs=world.arguments(name, wanted))
        for cookies in (home.cookies, sitting.cookies):
            with transaction.atomic():
                browser = Browser()
                browser.cookies = deepcopy(cookies)
                seen |= {name} if browser.get(url).status_code == 200 else set()
                send(browser, url)
                transaction.set_rollback(True)
    assert {"my_home", "my_plan", "my_referral", "my_permissions", "my_shared", "my_safety_plan", "my_start"} <= seen
    assert sorted(missed.words) == []


# --- Pages with words of somebody's own ------------------------------------------------------------------------------


OWN_WORDS: dict[str, dict[str, str]] = {
    "/my/messages/": {"words": "Ñandú <b> at 3 am"},
    "/my/record/": {"words": "Only the letters, please"},
    "/my/people/new/": {"name": "Lee Ännchen", "until": "2027-01-02", "signed_name": "Sam W"},
    "/my/check-ins/": {"act": "pause", "words": "The exam week"},
    "/my/plan/away/": {"first_on": "2027-02-03"},
}


@pytest.mark.parametrize(("path", "typed"), OWN_WORDS.items(), ids=OWN_WORDS)
def test_the_switch_shows_what_was_typed_and_sends_nothing(path: str, typed: dict[str, str], sam: Client) -> None:
    """UX check 17 on a page that does not save by itself: also the second press, and the word of what is missing."""
    browser = at_home(sam)
    before = (Message.objects.count(), AccessRequest.objects.count(), TrustedPerson.objects.count())
    for _press in range(2):
        answer = send(browser, path, typed | {"speak": "es"})
        html = unescape(answer.content.decode())
        assert (answer.status_code, language_of(answer)) == (200, "es")
        assert [words in html for words in typed.values()] == [True] * len(typed)
        assert "Hay un problema" not in html
    assert (Message.objects.count(), AccessRequest.objects.count(), TrustedPerson.objects.count()) == before
    sam.refresh_from_db()
    assert (sam.language, language_of(browser.get("/my/home/"))) == ("es", "es")


@pytest.mark.parametrize("path", ["/enquire/", "/begin/"])
def test_the_switch_keeps_what_a_newcomer_typed(path: str, north: Site, on_call: User) -> None:
    """No client is known here; a wrong e-mail stands there too, without a word about it yet."""
    PublicPages.objects.create(pk=1, starts_open=True, starts_site=north)
    browser = Browser()
    typed = {"name": "Ines Ó", "phone": "555", "email": "not one", "agree": "on", "speak": "es"}
    answer = send(browser, path, typed)
    html = unescape(answer.content.decode())
    assert (answer.status_code, language_of(answer), browser.cookies["language"].value) == (200, "es", "es")
    assert [f'value="{words}"' in html for words in ("Ines Ó", "555", "not one")] == [True] * 3
    assert (re.search(r'name="agree"[^>]*checked', html) is not None, "Hay un problema" in html) == (True, False)
    assert Enquiry.objects.count() == 0


def test_a_language_nobody_speaks_is_no_switch(sam: Client) -> None:
    answer = send(at_home(sam), "/my/record/", {"words": "x", "speak": "xx"})
    assert (answer.status_code, AccessRequest.objects.count()) == (303, 1)


def test_the_switch_keeps_where_somebody_is(phone: Phone) -> None:
    """After a safety answer: the page again in Spanish, the place still in its box, and the flag as it was."""
    phone.post("/my/q/safe-now/", {"answer": "no"})
    answer = phone.post("/my/support/", {"where": "12 Elm St", "speak": "es"})
    assert (answer.status_code, language_of(answer)) == (200, "es")
    assert 'value="12 Elm St"' in answer.content.decode()
    assert "where" not in {row["link_id"] for row in Alert.objects.get().answers}
    phone.post("/my/support/", {"where": "12 Elm St"})
    assert "where" in {row["link_id"] for row in Alert.objects.get().answers}


def test_address_that_leads_nowhere_says_so_in_each_language(db: None, maya: User, kit: Client) -> None:
    """A mistyped link may be anybody's. Where a language was chosen, or somebody of staff looks, it is said once."""
    english, spanish = "We cannot find that page", "No encontramos esa página"

    def heads(browser: Browser, path: str = "/p/") -> list[str]:
        answer = browser.get(path)
        assert answer.status_code == 404
        return re.findall(r"<(h[12] [^>]*>[^<]*)", answer.content.decode())[:2]

    stranger, chosen = Browser(), Browser()
    assert heads(stranger) == [f'h1 class="c-h">{english}', f'h2 class="c-h">{spanish}']
    assert '<div class="c-card c-q" lang="es">' in stranger.get("/p/").content.decode()
    chosen.cookies["language"] = "es"
    assert heads(chosen)[:1] == [f'h1 class="c-h">{spanish}']
    assert spanish not in "".join(heads(chosen)[1:]) and english not in chosen.get("/p/").content.decode()
    staff = sign_in(Browser(), maya).get(f"/clients/{kit.pk}/").content.decode()
    assert (english in staff, spanish in staff) == (True, False)
