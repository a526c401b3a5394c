import jax
import numpy as np
import pytest

from sfe_jax import weights as package
from sfe_jax.cli.generate import parse_sweep
from sfe_jax.core.images import to_uint8
from sfe_jax.pipelines.bundle import Bundle, Network, load_bundle, save_bundle
from tests.cli.running import pixels, refused, sfe

# Pictures and codes.


@pytest.fixture(scope="session")
def generated(generator_weights, tmp_path_factory):
    """Five seeds in batches of two."""
    out = tmp_path_factory.mktemp("generated")
    arguments = ("--seeds", "0-3,11", "--batch", 2, "-o", out)
    assert sfe("generate", "--weights", generator_weights, *arguments) == 0
    return out


@pytest.fixture(scope="session")
def network(generator_weights):
    return load_bundle(generator_weights).network("generator")


@pytest.fixture(scope="session")
def codes_of(network):
    """W+ of the seeds, as stylegan2-ada-pytorch numbers them."""

    @jax.jit
    def run(variables, z):
        return network.module.apply(variables, z, method=lambda module, z: module.mapping(z))

    def codes(*seeds):
        z = np.concatenate([np.random.RandomState(seed).randn(1, 6) for seed in seeds])
        return np.asarray(run(network.variables, z.astype(np.float32)))

    return codes


def test_one_picture_is_written_per_seed(generated):
    names = {path.name for path in generated.glob("seed*")}
    assert names == {f"seed{seed:04d}.png" for seed in (0, 1, 2, 3, 11)}


def test_seeds_give_the_codes_that_the_original_gives(generated, codes_of):
    ws = np.load(generated / "ws.npy")
    np.testing.assert_allclose(ws, codes_of(0, 1, 2, 3, 11), rtol=1e-5, atol=1e-6)


def test_pictures_are_rounded_as_the_original_does(generated, network, codes_of):
    run = jax.jit(lambda v, ws: network.module.apply(v, ws, method="synthesize")["image"])
    expected = to_uint8(run(network.variables, codes_of(11)), offset=128.0)[0].astype(int)
    assert np.abs(pixels(generated / "seed0011.png") - expected).max() <= 1


def test_sheet_shows_all_pictures_side_by_side(generated):
    sheet = pixels(generated / "sheet.png")
    assert (sheet[:16, :16] == pixels(generated / "seed0000.png")).all()
    assert (sheet[:16, -16:] == pixels(generated / "seed0011.png")).all()


def test_sheet_is_filled_up_with_white(generator_weights, tmp_path):
    assert sfe("generate", "-w", generator_weights, "--seeds", "0-8", "-o", tmp_path) == 0
    sheet = pixels(tmp_path / "sheet.png")
    assert (sheet[-16:, -16:] == 255).all()
    assert (sheet[-16:, :16] == pixels(tmp_path / "seed0008.png")).all()


def generate_codes(weights, out, *arguments):
    assert sfe("generate", "-w", weights, "--seeds", "3", *arguments, "-o", out) == 0
    return np.load(out / "ws.npy")[0]


def test_psi_zero_gives_the_average(generator_weights, network, tmp_path):
    ws = generate_codes(generator_weights, tmp_path, "--psi", 0)
    average = network.variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_allclose(ws, np.tile(average, (6, 1)), atol=1e-6)


def test_a_cutoff_beyond_the_rows_is_refused(capsys, generator_weights, tmp_path):
    options = ("--psi", 0.5, "--cutoff", 7, "-o", tmp_path)
    message = refused(capsys, "generate", "-w", generator_weights, *options)
    assert "--cutoff is 7; this generator has 6 rows" in message


def test_cutoff_spares_later_rows(generator_weights, codes_of, tmp_path):
    ws = generate_codes(generator_weights, tmp_path, "--psi", 0.5, "--cutoff", 4)
    changed = np.abs(ws - codes_of(3)[0]).max(axis=1) > 1e-5
    assert changed.tolist() == [True] * 4 + [False] * 2


def picture_of(weights, out, *arguments):
    assert sfe("generate", "-w", weights, *arguments, "-o", out) == 0
    return pixels(out / "seed0003.png")


