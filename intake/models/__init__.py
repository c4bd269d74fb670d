"""What a client tells us."""

from .agreements import AgreementText, SigningPace, SigningRequest
from .arrivals import Arrival
from .assessments import Assessment
from .consents import Signature
from .kiosk import KioskTry
from .measures import Measure
from .medicines import MedicinePage
from .messages import Message, MessageDraft, Opening
from .own_packets import PacketDraft, PacketStart, PacketVersion
from .packets import Answer, Intake, Invitation
from .schedules import Pause, Schedule
from .shares import SharedScores
from .trusted import Look, Part, TrustedPerson

__all__ = [
    "AgreementText",
    "Answer",
    "Arrival",
    "Assessment",
    "Intake",
    "Invitation",
    "KioskTry",
    "Look",
    "Measure",
    "MedicinePage",
    "Message",
    "MessageDraft",
    "Opening",
    "PacketDraft",
    "PacketStart",
    "PacketVersion",
    "Part",
    "Pause",
    "Schedule",
    "SharedScores",
    "Signature",
    "SigningPace",
    "SigningRequest",
    "TrustedPerson",
]
