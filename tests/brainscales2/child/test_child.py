"""The child's programs, decoding and dialogue, against the recording stub of dlens_vx_v3."""

import contextlib
import io
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "stub"), str(HERE.parents[2] / "worker" / "brainscales2" / "child")]

import dlens_vx_v3 as stub  # noqa: E402
import bss2_child  # noqa: E402
import bss2_decode  # noqa: E402
import bss2_self_test  # noqa: E402
import bss2_vendor  # noqa: E402
import bss2_wire  # noqa: E402

US = 125
FIELDS = ["leak.i_bias", "exponential.v_exp", "adaptation.v_leak"]
CODES = np.array([[100, 900, 200], [101, 901, 201]], np.uint16)


def open_request(**changes):
    request = {"type": "open", "neuron": 259, "address": 3, "calibration": None,
               "calibration_id": "", "fixed": {"leak.v_leak": 400, "threshold.enable": 1,
                                               "membrane_capacitance.capacitance": 63},
               "readout": {"source": "membrane"}, "clocks": {"fast": 3, "slow": 5},
               "settle_us": 20_000, "first_settle_us": 100_000, "trial_pause_us": 5_000}
    return dict(request, **changes)


def batch_request(rows, codes=CODES, fields=FIELDS, steps=((200 * US, 1200 * US),)):
    return ({"type": "run_batch", "fields": list(fields), "steps_cycles": [list(s) for s in steps],
             "duration_cycles": 1400 * US}, {"codes": codes, "row": np.array(rows, np.uint32)})


class DriverCase(unittest.TestCase):
    generation = "release"

    def setUp(self):
        stub.reset(self.generation)
        stub.device.DEVICE.address = 3
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        for name in ("HXCOMM_ENABLE_ZERO_MOCK", "QUIGGELDY_ENABLED", "FLANGE_SIMULATION_RCF_PORT"):
            os.environ.pop(name, None)
        self.driver = bss2_child.Driver()

    def opened(self, **changes):
        self.driver.handle({"type": "hello", "protocol": 1}, {})
        return self.driver.handle(open_request(**changes), {})[0]

    def programs(self):
        return [details[1] for what, details in stub.CALLS if what == "run"]

    def assert_refused(self, code, header, arrays=None):
        with self.assertRaises(bss2_child.ChildError) as refusal:
            self.driver.handle(header, arrays or {})
        self.assertEqual(refusal.exception.code, code)
        return refusal.exception


