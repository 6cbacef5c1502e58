"""Guards: what a security mode does to descriptions, HELLO and admission. Only a guard makes and reads the bytes that carriers move."""

from hallway.trust.guard import Guard, Mark, Signal
from hallway.trust.open_guard import OpenGuard

__all__ = ["Guard", "Mark", "OpenGuard", "Signal"]
