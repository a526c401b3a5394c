"""The errors a user can cause. The command line prints their one line and nothing else.

Each message names the thing (the file when there is one), its value, what is required, and the
choices or the remedy.
"""


class SfeError(Exception):
    """Base of every error whose cause lies in what the user gave."""


class ShapeError(SfeError, ValueError):
    """An array does not have the shape that a function or a network needs."""


class ImageError(SfeError):
    """A picture cannot be read, or is not what the network was trained on."""


class LabelsError(ImageError):
    """A picture is no map of labels, or of others than the network was trained on."""


class FileFormatError(SfeError):
    """A file from outside is broken, unsafe, or not of a format we read."""


class WeightsError(SfeError):
    """Weights are of another kind, or their names and shapes do not fit the network."""


class EditError(SfeError):
    """An edit is unknown, lacks its direction file, or does not fit the generator."""


class OptionError(SfeError):
    """A command-line option has a value that cannot be used."""


class TrainingError(SfeError):
    """A run cannot go on: a loss is not finite, or its parts do not fit together."""