class ProgramTest(DriverCase):
    def timeline(self, rows=(0,), **request):
        self.opened()
        self.driver.handle(*batch_request(list(rows), **request))
        return stub.device.DEVICE.timeline

    def test_one_program_for_a_whole_batch(self):
        self.opened()
        self.driver.handle(*batch_request([0, 0, 1]))
        self.assertEqual(len(self.programs()), 1)

    def test_expected_calls_of_one_experiment(self):
        calls = [(kind, type(coordinate).__name__) for _, kind, coordinate, _ in self.timeline()]
        timer = [("write", "TimerOnDLS"), ("block_until", "TimerOnDLS")]
        until = ("block_until", "TimerOnDLS")
        self.assertEqual(calls, [
            ("write", "MADCControlOnDLS"), ("write", "SystimeSyncOnFPGA"),
            ("block_until", "BarrierOnFPGA"), *timer,
            ("write", "AtomicNeuronOnDLS"), ("block_until", "BarrierOnFPGA"), *timer,
            ("write", "EventRecordingConfigOnFPGA"), ("write", "TimerOnDLS"), until,
            ("read", "NullPayloadReadableOnFPGA"), ("write", "MADCControlOnDLS"),
            until, ("write", "NeuronConfigOnDLS"), until, ("write", "NeuronConfigOnDLS"),
            until, ("read", "NullPayloadReadableOnFPGA"), ("write", "MADCControlOnDLS"),
            ("write", "EventRecordingConfigOnFPGA"), ("read", "TMP112StatusOnBoard"),
            *[("read", "INA219StatusOnBoard")] * 6, ("block_until", "BarrierOnFPGA")])

    def test_step_edges_are_exact_to_a_cycle(self):
        steps = ((1, 3), (200 * US + 7, 700 * US + 1), (900 * US, 1400 * US))
        timeline = self.timeline(steps=steps)
        begin = next(now for now, kind, c, _ in timeline
                     if type(c).__name__ == "NullPayloadReadableOnFPGA")
        edges = [(now - begin - 10 * US, content.enable_constant_current)
                 for now, _, c, content in timeline if type(c).__name__ == "NeuronConfigOnDLS"]
        self.assertEqual(edges, [(edge, on) for start, stop in steps
                                 for edge, on in ((start, True), (stop, False))])

    def test_settling_is_long_first_then_short_and_trials_are_not_rewritten(self):
        timeline = self.timeline(rows=(0, 0, 1))
        writes = [now for now, _, c, _ in timeline if type(c).__name__ == "AtomicNeuronOnDLS"]
        begins = [now for now, kind, c, _ in timeline
                  if type(c).__name__ == "NullPayloadReadableOnFPGA"][::2]
        self.assertEqual(len(writes), 2)
        self.assertEqual(begins[0] - writes[0], (100_000 + 100) * US)
        self.assertEqual(begins[1] - begins[0], (10 + 1400 + 5 + 5_000 + 100) * US)
        self.assertEqual(begins[2] - writes[1], (20_000 + 100) * US)

    def test_markers_lie_around_the_recording(self):
        timeline = self.timeline(rows=(0, 1))
        marks = [now for now, _, c, _ in timeline if type(c).__name__ == "NullPayloadReadableOnFPGA"]
        madc = [now for now, _, c, content in timeline if type(c).__name__ == "MADCControlOnDLS"
                and (content.start_recording or content.stop_recording)]
        self.assertEqual(marks, madc)
        for begin, end in zip(marks[::2], marks[1::2]):
            self.assertEqual(end - begin, (10 + 1400 + 5) * US)

    def test_the_madc_wakes_a_millisecond_before_and_sleeps_at_the_end(self):
        madc = [(now, content) for now, _, c, content in self.timeline(rows=(0, 1))
                if type(c).__name__ == "MADCControlOnDLS"]
        states = [(m.wake_up, m.start_recording, m.stop_recording,
                   m.enable_power_down_after_sampling) for _, m in madc]
        self.assertEqual(states, [(True, False, False, False), (False, True, False, False),
                                  (False, False, True, False), (False, True, False, False),
                                  (False, False, True, True)])
        self.assertGreaterEqual(madc[1][0] - madc[0][0], 1000 * US)

    def test_the_neuron_is_written_with_its_codes_and_the_stimulus_off(self):
        written = [content.flat() for _, _, c, content in self.timeline(rows=(1,))
                   if type(c).__name__ == "AtomicNeuronOnDLS"]
        self.assertEqual(len(written), 1)
        for field, value in {"leak.i_bias": 101, "exponential.v_exp": 901,
                             "adaptation.v_leak": 201, "leak.v_leak": 400,
                             "threshold.enable": True, "constant_current.enable": False,
                             "event_routing.analog_output": "normal",
                             "event_routing.enable_digital": True, "event_routing.address": 3,
                             "readout.source": "membrane", "readout.enable_amplifier": True,
                             "readout.enable_buffered_access": True}.items():
            self.assertEqual(written[0][field], value, field)

    def test_initial_configuration_goes_on_the_reinit_stack(self):
        self.opened()
        initial = [details for what, details in stub.CALLS if what == "reinit_set"]
        self.assertEqual(len(initial), 1)
        program, snapshot, enforce = initial[0]
        self.assertIsNone(snapshot)
        self.assertTrue(enforce)
        first, chip = program.instructions[0], program.instructions[1][2]
        self.assertEqual(first[1], "SystemInit")
        self.assertEqual(program.instructions[-1][2], 100_000 * US)
        neurons = chip.neuron_block.atomic_neurons
        speaking = [int(c) for c, n in neurons.items() if n.event_routing.enable_digital]
        self.assertEqual(speaking, [259])
        backends = chip.neuron_block.backends.values()
        self.assertTrue(all((b.clock_scale_fast, b.clock_scale_slow) == (3, 5) for b in backends))
        passing = [c.place for c, node in chip.crossbar.nodes.items() if node.passes]
        self.assertEqual(sorted(passing), sorted((8 + i % 4, i) for i in range(8)))

    def test_readout_route_follows_row_and_column(self):
        self.opened()
        program = [d for what, d in stub.CALLS if what == "reinit_set"][0][0]
        selection = next(content for _, c, content in program.instructions
                         if type(c).__name__ == "ReadoutSourceSelectionOnDLS")
        mux = next(iter(selection.buffers.values()))
        self.assertEqual([(int(h), on) for h, on in mux.neuron_odd.items()], [(1, True)])
        self.assertEqual([(int(h), on) for h, on in mux.neuron_even.items()], [(1, False)])

    def test_reply_has_observations_in_order(self):
        self.opened()
        reply, data = self.driver.handle(*batch_request([0, 1]))
        self.assertEqual(reply["type"], "batch")
        self.assertEqual(reply["temperature_c"], 41.5)
        self.assertEqual(reply["supply_v"], [1.25, 2.5, 1.2, 2.5, 1.2, 1.2])
        self.assertAlmostEqual(reply["hardware_us"],
                               1000 + 100_000 + 20_000 + 2 * (100 + 10 + 1400 + 5))
        self.assertEqual(data["spike_count"].tolist(), [3, 3])
        self.assertEqual((data["spike_time"][:3] / US).tolist(), [210.0, 700.0, 1190.0])
        self.assertEqual(len(data["sample_value"]), data["sample_count"].sum())

    def test_codes_out_of_range_are_refused_and_never_sent(self):
        self.opened()
        runs = len(self.programs())
        for codes, fields in (([[1023]], ["leak.i_bias"]), ([[64]],
                              ["membrane_capacitance.capacitance"]),
                              ([[0]], ["leak.nonsense"]), ([[2]], ["threshold.enable"])):
            error = self.assert_refused("invalid_argument", *batch_request(
                [0], np.array(codes, np.uint16), fields))
            self.assertIn(fields[0], error.message)
        self.driver.handle(*batch_request([0], np.array([[1022]], np.uint16), ["leak.i_bias"]))
        self.driver.handle(*batch_request([0], np.array([[0]], np.uint16), ["leak.i_bias"]))
        self.assertEqual(len(self.programs()), runs + 2)

    def test_malformed_batches_are_refused(self):
        self.opened()
        self.assert_refused("invalid_argument", *batch_request([2]))
        self.assert_refused("invalid_argument", *batch_request([]))
        self.assert_refused("invalid_argument", *batch_request([0], CODES[:, :2]))
        self.assert_refused("invalid_argument", *batch_request([0], steps=((5, 3),)))
        self.assert_refused("invalid_argument", *batch_request([0], steps=((5, 1401 * US),)))
        self.assert_refused("invalid_argument", {"type": "run_batch"})
        self.assert_refused("unimplemented", {"type": "dance"})


