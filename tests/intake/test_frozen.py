"""Packets and agreements are frozen once released: a change is a new version."""

import hashlib
from pathlib import Path

import pytest

from intake import agreement, packet

ROOT = Path(packet.__file__).parent


@pytest.mark.parametrize("kind", ["packets", "agreements"])
def test_no_released_text_was_changed(kind: str) -> None:
    """Security check 78: edit a copy under the next version, never the file itself."""
    locked = dict(
        reversed(line.split("  ")) for line in (ROOT / f"{kind}.lock").read_text(encoding="utf-8").splitlines()
    )
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ROOT / kind).glob("*.toml")}
    assert found == locked


# What each agreement must hold (45 CFR 164.520; consent to therapy, telehealth and ketamine), by the key of its point.
MUST = {
    "npp_ack": {"offered", "not_signed", "part2"},
    "treatment": {
        "services",
        "risks",
        "benefits",
        "alternatives",
        "limit_danger",
        "limit_abuse",
        "limit_court",
        "fees",
        "cancellation",
        "after_hours",
        "complaints",
        "stop",
    },
    "telehealth": {"location", "emergency", "technology", "present", "state"},
    "communications": {"risk", "times", "stop"},
    "ketamine": {
        "off_label",
        "compounded",
        "route",
        "benefit",
        "common",
        "serious",
        "abuse",
        "organs",
        "pregnancy",
        "interactions",
        "driving",
        "alcohol",
        "alternatives",
        "cost",
        "stop",
        "touch",
        "recording",
        "emergency",
    },
}


@pytest.mark.parametrize("key", MUST)
def test_an_agreement_says_all_it_must_with_a_plain_line_above_each_part(key: str) -> None:
    text = agreement.load(key, "1")
    assert MUST[key] - {point.key for part in text.parts for point in part.points} == set()
    assert [part.title for part in text.parts if not part.line] == []
    assert text.summary and text.sign


def test_what_ketamine_can_do_is_acknowledged_point_by_point() -> None:
    """Feature B4."""
    found = {point.key for point in agreement.load("ketamine", "1").acknowledgements}
    assert found == {"off_label", "compounded", "abuse", "driving"}


def test_an_agreement_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"no agreement called '\.\./packets/intake'"):
        agreement.load("../packets/intake", "1")
