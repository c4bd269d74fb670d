"""What a reviewer would refuse, refused here (security check 18). Each exception is listed with its reason."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [p for d in ("practice", "intake", "referrals") for p in (ROOT / d).rglob("*.py") if "migrations" not in p.parts]
VIEWS = [p for p in CODE if "views" in p.parts]
PAGES = sorted((ROOT / "templates").rglob("*.html"))

# pattern -> (why it is refused, {file: why it may stand there})
REFUSED = {
    r"mark_safe|SafeString\(|\|safe\b": (
        "markup is made by format_html and autoescape",
        {"practice/charts/drawing.py": "every attribute and text passes through escape first"},
    ),
    r"\.raw\(|\.extra\(|RawSQL": ("SQL is made by the ORM", {}),
    r"\.cursor\(": (
        "SQL is made by the ORM",
        {
            "practice/backups.py": "a snapshot of the whole database, counted at its moment, is below the ORM",
            "practice/restoring.py": "integrity, foreign keys and emptiness of another database; no input in it",
            "practice/erasure.py": "PRAGMA secure_delete",
            "practice/frozen_triggers.py": "triggers are no rows; no input in it",
            "practice/moving_in.py": "sequences, statistics and a timeout; no input in it",
            "practice/views/public.py": "the health check's SELECT 1",
        },
    ),
    r"csrf_exempt": (
        "every POST carries a token",
        {"practice/pages.py": "@signed: another system and mail programs have no page of ours; they carry a signature"},
    ),
    r"date\.today\(|datetime\.now\(|utcnow\(": ("the clock is passed in; views read timezone.now()", {}),
    r"\bTemplate\(|from_string\(": ("text that people can edit is never a template", {}),
    r"\bprint\(": ("logs go through logging", {}),
    r"select_for_update\((?!(?:of=\([^)]*\), )?no_key=True)": (
        "a row held with its key makes whoever names it wait at their commit, with the trail in hand: a deadlock",
        {},
    ),
    r"help_text=(?!_\(|escape)": (
        "help text is printed by the form pack; only our own words",
        {
            "referrals/views/known.py": "names of staff are in it; tests/referrals/test_known.py proves them escaped",
            "intake/views/instrument_wording.py": "a practice's wording is in it; tests/intake/test_instruments.py too",
        },
    ),
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_refused_pattern_stands_nowhere_unexplained(pattern: str) -> None:
    why, explained = REFUSED[pattern]
    found = {
        str(p.relative_to(ROOT))
        for p in [*CODE, *PAGES]
        if re.search(pattern, p.read_text()) and str(p.relative_to(ROOT)) not in explained
    }
    assert found == set(), why


def test_views_obtain_clients_rows_in_scope() -> None:
    """A view that fetches a row by its key goes through client_of, record_of or visible_to."""
    rows = "Client|Alert|Assessment|Intake|Invitation|Signature|Note|Suggestion|Task"
    fetched = re.compile(rf"\b(?:{rows})\.objects\.get\(")
    assert [str(p.relative_to(ROOT)) for p in VIEWS if fetched.search(p.read_text())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "templates")))
def test_page_has_no_inline_style_or_script_and_no_foreign_origin(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"\sstyle=|<style|\son\w+=|javascript:", text) == []
    assert [s for s in re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) if "application/json" not in s] == []
    loaded = re.findall(r'<(?:script|link|img|iframe|source)[^>]*?(?:src|href)="(https?:[^"]*)"', text)
    assert loaded == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "templates")))
def test_post_form_carries_its_key(page: Path) -> None:
    text = page.read_text()
    forms = re.findall(r'<form\b[^>]*method="post".*?</form>', text, re.DOTALL | re.IGNORECASE)
    theirs = {"account", "mfa", "usersessions"} & set(page.parts) or page.stem in {"account_menu", "kept_form"}
    key = r"{% form_key %}|{% csrf_token %}|name=.csrfmiddlewaretoken" if theirs else r"{% form_key %}"
    assert [form[:120] for form in forms if not re.search(key, form)] == []


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    foreign = re.compile(r"(?:^|[^\w.-])/(?:work|root)/|registry\.npmjs|pypi\.org|files\.pythonhosted|deb\.debian")
    found = [
        str(p.relative_to(ROOT))
        for p in ROOT.rglob("*")
        if p.is_file()
        and not {"var", "node_modules", "vendor"} & set(p.relative_to(ROOT).parts)
        and not any(part.startswith(".") and part != ".ci" for part in p.relative_to(ROOT).parts[:-1])
        and p.suffix in {".py", ".md", ".toml", ".txt", ".in", ".yml", ".sh", ".html", ".js", ".css", ""}
        and p != Path(__file__)
        and foreign.search(p.read_text(errors="ignore"))
    ]
    assert found == []
