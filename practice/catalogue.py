"""Reads a catalogue of translations (.po) and builds the file that Python's gettext loads (.mo), without any tool.

Only what our catalogues use: context, plural, strings over several lines, comments.
"""

import ast
import re
import struct
from dataclasses import dataclass, field

MAGIC = 0x950412DE
LINE = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d)\])?)?\s*(".*")$')


@dataclass
class Entry:
    words: str = ""
    context: str = ""
    plural: str = ""
    said: dict[int, str] = field(default_factory=dict)
    """The translation, by plural form; form 0 is the only one of most."""

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.words


def read(text: str) -> list[Entry]:
    """Return the entries of a .po file, its header first. Raises ValueError with the line that cannot be read."""
    found: list[Entry] = []
    at, form = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.match(line)
        if match is None:
            raise ValueError(f"line {number}: {line}")
        keyword, words = match[1] or at, ast.literal_eval(match[3])
        if match[1]:
            form = int(match[2] or 0)
            if keyword == "msgctxt" or (keyword == "msgid" and at != "msgctxt"):
                found.append(Entry())
        at = keyword
        entry = found[-1]
        if keyword == "msgctxt":
            entry.context += words
        elif keyword == "msgid":
            entry.words += words
        elif keyword == "msgid_plural":
            entry.plural += words
        else:
            entry.said[form] = entry.said.get(form, "") + words
    return found


def compiled(entries: list[Entry]) -> bytes:
    """Return the bytes of the .mo file: the format of GNU gettext, sorted, without a hash table."""
    rows = sorted((_id(entry).encode(), _said(entry).encode()) for entry in entries)
    ids, words, table = b"", b"", []
    for key, said in rows:
        table.append((len(key), len(ids), len(said), len(words)))
        ids, words = ids + key + b"\0", words + said + b"\0"
    start = 7 * 4 + 16 * len(rows)
    keys = [number for length, at, _, _ in table for number in (length, start + at)]
    values = [number for _, _, length, at in table for number in (length, start + len(ids) + at)]
    head = struct.pack("<7I", MAGIC, 0, len(rows), 28, 28 + 8 * len(rows), 0, start)
    return head + struct.pack(f"<{4 * len(rows)}I", *keys, *values) + ids + words


def _said(entry: Entry) -> str:
    return "\0".join(entry.said[form] for form in sorted(entry.said))


def _id(entry: Entry) -> str:
    words = f"{entry.words}\0{entry.plural}" if entry.plural else entry.words
    return f"{entry.context}\4{words}" if entry.context else words
