"""What a playback program brought back -> samples and spikes of each experiment, checked."""

import numpy as np

CYCLES_PER_US = 125  # FPGA and chip time count in 8 ns.
MAX_DISORDER = 16  # Samples arrive in packets: this far from its place one may be.
USABLE_COUNTS = (200, 680)  # Outside, the read-out saturates.
MAX_COUNT = 1023
MAX_GAP_CYCLES = 2 * CYCLES_PER_US  # The longest hole that can be interpolated.


class BadData(Exception):
    """The data of an experiment cannot be trusted: the whole program is void."""


def split_recordings(samples, spikes, marks, window, address):
    """Cuts the samples and spikes of a program into its experiments.

    samples: structured array with `value` (0..1023) and `chip_time` (cycles).
    spikes: structured array with `label` and `chip_time` (cycles).
    marks: [(begin, end)] in cycles, one pair an experiment.
    window: dict with `zero_cycles` (from `begin` to time zero), `drop_cycles` (the first samples
      after `begin` are not valid), `duration_cycles`, `samples_per_us`.
    address: the lower 8 bits of the target neuron's spike labels.
    Returns a dict of arrays: sample_value u2, sample_time i4 (cycles from time zero), sample_count
    u4, spike_time i4, spike_count u4, and a list of warnings. Raises BadData.
    """
    # Contiguous copies of one type: a search in a field of a record copies the whole field.
    sample_times, sample_values = _in_order(
        samples["chip_time"].astype(np.int64), np.ascontiguousarray(samples["value"], np.uint16))
    ours = (spikes["label"] & 0xFF) == address
    spike_times = np.sort(spikes["chip_time"][ours].astype(np.int64))
    begins = np.array([begin for begin, _ in marks], np.int64)
    ends = np.array([end for _, end in marks], np.int64)
    zeros = begins + window["zero_cycles"]
    sample_first = np.searchsorted(sample_times, begins + window["drop_cycles"])
    sample_last = np.searchsorted(sample_times, ends)
    spike_first = np.searchsorted(spike_times, zeros)
    spike_last = np.searchsorted(spike_times, zeros + window["duration_cycles"])
    parts = {"sample_value": [], "sample_time": [], "spike_time": []}
    counts = {"sample_count": [], "spike_count": []}
    warnings = []
    for index, zero in enumerate(zeros):
        cut = slice(sample_first[index], sample_last[index])
        value = sample_values[cut]
        time = (sample_times[cut] - zero).astype(np.int32)
        check_recording(index, value, time, window, warnings)
        cut = slice(spike_first[index], spike_last[index])
        spike = np.unique((spike_times[cut] - zero).astype(np.int32))
        parts["sample_value"].append(value)
        parts["sample_time"].append(time)
        parts["spike_time"].append(spike)
        counts["sample_count"].append(len(value))
        counts["spike_count"].append(len(spike))
    arrays = {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}
    arrays.update({name: np.array(count, np.uint32) for name, count in counts.items()})
    return arrays, warnings


def check_recording(index, value, time, window, warnings):
    """Raises BadData for an experiment that lost samples or whose read-out is dead or jumps."""
    inside = np.searchsorted(time, window["duration_cycles"]) - np.searchsorted(time, 0)
    expected = window["samples_per_us"] * window["duration_cycles"] / CYCLES_PER_US
    if abs(inside - expected) > 0.02 * expected:
        raise BadData(f"experiment {index} has {inside} samples, not the {expected:.0f} "
                      "(within 2 %) of its duration")
    steps = np.diff(time)
    if steps.min() <= 0:
        raise BadData(f"experiment {index} has two samples at one time")
    if steps.max() > MAX_GAP_CYCLES:
        raise BadData(f"experiment {index} has a hole of {steps.max() / CYCLES_PER_US:.1f} us, "
                      f"longer than {MAX_GAP_CYCLES // CYCLES_PER_US} us")
    if time[0] > 0 or time[-1] < window["duration_cycles"] - MAX_GAP_CYCLES:
        raise BadData(f"experiment {index} has samples that do not cover its recording")
    if value.max() > MAX_COUNT:
        raise BadData(f"experiment {index} has a sample of {value.max()}, over {MAX_COUNT}")
    if value.min() == value.max():
        raise BadData(f"experiment {index} reads {value[0]} all the time: the read-out is dead")
    low, high = USABLE_COUNTS
    if value.min() < low or value.max() > high:
        saturated = float(np.mean((value < low) | (value > high)))
        warnings.append({"experiment": index, "kind": "saturation", "share": round(saturated, 6)})


def check_sawtooth(value):
    """The MADC's dummy data counts up modulo 1024. Returns the number of breaks."""
    step = np.diff(value.astype(np.int64)) % (MAX_COUNT + 1)
    return int(np.count_nonzero(step != 1))


def _in_order(time, value):
    """Samples by time; a sample far from its place means that the times jumped."""
    if len(time) < 2 or np.all(time[1:] >= time[:-1]):
        return time, value
    order = np.argsort(time, kind="stable")
    if np.max(np.abs(order - np.arange(len(order)))) > MAX_DISORDER:
        raise BadData("the times of the samples jump back")
    return time[order], value[order]
