"""Containers that accept the fields they are declared with and no other."""

import copy


class Container:
    FIELDS = {}

    def __init__(self):
        for name, value in self.FIELDS.items():
            object.__setattr__(self, name, value() if isinstance(value, type) and
                               issubclass(value, (Container, dict)) else copy.copy(value))

    def __setattr__(self, name, value):
        if name not in self.FIELDS:
            raise AttributeError(f"{type(self).__name__} has no field {name}")
        object.__setattr__(self, name, value)

    def snapshot(self):
        return copy.deepcopy(self)

    def flat(self, prefix=""):
        """Dotted name -> value of every field."""
        result = {}
        for name in self.FIELDS:
            value = getattr(self, name)
            if isinstance(value, Container):
                result.update(value.flat(f"{prefix}{name}."))
            else:
                result[prefix + name] = value
        return result


def container(name, **fields):
    return type(name, (Container,), {"FIELDS": fields})


def ranged(name, most):
    """An integer type that refuses what is out of its range, as the vendor's do."""
    def make(cls, value=0):
        if isinstance(value, float) or not 0 <= int(value) <= most:
            raise RuntimeError(f"{name}: {value} is outside 0..{most}")
        return int.__new__(cls, value)
    return type(name, (int,), {"__new__": make, "max": most})
