"""A page of a packet: one question, a few that belong together, rows of the same few, an item, or an agreement.

`Page.slug` is the name under which its answer is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from practice.clinical.instrument import Instrument, Item
from practice.clinical.instrument import load as load_instrument

UNSET: Any = object()
Said = Mapping[str, Mapping[str, str]]
"""What the practice says in other languages: by language, its own words to theirs."""


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    label: str
    fact: Any = UNSET
    """What choosing this says in the words of the decision table; UNSET says nothing."""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: str
    type: str
    """choice, select, checks, text, words, name, tel, email, date or number."""
    hint: str = ""
    choices: tuple[Choice, ...] = ()
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    fact: str = ""
    none: str = ""
    """Label of the box that says "none of these"."""
    autocomplete: str = ""

    def choice(self, code: Any) -> Choice | None:
        return next((choice for choice in self.choices if choice.code == str(code)), None)


@dataclass(frozen=True, slots=True)
class Page:
    slug: str
    section: str
    kind: str
    """one, group, rows or agreement."""
    text: str
    fields: tuple[Field, ...] = ()
    hint: str = ""
    stem: str = ""
    required: bool = False
    missing: str = ""
    """What to say when a required page has no answer."""
    one_of: tuple[str, ...] = ()
    none: str = ""
    row: str = ""
    fact: str = ""
    applies: str = ""
    recent: Mapping[str, Any] = field(default_factory=dict)
    safety: bool = False
    positive: tuple[str, ...] = ()
    show_when: Mapping[str, Any] = field(default_factory=dict)
    instrument: str = ""
    version: str = ""
    link_id: str = ""
    agreement: str = ""
    language: str = ""
    """Of the text of an agreement."""
    own: bool = False
    """The practice wrote or changed its words; `said` is what it says in other languages."""
    said: Said = field(default_factory=dict)

    @property
    def definition(self) -> Instrument:
        return load_instrument(self.instrument, self.version)

    @property
    def item(self) -> Item:
        return self.definition.item(self.link_id)

    @property
    def only(self) -> Field:
        """The field of a page with one question."""
        return self.fields[0]

    @property
    def words(self) -> Iterator[str]:
        """What it says in our words or the practice's; official wording and texts to sign are neither."""
        if self.instrument or self.agreement:
            return
        yield from (self.text, self.hint, self.missing, self.none, self.row)
        for each in self.fields:
            yield from (each.label, each.hint, each.none, *(choice.label for choice in each.choices))
