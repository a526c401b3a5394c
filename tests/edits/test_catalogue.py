import subprocess
import sys

import pytest

from sfe_jax.core.errors import EditError
from sfe_jax.edits.catalogue import (
    CARS,
    CONVOLUTION_OF_STYLE,
    FACES,
    FITTED_HEADER,
    HEADER,
    convolution_name,
    find,
    fitted_table,
    style_name,
    table,
)
from sfe_jax.edits.direction import Direction, GanSpace, Linear, Mapper, StyleSpace
from sfe_jax.edits.files import FILES
from sfe_jax.models.layer_table import FFHQ_CHANNELS, num_ws, synthesis_layers

# By hand: the 26 styles of StyleGAN2 run conv, rgb, then conv, conv, rgb in each block.
STYLE_NAMES = (
    "b4.conv1", "b8.conv0",  # 1 is the ToRGB of b4.
    "b8.conv0", "b8.conv1", "b8.conv1",
    "b16.conv0", "b16.conv1", "b16.conv1",
    "b32.conv0", "b32.conv1", "b32.conv1",
    "b64.conv0", "b64.conv1", "b64.conv1",
    "b128.conv0", "b128.conv1", "b128.conv1",
    "b256.conv0", "b256.conv1", "b256.conv1",
    "b512.conv0", "b512.conv1", "b512.conv1",
    "b1024.conv0", "b1024.conv1", "b1024.conv1",
)  # fmt: skip

FACE_CHANNELS = {
    "black hair": (("b64.conv1", 479),),
    "blond hair": (("b64.conv1", 479), ("b64.conv1", 266)),
    "grey hair": (("b64.conv0", 286),),
    "wavy hair": (
        ("b16.conv1", 500), ("b32.conv0", 128), ("b16.conv0", 92), ("b16.conv1", 394),
        ("b16.conv1", 323),
    ),
    "bangs": (
        ("b8.conv1", 259), ("b16.conv1", 285), ("b16.conv0", 414), ("b16.conv1", 128),
        ("b32.conv1", 295), ("b16.conv1", 322), ("b16.conv1", 487), ("b16.conv1", 504),
    ),
    "receding hairline": (
        ("b16.conv0", 414), ("b16.conv1", 322), ("b16.conv1", 497), ("b16.conv1", 504),
    ),
    "smiling": (("b16.conv1", 501),),
    "sslipstick": (("b128.conv1", 45),),
    "sideburns": (("b64.conv1", 237),),
    "goatee": (("b32.conv1", 421),),
    "earrings": (("b32.conv0", 81),),
    "glasses": (("b8.conv1", 288), ("b8.conv0", 175), ("b8.conv1", 120), ("b8.conv0", 97)),
    "wear suit": (
        ("b32.conv1", 441), ("b32.conv0", 292), ("b64.conv0", 358), ("b16.conv1", 223),
    ),
    "gender": (("b32.conv1", 6),),
}  # fmt: skip

CAR_CHANNELS = {
    "front": (("b32.conv0", 411),),
    "headlights": (("b32.conv0", 441), ("b32.conv1", 355)),
    "grill": (("b32.conv1", 191),),
    "trees": (("b32.conv1", 108),),
    "grass_ss": (("b64.conv1", 107),),
    "sky": (("b64.conv1", 76),),
    "hubcap": (("b64.conv1", 113), ("b64.conv1", 439)),
    "car color": (("b64.conv1", 142), ("b128.conv1", 227)),
    "logo": (("b32.conv1", 185),),
    "wheel angle": (("b32.conv0", 420),),
}

FACE_COMPONENTS = {
    "eye_openness": (54, 7, 8),
    "trimmed_beard": (58, 7, 9),
    "lipstick": (34, 10, 11),
    "face_roundness": (37, 0, 5),
    "nose_length": (51, 4, 5),
    "eyebrow_thickness": (37, 8, 9),
    "head_angle_up": (11, 1, 4),
    "displeased": (36, 4, 7),
}

