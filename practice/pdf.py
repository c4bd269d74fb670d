"""Letters and copies as tagged PDF, made by typst from templates/letters/*.typ.

What people wrote reaches the template as data (JSON), never as markup, so no text can turn into a command.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import typst
from django.conf import settings

FOLDER = settings.ROOT / "templates" / "letters"


def render(letter: str, data: Mapping[str, Any]) -> bytes:
    """Return the PDF of templates/letters/<letter>.typ. Fonts are typst's own, so every machine makes the same."""
    made: bytes = typst.compile(
        str(FOLDER / f"{letter}.typ"),
        root=str(FOLDER),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards="ua-1",
    )
    return made


def pages(made: bytes) -> int:
    """Return how many pages a PDF made here has."""
    found = re.search(rb"/Type/Pages/Count (\d+)", made)
    if found is None:
        raise ValueError("This PDF does not say how many pages it has.")
    return int(found[1])
