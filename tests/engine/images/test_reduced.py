"""JPEG decoded at a half, a quarter or an eighth: how near it comes to whole decoding, and what it leaves alone.

The photographs are those that come with scikit-learn, 640 × 427. Where three times as many pixels are kept as a view
has, a view differs by 1 of 255 on average (42 dB), and the cosine of a teacher's features by 0.0013 at most, over four
bundled teachers; with twice as many it would be 0.003.
"""

import io
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image

from engine.errors import DamagedFileError
from engine.images import converting
from engine.images.converting import decode_for
from engine.images.views import WHOLE, pixels_needed, render, square_reduced
from engine.teachers import get_teacher, load_teacher

PHOTOGRAPHS = ("china.jpg", "flower.jpg")
WHOLE_BOX = np.array(WHOLE, dtype=np.float32)
HALF_BOX = np.array([0.25, 0.25, 0.5, 0.5, 0], dtype=np.float32)


@pytest.fixture(scope="module", params=PHOTOGRAPHS)
def photograph(request):
    return (Path(sklearn.datasets.__file__).parent / "images" / request.param).read_bytes()


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def photo_views(content, size, resize="squash", box=WHOLE_BOX):
    """A view by whole decoding and by reduced, and how much smaller the reduced image was."""
    found = decode_for(content, "", [np.inf, pixels_needed(box, size, resize)])
    squared = [square_reduced(one.image, one.width, one.height, resize) for one in found]
    views = [render(image, box, size, frame).astype(int) for image, frame in squared]
    return *views, round(found[0].width / found[1].width)


@pytest.mark.parametrize("resize", ["squash", "crop"])
@pytest.mark.parametrize(("size", "reduction"), [(16, 8), (32, 4), (64, 2)])
def test_a_reduced_view_is_near_the_whole_one(photograph, size, reduction, resize):
    whole, reduced, by = photo_views(photograph, size, resize)
    assert by == reduction
    assert np.abs(whole - reduced).mean() < 1
    assert np.abs(whole - reduced).max() < 20
    assert np.square(whole - reduced).mean() < 255**2 / 10**4.2  # 42 dB


def test_features_of_a_reduced_view_are_near_those_of_the_whole_one(photograph, shared_home):
    record = get_teacher(shared_home, "fashion-mnist")
    network = load_teacher(shared_home, record, torch.device("cpu"))
    whole, reduced, _ = photo_views(photograph, record.input_size)
    with torch.inference_mode():
        features, _ = network(torch.from_numpy(np.stack([whole, reduced])).permute(0, 3, 1, 2))
    assert 1 - torch.nn.functional.cosine_similarity(features[0], features[1], dim=0) < 1.5e-3


def test_what_has_hardly_more_pixels_than_a_view_is_decoded_whole(photograph):
    whole, found, by = photo_views(photograph, 72)
    assert by == 1
    assert np.array_equal(whole, found)
    assert photo_views(photograph, 16, "pad")[2] == 1
    assert photo_views(photograph, 64, box=HALF_BOX)[2] == 1  # of half the image, half of the pixels count
    assert photo_views(photograph, 32, box=HALF_BOX)[2] == 2


def test_a_size_gives_the_same_whatever_it_is_decoded_with(photograph):
    sides = [pixels_needed(WHOLE_BOX, size, "crop") for size in (96, 64, 16, 60)]
    together = decode_for(photograph, "", sides)
    assert together[1] is together[3]
    for side, found in zip(sides, together, strict=True):
        assert np.array_equal(np.asarray(found.image), np.asarray(decode_for(photograph, "", [side])[0].image))


def test_other_formats_are_never_reduced():
    stream = io.BytesIO()
    Image.new("RGB", (400, 400), "red").save(stream, "PNG")
    assert decode_for(stream.getvalue(), "", [10])[0].image.size == (400, 400)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_reduced_image_is_upright(photograph, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.open(io.BytesIO(photograph)).resize((400, 240)), exif=exif.tobytes())
    whole, reduced, by = photo_views(content, 16)
    assert by == (4 if orientation < 5 else round(240 / 60))
    assert np.abs(whole - reduced).mean() < 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_reduced_image_of_another_mode_has_its_colors(photograph, mode):
    content = saved(Image.open(io.BytesIO(photograph)).convert(mode))
    whole, reduced, by = photo_views(content, 32)
    assert by == 4
    assert np.abs(whole - reduced).mean() < 1
    gray = np.ptp(reduced, axis=2).max() == 0
    assert gray == (mode == "L")


def test_a_truncated_image_is_refused_in_the_same_words(photograph):
    words = []
    for side in (np.inf, 48):
        with pytest.raises(DamagedFileError, match="a photograph is no readable image") as raised:
            decode_for(photograph[: len(photograph) // 2], "a photograph", [side])
        words.append(str(raised.value).partition("(")[0])
    assert words[0] == words[1]


def test_too_many_pixels_are_counted_before_they_are_reduced(photograph, monkeypatch):
    monkeypatch.setattr(converting, "LARGEST_PIXELS", 640 * 427 - 1)
    with pytest.raises(Exception, match="640 × 427 pixels"):
        decode_for(photograph, "a photograph", [10])