CAR_COMPONENTS = {
    "pose_1": (0, 0, 5),
    "pose_2": (0, 0, 5),
    "cube": (16, 3, 6),
    "color": (22, 9, 11),
    "grass": (41, 9, 11),
}

RANGES = {
    "age": (-10, 10), "smile": (-5, 5), "rotation": (-7, 7),
    "fs_glasses": (-20, 30), "fs_smiling": (-10, 10), "fs_makeup": (-10, 15),
    "eye_openness": (-30, 45), "trimmed_beard": (-30, 30), "lipstick": (-30, 30),
    "face_roundness": (-20, 15), "nose_length": (-30, 30), "eyebrow_thickness": (-20, 20),
    "displeased": (-10, 10), "black hair": (-7, 10), "blond hair": (-10, 7), "grey hair": (-7, 7),
    "wavy hair": (-7, 7), "receding hairline": (-10, 10), "smiling": (-10, 10),
    "sideburns": (-7, 7), "goatee": (-7, 7), "earrings": (0, 15), "glasses": (-10, 10),
    "gender": (-10, 7), "afro": (0, 0.14), "angry": (0, 0.14), "bobcut": (0, 0.18),
    "bowlcut": (0, 0.14), "curly_hair": (0, 0.12), "mohawk": (0, 0.1), "surprised": (0, 0.1),
    "purple_hair": (0, 0.12), "beyonce": (0, 0.12), "depp": (0, 0.12), "hilary_clinton": (0, 0.1),
    "taylor_swift": (0, 0.1), "trump": (0, 0.1), "zuckerberg": (0, 0.1),
}  # fmt: skip


def _stylespace_rows(directions):
    return {d.name: d.rule.channels for d in directions if isinstance(d.rule, StyleSpace)}


def _ganspace_rows(directions, array):
    return {
        d.name: (d.rule.component, d.rule.start, d.rule.end)
        for d in directions
        if isinstance(d.rule, GanSpace) and d.rule.array == array
    }


def test_style_number_names_its_convolution_for_all_26():
    assert tuple(style_name(number) for number in range(26)) == STYLE_NAMES


def test_convolution_names_are_the_layer_table_at_1024():
    convolutions = [layer for layer in synthesis_layers(FFHQ_CHANNELS) if layer.kind == "conv"]
    assert [convolution_name(n) for n in range(17)] == [layer.name for layer in convolutions]


def test_convolution_styles_keep_their_own_layer_at_1024():
    layers = synthesis_layers(FFHQ_CHANNELS)
    own = {n: layer.name for n, layer in enumerate(layers) if layer.kind == "conv"}
    assert {n: style_name(n) for n in own} == own


def test_map_is_the_published_list():
    published = "0 1 1 2 2 3 4 4 5 6 6 7 8 8 9 10 10 11 12 12 13 14 14 15 16 16"
    assert tuple(int(number) for number in published.split()) == CONVOLUTION_OF_STYLE


def test_stylespace_rows_are_the_published_channels_for_faces():
    assert _stylespace_rows(FACES) == FACE_CHANNELS


def test_stylespace_rows_are_the_published_channels_for_cars():
    assert _stylespace_rows(CARS) == CAR_CHANNELS


def test_ganspace_rows_are_the_published_components_for_faces():
    assert _ganspace_rows(FACES, "ganspace/ffhq") == FACE_COMPONENTS


def test_ganspace_rows_are_the_published_components_for_cars():
    assert _ganspace_rows(CARS, "ganspace/cars") == CAR_COMPONENTS


def test_linear_rows_have_the_published_factors():
    rows = {d.name: (d.rule.array, d.rule.factor) for d in FACES if isinstance(d.rule, Linear)}
    assert rows == {
        "age": ("interfacegan/age", 0.5),
        "smile": ("interfacegan/smile", 0.5),
        "rotation": ("interfacegan/rotation", 0.5),
        "fs_glasses": ("boundary/eyeglasses", 1.0),
        "fs_smiling": ("boundary/smiling", 1.0),
        "fs_makeup": ("boundary/heavy_makeup", 1.0),
    }


