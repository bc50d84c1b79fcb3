"""Builders, programs, the re-initialisation stack and run."""

import types

import dlens_vx_v3 as package
from . import device, lola


class Ticket:
    def __init__(self):
        self.fpga_time = None
        self._value = None

    def get(self):
        return self._value

    def fill(self, time, value):
        self.fpga_time, self._value = time, value


class Program:
    def __init__(self, instructions):
        self.instructions = instructions
        self.madc_samples = self.spikes = None


class PlaybackProgramBuilder:
    def __init__(self):
        self._instructions = []

    def write(self, coordinate, container):
        self._instructions.append(("write", coordinate, container.snapshot()))

    def block_until(self, coordinate, value):
        self._instructions.append(("block_until", coordinate, value))

    def read(self, coordinate):
        ticket = Ticket()
        self._instructions.append(("read", coordinate, ticket))
        return ticket

    def done(self):
        program = Program(self._instructions)
        self._instructions = []
        return program


class SystemInit:
    def __init__(self, entry):
        self.entry = entry


class DumperDone:
    data = None


class ReinitStackEntry:
    def __init__(self, connection):
        package.CALLS.append(("reinit_entry", connection))

    def set(self, programs, snapshot, enforce):
        package.CALLS.append(("reinit_set", (one(programs), snapshot, enforce)))


def one(programs):
    """The program of an argument in this generation's form."""
    is_list = isinstance(programs, list)
    if is_list != (package.GENERATION == "head"):
        raise TypeError("incompatible function arguments")
    return programs[0] if is_list else programs


def run(connection, programs):
    program = one(programs)
    package.CALLS.append(("run", (connection, program)))
    device.DEVICE.play(program)
    return types.SimpleNamespace()


def generate(init):
    builder = PlaybackProgramBuilder()
    builder.write("SystemInit", types.SimpleNamespace(snapshot=lambda: init))
    return builder, None


def from_portablebinary(dumper, data):
    dumper.data = data


def convert_to_chip(dumper):
    chip = lola.Chip()
    chip.calibrated_from = dumper.data
    return chip
