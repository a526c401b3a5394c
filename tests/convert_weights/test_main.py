import hashlib
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from convert_weights.__main__ import main
from sfe_jax.core.trees import flatten
from sfe_jax.edits.direction import Direction, Linear, Mapper
from sfe_jax.edits.files import FILES
from sfe_jax.pipelines.bundle import FORMAT, Bundle, load_bundle, save_bundle
from tests.conftest import ROOT
from tests.convert_weights.official import (
    ROWS,
    SIZE,
    average,
    state_of,
    torch_bytes,
    variables_of,
)
from tests.edits.mapper_files import official
from tests.readers.builders import Name, New, npy_of

ALONE = {
    "psp.pt": {"psp": "psp", "generator": "rosinality"},
    "psp w.pt": {"psp": "psp w", "generator": "rosinality"},
    "psp w plus.pt": {"psp": "psp w plus", "generator": "rosinality"},
    "e4e.pt": {"e4e": "e4e", "latent_discriminator": "latent discriminator"},
    "rosinality.pt": {
        "generator": "rosinality",
        "generator_training": "rosinality",
        "discriminator": "rosinality discriminator",
    },
    "stylegan2.pkl": {
        "generator": "ada",
        "generator_training": "ada",
        "discriminator": "ada discriminator",
    },
    "arcface.pth": {"arcface": "arcface"},
}
"""Files that are converted alone -> the family of each of their networks."""


@pytest.fixture(scope="session")
def bundles(official_folder):
    """The bundle of each file of `ALONE`, written by the command."""
    for name in ALONE:
        out = official_folder / f"{name}.safetensors"
        assert main([str(official_folder / name), "-o", str(out)]) == 0
    return {name: load_bundle(official_folder / f"{name}.safetensors") for name in ALONE}


@pytest.mark.parametrize("name", ALONE)
def test_bundle_holds_the_networks_of_a_file(bundles, name):
    held = set(bundles[name].networks)
    assert held == ALONE[name].keys()


@pytest.mark.parametrize("name", ALONE)
def test_bundle_holds_every_bit_of_a_file(bundles, name):
    bundle = bundles[name]
    for role, family in ALONE[name].items():
        found = flatten(bundle.networks[role].variables)
        for path, value in flatten(variables_of(family)).items():
            if not path.endswith("w_avg"):
                np.testing.assert_array_equal(found[path], value, err_msg=path, strict=True)


@pytest.mark.parametrize("name", ["psp.pt", "psp w plus.pt", "e4e.pt"])
def test_encoder_of_all_rows_has_the_average_of_its_file(bundles, name):
    role = name.partition(" ")[0].partition(".")[0]
    network = bundles[name].network(role)
    expected = np.tile(average(2), (ROWS, 1))
    np.testing.assert_array_equal(network.variables["buffers"]["w_avg"], expected)


def test_encoder_of_one_code_has_the_average_of_its_file(bundles):
    network = bundles["psp w.pt"].network("psp")
    np.testing.assert_array_equal(network.variables["buffers"]["w_avg"], average(2))


def test_generator_of_rosinality_has_the_average_of_its_file(bundles):
    network = bundles["rosinality.pt"].network("generator")
    np.testing.assert_array_equal(network.variables["buffers"]["mapping"]["w_avg"], average())


def test_clamp_is_read_from_the_layers_of_an_nvidia_pickle(bundles):
    bundle = bundles["stylegan2.pkl"]
    assert [net.module.conv_clamp for net in bundle.networks.values()] == [256, 256, 256]


def test_group_of_the_statistic_is_read_from_its_layer_of_an_nvidia_pickle(bundles):
    assert bundles["stylegan2.pkl"].network("discriminator").module.group_size == 2


def test_bundle_names_its_source_and_digest(bundles, official_folder):
    (source,) = bundles["rosinality.pt"].sources
    digest = hashlib.sha256((official_folder / "rosinality.pt").read_bytes()).hexdigest()
    assert (source.name, source.sha256) == ("rosinality.pt", digest)


def write_npz(path, state):
    np.savez(path, **state)