def test_random_noise_of_a_seed_does_not_depend_on_its_batch(generator_weights, tmp_path):
    noise = ("--noise-mode", "random")
    alone = picture_of(generator_weights, tmp_path / "a", "--seeds", "3", *noise)
    among = picture_of(generator_weights, tmp_path / "b", "--seeds", "0-3", *noise)
    assert np.abs(alone.astype(int) - among).max() <= 1


@pytest.mark.parametrize("mode", ["random", "none"])
def test_noise_mode_changes_the_picture(generator_weights, generated, tmp_path, mode):
    found = picture_of(generator_weights, tmp_path, "--seeds", "3", "--noise-mode", mode)
    assert (found != pixels(generated / "seed0003.png")).any()


def test_the_largest_seed_is_accepted(generator_weights, tmp_path):
    arguments = ("--seeds", 2**32 - 1, "--noise-mode", "random", "-o", tmp_path)
    assert sfe("generate", "-w", generator_weights, *arguments) == 0


# Truncation.


def test_a_code_truncated_about_itself_stays(generator_weights, codes_of, tmp_path):
    ws = generate_codes(generator_weights, tmp_path, "--psi", 0, "--center", "3")
    np.testing.assert_allclose(ws, codes_of(3)[0], rtol=1e-5, atol=1e-6)


def test_the_nearest_of_several_centres_is_taken(generator_weights, codes_of, tmp_path):
    np.save(tmp_path / "far.npy", np.full((1, 5), 1e3))
    arguments = ("--psi", 0, "--center", f"{tmp_path / 'far.npy'},3")
    ws = generate_codes(generator_weights, tmp_path, *arguments)
    np.testing.assert_allclose(ws, codes_of(3)[0], rtol=1e-5, atol=1e-6)


