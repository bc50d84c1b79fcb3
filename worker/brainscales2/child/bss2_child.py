#!/usr/bin/env python3
"""Drives a BrainScaleS-2 chip for an Inferon worker, one request at a time.

Started by the worker through a configured launcher (for example inside the lab's container). The
number of a connected stream socket is in INFERON_BSS2_FD; standard output and error carry logs
only. It needs the standard library, numpy and the vendor's dlens_vx_v3. docs/brainscales2.md
describes messages and set-up.

On its own: `bss2_child.py --self-test --record DIR --neuron N [--calibration FILE]` runs canary,
sawtooth and leak over threshold on the connected chip and writes what came and went into DIR;
`bss2_child.py --check` says whether its libraries are there and leaves the chip alone.
"""

import argparse
import hashlib
import os
import pathlib
import socket
import sys
import time

import bss2_check

try:
    import numpy as np

    import bss2_decode as decode
    import bss2_program as program
    import bss2_self_test
    import bss2_vendor as vendor_module
    import bss2_wire as wire
except ImportError:
    if __name__ != "__main__":
        raise
    sys.exit(bss2_check.check() or 1)  # Nothing works without numpy.

DESCRIPTOR_VARIABLE = bss2_check.DESCRIPTOR_VARIABLE
CHILD_VERSION = 1
SAMPLES_PER_US = 1e3 / 34  # One sample of the MADC takes 34 ns.
MAX_EXPERIMENTS = 4096  # In one program.
CELSIUS_PER_UNIT = 1 / 256  # Of the TMP112's register.


class ChildError(Exception):
    """An answer of type "error". `code` is one of the worker's error codes."""

    def __init__(self, code, message, advice=""):
        super().__init__(message)
        self.code, self.message, self.advice = code, message, advice


def log(text):
    print(f"bss2_child: {text}", file=sys.stderr, flush=True)


