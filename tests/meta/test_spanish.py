"""The client side says everything in Spanish: no string without a translation, no catalogue that lags its source.

Which templates are of the client side is found, not listed: what extends the client's frame, and what that includes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from intake import options, packet
from practice import catalogue, notices, safety_plan
from tests.meta import strings
from tests.meta.strings import EXTENDS, INCLUDES, ROOT

TEMPLATES = ROOT / "templates"
SOURCE = Path(settings.LOCALE_PATHS[0]) / "es" / "LC_MESSAGES" / "django.po"
FRAMES = {"base_client.html", "base_plain.html", "base_bare.html"}
# Pages in these frames that are not for clients, and so in English: sign-in, the clinic's desk.
FOR_STAFF = re.compile(r"^(account|mfa|usersessions)/|^referrals/desk_|^practice/demo_sign_in\.html$")
# The modules whose words are all for clients. What others say to them is found by walking (tests/intake/test_language).
MODULES = (
    "intake/flow.py",
    "intake/forms.py",
    "intake/models/consents.py",
    "intake/packet.py",
    "intake/options.py",
    "intake/spoken.py",
    "intake/views/asking.py",
    "intake/views/home.py",
    "intake/views/opening.py",
    "intake/views/sending.py",
    "intake/views/support.py",
    "practice/templatetags/ui.py",
    "referrals/actions/client_words.py",
    "referrals/views/permissions.py",
    "referrals/views/trusted_page.py",
    *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("*/**/views/my_*.py"))),
)
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%")


def read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def client_templates() -> list[str]:
    """The client's pages and every template that stands in them."""
    names = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
    found = {name for name in names if _frame(name) in FRAMES and not FOR_STAFF.search(name)}
    waiting = list(found)
    while waiting:
        text = read(waiting.pop())
        for name in {*INCLUDES.findall(text), *EXTENDS.findall(text)} - found:
            found.add(name)
            waiting.append(name)
    return sorted(found | {str(path.relative_to(TEMPLATES)) for path in (TEMPLATES / "house").rglob("*.html")})


def _frame(name: str) -> str:
    above = EXTENDS.search(read(name))
    return name if name in FRAMES else above[1] if above else ""


def own_words() -> Iterator[str]:
    """The words of packets, of the safety plan's form and of the page of options, which stand in data."""
    for each in packet.shipped():
        yield each.title
        for section in each.sections:
            yield from (section.title, section.why)
        for page in each.pages:
            if page.instrument or page.agreement:
                continue
            yield from (page.text, page.hint, page.missing, page.none, page.row)
            for field in page.fields:
                yield from (field.label, field.hint, field.none, *(choice.label for choice in field.choices))
    ways = options.load()
    yield ways.title
    yield from (fact.text for fact in ways.facts)
    for way in ways.ways:
        yield from (way.title, way.purpose.text, *(fact.text for fact in way.facts.values()))
    yield safety_plan.form().title
    yield from (section.prompt for section in safety_plan.form().sections)


@pytest.fixture(scope="module")
def spanish() -> dict[tuple[str, str], catalogue.Entry]:
    entries = catalogue.read(SOURCE.read_text(encoding="utf-8"))
    assert len({entry.key for entry in entries}) == len(entries)
    return {entry.key: entry for entry in entries}


def missing(found: set[strings.String], spanish: dict[tuple[str, str], catalogue.Entry]) -> list[strings.String]:
    def is_said(context: str, words: str, plural: str) -> bool:
        entry = spanish.get((context, words))
        return entry is not None and entry.plural == plural and all(entry.said.values())

    return sorted(each for each in found if not is_said(*each))


@pytest.mark.parametrize("name", client_templates())
def test_page_of_the_client_is_whole_in_spanish(name: str, spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    assert missing(strings.of_template(read(name)), spanish) == []


@pytest.mark.parametrize("name", MODULES)
def test_module_of_the_client_is_whole_in_spanish(name: str, spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    found = strings.of_module((ROOT / name).read_text(encoding="utf-8"))
    assert found
    assert missing(found, spanish) == []


def test_own_questions_are_whole_in_spanish(spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    """Our own questions only: an instrument's items are in no catalogue."""
    assert missing({("", words, "") for words in own_words() if words}, spanish) == []
    items = {page.text for each in packet.shipped() for page in each.pages if page.instrument}
    assert sorted(items & {words for _context, words in spanish}) == []


@pytest.mark.parametrize(
    ("template", "channel"),
    [(name, way) for name in notices.TO_CLIENTS + notices.TO_PEOPLE for way in notices.TEMPLATES[name]],
)
def test_message_to_a_client_stands_in_spanish(template: str, channel: str) -> None:
    ending = ".sms.txt" if channel == notices.Channel.SMS else ".txt"
    assert (TEMPLATES / "emails" / "es" / f"{template}{ending}").is_file()


def test_places_in_a_sentence_are_the_same(spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    wrong = [
        entry.words
        for entry in spanish.values()
        if entry.words
        for form, said in entry.said.items()
        if set(PLACE.findall(said)) != set(PLACE.findall(entry.plural if form else entry.words))
    ]
    assert wrong == []


def test_who_is_told_to_call_988_is_told_to_press_2(spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    """A call to 988 is answered in English first (988lifeline.org). The words of buttons say it on the line below."""
    buttons = {("", "Call 988"), ("", "call 988")}  # the second is the veterans' line, which is press 1
    said = {words for key, entry in spanish.items() if key not in buttons for words in entry.said.values()}
    said |= {path.read_text(encoding="utf-8") for path in (TEMPLATES / "emails" / "es").iterdir()}
    calls = [words for words in said if re.search(r"\bllam\w+ (juntos )?al 988", words, re.IGNORECASE)]
    assert len(calls) > 20
    assert [words for words in calls if not re.search(r"988 y opri\w+ 2", words)] == []


def test_compiled_catalogue_is_of_its_source() -> None:
    entries = catalogue.read(SOURCE.read_text(encoding="utf-8"))
    assert SOURCE.with_suffix(".mo").read_bytes() == catalogue.compiled(entries)


def test_catalogue_holds_nothing_that_is_said_nowhere(spanish: dict[tuple[str, str], catalogue.Entry]) -> None:
    """What nobody says any more is not kept for a translator to wonder about."""
    said = {("", words, "") for words in own_words()}
    for path in TEMPLATES.rglob("*.html"):
        said |= strings.of_template(path.read_text(encoding="utf-8"))
    for package in ("practice", "intake", "referrals"):
        for path in (ROOT / package).rglob("*.py"):
            said |= strings.of_module(path.read_text(encoding="utf-8"))
    known = {(context, words) for context, words, _plural in said}
    assert sorted(key for key in spanish if key[1] and key not in known) == []


def test_image_speaks_spanish_too() -> None:
    assert "COPY locale locale" in (ROOT / "Dockerfile").read_text().splitlines()
