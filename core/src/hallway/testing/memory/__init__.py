"""Discovery, signaling and channel in memory: devices of one process that name the same hub find each other and talk."""

from hallway.testing.memory.hub import Hub, MemoryConfig

__all__ = ["Hub", "MemoryConfig"]
