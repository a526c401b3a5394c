"""Bundles: one safetensors file with every network of a method, its architecture and its origin.

A file holds the arrays `<network>/<collection>/<module>/.../<array>` and `directions/...`; its
metadata holds the architecture of each network, the meaning of fitted directions, and the name and
SHA-256 of each source file. It is read by mapping and runs no code.
"""

import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from sfe_jax.core.console import one_line
from sfe_jax.core.errors import FileFormatError, SfeError, WeightsError
from sfe_jax.core.json_files import parse_json
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.core.types import Variables
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.files import finite_array
from sfe_jax.edits.records import describe_directions, recorded_directions
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.models.psp import GradualStyleEncoder, WEncoder, WPlusEncoder
from sfe_jax.models.stylegan1 import Generator as AdaInGenerator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.perceptual.alexnet import AlexNet
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.curricular_face import CROP_SIZE, CurricularFace
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.perceptual.iresnet import IResNet
from sfe_jax.perceptual.lpips import LinearHeads, Lpips
from sfe_jax.perceptual.mtcnn import ONet, PNet, RNet
from sfe_jax.perceptual.resnet import MocoResNet
from sfe_jax.perceptual.squeezenet import SqueezeNet
from sfe_jax.perceptual.vgg import Vgg16
from sfe_jax.pipelines.module_fields import check_fields

FORMAT = "sfe_jax bundle 1"
"""First entry of the metadata; a later number means a newer library is needed."""

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "stylegan1_generator": AdaInGenerator,
    "stylegan2_generator": Generator,
    "stylegan2_discriminator": Discriminator,
    "stylegan3_generator": AliasFreeGenerator,
    "psp_gradual_style_encoder": GradualStyleEncoder,
    "psp_w_encoder": WEncoder,
    "psp_w_plus_encoder": WPlusEncoder,
    "e4e_encoder": E4eEncoder,
    "e4e_latent_discriminator": LatentDiscriminator,
    "sfe_inverter": Inverter,
    "sfe_feature_editor": FeatureFuser,
    "arcface": ArcFace,
    "lpips": Lpips,
    "face_features": FaceFeatures,
    "curricular_face": CurricularFace,
    "iresnet": IResNet,
    "moco_resnet": MocoResNet,
    "fid_inception": FidInception,
    "mtcnn_pnet": PNet,
    "mtcnn_rnet": RNet,
    "mtcnn_onet": ONet,
}
"""Names under which architectures are written; they never change."""

RUNTIME_FIELDS = frozenset({"parent", "name", "precision", "neighbours"})
"""Fields of a module that say how it runs, not what it is."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A module and its variables."""

    module: nn.Module  # The architecture.
    variables: Variables  # Collection -> nested dict of arrays, float32.


@dataclasses.dataclass(frozen=True)
class Source:
    """A file from which weights came."""

    name: str  # File name without folders.
    sha256: str  # Of its bytes, hexadecimal.


