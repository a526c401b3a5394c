"""Pictures in and out: every odd file is built here with Pillow."""

import errno
import io
import os
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from sfe_jax.core import images
from sfe_jax.core.errors import ImageError, ShapeError

LEVELS = np.arange(256, dtype=np.uint8)


def picture(height: int = 24, width: int = 32, *, channels: int = 3) -> np.ndarray:
    """Random levels."""
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height: int = 64, width: int = 64) -> np.ndarray:
    """Ramps, which JPEG keeps."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x + 128], -1).astype(np.uint8)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def write(path: pathlib.Path, content: bytes) -> pathlib.Path:
    path.write_bytes(content)
    return path


def saved(path: pathlib.Path, image: Image.Image, **options: object) -> pathlib.Path:
    image.save(path, **options)
    return path


def png(width: int, height: int, *, depth: int, kind: int, rows: bytes = b"") -> bytes:
    """A PNG of any size, bits a channel and type of colours, whatever its rows are."""
    header = b"IHDR" + struct.pack(">2I5B", width, height, depth, kind, 0, 0, 0)
    data = b"IDAT" + zlib.compress(rows)
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def icc_profile(primaries: tuple[float, ...], *, gamma: float = 2.2) -> bytes:
    """A matrix profile, version 2, from xy chromaticities of white D50 and red, green, blue.

    Built by hand from the ICC.1 layout, since Pillow makes no wide-gamut profiles.
    """
    rgb = np.array(primaries).reshape(3, 2)
    columns = np.concatenate([rgb, 1 - rgb.sum(1, keepdims=True)], axis=1).T
    white = np.array([0.9642, 1.0, 0.8249])
    columns = columns * np.linalg.solve(columns, white)

    def xyz(value: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *np.round(value * 65536).astype(int))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    blocks = {b"desc": text + b"\0" * (-len(text) % 4), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    blocks |= {b"wtpt": xyz(white)}
    blocks |= {name: xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    blocks |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    offset, table = 128 + 4 + 12 * len(blocks), struct.pack(">I", len(blocks))
    for name, block in blocks.items():
        table += name + struct.pack(">2I", offset, len(block))
        offset += len(block)
    header = struct.pack(">I4xI", offset, 0x02400000) + b"mntrRGB XYZ " + b"\0" * 12 + b"acsp"
    header += b"\0" * 28 + struct.pack(">3i", *np.round(white * 65536).astype(int))
    return header.ljust(128, b"\0") + table + b"".join(blocks.values())


SRGB_D50 = (0.6484, 0.3309, 0.3212, 0.5979, 0.1559, 0.0660)
ADOBE_D50 = (0.6484, 0.3309, 0.2302, 0.7016, 0.1559, 0.0660)


# Levels and floats.


def test_to_float_is_affine_for_every_level():
    expected = LEVELS.astype(np.float64) / 127.5 - 1
    # Two roundings of float32 in [-1, 1].
    np.testing.assert_allclose(images.to_float(LEVELS), expected, rtol=0, atol=2.4e-7)


def test_to_float_rounds_as_torchvision_for_every_level():
    # torch: x.div(255) with x float32, then sub_(0.5).div_(0.5), each rounded to float32.
    steps = [np.float32(np.float32(level) / np.float32(255)) for level in range(256)]
    expected = [np.float32(np.float32(x - np.float32(0.5)) / np.float32(0.5)) for x in steps]
    np.testing.assert_array_equal(images.to_float(LEVELS), np.array(expected))


def test_to_float_returns_float32():
    assert images.to_float(LEVELS).dtype == np.float32


def test_to_float_raises_when_levels_are_not_uint8():
    with pytest.raises(ImageError, match=r"float64.*required is uint8"):
        images.to_float(np.zeros((2, 2, 3)))


def test_to_uint8_undoes_to_float_for_every_level():
    np.testing.assert_array_equal(images.to_uint8(images.to_float(LEVELS)), LEVELS)


@pytest.mark.parametrize(
    ("offset", "expected"), [(127.5, [0, 0, 127, 127, 255, 255]), (128, [0, 0, 128, 128, 255, 255])]
)
def test_to_uint8_clips_and_truncates(offset, expected):
    values = np.array([-3, -1, 0, 0.003, 1, 3], np.float32)
    np.testing.assert_array_equal(images.to_uint8(values, offset=offset), np.uint8(expected))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_to_uint8_raises_when_a_value_is_not_finite(value):
    with pytest.raises(ImageError, match=r"network produced non-finite values \(1 of 3\)"):
        images.to_uint8(np.array([0, value, 0], np.float32))


# Reading what is fine, though odd.


def test_load_image_keeps_pixels_of_rgb(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture()))
    np.testing.assert_array_equal(images.load_image(path), picture())


def test_load_image_takes_a_string(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture()))
    assert images.load_image(str(path)).shape == (24, 32, 3)


def test_load_image_returns_a_writeable_array(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture()))
    assert images.load_image(path).flags.writeable


def test_load_image_reads_by_content_when_the_suffix_lies(tmp_path):
    path = write(tmp_path / "a.jpg", encode(Image.fromarray(picture()), "PNG"))
    np.testing.assert_array_equal(images.load_image(path), picture())


@pytest.mark.parametrize("kind", ["BMP", "PPM", "TIFF", "WEBP"])
def test_load_image_keeps_pixels_of_lossless_formats(tmp_path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    path = write(tmp_path / "a", encode(Image.fromarray(picture()), kind, **options))
    np.testing.assert_array_equal(images.load_image(path), picture())


def test_load_image_repeats_grey(tmp_path):
    grey = picture()[..., 0]
    path = saved(tmp_path / "a.png", Image.fromarray(grey))
    np.testing.assert_array_equal(images.load_image(path), np.stack([grey] * 3, -1))


def test_load_image_makes_black_and_white_of_one_bit(tmp_path):
    bits = picture()[..., 0] > 127
    path = saved(tmp_path / "a.png", Image.fromarray(bits))
    np.testing.assert_array_equal(images.load_image(path)[..., 0], bits * np.uint8(255))


def test_load_image_looks_up_the_palette(tmp_path):
    palette = Image.fromarray(picture()).quantize(16)
    path = saved(tmp_path / "a.png", palette)
    np.testing.assert_array_equal(images.load_image(path), np.array(palette.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_load_image_scales_16_bit_grey(tmp_path, suffix):
    levels = np.linspace(0, 65535, 20 * 32).round().astype(np.uint16).reshape(20, 32)
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(levels))
    expected = np.round(levels / 257).astype(np.uint8)
    np.testing.assert_array_equal(images.load_image(path)[..., 0], expected)


def test_load_image_makes_transparent_parts_white(tmp_path):
    levels = np.full((20, 20, 4), 100, np.uint8)
    levels[:, :10, 3] = 0
    levels[:, 10:, 3] = 255
    path = saved(tmp_path / "a.png", Image.fromarray(levels))
    np.testing.assert_array_equal(images.load_image(path)[0, [0, 19], 0], [255, 100])


def test_load_image_blends_half_transparent_parts_with_white(tmp_path):
    levels = picture(channels=4)
    colour, alpha = levels[..., :3].astype(float), levels[..., 3:] / 255
    path = saved(tmp_path / "a.png", Image.fromarray(levels))
    blended = colour * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(images.load_image(path), blended, rtol=0, atol=0.51)


def test_load_image_blends_grey_with_alpha(tmp_path):
    levels = np.full((20, 20, 2), 100, np.uint8)
    levels[:, :10, 1] = 0
    path = saved(tmp_path / "a.png", Image.fromarray(levels, "LA"))
    assert images.load_image(path)[0, 0].tolist() == [255, 255, 255]


def test_load_image_makes_a_transparent_palette_entry_white(tmp_path):
    palette = Image.fromarray(np.zeros((20, 20, 3), np.uint8)).quantize(2)
    path = saved(tmp_path / "a.png", palette, transparency=palette.getpixel((0, 0)))
    assert images.load_image(path).min() == 255


def test_load_image_converts_cmyk(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(smooth()).convert("CMYK"), quality=95)
    # JPEG of ramps at quality 95 loses a few levels; an inverted picture would lose a hundred.
    np.testing.assert_allclose(images.load_image(path), smooth().astype(float), rtol=0, atol=12)


def test_load_image_reads_the_first_frame_of_an_animation(tmp_path):
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    path = saved(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    assert images.load_image(path)[0, 0].tolist() == [255, 0, 0]


# EXIF orientation.

# Orientation -> what a camera that stores it has done to the upright picture (EXIF 2.3, 4.6.4).
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[:, ::-1],
}


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("orientation", STORED)
def test_load_image_is_upright_for_every_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](picture()))
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(stored), exif=exif)
    np.testing.assert_array_equal(images.load_image(path), picture())


def test_load_image_turns_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", Image.fromarray(picture()), exif=exif)
    assert images.load_image(path).shape == (32, 24, 3)


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0broken", b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01", b"Exif\0\0II*\0\xff\xff\xff\xff"],
)
def test_load_image_ignores_exif_when_broken(tmp_path, exif):
    path = saved(tmp_path / "a.png", Image.fromarray(picture()), exif=exif)
    np.testing.assert_array_equal(images.load_image(path), picture())


# Colour profiles.


def test_load_image_converts_a_wide_gamut_to_srgb(tmp_path):
    colour = np.uint8([140, 180, 120])
    picture = Image.fromarray(np.broadcast_to(colour, (20, 20, 3)))
    path = saved(tmp_path / "a.png", picture, icc_profile=icc_profile(ADOBE_D50))
    # Linear Adobe RGB to linear sRGB: the product of the two published D65 matrices.
    matrix = np.array([[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]])
    linear = matrix @ (colour / 255) ** 2.2
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    # One level for each of the rounded primaries and levels.
    np.testing.assert_allclose(images.load_image(path)[0, 0], expected, rtol=0, atol=2)


def test_load_image_keeps_pixels_when_the_profile_is_srgb(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.png", Image.fromarray(picture()), icc_profile=profile)
    np.testing.assert_array_equal(images.load_image(path), picture())


def test_load_image_applies_an_rgb_profile_to_grey(tmp_path):
    profile = icc_profile(SRGB_D50, gamma=1.0)
    path = saved(tmp_path / "a.png", Image.new("L", (20, 20), 128), icc_profile=profile)
    # Linear 128 / 255 is 188 under the sRGB curve.
    assert images.load_image(path)[0, 0].tolist() == pytest.approx([188] * 3, abs=1)


def test_load_image_applies_the_profile_below_transparency(tmp_path):
    profile = icc_profile(SRGB_D50, gamma=1.0)
    levels = np.full((20, 20, 4), 128, np.uint8)
    levels[:, :10, 3], levels[:, 10:, 3] = 0, 255
    path = saved(tmp_path / "a.png", Image.fromarray(levels), icc_profile=profile)
    assert images.load_image(path)[0, [0, 19], 0].tolist() == pytest.approx([255, 188], abs=1)


def test_load_image_warns_when_the_profile_is_broken(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture()), icc_profile=b"not a profile")
    with pytest.warns(UserWarning, match=r"a\.png: its colour profile cannot be used"):
        np.testing.assert_array_equal(images.load_image(path), picture())


@pytest.mark.parametrize(
    ("kind", "value"), [(2, "seven"), (3, 7), (4, 7), (5, 3.5), (12, 7.5)], ids=str
)
def test_load_image_warns_when_the_profile_of_a_tiff_is_no_profile(tmp_path, kind, value):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[34675], tags.tagtype[34675] = value, kind
    path = saved(tmp_path / "a.tif", Image.fromarray(picture()), tiffinfo=tags)
    with pytest.warns(UserWarning, match=r"a\.tif: its colour profile cannot be used"):
        np.testing.assert_array_equal(images.load_image(path), picture())


def test_load_image_warns_when_the_profile_is_for_other_pixels(tmp_path):
    path = saved(
        tmp_path / "a.jpg",
        Image.fromarray(smooth()).convert("CMYK"),
        icc_profile=icc_profile(ADOBE_D50),
    )
    with pytest.warns(UserWarning, match=r"the profile is RGB, the pixels are CMYK"):
        images.load_image(path)


# Reading what is not fine.


def check_refused(path: pathlib.Path, pattern: str) -> None:
    """One line that names the file first."""
    with pytest.raises(ImageError, match=pattern) as caught:
        images.load_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_load_image_raises_when_the_file_is_missing(tmp_path):
    check_refused(tmp_path / "a.png", "No such file.*give the path of a picture")


def test_load_image_raises_when_given_a_folder(tmp_path):
    check_refused(tmp_path, "is no file")


def test_load_image_raises_when_given_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    check_refused(tmp_path / "a.png", "is no file")


def test_load_image_raises_when_the_file_is_too_large(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(500_000_000)  # Sparse: it takes no space.
    check_refused(tmp_path / "a.png", "has 500000000 bytes; at most 400000000 are read")


def test_load_image_raises_when_empty(tmp_path):
    check_refused(write(tmp_path / "a.png", b""), "is empty")


def test_load_image_raises_when_not_a_picture(tmp_path):
    check_refused(write(tmp_path / "a.png", b"<html>no</html>"), "not a picture.*convert it")


def test_load_image_raises_when_of_a_format_that_starts_programs(tmp_path):
    path = write(tmp_path / "a.png", encode(Image.fromarray(picture()), "EPS"))
    check_refused(path, "not a picture that we read")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_load_image_raises_when_truncated(tmp_path, kind):
    content = encode(Image.fromarray(picture()), kind)
    check_refused(write(tmp_path / "a", content[: len(content) * 2 // 3]), "a: is ")


def test_load_image_says_truncated_when_jpeg_is_truncated(tmp_path):
    content = encode(Image.fromarray(picture(200, 200)), "JPEG")
    check_refused(write(tmp_path / "a.jpg", content[:9000]), "broken or truncated.*get it again")


# One strip holds all; the tag then says that it holds half of the rows, or one of the channels.
@pytest.mark.parametrize(
    ("tag", "kind", "whole", "part"),
    [(278, 4, 24, 12), (284, 3, 1, 2)],
    ids=["RowsPerStrip", "PlanarConfiguration"],
)
def test_load_image_raises_when_a_tiff_lacks_a_strip(tmp_path, tag, kind, whole, part):
    content = encode(Image.fromarray(picture(24)), "TIFF")
    before, after = (struct.pack("<HHII", tag, kind, 1, value) for value in (whole, part))
    assert content.count(before) == 1
    check_refused(write(tmp_path / "a.tif", content.replace(before, after)), "lacks strips")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_load_image_reads_a_tiff_of_several_strips(tmp_path, compression):
    path = tmp_path / "a.tif"
    saved(path, Image.fromarray(smooth()), compression=compression, strip_size=64 * 3 * 16)
    assert np.abs(images.load_image(path).astype(int) - smooth()).max() < 30


# Below Pillow's warning, between its warning and its error, above its error.
@pytest.mark.parametrize("sides", [(10_001, 10_000), (12_000, 12_000), (60_000, 60_000)])
def test_load_image_raises_before_decoding_when_the_header_claims_too_many_pixels(tmp_path, sides):
    check_refused(
        write(tmp_path / "a.png", png(*sides, depth=8, kind=2)), "at most 100 million pixels"
    )


def test_load_image_raises_when_a_side_is_tiny(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(15, 40)))
    check_refused(path, "is 40 x 15; required are at least 16 pixels a side")


def test_load_image_raises_when_pixels_have_no_range(tmp_path):
    path = saved(tmp_path / "a.tiff", Image.new("F", (20, 20)))
    check_refused(path, "type F, whose range is unknown")


# Maps of labels.


def labels() -> np.ndarray:
    """A map of 19 labels."""
    return np.arange(24 * 32, dtype=np.uint8).reshape(24, 32) % 19


def test_decode_ids_keeps_levels_whatever_the_colour_profile(tmp_path):
    data = encode(Image.fromarray(labels()), "PNG", icc_profile=icc_profile(ADOBE_D50, gamma=1))
    np.testing.assert_array_equal(images.decode_ids(data, "a.png", count=19), labels())


COLOURED = {
    "colours": encode(Image.fromarray(labels()).convert("RGB"), "PNG"),
    "palette": encode(Image.fromarray(labels()).convert("P"), "PNG"),
    "transparent": encode(Image.fromarray(labels()).convert("LA"), "PNG"),
    "16 bits": encode(Image.fromarray(labels().astype(np.uint16)), "PNG"),
    "4 bits, which Pillow scales": png(16, 16, depth=4, kind=0, rows=bytes(9) * 16),
    "lossy": encode(Image.fromarray(labels()), "JPEG"),
    "of another format": encode(Image.fromarray(labels()), "TIFF"),
}


@pytest.mark.parametrize("name", COLOURED)
def test_decode_ids_raises_when_levels_are_no_ids(name):
    with pytest.raises(
        ImageError, match=r"a\.png: is .* of mode .*8-bit grey PNG with ids 0 to 18"
    ):
        images.decode_ids(COLOURED[name], "a.png", count=19)


def test_decode_ids_names_levels_that_are_no_label():
    data = encode(Image.fromarray(labels() * 10), "PNG")
    with pytest.raises(
        ImageError, match=r"a\.png: has the levels 20, 30, 40, 50, \.\.\.; .* 0 to 18"
    ):
        images.decode_ids(data, "a.png", count=19)


def test_decode_ids_raises_when_truncated():
    data = encode(Image.fromarray(labels()), "PNG")
    with pytest.raises(ImageError, match="broken or truncated"):
        images.decode_ids(data[:60], "a.png", count=19)


# Aligned pictures.


@pytest.mark.parametrize("resolution", [16, 64, 100])
def test_load_aligned_resizes_as_pillow(tmp_path, resolution):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(64, 64)))
    expected = Image.fromarray(picture(64, 64)).resize((resolution,) * 2, Image.BILINEAR)
    np.testing.assert_array_equal(images.load_aligned(path, resolution), np.array(expected))


def test_load_aligned_averages_four_by_four_when_shrinking(tmp_path):
    # Antialiasing: a fine checkerboard becomes grey, where plain bilinear would keep a pattern.
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(board))
    assert np.abs(images.load_aligned(path, 16).astype(int) - 128).max() <= 2


def test_load_aligned_accepts_sides_within_two_percent(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(98, 100)))
    assert images.load_aligned(path, 32).shape == (32, 32, 3)


def test_load_aligned_raises_when_not_square(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(97, 100)))
    with pytest.raises(
        ImageError, match=r"is 100 x 97; a square .*`crop`, .*`sfe align`, .*--align"
    ):
        images.load_aligned(path, 32)


def test_load_aligned_takes_the_centre_square_with_crop(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(32, 50)))
    cropped = images.load_aligned(path, 32, crop=True)
    np.testing.assert_array_equal(cropped, picture(32, 50)[:, 9:41])


def test_load_aligned_crops_after_turning_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(STORED[6](picture(32, 50)))
    path = saved(tmp_path / "a.png", Image.fromarray(stored), exif=exif)
    cropped = images.load_aligned(path, 32, crop=True)
    np.testing.assert_array_equal(cropped, picture(32, 50)[:, 9:41])


def test_load_aligned_raises_when_far_too_small(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(picture(127, 127)))
    with pytest.raises(ImageError, match=r"127 x 127, too small for 1024.*128 pixels a side"):
        images.load_aligned(path, 1024)


def test_load_aligned_equals_the_reference_transform_for_real_faces(data_folder):
    path = data_folder / "aligned" / "face0.jpg"
    expected = Image.open(path).convert("RGB").resize((256, 256), Image.BILINEAR)
    np.testing.assert_array_equal(images.load_aligned(path, 256), np.array(expected))


# Finding.


def touch(folder: pathlib.Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_find_images_lists_every_suffix_sorted_in_any_case(tmp_path):
    names = ["a.JPG", "b.jpeg", "c.png", "d.ppm", "e.bmp", "f.tiff", "g.TIF", "h.webp"]
    touch(tmp_path, *reversed(names), "notes.txt", "clip.mp4")
    assert [path.name for path in images.find_images([tmp_path])] == names


def test_find_images_descends_into_folders(tmp_path):
    touch(tmp_path, "b/c/x.png", "a/y.png", "z.png")
    found = [path.relative_to(tmp_path).as_posix() for path in images.find_images([tmp_path])]
    assert found == ["a/y.png", "b/c/x.png", "z.png"]


def test_find_images_keeps_files_in_the_order_given(tmp_path):
    touch(tmp_path, "b.png", "a.dat")
    paths = [tmp_path / "b.png", tmp_path / "a.dat"]
    assert images.find_images(paths) == paths


def test_find_images_lists_duplicates_once(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    found = images.find_images([tmp_path / "b.png", tmp_path, tmp_path / "." / "b.png"])
    assert [path.name for path in found] == ["b.png", "a.png"]


def test_find_images_skips_hidden_files_and_folders(tmp_path):
    touch(tmp_path, "a.png", "._a.png", ".cache/b.png")
    assert [path.name for path in images.find_images([tmp_path])] == ["a.png"]


def test_find_images_looks_into_a_hidden_folder_when_it_is_given(tmp_path):
    touch(tmp_path, ".cache/b.png")
    assert len(images.find_images([tmp_path / ".cache"])) == 1


def test_find_images_skips_a_folder_named_like_a_picture(tmp_path):
    touch(tmp_path, "folder.png/a.png")
    assert [path.name for path in images.find_images([tmp_path])] == ["a.png"]


def test_find_images_raises_when_a_folder_holds_none(tmp_path):
    with pytest.raises(ImageError, match=r"holds no picture; required is one of \.jpg"):
        images.find_images([tmp_path])


def test_find_images_raises_when_a_path_does_not_exist(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: does not exist"):
        images.find_images([tmp_path / "gone.png"])


# Saving.


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".ppm", ".bmp", ".tif", ".tiff", ".webp"])
def test_save_image_keeps_pixels_when_lossless(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    images.save_image(path, picture())
    np.testing.assert_array_equal(images.load_image(path), picture())


def test_save_image_keeps_grey_as_one_channel(tmp_path):
    images.save_image(tmp_path / "a.png", picture()[..., 0])
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"


def test_save_image_writes_jpeg_without_colour_subsampling(tmp_path):
    images.save_image(tmp_path / "a.jpg", smooth())
    with Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_save_image_writes_jpeg_close_to_the_original(tmp_path):
    images.save_image(tmp_path / "a.jpg", smooth())
    # Quality 95 quantises ramps by a few levels.
    loaded = images.load_image(tmp_path / "a.jpg").astype(float)
    np.testing.assert_allclose(loaded, smooth(), rtol=0, atol=4)


def test_save_image_makes_parent_folders(tmp_path):
    images.save_image(tmp_path / "a" / "b" / "c.png", picture())
    assert (tmp_path / "a" / "b" / "c.png").is_file()


def test_save_image_replaces_a_file(tmp_path):
    images.save_image(tmp_path / "a.png", picture() // 2)
    images.save_image(tmp_path / "a.png", picture())
    np.testing.assert_array_equal(images.load_image(tmp_path / "a.png"), picture())


def test_save_image_leaves_only_the_picture(tmp_path):
    images.save_image(tmp_path / "a.png", picture())
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_save_image_gives_the_permissions_of_new_files(tmp_path):
    (tmp_path / "plain").touch()
    images.save_image(tmp_path / "a.png", picture())
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def fail_half_way(self: Image.Image, path: pathlib.Path, *_: object, **__: object) -> None:
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_save_image_leaves_no_temporary_file_when_it_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(Image.Image, "save", fail_half_way)
    with pytest.raises(ImageError, match=r"a\.png: cannot be written \(No space left"):
        images.save_image(tmp_path / "a.png", picture())
    assert list(tmp_path.iterdir()) == []


def test_save_image_leaves_the_old_picture_when_it_fails(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr(Image.Image, "save", fail_half_way)
    with pytest.raises(ImageError):
        images.save_image(tmp_path / "a.png", picture())
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a.gif", "a.txt", "a", "a.v1.5"])
def test_save_image_raises_when_the_suffix_is_unknown(tmp_path, name):
    with pytest.raises(ImageError, match=r"required is one of \.jpg, \.jpeg, \.png"):
        images.save_image(tmp_path / name, picture())


def test_save_image_raises_when_the_folder_is_a_file(tmp_path):
    touch(tmp_path, "folder")
    with pytest.raises(ImageError, match=r"a\.png: cannot be written"):
        images.save_image(tmp_path / "folder" / "a.png", picture())


def test_save_image_raises_when_the_path_is_a_folder(tmp_path):
    touch(tmp_path, "a.png/b")
    with pytest.raises(ImageError, match=r"a\.png: cannot be written"):
        images.save_image(tmp_path / "a.png", picture())


def test_save_image_raises_when_the_format_cannot_hold_the_size(tmp_path):
    with pytest.raises(ImageError, match=r"WebP limit.*choose another folder or format"):
        images.save_image(tmp_path / "a.webp", np.zeros((1, 16384, 3), np.uint8))


def test_save_image_raises_when_not_uint8(tmp_path):
    with pytest.raises(ImageError, match="float64; required is uint8"):
        images.save_image(tmp_path / "a.png", picture() / 255)


@pytest.mark.parametrize("shape", [(3,), (2, 16, 16, 3), (16, 16, 4), (3, 16, 16)])
def test_save_image_raises_when_the_shape_is_not_of_a_picture(tmp_path, shape):
    with pytest.raises(ShapeError, match=r"required is \(any, any, 3\)"):
        images.save_image(tmp_path / "a.png", np.zeros(shape, np.uint8))


def test_images_imports_without_jax():
    program = "import sys, sfe_jax.core.images; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