class Driver:
    """Handles requests; each handler takes (header, arrays) and gives (header, arrays)."""

    SAWTOOTH_SAMPLES = 5000

    def __init__(self, make_vendor=vendor_module.Vendor):
        self._make_vendor = make_vendor
        self._vendor = None
        self._builder = None
        self._setting = None
        self._reinit = None
        self._calibration = b""
        self.raw = None  # Samples, spikes and marks of the last program, as they came.

    def handle(self, header, arrays):
        handler = {"hello": self.hello, "open": self.open, "run_batch": self.run_batch,
                   "health": self.health, "calibrate": self.calibrate}.get(header["type"])
        if handler is None:
            raise ChildError("unimplemented", f"there is no request '{header['type']}'",
                             "Use a worker and a child of the same version")
        try:
            return handler(header, arrays)
        except vendor_module.BadRequest as error:
            raise ChildError("invalid_argument", str(error)) from error
        except (KeyError, ValueError, IndexError) as error:
            raise ChildError("invalid_argument", f"the request '{header['type']}' is malformed: "
                             f"{type(error).__name__} {error}") from error

    def hello(self, header, _arrays):
        if header["protocol"] != wire.PROTOCOL:
            raise ChildError("unimplemented",
                             f"the worker speaks protocol {header['protocol']}, this child "
                             f"{wire.PROTOCOL}", "Install worker and child of the same version")
        self._connect()
        return dict(self._vendor.identity(), type="hello", protocol=wire.PROTOCOL,
                    child_version=CHILD_VERSION, mode=vendor_module.connection_mode(),
                    shared=vendor_module.connection_is_shared(),
                    versions=self._vendor.versions()), {}

    def open(self, header, _arrays):
        self._need_connection()
        self._load_calibration(header.get("calibration"), header.get("calibration_id", ""))
        self._setting = header
        self._initialise()
        return {"type": "opened", "calibration_id": self._calibration_id(),
                "neuron": header["neuron"], "versions": self._vendor.versions()}, {}

    def run_batch(self, header, arrays):
        self._need_open()
        fields, codes, rows = header["fields"], arrays["codes"], arrays["row"]
        self._check_codes(fields, codes, rows)
        window = {"steps_cycles": header["steps_cycles"],
                  "duration_cycles": header["duration_cycles"]}
        reply, data = self._twice(lambda: self._run(
            self._builder.batch_program(fields, codes, rows, window, self._monitored()), window))
        reply["type"] = "batch"
        return reply, data

    def health(self, _header, _arrays):
        """Monitors, and the MADC's dummy sawtooth as a test of the way to the host."""
        self._need_open()
        built, tickets, readings, hardware_us = self._builder.sawtooth_program(
            self.SAWTOOTH_SAMPLES, self._monitored())
        self._vendor.run(built)
        samples, _, marks = self._take(built, tickets)
        valid = samples["chip_time"] >= marks[0][0] + program.DROP_CYCLES
        value = samples["value"][valid]
        reply = dict(self._monitors(readings), type="health", hardware_us=hardware_us,
                     sawtooth_samples=int(len(value)),
                     sawtooth_breaks=decode.check_sawtooth(value))
        self._initialise()  # Nothing of the test's setting of the MADC may stay.
        return reply, {}

    def calibrate(self, header, _arrays):
        """Takes over a new calibration. Only with the chip to itself: under quiggeldy, another
        user's run would meet it half way."""
        self._need_open()
        if header.get("exclusive") is not True or vendor_module.connection_is_shared():
            raise ChildError("failed_precondition", "a calibration needs the chip to itself",
                             "Stop quiggeldy, or allocate the FPGA, and ask for exclusive access")
        self._load_calibration(header["calibration"], header.get("calibration_id", ""))
        self._initialise()
        return {"type": "calibrated", "calibration_id": self._calibration_id()}, {}

    def close(self):
        if self._vendor is not None:
            self._vendor.disconnect()

    # -- steps -----------------------------------------------------------------------------------

    def _connect(self):
        if self._vendor is None:
            try:
                self._vendor = self._make_vendor()
            except ImportError as error:
                raise ChildError("failed_precondition", f"dlens_vx_v3 cannot be imported: {error}",
                                 "Start the child inside the container or kernel that has the "
                                 "BSS-2 software (launcher in the device configuration)") from error
        try:
            self._vendor.connect()
        except Exception as error:
            raise ChildError("unavailable", f"no connection to the chip: {error}",
                             "Check QUIGGELDY_* or SLURM_FPGA_IPS of the worker's environment and "
                             "that the allocation is yours") from error

    def _need_connection(self):
        if self._vendor is None or self._vendor.connection is None:
            raise ChildError("failed_precondition", "hello comes first")

    def _need_open(self):
        if self._builder is None:
            raise ChildError("failed_precondition", "the neuron is not open", "Send open first")

    def _load_calibration(self, path, expected):
        if expected and expected == self._calibration_id():
            return  # Held already: the file may have changed since.
        data = pathlib.Path(path).read_bytes() if path else b""
        found = hashlib.sha256(data).hexdigest() if path else ""
        if expected and found != expected:
            raise ChildError("failed_precondition",
                             f"the calibration {path} is {found[:12]} here, the worker reads "
                             f"{expected[:12]}", "Let both see the same file")
        self._calibration = data

    def _calibration_id(self):
        return hashlib.sha256(self._calibration).hexdigest() if self._calibration else ""

    def _initialise(self):
        """Puts the initial configuration on the re-initialisation stack, which runs it too."""
        vendor = self._vendor
        chip = vendor.load_chip(self._calibration) if self._calibration else vendor.lola.Chip()
        builder = program.ChipBuilder(vendor, self._setting, chip)
        initial = builder.init_program()
        if self._reinit is None:
            self._reinit = vendor.sta.ReinitStackEntry(vendor.connection)
        vendor.register_reinit(self._reinit, initial)
        self._builder = builder

    def _check_codes(self, fields, codes, rows):
        """Refuses before anything is built; the chip builder refuses again at each field."""
        if codes.ndim != 2 or codes.shape[1] != len(fields) or rows.ndim != 1:
            raise ChildError("invalid_argument", "codes are not [sets, fields] with a row each")
        if not 0 < len(rows) <= MAX_EXPERIMENTS or rows.max() >= len(codes):
            raise ChildError("invalid_argument",
                             f"{len(rows)} experiments are outside 1..{MAX_EXPERIMENTS} or name a "
                             "row that is not there")
        for column, field in enumerate(fields):
            kind, most = vendor_module.FIELDS.get(field, (None, None))
            if kind is None:
                raise ChildError("invalid_argument", f"'{field}' is no field of an AtomicNeuron")
            worst = int(codes[:, column].max())
            if worst > most:
                raise ChildError("invalid_argument",
                                 f"'{field}' cannot be {worst}: its range is 0..{most}")

    def _twice(self, attempt):
        """A run that throws or brings bad data voids its program: once more after a new start."""
        try:
            return attempt()
        except (vendor_module.BadRequest, ChildError):
            raise
        except Exception as error:  # pylint: disable=broad-except  # the vendor raises anything
            log(f"the program is void, trying once more after a new start: {error}")
        try:
            self._initialise()
            reply, data = attempt()
        except decode.BadData as error:
            raise ChildError("data_loss", f"twice: {error}",
                             "Look at the read-out with 'inferon worker doctor'") from error
        except vendor_module.BadRequest:
            raise
        except Exception as error:
            raise ChildError("unavailable", f"the chip failed twice: {error}") from error
        reply["repeated"] = True
        return reply, data

    def _run(self, built_program, window):
        built, tickets, readings, hardware_us = built_program
        started = time.monotonic()
        self._vendor.run(built)
        wall_us = (time.monotonic() - started) * 1e6
        samples, spikes, marks = self._take(built, tickets)
        limits = dict(window, zero_cycles=program.LEAD_CYCLES, drop_cycles=program.DROP_CYCLES,
                      samples_per_us=SAMPLES_PER_US)
        data, warnings = decode.split_recordings(samples, spikes, marks, limits,
                                                 self._builder.address)
        reply = dict(self._monitors(readings), hardware_us=hardware_us,
                     waiting_us=max(0.0, wall_us - hardware_us), warnings=warnings,
                     experiments=len(marks), repeated=False)
        return reply, data

    def _take(self, built, tickets):
        marks = [(int(begin.fpga_time), int(end.fpga_time)) for begin, end in tickets]
        samples, spikes = built.madc_samples.to_numpy(), built.spikes.to_numpy()
        self.raw = {"samples": samples, "spikes": spikes, "marks": np.array(marks, np.int64)}
        return samples, spikes, marks

    def _monitored(self):
        return vendor_module.connection_mode() == "hardware"  # Others have no board.

    @staticmethod
    def _monitors(readings):
        if not readings:
            return {"temperature_c": None, "supply_v": []}
        celsius = int(readings["temperature"].get().temperature) * CELSIUS_PER_UNIT
        supplies = [round(float(ticket.get().bus_voltage.toUncalibratedVoltage()), 4)
                    for ticket in readings["supplies"]]
        return {"temperature_c": round(celsius, 3), "supply_v": supplies}


