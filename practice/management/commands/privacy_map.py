"""manage.py privacy_map: where every kind of datum is kept, from the models themselves."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import models

from practice.privacy import classes, columns, our_models, sealed_fields

HEAD = """# Privacy map

Every column of Waymark's own tables, and what it may tell. Made by `manage.py privacy_map --write` from `class Privacy`
of each model; a test fails when this page and the models differ.

- **identifying**: who somebody is or how to reach them. **clinical**: how somebody is, or what was done for them.
- **sealed**: stored as AES-256-GCM ciphertext bound to its row and column; unreadable without the key ring.
- **keyed index**: 32 hex digits made with a key outside the database; equal for equal values, and tells nothing else.

Columns not named here are plain: random ids, states, clocks and counts. Scores, bands and flag states are readable in
the database, under random ids that only sealed columns connect to a person.
"""

OTHERS = """
## Tables of the libraries

| table | what it holds | how |
|---|---|---|
| django_session | who is signed in, when they were last active | keys random; expired rows are removed daily |
| mfa_authenticator | authenticator secrets, passkeys, recovery codes of staff | secrets sealed with the key ring |
| usersessions_usersession | address and browser of a staff session | shown to that person only |
| account_emailaddress | sign-in addresses of staff | plain; staff, not clients |
| practice_cache | counters of failed sign-ins, codes already used | no names; rows expire |

## Outside the database

| where | what | how |
|---|---|---|
| KEYS_PATH or KEYS_FILE | the key ring | 0600, apart from the data and from its backups |
| DATA_DIR/audit-anchors.log | head, length and time of the audit chain | no names |
| DATA_DIR/practice-card.json | name, phone and hours of the practice | public on the help page |
| DATA_DIR/exports | copies of records that somebody asked for | sealed with the key ring; deleted after 7 days |
| DATA_DIR/mail, DATA_DIR/sms | messages, when no mail server or gateway is set | addresses, links: for trials only |
| broker | ids of jobs | not written to disk |
| logs | events of the system | no paths with tokens, no names, no typed text |
"""


class Command(BaseCommand):
    help = "Print the privacy map of the models, or write it to docs/privacy-map.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true")

    def handle(self, write: bool, **options: Any) -> None:
        text = privacy_map()
        if write:
            (settings.ROOT / "docs" / "privacy-map.md").write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")


def privacy_map() -> str:
    return HEAD + "".join(_part(model) for model in our_models()) + OTHERS


def _part(model: type[models.Model]) -> str:
    """A table of the columns that tell something; a line when none does."""
    told, sealed = classes(model), {field.name for field in sealed_fields(model)}
    rows = [
        f"| {name} | {told.get(name, 'plain')} | {_kept(name, sealed)} |"
        for name in columns(model)
        if told.get(name) != "plain" or name in sealed
    ]
    title = f"\n## {model._meta.label}\n\n"
    if not rows:
        return title + "Plain throughout.\n"
    return title + "| column | what it tells | how it is kept |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _kept(name: str, sealed: set[str]) -> str:
    if name in sealed:
        return "sealed"
    return "keyed index" if name.endswith("_index") or name == "start" else "readable"
