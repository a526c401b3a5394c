"""Moving pictures: what was written is read again, by Pillow and by ffmpeg."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from sfe_jax.core.animations import check_animation, write_animation
from sfe_jax.core.errors import ImageError, OptionError, ShapeError


def flat_frames(count=6, height=18, width=20):
    """Frames of one colour each, which the two formats of Pillow keep."""
    levels = np.linspace(0, 250, count).round().astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3))


def read_frames(path):
    with Image.open(path) as image:
        return np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(image)])


def read_durations(path):
    """Milliseconds of each frame; Pillow knows those of a WebP once a frame is decoded."""
    with Image.open(path) as image:
        return [frame.load() and frame.info["duration"] for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize(("name", "error"), [("a.gif", 0), ("a.GIF", 0), ("a.webp", 2)])
def test_frames_are_read_again_as_they_were(tmp_path, name, error):
    write_animation(tmp_path / name, flat_frames(), fps=10)
    # Lossy WebP keeps a flat colour to a level or two.
    found = read_frames(tmp_path / name).astype(int)
    np.testing.assert_allclose(found, flat_frames(), rtol=0, atol=error)


def test_a_webp_keeps_movements_that_its_loss_would_hide(tmp_path):
    frames = np.repeat(np.arange(100, 112, dtype=np.uint8), 32 * 32 * 3).reshape(12, 32, 32, 3)
    write_animation(tmp_path / "slow.webp", frames, fps=10)
    np.testing.assert_array_equal(read_frames(tmp_path / "slow.webp"), frames)


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_repeats_for_ever(tmp_path, name):
    write_animation(tmp_path / name, flat_frames(), fps=10)
    with Image.open(tmp_path / name) as image:
        assert image.info["loop"] == 0


@pytest.mark.parametrize(
    ("name", "fps", "expected"),
    [
        ("a.gif", 10, [100] * 6),
        ("a.gif", 30, [30, 40, 30, 30, 40, 30]),  # A third of a second in hundredths.
        ("a.webp", 30, [33, 34, 33, 33, 34, 33]),
    ],
)
def test_durations_keep_the_speed_on_average(tmp_path, name, fps, expected):
    write_animation(tmp_path / name, flat_frames(), fps=fps)
    assert read_durations(tmp_path / name) == expected


def test_a_gif_has_one_palette_for_all_frames(tmp_path):
    write_animation(tmp_path / "a.gif", flat_frames(), fps=10)
    content = (tmp_path / "a.gif").read_bytes()
    # An image descriptor: comma, four sizes of 16 bits, and flags, whose top bit says own palette.
    size = np.array([20, 18], "<u2").tobytes()
    flags = [part[0] for part in content.split(b",\0\0\0\0" + size)[1:]]
    assert [flag >> 7 for flag in flags] == [0] * 6


def test_a_gif_keeps_what_moves_over_a_still_ground(tmp_path):
    frames = np.full((4, 20, 20, 3), 40, np.uint8)
    for index, frame in enumerate(frames):
        frame[5:10, 4 * index : 4 * index + 4] = [200, 10, 10]
    write_animation(tmp_path / "a.gif", frames, fps=10)
    np.testing.assert_array_equal(read_frames(tmp_path / "a.gif"), frames)


def test_frames_may_come_from_a_generator(tmp_path):
    write_animation(tmp_path / "a.gif", (frame for frame in flat_frames()), fps=10)
    assert len(read_frames(tmp_path / "a.gif")) == 6


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_a_single_frame_is_an_animation(tmp_path, name):
    write_animation(tmp_path / name, flat_frames(1), fps=10)
    assert len(read_frames(tmp_path / name)) == 1


def test_an_animation_replaces_a_file_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "new" / "a.gif"
    for count in (2, 3):
        write_animation(path, flat_frames(count), fps=10)
    assert [p.name for p in path.parent.iterdir()] == ["a.gif"]
    assert len(read_frames(path)) == 3


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("a.avi", 10, r"a\.avi: has suffix '\.avi'; required is one of \.gif, \.webp, \.mp4"),
        ("a", 10, "has suffix ''"),
        ("a.gif", 60, r"60 frames a second; required are .* at most 50"),
        ("a.webp", 0, "0 frames a second"),
        ("a.webp", float("nan"), "nan frames a second"),
    ],
)
def test_a_name_or_speed_is_refused_before_any_work(name, fps, message):
    with pytest.raises(OptionError, match=message):
        check_animation(name, fps=fps)


def test_a_side_is_refused_before_any_work():
    with pytest.raises(OptionError, match=r"20000 pixels a side; \.webp holds at most 16383"):
        check_animation("a.webp", fps=10, side=20_000)


def test_mp4_says_what_to_install_when_ffmpeg_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(OptionError, match=r"a\.mp4: .*pip install imageio-ffmpeg, or write \.gif"):
        check_animation("a.mp4", fps=30)


def test_mp4_holds_the_frames_at_even_size(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    write_animation(tmp_path / "a.mp4", flat_frames(12, 33, 51), fps=30)
    decode = [
        ffmpeg,
        "-v",
        "error",
        "-i",
        tmp_path / "a.mp4",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
    ]
    decoded = np.frombuffer(subprocess.check_output([*decode, "-"]), np.uint8)
    # Levels are compressed to 16 to 235 and back, and rounded by the codec.
    expected = flat_frames(12, 34, 52).astype(int)
    np.testing.assert_allclose(decoded.reshape(12, 34, 52, 3), expected, rtol=0, atol=6)


def test_an_animation_without_frames_is_refused(tmp_path):
    with pytest.raises(ImageError, match="there are no frames; required is at least 1"):
        write_animation(tmp_path / "a.gif", [], fps=10)
    assert not list(tmp_path.iterdir())


def test_frames_of_two_sizes_are_refused(tmp_path):
    frames = [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 17, 3), np.uint8)]
    with pytest.raises(ShapeError, match=r"`frame 1` has shape \(16, 17, 3\)"):
        write_animation(tmp_path / "a.gif", frames, fps=10)


def test_frames_of_floats_are_refused(tmp_path):
    with pytest.raises(ImageError, match="`frame 0` has type float64; required is uint8"):
        write_animation(tmp_path / "a.gif", np.zeros((2, 16, 16, 3)), fps=10)


def test_frames_that_are_too_long_for_the_format_are_refused(tmp_path):
    with pytest.raises(ImageError, match=r"a\.webp: frames are 16384 x 1; .* holds 16383 a side"):
        write_animation(tmp_path / "a.webp", np.zeros((2, 1, 16384, 3), np.uint8), fps=10)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=r"a\.gif: cannot be written"):
        write_animation(tmp_path / "file" / "a.gif", flat_frames(), fps=10)


def test_animations_imports_without_jax():
    program = "import sys, sfe_jax.core.animations; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
