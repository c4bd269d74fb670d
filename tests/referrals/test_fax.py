"""A packet read back from a fax: standard resolution, black or white, then a machine that reads letters."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from practice.models import Client, User
from referrals import letters, packet
from tests.factories import NOW
from tests.referrals import cases

TOOLS = ("gs", "tiff2pdf", "tesseract")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]

pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"Not read back from a fax: {', '.join(MISSING)} missing (ghostscript, libtiff-tools, tesseract-ocr).",
)


def run(*command: str) -> str:
    alone = os.environ | {"OMP_THREAD_LIMIT": "1"}  # threads that wait for each other make it slower
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=alone)
    return done.stdout


def faxed(made: bytes, folder: Path) -> list[str]:
    """Return the words of each page as read from a G4 fax at 204 by 98 dots an inch."""
    paper, fax, arrived = folder / "paper.pdf", folder / "fax.tif", folder / "arrived.pdf"
    paper.write_bytes(made)
    quiet = ("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER")
    run(*quiet, "-sDEVICE=tiffg4", "-r204x98", "-sPAPERSIZE=letter", f"-sOutputFile={fax}", str(paper))
    run("tiff2pdf", "-o", str(arrived), str(fax))
    run(*quiet, "-sDEVICE=pnggray", "-r204x196", f"-sOutputFile={folder}/page-%d.png", str(arrived))
    pages = sorted(folder.glob("page-*.png"))
    return [" ".join(run("tesseract", str(page), "-", "--dpi", "200", "--psm", "6").split()) for page in pages]


@pytest.fixture
def pages(sam: Client, maya: User, tmp_path: Path) -> list[str]:
    cases.whole_record(sam, maya)
    to = cases.clinic()
    cases.released(sam, to)
    row = cases.referral(sam, maya, to, urgency="urgent")
    return faxed(letters.packet_pdf(packet.freeze(by=maya, referral=row, at=NOW)), tmp_path)


def test_fax_still_gives_what_a_clinic_acts_on(pages: list[str], sam: Client) -> None:
    """Reference, birth date, scores, the item 9 line and the number to call back."""
    assert len(pages) == 2
    first, second = pages
    for page in pages:
        assert f"{sam.code}-2" in page
        assert "Call 555 0110" in page
        assert "URGENT" in page
    assert "Mar 8, 1993" in first
    assert re.search(r"PHQ-9 item 9, Nov 18, 2026: 2 of 3", first)
    assert re.search(r"PHQ-9 \(0 to 27\) 21 .*? 21 .*? 9 .*? 3 .*? 19 \(Nov 18, ?2026\)", first)
    assert re.search(r"Item 9 \(0 t\w 3\) 2 2 0 0 2", first)
    assert "Call Maya Torres at 555 0110 the same day if risk rises" in first
    assert "thoughts of suicide, thoughts of a method" in first
    assert "Sertraline, 150 mg daily" in second and "124/80" in second


def test_fax_of_the_cover_gives_reference_and_number(sam: Client, maya: User, tmp_path: Path) -> None:
    to = cases.clinic()
    cases.released(sam, to)
    row = cases.referral(sam, maya, to)
    (page,) = faxed(letters.fax_cover(row, packet.freeze(by=maya, referral=row, at=NOW)), tmp_path)
    for said in (row.reference, "Northlake Infusion", "call 555 0110"):
        assert said in page