class HeadProgramTest(ProgramTest):
    generation = "head"


class DialogueTest(DriverCase):
    def test_hello_tells_identity_mode_and_versions(self):
        for generation in ("release", "head"):
            with self.subTest(generation):
                stub.reset(generation)
                reply, _ = bss2_child.Driver().handle({"type": "hello", "protocol": 1}, {})
                self.assertEqual(reply["chip"], "hxcube9fpga0chip77_1")
                self.assertEqual(reply["bitfile"], "bitfile 2026-02")
                self.assertEqual(reply["mode"], "hardware")
                self.assertFalse(reply["shared"])
                self.assertEqual(reply["versions"]["numpy"], np.__version__)

    def test_a_mock_never_calls_itself_hardware(self):
        os.environ["HXCOMM_ENABLE_ZERO_MOCK"] = "1"
        reply, _ = self.driver.handle({"type": "hello", "protocol": 1}, {})
        self.assertEqual(reply["mode"], "zeromock")

    def test_another_protocol_is_refused_before_connecting(self):
        self.assert_refused("unimplemented", {"type": "hello", "protocol": 2})
        self.assertEqual(stub.CALLS, [])

    def test_order_of_requests_is_kept(self):
        self.assert_refused("failed_precondition", open_request())
        self.driver.handle({"type": "hello", "protocol": 1}, {})
        self.assert_refused("failed_precondition", *batch_request([0]))

    def test_generation_is_found_out_once(self):
        for generation, form in (("release", "program"), ("head", "list of programs")):
            with self.subTest(generation):
                stub.reset(generation)
                stub.device.DEVICE.address = 3
                self.driver = bss2_child.Driver()
                self.opened()
                self.driver.handle(*batch_request([0]))
                reply = self.driver.handle(open_request(), {})[0]
                self.assertEqual(reply["versions"]["run_takes"], form)

    def test_calibration_is_identified_by_its_bytes(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"calibration")
            file.flush()
            reply = self.opened(calibration=file.name)
            self.assertEqual(len(reply["calibration_id"]), 64)
            chips = [d[0].instructions[1][2] for w, d in stub.CALLS if w == "reinit_set"]
            self.assertEqual(chips[0].calibrated_from, b"calibration")
            error = self.assert_refused("failed_precondition", open_request(
                calibration=file.name, calibration_id="0" * 64))
            self.assertIn("worker reads", error.message)

    def test_a_loaded_calibration_stays_in_use_when_its_file_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "calibration")
            path.write_bytes(b"of today")
            known = self.opened(calibration=str(path))["calibration_id"]
            path.write_bytes(b"of tomorrow")
            request = open_request(calibration=str(path), calibration_id=known, settle_us=30_000)
            self.assertEqual(self.driver.handle(request, {})[0]["calibration_id"], known)
            chips = [d[0].instructions[1][2] for w, d in stub.CALLS if w == "reinit_set"]
            self.assertEqual([chip.calibrated_from for chip in chips], [b"of today"] * 2)
            self.driver = bss2_child.Driver()
            self.driver.handle({"type": "hello", "protocol": 1}, {})
            self.assert_refused("failed_precondition", request)

    def test_calibrating_needs_the_chip_alone(self):
        self.opened()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"new")
            file.flush()
            request = {"type": "calibrate", "calibration": file.name, "exclusive": True}
            self.assert_refused("failed_precondition", dict(request, exclusive=False))
            os.environ["QUIGGELDY_ENABLED"] = "1"
            self.assert_refused("failed_precondition", request)
            os.environ.pop("QUIGGELDY_ENABLED")
            reply, _ = self.driver.handle(request, {})
            self.assertEqual(len(reply["calibration_id"]), 64)

    def test_a_run_that_throws_is_repeated_once_after_a_new_start(self):
        self.opened()
        stub.device.DEVICE.failures = 1
        reply, _ = self.driver.handle(*batch_request([0]))
        self.assertTrue(reply["repeated"])
        self.assertEqual(sum(what == "reinit_set" for what, _ in stub.CALLS), 2)
        stub.device.DEVICE.failures = 2
        self.assert_refused("unavailable", *batch_request([0]))

    def test_lost_samples_void_the_program(self):
        self.opened()
        stub.device.DEVICE.corrupt = lambda samples, spikes: (samples[:30000], spikes)
        error = self.assert_refused("data_loss", *batch_request([0]))
        self.assertIn("samples", error.message)
        self.assertEqual(len(self.programs()), 2)

    def test_health_reads_monitors_and_counts_breaks_of_the_sawtooth(self):
        self.opened()
        reply, _ = self.driver.handle({"type": "health"}, {})
        self.assertEqual((reply["sawtooth_breaks"], reply["temperature_c"]), (0, 41.5))
        self.assertGreater(reply["sawtooth_samples"], 5000)
        stub.device.DEVICE.corrupt = lambda samples, spikes: (np.delete(samples, 1000), spikes)
        self.assertEqual(self.driver.handle({"type": "health"}, {})[0]["sawtooth_breaks"], 1)
        # The first 8 us of a recording are not valid.
        stub.device.DEVICE.corrupt = lambda samples, spikes: (np.delete(samples, 100), spikes)
        self.assertEqual(self.driver.handle({"type": "health"}, {})[0]["sawtooth_breaks"], 0)

    def test_after_the_sawtooth_the_chip_is_set_up_anew(self):
        self.opened()
        self.driver.handle({"type": "health"}, {})
        self.assertEqual([what for what, _ in stub.CALLS if what in ("run", "reinit_set")],
                         ["reinit_set", "run", "reinit_set"])

