"""What the documents say is what the code does."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from practice.management.commands.privacy_map import privacy_map

ROOT = Path(settings.ROOT)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_privacy_map_is_that_of_the_models() -> None:
    assert (ROOT / "docs/privacy-map.md").read_text() == privacy_map(), "run manage.py privacy_map --write"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"manage\.py ([a-z_]+)", text))
    assert named - set(get_commands()) == set()
    scripts = set(re.findall(r"(?<![\w/.])((?:bin|deploy|\.ci)/[a-z]+)\b(?!\.)", text))
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def test_settings_a_page_names_exist() -> None:
    """A variable that a document asks for is one that the settings or the compose file read."""
    known = (ROOT / "practice/settings.py").read_text() + (ROOT / "docker-compose.yml").read_text()
    known += (ROOT / "deploy/run").read_text()
    for page in (ROOT / "README.md", ROOT / "docs/deploying.md"):
        named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", page.read_text()))
        assert [name for name in named if name.removesuffix("_FILE") not in known] == [], page.name


@pytest.mark.parametrize("page", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda p: p.name)
def test_decision_is_numbered_short_and_names_its_options(page: Path) -> None:
    lines = page.read_text().splitlines()
    number = page.name.split("-")[0]
    assert re.match(r"# \d{4} [A-Z]", lines[0])
    assert lines[0][2:6] == number
    assert 15 <= len(lines) <= 60
    assert [part for part in ("## Options", "## Decision", "## Consequences") if part not in lines] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(p.name.split("-")[0]) for p in (ROOT / "docs/adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_licence_and_notices_stand_beside_what_they_cover() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:100]
    notice = (ROOT / "NOTICE").read_text()
    for path in re.findall(r"\(([\w./-]+/)", notice):
        assert (ROOT / path).exists(), path
    import tomllib

    for file in (ROOT / "practice/clinical/instruments").glob("*.toml"):
        said = tomllib.loads(file.read_text())
        assert said["licence"]["notice"], file.name
