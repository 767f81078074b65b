"""Driver and functional model of the Postern mailbox; standard library only."""

from postern_spec.config import Config, ConfigError, load, preset
from postern_spec.regmap import Fault, Kind, Result, State

from .bus import Access, Bus, MmapBus, ModelBus, TracingBus
from .driver import Credit, Header, Mailbox, Message, Outcome, Peer, Source, Who, probe
from .errors import (
    BusError,
    CommandRefused,
    Deadlock,
    Denied,
    DeviceError,
    NoCredit,
    PeerGone,
    PosternError,
    Refused,
    Timeout,
    Torn,
)
from .manager import FaultRecord, Limit, Manager, Status, Tag, VmStatus
from .model import Model
from .programs import Programs
from .sender import Sender

__all__ = [
    "Access",
    "Bus",
    "BusError",
    "CommandRefused",
    "Config",
    "ConfigError",
    "Credit",
    "Deadlock",
    "Denied",
    "DeviceError",
    "Fault",
    "FaultRecord",
    "Header",
    "Kind",
    "Limit",
    "Mailbox",
    "Manager",
    "Message",
    "MmapBus",
    "Model",
    "ModelBus",
    "NoCredit",
    "Outcome",
    "Peer",
    "PeerGone",
    "PosternError",
    "Programs",
    "Refused",
    "Result",
    "Sender",
    "Source",
    "State",
    "Status",
    "Tag",
    "Timeout",
    "Torn",
    "TracingBus",
    "VmStatus",
    "Who",
    "load",
    "preset",
    "probe",
]
