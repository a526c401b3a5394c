"""From a source to batches: shuffled, sharded, prepared in threads, resumable to the picture.

    source = open_source("ffhq256.zip")
    iterator = batches(source, batch_size=32, seed=0, resolution=256)
    batch = next(iterator)  # {"image": uint8 [32, 256, 256, 3], ...}
    iterator.go_to(1000)  # The next one is that of step 1000, whoever read those before it.

Levels go to the device as uint8 and become floats there: a quarter of the bytes.
"""

import functools
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grain
import jax
import numpy as np

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.data.labels import label_vector
from sfe_jax.data.pictures import Alpha, Filter, Form, Transform, mirrored, to_form
from sfe_jax.data.sources import Record, Source


class Faults:
    """Records that could not be read: each is warned of once, and left out.

    Attributes:
        reasons: Name -> reason, in the order of discovery.
    """

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, name: str, reason: str) -> None:
        """Counts one, and warns if it is new."""
        with self._lock:
            known = name in self.reasons
            self.reasons[name] = reason
            count = len(self.reasons)
        if not known:
            warnings.warn(f"{reason}; left out, {count} so far", stacklevel=2)


def _read_record(index: int, *, source: Source, form: Form) -> Record:
    """Reads record `index` with its picture in a given form."""
    record = source[index]
    return {**record, "image": to_form(record["image"], form, source.name(index))}


def _read_example(index: int, *, source: Source, form: Form) -> Record:
    """Reads record `index` as networks want it: classes are one-hot too."""
    record = _read_record(index, source=source, form=form)
    if "label" in record:
        record["label"] = label_vector(record["label"], source.label_size, source.name(index))
    return record


class _Guard:
    """Calls `read`; what cannot be read is counted, and None given for it."""

    def __init__(
        self,
        read: Callable[[int], Any],
        name: Callable[[int], str],
        *,
        count: int,
        strict: bool,
        faults: Faults | None,
    ):
        self._read, self._name, self._strict = read, name, strict
        self._faults = Faults() if faults is None else faults
        self._failed: set[int] = set()
        self._count = count  # Of the records that it will be asked for.

    def __call__(self, index: int) -> Any:
        try:
            return self._read(index)
        except ImageError as error:
            if self._strict:
                raise
            self._faults.add(self._name(index), str(error))
            self._failed.add(index)
            if len(self._failed) == self._count:
                raise ImageError(f"{error}; nor can any other of {self._count} records") from error
        return None


def _read_from(index: int, *, guard: _Guard, count: int) -> Record:
    """The first record from `index` on, of `count` in a ring, that `guard` can read."""
    while (record := guard(index)) is None:
        index = (index + 1) % count
    return record


def _mirror_half(record: Record, random: np.random.Generator) -> Record:
    """Mirrors the picture, and its condition with it, left to right with probability 1/2."""
    if random.integers(2):
        return record
    both = record.keys() & {"image", "condition"}
    return {**record, **{name: mirrored(record[name]) for name in both}}


def _stack(records: Sequence[Record]) -> dict[str, Any]:
    """Stacks records field by field."""
    shapes = {record["image"].shape for record in records}
    if len(shapes) > 1:
        raise OptionError(
            f"pictures are of several shapes: {sorted(shapes)}; "
            "one is required: give `resolution` and a `transform` that makes them square"
        )
    return jax.tree.map(lambda *leaves: np.stack(leaves), *records)


def _check(name: str, value: int, least: int, beyond: float = math.inf) -> None:
    """Raises unless least <= value < beyond."""
    if not least <= value < beyond:
        limit = f"at least {least}" if beyond == math.inf else f"from {least} to {beyond - 1}"
        raise OptionError(f"`{name}` is {value}; required is {limit}")


def _ahead(records: grain.MapDataset, count: int, *, threads: int) -> grain.IterDataset:
    """Reads `count` records ahead, in threads; leaves out those that are None."""
    # Grain's own default would hold 500 pictures and start 16 threads.
    buffered = max(count, threads) if threads else 0
    return records.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
    )


def _in_batches(
    records: grain.MapDataset, batch_size: int, *, threads: int, drop_remainder: bool
) -> grain.DatasetIterator:
    """Stacks what could be read, one batch ahead."""
    ahead = _ahead(records, batch_size, threads=threads)
    return iter(ahead.batch(batch_size, drop_remainder=drop_remainder, batch_fn=_stack))


def _check_shard(source: Source, index: int, count: int) -> None:
    """Raises if there is no such shard, or nothing in it."""
    _check("shard_count", count, 1, len(source) + 1)
    _check("shard_index", index, 0, count)


class _Expand(grain.experimental.FlatMapTransform):
    """Group g -> its records, g * size and those after it."""

    def __init__(self, size: int):
        self.max_fan_out = size

    def flat_map(self, element: int) -> list[int]:
        """The records of a group."""
        return [element * self.max_fan_out + place for place in range(self.max_fan_out)]


