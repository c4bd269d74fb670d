"""One run of the bench: the product and the floor served side by side, the same jobs in turn, round after round."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from bench import jobs, measure
from practice.models import Client, Job

ROOT = Path(__file__).resolve().parents[1]
SIDES = {"product": "bench.wsgi:application", "limit": "bench.limits.app:application"}
WARM = 5
THREADS = 8  # as practice.gunicorn serves
MIXED = 300  # requests before memory is read
MIX = ("caseload", "chart", "search", "autosave", "question")

Say = Callable[[str], Any]


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@contextmanager
def served(command: list[str], port: int) -> Iterator[int]:
    """Run a server and yield its process id once it answers."""
    environment = os.environ | {"ORIGIN": f"http://127.0.0.1:{port}", "LOG_LEVEL": "ERROR", "DEMO": "0"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as server:  # noqa: S603 (our own command)
        try:
            for _ in range(150):
                time.sleep(0.1)
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
            else:
                raise RuntimeError(f"{command[-1]} did not answer within 15 seconds")
            time.sleep(0.5)
            yield server.pid
        finally:
            server.terminate()


def gunicorn(app: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
        *("--workers", "1", "--threads", str(THREADS), "--no-control-socket", "--log-level", "error", app),
    ]


def database_root() -> int | None:
    """The process from which the backends of a PostgreSQL on this machine descend; None when there is none to see."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return measure.parent_of(cursor.fetchone()[0])


def about() -> dict[str, Any]:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)  # noqa: S607 (whichever git is here)
    version = f"{connection.vendor}"
    if connection.vendor == "postgresql":
        version += f" {connection.pg_version // 10000}"  # type: ignore[attr-defined]
    return {"v": 1, "git": told.stdout.strip(), "db": version, "clients": Client.objects.count()}


def run(asked: list[str], *, rounds: int, n: int, out: Path | None, say: Say) -> list[dict[str, Any]]:
    """Measure the jobs and return the samples, each also written as a JSON line to `out` (or said)."""
    unknown = set(asked) - {*jobs.JOBS, "memory", "pages"}
    if unknown:
        raise ValueError(
            f"No such job: {', '.join(sorted(unknown))}. There are: {', '.join([*jobs.JOBS, 'memory', 'pages'])}."
        )
    chosen = [name for name in jobs.JOBS if not asked or name in asked]
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        call_command("collectstatic", interactive=False, verbosity=0)
    common, root = about(), database_root()
    samples: list[dict[str, Any]] = []

    def keep(**sample: Any) -> None:
        samples.append(common | {"t": datetime.now(UTC).isoformat(timespec="seconds")} | sample)
        line = json.dumps(samples[-1])
        if out:
            with out.open("a") as file:
                file.write(line + "\n")
        else:
            say(line)

    scene = jobs.Scene()
    ports = {side: free_port() for side in SIDES}
    connections.close_all()
    with (
        served(gunicorn(SIDES["product"], ports["product"]), ports["product"]) as product,
        served(gunicorn(SIDES["limit"], ports["limit"]), ports["limit"]) as limit,
    ):
        roots = {"product": product, "limit": limit}
        for turn in range(rounds + 1):
            for name in chosen:
                for side in SIDES:
                    asks = jobs.JOBS[name](scene, side, n if turn else WARM)
                    found = measure.sample(ports[side], roots[side], root, asks)
                    if turn:
                        keep(job=name, side=side, round=turn, **found)
                    elif found["err"]:
                        raise RuntimeError(f"{name} on {side}: {found['wrong']}")
        if not asked or "pages" in asked:
            for name, page in jobs.pages(scene).items():
                keep(job=f"page {name}", side="product", **measure.weight(ports["product"], page))
    if not asked or "memory" in asked:
        keep(job="memory", side="product", **memory(scene))
    table(samples, say)
    return samples


def memory(scene: "jobs.Scene") -> dict[str, Any]:
    """The whole embedded product, as `manage.py serve` runs it, after mixed requests."""
    Job.objects.all().delete()  # what the samples queued would be sent now
    mixed = [name for name in MIX if name in jobs.JOBS]
    asks = [ask for name in mixed for ask in jobs.JOBS[name](scene, "product", MIXED // len(mixed))]
    port = free_port()
    connections.close_all()
    with served([sys.executable, "manage.py", "serve", "--port", str(port)], port) as pid:
        first = measure.pss_mb(pid)
        found = measure.ask_all(port, asks)
        sizes = measure.pss_mb(pid)
    return {
        "n": len(asks),
        "pss_mb": sizes,
        "pss_total_mb": round(sum(sizes), 1),
        "pss_first_mb": round(sum(first), 1),
        "err": len(found.wrong),
        "wrong": found.wrong[:3],
    }


WEIGHTS = (("html", "bytes"), ("html gz", "gz"), ("css gz", "css_gz"), ("js gz", "js_gz"))
COLUMNS = ("job", "n", "cpu product", "cpu limit", "ratio", "sql", "limit", "bytes", "gz", "p50", "p95", "err")


def summary(samples: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """One row per job: the least CPU of the rounds on each side, their ratio, and the counts."""
    rows = []
    for name in dict.fromkeys(s["job"] for s in samples if "cpu_ms" in s):
        sides = {side: [s for s in samples if s["job"] == name and s["side"] == side] for side in SIDES}
        ours, floor = (min(sides[side], key=lambda s: s["cpu_ms"], default=None) for side in SIDES)
        if not ours or not floor:
            continue
        ratio = round(ours["cpu_ms"] / floor["cpu_ms"], 2) if floor["cpu_ms"] else 0.0
        rows.append(
            (
                *(name, ours["n"], ours["cpu_ms"], floor["cpu_ms"], ratio, ours["sql"], floor["sql"]),
                *(ours["bytes"], ours["gz"], ours["p50"], ours["p95"], sum(s["err"] for s in sides["product"])),
            )
        )
    return rows


def table(samples: list[dict[str, Any]], say: Say) -> None:
    lines = [COLUMNS, *summary(samples)]
    for line in lines:
        say("".join(f"{cell!s:>13}" if i else f"{cell!s:<14}" for i, cell in enumerate(line)))
    for sample in samples:
        if sample["job"].startswith("page "):
            weights = ", ".join(f"{name} {sample[key]}" for name, key in WEIGHTS)
            say(f"{sample['job']:<20} bytes: {weights}")
        if sample["job"] == "memory":
            say(f"memory               {sample['pss_total_mb']} MB after {sample['n']} requests")