class Description(NamedTuple):
    """What a bundle says of its arrays."""

    modules: dict[str, nn.Module]  # By role.
    sources: tuple[Source, ...]  # Where the weights came from.
    records: tuple[Direction, ...]  # Fitted directions.


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What a bundle file holds."""

    networks: dict[str, Network]  # By role: "generator", "inverter", "feature_editor", "e4e", ...
    directions: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # By file's name.
    sources: tuple[Source, ...] = ()  # Where the weights came from.
    records: tuple[Direction, ...] = ()  # Fitted directions; their arrays are in `directions`.
    path: str = "(unsaved)"  # Of the file, for messages.
    unread: tuple[str, ...] = ()  # Roles that the file holds too.

    def network(self, role: str) -> Network:
        """The network of a role.

        Raises:
            WeightsError: If the bundle has none, or it was not read.
        """
        if role in self.unread:
            raise WeightsError(f"{self.path}: {role!r} was not read; name it in `roles`")
        if role not in self.networks:
            nothing = "directions alone" if self.directions else "nothing"
            held = ", ".join(sorted((*self.networks, *self.unread))) or nothing
            raise WeightsError(
                f"{self.path}: no {role!r} in this bundle; it holds {held}; `python -m "
                "convert_weights` puts those of several files into one"
            )
        return self.networks[role]


def example_inputs(module: nn.Module) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of one call, enough to initialise `module`."""

    def shape(*sizes: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, jnp.float32)

    match module:
        case AdaInGenerator() | Generator() | AliasFreeGenerator():
            return (shape(1, module.z_dim), shape(1, module.c_dim))
        case Discriminator():
            size = module.resolution
            return (shape(1, size, size, module.image_channels), shape(1, module.c_dim))
        case LatentDiscriminator():
            return (shape(1, module.features),)
        case FeatureFuser():
            return (shape(1, 8, 8, module.features),) * 2
        case ArcFace():
            return (shape(1, 256, 256, 3),)
        case CurricularFace():
            return (shape(1, CROP_SIZE, CROP_SIZE, 3),)
        case FidInception() | IResNet() | MocoResNet():
            return (shape(1, module.input_size, module.input_size, 3),)
        case PNet() | RNet() | ONet():
            side = {PNet: 12, RNet: 24, ONet: 48}[type(module)]
            return (shape(1, side, side, 3),)
        case Lpips():
            return (shape(1, 64, 64, 3),) * 2
        case AlexNet() | Vgg16() | SqueezeNet():
            return (shape(1, 64, 64, 3),)
        case LinearHeads():
            return tuple(shape(1, 1, 1, channels) for channels in module.channels)
        case Inverter():
            size = module.input_size
            own = size // int(np.prod(module.strides[:3]))
            images = shape(1, size, size, module.image_channels)
            return (images, shape(1, own, own, module.features))
        case GradualStyleEncoder() | WEncoder() | WPlusEncoder() | E4eEncoder() | FaceFeatures():
            return (shape(1, module.input_size, module.input_size, module.image_channels),)
    raise WeightsError(f"{type(module).__name__} is not among {', '.join(ARCHITECTURES)}")


def abstract_variables(module: nn.Module) -> Variables:
    """Shapes and types of all variables of `module`, without computing any."""
    key = jax.random.key(0)  # Traced for shapes only.
    return jax.eval_shape(module.init, key, *example_inputs(module))


def _declared(module: nn.Module, where: str) -> Variables:
    """As `abstract_variables`; sizes that do not go together are a fault of the file `where`."""
    try:
        return abstract_variables(module)
    except (SfeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"{where}: its sizes make no network ({reason}); convert it again"
        ) from error


def describe_architecture(module: nn.Module) -> dict[str, Any]:
    """Name and fields of a module, ready for JSON."""
    names = {cls: name for name, cls in ARCHITECTURES.items()}
    fields = {
        field.name: getattr(module, field.name)
        for field in dataclasses.fields(module)  # pyright: ignore
        if field.name not in RUNTIME_FIELDS
    }
    return {"type": names[type(module)], **fields}


def build_architecture(description: Mapping[str, Any], where: str) -> nn.Module:
    """The module that `describe_architecture` described.

    Args:
        description: Name and fields, as read from JSON.
        where: File and network, for messages.

    Raises:
        WeightsError: If the name or a field is not known, or a field is missing, of another type,
            or out of bounds.
    """
    fields = dict(description)
    name = fields.pop("type", None)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise WeightsError(f"{where}: unknown type of network {name!r}; known are {known}")
    cls = ARCHITECTURES[name]
    declared: tuple[dataclasses.Field, ...] = dataclasses.fields(cls)  # pyright: ignore
    if unknown := set(fields) - ({field.name for field in declared} - RUNTIME_FIELDS):
        raise WeightsError(f"{where}: {name} has no field {min(unknown)!r}")
    required = {field.name for field in declared if field.default is dataclasses.MISSING}
    if missing := required - set(fields):
        raise WeightsError(f"{where}: {name} lacks the field {min(missing)!r}; convert it again")
    check_fields(cls, fields, where)
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def fits(module: nn.Module, path: str, have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    """Whether an array of shape `have` can stand where the architecture declares `want`.

    Args:
        module: The architecture.
        path: "collection/module/.../array".
        have: Shape met.
        want: Shape declared.

    Returns:
        Whether they are equal; the average code of a generator may also have a row per row of W+.
    """
    if isinstance(module, Generator) and path == "buffers/mapping/w_avg":
        return have in (want, (module.num_ws, *want))
    return have == want


def refuse_faults(faults: Sequence[str], where: str) -> None:
    """Raises a `WeightsError` that lists all `faults` of `where`, if there are any."""
    if faults:
        listing = "\n  ".join(map(one_line, faults))
        raise WeightsError(f"{where}: {len(faults)} arrays do not fit:\n  {listing}")


def check_variables(module: nn.Module, flat: Mapping[str, Any], where: str) -> None:
    """Raises unless the arrays `flat` are exactly those that `module` needs.

    Args:
        module: The architecture.
        flat: "collection/module/.../array" -> array.
        where: File and network, for messages.

    Raises:
        WeightsError: With all names that are missing, unexpected, mis-shaped, of another type or
            not finite.
    """
    expected = flatten(_declared(module, where))
    faults = [f"missing {name}" for name in sorted(expected.keys() - flat.keys())]
    faults += [f"unexpected {name}" for name in sorted(flat.keys() - expected.keys())]
    for name in sorted(expected.keys() & flat.keys()):
        have, want = tuple(flat[name].shape), tuple(expected[name].shape)
        if not fits(module, name, have, want):
            faults.append(f"{name} has shape {have}, required is {want}")
        elif flat[name].dtype not in (np.float32, np.float16):
            faults.append(f"{name} is {flat[name].dtype}, required is float32 or float16")
        elif not np.isfinite(flat[name]).all():
            faults.append(f"{name} has numbers that are not finite")
    refuse_faults(faults, where)


def _umask() -> int:
    """The permissions that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_tensors(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Writes a safetensors file, whole or not at all; its folder is made.

    Raises:
        WeightsError: If the file cannot be written.
    """
    contiguous = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".bundle-") as folder:
            partial = pathlib.Path(folder) / path.name
            safetensors.numpy.save_file(contiguous, partial, metadata)
            partial.chmod(0o666 & ~_umask())  # Temporary files are private; a result is not.
            partial.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{path}: cannot be written ({reason}); choose another name") from error


