"""Exceptions for errors that a user can cause, with one base class.

Each message states what is wrong, which values are allowed and what to do. Any other
exception raised by the package is a bug.
"""

__all__ = [
    "ConfigError",
    "DataError",
    "ImageError",
    "LabelsError",
    "RustsegError",
    "WeightsError",
]


class RustsegError(Exception):
    """Base class of all errors that a user can cause."""


class ImageError(RustsegError, ValueError):
    """An image cannot be used: unknown format, truncated, too small or too large."""


class WeightsError(RustsegError, ValueError):
    """A weights file cannot be used: missing, damaged, of another program or version."""


class DataError(RustsegError, ValueError):
    """A data folder cannot be used: no manifest, missing columns or missing files."""


class ConfigError(RustsegError, ValueError):
    """An option or argument has an invalid value."""


class LabelsError(RustsegError):
    """An operation on the labels store failed; the subclasses are in `rustseg_jax.labels`."""
