"""Says what this host or container lacks, for `bss2_child.py --check` and a worker's doctor.

The chip is left alone. Needs nothing but the standard library: numpy may be what is missing.
"""

import importlib
import json
import os
import platform
import socket
import struct
import sys

DESCRIPTOR_VARIABLE = "INFERON_BSS2_FD"
INSIDE = ("Start the child inside the container or kernel that has the BSS-2 software ('launcher' "
          "in the device configuration)")


def check(calibration=None):
    """Prints a line for each library, answers a doctor that listens, and gives the exit code: 0
    where everything is there, the calibration file (if named) included."""
    items = [{"name": "python", "ok": True, "advice": "",
              "detail": f"{platform.python_version()} at {sys.executable}"},
             _library("numpy", "Install numpy for this Python"),
             _library("dlens_vx_v3", INSIDE, ("hal", "halco", "hxcomm", "lola", "sta"))]
    if calibration:
        seen = os.access(calibration, os.R_OK)
        items.append({"name": "child's files", "ok": seen,
                      "detail": f"{calibration} can be read" if seen
                      else f"{calibration} cannot be read where the child runs",
                      "advice": "" if seen else "Bind its folder into the container"})
    for item in items:
        print(f"{item['name']}: {item['detail']}", file=sys.stderr, flush=True)
    _answer(items)
    return 0 if all(item["ok"] for item in items) else 1


def _library(name, advice, parts=()):
    try:
        module = importlib.import_module(name)
        for part in parts:
            importlib.import_module(f"{name}.{part}")
    except Exception as error:  # pylint: disable=broad-except  # a broken library raises anything
        return {"name": name, "ok": False, "advice": advice,
                "detail": f"cannot be imported: {type(error).__name__}: {error}"}
    return {"name": name, "ok": True, "advice": "",
            "detail": str(getattr(module, "__version__", "is there"))}


def _answer(items):
    """One frame without arrays (bss2_wire needs numpy)."""
    number = os.environ.get(DESCRIPTOR_VARIABLE, "")
    if not number.isdigit():
        return
    text = json.dumps({"type": "check", "items": items, "arrays": []}).encode()
    try:
        with socket.socket(fileno=int(number)) as connection:
            connection.sendall(struct.pack("<II", 4 + len(text), len(text)) + text)
    except OSError as error:
        print(f"nobody listens on {DESCRIPTOR_VARIABLE}={number}: {error}", file=sys.stderr)