def _halve(name: str, value: Any) -> np.ndarray:
    """An array as float16.

    Raises:
        WeightsError: If a number is too large for it.
    """
    with np.errstate(over="ignore"):  # Answered below, by name.
        half = np.asarray(value).astype(np.float16)
    if not np.isfinite(half).all():
        raise WeightsError(
            f"{name}: holds numbers that float16 cannot; write the bundle in full precision"
        )
    return half


def save_bundle(path: str | pathlib.Path, bundle: Bundle, *, half: bool = False) -> None:
    """Writes a bundle, whole or not at all.

    Args:
        path: Of the file.
        bundle: What it will hold.
        half: Whether networks are written as float16, in half the space; they are float32 again
            when read, with three digits kept.

    Raises:
        WeightsError: If a network's arrays do not fit its module, or it is larger than a file may
            describe, or the folder is not writable.
    """
    path = pathlib.Path(path)
    architectures = {
        role: describe_architecture(network.module) for role, network in bundle.networks.items()
    }
    for role, description in architectures.items():
        build_architecture(description, f"{path}: {role}")  # What is written can be read.
    tensors = {f"directions/{name}": value for name, value in bundle.directions.items()}
    for role, network in bundle.networks.items():
        flat = flatten(network.variables)
        check_variables(network.module, flat, f"{path}: {role}")
        if half:
            flat = {name: _halve(f"{role}/{name}", value) for name, value in flat.items()}
        tensors |= {f"{role}/{name}": value for name, value in flat.items()}
    metadata = {
        "format": FORMAT,
        "networks": json.dumps(architectures),
        "sources": json.dumps([dataclasses.asdict(source) for source in bundle.sources]),
        "directions": describe_directions(bundle.records),
    }
    save_tensors(path, tensors, metadata)


