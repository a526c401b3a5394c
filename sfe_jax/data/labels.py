"""Labels of pictures in StyleGAN's `dataset.json`: class numbers, or vectors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sfe_jax.core.errors import FileFormatError, ImageError
from sfe_jax.core.json_files import parse_json

Label = int | list[float]
"""A class, from 0 on; or a vector [c]."""

MAX_LABEL_SIZE = 100_000
"""Bound on classes and on the length of vectors: one large number would fill the memory."""

MAX_LABEL = 1e30
"""Bound on the numbers of a vector, well inside float32."""

MAX_JSON_BYTES = 256 << 20
"""Bound on `dataset.json`: labels of about five million pictures."""


def _checked_label(label: Any) -> Label:
    """Gives the label back if it is a class or a vector of usable numbers.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < MAX_LABEL_SIZE:
        return label
    if isinstance(label, list) and 0 < len(label) <= MAX_LABEL_SIZE:
        numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in label)
        if numbers and all(abs(x) < MAX_LABEL for x in label):  # False for NaN.
            return label
    raise ValueError(
        f"has the label {str(label)[:40]!r}; required is a class from 0 to {MAX_LABEL_SIZE - 1}, "
        f"or a list of numbers below {MAX_LABEL}"
    )


def parse_labels(content: bytes, where: str) -> dict[str, Label] | None:
    """Reads `{"labels": [[NAME, LABEL], ...]}`.

    Args:
        content: The file.
        where: Its name, for messages.

    Returns:
        Name of picture -> label; None if "labels" is null or absent.

    Raises:
        FileFormatError: If it is not of this form, or too large.

    Source: stylegan2-ada-pytorch, `training/dataset.py`.
    """
    if len(content) > MAX_JSON_BYTES:
        limit = f"at most {MAX_JSON_BYTES} are read"
        raise FileFormatError(f"{where}: has {len(content)} bytes; {limit}, make it smaller")
    required = 'required is {"labels": [["NAME", LABEL], ...]}'
    try:
        pairs = parse_json(content, where=where).get("labels")
        if pairs is None:
            return None
        labels = {str(name).replace("\\", "/"): label for name, label in pairs}
    except (ValueError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{where}: is not a list of labels ({error}); {required}") from error
    for name, label in labels.items():
        try:
            _checked_label(label)
        except ValueError as error:
            raise FileFormatError(f"{where}: {name!r} {error}") from error
    return labels


def arrange_labels(
    labels: Mapping[str, Label] | None, names: Sequence[str], where: str
) -> np.ndarray | None:
    """Puts the labels in the order of the pictures; labels of other pictures are left out.

    Args:
        labels: Name -> label, or None.
        names: Of N pictures.
        where: Name of the file, for messages.

    Returns:
        int64 [N], float32 [N, c], or None without labels.

    Raises:
        FileFormatError: If a picture has no label, or labels are of several kinds.
    """
    if labels is None:
        return None
    missing = [name for name in names if name not in labels]
    if missing:
        raise FileFormatError(
            f"{where}: {len(missing)} of {len(names)} pictures have no label, the first is "
            f"{missing[0]!r}; required is one for each, or null for all"
        )
    arranged = [labels[name] for name in names]
    sizes = {len(label) if isinstance(label, list) else 0 for label in arranged}
    if len(sizes) > 1:
        kinds = ", ".join(f"vectors of {size}" if size else "classes" for size in sorted(sizes))
        raise FileFormatError(f"{where}: labels are of several kinds: {kinds}; required is one")
    return np.array(arranged, np.int64 if sizes == {0} else np.float32)


def size_of_labels(labels: np.ndarray | None) -> int:
    """Number of classes (the largest and one), length of the vectors, or 0 without labels."""
    if labels is None:
        return 0
    return labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1


def label_vector(label: np.ndarray, size: int, name: str) -> np.ndarray:
    """Turns a class into a one-hot vector; vectors stay.

    Args:
        label: int [] or float32 [size].
        size: Number of classes, or length of the vectors.
        name: Of the picture, for messages.

    Returns:
        float32 [size].

    Raises:
        ImageError: If the class is not below `size`, as where it is not known.
    """
    label = np.asarray(label)
    if label.ndim:
        return label.astype(np.float32)
    if not 0 <= label < size:
        raise ImageError(f"{name}: is of class {label}; required is one of 0 to {size - 1}")
    return (np.arange(size) == label).astype(np.float32)
