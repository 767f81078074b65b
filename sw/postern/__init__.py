"""Driver and functional model of the Postern mailbox; standard library only."""

from postern_spec.config import Config, ConfigError, load, preset
from postern_spec.regmap import Arbitration, Fault, Handover, Holding, Kind, Lock, Result, State

from .bus import Access, Bus, MmapBus, ModelBus, TracingBus
from .channel import Channel
from .driver import (
    BlockInfo,
    Credit,
    Header,
    Loan,
    Mailbox,
    Message,
    Outcome,
    Peer,
    Quota,
    Source,
    Who,
    probe,
)
from .endpoint import Buffer, Endpoint
from .errors import (
    BadBlock,
    BlockRefused,
    BusError,
    Closed,
    CommandRefused,
    Deadlock,
    Denied,
    DeviceError,
    NoCredit,
    Overrun,
    PeerGone,
    PosternError,
    ProtocolError,
    Refused,
    RemoteError,
    Timeout,
    Torn,
    Violation,
)
from .inbox import Received
from .manager import Manager
from .model import Model
from .outbox import Transfer
from .programs import Programs
from .ring import Entry, RingReader, RingWriter
from .rpc import Client, Server
from .sender import Sender
from .status import Counters, FaultRecord, Holdings, Limit, Pool, Rights, Setup, Status, Tag, VmSetup, VmStatus
from .stream import Stream
from .wire import Content

__all__ = [
    "Access",
    "Arbitration",
    "BadBlock",
    "BlockInfo",
    "BlockRefused",
    "Buffer",
    "Bus",
    "BusError",
    "Channel",
    "Client",
    "Closed",
    "CommandRefused",
    "Config",
    "ConfigError",
    "Content",
    "Counters",
    "Credit",
    "Deadlock",
    "Denied",
    "DeviceError",
    "Endpoint",
    "Entry",
    "Fault",
    "FaultRecord",
    "Handover",
    "Header",
    "Holding",
    "Holdings",
    "Kind",
    "Limit",
    "Loan",
    "Lock",
    "Mailbox",
    "Manager",
    "Message",
    "MmapBus",
    "Model",
    "ModelBus",
    "NoCredit",
    "Outcome",
    "Overrun",
    "Peer",
    "PeerGone",
    "Pool",
    "PosternError",
    "Programs",
    "ProtocolError",
    "Quota",
    "Received",
    "Refused",
    "RemoteError",
    "Result",
    "Rights",
    "RingReader",
    "RingWriter",
    "Sender",
    "Server",
    "Setup",
    "Source",
    "State",
    "Status",
    "Stream",
    "Tag",
    "Timeout",
    "Torn",
    "TracingBus",
    "Transfer",
    "Violation",
    "VmSetup",
    "VmStatus",
    "Who",
    "load",
    "preset",
    "probe",
]