def test_mappers_that_spare_the_fine_rows_are_the_published_ones():
    mappers = {d.name: d.rule.levels for d in FACES if isinstance(d.rule, Mapper)}
    spare = {name for name, levels in mappers.items() if levels == ("coarse", "medium")}
    assert spare == {"afro", "angry", "bobcut", "bowlcut", "curly_hair", "mohawk", "surprised"}
    assert {mappers[name] for name in mappers.keys() - spare} == {("coarse", "medium", "fine")}


def test_mappers_read_the_published_files():
    arrays = {d.name: d.rule.array for d in FACES if isinstance(d.rule, Mapper)}
    assert len(arrays) == 14
    assert {name: FILES[array] for name, array in arrays.items()} == {
        name: f"{name}.pt" for name in arrays
    }


def test_ranges_are_the_documented_ones():
    ranges = {d.name: (d.low, d.high) for d in (*FACES, *CARS) if d.low is not None}
    assert ranges == RANGES


@pytest.mark.parametrize("directions", [FACES, CARS], ids=["faces", "cars"])
def test_names_are_unique(directions):
    assert len({direction.name for direction in directions}) == len(directions)


@pytest.mark.parametrize(
    ("directions", "channels"), [(FACES, FFHQ_CHANNELS), (CARS, FFHQ_CHANNELS[:-1])]
)
def test_channels_exist_in_the_generator_of_the_domain(directions, channels):
    sizes = {layer.name: layer.in_channels for layer in synthesis_layers(channels)}
    rows = _stylespace_rows(directions).values()
    assert all(channel < sizes[layer] for row in rows for layer, channel in row)


@pytest.mark.parametrize(("directions", "resolution"), [(FACES, 1024), (CARS, 512)])
def test_rows_exist_in_the_generator_of_the_domain(directions, resolution):
    ends = [d.rule.end for d in directions if isinstance(d.rule, GanSpace)]
    assert max(ends) <= num_ws(resolution)


def test_find_returns_the_direction_of_a_name():
    assert find("blond hair", FACES).name == "blond hair"


def test_find_lists_the_nearest_names_for_a_slip():
    with pytest.raises(EditError, match="`blondhair` is unknown; nearest: blond hair"):
        find("blondhair", FACES)


def test_find_has_no_nearest_names_for_another_word():
    with pytest.raises(EditError, match="`qqqq` is unknown; `sfe directions` lists"):
        find("qqqq", FACES)


def test_table_has_a_cell_under_every_head():
    assert {len(row) for row in table((*FACES, *CARS))} == {len(HEADER)}


def test_table_tells_range_and_meaning():
    assert table([find("blond hair", FACES)]) == [
        ("blond hair", "StyleSpace", "S", "b64.conv1", "-10 to 7", "adds 3 to each style channel",
         "darkens the hair: negative is blond"),
    ]  # fmt: skip


def test_table_says_so_where_nothing_is_documented():
    own = Direction("own", "own file", Linear("own/own", 1.0), None, None, "", "own.npy")
    assert table([own])[0][4::2] == ("not documented", "not documented")


def test_table_of_fitted_directions_tells_range_and_source():
    own = Direction("own", "SeFa", Linear("fitted/own", 1.0), -1.0, 2.0, "", "fitted on 9 codes")
    assert [dict(zip(FITTED_HEADER, row, strict=True)) for row in fitted_table([own])] == [
        {
            "name": "own",
            "method": "SeFa",
            "range": "-1 to 2",
            "positive strength": "not documented",
            "source": "fitted on 9 codes",
        }
    ]


def test_catalogue_is_imported_without_jax():
    program = (
        "import sys, sfe_jax.edits.catalogue, sfe_jax.edits.parsing, sfe_jax.edits.files;"
        "sys.exit('jax' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", program], check=False)
    assert finished.returncode == 0


@pytest.mark.parametrize("name", ["styleclip_global_a face_a happy face_0.1", "deltaedit_a_b_0.03"])
def test_an_edit_of_sfe_that_is_not_here_is_called_so(name):
    with pytest.raises(EditError, match=f"`{name}` is one of SFE's .* not supported"):
        find(name, FACES)
