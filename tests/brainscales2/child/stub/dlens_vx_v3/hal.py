"""Containers of single circuits."""

import types

from .containers import container, ranged

Barrier = types.SimpleNamespace(omnibus="omnibus", systime="systime", jtag="jtag")
MADCControl = container(
    "MADCControl", wake_up=False, start_recording=False, stop_recording=False,
    enable_power_down_after_sampling=False, enable_pre_amplifier=False,
    enable_continuous_sampling=False, enable_iconv_amplifier=False)
MADCConfig = container("MADCConfig", enable_dummy_data=False, number_of_samples=10)
EventRecordingConfig = container("EventRecordingConfig", enable_event_recording=False)
SystimeSync = container("SystimeSync")
BackgroundSpikeSource = container("BackgroundSpikeSource", enable=False)
CommonNeuronBackendConfig = container(
    "CommonNeuronBackendConfig", clock_scale_fast=0, clock_scale_slow=0, enable_clocks=False,
    enable_event_registers=False)
NeuronConfig = container("NeuronConfig", enable_constant_current=False)
NeuronConfig.ReadoutSource = types.SimpleNamespace(
    membrane="membrane", exc_synin="exc_synin", inh_synin="inh_synin", adaptation="adaptation")
CrossbarNode = container("CrossbarNode", passes=True)
CrossbarNode.drop_all = CrossbarNode()
CrossbarNode.drop_all.passes = False


class Timer(container("Timer")):
    Value = ranged("Timer.Value", (1 << 32) - 1)


class CapMemCell(container("CapMemCell", value=0)):
    def __init__(self, value):
        super().__init__()
        self.value = ranged("CapMemCell", 1022)(value)


class ReadoutSourceSelection(container("ReadoutSourceSelection", enable_buffer_to_pad=dict,
                                       buffers=dict)):
    SourceMultiplexer = container("SourceMultiplexer", neuron_odd=dict, neuron_even=dict)

    def set_buffer(self, coordinate, mux):
        self.buffers[coordinate] = mux
