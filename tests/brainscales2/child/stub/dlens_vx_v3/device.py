"""Plays programs: keeps time in cycles of 8 ns, makes samples and spikes as a chip would."""

import os
import time
import types

import numpy as np

SAMPLE_NS = 34
SAMPLE_TYPE = np.dtype([("value", "u2"), ("channel", "u1"), ("fpga_time", "u8"),
                        ("chip_time", "u8")])
SPIKE_TYPE = np.dtype([("label", "u2"), ("fpga_time", "u8"), ("chip_time", "u8")])


class Samples:
    def __init__(self, array):
        self._array = array

    def to_numpy(self):
        return self._array


class Device:
    """`spikes_at`: times in us after the stimulus comes on; `corrupt` may change the samples and
    spikes of a program; `failures`: runs that raise first."""

    def __init__(self):
        self.spikes_at = [10.0, 500.0, 990.0]
        # Spikes every 100 us of each recording, without stimulus.
        self.free_spikes = bool(os.environ.get("INFERON_STUB_FREE_SPIKES"))
        self.address = 0
        self.corrupt = None
        self.failures = 0
        self.timeline = []  # (cycles, kind, coordinate, content) of the last program.

    def play(self, program):
        started = time.monotonic()
        self._play(program)
        if os.environ.get("INFERON_STUB_TIME_ACCURATE") and self.timeline:
            # A chip takes its time whatever the host does meanwhile.
            cycles = self.timeline[-1][0] - self.timeline[0][0]
            time.sleep(max(0.0, started + cycles * 8e-9 - time.monotonic()))

    def _play(self, program):
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("highspeed link went down")
        now, zero, start, dummy = 1000, 0, None, False
        samples, spikes, self.timeline = [], [], []
        for kind, coordinate, content in program.instructions:
            name = type(coordinate).__name__
            if kind == "block_until" and name == "TimerOnDLS":
                now = max(now, zero + int(content))
            elif kind == "write" and name == "TimerOnDLS":
                zero = now
            elif kind == "read":
                content.fill(now, _reading(name, coordinate))
            elif name == "MADCConfigOnDLS":
                dummy = content.enable_dummy_data
            elif name == "MADCControlOnDLS" and content.start_recording:
                start = now
            elif name == "MADCControlOnDLS" and content.stop_recording:
                samples.append(_samples(start, now, dummy))
                if self.free_spikes:
                    spikes += list(range(start, now, 100 * 125))
            elif name == "NeuronConfigOnDLS" and content.enable_constant_current:
                spikes += [now + round(us * 125) for us in self.spikes_at]
            self.timeline.append((now, kind, coordinate, content))
        sample_array = np.concatenate(samples) if samples else np.empty(0, SAMPLE_TYPE)
        spike_array = np.zeros(len(spikes), SPIKE_TYPE)
        spike_array["label"] = self.address | 0x4000
        spike_array["chip_time"] = spikes
        if self.corrupt is not None:
            sample_array, spike_array = self.corrupt(sample_array, spike_array)
        program.madc_samples, program.spikes = Samples(sample_array), Samples(spike_array)


def _samples(start, stop, dummy):
    count = int((stop - start) * 8 / SAMPLE_NS)
    array = np.zeros(count, SAMPLE_TYPE)
    array["chip_time"] = start + (np.arange(count) * SAMPLE_NS) // 8
    counter = np.arange(count)
    array["value"] = counter % 1024 if dummy else 300 + counter % 7
    return array


SUPPLIES = (1.25, 2.5, 1.2, 2.5, 1.2, 1.2)


def _reading(name, coordinate):
    if name == "TMP112StatusOnBoard":
        return types.SimpleNamespace(temperature=round(41.5 * 256))
    if name == "INA219StatusOnBoard":
        volts = SUPPLIES[coordinate.toEnum()]
        voltage = types.SimpleNamespace(toUncalibratedVoltage=lambda: volts)
        return types.SimpleNamespace(bus_voltage=voltage)
    return None


DEVICE = Device()
