"""Answers from another system: every row ends in one fate, nothing that is no answer is a score, nobody is paged."""

import csv
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake.models import Assessment
from practice import actions, audit
from practice.models import Alert, AlertNotice, AuditEvent, Client, Job, Notice, Site, Task, User
from tests import factories
from tests.conftest import sign_in

NHANES = Path("tests/data/nhanes/phq9_nhanes_2005_06.csv")
ITEMS = [f"DPQ0{n}0" for n in range(1, 10)]
FIRST = ",".join(ITEMS[:8])
HEADER = ["client", "day", *ITEMS]


def table(path: Path, *rows: list[Any], header: list[str] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([header, *rows])
    return path


def take(path: Path, *options: str, instrument: str = "phq-9") -> str:
    out = StringIO()
    by = options if "--client" in options or "--other-id" in options or "--email" in options else ("--client", "client")
    call_command(
        "import_assessments", str(path), "--instrument", instrument, "--columns", ",".join(ITEMS), "--day", "day",
        *by, *(() if by is options else options), stdout=out,
    )  # fmt: skip
    return out.getvalue()


def kept(client: Client) -> list[tuple[str, int | None, bool, list[str]]]:
    rows = Assessment.objects.filter(client=client).order_by("taken_at")
    return [(str(r.taken_on), None if r.total is None else int(r.total), r.safety, list(r.flags)) for r in rows]


def test_every_row_ends_in_one_fate(sam: Client, kit: Client, tmp_path: Path) -> None:
    path = table(
        tmp_path / "old.csv",
        [sam.code, "2025-03-08", 1, 1, 1, 1, 1, 1, 1, 1, 0],
        [sam.number, "2025-04-08", 2, 2, 2, 2, 2, 2, 2, 2, 0],
        [kit.code, "2025-03-09", "", "", "", "", "", "", "", "", ""],
        ["CH-9999", "2025-03-09", 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [kit.code, "9 March", 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [kit.code, "2999-01-01", 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [kit.code, "2025-03-09", 0, 0, 0, 0, 0, 0, 0, 0, 0, "more"],
        ["", "", "", "", "", "", "", "", "", "", ""],
        ["", "2025-03-09", 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [sam.code, "2025-03-08", 1, 1, 1, 1, 1, 1, 1, 1, 0],
    )
    assert take(path).splitlines() == [
        "9 rows:",
        "  2 taken",
        "  1 here already: rows 11",
        "  1 no answer in it: rows 4",
        "  1 no date, or none that can be read: rows 6",
        "  1 a date to come: rows 7",
        "  2 client not found: rows 5, 10",
        "  1 more cells than the header: rows 8",
    ]
    assert kept(sam) == [("2025-03-08", 8, False, []), ("2025-04-08", 16, False, [])]
    assert kept(kit) == []


def test_a_dry_run_says_the_same_and_writes_nothing(sam: Client, tmp_path: Path) -> None:
    path = table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9], [sam.code, "2025-03-08", *[3] * 9])
    before = AuditEvent.objects.count()
    said = take(path, "--dry-run")
    assert said.splitlines() == [
        "Nothing is written: this is what would happen. 2 rows:",
        "  1 taken",
        "  1 here already: rows 3",
    ]
    assert (Assessment.objects.count(), Alert.objects.count(), AuditEvent.objects.count()) == (0, 0, before)


def test_what_is_no_answer_is_a_blank_and_never_a_score(sam: Client, tmp_path: Path) -> None:
    """7 refused, 9 don't know, a blank, a number past the scale, a word, a negative one; 2.0 is two."""
    path = table(tmp_path / "old.csv", [sam.code, "2025-03-08", "2.0", 3, 7, 9, "", 4, "often", -1, 0])
    assert take(path).splitlines() == [
        "1 rows:",
        "  1 taken",
        "Of those taken, 1 hold something that is no answer; it counts as a blank.",
        "  rows 2",
    ]
    row = Assessment.objects.get()
    assert row.answers == {"phq9-1": 2, "phq9-2": 3, "phq9-9": 0} | {f"phq9-{n}": None for n in range(3, 9)}
    assert (row.total, row.lower_bound, row.band, row.complete) == (None, 5, "", False)


@pytest.mark.parametrize(
    ("item9", "rules", "severity"),
    [
        (0, None, None),
        (1, ["SR-05"], "priority"),
        (2, ["SR-06"], "urgent"),
        ("", ["SR-07"], "priority"),
        (7, ["SR-07"], "priority"),
    ],
)
def test_safety_answer_becomes_a_flag_of_the_past(
    sam: Client, on_call: User, tmp_path: Path, item9: Any, rules: list[str] | None, severity: str | None
) -> None:
    """Whatever the total, and whatever else is blank: a flag with its date that pages nobody."""
    take(table(tmp_path / "old.csv", [sam.code, "2025-03-08", 0, 0, 0, 0, 0, 0, 0, 0, item9]))
    found = [
        (f.rule_ids, f.severity, f.source, f.opened_at.date().isoformat(), f.is_open, f.climbs_at)
        for f in Alert.objects.all()
    ]
    assert found == ([(rules, severity, "history", "2025-03-08", False, None)] if rules else [])
    todo = [(t.kind, t.facts) for t in Task.objects.filter(done_at=None)]
    assert todo == ([("todo", {"reason": "history"})] if rules else [])


def test_history_pages_nobody_whatever_time_passes(sam: Client, on_call: User, tmp_path: Path) -> None:
    take(table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9]))
    at = timezone.now()
    assert actions.climb_alerts(at=at.replace(year=at.year + 1)) == 0
    assert (AlertNotice.objects.count(), Notice.objects.count(), Job.objects.count(), mail.outbox) == (0, 0, 0, [])
    assert list(Alert.objects.open()) == []


def test_history_stands_on_the_chart_with_its_date(maya: User, sam: Client, tmp_path: Path) -> None:
    take(table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9]))
    page = sign_in(Browser(), maya).get(reverse("chart", args=[sam.pk]) + "?range=all").content.decode()
    panel = page.partition('id="past-flags"')[2].partition("</section>")[0]
    assert "Mar 8, 2025" in panel and "Nearly every day" in panel and "SR-06, urgent" in panel
    assert "from another system" in page.partition('id="assessments"')[2].partition("</section>")[0]
    trend = page.partition('id="trend"')[2].partition("</section>")[0]
    assert 'class="pt9 past"' in trend and "Mar 8, 2025, from another system" in trend
    assert "Safety flag open" not in page  # no bar, no chip: nothing waits


