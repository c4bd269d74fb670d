"""What every page promises: nothing inline, nothing from elsewhere, small, readable in both themes, help in reach."""

import gzip
import re
from pathlib import Path

import pytest
from django.template import engines
from django.template.loader import get_template, render_to_string

from practice.templatetags.ui import icon_names

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "practice" / "static" / "practice"
TEMPLATES = ROOT / "templates"
PAGES = [path for path in sorted(TEMPLATES.rglob("*.html")) if path.relative_to(TEMPLATES).parts[0] != "emails"]
COMPONENTS = sorted((TEMPLATES / "components").glob("*.html"))
CSS = sorted((STATIC / "css").glob("*.css"))
ELSEWHERE = {"https://988lifeline.org/chat/"}  # links a person may follow; nothing is loaded from there


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


INLINE = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)(?![^>]*application/json)", re.I),
    "an event handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.I),
    "a javascript address": re.compile(r"javascript:", re.I),
    "a data address": re.compile(r"[\"'(]data:", re.I),
}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_template_has_nothing_inline(path: Path) -> None:
    text = path.read_text()
    assert [what for what, pattern in INLINE.items() if pattern.search(text)] == []


@pytest.mark.parametrize("path", [*PAGES, *CSS, *sorted((STATIC / "js").glob("*.js"))], ids=name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert [at for at in re.findall(r"https?://[^\s\"'<>)]*", text) if at not in ELSEWHERE] == []
    assert "@import" not in text


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_template_compiles_and_its_icons_exist(path: Path) -> None:
    get_template(str(path.relative_to(TEMPLATES)))
    assert set(re.findall(r"{% icon \"([^\"]+)\"", path.read_text())) - icon_names() == set()


@pytest.mark.parametrize("path", COMPONENTS, ids=name)
def test_component_says_what_it_takes_and_stays_small(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("{# ")
    assert lines[0].endswith(" #}")
    assert len(lines) <= 40


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_components_are_included_with_only(path: Path) -> None:
    included = re.findall(r"{% include \"components/[^%]*%}", path.read_text())
    assert [tag for tag in included if not tag.endswith(" only %}")] == []


def gz(*names: str) -> int:
    return sum(len(gzip.compress((STATIC / each).read_bytes(), 9, mtime=0)) for each in names)


@pytest.mark.parametrize(
    ("files", "most"),
    [
        (["css/base.css", "css/client.css"], 6 * 1024),
        (["css/base.css", "css/staff.css"], 10 * 1024),
        (["js/app.js"], 4 * 1024),
        (["icons.svg"], 4 * 1024),
    ],
    ids=["client styles", "staff styles", "script", "icons"],
)
def test_files_stay_within_their_budget(files: list[str], most: int) -> None:
    assert gz(*files) <= most


def test_font_and_icons_keep_their_licences() -> None:
    assert (STATIC / "fonts" / "ahn-latin.woff2").stat().st_size <= 36 * 1024
    assert "SIL OPEN FONT LICENSE" in (STATIC / "fonts" / "OFL.txt").read_text()
    assert (STATIC / "icons-LICENSE.txt").read_text().startswith("ISC License")


# --- Contrast, computed from the tokens themselves -------------------------------------------------------------------


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+):(#[0-9a-f]{6})", block))


BASE = (STATIC / "css" / "base.css").read_text()
LIGHT = tokens(BASE[BASE.index(":root{") : BASE.index("@media screen and")])
BY_SYSTEM = tokens(BASE[BASE.index("@media screen and") : BASE.index("@media screen{")])
BY_CHOICE = tokens(BASE[BASE.index("@media screen{") : BASE.index("*,*::before")])

READ = [  # text on its ground, at least 4.5 to 1
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in ("paper", "surface", "sunken")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("accent-hover", "accent-soft"),
    ("ink", "accent-soft"),
    ("ink-2", "accent-soft"),
    ("on-safety", "safety"),
    ("on-safety", "safety-hover"),
    *((f"{tone}-text", f"{tone}-soft") for tone in ("safety", "refer", "watch", "good", "quiet")),
    *((f"{tone}-text", ground) for tone in ("safety", "good", "watch") for ground in ("surface", "paper")),
    *(("ink", f"{tone}-soft") for tone in ("refer", "watch", "good")),
    *((f"{tone}-text", f"band{step}") for tone in ("good", "watch") for step in (0, 1, 2)),
    *(("ink-2", f"band{step}") for step in range(5)),
]
SEEN = [  # edges and marks, at least 3 to 1
    *(("line-strong", ground) for ground in ("paper", "surface")),
    *(("focus", ground) for ground in ("paper", "surface", "sunken")),
    *((mark, f"band{step}") for mark in ("ink", "safety") for step in range(5)),
    ("good", "surface"),
]


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, BY_CHOICE], ids=["light", "dark"])
def test_colours_can_be_read_and_seen(theme: dict[str, str]) -> None:
    faint = [(a, b, contrast(theme[a], theme[b])) for a, b in READ if contrast(theme[a], theme[b]) < 4.5]
    faint += [(a, b, contrast(theme[a], theme[b])) for a, b in SEEN if contrast(theme[a], theme[b]) < 3]
    assert faint == []


