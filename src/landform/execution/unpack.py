"""The unpacking of a configuration, which the API does too, in landform.kit.archive."""

from landform.kit.archive import Bounds, unpack

__all__ = ["Bounds", "unpack"]
