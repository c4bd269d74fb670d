"""Every number of clinical meaning has a source that docs/clinical-sources.md names, and none is named in vain."""

import re
import tomllib
from pathlib import Path
from typing import Any

CLINICAL = Path("practice/clinical")
ROOMS = (Path("practice"), Path("intake"), Path("referrals"))  # where a file may name a source too
DOCS = Path("docs/clinical-sources.md").read_text(encoding="utf-8")
TAG = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")
LISTED = set(re.findall(r"^\| `([A-Z0-9-]+)` \|", DOCS, re.MULTILINE))
NUMBERS = ("escalation.py", "infusion.py", "kap.py", "risk.py")


def _in_data() -> dict[str, set[str]]:
    return {
        str(path): set(_sources(tomllib.loads(path.read_text(encoding="utf-8"))))
        for path in [*CLINICAL.rglob("*.toml"), *(path for room in ROOMS for path in room.glob("*.toml"))]
    }


def _sources(node: Any) -> list[str]:
    if isinstance(node, list):
        return [tag for member in node for tag in _sources(member)]
    if not isinstance(node, dict):
        return []
    own = [tag for tag in node.get("sources", ()) if TAG.fullmatch(tag)]
    return own + [tag for name, member in node.items() if name != "sources" for tag in _sources(member)]


def _in_code() -> set[str]:
    found: set[str] = set()
    for path in CLINICAL.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"Sources?: (.*)", text):
            found |= {tag for tag in TAG.findall(line) if tag in LISTED or "-" in tag}
        for line in re.findall(r"  # ([A-Z].*)$", text, re.MULTILINE):
            found |= {tag for tag in TAG.findall(line) if len(tag) > 2}
    for path in (path for room in ROOMS for path in room.glob("*.py")):
        for line in re.findall(r"Sources?: (.*)", path.read_text(encoding="utf-8")):
            found |= {tag for tag in TAG.findall(line) if tag in LISTED or "-" in tag}
    return found


def test_every_tag_in_a_file_is_listed() -> None:
    assert {path: tags - LISTED for path, tags in _in_data().items() if tags - LISTED} == {}
    assert _in_code() - LISTED == set()


def test_every_listed_tag_is_used() -> None:
    used = set().union(*_in_data().values()) | _in_code()
    assert LISTED - used == set()


def test_every_instrument_and_rule_names_a_source() -> None:
    for path in (CLINICAL / "instruments").glob("*.toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8"))["sources"]
    for path in (CLINICAL / "rules").glob("[0-9]-*.toml"):
        assert all(row["sources"] for row in tomllib.loads(path.read_text(encoding="utf-8"))["rules"])


def test_every_numeric_constant_carries_its_tag() -> None:
    for name in NUMBERS:
        lines = (CLINICAL / name).read_text(encoding="utf-8").splitlines()
        constants = [line for line in lines if re.match(r"[A-Z0-9_]+ = \(?\d", line)]
        assert constants, name
        for line in constants:
            assert set(TAG.findall(line.partition("  # ")[2])) & LISTED, line


def test_what_is_recalled_or_ours_is_marked() -> None:
    rows = dict(re.findall(r"^\| `([A-Z0-9-]+)` \|(.*)$", DOCS, re.MULTILINE))
    for tag in ("MISSING-2", "IMMPACT", "SMITH-2010", "ATRQ-DOSES", "WILLIAMS-2018", "KETAMINE-LABEL", "STATE-LAW"):
        assert "[M]" in rows[tag]
    assert "[O]" in rows["OWN"] and "[O]" in rows["CLOCKS"]
    assert "(secondary)" in rows["RAPMASTERS"] and "(secondary)" in rows["VA-CRITERIA"]