def serve(channel, driver):
    """Answers requests until close or the end of the stream."""
    while True:
        request = channel.receive()
        if request is None:
            return
        header, arrays = request
        if header["type"] == "close":
            driver.close()  # Before the answer: then the chip is free.
            channel.send({"type": "closed"})
            return
        try:
            reply, data = driver.handle(header, arrays)
        except Exception as error:  # pylint: disable=broad-except  # it must reach the worker
            reply, data = failure(error), {}
            log(reply["message"])
        channel.send(reply, data)


def failure(error):
    """The reply to a request that raised."""
    if isinstance(error, ChildError):
        return {"type": "error", "code": error.code, "message": error.message,
                "advice": error.advice}
    return {"type": "error", "code": "internal", "advice": "",
            "message": f"{type(error).__name__}: {error}"}


def parse_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--self-test", action="store_true", help="test the connected chip")
    parser.add_argument("--check", action="store_true",
                        help="say whether the libraries are there; the chip is left alone")
    parser.add_argument("--record", metavar="DIR", help="folder for the self-test's frames")
    parser.add_argument("--neuron", type=int, default=0, help="neuron of the self-test, 0..511")
    parser.add_argument("--calibration", metavar="FILE", help="portable binary of the calibration")
    options = parser.parse_args(arguments)
    if options.self_test and not options.record:
        parser.error("--self-test needs --record DIR")
    if not 0 <= options.neuron <= 511:
        parser.error("--neuron is outside 0..511")
    return options


def main(arguments=None):
    options = parse_options(arguments)
    if options.check:
        return bss2_check.check(options.calibration)
    driver = Driver()
    if options.self_test:
        test = bss2_self_test.SelfTest(driver, failure, options.record)
        try:
            return 0 if test.run(options.neuron, options.calibration) else 1
        finally:
            driver.close()
    number = os.environ.get(DESCRIPTOR_VARIABLE, "")
    if not number.isdigit():
        log(f"{DESCRIPTOR_VARIABLE} has no descriptor: a worker starts this program. On its own it "
            "only has --self-test")
        return 2
    with socket.socket(fileno=int(number)) as connection:
        try:
            serve(wire.Channel(connection), driver)
        except (wire.WireError, OSError) as error:
            log(f"the worker is gone or does not speak the protocol: {error}")
            return 1
        finally:
            driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