def _shuffled(count: int, *, seed: int, neighbours: int) -> grain.MapDataset:
    """Indices without end, each epoch in another random order; neighbours stay together."""
    groups = grain.MapDataset.range(count // neighbours).seed(seed).shuffle()
    if neighbours > 1:
        groups = grain.experimental.FlatMapMapDataset(groups, _Expand(neighbours))
    return groups.repeat()


class _Share:
    """What one host reads of a stream of all: of `count` pieces of `size` each time, the same."""

    def __init__(self, stream: grain.MapDataset, *, size: int, index: int, count: int):
        self._stream, self._size, self._index, self._count = stream, size, index, count

    def __len__(self) -> int:
        return len(self._stream) // self._count

    def __getitem__(self, index: int) -> Any:
        step, row = divmod(index, self._size)
        return self._stream[(step * self._count + self._index) * self._size + row]


class Batches:
    """Batches without end, each a function of its step alone."""

    def __init__(self, records: grain.MapDataset, batch_size: int, *, threads: int):
        """Reads nothing yet.

        Args:
            records: Without end, and none is None.
            batch_size: Records of each batch.
            threads: That read ahead.
        """
        self._records, self._batch_size, self._threads = records, batch_size, threads
        self.go_to(0)

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> dict[str, Any]:
        return next(self._ahead)

    def go_to(self, step: int) -> None:
        """Makes the batch of `step`, from 0 on, the next one."""
        rest = self._records[step * self._batch_size :]
        self._ahead = _in_batches(
            rest, self._batch_size, threads=self._threads, drop_remainder=True
        )


def batches(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    shard_index: int = 0,
    shard_count: int = 1,
    resolution: int | None = None,
    channels: int = 3,
    transform: Transform = "center-crop",
    resize_filter: Filter = "lanczos",
    alpha: Alpha = "white",
    mirror: bool = False,
    neighbours: int = 1,
    threads: int = 2,
    strict: bool = False,
    faults: Faults | None = None,
) -> Batches:
    """Batches without end, for training: another order in each epoch, equal for equal seeds.

    The batches of all shards, one behind the other, are those that one host reads in batches of
    their size: however many hosts share the work, the pictures of a step are the same. Where the
    original mirrors by showing every picture twice an epoch, here it is drawn for each showing.

    Args:
        source: Of N records.
        batch_size: B, on this host; the same on each.
        seed: Of the order and of mirroring, below 2^32.
        shard_index: Of this host.
        shard_count: Number of hosts.
        resolution: R; None if the pictures are of one size already.
        channels: C, 3 for RGB or 1 for grey.
        transform: How pictures become square.
        resize_filter: How they are resized.
        alpha: What becomes of transparent parts.
        mirror: Whether pictures are mirrored with probability 1/2, and their conditions with them.
        neighbours: Records side by side in the source that stay so, such as the 2 pictures of each
            person among procedural faces; a divisor of `batch_size`.
        threads: That read ahead; 0 reads when asked.
        strict: Raise for a record that cannot be read, instead of leaving it out: the one after it
            in the source stands in.
        faults: Counts the records left out; None for one of its own.

    Returns:
        Iterator over {"image": uint8 [B, R, R, C], "label": float32 [B, c] if there are labels, and
        the source's other fields stacked}, with `go_to`. Its `next` raises ImageError for an
        unreadable record if `strict`, and if no record can be read.

    Raises:
        OptionError: If a value cannot be used.
    """
    _check("batch_size", batch_size, 1)
    _check("seed", seed, 0, 1 << 32)
    _check("neighbours", neighbours, 1, min(batch_size, len(source)) + 1)
    if batch_size % neighbours:
        raise OptionError(
            f"`neighbours` is {neighbours}; required is a divisor of the batch of {batch_size}"
        )
    _check("threads", threads, 0)
    _check_shard(source, shard_index, shard_count)
    form = Form(resolution, channels, transform, resize_filter, alpha)
    read = functools.partial(_read_example, source=source, form=form)
    count = len(source)
    guard = _Guard(read, source.name, count=count, strict=strict, faults=faults)
    order = _shuffled(count, seed=seed, neighbours=neighbours)
    records = order.map(functools.partial(_read_from, guard=guard, count=count))
    if mirror:
        records = records.random_map(_mirror_half)
    share = _Share(records, size=batch_size, index=shard_index, count=shard_count)
    return Batches(grain.MapDataset.source(share), batch_size, threads=threads)


def one_pass(
    source: Source,
    *,
    batch_size: int,
    shard_index: int = 0,
    shard_count: int = 1,
    resolution: int | None = None,
    channels: int = 3,
    transform: Transform = "center-crop",
    resize_filter: Filter = "lanczos",
    alpha: Alpha = "white",
    threads: int = 2,
    strict: bool = False,
    faults: Faults | None = None,
) -> grain.DatasetIterator:
    """Every record of the shard once, in order, for metrics: the last batch may be smaller.

    Args and Returns are those of `batches`, but that a shard is every `shard_count`-th record from
    `shard_index` on, and nothing stands in for a record that is left out.
    """
    _check("batch_size", batch_size, 1)
    _check("threads", threads, 0)
    _check_shard(source, shard_index, shard_count)
    form = Form(resolution, channels, transform, resize_filter, alpha)
    order = grain.MapDataset.range(len(source))[shard_index::shard_count]
    read = functools.partial(_read_example, source=source, form=form)
    guard = _Guard(read, source.name, count=len(order), strict=strict, faults=faults)
    return _in_batches(order.map(guard), batch_size, threads=threads, drop_remainder=False)


def one_by_one(
    source: Source, form: Form, *, threads: int, strict: bool, faults: Faults
) -> Iterator[tuple[str, Record]]:
    """Every record once, in order, for writing data sets: labels stay as the source has them.

    Args:
        source: Of N records.
        form: Of the pictures.
        threads: That read ahead.
        strict: As for `batches`.
        faults: As for `batches`.

    Returns:
        Iterator over where each picture comes from, and its record.
    """

    def read(index: int) -> tuple[str, Record]:
        return source.name(index), _read_record(index, source=source, form=form)

    guard = _Guard(read, source.name, count=len(source), strict=strict, faults=faults)
    return iter(
        _ahead(grain.MapDataset.range(len(source)).map(guard), 2 * threads, threads=threads)
    )