def write_safetensors(path, state):
    safetensors.numpy.save_file(state, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("name", "suffix", "write"),
    [
        ("ada", ".npz", write_npz),
        ("ada conditional", ".safetensors", write_safetensors),
        ("ada discriminator", ".npz", write_npz),
        ("rosinality", ".safetensors", write_safetensors),
    ],
)
def test_bare_state_dict_is_converted_from_plain_arrays(tmp_path, name, suffix, write):
    write(tmp_path / f"net{suffix}", state_of(name))
    out = tmp_path / "out.safetensors"
    assert main([str(tmp_path / f"net{suffix}"), "-o", str(out)]) == 0
    (network,) = load_bundle(out).networks.values()
    for path, value in flatten(variables_of(name)).items():
        if not path.endswith("w_avg"):
            np.testing.assert_array_equal(flatten(network.variables)[path], value, err_msg=path)


# Mappers of StyleCLIP, one of StyleFeatureEditor's and one of one's own.


@pytest.fixture(scope="module")
def mapper_bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mappers")
    content = official(("course", "medium"), size=SIZE)
    options = New(Name("argparse", "Namespace"), content["opts"])
    (folder / "afro.pt").write_bytes(torch_bytes({**content, "opts": options}))
    (folder / "own.pt").write_bytes(torch_bytes(content))
    out = folder / "out.safetensors"
    assert main([str(folder), str(folder / "own.pt"), "-o", str(out)]) == 0
    return load_bundle(out)


def test_mappers_are_kept_by_the_names_of_their_files(mapper_bundle):
    parts = [f"{level}_{part}" for level in ("coarse", "medium") for part in ("weight", "bias")]
    names = {f"{folder}/{part}" for folder in ("mapper/afro", "own/own") for part in parts}
    assert mapper_bundle.directions.keys() == names


def test_mapper_keeps_every_bit_of_its_file(mapper_bundle):
    state = official(("course", "medium"), size=SIZE)["state_dict"]
    layers = [state[f"mapper.medium_mapping.mapping.{number}.weight"] for number in (1, 2, 3, 4)]
    kept = mapper_bundle.directions["mapper/afro/medium_weight"]
    np.testing.assert_array_equal(kept, np.stack(layers))


def test_mapper_of_ones_own_is_a_fitted_edit_of_the_bundle(mapper_bundle):
    rules = {record.name: record.rule for record in mapper_bundle.records}
    assert rules == {"own": Mapper("own/own", ("coarse", "medium"))}


# SFE: four files and directions make one bundle.


@pytest.fixture(scope="session")
def sfe_bundle(official_folder):
    directions = official_folder / "directions"
    directions.mkdir()
    (directions / FILES["interfacegan/age"]).write_bytes(torch_bytes(average(3)[None]))
    (directions / FILES["boundary/smiling"]).write_bytes(npy_of(average(4)))
    names = ("sfe_editor.pt", "rosinality.pt", "e4e.pt", "arcface.pth", "directions")
    out = official_folder / "sfe.safetensors"
    assert main([*(str(official_folder / name) for name in names), "-o", str(out)]) == 0
    return load_bundle(out)


def test_sfe_bundle_holds_every_network(sfe_bundle):
    expected = {"inverter", "feature_editor", "e4e", "generator", "arcface"}
    extra = {"generator_training", "discriminator", "latent_discriminator"}
    assert sfe_bundle.networks.keys() == expected | extra


@pytest.mark.parametrize("role", ["inverter", "feature_editor"])
def test_sfe_bundle_holds_every_bit_of_the_editor_file(sfe_bundle, role):
    found = flatten(sfe_bundle.networks[role].variables)
    for path, value in flatten(variables_of(role.replace("_", " "))).items():
        if not path.endswith("w_avg"):
            np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.parametrize(
    ("role", "path"), [("inverter", "buffers/backbone/w_avg"), ("e4e", "buffers/w_avg")]
)
def test_sfe_bundle_has_the_generators_average_in_its_encoders(sfe_bundle, role, path):
    rows = flatten(sfe_bundle.networks[role].variables)[path]
    np.testing.assert_array_equal(rows, np.tile(average(), (ROWS, 1)))


def test_sfe_bundle_holds_directions_by_their_stable_names(sfe_bundle):
    assert sfe_bundle.directions.keys() == {"interfacegan/age", "boundary/smiling"}


def test_sfe_bundle_names_every_source(sfe_bundle):
    networks = ["sfe_editor.pt", "rosinality.pt", "e4e.pt", "arcface.pth"]
    names = [*networks, "age.pt", "Smiling_boundary.npy"]
    assert [source.name for source in sfe_bundle.sources] == names