class SelfTestTest(DriverCase):
    def setUp(self):
        super().setUp()
        stub.device.DEVICE.address = 7
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def run_test(self):
        test = bss2_self_test.SelfTest(self.driver, bss2_child.failure, self.folder)
        passed = test.run(7, None)
        written = json.loads((self.folder / "self_test.json").read_text())
        self.assertEqual(written, test.results)
        return passed, {name: result["passed"] for name, result in test.results.items()}

    def test_it_writes_its_frames_and_raw_data(self):
        stub.device.DEVICE.free_spikes = True
        self.assertTrue(self.run_test()[0])
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(names, ["000-hello.reply", "000-hello.request", "001-open.reply",
                                 "001-open.request", "002-health.reply", "002-health.request",
                                 "002-raw.npz", "003-raw.npz", "003-run_batch.reply",
                                 "003-run_batch.request", "self_test.json"])
        reply = (self.folder / "003-run_batch.reply").read_bytes()
        header, arrays = bss2_wire.decode(reply[4:])
        self.assertEqual(header["experiments"], 5)
        self.assertEqual(arrays["sample_count"].shape, (5,))
        with np.load(self.folder / "003-raw.npz") as raw:
            self.assertGreater(len(raw["samples"]), arrays["sample_count"].sum())
            self.assertEqual(raw["marks"].shape, (5, 2))

    def test_a_silent_neuron_fails_its_test_alone(self):
        self.assertEqual(self.run_test(), (False, {
            "hello": True, "open": True, "sawtooth": True, "leak_over_threshold": False,
            "canary": True}))

    def test_a_failing_program_leaves_its_evidence(self):
        stub.device.DEVICE.corrupt = lambda samples, spikes: (samples[:30000], spikes)
        passed, results = self.run_test()
        self.assertFalse(passed)
        self.assertTrue(results["open"] and not results["leak_over_threshold"])
        header, _ = bss2_wire.decode((self.folder / "003-run_batch.reply").read_bytes()[4:])
        self.assertEqual((header["type"], header["code"]), ("error", "data_loss"))
        with np.load(self.folder / "003-raw.npz") as raw:
            self.assertEqual(len(raw["samples"]), 30000)

    def test_without_a_chip_every_test_says_so(self):
        stub.hxcomm.ManagedConnection.failure = RuntimeError("no FPGA")
        self.addCleanup(setattr, stub.hxcomm.ManagedConnection, "failure", None)
        passed, results = self.run_test()
        self.assertFalse(passed or any(results.values()))
        self.assertIn("no FPGA", (self.folder / "self_test.json").read_text())