def test_flag_of_the_past_has_its_page_with_nothing_to_close(maya: User, sam: Client, tmp_path: Path) -> None:
    take(table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9]))
    flag = Alert.objects.get()
    page = sign_in(Browser(), maya).get(reverse("alert", args=[sam.pk, flag.pk])).content.decode()
    assert "Nobody was called; it stays here." in page
    assert "Acknowledge" not in page and "Close this flag" not in page and "Add a note to this flag" in page
    row = sign_in(Browser(), maya).get(reverse("assessment", args=[sam.pk, flag.source_id])).content.decode()
    assert "Taken over from another system on" in row and "Mark as read" not in row


def test_the_same_file_twice_doubles_nothing(sam: Client, tmp_path: Path) -> None:
    path = table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9], [sam.code, "2025-04-08", *[1] * 9])
    take(path)
    Task.objects.update(done_at=timezone.now())
    before = (Assessment.objects.count(), Alert.objects.count(), AuditEvent.objects.count(), Task.objects.count())
    assert take(path).splitlines() == ["2 rows:", "  2 here already: rows 2-3"]
    after = (Assessment.objects.count(), Alert.objects.count(), AuditEvent.objects.count(), Task.objects.count())
    assert after == before == (2, 2, before[2], 1)


def test_two_answers_of_one_day_that_differ_are_both_kept(sam: Client, tmp_path: Path) -> None:
    take(table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[1] * 8, 0], [sam.code, "2025-03-08", *[2] * 8, 0]))
    assert sorted(total for _on, total, _safety, _flags in kept(sam) if total) == [8, 16]


def test_caseload_shows_the_last_six_whether_here_or_from_there(sam: Client, tmp_path: Path) -> None:
    rows = [[sam.code, f"2025-0{month}-08", *[0] * 8, 0] for month in range(1, 9)]
    rows[-1][-1] = 1
    take(table(tmp_path / "old.csv", *rows))
    sam.refresh_from_db()
    assert sam.phq9 == [[f"2025-0{month}-08", int(month == 8), month == 8] for month in range(3, 9)]
    assert sam.last_heard_at is not None and sam.last_heard_at.date().isoformat() == "2025-08-08"


def test_clients_are_found_by_their_number_elsewhere_or_by_mail_and_birth_date(
    maya: User, sam: Client, kit: Client, tmp_path: Path
) -> None:
    sam.set_identity(other_id="P-77")
    sam.save_identity()
    twin = factories.client(maya, "Sam Twin", email=kit.email, birth_date="2001-02-03")
    theirs = table(
        tmp_path / "by_id.csv", ["p-77", "2025-03-08", *[0] * 9], ["P-78", "2025-03-08", *[0] * 9],
        header=["id", "day", *ITEMS],
    )  # fmt: skip
    assert take(theirs, "--other-id", "id").splitlines() == ["2 rows:", "  1 taken", "  1 client not found: rows 3"]
    header = ["mail", "born", "day", *ITEMS]
    mail_rows = table(
        tmp_path / "by_mail.csv",
        [twin.email.upper(), "2001-02-03", "2025-03-08", *[1] * 9],
        [twin.email, "2001-02-04", "2025-03-08", *[1] * 9],
        [twin.email, "", "2025-03-08", *[1] * 9],
        header=header,
    )
    said = take(mail_rows, "--email", "mail", "--birth-date", "born")
    assert said.splitlines() == ["3 rows:", "  1 taken", "  2 client not found: rows 3-4"]
    assert (len(kept(sam)), len(kept(twin)), len(kept(kit))) == (1, 1, 0)
    same = factories.client(maya, "Sam Other", email=kit.email, birth_date="2001-02-03")
    assert take(mail_rows, "--email", "mail", "--birth-date", "born").splitlines()[1:] == [
        "  2 client not found: rows 3-4",
        "  1 fits more than one client: rows 2",
    ]
    assert kept(same) == []


