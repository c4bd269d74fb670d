"""The twelve instruments as frozen data."""

import hashlib
from pathlib import Path

import pytest

from practice.clinical import instrument as module
from practice.clinical.instrument import Instrument, all_instruments, load

LOCK = Path(module.__file__).with_name("instruments.lock")
NOTICES = Path("docs/notices-instruments.md")

ITEMS = {
    "asq": 6,
    "audit-c": 3,
    "b-ipf": 7,
    "cssrs-screener-recent": 7,
    "gad-7": 7,
    "pc-ptsd-5": 6,
    "pcl-5": 20,
    "peg": 3,
    "phq-2": 2,
    "phq-9": 10,
    "sisq-drug": 1,
    "wbs-2": 3,
}
SAFETY = {
    "phq-9": ("phq9-9",),
    "asq": ("asq-1", "asq-2", "asq-3", "asq-4", "asq-5"),
    "cssrs-screener-recent": ("cssrs-1", "cssrs-2", "cssrs-3", "cssrs-4", "cssrs-5", "cssrs-6", "cssrs-6r"),
}
INSTRUMENTS = all_instruments()


def _links(instrument: Instrument, answers: dict[str, int]) -> list[str]:
    return [item.link_id for item in instrument.applicable_items(answers)]


def test_every_shipped_instrument_loads_with_all_its_items() -> None:
    assert {one.key: len(one.items) for one in INSTRUMENTS} == ITEMS
    assert all(one.licence.ship and one.licence.notice and one.version.isdigit() for one in INSTRUMENTS)


def test_every_instrument_has_a_short_name_that_its_title_holds() -> None:
    assert set(module.SHORT_NAMES) == set(ITEMS)
    assert [one.key for one in INSTRUMENTS if one.short_name not in one.title] == ["sisq-drug"]


def test_bands_cover_the_whole_scale_without_a_gap() -> None:
    assert load("phq-9").ranges == [
        (0, 4, "Minimal or none"),
        (5, 9, "Mild"),
        (10, 14, "Moderate"),
        (15, 19, "Moderately severe"),
        (20, 27, "Severe"),
    ]
    assert [name for _low, _high, name in load("pcl-5").ranges] == [
        "Below provisional cut-point",
        "At or above provisional cut-point (31)",
    ]


def test_a_released_instrument_file_is_never_edited() -> None:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    locked = {name: sha256 for sha256, name in (line.split("  ") for line in lines)}
    now = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in module.SHELF.folder.glob("*.toml")}
    assert now == locked, "Give a changed instrument a new version and file, and add it to instruments.lock."


def test_file_names_say_key_and_version() -> None:
    for path in module.SHELF.folder.glob("*.toml"):
        key, version = path.stem.rsplit(".", 1)
        found = load(key, version)
        assert (found.key, found.version) == (key, version)


def test_load_is_cached_and_knows_only_what_exists() -> None:
    assert load("phq-9") is load("phq-9", "1")
    with pytest.raises(ValueError, match=r"^There is no instrument called 'phq-10'\.$"):
        load("phq-10")
    with pytest.raises(ValueError, match=r"^There is no version '7' of the instrument 'phq-9'\.$"):
        load("phq-9", "7")
    with pytest.raises(ValueError, match=r"has no question called 'phq9-11'"):
        load("phq-9").item("phq9-11")


def test_the_wording_fingerprint_differs_by_instrument_and_is_stable() -> None:
    prints = {one.wording_sha256 for one in INSTRUMENTS}
    assert len(prints) == len(INSTRUMENTS)
    assert all(len(print_) == 64 for print_ in prints)


def test_suicide_items_are_marked_and_no_other() -> None:
    marked = {one.key: tuple(item.link_id for item in one.safety_items) for one in INSTRUMENTS if one.safety_items}
    assert marked == SAFETY


def test_an_instrument_with_suicide_items_has_a_flag_for_a_blank() -> None:
    for key in SAFETY:
        gaps = [flag for flag in load(key).flags if flag.gap]
        assert gaps and all(flag.severity == "priority" for flag in gaps)


def test_every_scored_item_and_every_reference_exists() -> None:
    for one in INSTRUMENTS:
        scored = {item.link_id for item in one.items if item.scored}
        assert set(one.scoring.get("items", ())) == scored
        for item in one.items:
            if item.enable_when:
                assert set(item.enable_when.any_of) <= set(one.by_link_id)
        for rule in one.scoring.get("rules", ()):
            assert set(rule["any"]) <= set(one.by_link_id)


