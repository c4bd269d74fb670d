"""The words of a release: frozen texts in referrals/releases/*.toml, filled in with who, what, why and until when.

A release keeps the fingerprint of the texts and of what was filled in, so that it can be shown what was signed.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from django.utils import translation

from intake import agreement
from intake.agreement import Agreement, Part, Point
from practice.clinical.shelf import Shelf
from practice.models import Practice
from practice.templatetags.ui import full_day
from referrals.models import Release, Section

SHELF = Shelf(Path(__file__).parent / "releases", "release text")
ROI, PART2 = "roi", "part2"
BLANK = re.compile(r"\{(practice|clinic|client|purpose|until)\}")
SECTIONS = "{sections}"


@cache
def load(key: str, version: str | None = None) -> Agreement:
    """Return a text with its blanks still in it. Raises ValueError when there is none such."""
    return agreement.read(SHELF.path(key, version))


@cache
def details(version: str | None = None) -> dict[str, str]:
    """What each section holds, in one plain line, by its code."""
    return dict(tomllib.loads(SHELF.path(ROI, version).read_text(encoding="utf-8"))["details"])


def texts(release: Release) -> list[Agreement]:
    """The texts of this release as they read for it: the authorization, and the consent of 42 CFR 2.31 if it has it."""
    keys = [ROI, PART2] if release.part2 else [ROI]
    with translation.override(release.language):  # of the text, whoever reads it
        return [_filled(load(key, release.document_version), release) for key in keys]


def _filled(text: Agreement, release: Release) -> Agreement:
    blanks = {
        "practice": Practice.get().name,
        "clinic": release.recipient,
        "client": release.client.legal_name or release.client.name,
        "purpose": release.purpose,
        "until": full_day(release.expires_on),
    }
    parts = tuple(
        Part(_fill(part.title, blanks), _fill(part.line, blanks), tuple(_points(part, release, blanks)))
        for part in text.parts
    )
    return replace(text, summary=_fill(text.summary, blanks), sign=_fill(text.sign, blanks), parts=parts)


def _points(part: Part, release: Release, blanks: Mapping[str, str]) -> list[Point]:
    found: list[Point] = []
    for point in part.points:
        if point.text == SECTIONS:
            found += [Point(code, words, "") for code, words in section_lines(release)]
        else:
            found.append(Point(point.key, _fill(point.text, blanks), point.ack))
    return found


def section_lines(release: Release) -> list[tuple[str, str]]:
    """Each section that the release names, with what it holds."""
    known = details(release.document_version)
    return [(str(section), f"{section.label}. {known[section]}") for section in Section if section in release.sections]


def _fill(words: str, blanks: Mapping[str, str]) -> str:
    """Once over, so that braces in what people wrote stay what they are."""
    return BLANK.sub(lambda match: blanks[match[1]], words)


def fingerprint(release: Release) -> str:
    """SHA-256 of the frozen texts and of what this release fills in."""
    keys = [ROI, PART2] if release.part2 else [ROI]
    said = [
        [load(key, release.document_version).sha256 for key in keys],
        release.recipient,
        sorted(release.sections),
        release.purpose,
        release.expires_on.isoformat(),
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()
