"""A word of a client's in every field, every flow walked, then looked for everywhere it must not be.

Security checks 17, 31, 35, 53, 59, 60, 61: rows as stored, logs, mail, jobs, addresses, titles, error pages, cache.
"""

import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake import actions as intake_actions
from practice import actions, jobs
from practice.logs import NothingOfAClient, OneLine
from practice.models import Client, Job, User
from tests import factories
from tests.conftest import send, sign_in
from tests.meta import matrix
from tests.meta.test_doors import patterns

WORD = "Zyxcanary"
NAMES = ("Zyxfirst", "Zyxlast")
ANY = re.compile(r"zyx(?:canary|first|last)", re.IGNORECASE)


class Form(HTMLParser):
    """The first POST form of a page, filled in: every text field with a canary, the first of each choice."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action, self.data, self.open, self.done, self.in_select = "", {}, False, False, ""  # type: ignore[var-annotated]
        self.feed(html.partition("<main")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form" and not self.done and (given.get("method") or "").lower() == "post":
            self.open, self.action = True, given.get("action") or ""
        elif not self.open or not name:
            if self.open and tag == "option" and self.in_select and given.get("value"):
                self.data.setdefault(self.in_select, given["value"])
        elif tag == "select":
            self.in_select = name
        elif tag == "textarea":
            self.data[name] = f"{WORD} {name}"
        elif tag == "input":
            kind = given.get("type") or "text"
            if kind in ("radio", "checkbox"):
                self.data.setdefault(name, given.get("value") or "on")
            elif kind == "hidden":
                self.data[name] = given.get("value") or ""
            elif given.get("inputmode") == "numeric" or kind == "number":
                self.data[name] = {"0": "3", "1": "4", "2": "1990"}.get(name[-1], "2")
            elif kind == "tel" or "phone" in name:
                self.data[name] = "202 555 0177"
            elif kind == "email":
                self.data[name] = f"{WORD}@example.net"
            else:
                self.data[name] = f"{WORD} {name}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.open:
            self.open, self.done = False, True
        if tag == "select":
            self.in_select = ""


@pytest.fixture
def said() -> Iterator[StringIO]:
    """What our handler would have written to the console, at every level."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    handler.addFilter(NothingOfAClient())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def walked(said: StringIO, maya: User, omar: User, rosa: User, on_call: User) -> dict[str, Any]:
    """A client whose every answer holds a canary, from invitation to closed flag, and every page on the way."""
    at = timezone.now()
    client = factories.client(
        maya, " ".join(NAMES), email=f"{WORD}@example.net", phone="+1 202 555 0177", address=f"{WORD} street"
    )
    invitation = intake_actions.invite(by=maya, client=client, key="intake", at=at)
    phone, pages = Browser(), []
    url = send(phone, invitation.path)["Location"]
    for _ in range(220):
        page = phone.get(url, follow=True)
        pages.append((url, page))
        here = page.redirect_chain[-1][0] if page.redirect_chain else url
        form = Form(page.content.decode())
        if "/my/done/" in here:
            break
        if "/my/support/" in here:
            url = re.findall(r'href="([^"]+)">\s*(?:I am OK to keep going|Go on|Continue)', page.content.decode())[-1]
            continue
        if here.endswith("/phq-9--9/"):
            form.data["answer"] = "1"
        answer = send(phone, form.action or here, form.data)
        if answer.status_code not in (302, 303):
            answer = send(phone, here, {"skip": "1"})
        assert answer.status_code in (302, 303), ([u for u, _ in pages][-6:], here, form.data)
        url = answer["Location"]
    else:
        raise AssertionError(f"the intake did not end: {url}")
    browser = sign_in(Browser(), maya)
    actions.raise_manual_flag(by=maya, client=client, severity="priority", reason=f"{WORD} reason", at=at)
    alert = client.alerts.order_by("opened_at").first()
    actions.record_contact(
        by=maya, alert=alert, recorded_at=at, reached="yes", at=at, level="low", action=f"{WORD} action",
        plan=f"{WORD} plan", next_check_at=at,
    )  # fmt: skip
    actions.close_alert(by=maya, alert=alert, action="no_change", note=f"{WORD} note", at=at)
    for name in ("notes", "psychotherapy_notes"):
        place = reverse(name, args=[client.pk])
        form = Form(browser.get(place).content.decode())
        assert send(browser, form.action or place, form.data).status_code in (302, 303)
    world = matrix.build({"own": maya, "admin": rosa, "colleague": omar, "other_site": omar, "client": None}, client)
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        address = reverse(name, kwargs=world.arguments(name, wanted))
        if name not in ("leave", "account_logout"):
            pages.append((address, browser.get(address)))
    pages.append(("/no/such/page/", browser.get(f"/no/{client.pk}/page/")))
    pages.append(("bad form", browser.post(reverse("notes", args=[client.pk]), {"body": f"{WORD} lost?"})))
    jobs.run_due()
    return {"client": client, "pages": pages, "phone": phone}


