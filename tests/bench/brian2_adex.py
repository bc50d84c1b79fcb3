"""Brian2 (C++ standalone, one thread, single precision) on the emulator's equations and neurons.

brian2_adex.py FOLDER

FOLDER/neurons.csv has a row of constants for each neuron, FOLDER/settings.json what they share (both
written by bench_emulator.cc). Prints one JSON object: traces per second of processor time, of the
simulation alone: neither code generation nor compiling nor writing the results to disk counts.

Exponential Euler is Brian2's fastest method that treats the leak exactly; the exponential current is
held for a step, which makes the membrane's equation linear. Noise is a normal number for each step and
neuron from Brian2's own generator. Compiler flags are Brian2's defaults (-O3 -ffast-math
-march=native).
"""

import csv
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy  # noqa: E402
from brian2 import (  # noqa: E402
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    device,
    prefs,
    second,
    set_device,
)

US = 1e-6 * second  # Brian2's clock; all else is in mV, uS, nA, pF and us without units.

EQUATIONS = """
exponent = clip((v - v_t) / delta_t, -100, {max_exponent}) : 1
rising = g_e * delta_t * exp(exponent) : 1
i_exp = rising * {limit} / (rising + {limit}) : 1 (constant over dt)
{noise}
dv/dt = (g_l * (v_l - v) + i_exp + scale * i_stim + noise - w) / ({c} * us) : 1 (unless refractory)
dw/dt = (a * (v - v_l) - w) / (tau_w * us) : 1
{constants}
scale : 1 (shared)
t_ref : second (shared, constant)
counts : 1
"""

TIMER_START = "std::clock_t bench_begin = std::clock();"
TIMER_STOP = """
std::ofstream bench_file("cpu_seconds.txt");
bench_file << static_cast<double>(std::clock() - bench_begin) / CLOCKS_PER_SEC;
"""


def load(folder):
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:
        settings = json.load(file)
    with open(os.path.join(folder, "neurons.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {key: numpy.array([float(row[key]) for row in rows], "f4") for key in rows[0]}
    return settings, columns


def make_group(settings, columns):
    noise = "noise = i_noise * randn() : 1 (constant over dt)" if settings["noise"] else "noise = 0 : 1"
    equations = EQUATIONS.format(
        max_exponent=settings["max_exponent"], limit=settings["limit_na"], c=settings["c_pf"],
        noise=noise,
        constants="\n".join(f"{name} : 1 (constant)" for name in columns))
    group = NeuronGroup(
        len(columns["g_l"]), equations, method="exponential_euler", dt=settings["step_us"] * US,
        threshold="v >= v_th", reset="v = v_r; w += b", refractory="t_ref")
    group.t_ref = settings["refractory_us"] * US  # As a literal, 2.5.1 prints it as 0.
    for key, values in columns.items():
        setattr(group, key, values)
    group.v = columns["v_l"]
    return group


def record(group, settings):
    """The read-out on the stored grid: noise, clipping and rounding, then a monitor of it."""
    grid = settings["grid_us"] * US
    sigma = settings["readout_counts"]
    group.run_regularly(
        f"counts = floor(clip({settings['gain']} * v + {settings['offset']} + {sigma} * randn(), "
        f"{settings['min']}, {settings['max']}) + 0.5)", dt=grid, when="before_thresholds")
    return StateMonitor(group, "counts", record=True, dt=grid, when="end")


def main():
    folder = sys.argv[1]
    settings, columns = load(folder)
    set_device("cpp_standalone", build_on_run=False)
    prefs.core.default_float_dtype = numpy.float32
    prefs.devices.cpp_standalone.openmp_threads = 0
    group = make_group(settings, columns)
    spikes = SpikeMonitor(group)
    network = Network(group, spikes)
    if settings["settle_us"] > 0:
        network.run(settings["settle_us"] * US)
    monitor = None
    if settings["record"]:
        monitor = record(group, settings)
        network.add(monitor)
    for duration_us, scale in settings["segments"]:
        group.scale = scale
        network.run(duration_us * US)
    device.insert_code("after_start", TIMER_START)
    device.insert_code("before_end", TIMER_STOP)
    build = os.path.join(folder, "brian2")
    device.build(directory=build, compile=True, run=True, with_output=False)
    with open(os.path.join(build, "cpu_seconds.txt"), encoding="utf-8") as file:
        seconds = float(file.read())
    result = {"neurons": len(group), "cpu_s": seconds, "traces_per_core_s": len(group) / seconds,
              "spikes_per_trace": numpy.sum(numpy.array(spikes.t / US) >= settings["settle_us"])
              / len(group)}
    if monitor is not None:
        result["points"] = int(monitor.counts.shape[1])
        result["mean_counts"] = float(numpy.mean(monitor.counts))
    print(json.dumps(result))


main()
