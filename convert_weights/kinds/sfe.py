"""StyleFeatureEditor's own files.

A file is {"state_dict": {"encoder.*", "inverter.*", ...}, "latent_avg": ...}. In a phase-1 file
`encoder` is the Inverter, in a phase-2 file the Feature Editor. The generator and e4e are taken
from their own files, as the reference does.
"""

from typing import Any

from convert_weights.kinds.kind import Converted, Kind, inner_state
from convert_weights.kinds.network import below, network
from convert_weights.name_maps import encoders


def _convert_sfe_inverter(content: Any, where: str) -> Converted:
    state = below(content["state_dict"], "encoder")
    net = network(state, encoders.inverter, encoders.inverter_entries, f"{where}: encoder")
    return Converted("sfe-inverter", {"inverter": net})


def _convert_sfe_editor(content: Any, where: str) -> Converted:
    inverter = network(
        below(content["state_dict"], "inverter"),
        encoders.inverter,
        encoders.inverter_entries,
        f"{where}: inverter",
    )
    editor = network(
        below(content["state_dict"], "encoder"),
        encoders.feature_editor,
        encoders.feature_editor_entries,
        f"{where}: encoder",
    )
    return Converted("sfe-editor", {"inverter": inverter, "feature_editor": editor})


KINDS = (
    Kind(
        "sfe-editor",
        "StyleFeatureEditor phase 2: Inverter and Feature Editor",
        lambda c: inner_state(c, "encoder.conv.weight", "inverter.fuser.conv.weight"),
        _convert_sfe_editor,
    ),
    Kind(
        "sfe-inverter",
        "StyleFeatureEditor phase 1: Inverter",
        lambda c: inner_state(c, "encoder.fuser.conv.weight"),
        _convert_sfe_inverter,
    ),
)
"""Of phase 2, then of phase 1."""
