"""Playback programs: requests -> instructions of the chip, with exact times.

Times are cycles of the FPGA's timer, 8 ns each. The layout of one recording, from its timer's
reset on (BEGIN is where the first marker is read):

    0      event recording on
    BEGIN  marker, MADC starts (its first 8 us are not valid)
    ZERO   time zero of the observation = marker + LEAD
    ...    stimulus bit on and off
    END    marker, MADC stops, event recording off
"""

from bss2_decode import CYCLES_PER_US
from bss2_vendor import BadRequest

BEGIN_CYCLES = 100 * CYCLES_PER_US  # The FPGA buffers the program, so that times are exact.
LEAD_CYCLES = 10 * CYCLES_PER_US
DROP_CYCLES = 8 * CYCLES_PER_US
TAIL_CYCLES = 5 * CYCLES_PER_US
WAKE_CYCLES = 1000 * CYCLES_PER_US  # Of the MADC.
INIT_SETTLE_CYCLES = 100_000 * CYCLES_PER_US
MAX_STEPS = 64
MAX_CYCLES = (1 << 32) - 1  # Of the timer.
READOUT_BIASES = (("readout_ac_mux_i_bias", 500), ("readout_madc_in_500na", 500),
                  ("readout_sc_amp_i_bias", 500), ("readout_pseudo_diff_v_ref", 400),
                  ("readout_sc_amp_v_ref", 400))


