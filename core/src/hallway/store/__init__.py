"""The durable outbox and inbox of the delivery layer, in SQLite."""

from hallway.store.clock import Machine
from hallway.store.store import Store
from hallway.store.values import (
    Acked,
    DeadLetter,
    Expired,
    InboxItem,
    NewMessage,
    OutStream,
    Placed,
    Position,
    Quota,
    Received,
    Usage,
    Waiting,
)

__all__ = [
    "Acked",
    "DeadLetter",
    "Expired",
    "InboxItem",
    "Machine",
    "NewMessage",
    "OutStream",
    "Placed",
    "Position",
    "Quota",
    "Received",
    "Store",
    "Usage",
    "Waiting",
]
