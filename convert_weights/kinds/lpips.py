"""LPIPS: the `lpips` package's module, its halves, and the StyleGAN2 projector's archive.

The halves are torchvision's trunk and the linear layers that the package holds, a file each. All
but the archive are flat state dicts. Roles name the trunk, so that a bundle can hold VGG's for a
loss and AlexNet's for a metric.
"""

from collections.abc import Mapping
from typing import Any

from convert_weights.kinds.kind import Converted, Kind, is_state
from convert_weights.kinds.network import network
from convert_weights.name_maps import lpips, projector_vgg
from sfe_jax.core.errors import WeightsError
from sfe_jax.perceptual.lpips import TRUNKS, Lpips
from sfe_jax.pipelines.bundle import Network


def _convert_lpips(content: Any, where: str) -> Converted:
    net = network(content, lpips.package, lpips.package_entries, where)
    return Converted("lpips", {f"lpips_{net.module.trunk}": net})  # pyright: ignore


def _convert_lpips_trunk(content: Any, where: str) -> Converted:
    net = network(content, lpips.trunk, lpips.trunk_entries, where)
    return Converted("lpips-trunk", {f"lpips_{lpips.trunk_name(net.module)}_trunk": net})


def _convert_lpips_heads(content: Any, where: str) -> Converted:
    net = network(content, lpips.heads, lpips.heads_entries, where)
    name = lpips.trunk_of_heads(net.module)  # pyright: ignore
    return Converted("lpips-heads", {f"lpips_{name}_heads": net})


def _convert_projector_vgg(content: Any, where: str) -> Converted:
    """The VGG-16 of the StyleGAN2 projector, which is LPIPS in a TorchScript archive."""
    build, entries = projector_vgg.projector_vgg, projector_vgg.projector_vgg_entries
    net = network(projector_vgg.tensors_of(content), build, entries, where)
    return Converted("projector-vgg16", {"lpips_vgg": net})


def join_lpips(networks: Mapping[str, Network]) -> dict[str, Network]:
    """The same networks, with the two halves of each LPIPS as one network.

    Args:
        networks: By role; `lpips_TRUNK_trunk` and `lpips_TRUNK_heads` are halves.

    Returns:
        By role; `lpips_TRUNK` in place of its halves.

    Raises:
        WeightsError: If one half is there alone, or both beside a whole.
    """
    joined = dict(networks)
    for name in TRUNKS:
        role = f"lpips_{name}"
        halves = {half: joined.pop(f"{role}_{half}", None) for half in ("trunk", "heads")}
        present = {half: net.variables["params"] for half, net in halves.items() if net}
        if len(present) == 1:
            raise WeightsError(
                f"{role}: its {min(present)} alone; give torchvision's trunk and the linear layers "
                "of the same name together"
            )
        if present and role in networks:
            raise WeightsError(f"{role}: a whole and its halves; give one of them")
        if present:
            params = {"network": present["trunk"], "heads": present["heads"]}
            joined[role] = Network(Lpips(name), {"params": params})
    return joined


KINDS = (
    Kind(
        "lpips",
        "LPIPS as the lpips package's module: trunk and linear layers",
        lambda c: is_state(c, "lin0.model.1.weight", "net.slice1.0.weight"),
        _convert_lpips,
    ),
    Kind(
        "projector-vgg16",
        "LPIPS over VGG-16 of the StyleGAN2 projector (vgg16.pt)",
        projector_vgg.is_projector_vgg,
        _convert_projector_vgg,
    ),
    Kind(
        "lpips-heads",
        "linear layers of LPIPS (alex.pth, vgg.pth or squeeze.pth)",
        lambda c: is_state(c, "lin0.model.1.weight"),
        _convert_lpips_heads,
    ),
    Kind(
        "lpips-trunk",
        "torchvision's AlexNet, VGG-16 or SqueezeNet 1.1, for LPIPS",
        lambda c: is_state(c, "features.0.weight", "features.0.bias"),
        _convert_lpips_trunk,
    ),
)
"""Wholes, then halves."""
