"""Builds the pages of a packet from its rows, as a file or a version of the practice's own holds them."""

from collections.abc import Iterator, Mapping
from typing import Any

from intake.page import UNSET, Choice, Field, Page, Said
from practice.clinical.instrument import Instrument, Item
from practice.clinical.instrument import load as load_instrument

Row = dict[str, Any]


def pages(section: Row, shared: Mapping[str, Any], said: Said) -> Iterator[Page]:
    """The pages of a section that are asked; a row that is left out waits there to be put back."""
    for row in section["pages"]:
        if not row.get("out"):
            yield from pages_of({"show_when": section.get("show_when", {}), **row}, section["key"], shared, said)


def pages_of(row: Row, section: str, shared: Mapping[str, Any], said: Said) -> list[Page]:
    if "instrument" in row:
        return [_item_page(row, section, item) for item in _items(row)]
    if "agreement" in row:
        from intake.agreement import load as load_agreement

        text = load_agreement(row["agreement"], row["version"])
        return [
            Page(
                slug=f"agreement--{row['agreement'].replace('_', '-')}",
                section=section,
                kind="agreement",
                text=text.title,
                agreement=row["agreement"],
                language=text.language,
                version=row["version"],
                required=row.get("required", False),
                missing=text.title,
                show_when=row["show_when"],
            )
        ]
    kind = "rows" if row.get("type") == "rows" else "group" if "fields" in row else "one"
    fields = row["fields"] if "fields" in row else [{**row, "key": "answer", "label": row["text"]}]
    return [
        Page(
            slug=row["slug"],
            section=section,
            kind=kind,
            text=row["text"],
            fields=tuple(_field(each, shared) for each in fields),
            hint=row.get("hint", ""),
            required=row.get("required", False),
            missing=row.get("missing", ""),
            one_of=tuple(row.get("one_of", ())),
            none=row.get("none", ""),
            row=row.get("row", ""),
            fact=row.get("fact", ""),
            applies=row.get("applies", ""),
            recent=row.get("recent", {}),
            safety=row.get("safety", False),
            positive=tuple(row.get("positive", ())),
            show_when=row["show_when"],
            own=row.get("own", False),
            said=said if row.get("own") else {},
        )
    ]


def _items(row: Row) -> list[Item]:
    instrument = load_instrument(row["instrument"], row["version"])
    return [instrument.item(link_id) for link_id in row["items"]] if "items" in row else list(instrument.items)


def _item_page(row: Row, section: str, item: Item) -> Page:
    return page_of_item(load_instrument(row["instrument"], row["version"]), item, row, section)


def page_of_item(instrument: Instrument, item: Item, row: Mapping[str, Any], section: str) -> Page:
    ends = item.anchors or row.get("anchors", ())
    hint = item.hint
    if ends and item.options:
        hint = f"{item.options[0].label} = {ends[0]}, {item.options[-1].label} = {ends[1]}"
    return Page(
        slug=f"{instrument.key}--{item.link_id.rsplit('-', 1)[1]}",
        section=section,
        kind="one",
        text=item.text,
        fields=(
            Field(
                key="answer",
                label=item.text,
                type="choice" if item.options else "words" if item.type == "text" else "number",
                hint=hint,
                choices=tuple(Choice(option.code, option.label) for option in item.options),
                minimum=item.minimum,
                maximum=item.maximum,
            ),
        ),
        hint=hint,
        stem=row.get("stems", {}).get(item.link_id, row.get("stem", instrument.instructions)),
        safety=item.safety,
        show_when=row["show_when"],
        instrument=instrument.key,
        version=instrument.version,
        link_id=item.link_id,
    )


def in_language(page: Page, language: str) -> Page:
    """The page of an item in the instrument's own translation, where it has one."""
    official = page.definition
    spoken = official.said_in(language)
    if spoken is official:
        return page
    row = {"show_when": page.show_when}
    return page_of_item(spoken, spoken.item(page.link_id), row, page.section)


def _field(row: Row, shared: Mapping[str, Any]) -> Field:
    options = row.get("options", ())
    rows = shared[options] if isinstance(options, str) else options
    return Field(
        key=row["key"],
        label=row["label"],
        type=row.get("type", "text"),
        hint=row.get("hint", ""),
        choices=tuple(
            Choice(choice["code"], choice["label"], choice.get("fact", UNSET), choice.get("zone", ""))
            for choice in rows
        ),
        required=row.get("required", False),
        minimum=row.get("minimum"),
        maximum=row.get("maximum"),
        fact=row.get("fact", "") if row["key"] != "answer" else "",
        none=row.get("none", ""),
        autocomplete=row.get("autocomplete", ""),
    )
