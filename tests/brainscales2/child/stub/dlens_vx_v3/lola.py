"""AtomicNeuron and Chip."""

import types

from . import hal, halco
from .containers import container, ranged

_Analog = ranged("AnalogValue", 1023)


def _synaptic_input(name):
    return container(name, enable=False, enable_small_capacitance=False,
                     enable_high_resistance=False, enable_coba_mode=False, i_bias_tau=0,
                     i_bias_coba=0, i_shift_reference=0, i_bias_gm=0)


_EventRouting = container("EventRouting", analog_output="off", enable_digital=False, address=0)
_EventRouting.AnalogOutputMode = types.SimpleNamespace(off="off", normal="normal", strong="strong")
_EventRouting.Address = ranged("Address", 255)
_ConstantCurrent = container("ConstantCurrent", enable=False, i_offset=0, type="source")
_ConstantCurrent.Type = types.SimpleNamespace(source="source", sink="sink")
_Capacitance = container("MembraneCapacitance", capacitance=63)
_Capacitance.CapacitorSize = ranged("CapacitorSize", 63)
_Refractory = container("RefractoryPeriod", refractory_time=0, reset_holdoff=0, input_clock=0,
                        enable_pause=False)
_Refractory.RefractoryTime = ranged("RefractoryTime", 255)
_Refractory.ResetHoldoff = ranged("ResetHoldoff", 15)
_Refractory.InputClock = ranged("InputClock", 1)


class AtomicNeuron(container(
        "AtomicNeuron",
        leak=container("Leak", v_leak=0, i_bias=0, enable_degeneration=False,
                       enable_division=False, enable_multiplication=False),
        reset=container("Reset", v_reset=0, i_bias=0, enable_degeneration=False,
                        enable_division=False, enable_multiplication=False),
        threshold=container("Threshold", enable=False, v_threshold=0),
        exponential=container("Exponential", enable=False, v_exp=0, i_bias=0),
        adaptation=container("Adaptation", enable=False, enable_pulse=False, invert_a=False,
                             invert_b=False, v_ref=0, v_leak=0, i_bias_tau=0, i_bias_a=0,
                             i_bias_b=0),
        constant_current=_ConstantCurrent, membrane_capacitance=_Capacitance,
        refractory_period=_Refractory, event_routing=_EventRouting,
        multicompartment=container("Multicompartment", i_bias_nmda=0),
        excitatory_input=_synaptic_input("Excitatory"),
        inhibitory_input=_synaptic_input("Inhibitory"),
        readout=container("Readout", source="membrane", enable_amplifier=False,
                          enable_buffered_access=False))):
    AnalogValue = _Analog
    EventRouting = _EventRouting
    ConstantCurrent = _ConstantCurrent
    MembraneCapacitance = _Capacitance
    RefractoryPeriod = _Refractory

    def asNeuronConfig(self):
        config = hal.NeuronConfig()
        config.enable_constant_current = self.constant_current.enable
        return config


class Chip:
    def __init__(self):
        self.calibrated_from = None
        self.neuron_block = types.SimpleNamespace(
            atomic_neurons={c: AtomicNeuron() for c in halco.iter_all(halco.AtomicNeuronOnDLS)},
            backends={c: hal.CommonNeuronBackendConfig()
                      for c in halco.iter_all(halco.CommonNeuronBackendConfigOnDLS)})
        self.background_spike_sources = {}
        self.crossbar = types.SimpleNamespace(nodes={})

    def snapshot(self):
        return self
