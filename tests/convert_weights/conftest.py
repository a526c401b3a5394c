"""Small official files, written once for all tests of conversion."""

import pytest

from tests.convert_weights.official import files


@pytest.fixture(scope="session")
def official_folder(tmp_path_factory):
    """A folder with one small official file of every kind."""
    folder = tmp_path_factory.mktemp("official")
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder
