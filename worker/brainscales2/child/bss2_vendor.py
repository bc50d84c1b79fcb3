"""The vendor's Python interface in its two generations, behind one class.

The release of February 2026 runs one program (`sta.run(connection, program)`), its head takes a
list (`sta.run(connection, [program])`), and so does the re-initialisation stack; what describes
the connection is one value or a list of one. Wrong argument types raise TypeError before anything
is sent, so the first call finds out.
"""

import os
import platform

import numpy as np

_ANALOG_GROUPS = {
    "leak": ("v_leak", "i_bias"),
    "reset": ("v_reset", "i_bias"),
    "threshold": ("v_threshold",),
    "exponential": ("v_exp", "i_bias"),
    "adaptation": ("v_ref", "v_leak", "i_bias_tau", "i_bias_a", "i_bias_b"),
    "constant_current": ("i_offset",),
    "multicompartment": ("i_bias_nmda",),
    "excitatory_input": ("i_bias_tau", "i_bias_coba", "i_shift_reference", "i_bias_gm"),
    "inhibitory_input": ("i_bias_tau", "i_bias_coba", "i_shift_reference", "i_bias_gm"),
}
_FLAG_GROUPS = {
    "leak": ("enable_degeneration", "enable_division", "enable_multiplication"),
    "reset": ("enable_degeneration", "enable_division", "enable_multiplication"),
    "threshold": ("enable",),
    "exponential": ("enable",),
    "adaptation": ("enable", "enable_pulse", "invert_a", "invert_b"),
    "excitatory_input": ("enable", "enable_small_capacitance", "enable_high_resistance",
                         "enable_coba_mode"),
    "inhibitory_input": ("enable", "enable_small_capacitance", "enable_high_resistance",
                         "enable_coba_mode"),
    "refractory_period": ("enable_pause",),
}
MAX_CODE = 1022  # 1023 switches a cell off.

# Field of an AtomicNeuron -> (kind, greatest value).
FIELDS = {f"{group}.{name}": ("analog", MAX_CODE)
          for group, names in _ANALOG_GROUPS.items() for name in names}
FIELDS.update({f"{group}.{name}": ("flag", 1)
               for group, names in _FLAG_GROUPS.items() for name in names})
FIELDS.update({
    "membrane_capacitance.capacitance": ("capacitance", 63),
    "refractory_period.refractory_time": ("refractory_time", 255),
    "refractory_period.reset_holdoff": ("reset_holdoff", 15),
    "refractory_period.input_clock": ("input_clock", 1),
    "constant_current.type": ("current_type", 1),  # 0 source, 1 sink.
})


class BadRequest(Exception):
    """The request is malformed or asks for what the chip cannot do; trying again cannot help."""


def first(value):
    """One value of what may be a list of one (head) or the value itself (release)."""
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise BadRequest(f"the connection reaches {len(value)} chips; this worker drives one")
        return value[0]
    return value


def connection_mode():
    """How real the connection is that the environment asks for."""
    def is_set(name):
        digits = os.environ.get(name, "").strip()
        return digits.isdigit() and int(digits) != 0

    if is_set("HXCOMM_ENABLE_ZERO_MOCK"):  # It wins over everything.
        return "zeromock"
    if is_set("FLANGE_SIMULATION_RCF_PORT"):
        return "simulation"
    return "hardware"


def connection_is_shared():
    """True under quiggeldy, where other users have the chip between two programs."""
    value = os.environ.get("QUIGGELDY_ENABLED", "").strip()
    return value.isdigit() and int(value) != 0


class Vendor:
    """hal, halco, lola, sta and hxcomm of dlens_vx_v3, and a connection once it is open."""

    def __init__(self):
        import dlens_vx_v3  # pylint: disable=import-outside-toplevel
        from dlens_vx_v3 import hal, halco, hxcomm, lola, sta
        self.hal, self.halco, self.hxcomm, self.lola, self.sta = hal, halco, hxcomm, lola, sta
        self._package = dlens_vx_v3
        self._managed = None
        self._takes_list = None  # Not known before the first run.
        self.connection = None

    def connect(self):
        if self.connection is None:
            self._managed = self.hxcomm.ManagedConnection()
            self.connection = self._managed.__enter__()

    def disconnect(self):
        if self.connection is not None:
            self.connection = None
            self._managed.__exit__(None, None, None)

    def identity(self):
        """What the connection says of itself; texts, empty where it says nothing."""
        def ask(name):
            call = getattr(self.connection, name, None)
            return str(first(call())) if call is not None else ""

        return {"chip": ask("get_unique_identifier"), "bitfile": ask("get_bitfile_info"),
                "repository": ask("get_remote_repo_state")}

    def versions(self):
        return {"python": platform.python_version(), "numpy": np.__version__,
                "dlens_vx_v3": str(getattr(self._package, "__version__", "unknown")),
                "run_takes": {None: "unknown", False: "program",
                              True: "list of programs"}[self._takes_list]}

    def run(self, program):
        """Executes a playback program. Whatever it raises voids the whole program."""
        if self._takes_list is None:
            try:
                result = self.sta.run(self.connection, program)
            except TypeError:
                result = self.sta.run(self.connection, [program])
                self._takes_list = True
                return result
            self._takes_list = False
            return result
        return self.sta.run(self.connection, [program] if self._takes_list else program)

    def init_builder(self):
        entry = first(self.connection.get_hwdb_entry())
        builder, _ = self.sta.generate(self.sta.SystemInit(entry))
        return builder

    def register_reinit(self, entry, program):
        """Sets an entry of the re-initialisation stack and runs it now. quiggeldy replays it
        whenever another user had the chip; a direct connection runs it like any program."""
        try:
            entry.set(program, None, True)
        except TypeError:
            entry.set([program], None, True)

    def neuron_coordinate(self, neuron):
        return self.halco.AtomicNeuronOnDLS(self.halco.common.Enum(neuron))

    def load_chip(self, data):
        """Chip configuration of a calibration in the vendor's portable binary form."""
        dumper = self.sta.DumperDone()
        self.sta.from_portablebinary(dumper, data)
        return self.sta.convert_to_chip(dumper)

    def set_field(self, neuron, field, value):
        """Sets a dotted field of an AtomicNeuron. Raises BadRequest for what is out of range:
        nothing is ever clamped."""
        kind, most = FIELDS.get(field, (None, None))
        if kind is None:
            raise BadRequest(f"'{field}' is not a field of an AtomicNeuron that can be set")
        if int(value) != value or not 0 <= value <= most:
            raise BadRequest(f"'{field}' cannot be {value}: its range is 0..{most}")
        group, name = field.split(".")
        setattr(getattr(neuron, group), name, self._container(kind, int(value)))

    def _container(self, kind, value):
        atomic = self.lola.AtomicNeuron
        if kind == "flag":
            return bool(value)
        if kind == "current_type":
            types = atomic.ConstantCurrent.Type
            return types.sink if value else types.source
        make = {"analog": atomic.AnalogValue,
                "capacitance": atomic.MembraneCapacitance.CapacitorSize,
                "refractory_time": atomic.RefractoryPeriod.RefractoryTime,
                "reset_holdoff": atomic.RefractoryPeriod.ResetHoldoff,
                "input_clock": atomic.RefractoryPeriod.InputClock}[kind]
        return make(value)