def read_metadata(path: str | pathlib.Path) -> dict[str, str]:
    """Metadata of a bundle file.

    Raises:
        FileFormatError: If the file is missing, cut short, or no bundle.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileFormatError(
            f"{path}: no such file; a bundle written by convert_weights is needed"
        )
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise FileFormatError(
            f"{path}: not a readable bundle ({error}); official weights are first converted with "
            "`python -m convert_weights`"
        ) from error
    if metadata.get("format") != FORMAT:
        raise FileFormatError(
            f"{path}: its format is {metadata.get('format')!r}, required is {FORMAT!r}; convert "
            "the official weights with `python -m convert_weights`"
        )
    if missing := {"networks", "sources"} - metadata.keys():
        raise FileFormatError(f"{path}: its metadata lacks {min(missing)!r}; convert it again")
    return metadata


def is_bundle(path: str | pathlib.Path) -> bool:
    """Whether a file is a bundle; False also for one that is missing or broken."""
    try:
        read_metadata(path)
    except FileFormatError:
        return False
    return True


def _build_networks(descriptions: object, where: str) -> dict[str, nn.Module]:
    """The modules that a file describes, by role."""
    if not isinstance(descriptions, dict):
        raise FileFormatError(f"{where}: its networks are no table; convert it again")
    for role, description in descriptions.items():
        if not isinstance(description, dict):
            raise FileFormatError(
                f"{where}: {role[:80]!r} is {repr(description)[:80]}; required is a table of "
                "fields: convert it again"
            )
    return {
        role: build_architecture(description, f"{where}: {role}")
        for role, description in descriptions.items()
    }


def _build_sources(descriptions: object, where: str) -> tuple[Source, ...]:
    """The sources that a file describes."""
    if not isinstance(descriptions, list):
        raise FileFormatError(f"{where}: its sources are no list; convert it again")
    sources = []
    for description in descriptions:
        match description:
            case {"name": str(name), "sha256": str(digest)}:
                sources.append(Source(name, digest))
            case _:
                raise FileFormatError(
                    f"{where}: {repr(description)[:80]} describes no source; required are name and "
                    "sha256: convert it again"
                )
    return tuple(sources)


def read_description(path: str | pathlib.Path) -> Description:
    """What a bundle's metadata say, before any of its arrays is read.

    Raises:
        FileFormatError: If the file is missing, cut short, or no bundle, or what it says of its
            networks, sources or fitted directions cannot be read.
        WeightsError: If an architecture is not known or out of bounds.
    """
    metadata, where = read_metadata(path), str(path)
    networks, sources = (
        parse_json(metadata[entry], where=f"{where}: {entry}") for entry in ("networks", "sources")
    )
    return Description(
        _build_networks(networks, where),
        _build_sources(sources, where),
        recorded_directions(metadata, where),
    )


def _read_tensors(path: pathlib.Path, prefixes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of a file whose names begin with one of `prefixes`."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith(prefixes)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError, AttributeError, TypeError) as error:
        raise FileFormatError(
            f"{path}: its arrays cannot be read ({error}); required are float32 or float16: "
            "convert it again"
        ) from error


def _below(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose name begins with `prefix`, without it."""
    found = {name: value for name, value in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in found.items()}


def load_bundle(path: str | pathlib.Path, roles: Collection[str] | None = None) -> Bundle:
    """Reads a bundle.

    Args:
        path: A file written by `save_bundle`.
        roles: Networks that are wanted, as far as the file holds them; of others no array is read.
            None for all.

    Returns:
        The networks, with arrays on the default device, and the directions.

    Raises:
        FileFormatError: If the file is missing, cut short, or no bundle, or what it says of its
            networks, sources or fitted directions cannot be read, or a direction is not finite.
        WeightsError: If an architecture is not known or out of bounds, or arrays do not fit it.
    """
    path = pathlib.Path(path)
    modules, sources, records = read_description(path)
    wanted = {role: module for role, module in modules.items() if roles is None or role in roles}
    tensors = _read_tensors(path, ("directions/", *(f"{role}/" for role in wanted)))
    networks = {}
    for role, module in wanted.items():
        flat = _below(tensors, f"{role}/")
        check_variables(module, flat, f"{path}: {role}")
        variables = {name: jnp.asarray(value, jnp.float32) for name, value in flat.items()}
        networks[role] = Network(module, unflatten(variables))
    directions = {
        name: finite_array(value, f"{path}: direction {name!r}")
        for name, value in _below(tensors, "directions/").items()
    }
    unread = tuple(role for role in modules if role not in wanted)
    return Bundle(networks, directions, sources, records, path=str(path), unread=unread)


def load_bundles(paths: Iterable[str]) -> Bundle:
    """Reads bundles; where two hold the same, the later one counts.

    Raises:
        FileFormatError: If a file is missing or no bundle.
        WeightsError: If its arrays do not fit.
    """
    networks, directions, sources, records = {}, {}, {}, {}
    names = list(paths)
    for path in names:
        bundle = load_bundle(path)
        networks |= bundle.networks
        directions |= bundle.directions
        sources |= {source.sha256: source for source in bundle.sources}
        records |= {record.name: record for record in bundle.records}
    where = ", ".join(names) or "the recipe's `weights` (none)"
    return Bundle(
        networks, directions, tuple(sources.values()), tuple(records.values()), path=where
    )
