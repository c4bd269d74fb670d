"""Letters and copies as tagged PDF, made by typst from templates/letters/*.typ.

What people wrote reaches the template as data (JSON), never as markup, so no text can turn into a command.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import typst
from django.conf import settings

FOLDER = settings.ROOT / "templates" / "letters"
ROUNDS = 20  # more than any text needs; each round says every sign that is missing then
_MISSING = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")


def render(letter: str, data: Mapping[str, Any]) -> bytes:
    """Return the PDF of templates/letters/<letter>.typ. Fonts are typst's own, so every machine makes the same.

    A sign that these fonts lack, such as an emoji, is told in words: without that there would be no letter at all.
    """
    told: dict[int, str] = {}
    for _round in range(ROUNDS):
        try:
            return _compiled(letter, _told(data, told) if told else data)
        except typst.TypstError as trouble:
            missing = _missing(str(trouble.diagnostic))
            if not missing.keys() - told.keys():
                raise
            told |= missing
    return _compiled(letter, _told(data, told))


def _compiled(letter: str, data: Mapping[str, Any]) -> bytes:
    made: bytes = typst.compile(
        str(FOLDER / f"{letter}.typ"),
        root=str(FOLDER),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards="ua-1",
    )
    return made


def _missing(trouble: str) -> dict[int, str]:
    """The signs that no font has, with the words that stand in their place."""
    said = "".join(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), each) for each in _MISSING.findall(trouble))
    return {ord(sign): in_words(sign) for sign in said}


def in_words(sign: str) -> str:
    """Return "[thumbs up sign]" for a picture, "[U+4E2D]" for a letter, and nothing for what nobody sees anyway."""
    kind = unicodedata.category(sign)
    if kind in ("Cc", "Cf", "Cs", "Cn", "Sk", "Mn", "Me"):
        return ""
    name = unicodedata.name(sign, "").lower() if kind.startswith("S") else ""
    return f"[{name or f'U+{ord(sign):04X}'}]"


def _told(value: Any, told: Mapping[int, str]) -> Any:
    if isinstance(value, str):
        return value.translate(told)
    if isinstance(value, Mapping):
        return {key: _told(each, told) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(each, told) for each in value]
    return value


def pages(made: bytes) -> int:
    """Return how many pages a PDF made here has."""
    found = re.search(rb"/Type/Pages/Count (\d+)", made)
    if found is None:
        raise ValueError("This PDF does not say how many pages it has.")
    return int(found[1])
