import numpy as np
import pytest

from sfe_jax import readers
from sfe_jax.core.errors import EditError, FileFormatError
from sfe_jax.edits.direction import Mapper
from sfe_jax.edits.files import (
    FILES,
    load_directions,
    mapper_arrays,
    own_direction,
    read_ganspace,
    read_vector,
)
from tests.edits.mapper_files import official


@pytest.fixture
def contents(monkeypatch):
    """File name -> what the reader finds in it."""
    known = {}
    monkeypatch.setattr(readers, "read", lambda path: known[str(path).rpartition("/")[2]])
    return known


def _components(count=3, size=4):
    return {
        "mean": np.zeros((1, size), np.float32),
        "comp": np.ones((count, 1, size), np.float32),
        "std": np.ones(count, np.float32),
    }


def test_vector_is_read_as_float32(contents):
    contents["a.pt"] = np.ones((1, 4), np.float64)
    assert read_vector("a.pt").dtype == np.float32


@pytest.mark.parametrize("value", [{"a": 1}, None, np.array(["x"]), np.zeros((0, 4))])
def test_vector_is_refused_for_no_array_of_numbers(contents, value):
    contents["a.pt"] = value
    with pytest.raises(FileFormatError, match=r"a\.pt is no array of numbers"):
        read_vector("a.pt")


def test_vector_is_refused_for_numbers_that_are_not_finite(contents):
    contents["a.pt"] = np.array([1.0, np.nan])
    with pytest.raises(FileFormatError, match=r"a\.pt has numbers that are not finite"):
        read_vector("a.pt")


def test_ganspace_loses_its_middle_axis(contents):
    contents["a.pt"] = _components()
    shapes = {name: array.shape for name, array in read_ganspace("a.pt").items()}
    assert shapes == {"mean": (4,), "components": (3, 4), "std": (3,)}


def test_ganspace_is_refused_without_its_keys(contents):
    contents["a.pt"] = {"mean": np.zeros(4)}
    with pytest.raises(FileFormatError, match=r"a\.pt is no GANSpace file"):
        read_ganspace("a.pt")


def test_ganspace_is_refused_for_sizes_that_disagree(contents):
    contents["a.pt"] = _components() | {"std": np.ones(2)}
    with pytest.raises(FileFormatError, match=r"a\.pt has mean \(1, 4\), comp \(3, 1, 4\)"):
        read_ganspace("a.pt")


def test_mapper_has_an_array_of_four_layers_for_each_part_of_a_level():
    content = official(("course", "medium"))
    arrays = mapper_arrays(content, "a.pt")
    shapes = {"weight": (4, 8, 8), "bias": (4, 8)}
    assert {name: array.shape for name, array in arrays.items()} == {
        f"{level}_{part}": shape for level in ("coarse", "medium") for part, shape in shapes.items()
    }
    third = content["state_dict"]["mapper.course_mapping.mapping.3.bias"]
    np.testing.assert_array_equal(arrays["coarse_bias"][2], third)


@pytest.mark.parametrize("content", [None, {}, {"state_dict": {"encoder.a": 1}}, {1: 2}])
def test_mapper_is_refused_for_another_file(content):
    with pytest.raises(FileFormatError, match=r"^a\.pt is no latent mapper of StyleCLIP"):
        mapper_arrays(content, "a.pt")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mapper.fine_mapping.mapping.2.bias", None),
        ("mapper.fine_mapping.mapping.5.bias", np.zeros(8)),
        ("mapper.mapping.mapping.1.bias", np.zeros(8)),  # Of a mapper without levels.
    ],
)
def test_mapper_is_refused_for_a_layer_missing_or_too_many(key, value):
    content = official()
    content["state_dict"][key] = value
    if value is None:
        del content["state_dict"][key]
    with pytest.raises(FileFormatError, match=rf"{key} is missing or too many; required are"):
        mapper_arrays(content, "a.pt")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.full((8, 8), np.nan), "`mapper.course_mapping.mapping.2.weight` in a.pt has numbers"),
        (np.ones((8, 4)), "layers of different shapes from mapper.course_mapping.mapping.1.weight"),
    ],
)
def test_mapper_is_refused_for_a_broken_layer(value, words):
    content = official()
    content["state_dict"]["mapper.course_mapping.mapping.2.weight"] = value
    with pytest.raises(FileFormatError, match=words):
        mapper_arrays(content, "a.pt")


