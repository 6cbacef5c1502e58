"""The durable outbox and inbox of the delivery layer, in SQLite."""

from hallway.store.clock import Machine
from hallway.store.outbox import Numbered, Order, Single
from hallway.store.store import Store
from hallway.store.values import (
    EXPIRED,
    Acked,
    DeadLetter,
    Expired,
    InboxItem,
    Listed,
    NewMessage,
    OutStream,
    Place,
    Placed,
    Position,
    Queue,
    Quota,
    Received,
    Retried,
    Usage,
    Waiting,
)

__all__ = [
    "EXPIRED",
    "Acked",
    "DeadLetter",
    "Expired",
    "InboxItem",
    "Listed",
    "Machine",
    "NewMessage",
    "Numbered",
    "Order",
    "OutStream",
    "Place",
    "Placed",
    "Position",
    "Queue",
    "Quota",
    "Received",
    "Retried",
    "Single",
    "Store",
    "Usage",
    "Waiting",
]
