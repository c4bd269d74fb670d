"""A whole installation in a folder of its own: real processes, a real database, a real mail server."""

import http.client
import http.cookiejar
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(settings.ROOT)
TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_for(what: Callable[[], Any], *, within_s: float = 30, every_s: float = 0.1) -> Any:
    """Return the first true answer of `what`; fail when there is none in time."""
    until = time.monotonic() + within_s
    while True:
        found = what()
        if found or time.monotonic() > until:
            assert found, f"waited {within_s} s in vain"
            return found
        time.sleep(every_s)


class Answer:
    def __init__(self, status: int, headers: Any, body: str, url: str) -> None:
        self.status, self.headers, self.body, self.url = status, headers, body, url

    def form(self) -> dict[str, str]:
        """The hidden fields of the page's first POST form that has a key."""
        forms = re.findall(r"<form\b[^>]*method=\"post\"[^>]*>.*?</form>", self.body, re.DOTALL)
        chosen = next(text for text in forms if "form_key" in text)
        pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', chosen)
        return {name: unescape(value) for name, value in pairs}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class Visitor:
    """A browser without a script. Raises OSError when the server dies under it."""

    def __init__(self, origin: str, session: str = "") -> None:
        self.origin = origin
        jar = http.cookiejar.CookieJar()
        if session:
            bare = dict.fromkeys(("port", "expires", "comment", "comment_url"))
            where = {"domain": "127.0.0.1", "domain_specified": False, "domain_initial_dot": False}
            known = {"path": "/", "path_specified": True, "port_specified": False, "secure": False, "discard": True}
            jar.set_cookie(http.cookiejar.Cookie(0, "session", session, rest={}, **bare, **where, **known))  # type: ignore[arg-type]
        self.open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), NoRedirect()).open

    def ask(self, path: str, data: dict[str, str] | None = None) -> Answer:
        url = urllib.parse.urljoin(self.origin, path)
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        request = urllib.request.Request(url, body, headers={"Origin": self.origin})
        try:
            with self.open(request, timeout=20) as found:
                return Answer(found.status, found.headers, found.read().decode(errors="replace"), url)
        except urllib.error.HTTPError as other:
            return Answer(other.code, other.headers, other.read().decode(), url)
        except http.client.IncompleteRead as cut:  # the server died in the middle of its words
            raise ConnectionError(url) from cut


@dataclass
class House:
    home: Path
    static: Path
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.log = self.home / "log"

    @property
    def database_file(self) -> Path:
        return self.home / "data" / "waymark.sqlite3"

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "practice.settings",
            "DATA_DIR": str(self.home / "data"),
            "KEYS": os.environ["KEYS"],
            "STATIC_ROOT": str(self.static),
            "ORIGIN": self.origin,
            **({"DATABASE_URL": self.database_url} if self.database_url else {}),
            **self.settings,
            **more,
        }

    def manage(self, *arguments: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, code: str) -> Any:
        """Run lines of Python inside the installation; returns what they `say(...)`."""
        head = "import json, django; django.setup(); say = lambda x: print('>' + json.dumps(x, default=str))\n"
        done = subprocess.run(
            [sys.executable, "-c", head + code],
            cwd=ROOT,
            env=self.environment(LOG_LEVEL="CRITICAL"),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = [line[1:] for line in done.stdout.splitlines() if line.startswith(">")]
        return json.loads(said[-1]) if said else None

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def serve(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        process = self.start("manage.py", "serve", "--port", str(self.port), *arguments, **more)
        self.wait_until_served(process)
        return process

    def wait_until_served(self, process: subprocess.Popen[bytes], within_s: float = TIMEOUT_S) -> None:
        def answers() -> bool:
            assert process.poll() is None, self.log.read_text()
            try:
                return self.visit("/help-now/").status == 200
            except OSError:
                return False

        wait_for(answers, within_s=within_s)

    def work(self, **more: str) -> subprocess.Popen[bytes]:
        """A real Celery worker."""
        return self.start(
            "-m", "celery", "-A", "practice.celery", "worker", "--loglevel", "INFO", "--concurrency", "2",
            "--without-gossip", "--without-mingle", **more,
        )  # fmt: skip

    def beat(self, **more: str) -> subprocess.Popen[bytes]:
        return self.start("-m", "celery", "-A", "practice.celery", "beat", "--loglevel", "INFO", "--pidfile=", **more)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 the process and its children."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                self.kill(process)

    # --- People

    def visit(self, path: str) -> Answer:
        return Visitor(self.origin).ask(path)

    def furnish(self, clients: int = 1) -> dict[str, Any]:
        """A small practice: a therapist on call with a phone, her clients, an invitation for each."""
        found: dict[str, Any] = self.ask(
            f"""
from datetime import timedelta
from django.test import Client as Browser
from django.utils import timezone
from intake import actions
from practice.access import Role
from tests import factories
factories.practice()
north = factories.site()
maya = factories.staff("Maya", Role.THERAPIST, sites=(north,), phone="+1 202 555 0111")
factories.always_on_call(maya)
now = timezone.now()
rows = [factories.client(maya, f"Sam Number{{n}}", at=now) for n in range({clients})]
sent = [actions.invite(by=maya, client=row, key="check-in", at=now) for row in rows]
browser = Browser()
browser.force_login(maya)
session = browser.session
session["second_factor"] = True
session.save()
say({{"session": session.session_key, "clients": [r.pk for r in rows], "links": [i.path for i in sent]}})
from practice.models import Job, Notice
Job.objects.all().delete(); Notice.objects.all().delete()
"""
        )
        return found

    def raise_flag(self, people: dict[str, Any], reason: str, *, key: str = "") -> tuple[Answer, float]:
        """The therapist raises a flag by hand; returns the answer and the seconds it took."""
        staff = Visitor(self.origin, people["session"])
        page = staff.ask(f"/clients/{people['clients'][0]}/flags/new/")
        begun = time.monotonic()
        answer = staff.ask(
            page.url, page.form() | {"severity": "urgent", "reason": reason} | ({"form_key": key} if key else {})
        )
        return answer, time.monotonic() - begun


def new_database(name: str, like: str = "") -> str:
    """Create a database beside the one of this test run; returns its URL, "" for SQLite."""
    if connection.vendor != "postgresql":
        return ""
    found = connection.settings_dict
    with postgres() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{like}"' if like else ""))
    return f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{name}"


def drop_database(name: str) -> None:
    if connection.vendor == "postgresql":
        with postgres() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def postgres() -> Iterator[Any]:
    """A cursor on the server of this test run, outside any transaction."""
    import psycopg

    found = connection.settings_dict
    with psycopg.connect(
        host=found["HOST"],
        port=found["PORT"],
        user=found["USER"],
        password=found["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as link:
        yield link.cursor()


class BlackHole:
    """A server that takes connections and never says a word."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]

    def close(self) -> None:
        self.socket.close()


def new_name() -> str:
    return f"house_{secrets.token_hex(6)}"