def leaks(walked: dict[str, Any], said: StringIO) -> list[str]:
    """Where the canary is found though it must not be."""
    where_it_belongs = next(
        page for url, page in walked["pages"] if url == reverse("chart", args=[walked["client"].pk])
    )
    assert ANY.search(where_it_belongs.content.decode()) and len(mail.outbox) > 1  # or the sweep would prove nothing
    found: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                cells = [bytes(c).decode("latin-1") if isinstance(c, bytes | memoryview) else str(c) for c in row]
                found += [f"{table}: {c[:60]}" for c in cells if ANY.search(c)]
    found += [f"mail: {m.subject}" for m in mail.outbox if ANY.search(m.subject + m.body + str(m.alternatives))]
    found += [f"job: {j.kind}" for j in Job.objects.all() if ANY.search(j.ref + j.trouble + (j.dedupe_key or ""))]
    for url, page in walked["pages"]:
        chain = [hop for hop, _ in getattr(page, "redirect_chain", [])]
        found += [f"address: {a}" for a in [url, page.get("Location", ""), *chain] if ANY.search(a)]
        found += (
            [f"file name: {page['Content-Disposition']}"] if ANY.search(page.get("Content-Disposition", "")) else []
        )
    if ANY.search(said.getvalue()):
        found.append("log: " + next(line for line in said.getvalue().splitlines() if ANY.search(line))[:200])
    if ANY.search(str(getattr(cache, "_cache", ""))):
        found.append("cache")
    return found


def titles(walked: dict[str, Any]) -> dict[str, str]:
    """A title stands in the browser's history and in a shared screen's task bar."""
    said = {
        url: m[1].strip()
        for url, page in walked["pages"]
        if not page.streaming and (m := re.search(r"<title>(.*?)</title>", page.content.decode(errors="replace"), re.S))
    }
    return {url: title for url, title in said.items() if ANY.search(title)}


def without_headers(walked: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (url, header)
        for url, page in walked["pages"]
        for header, value in {
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "",
            "Content-Security-Policy": "frame-ancestors 'none'", "Cross-Origin-Opener-Policy": "same-origin",
        }.items()
        if value not in page.get(header, "absent" if value else "")
        or header not in page
    }  # fmt: skip


def changed_by_looking(walked: dict[str, Any], maya: User) -> set[str]:
    """The tables that GET requests changed, besides sessions and the trail of who looked."""

    def rows() -> dict[str, list[Any]]:
        with connection.cursor() as cursor:
            kept = {}
            for table in connection.introspection.table_names(cursor):
                if table not in (
                    "django_session",
                    "practice_auditevent",
                    "practice_audithead",
                    "usersessions_usersession",
                ):
                    cursor.execute(f'SELECT * FROM "{table}"')
                    kept[table] = sorted(map(repr, cursor.fetchall()))
        return kept

    browser = sign_in(Browser(), maya)
    client: Client = walked["client"]
    before = rows()
    for name in ("caseload", "alerts", "search", "account", "practice_settings"):
        browser.get(reverse(name))
    for name in ("chart", "notes", "psychotherapy_notes", "activity", "client_edit", "client_invite", "flag_new"):
        browser.get(reverse(name, args=[client.pk]))
    walked["phone"].get("/my/done/")
    after = rows()
    return {table for table in before if before[table] != after[table]}


def test_nothing_of_a_client_is_where_it_must_not_be(walked: dict[str, Any], said: StringIO, maya: User) -> None:
    assert leaks(walked, said) == []
    assert titles(walked) == {}
    assert without_headers(walked) == set()
    assert changed_by_looking(walked, maya) == set()
