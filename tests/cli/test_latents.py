"""The commands that mix, compare and animate codes."""

import numpy as np
import pytest
from PIL import Image

from sfe_jax.models.stylegan3 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network, load_bundle, save_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from tests.cli.running import pixels, refused, sfe

ROWS = 6  # Of the generator of `generator_weights`.
SIDE = 128  # Of pictures on sheets: wider than their captions.


def cell(path, row, column, *, shape):
    """A picture of the last `shape` rows and columns of a sheet; gaps are of two pixels."""
    step = SIDE + 2
    first = np.array([row, column]) - shape
    top, left = first * step + 2
    sheet = np.pad(pixels(path), ((0, 2), (0, 2), (0, 0)))
    return sheet[top - 2 :, left - 2 :][:SIDE, :SIDE].astype(int)


def enlarged(path):
    """A picture of 16x16 as sheets show it."""
    return pixels(path).repeat(SIDE // 16, axis=0).repeat(SIDE // 16, axis=1).astype(int)


def run(weights, command, *arguments):
    assert sfe(command, "-w", weights, *arguments) == 0


def codes(weights, out, *arguments):
    run(weights, "generate", *arguments, "-o", out)
    return np.load(out / "ws.npy")


@pytest.fixture(scope="session")
def edit_weights(generator_weights, tmp_path_factory):
    """The small generator with the directions smile and age."""
    rng = np.random.default_rng(1)
    arrays = {f"interfacegan/{n}": rng.standard_normal((1, 5)) for n in ("smile", "age")}
    path = tmp_path_factory.mktemp("edits") / "edits.safetensors"
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    save_bundle(path, Bundle(load_bundle(generator_weights).networks, arrays))
    return path


@pytest.fixture(scope="session")
def alias_free_weights(tmp_path_factory):
    """A bundle of a small StyleGAN3."""
    module = Generator(
        channels=(8, 8, 8, 8), resolution=16, z_dim=6, w_dim=5, num_critical=1, margin=2
    )
    path = tmp_path_factory.mktemp("alias_free") / "alias_free.safetensors"
    network = Network(module, random_variables(module, np.random.default_rng(0)))
    save_bundle(path, Bundle({"generator": network}))
    return path


# Mixing.


@pytest.fixture(scope="session")
def mixed(generator_weights, tmp_path_factory):
    """Two bases and three donors, the last from a file."""
    out = tmp_path_factory.mktemp("mixed")
    np.save(out / "own.npy", np.ones((ROWS, 5), np.float32))
    arguments = ("--bases", "0-1", "--donors", f"2,3,{out / 'own.npy'}", "--rows", "0-1,4=0.5")
    run(generator_weights, "mix", *arguments, "--side", SIDE, "-o", out)
    return out


def test_mixed_codes_have_rows_of_both(generator_weights, mixed, tmp_path):
    ws = codes(generator_weights, tmp_path, "--seeds", "0-3")
    found = np.load(mixed / "ws.npy")[4]  # The second base with the second donor.
    expected = ws[1].copy()
    expected[:2], expected[4] = ws[3, :2], (ws[1, 4] + ws[3, 4]) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_picture_is_written_per_pair(mixed):
    names = {path.name for path in mixed.glob("seed*-*.png")}
    donors = ("seed0002", "seed0003", "own0000")
    assert names == {f"{b}-{d}.png" for b in ("seed0000", "seed0001") for d in donors}


def test_the_sheet_has_bases_left_and_donors_above(generator_weights, mixed, tmp_path):
    run(generator_weights, "generate", "--seeds", "1,3", "-o", tmp_path)
    expected = {
        (2, 0): tmp_path / "seed0001.png",
        (0, 2): tmp_path / "seed0003.png",
        (2, 2): mixed / "seed0001-seed0003.png",
    }
    for place, path in expected.items():
        found = cell(mixed / "mix.png", *place, shape=(3, 4))
        assert np.abs(found - enlarged(path)).max() <= 1, place


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rows", "4-6"), "--rows has '4-6'; this generator has rows 0 to 5"),
        (("--rows", "all"), "--rows has 'all'"),
        (("--bases", "a"), "--bases has 'a'"),
        (("--donors", "gone.npy"), "gone.npy"),
        (("--side", 3), "--side is 3"),
        (("--codes-name", "ws"), "ws: has suffix ''"),
        (("--psi", "nan"), "--psi is nan"),
        (("--class", 1), "--class is 1; this generator has no classes"),
    ],
)
def test_what_cannot_be_mixed_is_refused(capsys, generator_weights, tmp_path, arguments, message):
    line = refused(capsys, "mix", "-w", generator_weights, *arguments, "-o", tmp_path)
    assert message in line


def test_codes_of_another_generator_are_refused_by_name(capsys, generator_weights, tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((1, ROWS, 7)))
    arguments = ("--donors", tmp_path / "wide.npy", "-o", tmp_path)
    line = refused(capsys, "mix", "-w", generator_weights, *arguments)
    assert "wide.npy: codes have shape [1, 6, 7]; required is [N, 6, 5]" in line


# Layers.


@pytest.fixture(scope="session")
def layer_sheet(generator_weights, tmp_path_factory):
    """Seed 1 with rows of seed 1, that is itself, and of seed 2; beside it both seeds."""
    out = tmp_path_factory.mktemp("layers")
    run(generator_weights, "generate", "--seeds", "1-2", "-o", out)
    arguments = ("--base", 1, "--donors", "1-2", "--side", SIDE, "-o", out / "layers.png")
    run(generator_weights, "layers", *arguments)
    return out


