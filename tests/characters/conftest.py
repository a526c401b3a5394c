import pytest

from tests.characters.recipes import save_tiny


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with a tiny bundle and a stored code."""
    path = tmp_path_factory.mktemp("recipes")
    save_tiny(path)
    return path
