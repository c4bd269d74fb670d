"""Measures Waymark beside the floor of bare Django, in one run; see docs/benchmarks.md."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Fill a bench database, measure the product beside the floor, and judge the noise-free figures."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        seed = acts.add_parser("seed", help="Fill an empty database with invented clients.")
        seed.add_argument("--scale", choices=("1k", "100k", "1M"), default="1k")
        seed.add_argument("--referrals", type=int, default=0, help="As many referrals besides, over five years.")
        data = acts.add_parser("data", help="Measure reports, files, export and import; one JSON line per sample.")
        data.add_argument("--jobs", default="", help="Names with commas between; all when left out.")
        data.add_argument("--rounds", type=int, default=2)
        data.add_argument("--out", type=Path, help="File to add the samples to.")
        run = acts.add_parser("run", help="Measure; one JSON line per sample.")
        run.add_argument("--jobs", default="", help="Names with commas between; all when left out.")
        run.add_argument("--rounds", type=int, default=3)
        run.add_argument("--n", type=int, default=100, help="Requests per sample.")
        run.add_argument("--out", type=Path, help="File to add the samples to; the terminal when left out.")
        gate = acts.add_parser("gate", help="Exit 1 when a goal of bench/goals.toml is missed.")
        gate.add_argument("samples", type=Path, nargs="+")
        gate.add_argument("--all", action="store_true", help="Judge ratios of CPU time too, which are noisy.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "gate":
            from bench import gate

            missing = [str(path) for path in options["samples"] if not path.is_file()]
            if missing:
                raise CommandError(f"There are no samples at {', '.join(missing)}. Make some: bench run --out FILE.")
            faults = gate.judge(options["samples"], everything=options["all"], say=self.stdout.write)
            sys.exit(1 if faults else 0)
        name = str(settings.DATABASES["default"]["NAME"])
        if "bench" not in Path(name).name:
            raise CommandError(
                "The name of the database has to hold the word bench: this fills it with invented people."
            )
        if options["act"] == "seed":
            from bench import seed

            try:
                seed.fill(seed.SCALES[options["scale"]], self.stderr.write)
                if options["referrals"]:
                    from bench import referrals

                    self.stderr.write(f"{referrals.refer(options['referrals'])} rows of referrals")
            except ValueError as refused:
                raise CommandError(str(refused)) from None
        elif options["act"] == "data":
            from bench import data

            asked = options["jobs"].split(",") if options["jobs"] else []
            try:
                data.run(asked, rounds=options["rounds"], out=options["out"], say=self.stdout.write)
            except (RuntimeError, ValueError) as trouble:
                raise CommandError(str(trouble)) from None
        else:
            from bench import run

            asked = options["jobs"].split(",") if options["jobs"] else []
            try:
                run.run(asked, rounds=options["rounds"], n=options["n"], out=options["out"], say=self.stdout.write)
            except (RuntimeError, ValueError) as trouble:
                raise CommandError(str(trouble)) from None
