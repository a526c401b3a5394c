import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import EditError, OptionError, WeightsError
from sfe_jax.data.faces import ATTRIBUTES, sample_faces, with_attribute
from sfe_jax.evaluation.drawn_faces.comparing import take_rows
from sfe_jax.evaluation.drawn_faces.moves import Move, OwnFaces, measure_curve, own_faces
from sfe_jax.evaluation.drawn_faces.table import (
    CASES,
    EditCase,
    FacesOptions,
    attribute_ranges,
    draw_faces,
    evaluate_faces,
    plan_edit,
    prepare_course,
    summarise_changes,
)
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import random_variables
from tests.evaluation.stubs import EYES, SIZE, Eyes, direction

DRAWN = {"resolution": SIZE, "batch_size": 8}


@pytest.fixture(scope="module")
def people():
    return jax.device_get(sample_faces(jax.random.key(0), 40))


# Options.


@pytest.mark.parametrize("name", ["count", "samples", "batch_size"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(OptionError, match=f"`{name}` is 0"):
        FacesOptions(**{name: 0})


@pytest.mark.parametrize("seed", [0, 1])
def test_seeds_of_training_are_refused(seed):
    with pytest.raises(OptionError, match=f"`seed` is {seed}, from which training's faces"):
        FacesOptions(seed=seed)


def test_every_case_is_an_attribute():
    assert {case.name for case in CASES} <= {row.name for row in ATTRIBUTES}


def test_an_unknown_attribute_is_refused():
    with pytest.raises(OptionError, match="attribute 'height' is unknown; known are smile"):
        attribute_ranges(["age", "height"])


# Changes.


def test_changes_are_in_units_of_ranges():
    """Smile and yaw go from -1 to 1, age from 0 to 1."""
    changes = np.array([[1.0, 0.5, -0.2], [1.0, 0.5, -0.4]])
    change, others = summarise_changes(changes, np.ones(2), ("smile", "age", "yaw"), "smile")
    assert change.mean == 0.5
    assert others == pytest.approx({"age": 0.5, "yaw": 0.15})


def test_a_change_to_the_side_asked_for_is_positive():
    changes = np.array([[0.2], [-0.2], [0.2]])
    change, _ = summarise_changes(changes, np.array([1, -1, -1]), ("age",), "age")
    assert change.mean == pytest.approx(0.2 / 3)


def test_changes_of_others_do_not_cancel():
    changes = np.array([[0.0, 0.3], [0.0, -0.3]])
    _, others = summarise_changes(changes, np.ones(2), ("age", "beard"), "age")
    assert others["beard"] == pytest.approx(0.3)


# True edits.


@pytest.fixture(scope="module")
def task(people):
    moves = (Move("age", 1.5, 0.25), Move("age", -1.0, -0.2))
    return plan_edit(people, moves, **DRAWN)


def test_every_face_with_room_is_edited_on_that_side(people, task):
    age = people.attributes.age
    up, down = np.flatnonzero(age <= 0.75), np.flatnonzero(age >= 0.2)
    np.testing.assert_array_equal(task.rows, np.concatenate([up, down]))
    np.testing.assert_array_equal(task.strength, np.repeat([1.5, -1.0], [len(up), len(down)]))
    np.testing.assert_array_equal(task.change, np.repeat([0.25, -0.2], [len(up), len(down)]))


def test_targets_are_the_faces_with_the_attribute_moved(people, task):
    rows = np.array([0, len(task.rows) - 1])
    chosen = take_rows(people, task.rows[rows])
    moved = with_attribute(chosen, "age", chosen.attributes.age + task.change[rows])
    np.testing.assert_allclose(draw_faces(moved, **DRAWN), task.targets[rows], atol=1e-5)


def test_targets_differ_from_the_faces(people, task):
    before = draw_faces(take_rows(people, task.rows), **DRAWN)
    assert (np.abs(task.targets - before).max(axis=(1, 2, 3)) > 0).all()


def test_pictures_do_not_depend_on_how_many_are_drawn_together(people):
    some = take_rows(people, np.arange(11))
    alone = draw_faces(take_rows(people, np.array([10])), **DRAWN)
    np.testing.assert_allclose(draw_faces(some, **DRAWN)[10:], alone, atol=1e-6)


def test_an_edit_that_no_face_can_take_is_refused(people):
    with pytest.raises(EditError, match=r"none of 40 faces can change age by \+1.5"):
        plan_edit(people, (Move("age", 1.0, 1.5),), **DRAWN)


# The whole, on a random generator with a stub of an encoder and of a judge.


class Encoder(nn.Module):
    """Codes that follow the mean colours of a picture."""

    input_size: int = SIZE

    def __call__(self, images):
        colours = jnp.mean(images, axis=(1, 2))
        return jnp.repeat(jnp.concatenate([colours, colours], axis=1)[:, None], 6, axis=1)


@pytest.fixture(scope="module")
def bundle():
    """A 16x16 generator whose direction `yaw` raises green."""
    module = Generator(channels=(8, 8, 8), z_dim=6, w_dim=6, mapping_layers=2)
    networks = {
        "generator": Network(module, random_variables(module, np.random.default_rng(0))),
        "features": EYES,
        "e4e": Network(Encoder(), {}),
    }
    own = own_faces(networks["generator"], EYES, jax.random.key(0), count=32, batch_size=8)
    slopes = np.linalg.lstsq(own.ws[:, 0], own.values[:, 1] - own.values[:, 1].mean())[0]
    vector = np.float32(slopes / np.linalg.norm(slopes))[None]
    return Bundle(networks, {"fitted/yaw": vector}, records=(direction("yaw", -1.0, 1.0),))


OPTIONS = FacesOptions(count=12, samples=32, batch_size=8, cases=(EditCase("yaw"),))


@pytest.fixture(scope="module")
def results(bundle):
    return evaluate_faces(bundle, OPTIONS)


def test_inversions_are_measured_on_both_splits(results):
    found = [(row.split, row.method, row.count) for row in results.inversions]
    assert found == [("plain", "e4e", 12), ("detailed", "e4e", 12)]


def test_edits_stand_between_the_face_and_the_truth(results):
    found = [(row.split, row.method) for row in results.edits]
    methods = ("unedited", "e4e", "truth")
    assert found == [(split, name) for split in OPTIONS.splits for name in methods]


def test_the_truth_has_no_error(results):
    truth = results.edits[2]
    figures = (truth.l2.mean, truth.change_l2.mean, truth.ms_ssim.mean, truth.identity.mean)
    assert figures == pytest.approx((0, 0, 1, 1), abs=1e-5)


def test_an_unedited_face_changes_nothing(results):
    unedited = results.edits[0]
    assert (unedited.change.mean, unedited.leak) == (0, 0)
    assert unedited.l2.mean > 0


def test_plain_and_detailed_faces_are_moved_alike(results):
    """They are the same people."""
    plain, detailed = results.edits[1], results.edits[4]
    assert (plain.count, plain.asked) == (detailed.count, detailed.asked)


def test_results_are_the_same_again(bundle, results):
    again = evaluate_faces(bundle, OPTIONS)
    assert (again.moves, again.edits) == (results.moves, results.edits)


def test_moves_change_the_generators_faces_as_stated(bundle, results):
    up = results.moves[0]
    key = jax.random.fold_in(jax.random.key(OPTIONS.seed), 1)
    generator = bundle.network("generator")
    own = own_faces(generator, EYES, key, count=OPTIONS.samples, batch_size=8)
    course = prepare_course(bundle, OPTIONS.cases[0], own, Eyes.attribute_names)
    inside = own.values[:, 1] + 0.5 <= 1
    ws = jnp.asarray(own.ws[inside])
    curve = measure_curve(own.score, ws, course.operands, [0.0, up.strength])[:, 1]
    assert curve[1] - curve[0] == pytest.approx(up.change, abs=1e-4)


def test_a_bundle_without_features_is_refused(bundle):
    networks = {"generator": bundle.networks["generator"]}
    with pytest.raises(WeightsError, match="no 'features' in this bundle"):
        evaluate_faces(dataclasses.replace(bundle, networks=networks), OPTIONS)


def test_a_bundle_without_a_method_is_refused(bundle):
    networks = {role: bundle.networks[role] for role in ("generator", "features")}
    with pytest.raises(WeightsError, match="no method can run with generator, features"):
        evaluate_faces(dataclasses.replace(bundle, networks=networks), OPTIONS)


OWN = OwnFaces(np.zeros((9, 6, 6), np.float32), np.zeros((9, 3), np.float32), lambda ws: ws)


def prepare(bundle, name, *records):
    found = dataclasses.replace(bundle, records=(*bundle.records, *records))
    return prepare_course(found, EditCase(name), OWN, Eyes.attribute_names)


def test_an_edit_without_direction_is_refused(bundle):
    with pytest.raises(EditError, match="edit `smile` is unknown"):
        prepare(bundle, "smile")


def test_an_edit_of_what_is_not_read_is_refused(bundle):
    with pytest.raises(OptionError, match="'age' is no attribute; the network reads smile, yaw"):
        prepare(bundle, "age", direction("age"))


def test_an_edit_with_an_empty_range_is_refused(bundle):
    with pytest.raises(EditError, match="`yaw` has an empty range"):
        prepare(bundle, "yaw", direction("yaw", 0.0, 0.0))
