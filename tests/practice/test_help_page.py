import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practice.models import Practice
from practice.views.settings import write_card


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR, settings.HELP_PAGE = tmp_path, str(tmp_path / "public" / "help-now.html")
    return tmp_path


def test_help_page_is_written_for_the_proxy(folder: Path) -> None:
    (folder / "practice-card.json").write_text(
        json.dumps({"name": "Cedar House", "phone": "555 0110", "hours": "weekdays 8 am to 5 pm", "hours_es": ""})
    )
    call_command("help_page", stdout=StringIO())
    page = (folder / "public" / "help-now.html").read_text()
    assert [
        part for part in ('href="tel:988"', "Cedar House", "555 0110", "weekdays 8 am to 5 pm") if part not in page
    ] == []
    assert [p.name for p in (folder / "public").iterdir()] == ["help-now.html"]


def test_help_page_follows_the_settings_of_the_practice(folder: Path) -> None:
    write_card(Practice(name="Cedar House", phone="555 0999"))
    assert "555 0999" in (folder / "public" / "help-now.html").read_text()


def test_help_page_without_a_file_says_what_is_missing(folder: Path, settings: Any) -> None:
    settings.HELP_PAGE = ""
    with pytest.raises(CommandError, match="Name a file, or set HELP_PAGE"):
        call_command("help_page", "")