class ChipBuilder:
    """Builds the programs for one neuron. `setting` is the header of an `open` request."""

    def __init__(self, vendor, setting, chip):
        self._vendor = vendor
        self._setting = setting
        self._chip = chip
        self.coordinate = vendor.neuron_coordinate(setting["neuron"])
        self.address = setting["address"]
        self._fresh = True  # Nothing has settled yet.

    # -- configuration ---------------------------------------------------------------------------

    def base_neuron(self):
        """The target with its fixed fields, the stimulus off, spikes and membrane read out. It may
        be the chip's own object: whoever changes a field sets it again for each write."""
        vendor, atomic = self._vendor, self._vendor.lola.AtomicNeuron
        neuron = self._chip.neuron_block.atomic_neurons[self.coordinate]
        for field, value in sorted(self._setting["fixed"].items()):
            vendor.set_field(neuron, field, value)
        neuron.constant_current.enable = False
        neuron.event_routing.analog_output = atomic.EventRouting.AnalogOutputMode.normal
        neuron.event_routing.enable_digital = True
        neuron.event_routing.address = atomic.EventRouting.Address(self.address)
        readout = self._setting["readout"]
        neuron.readout.source = getattr(vendor.hal.NeuronConfig.ReadoutSource, readout["source"])
        neuron.readout.enable_amplifier = True
        neuron.readout.enable_buffered_access = True
        return neuron

    def init_program(self):
        """SystemInit, the whole chip, then rest. Belongs on the re-initialisation stack."""
        hal, halco = self._vendor.hal, self._vendor.halco
        builder = self._vendor.init_builder()
        self._configure_chip()
        builder.write(halco.ChipOnDLS(), self._chip)
        for cell, code in READOUT_BIASES:
            builder.write(getattr(halco.CapMemCellOnDLS, cell), hal.CapMemCell(code))
        builder.write(halco.ReadoutSourceSelectionOnDLS(), self._readout_selection())
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
        self._wait(builder, INIT_SETTLE_CYCLES)
        self._fresh = True
        return builder.done()

    def _configure_chip(self):
        hal, halco, lola = self._vendor.hal, self._vendor.halco, self._vendor.lola
        neurons = self._chip.neuron_block.atomic_neurons
        modes = lola.AtomicNeuron.EventRouting.AnalogOutputMode
        for coordinate in halco.iter_all(halco.AtomicNeuronOnDLS):
            other = neurons[coordinate]
            other.event_routing.analog_output = modes.off
            other.event_routing.enable_digital = False
            other.readout.enable_buffered_access = False
            neurons[coordinate] = other
        neurons[self.coordinate] = self.base_neuron()
        clocks = self._setting["clocks"]
        for coordinate in halco.iter_all(halco.CommonNeuronBackendConfigOnDLS):
            backend = self._chip.neuron_block.backends[coordinate]
            backend.clock_scale_fast = clocks["fast"]
            backend.clock_scale_slow = clocks["slow"]
            backend.enable_clocks = True
            backend.enable_event_registers = True
            self._chip.neuron_block.backends[coordinate] = backend
        for source in halco.iter_all(halco.BackgroundSpikeSourceOnDLS):
            self._chip.background_spike_sources[source] = hal.BackgroundSpikeSource()
        nodes = self._chip.crossbar.nodes
        for coordinate in halco.iter_all(halco.CrossbarNodeOnDLS):
            nodes[coordinate] = hal.CrossbarNode.drop_all
        for row in range(8):  # Neuron outputs -> L2, the only way that is open.
            nodes[halco.CrossbarNodeOnDLS(halco.CrossbarOutputOnDLS(8 + row % 4),
                                          halco.CrossbarInputOnDLS(row))] = hal.CrossbarNode()

    def _readout_selection(self):
        hal, halco = self._vendor.hal, self._vendor.halco
        hemisphere = self.coordinate.toNeuronRowOnDLS().toHemisphereOnDLS()
        odd = int(self.coordinate.toNeuronColumnOnDLS()) % 2 == 1
        mux = hal.ReadoutSourceSelection.SourceMultiplexer()
        mux.neuron_odd[hemisphere] = odd
        mux.neuron_even[hemisphere] = not odd
        selection = hal.ReadoutSourceSelection()
        buffer = halco.SourceMultiplexerOnReadoutSourceSelection(0)
        selection.set_buffer(buffer, mux)
        selection.enable_buffer_to_pad[buffer] = True
        return selection

    # -- experiments -----------------------------------------------------------------------------

    def batch_program(self, fields, codes, rows, window, monitors):
        """One program for all experiments of a batch.

        fields: dotted fields; codes: [sets, fields]; rows: the set of each experiment.
        window: dict with `steps_cycles` ([[on, off], ...] from time zero) and `duration_cycles`.
        Returns the program, [(begin, end)] tickets, monitor tickets and the programmed time in us.
        """
        check_window(window)
        hal, halco = self._vendor.hal, self._vendor.halco
        builder = self._vendor.sta.PlaybackProgramBuilder()
        cycles = self._start(builder)
        neuron = self.base_neuron()
        tickets, previous = [], None
        for experiment, row in enumerate(rows):
            for field, code in zip(fields, codes[row]):
                self._vendor.set_field(neuron, field, int(code))
            neuron.constant_current.enable = False
            if row != previous:
                builder.write(self.coordinate, neuron)
                builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
                cycles += self._wait(builder, self._settle_cycles())
            else:
                cycles += self._wait(builder, self._microseconds("trial_pause_us"))
            previous = row
            last = experiment == len(rows) - 1
            tickets.append(self._record(builder, neuron, window, last))
            cycles += BEGIN_CYCLES + LEAD_CYCLES + window["duration_cycles"] + TAIL_CYCLES
        readings = self._read_monitors(builder) if monitors else {}
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
        return builder.done(), tickets, readings, cycles / CYCLES_PER_US

    def sawtooth_program(self, samples, monitors):
        """The MADC's dummy data: its sample counter, to test the way to the host."""
        hal, halco = self._vendor.hal, self._vendor.halco
        builder = self._vendor.sta.PlaybackProgramBuilder()
        config = hal.MADCConfig()
        config.enable_dummy_data = True
        config.number_of_samples = samples
        builder.write(halco.MADCConfigOnDLS(), config)
        cycles = self._start(builder)
        window = {"steps_cycles": [], "duration_cycles": 200 * CYCLES_PER_US}
        ticket = self._record(builder, self.base_neuron(), window, last=True)
        cycles += BEGIN_CYCLES + LEAD_CYCLES + window["duration_cycles"] + TAIL_CYCLES
        builder.write(halco.MADCConfigOnDLS(), hal.MADCConfig())
        readings = self._read_monitors(builder) if monitors else {}
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
        return builder.done(), [ticket], readings, cycles / CYCLES_PER_US

    def _start(self, builder):
        """Wakes the MADC and sets chip time to FPGA time."""
        hal, halco = self._vendor.hal, self._vendor.halco
        builder.write(halco.MADCControlOnDLS(), self._madc(wake_up=True))
        builder.write(halco.SystimeSyncOnFPGA(), hal.SystimeSync())
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.systime)
        return self._wait(builder, WAKE_CYCLES)

    def _record(self, builder, neuron, window, last):
        hal, halco = self._vendor.hal, self._vendor.halco
        digital = self.coordinate.toNeuronConfigOnDLS()
        neuron.constant_current.enable = False
        off = neuron.asNeuronConfig()
        neuron.constant_current.enable = True
        on = neuron.asNeuronConfig()
        self._event_recording(builder, True)
        builder.write(halco.TimerOnDLS(), hal.Timer())
        self._until(builder, BEGIN_CYCLES)
        begin = builder.read(halco.NullPayloadReadableOnFPGA())
        builder.write(halco.MADCControlOnDLS(), self._madc(start_recording=True))
        zero = BEGIN_CYCLES + LEAD_CYCLES
        for start, stop in window["steps_cycles"]:
            self._until(builder, zero + start)
            builder.write(digital, on)
            self._until(builder, zero + stop)
            builder.write(digital, off)
        self._until(builder, zero + window["duration_cycles"] + TAIL_CYCLES)
        end = builder.read(halco.NullPayloadReadableOnFPGA())
        builder.write(halco.MADCControlOnDLS(), self._madc(stop_recording=True, power_down=last))
        self._event_recording(builder, False)
        return begin, end

    def _read_monitors(self, builder):
        halco = self._vendor.halco
        return {"temperature": builder.read(halco.TMP112StatusOnBoard()),
                "supplies": [builder.read(coordinate)
                             for coordinate in halco.iter_all(halco.INA219StatusOnBoard)]}

    def _settle_cycles(self):
        key = "first_settle_us" if self._fresh else "settle_us"
        self._fresh = False
        return self._microseconds(key)

    def _microseconds(self, key):
        return int(round(self._setting[key] * CYCLES_PER_US))

    def _madc(self, wake_up=False, start_recording=False, stop_recording=False, power_down=False):
        control = self._vendor.hal.MADCControl()
        control.wake_up = wake_up
        control.start_recording = start_recording
        control.stop_recording = stop_recording
        control.enable_power_down_after_sampling = power_down
        control.enable_pre_amplifier = True
        control.enable_continuous_sampling = True
        return control

    def _event_recording(self, builder, enabled):
        config = self._vendor.hal.EventRecordingConfig()
        config.enable_event_recording = enabled
        builder.write(self._vendor.halco.EventRecordingConfigOnFPGA(0), config)

    def _wait(self, builder, cycles):
        builder.write(self._vendor.halco.TimerOnDLS(), self._vendor.hal.Timer())
        self._until(builder, cycles)
        return cycles

    def _until(self, builder, cycles):
        builder.block_until(self._vendor.halco.TimerOnDLS(),
                            self._vendor.hal.Timer.Value(int(cycles)))


def check_window(window):
    """Raises BadRequest unless steps are in order, apart and within the duration."""
    duration, steps = window["duration_cycles"], window["steps_cycles"]
    if not 0 < duration <= MAX_CYCLES // 2:
        raise BadRequest(f"a recording of {duration} cycles is outside 1..{MAX_CYCLES // 2}")
    if len(steps) > MAX_STEPS:
        raise BadRequest(f"{len(steps)} steps are more than {MAX_STEPS}")
    before = -1
    for start, stop in steps:
        if not before < start < stop <= duration:
            raise BadRequest("steps must be in order, apart, and end with the recording")
        before = stop
