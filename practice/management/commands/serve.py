"""manage.py serve: the web server and, without a broker, the job runner."""

import multiprocessing
import socket
from argparse import ArgumentParser
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections


class Command(BaseCommand):
    help = "Serve Waymark. With --prepare first bring database, static files and the demo up to date."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=2, help="web processes, when a broker runs the jobs")
        parser.add_argument("--prepare", action="store_true")

    def handle(self, host: str, port: int, workers: int, prepare: bool, **options: Any) -> None:
        from practice.gunicorn import Server

        self.refuse_taken_port(host, port)
        if prepare:
            self.prepare()
            self.stdout.write(f"\nWaymark is at {settings.ORIGIN}/   (stop it with Ctrl-C)")
            if settings.DEMO:
                call_command("demo_links", stdout=self.stdout)
            self.stdout.flush()
        connections.close_all()  # the web process is a fork of this one and opens its own
        Server(host, port, workers).run()

    def refuse_taken_port(self, host: str, port: int) -> None:
        if is_free(host, port):
            return
        free = next((p for p in range(port + 1, min(port + 100, 65536)) if is_free(host, p)), None)
        hint = f" Port {free} is free: bin/start --port {free}" if free else " Choose another with --port."
        raise SystemExit(f"Port {port} is already used by another program on this machine.{hint}")

    def prepare(self) -> None:
        quiet = StringIO()  # the good news of each step; bad news stops us
        call_command("check", stdout=quiet)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("keys", "check", stdout=quiet)
        if static_is_stale():
            call_command("collectstatic", interactive=False, verbosity=0)
        if settings.DEMO:
            self.seed()

    def seed(self) -> None:
        """Load the demo in a process of its own.

        It makes letters, and what makes them (typst) starts threads. Threads do not come along into the fork that
        serves: there each letter would wait for them for ever.
        """
        connections.close_all()
        made = multiprocessing.get_context("fork").Process(
            target=call_command, args=("seed_demo", "--if-empty"), kwargs={"stdout": self.stdout}
        )
        made.start()
        made.join()
        if made.exitcode:
            raise SystemExit(made.exitcode)


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def static_is_stale() -> bool:
    """Whether a static file is newer than the last collection."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if not manifest.exists():
        return True
    collected = manifest.stat().st_mtime
    found = chain.from_iterable(finder.list([]) for finder in finders.get_finders())
    return any(Path(storage.path(name)).stat().st_mtime > collected for name, storage in found)