def test_one_cluster_is_the_mean_of_the_class(generator_weights, tmp_path):
    one, mean = (
        generate_codes(generator_weights, tmp_path, "--psi", 0, "--center", center)
        for center in ("clusters:1", "class")
    )
    np.testing.assert_allclose(one, mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("center", ["middle", "clusters:x", "clusters:0", "face.png"])
def test_an_unknown_centre_is_refused(capsys, generator_weights, tmp_path, center):
    arguments = ("--psi", 0.5, "--center", center, "-o", tmp_path)
    message = refused(capsys, "generate", "-w", generator_weights, *arguments)
    assert "clusters" in message


def test_a_sweep_has_a_row_per_code_and_a_column_per_psi(generator_weights, tmp_path):
    arguments = ("--seeds", "0-1", "--sweep=-0.5,0,1", "--side", 64, "-o", tmp_path)
    assert sfe("generate", "-w", generator_weights, *arguments) == 0
    sheet = pixels(tmp_path / "truncation.png")[-130:, -196:]
    left, middle, right = sheet[:, :64], sheet[:, 66:130], sheet[:, 132:]
    assert (middle[:64] == middle[66:]).all()  # The average of both.
    assert (left[:64] != left[66:]).any()
    assert (right[:64] != right[66:]).any()


def test_a_sweep_through_nothing_has_exactly_nothing():
    assert str(parse_sweep("-0.7:1.4:7")) == "(-0.7, -0.35, 0.0, 0.35, 0.7, 1.05, 1.4)"


@pytest.mark.parametrize("text", ["", "a", "0:1", "nan"])
def test_an_unusable_sweep_is_refused(capsys, generator_weights, tmp_path, text):
    message = refused(
        capsys, "generate", "-w", generator_weights, f"--sweep={text}", "-o", tmp_path
    )
    assert f"--sweep is '{text}'" in message


# Saved codes.


@pytest.mark.parametrize("suffix", ["npy", "npz", "pt"])
def test_codes_are_saved_in_the_format_of_their_suffix(generator_weights, tmp_path, suffix):
    name = f"codes.{suffix}"
    generate = ("generate", "-w", generator_weights, "--seeds", "3")
    assert sfe(*generate, "--codes-name", name, "-o", tmp_path) == 0
    arguments = ("--ws", tmp_path / name, "-o", tmp_path / "again")
    assert sfe("generate", "-w", generator_weights, *arguments) == 0
    found = pixels(tmp_path / "again" / "code0000.png")
    assert (found == pixels(tmp_path / "seed0003.png")).all()


def test_saved_codes_are_truncated_too(generator_weights, generated, network, tmp_path):
    arguments = ("--ws", generated / "ws.npy", "--psi", 0, "-o", tmp_path)
    assert sfe("generate", "-w", generator_weights, *arguments) == 0
    average = network.variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_allclose(np.load(tmp_path / "ws.npy")[4, 2], average, atol=1e-6)


def test_codes_are_not_saved_under_another_suffix(capsys, generator_weights, tmp_path):
    arguments = ("--codes-name", "ws.txt", "-o", tmp_path)
    assert "ws.txt" in refused(capsys, "generate", "-w", generator_weights, *arguments)


def test_saved_codes_give_the_same_pictures(generator_weights, generated, tmp_path):
    saved = generated / "ws.npy"
    assert sfe("generate", "-w", generator_weights, "--ws", saved, "-o", tmp_path) == 0
    found = pixels(tmp_path / "code0004.png").astype(int)
    assert np.abs(found - pixels(generated / "seed0011.png")).max() <= 1


def test_codes_of_another_shape_are_refused(capsys, generator_weights, tmp_path):
    np.save(tmp_path / "codes.npy", np.ones((6, 4), np.float32))
    arguments = ("--ws", tmp_path / "codes.npy", "-o", tmp_path / "out")
    assert "codes.npy" in refused(capsys, "generate", "-w", generator_weights, *arguments)


def test_codes_are_refused_when_the_file_is_missing(capsys, generator_weights, tmp_path):
    arguments = ("--ws", tmp_path / "gone.npy", "-o", tmp_path)
    assert "gone.npy" in refused(capsys, "generate", "-w", generator_weights, *arguments)


# Classes.


def test_classes_differ(conditional_weights, tmp_path):
    first, second = (
        generate_codes(conditional_weights, tmp_path / str(index), "--class", index)
        for index in (0, 2)
    )
    assert np.abs(first - second).max() > 1e-3


def test_a_class_is_asked_for_when_the_generator_has_some(capsys, conditional_weights, tmp_path):
    message = refused(capsys, "generate", "-w", conditional_weights, "-o", tmp_path)
    assert "--class is None; this generator has 3 classes: choose 0 to 2" in message


@pytest.mark.parametrize("index", [3, -1])
def test_an_unknown_class_is_refused(capsys, conditional_weights, tmp_path, index):
    arguments = (f"--class={index}", "-o", tmp_path)
    message = refused(capsys, "generate", "-w", conditional_weights, *arguments)
    assert f"--class is {index}; this generator has 3 classes" in message


def test_a_class_is_refused_of_a_generator_without_classes(capsys, generator_weights, tmp_path):
    arguments = ("--class", 0, "-o", tmp_path)
    assert "--class" in refused(capsys, "generate", "-w", generator_weights, *arguments)


@pytest.mark.parametrize("arguments", [("--batch", 0), ("--seeds", "x"), ("--psi", "nan")])
def test_an_unusable_option_is_refused(capsys, generator_weights, tmp_path, arguments):
    refused(capsys, "generate", "-w", generator_weights, *arguments, "-o", tmp_path)


def test_a_bundle_without_a_generator_is_refused(capsys, small_bundle, tmp_path):
    path = tmp_path / "arcface.safetensors"
    save_bundle(path, Bundle({"arcface": small_bundle.networks["arcface"]}))
    message = refused(capsys, "generate", "-w", path, "-o", tmp_path)
    assert "arcface.safetensors: no 'generator' in this bundle; it holds arcface" in message


def test_the_bundled_generator_is_the_default(generator_weights, generated, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "faces64", lambda: generator_weights)
    assert sfe("generate", "--seeds", "3", "-o", tmp_path) == 0
    found = pixels(tmp_path / "seed0003.png")
    assert (found == pixels(generated / "seed0003.png")).all()


def test_an_average_that_is_not_in_the_file_is_said_to_be_estimated(
    capsys, network, codes_of, tmp_path
):
    buffers = {**network.variables["buffers"], "mapping": {"w_avg": np.zeros(5, np.float32)}}
    path = tmp_path / "untracked.safetensors"
    variables = {**network.variables, "buffers": buffers}
    save_bundle(path, Bundle({"generator": Network(network.module, variables)}))
    ws = generate_codes(path, tmp_path, "--psi", 0)
    assert "has no average code; it is estimated" in capsys.readouterr().err
    assert np.abs(ws - codes_of(3)[0]).max() > 0.1
    assert np.abs(ws).max() > 0.01