class ServeTest(DriverCase):
    def test_requests_over_a_socket(self):
        here, there = socket.socketpair()
        thread = threading.Thread(
            target=lambda: bss2_child.serve(bss2_wire.Channel(there), self.driver))
        thread.start()
        channel = bss2_wire.Channel(here)
        channel.send({"type": "hello", "protocol": 1})
        self.assertEqual(channel.receive()[0]["type"], "hello")
        channel.send({"type": "nonsense"})
        self.assertEqual(channel.receive()[0]["code"], "unimplemented")
        channel.send(open_request())
        self.assertEqual(channel.receive()[0]["type"], "opened")
        channel.send(*batch_request([0, 1]))
        header, arrays = channel.receive()
        self.assertEqual((header["type"], len(arrays["spike_count"])), ("batch", 2))
        channel.send({"type": "close"})
        self.assertEqual(channel.receive()[0]["type"], "closed")
        thread.join()
        here.close()
        there.close()
        self.assertEqual(stub.CALLS[-1][0], "disconnect")

    def test_a_worker_that_is_gone_ends_the_child_and_frees_the_chip(self):
        here, there = socket.socketpair()
        bss2_wire.Channel(here).send({"type": "hello", "protocol": 1})
        here.shutdown(socket.SHUT_WR)
        os.environ[bss2_child.DESCRIPTOR_VARIABLE] = str(there.detach())
        self.addCleanup(os.environ.pop, bss2_child.DESCRIPTOR_VARIABLE)
        self.assertEqual(bss2_child.main([]), 0)
        self.assertEqual([what for what, _ in stub.CALLS], ["connect", "disconnect"])
        here.close()


