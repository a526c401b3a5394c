import json
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.training.recipe import (
    DataOptions,
    MeshOptions,
    Recipe,
    Schedule,
    check_recipe,
    check_same_run,
    describe,
    steps,
)


@dataclass
class Options:
    rate: float = 0.1
    learning_rate: float = 0.1
    kind: Literal["plain", "odd"] = "plain"
    edits: dict[str, float] = field(default_factory=dict)


@dataclass
class OtherOptions(Options):
    pass


def recipe(**fields):
    return Recipe(**{"name": "run", "method": Options(), **fields})


@pytest.mark.parametrize(
    ("images", "batch_size", "expected"),
    [(25_000_000, 32, 781_250), (100, 32, 3), (112, 32, 4), (1, 32, 1), (0, 32, 0)],
)
def test_images_become_steps_by_rounding_and_at_least_one(images, batch_size, expected):
    assert steps(images, batch_size) == expected


def test_description_names_the_method_and_holds_every_field():
    described = describe(recipe(data=DataOptions(resolution=64), weights=("a", "b")))
    assert described == json.loads(json.dumps(described))
    assert described["method"] == {
        "type": "Options", "rate": 0.1, "learning_rate": 0.1, "kind": "plain", "edits": {}
    }  # fmt: skip
    assert described["data"]["resolution"] == 64
    assert described["weights"] == ["a", "b"]


# Going on.


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"schedule": Schedule(total=50_000_000)},
        {"mesh": MeshOptions(model=2)},
        {"weights": ("elsewhere/generator.safetensors",)},
        {"keep": 5, "best": "evaluation/loss", "best_is": "max", "profile": 100},
        {"data": DataOptions(data_dir="elsewhere", threads=8)},
        {"seed": 1},
        {"method": Options(learning_rate=0.2)},
    ],
)
def test_run_goes_on_where_only_duration_place_seed_or_rate_change(changed):
    check_same_run(recipe(**changed), describe(recipe()), "folder")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 64}, "batch_size = 32, the recipe now says 64"),
        ({"precision": "bfloat16"}, "precision = float32, the recipe now says bfloat16"),
        ({"method": Options(rate=0.2)}, r"method\.rate = 0\.1, the recipe now says 0\.2"),
        ({"method": Options(edits={"smile": 1.0})}, r"method\.edits = \{\}, .* \{'smile': 1\.0\}"),
        ({"method": OtherOptions()}, "method = Options, the recipe now says OtherOptions"),
        ({"data": DataOptions(mirror=True)}, r"data\.mirror = False, the recipe now says True"),
        ({"evaluation_data": DataOptions()}, "evaluation_data = None, the recipe now says"),
    ],
)
def test_run_of_another_recipe_is_refused_with_the_field(changed, message):
    with pytest.raises(OptionError, match=f"^folder: was begun with {message}.*`workdir`"):
        check_same_run(recipe(**changed), describe(recipe()), "folder")


def test_field_that_a_run_did_not_know_yet_is_passed_over():
    saved = describe(recipe())
    del saved["data"]["mirror"]
    check_same_run(recipe(data=DataOptions(mirror=True)), saved, "folder")


# What a recipe alone can get wrong.


def test_recipe_of_defaults_is_accepted():
    check_recipe(recipe())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"precision": "float16"}, "`precision` is 'float16'; .* one of 'float32', 'bfloat16'"),
        ({"method": Options(kind="strange")}, r"`method\.kind` is 'strange'; .* 'plain', 'odd'"),
        ({"data": DataOptions(split="new")}, r"`data\.split` is 'new'; .* 'plain', 'detailed'"),
        ({"data": DataOptions(condition_channels=0)}, r"`data\.condition_channels` is 0"),
        ({"batch_size": 0}, "`batch_size` is 0; required is at least 1"),
        ({"keep": 0}, "`keep` is 0"),
        ({"schedule": Schedule(total=0)}, r"`schedule\.total` is 0"),
        ({"schedule": Schedule(log=0)}, r"`schedule\.log` is 0"),
    ],
)
def test_value_that_cannot_be_used_is_refused_with_its_field(changed, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        check_recipe(recipe(**changed))


@pytest.mark.parametrize("lacking", [{"evaluation_data": None}, {"schedule": Schedule(evaluate=0)}])
def test_best_of_nothing_evaluated_is_refused(lacking):
    whole = recipe(
        best="evaluation/loss",
        evaluation_data=DataOptions(),
        schedule=Schedule(evaluate=1_000),
    )
    check_recipe(whole)
    with pytest.raises(OptionError, match="`best` is 'evaluation/loss', but nothing is evaluated"):
        check_recipe(replace(whole, **lacking))


@pytest.mark.parametrize(
    "unseen", [DataOptions(), DataOptions(condition="maps", condition_channels=18)]
)
def test_conditions_to_measure_on_are_those_to_train_on(unseen):
    data = DataOptions(condition="maps", condition_channels=19)
    check_recipe(recipe(data=data, evaluation_data=data))
    with pytest.raises(OptionError, match=r"`evaluation_data` has conditions of .* `data` of 19"):
        check_recipe(recipe(data=data, evaluation_data=unseen))
