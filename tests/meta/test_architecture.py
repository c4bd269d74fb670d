"""Which package may import which, as a table. A new module is governed the moment it exists."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# package -> what of ours it may import besides itself; the longest matching name governs a module
MAY_IMPORT: dict[str, set[str]] = {
    "practice.clinical": set(),
    "practice": {"practice.clinical"},
    "intake": {"practice", "practice.clinical"},
    "referrals": {"practice", "practice.clinical", "intake"},
    "practice.kap": {"practice", "practice.clinical", "intake", "referrals"},
    "practice.urls": {"practice", "practice.clinical", "intake", "referrals", "practice.kap"},
}
# Names that are data of a lower layer, not code: a dotted path in a string is not an import.
BANNED_IN_CLINICAL = {"django", "celery", "time", "random", "sqlite3", "psycopg"}
BANNED_NAMES = {"utils.py", "helpers.py", "services.py", "managers.py", "constants.py", "common.py", "selectors.py"}


def modules() -> list[Path]:
    return [
        p
        for package in ("practice", "intake", "referrals")
        for p in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in p.parts
    ]


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def governed_by(name: str) -> str | None:
    homes = [home for home in MAY_IMPORT if name == home or name.startswith(home + ".")]
    return max(homes, key=len) if homes else None


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = dotted(path).split(".")
                package = here if path.name == "__init__.py" else here[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], base]).rstrip(".")
            found |= {f"{base}.{alias.name}" for alias in node.names} if base else set()
    return found


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_module_imports_only_what_lies_below_it(path: Path) -> None:
    home = governed_by(dotted(path))
    assert home is not None
    wrong = {
        name
        for name in imports(path)
        if (there := governed_by(name)) and there != home and there not in MAY_IMPORT[home]
    }
    assert wrong == set()


@pytest.mark.parametrize("path", [p for p in modules() if "clinical" in p.parts], ids=dotted)
def test_clinical_module_knows_no_framework_and_no_clock(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & BANNED_IN_CLINICAL == set()
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert calls & {"today", "now", "utcnow"} == set()


def test_practice_package_is_empty() -> None:
    assert (ROOT / "practice" / "__init__.py").read_text() == ""


def test_no_room_without_a_name() -> None:
    assert {p.name for p in modules()} & BANNED_NAMES == set()


def test_project_knows_one_signal() -> None:
    made = [
        dotted(p)
        for p in modules()
        if any("django.dispatch" in name or "django.db.models.signals" in name for name in imports(p))
    ]
    assert made == ["intake.signals"]