def test_sfe_bundle_has_a_digest_of_every_source(sfe_bundle):
    assert all(len(source.sha256) == 64 for source in sfe_bundle.sources)


# The way back.


@pytest.mark.parametrize("layout", ["stylegan2-ada", "rosinality"])
def test_exported_generator_converts_back_to_the_same_bundle(bundles, tmp_path, layout):
    bundle = bundles["rosinality.pt"]
    state, back = tmp_path / "state.safetensors", tmp_path / "back.safetensors"
    assert main(["export", bundle.path, "--layout", layout, "-o", str(state)]) == 0
    assert main([str(state), "-o", str(back)]) == 0
    found = flatten(load_bundle(back).network("generator").variables)
    for path, value in flatten(bundle.network("generator").variables).items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


def test_export_overwrites_nothing_when_it_is_refused(bundles, tmp_path):
    out = tmp_path / "state.safetensors"
    out.write_text("precious")
    arguments = ["export", bundles["stylegan2.pkl"].path, "--layout", "unknown"]
    assert main([*arguments, "-o", str(out)]) == 2
    assert out.read_text() == "precious"


def test_clamp_survives_export_and_conversion(bundles, tmp_path):
    state, again = tmp_path / "state.safetensors", tmp_path / "again.safetensors"
    exported = ["export", bundles["stylegan2.pkl"].path, "--layout", "stylegan2-ada"]
    assert main([*exported, "-o", str(state)]) == 0
    assert main([str(state), "-o", str(again)]) == 0
    assert load_bundle(again).network("generator").module.conv_clamp == 256


def test_clamp_that_rosinality_cannot_hold_is_said(capsys, bundles, tmp_path):
    arguments = ["export", bundles["stylegan2.pkl"].path, "--layout", "rosinality"]
    assert main([*arguments, "-o", str(tmp_path / "state.safetensors")]) == 0
    assert "no clamp" in capsys.readouterr().out


def test_bundle_is_taken_as_a_source(bundles, official_folder, tmp_path):
    out = tmp_path / "both.safetensors"
    files = [bundles["rosinality.pt"].path, str(official_folder / "arcface.pth")]
    assert main([*files, "-o", str(out)]) == 0
    assert {"generator", "arcface"} <= load_bundle(out).networks.keys()


def test_fitted_directions_are_put_into_weights(bundles, tmp_path):
    record = Direction("glasses", "fitted", Linear("fitted/glasses", 1.0), -2, 3, "adds them", "")
    arrays = {"fitted/glasses": average(5)[None]}
    own, both = tmp_path / "own.safetensors", tmp_path / "both.safetensors"
    save_bundle(own, Bundle({}, arrays, records=(record,)))
    assert main([bundles["rosinality.pt"].path, str(own), "-o", str(both)]) == 0
    found = load_bundle(both)
    assert (found.records, *found.directions) == ((record,), "fitted/glasses")
    assert "generator" in found.networks


# What is refused, in one line.


