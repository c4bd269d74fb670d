"""Odd and huge input into every text field of every form (security check 73; reliability row 26).

Every form that somebody may open is sent with texts of the corpus, by turns, in all its text fields. Nothing answers
with a server error; and what is whole Unicode comes back as it was sent.
"""

import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from practice.models import Client, Note, User
from practice.views.clients import ClientForm
from tests.conftest import send, sign_in
from tests.meta import matrix
from tests.meta.test_doors import patterns
from tests.meta.test_matrix import rows

DEEP = "[" * 5000 + "]" * 5000
# Whole Unicode that a person may mean: it comes back as it was.
KEPT = (
    "plain", "Zoë", "Zoe\u0308", "ÅÅ", "naïve café", "Ω≈ç√∫", "😀", "👩‍👩‍👧‍👦", "👍🏽", "🇺🇸", "שלום", "مرحبا", "नमस्ते",
    "日本語", "한국어", "ﬁ", "①", "２０２６", "a\u00a0b", "a\u200db", "1e400", "NaN", "Infinity", "2" * 70, "-0",
    "null", "None", "true", "{{ 7|add:7 }}", "{% debug %}", "%(x)s", "<b>&amp;</b>", "'; DROP TABLE x; --",
    "../../etc/passwd", "=1+1", "\\u0000", "a,b;c", "\"'`", "line\nline", "tab\tstop",
)  # fmt: skip
# Nothing that can be kept, or more than fits: given back with a sentence, or taken as far as it goes; never an error.
ODD = (
    "a\x00b",
    "\ud800",
    "\x1b[31m",
    "\u202egnp.exe",
    "\ufeff",
    "\uffff",
    DEEP,
    "x" * 70_000,
    str(2**70),
    "9999-99-99",
)


class Forms(HTMLParser):
    """Every POST form of a page: where it goes, its fields as they stand, and which of them take text."""

    TEXT = ("text", "search", "email", "tel", "url", "number", "date", "time", "datetime-local", "password")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], set[str]]] = []
        self.open, self.select = False, ""
        self.feed(html.partition("<main")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.open = (given.get("method") or "").lower() == "post"
            if self.open:
                self.found.append((given.get("action") or "", {}, set()))
            return
        if not self.open:
            return
        _action, data, texts = self.found[-1]
        kind = given.get("type") or "text"
        if tag == "select":
            self.select = name
        elif tag == "option" and self.select and value:
            data.setdefault(self.select, value)
        elif name and (tag == "textarea" or (tag == "input" and kind in self.TEXT)):
            texts.add(name)
        elif name and tag in ("input", "button"):
            data.setdefault(name, value or "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = False
        if tag == "select":
            self.select = ""


@pytest.fixture
def people(maya: User, omar: User, ines: User, sol: User, pax: User, fay: User, rosa: User) -> dict[str, User | None]:
    return {
        "anonymous": None, "client": None, "own": maya, "colleague": omar, "other_site": ines, "supervisor": sol,
        "prescriber": pax, "front_desk": fay, "admin": rosa,
    }  # fmt: skip


def post_raw(browser: Browser, url: str, data: dict[str, str]) -> int:
    """The status of a form whose text may be no Unicode at all: lone surrogates travel as their three bytes."""
    with transaction.atomic():
        cache.clear()  # limits on tries are not what is asked about
        try:
            status = int(send(browser, url, data).status_code)
        except UnicodeEncodeError:
            raw = "&".join(f"{name}=%ED%A0%80" for name in data) + "&form_key=" + "k" * 24
            status = browser.post(url, raw, content_type="application/x-www-form-urlencoded").status_code
        transaction.set_rollback(True)
    return status


EYES = ("own", "admin", "front_desk", "supervisor", "prescriber", "anonymous")


def test_no_text_in_any_field_of_any_form_is_a_server_error(people: dict[str, User | None], sam: Client) -> None:
    """Security check 73: every form, as the first who may open it; three texts of the corpus by turns."""
    world, wrong = matrix.build(people, sam), []
    browsers = {role: sign_in(Browser(), user) if (user := people[role]) else Browser() for role in EYES}
    opened = {
        name: dict(zip(matrix.ROLES, line, strict=False)) for (_get, name), line in rows().items() if _get == "GET"
    }
    seen: set[tuple[str, frozenset[str]]] = set()
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        role = next((role for role in EYES if opened.get(name, {}).get(role) == "200"), None)
        if role is None or name == "demo_sign_in":
            continue
        url = reverse(name, kwargs=world.arguments(name, wanted))
        page = browsers[role].get(url)
        if page.streaming or not page["Content-Type"].startswith("text/html"):
            continue
        for action, data, texts in Forms(page.content.decode()).found:
            to = action if action.startswith("/") else url
            if not texts or (to, frozenset(texts)) in seen:
                continue
            n = len(seen)
            for text in (ODD[n % len(ODD)], ODD[(n + 3) % len(ODD)], KEPT[n % len(KEPT)]):
                if (status := post_raw(browsers[role], to, {**data, **dict.fromkeys(texts, text)})) >= 500:
                    wrong.append((status, name, sorted(texts), text[:20]))
            seen.add((to, frozenset(texts)))
    assert wrong == []
    assert len(seen) > 40


def test_corpus_is_as_big_as_it_says() -> None:
    assert len(set(KEPT)) >= 40
    assert {"C", "L", "N", "P", "S", "M", "Z"} <= {unicodedata.category(char)[0] for text in KEPT for char in text}


@pytest.mark.parametrize("text", KEPT)
def test_whole_unicode_comes_back_as_it_was(text: str, maya: User, sam: Client, as_user: Any) -> None:
    """Security check 73: equal after the round trip through form, seal and page: composed or not, joined or not."""
    browser, url = as_user(maya), reverse("notes", args=[sam.pk])
    assert send(browser, url, {"words": f"({text})"}).status_code == 302
    assert Note.objects.get().body == f"({text})"
    line = text.replace("\n", " ").replace("\t", " ")
    said = {name: value for name, value in ClientForm.initial_of(sam).items() if value not in (None, "")}
    send(browser, reverse("client_edit", args=[sam.pk]), {**said, "name_used": f"({line})"})
    sam.refresh_from_db()
    assert sam.name_used == f"({line})"
