"""Archives made to harm: refused as a whole, or picture by picture."""

import struct
import warnings
import zipfile

import pytest

from sfe_jax.core.errors import FileFormatError, ImageError
from sfe_jax.data.zips import ZipSource
from tests.data.pictures import flat, flat_files, png, write_zip

PICTURE = png(flat(7))


def patched(path, signature, offset, form, value):
    """Overwrites a field of the last record with `signature`."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.rindex(signature) + offset, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "a//b.png", "a/./b.png", "a\\b.png", "\a.png"]
)
def test_unsafe_name_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "a.zip", {"000.png": PICTURE, name: PICTURE})
    with pytest.raises(FileFormatError, match=r"a\.zip: has a member .* unsafe path"):
        ZipSource(path)


def test_repeated_name_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.png", PICTURE)
        archive.writestr("a.png", png(flat(8)))
    with pytest.raises(FileFormatError, match="two members"):
        ZipSource(path)


@pytest.mark.parametrize("content", [b"", b"PK\5\6", PICTURE, b"PK\3\4" + bytes(60)])
def test_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.zip: cannot be read"):
        ZipSource(tmp_path / "a.zip")


def test_truncated_archive_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", flat_files(3))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match=r"a\.zip: cannot be read"):
        ZipSource(path)


def test_directory_of_nonsense_is_refused(tmp_path):
    path = patched(write_zip(tmp_path / "a.zip", flat_files(3)), b"PK\5\6", 12, "<I", 2**31)
    with pytest.raises(FileFormatError, match=r"a\.zip: cannot be read"):
        ZipSource(path)


def test_deflated_archive_is_read(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PICTURE}, method=zipfile.ZIP_DEFLATED)
    assert ZipSource(path)[0]["image"].max() == 7


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_method_whose_memory_is_unbounded_is_refused(tmp_path, method):
    source = ZipSource(write_zip(tmp_path / "a.zip", {"a.png": PICTURE}, method=method))
    with pytest.raises(ImageError, match=r"a\.png: .* neither stored nor deflated"):
        source[0]


def test_member_that_claims_gigabytes_is_refused_unread(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PICTURE})
    source = ZipSource(patched(path, b"PK\1\2", 24, "<I", 3 * 10**9))
    with pytest.raises(ImageError, match=r"a\.png: .* has 3000000000 bytes, at most"):
        source[0]


def test_member_that_unpacks_to_more_than_it_claims_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    write_zip(path, {"a.png": bytes(10**6)}, method=zipfile.ZIP_DEFLATED)
    source = ZipSource(patched(path, b"PK\1\2", 24, "<I", 100))
    with pytest.raises(ImageError, match=r"a\.png: cannot be read"):
        source[0]


def test_labels_that_unpack_to_gigabytes_are_refused(tmp_path):
    files = {"a.png": PICTURE, "dataset.json": b"{}"}
    path = patched(write_zip(tmp_path / "a.zip", files), b"PK\1\2", 24, "<I", 10**9)
    with pytest.raises(FileFormatError, match=r"dataset\.json: .* has 1000000000 bytes"):
        ZipSource(path)


def test_changed_bytes_are_found(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PICTURE})
    content = bytearray(path.read_bytes())
    content[content.index(PICTURE) + len(PICTURE) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: cannot be read \(Bad CRC"):
        ZipSource(path)[0]


def test_encrypted_member_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PICTURE})
    patched(path, b"PK\1\2", 8, "<H", 1)
    with pytest.raises(ImageError, match=r"a\.png: cannot be read .*encrypted"):
        ZipSource(patched(path, b"PK\3\4", 6, "<H", 1))[0]


def test_picture_that_claims_too_many_pixels_is_refused(tmp_path):
    source = ZipSource(write_zip(tmp_path / "a.zip", {"a.ppm": b"P6 60000 60000 255\n123"}))
    with pytest.raises(ImageError, match=r"a\.ppm: has too many pixels"):
        source[0]
