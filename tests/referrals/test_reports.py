"""The referral report: every view of it counts the same rows, and they are what really happened."""

import csv
import gc
import io
import re
import statistics
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.db import connection
from django.http import QueryDict
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape
from openpyxl import load_workbook

from practice.models import AuditEvent, Client, Practice, User
from practice.moving_in import analyze
from referrals.models import Destination, Path, Referral
from referrals.reports import cases, steps
from referrals.reports.figures import COLUMNS, Cell, Report, folded, quartiles, values
from referrals.reports.filters import Asked, FilterForm, ask
from referrals.reports.tally import NUDGES, Tallies
from referrals.states import State
from tests import factories
from tests.factories import NOW
from tests.referrals import flags, referring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]
STATEMENTS = 10  # cards, scores; decisions, referrals, changes and courses, each by itself and by key


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def asked_by(user: User, query: str = "") -> Asked:
    form, asked = ask(user, QueryDict(query), NOW, Practice.get())
    assert asked is not None, form.errors
    return asked


def report_of(user: User, query: str = "") -> Report:
    asked = asked_by(user, query)
    return Report.of(asked, "/list/", NOW)


def many(therapists: list[User], count: int, clients: int = 40) -> flags.World:
    clinics = [referring.clinic(name) for name in ("Northlake Infusion", "Meridian", "St. Brigid", "Harbor")]
    world = flags.flags(flags.people(therapists, clients), clinics, count)
    world.write()
    analyze()
    return world


def test_report_equals_what_really_happened_over_ten_thousand_referrals(
    rosa: User, maya: User, omar: User, ines: User
) -> None:
    world = many([maya, omar, ines], 12_500, clients=4200)
    assert world.counts["sent"] > 10_000
    report = report_of(rosa)
    counted = {code: report.count(code) for code in steps.TESTS}
    assert counted == {code: world.counts[code] for code in steps.TESTS}
    assert {code: report.found.stops[code] for code in steps.STOPS if report.found.stops[code]} == world.stops
    assert values(report.all.days) == sorted(world.days)
    by_clinic = {line["name"]: [cell.count for cell in line["cells"]] for line in report.clinics()["rows"]}
    assert by_clinic == {
        name: [counts[code] for code in ("sent", "yes", "no", "back", "silent", "started", "going", "done", "early",
                                         "scored", "unscored")]
        for name, counts in world.by_clinic.items()
    }  # fmt: skip
    for therapist in (maya, omar, ines):
        theirs = report_of(therapist)
        assert {c: theirs.count(c) for c in steps.TESTS} == {
            c: world.by_therapist[str(therapist)][c] for c in steps.TESTS
        }


def test_page_asks_as_much_for_few_as_for_many(as_user: As, maya: User, rosa: User) -> None:
    browser, spent = as_user(rosa), []
    for count in (60, 600):
        many([maya], count, clients=count)
        browser.get(reverse("report_referrals"))
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert browser.get(reverse("report_referrals")).status_code == 200
        spent.append(len(caught))
    assert spent[0] == spent[1]


