"""What a user can cause, as exceptions with one base class.

Every message names what was wrong, what is allowed and what to do. Anything
else that is raised by the library is a bug of ours.
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
    """Base class of everything that a user can cause."""


class ImageError(RustsegError, ValueError):
    """A picture cannot be used: not an image, truncated, too small, too large."""


class WeightsError(RustsegError, ValueError):
    """A weights file cannot be used: missing, foreign, damaged or of another version."""


class DataError(RustsegError, ValueError):
    """A data folder cannot be used: no manifest, missing columns, missing files."""


class ConfigError(RustsegError, ValueError):
    """An option has a value that is not allowed."""


class LabelsError(RustsegError):
    """The labels store cannot do what was asked; `rustseg_jax.labels` names each case."""
