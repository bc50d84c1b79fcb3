"""The self-test of a connected chip: what `bss2_child.py --self-test --record DIR` runs.

Every test runs, whatever became of the one before, and everything that came and went is written
down: the first contact with a chip is when something fails, and the folder is what tells why.
"""

import json
import pathlib
import traceback

import numpy as np

import bss2_decode as decode
import bss2_wire as wire

FIXED = {  # Regular spikes without stimulus: the leak pulls over the threshold.
    "leak.v_leak": 900, "leak.i_bias": 300, "leak.enable_division": 1, "reset.v_reset": 500,
    "reset.i_bias": 1022, "reset.enable_multiplication": 1, "threshold.enable": 1,
    "threshold.v_threshold": 400, "membrane_capacitance.capacitance": 63,
    "refractory_period.refractory_time": 10, "constant_current.i_offset": 0,
}
CODES = {"leak.v_leak": 900, "threshold.v_threshold": 400}
REPEATS = 5
DURATION_US = 1400
LEAST_SAWTOOTH_SHARE = 0.9


class Recorder:
    """Writes the frames of an exchange, NNN-TYPE.request and NNN-TYPE.reply, and the samples and
    spikes of each program as the vendor gave them, NNN-raw.npz."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count = 0

    def record(self, request, reply, raw):
        stem = self.folder / f"{self._count:03d}"
        kind = request[0]["type"]
        for suffix, frame in (("request", request), ("reply", reply)):
            pathlib.Path(f"{stem}-{kind}.{suffix}").write_bytes(b"".join(wire.encode(*frame)))
        if raw is not None:
            np.savez_compressed(f"{stem}-raw.npz", **raw)
        self._count += 1


class SelfTest:
    """Asks the driver as a worker would. `failure` turns an exception into a reply."""

    def __init__(self, driver, failure, folder):
        self._driver, self._failure = driver, failure
        self._recorder = Recorder(folder)
        self.results = {}

    def ask(self, header, arrays=None):
        """The reply, of type "error" where the request failed."""
        request = (header, arrays or {})
        self._driver.raw = None
        try:
            reply = self._driver.handle(*request)
        except Exception as error:  # pylint: disable=broad-except  # the vendor raises anything
            reply = self._failure(error), {}
            if reply[0]["code"] == "internal":  # Others say themselves what is wrong.
                traceback.print_exc()
        self._recorder.record(request, reply, self._driver.raw)
        return reply

    def run(self, neuron, calibration):
        """True where every test has passed."""
        hello, _ = self.ask({"type": "hello", "protocol": wire.PROTOCOL})
        self._note("hello", hello["type"] == "hello", reply=hello)
        opened, _ = self.ask(
            {"type": "open", "neuron": neuron, "address": neuron % 256, "calibration": calibration,
             "calibration_id": "", "fixed": FIXED, "readout": {"source": "membrane"},
             "clocks": {"fast": 3, "slow": 3}, "settle_us": 20_000, "first_settle_us": 100_000,
             "trial_pause_us": 5_000})
        self._note("open", opened["type"] == "opened", reply=opened)
        self._sawtooth()
        self._leak_over_threshold()
        text = json.dumps(self.results, indent=1)
        (self._recorder.folder / "self_test.json").write_text(text + "\n")
        print(text)
        return all(result["passed"] for result in self.results.values())

    def _sawtooth(self):
        health, _ = self.ask({"type": "health"})
        passed = (health["type"] == "health" and health["sawtooth_breaks"] == 0
                  and health["sawtooth_samples"]
                  >= LEAST_SAWTOOTH_SHARE * self._driver.SAWTOOTH_SAMPLES)
        self._note("sawtooth", passed, reply=health)

    def _leak_over_threshold(self):
        batch, data = self.ask(
            {"type": "run_batch", "fields": list(CODES), "steps_cycles": [],
             "duration_cycles": DURATION_US * decode.CYCLES_PER_US},
            {"codes": np.array([list(CODES.values())], np.uint16),
             "row": np.zeros(REPEATS, np.uint32)})
        if batch["type"] != "batch":
            self._note("leak_over_threshold", False, reply=batch)
            self._note("canary", False, reply=batch)
            return
        counts = data["spike_count"]
        self._note("leak_over_threshold", counts.min() > 0, spikes=counts.tolist())
        spread = int(counts.max() - counts.min())
        self._note("canary", spread <= max(2, 0.1 * counts.mean()), spread=spread,
                   temperature_c=batch["temperature_c"], supply_v=batch["supply_v"])

    def _note(self, test, passed, **details):
        self.results[test] = dict(passed=bool(passed), **details)
