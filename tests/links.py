"""From page to page, as far as the links of what somebody sees lead: where do they end?"""

import re
from collections import Counter, deque
from html import unescape
from typing import Any

from django.test import Client as Browser
from django.urls import Resolver404, resolve

from practice.models import User
from tests.conftest import sign_in

OF_A_KIND = 2  # pages that are opened of each url name; one for each set of names in a query
FILES = re.compile(r"\.(csv|xlsx|pdf|zip|json|ics)$|/file/$")
LEADS_OUT = re.compile(r"^/(static|p|r|demo|account)/|^/leave/")
LINK = re.compile(r'<a\b[^>]*?\shref="([^"#][^"]*)"')
POSTS = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*?\saction="([^"]+)"')


def kind_of(address: str) -> tuple[str, ...]:
    path, _mark, query = address.partition("?")
    try:
        name = resolve(path).url_name or ""
    except Resolver404:
        name = path
    return (name, *sorted(part.partition("=")[0] for part in query.split("&")))


def addresses(html: str, pattern: re.Pattern[str], here: str) -> list[str]:
    """Those of our own, without what stands behind a #."""
    found = (unescape(address).partition("#")[0] for address in pattern.findall(html))
    whole = [here.partition("?")[0] + address if address.startswith("?") else address for address in found]
    return [address for address in whole if address.startswith("/") and not LEADS_OUT.search(address)]


def refused_forms(html: str, here: str, user: User) -> list[tuple[str, str]]:
    """Forms that send to a page whose door this person's roles do not open."""
    doors = [(address, resolve(address.partition("?")[0]).func) for address in addresses(html, POSTS, here)]
    asked = [(address, getattr(getattr(view, "door", None), "permission", None)) for address, view in doors]
    return [(here, address) for address, permission in asked if permission and not user.may(permission)]


def walk(user: User, start: str = "/") -> tuple[int, list[tuple[Any, ...]]]:
    """How many pages were opened from the first one on, and the links that led nowhere: status, address, found on."""
    browser = sign_in(Browser(), user)
    opened: Counter[tuple[str, ...]] = Counter()
    nowhere: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    ahead: deque[tuple[str, str]] = deque([(start, "")])
    while ahead:
        address, found_on = ahead.popleft()
        kind = kind_of(address)
        path, asks, _query = address.partition("?")
        if address in seen or opened[kind] >= (1 if asks else OF_A_KIND) or FILES.search(path):
            continue
        seen.add(address)
        opened[kind] += 1
        answer = browser.get(address)
        if answer.status_code in (301, 302, 303):
            ahead.append((answer["Location"].partition("#")[0], address))
        elif answer.status_code >= 400:
            nowhere.append((answer.status_code, address, found_on))
        elif answer["Content-Type"].startswith("text/html"):
            html = answer.content.decode()
            ahead.extend((link, address) for link in addresses(html, LINK, address))
            nowhere.extend(refused_forms(html, address, user))
    return len(seen), nowhere