def test_rows_are_the_same_whatever_the_pieces(maya: User, rosa: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a flag is found by its keys, some at a time; a long file is made week by week."""
    many([maya], 150, clients=50)
    for user in (maya, rosa):
        asked = asked_by(user)
        whole = asked.rows()
        assert len(whole) > 150
        assert [row for week in asked.scope.weeks() for row in asked.rows(week)] == whole
        with monkeypatch.context() as patch:
            patch.setattr(cases, "KEYS", 7)
            assert asked.rows() == whole
            patch.setattr(cases, "FLAGS", 5)
            assert list(asked.each()) == whole
            assert len(list(asked.scope.pieces())) > 20


def test_flags_of_one_moment_are_one_piece(maya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import can bring many with the same time: they are neither parted nor asked for again and again."""
    world, clinic = flags.World(), referring.clinic()
    for client in flags.people([maya], 12):
        flags.one(world, "done", client, clinic, days_ago=60)
    world.write()
    monkeypatch.setattr(cases, "FLAGS", 3)
    asked = asked_by(maya)
    assert [count for piece in asked.scope.pieces() if (count := len(asked.rows(piece)))] == [12]


def test_figures_are_the_same_whatever_the_pieces(
    as_user: As, maya: User, omar: User, rosa: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    many([maya, omar], 150, clients=40)
    parts = ("sentence", "tiles", "funnel", "stops", "days", "clinics", "paths", "loop", "nudges")
    for user, query in ((rosa, ""), (maya, "?start=2026-03-03&end=2026-06-18")):
        url = reverse("report_referrals") + query
        whole = {part: str(as_user(user).get(url).context[part]) for part in parts}
        with monkeypatch.context() as patch:
            patch.setattr(cases, "FLAGS", 9)
            assert {part: str(as_user(user).get(url).context[part]) for part in parts} == whole


def test_medians_and_nudges_are_those_of_the_rows(maya: User) -> None:
    """Counted here from the rows themselves, where the page keeps numbers only."""
    many([maya], 200, clients=50)
    Referral.objects.filter(state=State.SENT).update(due_at=NOW - timedelta(days=3))
    first = Referral.objects.filter(state=State.SENT).order_by("pk")[0]
    Referral.objects.filter(pk=first.pk).update(due_at=NOW - timedelta(days=9))
    report, rows = report_of(maya), asked_by(maya).rows()
    clinics: dict[Any, str] = dict(Destination.objects.values_list("pk", "name"))
    paths = {code: str(label) for code, label in Path.choices}
    late = [row for row in rows if row.sent_at and not row.ended and row.due_at and row.due_at <= NOW]
    nudges = report.nudges(NOW)
    assert (nudges["rows"][0]["days"], len(nudges["rows"]), nudges["more"]) == (9, NUDGES, len(late) - NUDGES)
    assert {row["days"] for row in nudges["rows"][1:]} == {3}
    for line in (*report.clinics()["rows"], report.clinics()["all"], *report.paths()["rows"], report.paths()["all"]):
        whole = line["name"] in ("All clinics", "All paths")
        among = [
            row for row in rows if row.sent_at and (whole or line["name"] in (clinics[row.clinic], paths[row.path]))
        ]
        both = [row for row in among if steps.TESTS["compared"].holds(row)]
        assert len(both) >= steps.FEWEST
        days = quartiles([row.days_to_first for row in among if row.days_to_first is not None])
        assert days is not None
        assert (line["days"], line["before"], line["after"]) == (
            f"{days[1]:g}",
            f"{statistics.median(row.before or 0 for row in both):g}",
            f"{statistics.median(row.after or 0 for row in both):g}",
        )
        assert [cell.count for cell in line["cells"]] == [
            sum(steps.TESTS[code].holds(row) for row in among) for code in COLUMNS
        ]


def test_page_holds_no_more_rows_than_a_piece(maya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in memory at a time, counted and not weighed: of 400, those of some fifteen flags."""
    many([maya], 400, clients=400)
    monkeypatch.setattr(cases, "FLAGS", 15)
    asked, alive = asked_by(maya), []

    def watched() -> Iterator[cases.Case]:
        for n, row in enumerate(asked.each()):
            if n % 25 == 0:
                alive.append(sum(type(each) is cases.Case for each in gc.get_objects()))
            yield row

    found = Tallies(watched(), NOW)
    assert found.groups and len(alive) > 15
    assert max(alive) < 50


def test_list_shows_each_page_of_the_rows(as_user: As, maya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    many([maya], 120, clients=60)
    monkeypatch.setattr(cases, "FLAGS", 9)
    browser, codes = as_user(maya), [row.code for row in asked_by(maya).rows()]
    last = (len(codes) - 1) // 50 * 50
    assert last == 100
    for number, start in (
        ("", 0),
        ("1", 0),
        ("2", 50),
        ("3", 100),
        ("4", last),
        ("0", last),
        ("9" * 30, last),
        ("x", 0),
    ):
        page = browser.get(reverse("report_rows"), {"page": number} if number else {}).context
        assert (number, [row["code"] for row in page["rows"]]) == (number, codes[start : start + 50])
        assert (page["count"], page["page"].number) == (len(codes), start // 50 + 1)


def test_rows_of_any_days_take_as_many_statements(maya: User) -> None:
    """A week costs a week: as many statements as for a year, none of which reads what is not of these days."""
    many([maya], 300, clients=300)
    asked = asked_by(maya)
    weeks = [week for week in asked.scope.weeks() if asked.rows(week)]
    for scope in (asked.scope, weeks[3], weeks[-3]):
        with CaptureQueriesContext(connection) as caught:
            assert asked.rows(scope)
        assert len(caught) == STATEMENTS


def test_every_number_opens_exactly_its_rows(as_user: As, sol: User, maya: User) -> None:
    """UX check 33: each number opens a list with exactly that many rows; the file equals the list."""
    many([maya], 120, clients=60)
    browser = as_user(sol)
    page = browser.get(reverse("report_referrals")).content.decode()
    links = re.findall(r'<a href="(/reports/referrals/rows/\?[^"]+)">(\d+)', page)
    assert len(links) > 60
    for n, (link, number) in enumerate(sorted(set(links))):
        url = link.replace("&amp;", "&")
        shown = browser.get(url).context
        assert (url, shown["count"]) == (url, int(number))
        if n % 5:  # the file is made from the same rows: some are enough
            continue
        query = urlsplit(url).query
        assert (url, len(csv_of(browser, f"{reverse('report_csv')}?{query}")) - 1) == (url, int(number))


def csv_of(browser: Browser, url: str) -> list[list[str]]:
    answer = browser.get(url)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text, newline="")))


def test_file_equals_the_list_in_both_forms(as_user: As, maya: User) -> None:
    many([maya], 120, clients=30)
    browser, query = as_user(maya), "?step=accepted"
    lines = csv_of(browser, reverse("report_csv") + query)
    shown = [
        row["code"]
        for number in (1, 2)
        for row in browser.get(reverse("report_rows") + f"{query}&page={number}").context["rows"]
    ]
    assert [line[0] for line in lines[1:]] == shown[: len(lines) - 1]
    body = b"".join(browser.get(reverse("report_xlsx") + query).streaming_content)  # type: ignore[attr-defined]
    (sheet,) = load_workbook(io.BytesIO(body)).worksheets
    cells = [["" if v is None else str(getattr(v, "date", lambda v=v: v)()) for v in row] for row in sheet.values]
    plain = [[_number(cell) for cell in line] for line in lines]
    assert [[_number(cell) for cell in line] for line in cells] == plain


def _number(cell: str) -> str:
    return cell.removesuffix(".0")


# --- Who sees what ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stories(maya: User, omar: User, ines: User, sam: Client, kit: Client) -> flags.World:
    return many([maya, omar, ines], 420, clients=70)


def test_people_count_only_whom_they_reach(
    stories: flags.World, maya: User, sol: User, omar: User, ines: User, fay: User, rosa: User
) -> None:
    """Security check 11: every report count equals the rows the same user can list."""
    sums = {u: report_of(u).count("sent") for u in (maya, sol, omar, ines, fay, rosa)}
    of = {name: counts["sent"] for name, counts in stories.by_therapist.items()}
    m, o, i = of["Maya Torres"], of["Omar Haddad"], of["Ines Duarte"]
    assert sums == {maya: m, sol: m, omar: o, ines: i, fay: m + o, rosa: m + o + i}
    for user, count in sums.items():
        asked = asked_by(user, "step=sent")
        assert len(asked.chosen(asked.rows())) == count


def test_prescriber_has_no_reports(as_user: As, pax: User) -> None:
    assert as_user(pax).get(reverse("report_referrals")).status_code == 403


def test_admin_sees_no_clinical_number_of_few(as_user: As, rosa: User, maya: User) -> None:
    """Security check 11: cells across caseloads under 5 are suppressed, and a list of them names nobody."""
    many([maya], 24, clients=24)
    report = report_of(rosa)
    clinical = {code: report.cell(code) for code, test in steps.TESTS.items() if test.clinical}
    small = {code: cell for code, cell in clinical.items() if 0 < cell.count < 5}
    assert small and all(cell.withheld and not cell.url and str(cell) == "under 5" for cell in small.values())
    page = as_user(rosa).get(reverse("report_rows"), {"step": next(iter(small))})
    assert (page.context["withheld"], page.context["rows"]) == (True, [])
    (head, *lines) = csv_of(as_user(rosa), reverse("report_csv") + f"?step={next(iter(small))}")
    assert (head, lines) == (["Site", "Month of the flag", "Path"], [])


def test_admin_reads_of_flags_without_whose_they_are(as_user: As, stories: flags.World, rosa: User) -> None:
    page = as_user(rosa).get(reverse("report_rows"), {"step": "flagged"})
    assert page.context["count"] == stories.counts["flagged"]
    assert {(row["name"], row["code"], row["url"], row["clinic"], row["state"]) for row in page.context["rows"]} == {
        ("", "", "", "", "")
    }
    (head, *lines) = csv_of(as_user(rosa), reverse("report_csv_named") + "?step=flagged")
    assert (head, len(lines)) == (["Site", "Month of the flag", "Path"], stories.counts["flagged"])


def test_admin_reads_of_referrals_with_names_and_no_answer(as_user: As, stories: flags.World, rosa: User) -> None:
    (head, *lines) = csv_of(as_user(rosa), reverse("report_csv_named"))
    assert {"PHQ-9 before", "PHQ-9 after", "Rules", "Decision", "Flagged on", "Decided on"} & set(head) == set()
    of = dict.fromkeys(head)
    unsent = [dict(zip(of, line, strict=True)) for line in lines if not line[head.index("Sent on")]]
    assert unsent and {row["Reference"] + row["Name"] + row["Therapist"] for row in unsent} == {""}


def test_small_reasons_are_put_together_so_that_no_sum_tells() -> None:
    lines = [("kap", 9), ("watch", 6), ("not_yet", 2), ("none_now", 1)]
    assert [(str(row["label"]), row["cell"]) for row in folded(lines, 18)] == [
        ("KAP here", Cell(9)),
        ("Other reasons", Cell(9)),
    ]
    assert folded([("kap", 3)], 3) == []


def test_person_with_both_roles_chooses_whose(maya: User, omar: User) -> None:
    from practice.access import Role

    both = factories.staff("Ada Both", Role.THERAPIST, Role.ADMIN, sites=(maya.sites.get(),))
    world = many([both, omar], 200, clients=40)
    everything, mine = asked_by(both), asked_by(both, "who=me")
    assert (everything.seen.reads, mine.seen.reads) == (False, True)
    assert len(everything.chosen(everything.rows())) == world.counts["sent"] + sum(
        world.counts[c] for c in ("undecided",)
    ) + sum(world.stops[s] for s in ("kap", "watch", "unsent"))
    assert {row.therapist for row in mine.rows()} == {both.pk}


# --- Names, files, filters -------------------------------------------------------------------------------------------


def test_file_without_names_holds_nobody(as_user: As, maya: User) -> None:
    """UX check 35: without names no name, birth date, phone or free text in the file; with names an audit entry."""
    named = factories.client(maya, "Zebediah Quill", birth_date="1971-02-03", phone="+1 202 555 0199")
    world = flags.flags([named], [referring.clinic()], 12)
    world.write()
    browser = as_user(maya)
    plain = str(csv_of(browser, reverse("report_csv")))
    assert [word for word in ("Zebediah", "Quill", "1971", "0199", "example") if word in plain] == []
    rows = csv_of(browser, reverse("report_csv_named"))
    assert {(row[1], row[2], row[3]) for row in rows[1:]} == {("Zebediah Quill", "1971-02-03", "'+1 202 555 0199")}
    events = AuditEvent.objects.filter(action="report.exported").order_by("seq").values_list("facts", flat=True)
    assert [(e["names"], e["kind"], e["rows"]) for e in events] == [
        (False, "csv", len(rows) - 1), (True, "csv", len(rows) - 1),
    ]  # fmt: skip


def test_names_need_a_fresh_sign_in(as_user: As, maya: User) -> None:
    """Security check 30: an export with a sign-in older than five minutes asks again; without names it does not."""
    browser = as_user(maya)
    with time_machine.travel(NOW + timedelta(minutes=6), tick=False):
        browser.get(reverse("reports"))
    session = browser.session
    session["started"] = NOW.timestamp()
    session["seen"] = NOW.timestamp()
    session.save()
    with time_machine.travel(NOW + timedelta(minutes=6), tick=False):
        for name in ("report_csv_named", "report_xlsx_named"):
            answer = browser.get(reverse(name))
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("account_reauthenticate"))
        assert browser.get(reverse("report_csv")).status_code == 200
    assert not AuditEvent.objects.filter(action="report.exported", facts__names=True).exists()


def test_formula_as_a_name_of_a_clinic_is_text_in_the_file(as_user: As, maya: User, sam: Client) -> None:
    """Security check 38: what people typed is never a formula in a file."""
    flags.flags([sam], [referring.clinic("=cmd|' /C calc'!A0")], 8).write()
    cells = [cell for row in csv_of(as_user(maya), reverse("report_csv")) for cell in row if "cmd" in cell]
    assert set(cells) == {"'=cmd|' /C calc'!A0"}


def test_rates_of_few_are_not_shown_and_counts_are(maya: User) -> None:
    """UX check 36: a clinic with 3 follow-ups shows its counts, and no rate."""
    clinic = referring.clinic("Harbor")
    clients = flags.people([maya], 5)
    world = flags.World()
    for n, client in enumerate(clients[:3]):
        flags.one(world, "response", client, clinic, days_ago=60 + n)
    world.write()
    (line,) = report_of(maya).clinics()["rows"]
    assert (line["cells"][9].count, str(line["response"]), str(line["remission"]), str(line["days"])) == (
        3, "too few", "too few", "too few",
    )  # fmt: skip


def test_address_holds_the_whole_view(as_user: As, stories: flags.World, rosa: User) -> None:
    """UX check 34: filter by therapist, copy the address to another admin, and they see the same."""
    from practice.access import Role

    other = factories.staff("Rex Other", Role.ADMIN, sites=(rosa.sites.get(),))
    therapist = User.objects.get(name="Omar Haddad")
    url = f"{reverse('report_referrals')}?therapist={therapist.pk}&start=2026-01-01&end=2026-09-30"
    one, two = (as_user(user).get(url).context for user in (rosa, other))
    for part in ("tiles", "funnel", "sentence", "clinics", "paths"):
        assert str(one[part]) == str(two[part])
    assert one["funnel"][2]["cell"].count == report_of(rosa, urlsplit(url).query).count("referred")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("start=2026-13-01", "Give a day, such as 2026-11-20."),
        ("start=2026-05-02&end=2026-05-01", "The first day is after the last one. Change one of them."),
        ("start=0001-01-01", "That is more than ten years. Choose fewer."),
        ("therapist=x", "Choose one that is in the list."),
        ("therapist=x%00y", "Choose one that is in the list."),
        ("site=1e9", "Choose one that is in the list."),
        ("step=__class__", "Choose one that is in the list."),
        ("rule=IN-99", "Choose one that is in the list."),
        ("end=9999-12-31", "That day is far ahead. Choose one up to today."),
    ],
)
def test_wrong_filter_is_said_in_a_sentence(as_user: As, maya: User, query: str, said: str) -> None:
    for name in ("report_referrals", "report_rows", "report_csv"):
        answer = as_user(maya).get(f"{reverse(name)}?{query}")
        assert (name, answer.status_code, escape(said) in answer.content.decode()) == (name, 400, True)


def test_empty_report_says_how_to_widen_it(as_user: As, maya: User) -> None:
    page = as_user(maya).get(reverse("report_referrals")).content.decode()
    assert "No flags in these dates" in page


def test_quartiles_are_the_middle_half() -> None:
    assert quartiles([3, 7, 9, 11, 17]) == (7, 9, 11)
    assert quartiles([1, 2, 3, 4]) is None
    assert statistics.median([3, 7, 9, 11, 17]) == 9


def test_days_are_whole_months_for_who_does_not_read_charts(house: Practice, maya: User, rosa: User) -> None:
    """Security check 11: one day more or less would tell of one person by subtraction."""
    data = QueryDict("start=2026-03-10&end=2026-05-02")
    said = [FilterForm(data, user=user, today=date(2026, 11, 19)) for user in (maya, rosa)]
    assert all(form.is_valid() for form in said)
    assert [(form.cleaned_data["start"], form.cleaned_data["end"]) for form in said] == [
        (date(2026, 3, 10), date(2026, 5, 2)),
        (date(2026, 3, 1), date(2026, 5, 31)),
    ]
    this_month = FilterForm(QueryDict("start=2026-11-18&end=2026-11-18"), user=rosa, today=date(2026, 11, 19))
    assert this_month.is_valid()
    assert this_month.cleaned_data["end"] == date(2026, 11, 19)
