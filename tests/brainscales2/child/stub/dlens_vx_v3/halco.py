"""Coordinates: a name and numbers."""

import types


class Coordinate:
    SIZE = 1

    def __init__(self, *place):
        self.place = tuple(int(part) for part in place)

    def toEnum(self):
        return self.place[0] if self.place else 0

    def __int__(self):
        return self.toEnum()

    def __eq__(self, other):
        return type(self) is type(other) and self.place == other.place

    def __hash__(self):
        return hash((type(self).__name__, self.place))

    def __repr__(self):
        return f"{type(self).__name__}{self.place}"


def _coordinate(name, size=1):
    return type(name, (Coordinate,), {"SIZE": size})


class NeuronConfigOnDLS(Coordinate):
    SIZE = 512


class AtomicNeuronOnDLS(Coordinate):
    SIZE = 512

    def toNeuronConfigOnDLS(self):
        return NeuronConfigOnDLS(self.toEnum())

    def toNeuronColumnOnDLS(self):
        return self.toEnum() % 256

    def toNeuronRowOnDLS(self):
        return NeuronRowOnDLS(self.toEnum() // 256)


class NeuronRowOnDLS(Coordinate):
    SIZE = 2

    def toHemisphereOnDLS(self):
        return HemisphereOnDLS(self.toEnum())


class CrossbarNodeOnDLS(Coordinate):
    SIZE = 0

    def __init__(self, output, row):
        super().__init__(int(output), int(row))


HemisphereOnDLS = _coordinate("HemisphereOnDLS", 2)
ChipOnDLS = _coordinate("ChipOnDLS")
TimerOnDLS = _coordinate("TimerOnDLS")
BarrierOnFPGA = _coordinate("BarrierOnFPGA")
SystimeSyncOnFPGA = _coordinate("SystimeSyncOnFPGA")
MADCControlOnDLS = _coordinate("MADCControlOnDLS")
MADCConfigOnDLS = _coordinate("MADCConfigOnDLS")
ReadoutSourceSelectionOnDLS = _coordinate("ReadoutSourceSelectionOnDLS")
SourceMultiplexerOnReadoutSourceSelection = _coordinate(
    "SourceMultiplexerOnReadoutSourceSelection", 2)
EventRecordingConfigOnFPGA = _coordinate("EventRecordingConfigOnFPGA")
NullPayloadReadableOnFPGA = _coordinate("NullPayloadReadableOnFPGA")
TMP112StatusOnBoard = _coordinate("TMP112StatusOnBoard")
INA219StatusOnBoard = _coordinate("INA219StatusOnBoard", 6)
CommonNeuronBackendConfigOnDLS = _coordinate("CommonNeuronBackendConfigOnDLS", 2)
BackgroundSpikeSourceOnDLS = _coordinate("BackgroundSpikeSourceOnDLS", 8)
CrossbarOutputOnDLS = _coordinate("CrossbarOutputOnDLS", 12)
CrossbarInputOnDLS = _coordinate("CrossbarInputOnDLS", 20)

common = types.SimpleNamespace(Enum=int)
CapMemCellOnDLS = types.SimpleNamespace(**{
    name: _coordinate(name)() for name in (
        "readout_ac_mux_i_bias", "readout_madc_in_500na", "readout_sc_amp_i_bias",
        "readout_pseudo_diff_v_ref", "readout_sc_amp_v_ref")})


def iter_all(coordinate):
    if coordinate is CrossbarNodeOnDLS:
        return [CrossbarNodeOnDLS(output, row) for output in range(12) for row in range(20)]
    return [coordinate(i) for i in range(coordinate.SIZE)]