def test_a_row_of_the_same_code_changes_nothing(layer_sheet):
    for column in range(ROWS + 1):
        found = cell(layer_sheet / "layers.png", 1, column, shape=(3, ROWS + 1))
        assert np.abs(found - enlarged(layer_sheet / "seed0001.png")).max() <= 1, column


def test_rows_of_another_code_change_the_picture(layer_sheet):
    for column in range(1, ROWS + 1):
        found = cell(layer_sheet / "layers.png", 2, column, shape=(3, ROWS + 1))
        assert np.abs(found - enlarged(layer_sheet / "seed0001.png")).max() > 10, column


def test_a_base_of_several_codes_is_refused(capsys, generator_weights, tmp_path):
    arguments = ("--base", "0-1", "-o", tmp_path / "a.png")
    line = refused(capsys, "layers", "-w", generator_weights, *arguments)
    assert "--base is '0-1', which are 2 codes; give one" in line


@pytest.mark.parametrize("command", ["layers", "grid"])
def test_a_sheet_of_unknown_format_is_refused(capsys, generator_weights, tmp_path, command):
    edits = ("-x", "smile=1", "-y", "age=1") if command == "grid" else ()
    arguments = (*edits, "-o", tmp_path / "a.gif")
    assert "a.gif: has suffix '.gif'" in refused(
        capsys, command, "-w", generator_weights, *arguments
    )


# Grids of two edits.


def test_a_grid_has_the_first_edit_across_and_the_second_down(edit_weights, tmp_path):
    run(edit_weights, "generate", "--seeds", "3", "-o", tmp_path)
    edits = ("-x", "smile=-3,0,3", "-y", "age=0,2")
    arguments = (*edits, "--base", 3, "--side", SIDE, "-o", tmp_path / "grid.png")
    run(edit_weights, "grid", *arguments)
    cells = [
        [cell(tmp_path / "grid.png", row, column, shape=(2, 3)) for column in range(3)]
        for row in range(2)
    ]
    moved = np.abs(np.array(cells) - enlarged(tmp_path / "seed0003.png")).max(axis=(2, 3, 4))
    assert moved[0, 1] <= 1  # No strength of either: the base.
    assert (np.delete(moved, 1) > 10).all()


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (("-x", "smile", "-y", "age=1"), "edit `smile` has strengths ``"),
        (("-x", "grin=1", "-y", "age=1"), "edit `grin` is unknown"),
        (("-x", "fs_glasses=1", "-y", "age=1"), "Eyeglasses_boundary.npy"),
    ],
)
def test_edits_that_cannot_be_made_are_refused(capsys, edit_weights, tmp_path, edits, message):
    line = refused(capsys, "grid", "-w", edit_weights, *edits, "-o", tmp_path / "a.png")
    assert message in line


# Animations.


def frames(path):
    with Image.open(path) as image:
        return image.n_frames, image.size


SHORT = ("--frames", 3, "--fps", 10, "--side", 32)


@pytest.mark.parametrize(
    ("arguments", "count", "size"),
    [
        (("--keys", "0-2"), 9, (32, 32)),
        (("--keys", "0-2", "--no-loop"), 7, (32, 32)),
        (("--keys", "0-3", "--grid", "2x1", "--path", "spherical"), 6, (66, 32)),
        (("--keys", "0-1", "--space", "z", "--psi", 0.7), 6, (32, 32)),
        (("--keys", "0", "--walk", "smile=-9,9"), 6, (32, 32)),
    ],
)
def test_an_animation_has_frames_for_each_leg(edit_weights, tmp_path, arguments, count, size):
    run(edit_weights, "interpolate", *arguments, *SHORT, "-o", tmp_path / "a.gif")
    assert frames(tmp_path / "a.gif") == (count, size)


def test_an_animation_begins_with_its_first_key_frame(generator_weights, tmp_path):
    run(generator_weights, "generate", "--seeds", "3", "-o", tmp_path)
    path = tmp_path / "a.webp"
    run(generator_weights, "interpolate", "--keys", "3,4", *SHORT, "-o", path)
    with Image.open(path) as image:
        first = np.asarray(image.convert("RGB"), int)
    expected = pixels(tmp_path / "seed0003.png").repeat(2, axis=0).repeat(2, axis=1)
    # WebP keeps noise of two pixels' size to some tens of levels.
    assert np.abs(first - expected).mean() < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keys", "0"), "nothing moves"),
        (("--keys", "0-2", "--grid", "2x1"), "--keys gives 3 codes for the 2 cells"),
        (("--grid", "2"), "--grid is '2'"),
        (("--grid", "0x1"), "--grid is '0x1'"),
        (("--frames", 0), "--frames is 0"),
        (("--fps", 0), "0 frames a second"),
        (("--keys", "own.npy", "--space", "z"), "--keys is 'own.npy'"),
        (("-o", "a.avi"), "a.avi: has suffix '.avi'"),
    ],
)
def test_what_cannot_be_animated_is_refused(capsys, generator_weights, arguments, message):
    assert message in refused(capsys, "interpolate", "-w", generator_weights, *arguments)


# StyleGAN3.


@pytest.mark.parametrize(
    ("command", "name", "arguments"),
    [
        ("mix", "out/mix.png", ("--bases", "0", "--donors", "1", "--rows", "0-2", "-o")),
        ("layers", "out.png", ("--donors", "1", "-o")),
    ],
)
def test_stylegan3_is_drawn_too(alias_free_weights, tmp_path, command, name, arguments):
    file = tmp_path / name
    out = file if file.parent == tmp_path else file.parent
    run(alias_free_weights, command, *arguments, out)
    assert pixels(file).size