def test_mapper_of_ones_own_moves_the_levels_of_its_file(contents):
    contents["beard.pt"] = official(("course", "fine"))
    direction, arrays = own_direction("beard.pt")
    assert direction.rule == Mapper("own/beard", ("coarse", "fine"))
    assert arrays.keys() == {
        f"own/beard/{level}_{part}" for level in ("coarse", "fine") for part in ("weight", "bias")
    }


def test_folder_gives_stable_names_at_either_level(contents, tmp_path):
    contents |= {"age.pt": np.ones((1, 4)), "ffhq_pca.pt": _components(), "other.pt": None}
    contents["afro.pt"] = official(("course",))
    (tmp_path / "ganspace_pca").mkdir()
    for name in ("age.pt", "ganspace_pca/ffhq_pca.pt", "other.pt", "afro.pt"):
        (tmp_path / name).touch()
    assert set(load_directions(tmp_path)) == {
        "interfacegan/age",
        "ganspace/ffhq/mean",
        "ganspace/ffhq/components",
        "ganspace/ffhq/std",
        "mapper/afro/coarse_weight",
        "mapper/afro/coarse_bias",
    }


def test_folder_is_refused_without_a_known_file(tmp_path):
    with pytest.raises(EditError, match=r"holds no direction file; .* age\.pt, smile\.pt"):
        load_directions(tmp_path)


def test_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(EditError, match="absent: does not exist; give a folder, or a file"):
        load_directions(tmp_path / "absent")


def test_folder_is_refused_with_a_file_twice(tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "age.pt").touch()
    (tmp_path / "copy" / "age.pt").touch()
    with pytest.raises(EditError, match=r"age\.pt is there more than once"):
        load_directions(tmp_path)


def test_own_direction_reads_its_array_from_a_npy_file(tmp_path):
    np.save(tmp_path / "beard.npy", np.arange(4, dtype=np.float32))
    direction, arrays = own_direction(tmp_path / "beard.npy")
    np.testing.assert_array_equal(arrays[direction.rule.array], [0, 1, 2, 3])


def test_own_direction_has_factor_1(contents):
    contents["beard.pt"] = np.ones(4)
    assert own_direction("beard.pt")[0].rule.factor == 1.0


@pytest.fixture
def published(data_folder):
    """Arrays of the published files."""
    return load_directions(data_folder / "directions")


def test_published_arrays_have_the_documented_shapes(published):
    shapes = {f"interfacegan/{name}": (1, 512) for name in ("age", "smile", "rotation")}
    for domain in ("ffhq", "cars", "church"):
        shapes |= {
            f"ganspace/{domain}/mean": (512,),
            f"ganspace/{domain}/components": (80, 512),
            f"ganspace/{domain}/std": (80,),
        }
    present = {name: value.shape for name, value in published.items() if "boundary" not in name}
    assert present == shapes


@pytest.mark.parametrize("name", ["age", "smile", "rotation"])
def test_published_interfacegan_vectors_have_unit_norm(published, name):
    np.testing.assert_allclose(np.linalg.norm(published[f"interfacegan/{name}"]), 1, rtol=1e-5)


@pytest.mark.parametrize("domain", ["ffhq", "cars", "church"])
def test_published_components_have_unit_norm(published, domain):
    norms = np.linalg.norm(published[f"ganspace/{domain}/components"], axis=1)
    np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_every_known_file_has_one_name():
    assert len(set(FILES.values())) == len(FILES)
