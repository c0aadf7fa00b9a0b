"""Reading of all supported formats as upright RGB; other input raises only ImageError."""

from __future__ import annotations

import csv
import hashlib
import io
import struct
import threading
import warnings
import zlib

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.images import PHOTO_SUFFIXES, Limits, find_photos, read, read_size, resize, sha256

TINY = Limits(min_side=1)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")


def encode(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height=24, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height=48, width=64):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3, y * 4, 128 + x - y], axis=-1).clip(0, 255).astype(np.uint8)


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def raw_png(width, height, depth, colour, rows, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def raw_tiff(width, height, data, tags, order="<"):
    """A TIFF of one strip; tags {number: (type, values)} beside the sizes."""
    sizes = {2: "s", 3: "H", 4: "I"}
    tags = {256: (4, [width]), 257: (4, [height]), 259: (3, [1]), **tags}
    tags |= {273: (4, [8]), 277: (3, tags.get(277, (3, [1]))[1]), 279: (4, [len(data)])}
    at = 8 + len(data)
    entries, far = b"", b""
    after = at + 2 + 12 * len(tags) + 4
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(packed) > 4:
            packed, far = struct.pack(f"{order}I", after + len(far)), far + packed
        entries += struct.pack(f"{order}HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + far


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


# --- formats ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_formats_come_back_exactly(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    array = noise()
    result = read(encode(Image.fromarray(array), kind, **options))
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


def test_jpeg_comes_back_as_pillow_decodes_it():
    data = encode(Image.fromarray(smooth()), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(read(data), expected)
    assert np.abs(read(data).astype(int) - smooth()).max() <= 8


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_is_read(kind):
    frames = [Image.new("RGB", (20, 16), colour) for colour in ("#ff0000", "#0000ff")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(read(data)[8, 8], [255, 0, 0])


def test_every_source_gives_the_same_pixels(tmp_path):
    array = noise()
    data = encode(Image.fromarray(array))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    sources = [path, str(path), data, bytearray(data), Image.open(path), array]
    sources.append(Image.fromarray(array))
    for source in sources:
        np.testing.assert_array_equal(read(source), array)


def test_arrays_are_copied_and_grey_ones_become_rgb():
    array = noise()
    result = read(array)
    result[:] = 0
    np.testing.assert_array_equal(array, noise())
    np.testing.assert_array_equal(read(array[..., 0])[..., 2], array[..., 0])
    np.testing.assert_array_equal(read(array[::-1, ::2]), array[::-1, ::2])


# --- orientation -----------------------------------------------------------------------

STORED = [[1, 2, 3], [4, 5, 6]]
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_to_the_pixel(orientation, kind):
    stored = np.repeat(np.array(STORED, np.uint8)[..., None] * 40, 3, axis=2)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(Image.fromarray(stored), kind, exif=with_orientation(orientation), **options)
    expected = np.array(UPRIGHT[orientation]) * 40
    np.testing.assert_array_equal(read(data, limits=TINY)[..., 0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_and_open_images(orientation):
    data = encode(Image.fromarray(smooth()), "JPEG", exif=with_orientation(orientation))
    picture = Image.open(io.BytesIO(data))
    expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read(data), expected)
    np.testing.assert_array_equal(read(picture), expected)
    np.testing.assert_array_equal(read(ImageOps.exif_transpose(picture)), expected)


def test_orientation_holds_across_strips(monkeypatch):
    monkeypatch.setattr("rustseg_jax.images.io._STRIP_PIXELS", 100)
    array = noise(37, 23)
    data = encode(Image.fromarray(array), exif=with_orientation(6))
    np.testing.assert_array_equal(read(data), np.rot90(array, -1))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_nonsense_orientation_is_ignored(value):
    data = encode(Image.fromarray(noise()), exif=with_orientation(value))
    np.testing.assert_array_equal(read(data), noise())


def test_broken_exif_is_ignored():
    data = encode(Image.fromarray(noise()), exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40)
    np.testing.assert_array_equal(read(data), noise())


# --- depth -----------------------------------------------------------------------------


def test_16_bit_grey_ramp_is_rounded():
    ramp = np.tile(np.linspace(0, 65535, 256 * 4).astype(np.uint16), (16, 1))
    expected = np.rint(ramp / 257).astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        result = read(encode(Image.fromarray(ramp), kind))
        for channel in range(3):
            np.testing.assert_array_equal(result[..., channel], expected)
    assert expected[0, 0] == 0
    assert expected[0, -1] == 255


@pytest.mark.parametrize(("order", "code"), [("<", "<u2"), (">", ">u2")])
@pytest.mark.parametrize("photometric", [0, 1])
def test_16_bit_tiff_in_both_orders_and_polarities(order, code, photometric):
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
    data = raw_tiff(
        64, 16, ramp.astype(code).tobytes(), {258: (3, [16]), 262: (3, [photometric])}, order
    )
    expected = np.rint(ramp / 257)
    if order == ">" and photometric == 0:  # a kind that Pillow cannot read
        with pytest.raises(ImageError, match="cannot be decoded"):
            read(data)
        return
    np.testing.assert_allclose(
        read(data)[..., 0], expected if photometric else 255 - expected, atol=1
    )


def test_16_bit_colour_keeps_the_high_byte():
    values = np.random.default_rng(1).integers(0, 65536, (16, 20, 3), dtype=np.uint16)
    png = raw_png(20, 16, 16, 2, [row.astype(">u2").tobytes() for row in values])
    tiff = raw_tiff(
        20,
        16,
        values.astype("<u2").tobytes(),
        {258: (3, [16, 16, 16]), 262: (3, [2]), 277: (3, [3])},
    )
    for data in (png, tiff):
        np.testing.assert_array_equal(read(data), values >> 8)
        assert np.abs(read(data) - values / 257).max() <= 1


def test_12_bit_tiff_reaches_white():
    data = raw_tiff(16, 16, b"\xff" * (16 * 16 * 3 // 2), {258: (3, [12]), 262: (3, [1])})
    assert (read(data) == 255).all()


def test_float_tiff_is_read_from_0_to_1_and_refused_beyond():
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (16, 1))
    expected = np.rint(ramp * np.float32(255))
    np.testing.assert_array_equal(read(encode(Image.fromarray(ramp), "TIFF"))[..., 1], expected)
    for factor in (255, -1, np.nan):
        data = encode(Image.fromarray(ramp * np.float32(factor)), "TIFF")
        with pytest.raises(ImageError, match=r"gate\.tif has grey values"):
            read(data, name="gate.tif")


def test_32_bit_integers_are_read_on_the_16_bit_scale():
    ramp = np.tile(np.array([0, 257, 65535, 128 * 257], np.int32), (16, 8))
    result = read(encode(Image.fromarray(ramp), "TIFF"))
    np.testing.assert_array_equal(result[0, :4, 0], [0, 1, 255, 128])
    with pytest.raises(ImageError, match="between 0 and 65535"):
        read(encode(Image.fromarray(ramp * 2), "TIFF"))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_rgb(mode):
    grey = Image.fromarray(noise()[..., 0]).convert(mode)
    result = read(encode(grey))
    expected = np.asarray(grey.convert("L"))
    np.testing.assert_array_equal(result, np.repeat(expected[..., None], 3, axis=2))


# --- colour and transparency -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    inks = Image.new("CMYK", (48, 16))
    for index, ink in enumerate([(255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0)]):
        inks.paste(ink, (16 * index, 0, 16 * index + 16, 16))
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    row = read(encode(inks, kind, **options))[8].astype(int)
    for x, expected in ((8, (0, 255, 255)), (24, (0, 0, 0)), (40, (255, 255, 255))):
        assert np.abs(row[x] - expected).max() <= 3


def test_palette():
    picture = Image.fromarray(noise()).quantize(16)
    expected = np.asarray(picture.convert("RGB"))
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        np.testing.assert_array_equal(read(encode(picture, kind)), expected)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_transparency_is_white(kind):
    picture = Image.new("P", (20, 16), 1)
    picture.putpalette([0, 0, 0, 200, 10, 20])
    picture.paste(0, (0, 0, 10, 16))
    result = read(encode(picture, kind, transparency=0))
    assert (result[:, :10] == 255).all()
    assert (result[:, 10:] == [200, 10, 20]).all()


def test_palette_with_alpha_a_colour():
    picture = Image.new("P", (20, 16), 1)
    picture.putpalette([0, 0, 0, 200, 10, 20])
    result = read(encode(picture, transparency=bytes([0, 128])))
    # 200 * 128 / 255 + 127 = 227.39, 10 -> 132.02, 20 -> 137.04
    assert (result == [227, 132, 137]).all()


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=40, deadline=None)
def test_alpha_over_white_is_rounded_exactly(value, alpha):
    picture = Image.new("RGBA", (2, 2), (value, 0, 255, alpha))
    result = read(picture, limits=TINY)[0, 0]
    share = alpha / 255
    expected = [value * share + 255 * (1 - share), 255 * (1 - share), 255]
    np.testing.assert_allclose(result, expected, atol=0.5 + 1e-9)


def test_grey_with_alpha():
    picture = Image.new("LA", (20, 16), (100, 51))
    assert (read(encode(picture)) == 224).all()  # 100 / 5 + 255 * 4 / 5


@pytest.mark.parametrize(
    ("depth", "row", "clear"),
    [
        (1, b"\xaa\xaa", 1),
        (2, b"\xcc" * 4, 3),
        (4, b"\xf0" * 8, 15),
        (8, b"\xff\0" * 8, 255),
        (16, b"\x12\x34\0\0" * 8, 0x1234),
    ],
)
def test_transparent_grey_value_at_every_depth(depth, row, clear):
    extra = chunk(b"tRNS", struct.pack(">H", clear))
    result = read(raw_png(16, 16, depth, 0, [row] * 16, extra))
    np.testing.assert_array_equal(result[0, :4, 0], [255, 0, 255, 0])


@pytest.mark.parametrize(("depth", "clear"), [(8, (9, 8, 7)), (16, (0x900, 0x800, 0x700))])
def test_transparent_colour(depth, clear):
    code = f">{'B' if depth == 8 else 'H'}"
    pixels = [*clear, 0, 0, 0] * 8
    row = b"".join(struct.pack(code, value) for value in pixels)
    extra = chunk(b"tRNS", struct.pack(">3H", *clear))
    result = read(raw_png(16, 16, depth, 2, [row] * 16, extra))
    np.testing.assert_array_equal(result[0, :2], [[255] * 3, [0] * 3])


def matrix_profile(columns, space=b"RGB ", gamma=2.2):
    """A minimal ICC version 2 profile: XYZ (D50) of the primaries and one gamma."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    white = b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    tags = {b"desc": text, b"wtpt": white}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    for letter, column in zip(b"rgb", columns, strict=False):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(fixed, column))
        tags[bytes([letter]) + b"TRC"] = curve
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    head = bytes(4) + b"\x02\x10\0\0" + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    head = (head + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)).ljust(124, b"\0")
    rest = head + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(rest) + 4) + rest


RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)


def test_embedded_profile_is_applied():
    swapped = matrix_profile([GREEN, RED, BLUE])
    picture = Image.new("RGB", (20, 16), (255, 0, 0))
    for kind in ("PNG", "TIFF", "JPEG"):
        result = read(encode(picture, kind, icc_profile=swapped)).astype(int)
        assert np.abs(result - [0, 255, 0]).max() <= 12, kind
    clear = picture.convert("RGBA")
    clear.putalpha(0)
    assert (read(encode(clear, icc_profile=swapped)) == 255).all()


def test_grey_profile_is_applied_to_grey_only():
    linear = matrix_profile([], b"GRAY", gamma=1.0)
    assert (read(encode(Image.new("L", (20, 16), 55), icc_profile=linear)) > 110).all()
    picture = Image.fromarray(noise())
    np.testing.assert_array_equal(read(encode(picture, icc_profile=linear)), noise())


@pytest.mark.parametrize("profile", [b"nonsense", bytes(128), b""])
def test_broken_profile_is_ignored(profile):
    data = encode(Image.fromarray(noise()), icc_profile=profile)
    np.testing.assert_array_equal(read(data), noise())


def test_lab_tiff():
    lab = Image.new("LAB", (20, 16), (255, 128, 128))  # L* 100, a* 0, b* 0
    assert (read(encode(lab, "TIFF")).astype(int) >= 250).all()


# --- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(15, 400), (400, 15), (1, 1)])
def test_too_small(size):
    with pytest.raises(ImageError, match="both sides must be at least 16"):
        read(encode(Image.new("RGB", size)))
    with pytest.raises(ImageError, match="both sides must be at least 16"):
        read(Image.new("RGB", size))


@pytest.mark.parametrize("side", [7072, 13000, 60000])
def test_too_many_pixels_is_decided_by_the_header(side, monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    jpeg = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", side, side)
    for data in (bytes(jpeg), raw_png(side, side, 8, 2, [b"\0" * 48])):
        with pytest.raises(ImageError, match="pixels"):
            read(data)


def test_too_many_bytes(tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(bytes(2000))
    limits = Limits(max_bytes=1999)
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match=r"larger than the limit of 0.001999 MB"):
            read(source, limits=limits)


@pytest.mark.parametrize("data", [b"hello", b"\0\0\0\x18ftypheic" + bytes(100), b"%PDF-1.7", b"\0"])
def test_not_a_picture(data, tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"photo\.heic is not an image in a supported \w+ \(JPEG"):
        read(path)


def test_other_formats_are_not_opened():
    for kind in ("ICO", "PPM", "JPEG2000", "TGA"):
        with pytest.raises(ImageError, match="not an image in a supported format"):
            read(encode(Image.fromarray(noise()), kind))


def test_bad_paths(tmp_path):
    for path, words in (
        (tmp_path / "absent.jpg", "absent.jpg does not exist"),
        (tmp_path, "is a folder"),
        ("/dev/null", "is not a file"),
        ("a\0b", "does not exist"),
    ):
        with pytest.raises(ImageError, match=words):
            read(path)
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(ImageError, match="is empty"):
        read(empty)


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated(kind):
    data = encode(Image.fromarray(noise(64, 64)), kind)
    with pytest.raises(ImageError, match=r"rail\.x .*truncated"):
        read(data[: len(data) * 2 // 3], name="rail.x")


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"optimize": True}])
def test_jpeg_that_is_closed_too_early_or_claims_more_rows(options):
    data = encode(Image.fromarray(noise(64, 64)), "JPEG", **options)
    with pytest.raises(ImageError, match="truncated"):
        read(data[: len(data) // 2] + b"\xff\xd9")
    at = data.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="truncated"):
        read(data[: at + 5] + struct.pack(">H", 160) + data[at + 7 :])


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"quality": 1}, {"quality": 100}],
)
def test_whole_jpegs_are_read_to_the_last_row(options):
    for side in (16, 17, 63):
        data = encode(Image.fromarray(noise(side, side)), "JPEG", **options)
        for tail in (b"", b"more bytes after the end \xff\xd9"):
            np.testing.assert_array_equal(
                read(data + tail), np.asarray(Image.open(io.BytesIO(data)))
            )


def test_phone_photos_of_two_pictures():
    frames = [Image.fromarray(noise(seed=seed)) for seed in (0, 1)]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read(data), np.asarray(Image.open(io.BytesIO(data))))


def test_animations_without_a_frame():
    gif = b"GIF89a" + struct.pack("<HHBBB", 32, 32, 0, 0, 0) + b";"
    apng = raw_png(32, 32, 8, 2, [], chunk(b"acTL", bytes(8)))
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + b"\x1f\0\0" * 2
    body = b"WEBP" + extended + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    webp = b"RIFF" + struct.pack("<I", len(body)) + body
    for data in (gif, apng, webp):
        with pytest.raises(ImageError, match="truncated, empty") as refusal:
            read(data)
        assert "BytesIO" not in str(refusal.value)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 20, 3), np.float32), "float32; must be uint8"),
        (np.zeros((20, 20), bool), "bool; must be uint8"),
        (np.zeros((20, 20, 3), np.uint16), "uint16; must be uint8"),
        (np.zeros((20, 20, 4), np.uint8), r"shape \(20, 20, 4\)"),
        (np.zeros((3, 20), np.uint8), "20 x 3 pixels"),
        (np.zeros(20, np.uint8), r"shape \(20,\)"),
    ],
)
def test_wrong_arrays(array, words):
    with pytest.raises(ImageError, match=words):
        read(array)


@pytest.mark.parametrize("source", [None, 3, [1, 2]])
def test_wrong_sources(source):
    with pytest.raises(ImageError, match=f"of type {type(source).__name__}"):
        read(source)


# --- fuzz ------------------------------------------------------------------------------

SEEDS = [encode(Image.fromarray(smooth(20, 24)), kind) for kind in FORMATS]
SEEDS.append(encode(Image.fromarray(smooth(20, 24)), "JPEG", progressive=True))
SEEDS.append(encode(Image.fromarray(noise()).quantize(8), "PNG", transparency=0))
SEEDS.append(encode(Image.fromarray(smooth(20, 24)), "TIFF", compression="tiff_lzw"))
SEEDS.append(encode(Image.fromarray(smooth(20, 24)), "JPEG", exif=with_orientation(6)))
SWAPPED = matrix_profile([GREEN, RED, BLUE])
SEEDS.append(encode(Image.fromarray(noise()), "PNG", icc_profile=SWAPPED))
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6)
MILD = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(data):
    """An array or ImageError, nothing else; warnings are errors here."""
    try:
        result = read(data, limits=Limits(max_pixels=1_000_000))
    except ImageError as refusal:
        return str(refusal).startswith("the upload ")
    return result.dtype == np.uint8 and result.ndim == 3


@given(st.binary(max_size=300), st.sampled_from([b"", *(seed[:12] for seed in SEEDS)]))
@MILD
def test_random_bytes(tail, head):
    assert survives(head + tail)


@given(st.sampled_from(SEEDS), st.floats(0, 1))
@MILD
def test_files_cut_anywhere(seed, share):
    assert survives(seed[: int(share * len(seed))])


@given(st.sampled_from(SEEDS), CHANGES)
@MILD
def test_files_with_changed_bytes(seed, changes):
    data = bytearray(seed)
    for share, value in changes:
        data[int(share * (len(data) - 1))] = value
    assert survives(bytes(data))


def test_nothing_is_printed(capfd):
    for seed in SEEDS:
        for share in (0.3, 0.6, 0.9):
            assert survives(seed[: int(share * len(seed))])
    assert capfd.readouterr() == ("", "")


def test_threads_leave_the_warning_filters_as_they_were():
    before = list(warnings.filters)
    threads = [threading.Thread(target=survives, args=(seed,)) for seed in SEEDS * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


# --- resize, sha256, find_photos -------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 11), (48, 80), (30, 20), (1, 1), (24, 40)])
def test_resize_is_the_filter_of_jax(shape):
    image = noise()
    oracle = jax.image.resize(image.astype(np.float32), (*shape, 3), "bilinear", antialias=True)
    result = resize(image, shape)
    assert result.shape == (*shape, 3)
    assert result.dtype == np.uint8
    assert np.abs(result - np.asarray(oracle)).max() <= 1.01


def test_resize_by_hand_and_copy():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0] = 100
    assert (resize(image, (1, 1)) == 50).all()
    same = resize(image, (2, 2))
    same[:] = 7
    assert image.max() == 100


def test_resize_refuses():
    for shape in ((0, 4), (4, -1), (4,), (2.5, 4)):
        with pytest.raises(ConfigError, match="shape is"):
            resize(noise(), shape)
    with pytest.raises(ImageError, match=r"image has the shape .*must be \(H, W, 3\) uint8"):
        resize(noise().astype(np.float32), (4, 4))


def test_sha256():
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert sha256(b"abc").startswith("ba7816bf")  # FIPS 180-4, example 1


@pytest.fixture
def tree(tmp_path):
    for name in ("b.JPG", "a.png", "sub/c.tiff", "sub/note.txt", ".hidden/d.png", "sub/._c.tiff"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(photos, tree):
    return [str(photo.relative_to(tree)) for photo in photos]


def test_find_photos(tree):
    everything = ["a.png", "b.JPG", "sub/c.tiff"]
    assert names(find_photos(tree), tree) == everything
    assert names(find_photos([str(tree), tree / "a.png", tree / "sub"]), tree) == everything
    assert names(find_photos(f"{tree}/*.png"), tree) == ["a.png"]
    assert names(find_photos(f"{tree}/**/*.tiff"), tree) == ["sub/c.tiff"]
    assert names(find_photos([f"{tree}/s*"]), tree) == ["sub/c.tiff"]
    assert names(find_photos([tree / "sub/note.txt"]), tree) == ["sub/note.txt"]


def test_find_photos_takes_names_that_look_like_globs(tree):
    (tree / "e[1].png").touch()
    assert names(find_photos(tree / "e[1].png"), tree) == ["e[1].png"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("empty", "contains no photos"), ("absent.png", "not found"), ("*.bmp", "not found")],
)
def test_find_photos_refuses(tree, path, words):
    with pytest.raises(ConfigError, match=words):
        find_photos([tree / "a.png", tree / path])
    with pytest.raises(ConfigError, match="no path"):
        find_photos([])


def test_suffixes_cover_the_formats():
    known = Image.registered_extensions()
    assert {known[suffix] for suffix in PHOTO_SUFFIXES} == set(FORMATS)


@pytest.mark.shared
def test_real_photos_are_read_as_pillow_decodes_them(shared_data):
    with (shared_data / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))[::400]
    for row in rows:
        result = read(shared_data / row["image"])
        assert result.shape == (int(row["height"]), int(row["width"]), 3)


def test_the_size_is_read_from_the_header(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (70, 30)).save(path)
    data = path.read_bytes()
    assert read_size(data) == (30, 70)
    assert read_size(data[:60]) == (30, 70)  # nothing after the header is looked at
    for wrong, said in ((b"", "gate is empty"), (b"no picture", "gate is not an image")):
        with pytest.raises(ImageError, match=said):
            read_size(wrong, name="gate")
    with pytest.raises(ImageError, match=r"the limit is 0\.001"):
        read_size(data, limits=Limits(max_pixels=1000))
