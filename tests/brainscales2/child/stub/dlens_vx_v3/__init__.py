"""A recording stand-in for the vendor's package: ours, for tests without a chip.

Containers remember their fields, builders their instructions; sta.run plays a program against a
simple device (device.py) that keeps the chip's time. GENERATION chooses the interface: "release"
takes one program, "head" a list; each raises TypeError for the other's form, as the vendor's do.
"""

import os

GENERATION = os.environ.get("INFERON_STUB_GENERATION", "release")
CALLS = []  # (what, details), in order.


def reset(generation="release"):
    global GENERATION
    GENERATION = generation
    CALLS.clear()
    device.DEVICE = device.Device()


from . import device  # noqa: E402
from . import hal, halco, hxcomm, lola, sta  # noqa: E402,F401