def synthetic(begin, duration_us=1400, lost=()):
    """Samples of one recording whose value is the time in us after zero, modulo 1024."""
    zero = begin + 10 * US
    count = int((10 + duration_us + 5) * 1000 / 34)
    samples = np.zeros(count, [("value", "u2"), ("chip_time", "u8")])
    samples["chip_time"] = begin + (np.arange(count) * 34) // 8
    microseconds = (samples["chip_time"].astype(np.int64) - zero) // US
    samples["value"] = np.maximum(microseconds, 0) % 1024
    keep = np.ones(count, bool)
    for start, stop in lost:
        keep[start:stop] = False
    return samples[keep]


def spike_array(events):
    spikes = np.zeros(len(events), [("label", "u2"), ("chip_time", "u8")])
    for i, (label, time) in enumerate(events):
        spikes[i] = (label, time)
    return spikes


WINDOW = {"zero_cycles": 10 * US, "drop_cycles": 8 * US, "duration_cycles": 1400 * US,
          "samples_per_us": 1e3 / 34}


class DecodeTest(unittest.TestCase):
    def split(self, samples, spikes=(), marks=((5000, 5000 + 1415 * US),)):
        return bss2_decode.split_recordings(samples, spike_array(spikes), list(marks), WINDOW, 9)

    def test_samples_are_cut_by_markers_and_timed_from_zero(self):
        begins = (5000, 9_000_000)
        samples = np.concatenate([synthetic(b) for b in begins])
        arrays, _ = self.split(samples, (), [(b, b + 1415 * US) for b in begins])
        self.assertEqual(len(arrays["sample_count"]), 2)
        self.assertEqual(arrays["sample_count"][0], arrays["sample_count"][1])
        self.assertGreaterEqual(arrays["sample_time"].min(), -2 * US)
        known = arrays["sample_time"] >= 0
        np.testing.assert_array_equal(arrays["sample_value"][known],
                                      arrays["sample_time"][known] // US % 1024)

    def test_spikes_are_filtered_by_label_and_window(self):
        zero = 5000 + 10 * US
        arrays, _ = self.split(synthetic(5000), [
            (0x4009, zero + 300), (0x400A, zero + 400), (0x4009, zero - 1),
            (0x4009, zero), (0x4009, zero + 1400 * US), (0x4009, zero + 200)])
        self.assertEqual(arrays["spike_time"].tolist(), [0, 200, 300])
        self.assertEqual(arrays["spike_count"].tolist(), [3])

    def test_two_percent_of_lost_samples_are_the_limit(self):
        holes = [(1000 + 500 * i, 1040 + 500 * i) for i in range(20)]  # 800 of 41 176
        self.split(synthetic(5000, lost=holes))
        with self.assertRaisesRegex(bss2_decode.BadData, "samples, not the"):
            self.split(synthetic(5000, lost=holes + [(20_000, 20_040)]))

    def test_a_hole_of_two_microseconds_is_the_limit(self):
        self.split(synthetic(5000, lost=[(1000, 1057)]))
        with self.assertRaisesRegex(bss2_decode.BadData, "hole of 2.0"):
            self.split(synthetic(5000, lost=[(1000, 1059)]))

    def test_a_recording_that_ends_early_is_refused(self):
        with self.assertRaisesRegex(bss2_decode.BadData, "do not cover"):
            self.split(synthetic(5000, lost=[(41_370, 41_700)]))

    def test_small_disorder_is_sorted_and_jumps_are_refused(self):
        samples = synthetic(5000)
        swapped = samples.copy()
        swapped[[2000, 2001]] = swapped[[2001, 2000]]
        expected, _ = self.split(samples)
        arrays, _ = self.split(swapped)
        np.testing.assert_array_equal(arrays["sample_time"], expected["sample_time"])
        jumped = samples.copy()
        jumped["chip_time"][20_000:] -= 100 * US
        with self.assertRaises(bss2_decode.BadData):
            self.split(jumped)

    def test_dead_readout_is_refused_and_saturation_warned_of(self):
        dead = synthetic(5000)
        dead["value"] = 512
        with self.assertRaises(bss2_decode.BadData):
            self.split(dead)
        fine = synthetic(5000)
        fine["value"] = 300 + np.arange(len(fine)) % 3
        self.assertEqual(self.split(fine)[1], [])
        fine["value"][:4000] = 199
        (warning,) = self.split(fine)[1]
        self.assertEqual((warning["experiment"], warning["kind"]), (0, "saturation"))

    def test_sample_over_ten_bits_is_refused(self):
        samples = synthetic(5000)
        samples["value"][3000] = 1024
        with self.assertRaises(bss2_decode.BadData):
            self.split(samples)


class WireTest(unittest.TestCase):
    def test_what_goes_in_comes_out(self):
        random = np.random.default_rng(1)
        for _ in range(200):
            arrays = {}
            for i in range(random.integers(0, 5)):
                dtype = bss2_wire.DTYPES[random.integers(len(bss2_wire.DTYPES))]
                shape = random.integers(0, 5, random.integers(0, 4)).tolist()
                arrays[f"a{i}"] = random.integers(0, 200, shape).astype("<" + dtype)
            header = {"type": "t", "n": int(random.integers(1000)), "s": "µ\"\\"}
            frame = b"".join(bss2_wire.encode(header, arrays))
            self.assertEqual(struct.unpack("<I", frame[:4])[0], len(frame) - 4)
            got, found = bss2_wire.decode(frame[4:])
            self.assertEqual(got, header)
            self.assertEqual(list(found), list(arrays))
            for name, array in arrays.items():
                self.assertEqual(found[name].dtype, array.dtype)
                np.testing.assert_array_equal(found[name], array)

    def test_malformed_frames_are_refused(self):
        frame = b"".join(bss2_wire.encode({"type": "t"}, {"a": np.arange(4, dtype="u2")}))[4:]
        self.assertTrue(bss2_wire.decode(frame))
        random = np.random.default_rng(2)
        refused = 0
        for _ in range(3000):
            bad = bytearray(frame)
            for _ in range(random.integers(1, 4)):
                bad[random.integers(len(bad))] = random.integers(256)
            try:
                _, arrays = bss2_wire.decode(bad[:random.integers(len(bad) + 1)])
                self.assertLessEqual(sum(a.nbytes for a in arrays.values()), len(bad))
            except bss2_wire.WireError:
                refused += 1
        self.assertGreater(refused, 2000)

    def test_oversize_frames_are_refused_before_they_are_read(self):
        here, there = socket.socketpair()
        here.sendall(struct.pack("<I", bss2_wire.MAX_FRAME_BYTES + 1))
        with self.assertRaises(bss2_wire.WireError):
            bss2_wire.Channel(there).receive()
        here.close()
        there.close()


class EntryTest(unittest.TestCase):
    def test_without_a_descriptor_it_says_who_starts_it(self):
        os.environ.pop(bss2_child.DESCRIPTOR_VARIABLE, None)
        with contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(bss2_child.main([]), 2)
        self.assertIn("--self-test", err.getvalue())

    def test_check_says_whether_the_libraries_are_there(self):
        stub.reset()
        with contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(bss2_child.main(["--check"]), 0)
        self.assertIn("dlens_vx_v3", err.getvalue())
        self.assertEqual(stub.CALLS, [], "the chip is left alone")

    def check_alone(self, *arguments, hide=()):
        """Exit code and items of the real script in a process of its own, without some modules."""
        here, there = socket.socketpair()
        with here, there, tempfile.TemporaryDirectory() as folder:
            for name in hide:
                (pathlib.Path(folder) / f"{name}.py").write_text("raise ImportError('hidden')\n")
            path = os.pathsep.join([folder, str(HERE / "stub")])
            child = subprocess.run(
                [sys.executable, "-B", bss2_child.__file__, "--check", *arguments], check=False,
                env={"PYTHONPATH": path, bss2_child.DESCRIPTOR_VARIABLE: str(there.fileno())},
                pass_fds=[there.fileno()], stderr=subprocess.DEVNULL)
            there.close()
            header, _ = bss2_wire.Channel(here).receive()
        return child.returncode, {item["name"]: item["ok"] for item in header["items"]}

    def test_check_answers_a_doctor_that_listens(self):
        self.assertEqual(self.check_alone(),
                         (0, {"python": True, "numpy": True, "dlens_vx_v3": True}))

    def test_the_launcher_hands_socket_and_arguments_to_the_container(self):
        root = HERE.parents[2]
        here, there = socket.socketpair()
        with here, there, tempfile.TemporaryDirectory() as folder:
            for name in ("apptainer", "podman"):  # Runs what follows the image, on the host.
                program = pathlib.Path(folder, name)
                program.write_text(
                    f'#!/bin/sh\necho "$@" > {folder}/words\nuntil [ "$1" = image ]; do shift; done\n'
                    f'shift 2\nexec {sys.executable} -B "$@"\n')
                program.chmod(0o755)
            descriptor = 3  # podman keeps this one.
            os.set_inheritable(there.fileno(), True)
            child = subprocess.run(
                ["/bin/sh", "-c", f'exec "$@" {descriptor}<&{there.fileno()}', "sh",
                 root / "deploy" / "brainscales2" / "launch-child.sh", "--bind", "/a b", "image",
                 "--check"], check=False, pass_fds=[there.fileno()], stderr=subprocess.DEVNULL,
                env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(HERE / "stub"),
                     bss2_child.DESCRIPTOR_VARIABLE: str(descriptor)})
            words = pathlib.Path(folder, "words").read_text()
            there.close()
            header, _ = bss2_wire.Channel(here).receive()
        self.assertEqual((child.returncode, header["type"]), (0, "check"))
        self.assertIn("--bind /a b:/a b:ro --bind " + str(pathlib.Path(bss2_child.__file__).parent),
                      words)

    def test_check_says_which_library_is_missing(self):
        # The stand-in needs numpy too, the vendor's package does not.
        self.assertEqual(self.check_alone(hide=["numpy"]),
                         (1, {"python": True, "numpy": False, "dlens_vx_v3": False}))
        self.assertEqual(self.check_alone(hide=["dlens_vx_v3"]),
                         (1, {"python": True, "numpy": True, "dlens_vx_v3": False}))

    def test_check_says_whether_the_child_can_read_the_calibration(self):
        self.assertEqual(self.check_alone("--calibration", __file__)[1]["child's files"], True)
        code, items = self.check_alone("--calibration", "/no/such/file")
        self.assertEqual((code, items["child's files"]), (1, False))

    def test_worker_and_child_know_the_same_fields_and_ranges(self):
        source = (HERE.parents[2] / "common" / "chip" / "chip_fields.cc").read_text()
        found = re.findall(r'\{"([a-z_.]+)", (\w+)\}', source)
        worker = {field: bss2_vendor.MAX_CODE if most == "kMostCode" else int(most)
                  for field, most in found}
        self.assertEqual(worker, {field: most for field, (_, most) in bss2_vendor.FIELDS.items()})

    def test_every_field_is_a_field_of_an_atomic_neuron(self):
        stub.reset()
        known = stub.lola.AtomicNeuron().flat()
        vendor = bss2_vendor.Vendor()
        for field, (_, most) in bss2_vendor.FIELDS.items():
            self.assertIn(field, known)
            vendor.set_field(stub.lola.AtomicNeuron(), field, most)
            with self.assertRaises(bss2_vendor.BadRequest):
                vendor.set_field(stub.lola.AtomicNeuron(), field, most + 1)
            with self.assertRaises(bss2_vendor.BadRequest):
                vendor.set_field(stub.lola.AtomicNeuron(), field, -1)


if __name__ == "__main__":
    unittest.main()
