"""How the bench measures: CPU from /proc, memory as PSS, and a closed-loop client that counts exactly.

Wall-clock figures of a shared machine move by a factor of three to five between runs; CPU time per request moves by a
third, counts and bytes not at all. So counts are judged, CPU is compared as a ratio within one run, and milliseconds
are only shown.
"""

import gzip
import http.client
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def _stat(pid: int) -> list[str] | None:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root: int) -> set[int]:
    """The process and all that descend from it."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_s(root: int) -> float:
    """CPU seconds of the tree so far, with those of its children that ended."""
    ticks = 0
    for pid in tree(root):
        if stat := _stat(pid):
            ticks += sum(int(stat[i]) for i in (11, 12))
            if pid == root:
                ticks += sum(int(stat[i]) for i in (13, 14))
    return ticks * TICK_S


def parent_of(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def pss_mb(root: int) -> list[float]:
    """The proportional memory of each process of the tree, the largest first."""
    sizes: list[Any] = []
    for pid in tree(root):
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        sizes += [round(int(line.split()[1]) / 1024, 1) for line in text.splitlines() if line.startswith("Pss:")]
    return sorted(sizes, reverse=True)


def resident_mb() -> float:
    """What this process has in memory now."""
    return int((PROC / "self" / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def probe() -> tuple[float, float]:
    """CPU and wall milliseconds of a fixed loop: they part when others want the same cores."""
    cpu, wall = time.process_time(), time.perf_counter()
    total = 0
    for n in range(400_000):
        total += n & 7
    return round((time.process_time() - cpu) * 1000, 1), round((time.perf_counter() - wall) * 1000, 1)


@dataclass(frozen=True)
class Ask:
    """One request, ready to send, and the status that a good answer has."""

    method: str
    path: str
    expect: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answered:
    wall_ms: list[float] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)  # SQL counts and digest of the texts
    size: int = 0
    gz: int = 0
    wrong: list[str] = field(default_factory=list)

    def quantile(self, part: float) -> float:
        ordered = sorted(self.wall_ms)
        return round(ordered[min(int(len(ordered) * part), len(ordered) - 1)], 1) if ordered else 0.0


def ask_all(port: int, asks: Iterable[Ask]) -> Answered:
    """Send the requests one after another, each when the one before is answered."""
    found = Answered()
    sizes: list[Any] = []
    for ask in asks:
        started = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        line.request(ask.method, ask.path, body=ask.body or None, headers=dict(ask.headers))
        answer = line.getresponse()
        body = answer.read()
        line.close()
        found.wall_ms.append((time.perf_counter() - started) * 1000)
        if answer.status != ask.expect:
            found.wrong.append(f"{ask.method} {ask.path.split('?')[0]} gave {answer.status}, not {ask.expect}")
        found.asked[answer.getheader("Bench-SQL", "-1 -1"), answer.getheader("Bench-Statements", "")] += 1
        sizes.append((len(body), len(gzip.compress(body, 6)) if len(sizes) < 5 else 0))
    if sizes:
        found.size = int(median(size for size, _ in sizes))
        found.gz = int(median(gz for _, gz in sizes[:5]))
    return found


def sample(port: int, root: int, database: int | None, asks: list[Ask]) -> dict[str, Any]:
    """Send `asks` to the server with this process tree and return what they cost."""
    before = probe()
    app, db = cpu_s(root), cpu_s(database) if database else 0.0
    found = ask_all(port, asks)
    app, db = cpu_s(root) - app, (cpu_s(database) - db) if database else 0.0
    n = max(len(asks), 1)
    usual, statements = found.asked.most_common(1)[0][0] if asks else ("-1 -1", "")
    return {
        "n": len(asks),
        "cpu_ms": round((app + db) * 1000 / n, 2),
        "cpu_app_ms": round(app * 1000 / n, 2),
        "cpu_db_ms": round(db * 1000 / n, 2),
        "p50": found.quantile(0.5),
        "p95": found.quantile(0.95),
        "sql": int(usual.split()[0]),
        "sql_all": int(usual.split()[1]),
        "statements": statements,
        "bytes": found.size,
        "gz": found.gz,
        "err": len(found.wrong),
        "wrong": found.wrong[:3],
        "pss_mb": pss_mb(root),
        "probe": [before, probe()],
        "load1": round(os.getloadavg()[0], 2),
    }


LINKED = re.compile(rb'(?:href|src)="(/static/[^"]+\.(css|js))"')


def weight(port: int, ask: Ask) -> dict[str, Any]:
    """Bytes of a page on its first visit: the page itself, and the styles and scripts it names, compressed."""
    page = fetch(port, ask)
    sizes = {"css": 0, "js": 0}
    for path, kind in set(LINKED.findall(page)):
        sizes[kind.decode()] += len(fetch(port, Ask("GET", path.decode(), 200, headers={"Accept-Encoding": "gzip"})))
    return {"bytes": len(page), "gz": len(gzip.compress(page, 6)), "css_gz": sizes["css"], "js_gz": sizes["js"]}


def fetch(port: int, ask: Ask) -> bytes:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    line.request(ask.method, ask.path, headers=dict(ask.headers))
    answer = line.getresponse()
    body = answer.read()
    line.close()
    if answer.status != ask.expect:
        raise RuntimeError(f"{ask.path} gave {answer.status}, not {ask.expect}")
    return body
