"""Frames between the worker and its child: bytes <-> (header, arrays).

A frame is u32 length (of all that follows), u32 header length, a UTF-8 JSON object and then the
arrays that the object's key "arrays" lists (name, dtype, shape), without gaps. All numbers are
little-endian. worker/brainscales2/frame.h is the other side of this file.
"""

import json
import struct

import numpy as np

PROTOCOL = 1
MAX_FRAME_BYTES = 256 << 20  # Of the length word's value.
MAX_HEADER_BYTES = 1 << 20
MAX_ARRAYS = 16
MAX_AXES = 4
DTYPES = ("u1", "u2", "u4", "u8", "i4", "i8", "f4", "f8")


class WireError(Exception):
    """The other side does not speak this protocol: nothing can be said to it any more."""


def encode(header, arrays):
    """A frame as a list of buffers. `arrays` maps names to numpy arrays of the types above."""
    entries, buffers = [], []
    for name, array in arrays.items():
        dtype = array.dtype.kind + str(array.dtype.itemsize)
        if dtype not in DTYPES or array.ndim > MAX_AXES:
            raise WireError(f"array '{name}' of type {array.dtype} cannot be sent")
        little = np.ascontiguousarray(array, dtype="<" + dtype)
        entries.append({"name": name, "dtype": dtype, "shape": list(array.shape)})
        if little.size:
            buffers.append(memoryview(little).cast("B"))
    text = json.dumps(dict(header, arrays=entries), allow_nan=False).encode()
    length = 4 + len(text) + sum(len(buffer) for buffer in buffers)
    if len(text) > MAX_HEADER_BYTES or length > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {length} bytes is beyond the limit of {MAX_FRAME_BYTES}")
    return [struct.pack("<II", length, len(text)) + text] + buffers


def decode(payload):
    """Header and arrays of a frame without its length word. Raises WireError."""
    if len(payload) < 4:
        raise WireError("a frame ends inside its header's length")
    (header_length,) = struct.unpack_from("<I", payload)
    if header_length > MAX_HEADER_BYTES or header_length > len(payload) - 4:
        raise WireError("a frame's header is longer than the frame or the limit")
    try:
        header = json.loads(bytes(payload[4:4 + header_length]).decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame's header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise WireError("a frame's header is not an object with a type")
    arrays = _decode_arrays(header.pop("arrays", []), memoryview(payload)[4 + header_length:])
    return header, arrays


def _decode_arrays(entries, rest):
    if not isinstance(entries, list) or len(entries) > MAX_ARRAYS:
        raise WireError("a frame's list of arrays is malformed")
    arrays = {}
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"name", "dtype", "shape"}:
            raise WireError("an array is not described by name, dtype and shape")
        name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
        if not isinstance(name, str) or name in arrays or dtype not in DTYPES:
            raise WireError("an array's name or dtype is malformed")
        if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(
                type(extent) is int and 0 <= extent <= MAX_FRAME_BYTES for extent in shape):
            raise WireError(f"the shape of array '{name}' is malformed")
        count = 1
        for extent in shape:
            count *= extent
        size = count * int(dtype[1])
        if size > len(rest):
            raise WireError(f"the frame ends inside array '{name}'")
        arrays[name] = np.frombuffer(rest[:size], dtype="<" + dtype).reshape(shape)
        rest = rest[size:]
    if len(rest):
        raise WireError("a frame is longer than its header declares")
    return arrays


class Channel:
    """Frames over a connected stream socket."""

    def __init__(self, connection):
        self._socket = connection

    def receive(self):
        """The next (header, arrays), or None at the end of the stream between two frames."""
        length_bytes = self._receive_exactly(4, may_end=True)
        if length_bytes is None:
            return None
        (length,) = struct.unpack("<I", length_bytes)
        if length > MAX_FRAME_BYTES:
            raise WireError(f"a frame of {length} bytes is beyond the limit of {MAX_FRAME_BYTES}")
        return decode(self._receive_exactly(length, may_end=False))

    def send(self, header, arrays=None):
        for buffer in encode(header, arrays or {}):
            self._socket.sendall(buffer)

    def _receive_exactly(self, count, may_end):
        data = bytearray(count)
        view = memoryview(data)
        got = 0
        while got < count:
            read = self._socket.recv_into(view[got:])
            if read == 0:
                if may_end and got == 0:
                    return None
                raise WireError("the stream ended inside a frame")
            got += read
        return data
