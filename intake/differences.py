"""What a draft changes, in words: for the admin before publishing, and kept with the version for ever. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext

from intake import fixed
from intake.build import Row
from intake.drafting import Data, opened

TYPE_WORDS = {
    "text": "a line of text",
    "words": "text of any length",
    "choice": "one of several choices",
    "checks": "several of some choices",
    "number": "a number",
    "date": "a day",
}


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Each difference as a sentence; all of it when there was nothing before."""
    old, new = opened(before or _nothing(after)), opened(after)
    return [*_of_packet(old, new), *_of_sections(old, new), *_of_rows(old, new), *_of_order(old, new), *_told(old, new)]


def _nothing(data: Mapping[str, Any]) -> Data:
    return {"key": data["key"], "title": "", "sections": []}


def _of_packet(old: Data, new: Data) -> Iterator[str]:
    if old["title"] != new["title"]:
        yield _reads(gettext("The name"), old["title"], new["title"])
    was, now = bool(old.get("by_plan")), bool(new.get("by_plan"))
    if was != now:
        yield (
            gettext("It is no longer offered where a person chooses what to send.")
            if now
            else gettext("It is offered where a person chooses what to send.")
        )


def _of_sections(old: Data, new: Data) -> Iterator[str]:
    was, now = ({each["key"]: each for each in data["sections"]} for data in (old, new))
    for key in (key for key in now if key not in was):
        yield gettext("New section: “{title}”.").format(title=now[key]["title"])
    for key, section in was.items():
        if key not in now:
            yield gettext("Section taken out: “{title}”.").format(title=section["title"])
            continue
        other = now[key]
        if section["title"] != other["title"]:
            yield _reads(gettext("The name of a section"), section["title"], other["title"])
        if section["why"] != other["why"]:
            yield _reads(gettext("Why we ask, in “{title}”").format(title=other["title"]), section["why"], other["why"])
        if section["minutes"] != other["minutes"]:
            yield gettext("“{title}” takes {n} minutes; it was {before}.").format(
                title=other["title"], n=other["minutes"], before=section["minutes"]
            )


def _of_rows(old: Data, new: Data) -> Iterator[str]:
    was, now = ({fixed.name(row): row for row in fixed.rows(data)} for data in (old, new))
    for name, row in now.items():
        before = was.get(name)
        if before is None:
            if not row.get("out"):
                yield gettext("New: “{title}”").format(title=fixed.title(row)) + _kind(row)
        else:
            yield from _of_row(before, row)
    for name, row in was.items():
        if name not in now:
            yield gettext("Deleted: “{title}”.").format(title=fixed.title(row))


def _kind(row: Row) -> str:
    kind = TYPE_WORDS.get(row.get("type", ""), "")
    choices = ", ".join(each["label"] for each in row.get("options", ()))
    required = gettext("has to be answered") if row.get("required") else ""
    said = "; ".join(each for each in (kind, choices, required) if each)
    return f" ({said})." if said else "."


def _of_row(old: Row, new: Row) -> Iterator[str]:
    title = fixed.title(new)
    if bool(old.get("out")) != bool(new.get("out")):
        words = gettext("Left out: “{title}”.") if new.get("out") else gettext("Put back: “{title}”.")
        yield words.format(title=title)
    if fixed.title(old) != title:
        yield _reads(gettext("A question"), fixed.title(old), title)
    for key, what in (("hint", gettext("The hint of “{title}”")), ("none", gettext("The last box of “{title}”"))):
        if (old.get(key) or "") != (new.get(key) or ""):
            yield _reads(what.format(title=title), old.get(key) or "", new.get(key) or "")
    was, now = ([each["label"] for each in row.get("options", ())] for row in (old, new))
    if was != now:
        yield _reads(gettext("The choices of “{title}”").format(title=title), ", ".join(was), ", ".join(now))
    if bool(old.get("required")) != bool(new.get("required")):
        words = (
            gettext("“{title}” has to be answered.") if new.get("required") else gettext("“{title}” may be skipped.")
        )
        yield words.format(title=title)
    if (old.get("type"), old.get("minimum"), old.get("maximum")) != (
        new.get("type"),
        new.get("minimum"),
        new.get("maximum"),
    ):
        yield gettext("The kind of answer to “{title}”").format(title=title) + _kind(new)


def _of_order(old: Data, new: Data) -> Iterator[str]:
    if _moved([each["key"] for each in old["sections"]], [each["key"] for each in new["sections"]]):
        order = ", ".join(each["title"] for each in new["sections"])
        yield gettext("Sections in this order: {order}.").format(order=order)
    was = {each["key"]: [fixed.name(row) for row in each["pages"]] for each in old["sections"]}
    for section in new["sections"]:
        now = [fixed.name(row) for row in section["pages"]]
        if _moved(was.get(section["key"], []), now):
            order = ", ".join(fixed.title(row) for row in section["pages"] if not row.get("out"))
            yield gettext("In “{title}”, in this order: {order}").format(title=section["title"], order=order)


def _moved(old: list[str], new: list[str]) -> bool:
    """Whether what is in both stands in another order."""
    return [each for each in old if each in new] != [each for each in new if each in old]


def _told(old: Data, new: Data) -> Iterator[str]:
    was, now = (data.get("said", {}).get("es", {}) for data in (old, new))
    for words, said in now.items():
        if was.get(words) != said:
            yield gettext("In Spanish, “{words}” is “{said}”.").format(words=words, said=said)


def _reads(what: str, old: str, new: str) -> str:
    if not old:
        return gettext("{what}: “{new}”.").format(what=what, new=new)
    if not new:
        return gettext("{what} is gone; it was “{old}”.").format(what=what, old=old)
    return gettext("{what}: “{new}” in place of “{old}”.").format(what=what, new=new, old=old)
