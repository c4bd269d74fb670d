"""The parts of a packet in their order. What is not known says so."""

from collections.abc import Iterable

from referrals.sections.client import client_block, why_block
from referrals.sections.health import path_blocks, screening_block
from referrals.sections.medicines import medicines_block, trials_block
from referrals.sections.record import Block, Record
from referrals.sections.safety import safety_block
from referrals.sections.scores import scores_block

BLOCKS = (
    client_block,
    safety_block,
    why_block,
    scores_block,
    medicines_block,
    trials_block,
    screening_block,
)


def blocks(record: Record) -> Iterable[Block]:
    for make in BLOCKS:
        yield make(record)
    yield from path_blocks(record)
