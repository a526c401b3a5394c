import json

import pytest

from sfe_jax.metrics.results import Result


def result(**changes):
    given = {
        "metric": "FID",
        "value": 3.5,
        "count": 10_000,
        "dtype": "float32",
        "seconds": 1.5,
        "weights": "ab",
        "network": "cd",
        "resize": "bilinear 299",
        "enough": 10_000,
    }
    return Result(**{**given, **changes})


def test_enough_pictures_need_no_warning():
    assert result(target_count=10_000).warning == ""


@pytest.mark.parametrize("changes", [{"count": 9_999}, {"target_count": 9_999}])
def test_too_few_pictures_on_either_side_are_said(changes):
    assert result(**changes).warning.startswith("FID of 9999 pictures depends on their number")


def test_record_is_json_with_the_warning():
    record = json.loads(json.dumps(result(count=12).record()))
    assert (record["value"], record["count"], record["network"]) == (3.5, 12, "cd")
    assert "10000 or more" in record["warning"]
