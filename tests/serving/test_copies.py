"""`mtl score` notices samples that a model was trained or validated on, whatever their kind."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.data.inputs.prints import prints
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.results.deployment import CARD, Deployment
from mtl.serving import copies
from mtl.serving.copies import TRAINED, Kept
from mtl.serving.score import Labelled
from mtl.types import Split
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import plant as plant_frame
from tests.serving.conftest import Project


def part(project: Project, task: str, split: Split) -> np.ndarray:
    """Rows of a part of the first seed."""
    data, _ = load_tasks(project.config, 0, project.root)
    return data.select([task], split)[0].samples.numbers.numpy()


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, sep=";", index=False)
    return path


def test_rows_that_were_learnt_from_are_counted_and_the_figure_without_them_is_that_of_the_others(
    rows: Path, flats: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = flats_frame()
    new = frame.iloc[part(flats, "rent", "test")[:40]]
    known = frame.iloc[[*part(flats, "rent", "train")[:5], *part(flats, "rent", "val")[:3]]]
    alone = score(Labelled(write(new, tmp_path / "new.csv")), rows)
    assert alone.copies is not None and (alone.copies.copies, alone.copies.asked) == (0, 40)
    assert "tell of memory" not in capsys.readouterr().out
    mixed = write(pd.concat([known, new]).sample(frac=1, random_state=0), tmp_path / "mixed.csv")
    made = score(Labelled(mixed), rows, out=tmp_path / "scores.json")
    assert made.copies is not None and (made.copies.copies, made.copies.asked) == (8, 48)
    for name, task in alone.tasks.items():
        assert made.tasks[name].fresh == pytest.approx(task.metrics[task.primary].here, rel=1e-6)
    out = " ".join(capsys.readouterr().out.split())
    assert "8 of 48 rows equal one that the model was trained or validated on" in out
    assert "(0 of 350 of the test part do): figures on them tell of memory. Without them rent has" in out
    assert '"copies": 8' in (tmp_path / "scores.json").read_text()
    only = score(Labelled(write(known, tmp_path / "known.csv")), rows)
    assert all(task.fresh is None for task in only.tasks.values())
    assert "Nothing is left to score without them." in " ".join(capsys.readouterr().out.split())


def test_hashes_are_sorted_bytes_of_the_same_content_and_the_card_tells_of_them(rows: Path, mixture: Project) -> None:
    deployment = Deployment.of_folder(rows)
    ((facts,),) = (origin.samples for origin in deployment.sources.values())
    assert (facts.samples, facts.kept, facts.tested, facts.repeated) == (350, 350, 350, 0)
    before = (rows / TRAINED).read_bytes()
    deploy(Wish(name="again"), mixture.root)
    assert (mixture.root / "models/again" / TRAINED).read_bytes() == before
    assert f"`{TRAINED}` holds hashes of the samples" in (rows / CARD).read_text(encoding="utf-8")


def test_without_the_file_nothing_is_noticed_and_a_damaged_one_is_refused(
    rows: Path, flats: Project, tmp_path: Path
) -> None:
    folder = shutil.copytree(rows, tmp_path / "model")
    data = write(flats_frame().iloc[part(flats, "rent", "train")[:20]], tmp_path / "known.csv")
    content = (folder / TRAINED).read_bytes()
    (folder / TRAINED).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"trained\.safetensors is damaged, or not the one that deployment\.json names"):
        score(Labelled(data), folder)
    (folder / TRAINED).unlink()
    made = score(Labelled(data), folder)
    assert made.copies is None
    assert made.notes == [
        "whether rows of the file were trained on is not known: trained.safetensors, which would tell, is not in its "
        "folder"
    ]


def test_of_many_samples_an_even_choice_is_kept_and_looked_up(
    rows: Path, flats: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _ = load_tasks(flats.config, 0, flats.root)
    train, test = (data.select(["rent"], split)[0].samples for split in ("train", "test"))
    monkeypatch.setattr(copies, "MOST", 60)
    kept = Kept.of("rent", "any", [train], [train, test], b"key")
    every = np.sort(prints(train, b"key"))
    assert np.array_equal(kept.hashes, every[:60])
    assert kept.samples == len(train) and kept.repeated == 60
    assert kept.tested == 60 + int((prints(test, b"key") <= every[59]).sum())
    assert not np.isin(prints(train, b"other"), every).any()


def test_windows_of_a_series_are_looked_up_by_what_the_network_sees_of_them(
    series: Path, plant: Project, tmp_path: Path
) -> None:
    frame = plant_frame()
    for when, share in ((slice(0, 100), 1.0), (slice(-80, None), 0.0)):
        some = pd.concat([town[1].iloc[when] for town in frame.groupby("town", sort=False)])
        some.to_csv(tmp_path / "some.csv", index=False)
        made = score(Labelled(tmp_path / "some.csv"), series)
        assert made.copies is not None and made.copies.noun == "windows"
        assert made.copies.copies == share * made.copies.asked and made.copies.asked > 100


def test_images_of_an_npz_are_looked_up(digits: Project, tmp_path: Path) -> None:
    made = digits.copy(tmp_path / "digits")
    folder = deploy(Wish(method="joint"), made.root)
    data, _ = load_tasks(digits.config, 0, digits.root)
    pools = [data.select(["digit"], split)[0] for split in ("train", "test")]
    numbers = torch.cat([pools[0].samples.numbers[:7], pools[1].samples.numbers[:30]])
    images = data.sources["digits"].data.images[numbers].numpy()
    labels = data.sources["digits"].data.labels["classes"][numbers].numpy()
    np.savez(tmp_path / "images.npz", x=images, classes=np.array(data.specs["digit"].classes)[labels])
    told = score(Labelled(tmp_path / "images.npz"), folder).copies
    assert told is not None and (told.copies, told.asked, told.noun) == (7, 37, "images")
