"""What users type for seeds, files and rows."""

import pathlib

import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.latents.parsing import parse_rows, parse_seeds, parse_sources


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("0-3", [0, 1, 2, 3]), ("5,1-2", [5, 1, 2]), (" 3 , 4 ", [3, 4])],
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1.5", "0-99999999", "4294967296", "1,,2"])
def test_seeds_are_refused_otherwise(text):
    with pytest.raises(OptionError, match="--seeds"):
        parse_seeds(text)


def test_a_seed_that_numpy_does_not_take_is_refused_as_such():
    with pytest.raises(OptionError, match="has '4294967296'; seeds are below 4294967296"):
        parse_seeds("4294967296")


def test_sources_are_seeds_and_files_in_order():
    path = pathlib.Path("out/faces.NPY")
    assert parse_sources("3, out/faces.NPY,0-1", option="--bases") == [3, path, 0, 1]


def test_a_source_that_is_neither_is_named():
    with pytest.raises(OptionError, match=r"--bases has 'face\.png'; .*\.npy, \.npz, \.pt"):
        parse_sources("1,face.png", option="--bases")


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0-2,4=0.5", [1, 1, 1, 0, 0.5, 0]),
        ("5", [0, 0, 0, 0, 0, 1]),
        ("4-5 = -1.5, 0", [1, 0, 0, 0, -1.5, -1.5]),
    ],
)
def test_rows_have_weights(text, weights):
    np.testing.assert_array_equal(parse_rows(text, 6), np.float32(weights))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6", r"--rows has '6'; this generator has rows 0 to 5"),
        ("0,2-6", r"--rows has '2-6'; this generator has rows 0 to 5"),
        ("3-1", "a range goes up"),
        ("", "--rows has ''; write rows such as"),
        ("0=x", "--rows has '0=x'"),
        ("0=inf", "--rows has '0=inf'"),
        ("-1", "--rows has '-1'"),
        ("0-3,3", "names a row twice"),
    ],
)
def test_rows_are_refused_otherwise(text, message):
    with pytest.raises(OptionError, match=message):
        parse_rows(text, 6)
