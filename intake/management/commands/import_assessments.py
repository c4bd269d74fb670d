"""manage.py import_assessments --instrument phq-9 --columns ... FILE.csv: answers from another system, item by item."""

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from intake import history
from intake.history import Fate, Places
from practice import csv_in
from practice.clinical.instrument import Instrument, load

LARGEST = 200 * 1024 * 1024


class Command(BaseCommand):
    help = (
        "Take over the answers to one questionnaire, item by item. Each row of the file is one person's answers on one "
        "day. Codes for “refused” and “don't know”, blanks, and anything the question does not take are never scores. "
        "Safety answers become flags of the past: they stand in the chart and page nobody. The same file twice doubles "
        "nothing, so a run that was cut short is simply run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--instrument", required=True, help="such as phq-9")
        parser.add_argument(
            "--columns",
            required=True,
            help="the columns of the questions, with commas between: in their order, or as phq9-1=DPQ010,phq9-2=...",
        )
        parser.add_argument("--day", default="", help="the column of the date")
        parser.add_argument("--on", type=date.fromisoformat, help="the date of every row, where no column has it")
        parser.add_argument(
            "--day-format", default="", help="how dates are written, such as %%m/%%d/%%Y; ISO if not given"
        )
        parser.add_argument("--client", default="", help="the column of our client number, such as CH-0412")
        parser.add_argument("--other-id", default="", help="the column of their number in the other system")
        parser.add_argument("--email", default="", help="the column of the e-mail; together with --birth-date")
        parser.add_argument("--birth-date", default="", help="the column of the birth date, as 1993-03-08")
        parser.add_argument("--encoding", choices=csv_in.ENCODINGS, default="")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen to each row; write nothing")

    def handle(self, file: Path, instrument: str, dry_run: bool, encoding: str, **options: Any) -> None:
        try:
            asked = load(instrument)
        except (ValueError, FileNotFoundError) as trouble:
            raise CommandError(f"There is no questionnaire called {instrument}.") from trouble
        try:
            if file.stat().st_size > LARGEST:
                raise CommandError(f"The file is larger than {LARGEST // 1024 // 1024} MB. Split it.")
            found = csv_in.read(file.read_bytes(), encoding=encoding)
        except OSError as trouble:
            raise CommandError(f"The file cannot be read: {trouble.strerror}.") from trouble
        except csv_in.NotATable as sentence:
            raise CommandError(str(sentence)) from sentence
        places = _places(found.header, asked, options)
        lines = history.take(found, asked, places, at=timezone.now(), dry=dry_run)
        self.stdout.write(f"{'Nothing is written: this is what would happen. ' if dry_run else ''}{len(lines)} rows:")
        said = history.summary(lines)
        for fate in Fate:
            if numbers := said.get(fate):
                which = "" if fate == Fate.TAKEN else f": rows {spans(numbers)}"
                self.stdout.write(f"  {len(numbers)} {fate}{which}")
        odd = [line.row.number for line in lines if line.no_answers and line.fate in (Fate.TAKEN, Fate.HERE)]
        if odd:
            self.stdout.write(f"Of those taken, {len(odd)} hold something that is no answer; it counts as a blank.")
            self.stdout.write(f"  rows {spans(odd)}")


def _places(header: tuple[str, ...], asked: Instrument, options: dict[str, Any]) -> Places:
    """Raises CommandError for a column that is not in the file, or too little to go by."""
    by_name = {csv_in.column_key(name) or name: n for n, name in enumerate(header)}

    def column(name: str) -> int | None:
        if not name:
            return None
        place = by_name.get(csv_in.column_key(name) or name)
        if place is None:
            raise CommandError(f"The file has no column called {name}.")
        return place

    if bool(options["day"]) == bool(options["on"]):
        raise CommandError("Say when the answers were given: --day COLUMN, or --on 2025-03-08 for all rows.")
    by_mail = bool(options["email"] and options["birth_date"])
    if [bool(options["client"]), bool(options["other_id"]), by_mail].count(True) != 1:
        raise CommandError(
            "Say how clients are found, one way: --client COLUMN, --other-id COLUMN, "
            "or --email COLUMN --birth-date COLUMN."
        )
    items = {
        key: column(name)
        for key, name in _items(asked, [name.strip() for name in options["columns"].split(",")]).items()
    }
    if len(set(items.values())) != len(items):
        raise CommandError("Two questions name the same column.")
    return Places(
        items={key: place for key, place in items.items() if place is not None},
        day=column(options["day"]),
        on=options["on"],
        day_format=options["day_format"],
        number=column(options["client"]),
        other_id=column(options["other_id"]),
        email=column(options["email"]) if by_mail else None,
        birth=column(options["birth_date"]) if by_mail else None,
    )


def _items(asked: Instrument, columns: list[str]) -> dict[str, str]:
    """{link id: column}. Every question that counts must have one."""
    every = [item.link_id for item in asked.items]
    scored = [link_id for link_id, _points in asked.scored_points]
    if all("=" in name for name in columns):
        named = dict(name.split("=", 1) for name in columns)
        if len(named) < len(columns):
            raise CommandError("A question is named twice.")
    elif len(columns) in (len(every), len(scored)):
        named = dict(zip(every if len(columns) == len(every) else scored, columns, strict=True))
    else:
        raise CommandError(
            f"{asked.short_name} has {len(every)} questions, {len(scored)} of them counted. Name a column each."
        )
    if unknown := set(named) - set(every):
        raise CommandError(f"{asked.short_name} has no question called {', '.join(sorted(unknown))}.")
    needed = {*scored, *(item.link_id for item in asked.safety_items)}
    if missing := needed - set(named):
        raise CommandError(f"These questions have no column: {', '.join(sorted(missing))}.")
    return named


def spans(numbers: Iterable[int]) -> str:
    """Return "2-14, 18": every number, runs as spans."""
    runs = [
        [number for _place, number in run]
        for _key, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