def test_contrast_of_known_colours() -> None:
    assert (round(contrast("#000000", "#ffffff"), 2), round(contrast("#777777", "#ffffff"), 2)) == (21.0, 4.48)


def test_dark_by_choice_equals_dark_by_system() -> None:
    assert BY_CHOICE == BY_SYSTEM
    assert set(BY_CHOICE) <= set(LIGHT)


def test_every_token_that_is_used_is_defined() -> None:
    for path in CSS:
        text = path.read_text()
        used = set(re.findall(r"var\(--([a-z0-9-]+)", text))
        assert used - set(re.findall(r"--([a-z0-9-]+):", BASE + text)) == set()


# --- Pages that stand when little else does. None of these tests may touch the database. -----------------------------

WAYS = {"tel:988", "sms:988", "tel:911"}


def ways_to_help(html: str) -> set[str]:
    return WAYS & set(re.findall(r'href="([^"]+)"', html))


@pytest.mark.parametrize("page", ["400.html", "403.html", "404.html", "500.html", "503.html", "csrf.html"])
def test_error_page_needs_no_context_and_shows_help(page: str) -> None:
    html = render_to_string(page)
    assert ways_to_help(html) == WAYS
    assert re.findall(r'href="(/help-now/)"', html)[:1] == ["/help-now/"]
    assert len(re.findall(r"<h1", html)) == 1


def test_missing_and_forbidden_pages_are_the_same() -> None:
    assert render_to_string("403.html") == render_to_string("404.html")


def test_fault_page_gives_its_number_and_runs_no_script() -> None:
    html = render_to_string("500.html", {"error_id": "a1b2c3"})
    assert "a1b2c3" in html
    assert "<script" not in html


def test_unsaved_words_come_back_escaped_and_can_be_sent_again() -> None:
    html = render_to_string("503.html", {"path": "/notes/", "fields": [["text", '<b>"Hello"</b>']]})
    assert 'action="/notes/"' in html
    assert html.count("&lt;b&gt;&quot;Hello&quot;&lt;/b&gt;") == 2
    assert "<b>&quot;" not in html
    assert 'name="form_key"' in html


def test_help_page_has_every_way_to_reach_someone() -> None:
    html = render_to_string(
        "practice/help_now.html", {"card": {"name": "Cedar House", "phone": "555 0110", "hours": ""}}
    )
    assert set(re.findall(r'href="((?:tel|sms|https):[^"]+)"', html)) == {
        "tel:988",
        "sms:988",
        "sms:988?body=AYUDA",
        "https://988lifeline.org/chat/",
        "tel:911",
        "sms:838255",
        "sms:741741?body=HOME",
        "tel:+18664887386",
        "sms:678678",
        "tel:5550110",
    }
    assert "press 3" not in html.lower()


def test_help_page_stands_without_the_practice() -> None:
    html = render_to_string("practice/help_now.html", {"card": {}})
    assert ways_to_help(html) == WAYS
    assert "tel:555" not in html


def test_client_page_keeps_the_help_control_and_a_neutral_title() -> None:
    page = engines["django"].from_string(
        '{% extends "base_client.html" %}{% block title %}Question 3 of 9{% endblock %}'
    )
    html = page.render({"practice": {"display_name": "Cedar House", "phone": "555 0110", "hours": "Weekdays."}})
    assert re.findall(r"<title>(.*)</title>", html) == ["Question 3 of 9 - Cedar House"]
    links = re.findall(r'<a[^>]*href="([^"]+)"', html)
    assert links[:3] == ["#main", "/", "/help-now/"]
    assert ways_to_help(html) == WAYS


@pytest.mark.parametrize(("theme", "attribute"), [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"')])
def test_chosen_theme_is_written_by_the_server(theme: str, attribute: str) -> None:
    assert attribute in render_to_string("base.html", {"theme": theme})
    assert "data-theme" not in render_to_string("base.html", {"theme": '"><script>'})
