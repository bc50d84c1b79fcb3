"""The connection."""

import dlens_vx_v3 as package


class ConnectionHandle:
    @staticmethod
    def _form(value):
        return [value] if package.GENERATION == "head" else value

    def get_unique_identifier(self):
        return self._form("hxcube9fpga0chip77_1")

    def get_bitfile_info(self):
        return self._form("bitfile 2026-02")

    def get_remote_repo_state(self):
        return self._form("")

    def get_hwdb_entry(self):
        return ["hwdb entry"]


class ManagedConnection:
    failure = None  # Raised instead of connecting.

    def __enter__(self):
        if self.failure is not None:
            raise self.failure
        package.CALLS.append(("connect", None))
        return ConnectionHandle()

    def __exit__(self, *_):
        package.CALLS.append(("disconnect", None))