def refused(capsys, *arguments):
    """The one line that a refused command says; nothing is written, the status is 2."""
    assert main([str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


def test_conversion_is_refused_of_a_missing_file(capsys, tmp_path):
    assert "gone.pt" in refused(capsys, tmp_path / "gone.pt", "-o", tmp_path / "o.safetensors")


def test_conversion_is_refused_of_a_file_cut_short(capsys, tmp_path, official_folder):
    content = (official_folder / "arcface.pth").read_bytes()
    (tmp_path / "short.pth").write_bytes(content[: len(content) // 2])
    message = refused(capsys, tmp_path / "short.pth", "-o", tmp_path / "o.safetensors")
    assert "short.pth" in message


def test_conversion_is_refused_of_unknown_content(capsys, tmp_path):
    (tmp_path / "odd.pt").write_bytes(torch_bytes({"weight": average()}))
    message = refused(capsys, tmp_path / "odd.pt", "-o", tmp_path / "o.safetensors")
    assert "odd.pt" in message


def test_conversion_is_refused_of_a_folder_without_directions(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(capsys, tmp_path / "empty", "-o", tmp_path / "o.safetensors")


def test_conversion_is_refused_without_out(capsys, official_folder):
    assert "-o" in refused(capsys, official_folder / "arcface.pth")


def test_conversion_is_refused_to_another_suffix(capsys, official_folder, tmp_path):
    message = refused(capsys, official_folder / "arcface.pth", "-o", tmp_path / "out.pt")
    assert "out.pt" in message


def test_conversion_is_refused_of_an_unknown_kind(capsys, official_folder, tmp_path):
    source, out = official_folder / "arcface.pth", tmp_path / "o.safetensors"
    assert "'nonsense'" in refused(capsys, source, "--kind", "nonsense", "-o", out)


def test_conversion_is_refused_when_one_kind_is_given_for_two_files(
    capsys, official_folder, tmp_path
):
    sources = [official_folder / name for name in ("arcface.pth", "e4e.pt")]
    out = tmp_path / "o.safetensors"
    assert "--kind" in refused(capsys, *sources, "--kind", "e4e", "-o", out)


def test_conversion_is_refused_when_the_place_cannot_be_written(capsys, official_folder, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "o.safetensors"
    assert "cannot be written" in refused(capsys, official_folder / "arcface.pth", "-o", out)


def test_nothing_is_written_when_conversion_is_refused(tmp_path, official_folder):
    arguments = [str(official_folder / "sfe_inverter.pt"), "-o", str(tmp_path / "o.safetensors")]
    assert main(arguments) == 2
    assert not list(tmp_path.iterdir())


def test_an_ambiguous_encoder_is_converted_when_its_kind_is_given(tmp_path):
    (tmp_path / "e.pt").write_bytes(torch_bytes({"state_dict": state_of("e4e", "encoder.")}))
    out = tmp_path / "o.safetensors"
    assert main([str(tmp_path / "e.pt"), "--kind", "e4e", "-o", str(out)]) == 0
    assert load_bundle(out).networks.keys() == {"e4e"}


# Inspection and help.


def test_inspect_names_kind_and_tensors(capsys, official_folder):
    assert main(["--inspect", str(official_folder / "rosinality.pt")]) == 0
    out = capsys.readouterr().out
    assert "kind: rosinality (" in out
    assert "input.input: float32 [1, 24, 4, 4]" in out


def test_inspect_shows_the_arguments_of_a_pickled_network(capsys, official_folder):
    assert main(["--inspect", str(official_folder / "stylegan2.pkl")]) == 0
    assert "G_ema arguments: {'synthesis_kwargs': {'conv_clamp': 256}}" in capsys.readouterr().out


def test_inspect_shows_the_fitted_directions_of_a_bundle(capsys, tmp_path):
    path, rule = tmp_path / "own.safetensors", Linear("fitted/smile", 1.0)
    record = Direction("smile", "regression", rule, -2.0, 3.5, "", "fitted on 9 codes of a")
    save_bundle(path, Bundle({}, records=(record,)))
    assert main(["--inspect", str(path)]) == 0
    expected = "direction smile: regression, range -2 to 3.5, fitted on 9 codes of a\n"
    assert expected in capsys.readouterr().out


def test_inspect_prints_names_that_no_terminal_obeys(capsys, tmp_path):
    name = "a\x1b[31m\n  forged: line"
    (tmp_path / "odd.pt").write_bytes(torch_bytes({name: average()}))
    assert main(["--inspect", str(tmp_path / "odd.pt")]) == 0
    assert r"a\x1b[31m\n  forged: line: float32" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes", [{"networks": "[1]"}, {"networks": '{"g": {}}'}, {"sources": "[1]"}]
)
def test_inspect_refuses_a_bundle_whose_metadata_say_nothing(capsys, tmp_path, changes):
    path = tmp_path / "c.safetensors"
    metadata = {"format": FORMAT, "networks": "{}", "sources": "[]", **changes}
    safetensors.numpy.save_file({"a": average()}, path, metadata)
    assert "c.safetensors: " in refused(capsys, "--inspect", path)


def test_help_answers_without_importing_jax():
    code = (
        "import sys, runpy; sys.argv = ['convert_weights', '--help']\n"
        "try: runpy.run_module('convert_weights', run_name='__main__')\n"
        "except SystemExit: sys.exit('jax' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr.decode()


@pytest.mark.parametrize("arguments", [[], ["export"]])
def test_help_has_words_for_every_option(arguments):
    from convert_weights.__main__ import _export_parser, _parser

    parser = _export_parser() if arguments else _parser()
    assert all(action.help for action in parser._actions)
