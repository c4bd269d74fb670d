"""The practice's own wording of an agreement: plain lines in, parts and points out. Pure; nothing in it is a template.

    # Title of a part
    The part in one plain line.
    - A point.
    + Words beside a box that is ticked by itself, for the point above.

Any other line is a point, too. Lines that only part the text may be empty.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.translation import gettext

from intake.agreement import Agreement, Must, Part, Point

UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\u200b-\u200f]")  # marks that nobody sees come along with copies
PARTS, POINTS, LINE = 20, 80, 1000


class Unclear(ValueError):
    """The text cannot be read as parts and points. Its message is a sentence for whoever wrote it."""


def cleaned(text: str) -> str:
    """The text as it is kept. Raises Unclear for a character that cannot be."""
    text = unicodedata.normalize("NFC", UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    if any(unicodedata.category(letter) in ("Cs", "Cc") and letter not in "\n\t" for letter in text):
        raise Unclear(gettext("There is a character here that cannot be kept. Take it out, or type the text again."))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


def parts(body: str) -> tuple[Part, ...]:
    """Return the parts of this text. Raises Unclear with the line that is wrong and what to do."""
    found: list[tuple[str, str, list[Point]]] = []
    total = 0
    for number, raw in enumerate(body.split("\n"), 1):
        line = " ".join(raw.split())
        if not line:
            continue
        if len(line) > LINE:
            raise Unclear(gettext("Line {n} is too long. Make it two points.").format(n=number))
        mark, words = (line[0], line[1:].strip()) if line[0] in "#-+" else ("", line)
        if not words:
            raise Unclear(gettext("Line {n} has a mark and no words.").format(n=number))
        if mark == "#":
            _whole(found)
            found.append((words, "", []))
            continue
        if not found:
            raise Unclear(
                gettext("Line {n} comes before the first part. Begin with a title: # What we do").format(n=number)
            )
        title, plain, points = found[-1]
        if mark == "+":
            if not points or points[-1].ack:
                raise Unclear(
                    gettext("Line {n} is for a box, but there is no point above it that has none yet.").format(n=number)
                )
            points[-1] = Point(points[-1].key, points[-1].text, words)
        elif not plain:
            if mark:
                raise Unclear(
                    gettext("Line {n}: first say in one plain line what “{part}” is about.").format(
                        n=number, part=title
                    )
                )
            found[-1] = (title, words, points)
        else:
            total += 1
            points.append(Point(f"p{total}", words, ""))
    _whole(found)
    if not found:
        raise Unclear(gettext("Write the text, part by part. A part begins with its title: # What we do"))
    if len(found) > PARTS or total > POINTS:
        raise Unclear(
            gettext("This is too much to read: at most {parts} parts and {points} points.").format(
                parts=PARTS, points=POINTS
            )
        )
    return tuple(Part(title, plain, tuple(points)) for title, plain, points in found)


def _whole(found: Sequence[tuple[str, str, list[Point]]]) -> None:
    if found and not (found[-1][1] and found[-1][2]):
        raise Unclear(
            gettext("The part “{part}” needs one plain line and at least one point.").format(part=found[-1][0])
        )


def body_of(text: Agreement) -> str:
    """The text as its author would type it."""
    return "\n\n".join("\n".join(_part_lines(part)) for part in text.parts)


def _part_lines(part: Part) -> Iterator[str]:
    yield f"# {part.title}"
    yield part.line
    for point in part.points:
        yield f"- {point.text}"
        if point.ack:
            yield f"+ {point.ack}"


def fingerprint(document: str, version: str, title: str, summary: str, sign: str, body: str) -> str:
    """The SHA-256 of a text of the practice's own: of all that a client is shown of it."""
    whole = json.dumps([document, version, title, summary, sign, body], ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


# --- What it must say ------------------------------------------------------------------------------------------------


def missing(wanted: Sequence[Must], text: Agreement, *, part2: bool) -> list[Must]:
    """The elements that are asked of this text and that no word of it speaks of."""
    said = " ".join(" ".join(sentence.split()) for _kind, sentence in lines(text)).casefold()
    return [
        must
        for must in wanted
        if (part2 or not must.part2) and not all(any(_stands(word, said) for word in group) for group in must.says)
    ]


def speaking_of(must: Must, text: Agreement) -> list[Point]:
    """The fewest points of this text that say of the element all that its points say, in their order."""
    points = [point for part in text.parts for point in part.points]
    said = {n: _groups(must, point.text) for n, point in enumerate(points)}
    left, chosen = set[int]().union(*said.values()), set[int]()
    while left:
        best = max(said, key=lambda n: (len(said[n] & left), -n))
        chosen.add(best)
        left -= said[best]
    return [points[n] for n in sorted(chosen)]


def _groups(must: Must, sentence: str) -> set[int]:
    said = " ".join(sentence.split()).casefold()
    return {n for n, group in enumerate(must.says) if any(_stands(word, said) for word in group)}


def _stands(word: str, said: str) -> bool:
    """Whether a word of `said` begins with it: "ect" is not found in "effect"."""
    return re.search(rf"(?<!\w){re.escape(word.casefold())}", said) is not None


# --- What is different -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    kind: str
    """added, removed or changed."""
    was: str
    now: str


def lines(text: Agreement) -> list[tuple[str, str]]:
    """Every sentence or so that a client is shown, with what it is."""
    found = [("title", text.title), ("summary", text.summary)]
    for part in text.parts:
        found += [("part", part.title), ("line", part.line)]
        for point in part.points:
            found.append(("point", point.text))
            if point.ack:
                found.append(("ack", point.ack))
    return [*found, ("sign", text.sign)]


def changes(before: Agreement, after: Agreement) -> list[Change]:
    """What somebody reads differently, in the order of the text."""
    old, new = lines(before), lines(after)
    found = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        was, now = [words for _kind, words in old[a:b]], [words for _kind, words in new[c:d]]
        both = min(len(was), len(now))
        found += [Change("changed", *pair) for pair in zip(was[:both], now[:both], strict=True)]
        found += [Change("removed", words, "") for words in was[both:]]
        found += [Change("added", "", words) for words in now[both:]]
    return found
