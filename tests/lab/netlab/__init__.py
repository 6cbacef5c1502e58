"""A lab for networks that fail: hosts in Linux network namespaces, real programs on them, and faults by name.

The pytest fixture ``lab`` (`netlab.plugin`) gives a test an open `Lab`; outside pytest, ``async with Lab() as lab`` does.
"""

from netlab.faults import Fault
from netlab.host import Host
from netlab.internet import DNS_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS6, WAN_ADDRESS, Internet, Router
from netlab.lab import Lab
from netlab.lan import Lan
from netlab.namespaces import sweep
from netlab.node import Node
from netlab.process import Finished, Process, ProcessError, matching
from netlab.requirements import missing
from netlab.system import LabError

__all__ = [
    "DNS_ADDRESS",
    "INTERNET_ADDRESS",
    "INTERNET_ADDRESS6",
    "WAN_ADDRESS",
    "Fault",
    "Finished",
    "Host",
    "Internet",
    "Lab",
    "LabError",
    "Lan",
    "Node",
    "Process",
    "ProcessError",
    "Router",
    "matching",
    "missing",
    "sweep",
]
