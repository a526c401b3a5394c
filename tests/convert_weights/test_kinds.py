import pytest

from convert_weights.kinds.table import by_name, detect
from sfe_jax.core.errors import WeightsError
from sfe_jax.readers import Record, read
from tests.convert_weights.official import state_of

CASES = {
    "psp.pt": "psp",
    "psp w.pt": "psp",
    "psp w plus.pt": "psp",
    "e4e.pt": "e4e",
    "rosinality.pt": "rosinality",
    "sfe_editor.pt": "sfe-editor",
    "sfe_inverter.pt": "sfe-inverter",
    "arcface.pth": "arcface",
    "CurricularFace_Backbone.pth": "curricular-face",
    "iresnet50.pth": "iresnet",
    "pt_inception.pth": "fid-inception",
    "moco.pth.tar": "moco",
    "stylegan2.pkl": "stylegan2-ada",
}

STATES = {
    "ada": "stylegan2-ada-generator",
    "ada orig": "stylegan2-ada-generator",
    "ada discriminator": "stylegan2-ada-discriminator",
    "rosinality": "rosinality-generator",
    "rosinality discriminator": "rosinality-discriminator",
    "arcface": "arcface",
    "curricular face": "curricular-face",
    "iresnet": "iresnet",
    "fid inception": "fid-inception",
    "mtcnn pnet": "mtcnn",
    "mtcnn rnet": "mtcnn",
    "mtcnn onet": "mtcnn",
}


@pytest.mark.parametrize("name", CASES)
def test_kind_is_detected_of_every_official_file(official_folder, name):
    assert detect(read(official_folder / name), name).name == CASES[name]


@pytest.mark.parametrize("name", STATES)
def test_kind_is_detected_of_a_bare_state_dict(name):
    assert detect(state_of(name), name).name == STATES[name]


def test_kind_of_e4e_is_detected_when_its_options_are_a_namespace():
    options = Record("argparse", "Namespace", {"encoder_type": "Encoder4Editing"})
    content = {"state_dict": state_of("e4e", "encoder."), "opts": options}
    assert detect(content, "e4e.pt").name == "e4e"


@pytest.mark.parametrize("options", [{}, {"encoder_type": "Unheard"}, None])
def test_detection_asks_for_the_kind_when_an_encoder_may_be_of_psp_or_e4e(options):
    content = {"state_dict": state_of("e4e", "encoder."), "opts": options}
    with pytest.raises(WeightsError, match=r"encoder\.pt.*--kind psp or --kind e4e"):
        detect(content, "encoder.pt")


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match=r"pspp.*psp.*arcface"):
        by_name("pspp")
