from dataclasses import asdict

import pytest

from sfe_jax.augment.pipeline import PIPELINES, Pipeline, named_pipeline
from sfe_jax.core.errors import OptionError


def names(pipeline):
    return {name for name, multiplier in asdict(pipeline).items() if multiplier}


def test_unions_are_the_sums_of_their_letters():
    parts = {"b": "blit", "g": "geom", "c": "color", "f": "filter", "n": "noise"}
    whole = set().union(*(names(PIPELINES[part]) for part in parts.values()))
    assert names(PIPELINES["bgcfn"]) == whole


def test_largest_pipeline_has_every_transform():
    assert names(PIPELINES["bgcfnc"]) == set(asdict(Pipeline()))


def test_named_pipeline_raises_with_choices_for_unknown_name():
    with pytest.raises(OptionError, match="bgcfnc"):
        named_pipeline("bgx")


def test_pipeline_raises_for_multiplier_above_one():
    with pytest.raises(OptionError, match="xflip"):
        Pipeline(xflip=2.0)