def test_option_codes_are_unique_in_an_item_and_find_their_option() -> None:
    for one in INSTRUMENTS:
        for item in one.items:
            codes = [option.code for option in item.options]
            assert len(codes) == len(set(codes))
            assert [item.option(code) for code in codes] == list(item.options)
    drinks = load("audit-c").item("auditc-2")
    none, one_or_two = drinks.option("none"), drinks.option(0)
    assert none is not None and none.label == "None, I do not drink"
    assert one_or_two is not None and one_or_two.label == "1 or 2"
    assert drinks.option(9) is None


def test_gad7_says_not_at_all() -> None:
    """The zero option "Not at all sure" is a known reproduction error (ZOROWITZ-2021)."""
    for item in load("gad-7").items:
        assert [option.label for option in item.options] == [
            "Not at all",
            "Several days",
            "More than half the days",
            "Nearly every day",
        ]


def test_loinc_codes_have_a_right_check_digit() -> None:
    named = ("panel", "total", "risk_level")
    codes = {one.loinc[name] for one in INSTRUMENTS for name in named if name in one.loinc}
    codes |= {item.loinc for one in INSTRUMENTS for item in one.items if item.loinc}
    assert len(codes) == 53
    assert [code for code in sorted(codes) if not _checks(code)] == []


def _checks(code: str) -> bool:
    """Mod 10 double-add-double, as LOINC defines it."""
    digits, check = code.split("-")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10 == int(check)


def test_asq_carries_no_invented_loinc_codes() -> None:
    asq = load("asq")
    assert [item.loinc for item in asq.items] == [None] * 6
    assert not {"panel", "total"} & set(asq.loinc)


def test_the_notice_of_every_instrument_is_in_the_docs() -> None:
    text = NOTICES.read_text(encoding="utf-8")
    for one in INSTRUMENTS:
        assert f"## {one.title}\n" in text
        assert f"> {one.licence.notice}\n" in text
        assert one.licence.conditions in text


def test_cssrs_asks_3_to_5_after_yes_to_2_and_6r_after_yes_to_6() -> None:
    cssrs = load("cssrs-screener-recent")
    start = ["cssrs-1", "cssrs-2", "cssrs-6"]
    assert _links(cssrs, {}) == start
    assert _links(cssrs, {"cssrs-1": 1, "cssrs-2": 0}) == start
    assert _links(cssrs, {"cssrs-2": 1}) == [*start[:2], "cssrs-3", "cssrs-4", "cssrs-5", "cssrs-6"]
    assert _links(cssrs, {"cssrs-6": 1}) == [*start, "cssrs-6r"]
    assert _links(cssrs, {"cssrs-6": 0}) == start


def test_asq_asks_5_after_any_yes_and_how_after_yes_to_4() -> None:
    asq = load("asq")
    first = ["asq-1", "asq-2", "asq-3", "asq-4"]
    assert _links(asq, dict.fromkeys(first, 0)) == first
    for link_id in first[:3]:
        assert _links(asq, {link_id: 1}) == [*first, "asq-5"]
    assert _links(asq, {"asq-4": 1}) == [*first, "asq-4-detail", "asq-5"]


def test_phq9_asks_difficulty_when_any_problem_was_named() -> None:
    phq9 = load("phq-9")
    nine = [f"phq9-{number}" for number in range(1, 10)]
    assert _links(phq9, dict.fromkeys(nine, 0)) == nine
    for link_id in nine:
        assert _links(phq9, {link_id: 1}) == [*nine, "phq9-10"]


def test_pcptsd5_asks_symptoms_after_exposure_only() -> None:
    screen = load("pc-ptsd-5")
    assert _links(screen, {}) == ["pcptsd5-0"]
    assert _links(screen, {"pcptsd5-0": 0}) == ["pcptsd5-0"]
    assert len(_links(screen, {"pcptsd5-0": 1})) == 6


def test_phq2_shares_its_items_with_phq9_so_that_answers_carry_over() -> None:
    phq2, phq9 = load("phq-2"), load("phq-9")
    assert [(item.link_id, item.text) for item in phq2.items] == [(i.link_id, i.text) for i in phq9.items[:2]]