def test_each_client_has_one_audit_row_and_the_chain_is_whole(sam: Client, kit: Client, tmp_path: Path) -> None:
    take(
        table(
            tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9], [sam.code, "2025-04-08", *[0] * 9],
            [kit.code, "2025-04-08", *[0] * 9],
        )
    )  # fmt: skip
    events = {e.client_id: e.facts for e in AuditEvent.objects.filter(action="history.imported")}
    assert events == {
        sam.pk: {"instrument": "phq-9", "rows": 2, "flags": 1},
        kit.pk: {"instrument": "phq-9", "rows": 1, "flags": 0},
    }
    assert list(audit.faults()) == []


@pytest.mark.parametrize(
    ("columns", "day", "client", "sentence"),
    [
        (FIRST, ["day"], ["client"], "PHQ-9 has 10 questions, 9 of them counted."),
        (f"{FIRST},DPQ999", ["day"], ["client"], "The file has no column called DPQ999."),
        ("phq9-1=DPQ010", ["day"], ["client"], "These questions have no column: phq9-2"),
        ("phq9-77=DPQ010", ["day"], ["client"], "PHQ-9 has no question called phq9-77."),
        (f"{FIRST},DPQ010", ["day"], ["client"], "Two questions name the same column."),
        (f"{FIRST},DPQ090", [], ["client"], "Say when the answers were given"),
        (f"{FIRST},DPQ090", ["day"], [], "Say how clients are found, one way"),
    ],
)
def test_too_little_to_go_by_is_refused_before_anything_is_read(
    sam: Client, tmp_path: Path, columns: str, day: list[str], client: list[str], sentence: str
) -> None:
    path = table(tmp_path / "old.csv", [sam.code, "2025-03-08", *[3] * 9])
    with pytest.raises(CommandError) as refused:
        call_command(
            "import_assessments", "--instrument", "phq-9", *(["--day", *day] if day else []),
            *(["--client", *client] if client else []), "--columns", columns, str(path),
        )  # fmt: skip
    assert sentence in str(refused.value)
    assert Assessment.objects.count() == 0


def test_a_file_too_large_is_refused_before_it_is_read(sam: Client, tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as out:
        out.truncate(2 * 1024**3)  # two gigabytes that take no room
    with pytest.raises(CommandError, match="larger than 200 MB"):
        take(path)


def test_the_survey_comes_over_with_the_counts_made_by_hand(north: Site, maya: User, tmp_path: Path) -> None:
    """600 people of NHANES 2005-06, found by their number there; the figures are awk's, not this code's."""
    with NHANES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:600]
    Client.objects.bulk_create(_people([row["SEQN"] for row in rows], maya, north))
    path = table(
        tmp_path / "nhanes.csv", *[[r["SEQN"], "2006-06-30", *[r[c] for c in ITEMS]] for r in rows],
        header=["SEQN", "day", *ITEMS],
    )  # fmt: skip
    said = take(path, "--other-id", "SEQN")
    answered = [r for r in rows if any(r[c] in "0123" and r[c] for c in ITEMS)]
    positive = [r for r in answered if r["DPQ090"] in ("1", "2", "3")]
    blank = [r for r in answered if r["DPQ090"] not in ("0", "1", "2", "3")]
    assert said.splitlines()[:2] == ["600 rows:", f"  {len(answered)} taken"]
    assert Assessment.objects.count() == len(answered)
    assert Assessment.objects.filter(safety=True).count() == len(positive) > 0
    assert Counter(Alert.objects.values_list("severity", flat=True)) == Counter(
        "urgent" if r["DPQ090"] in ("2", "3") else "priority" for r in [*positive, *blank]
    )
    sums = {
        r["SEQN"]: sum(int(r[c]) for c in ITEMS) for r in answered if all(r[c] in ("0", "1", "2", "3") for c in ITEMS)
    }
    complete = Assessment.objects.filter(complete=True).select_related("client")
    assert {a.client.other_id: int(a.total) for a in complete if a.total is not None} == sums


def _people(numbers: list[str], therapist: User, where: Site) -> list[Client]:
    found = []
    for n, number in enumerate(numbers):
        client = Client(site=where, therapist=therapist, number=2000 + n, created_at=factories.NOW)
        client.set_identity(other_id=number)
        found.append(client)
    return found


def test_a_long_history_keeps_the_chart_short(maya: User, sam: Client, tmp_path: Path) -> None:
    take(table(tmp_path / "old.csv", *[[sam.code, f"2025-0{month}-08", *[1] * 9] for month in range(1, 9)]))
    page = sign_in(Browser(), maya).get(reverse("chart", args=[sam.pk])).content.decode()
    shown, _summary, older = page.partition('id="past-flags"')[2].partition("</section>")[0].partition("2 older")
    assert (shown.count("Several days"), older.count("Several days")) == (6, 2)
