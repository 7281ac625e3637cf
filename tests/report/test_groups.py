"""Data maps and groups on the page: shown when they were asked for, with the hardest samples, and absent otherwise."""

from pathlib import Path

import pytest

from mtl.config import Config
from mtl.config.grouping import ClusterConfig
from mtl.files import write_json
from mtl.grouping.find import find_groups
from mtl.paths import GROUPS
from mtl.report.page import write_report
from mtl.report.plot_groups import group_tables, groups
from mtl.report.words import Json
from tests.helpers.group_results import WORST, with_maps, write_maps_and_groups
from tests.helpers.records import epoch_json, history_json, run_json
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Config, Json]:
    root = tmp_path_factory.mktemp("grouped")
    config, verdicts = write_results(root, methods=("joint", "uncertainty"))
    config = with_maps(config)
    write_maps_and_groups(root, config)
    return root, write_report(config, typed(verdicts), root).read_text(encoding="utf-8"), config, verdicts


def test_the_page_shows_maps_groups_and_the_hardest_samples(grouped: tuple[Path, str, Config, Json]) -> None:
    root, text, _, _ = grouped
    figures = {path.stem for path in (root / "report/figures").iterdir()}
    assert {"datamap_joint", "memberships", "dendrogram"} <= figures
    assert "datamap_uncertainty" not in figures
    for title in ("Data maps of joint", "Which tasks belong together", "Hardest samples of joint"):
        assert title in text
    assert f'<td class="text">{WORST[0]} (0.00), {WORST[1]} (0.01), ' in text
    assert '<tr><th scope="row">fault</th><td>40</td>' in text  # ten samples are not the task's
    assert "1: near, far, fault and load_state; 2: coin." in text


@pytest.mark.thorough
def test_the_same_results_give_the_same_bytes(grouped: tuple[Path, str, Config, Json]) -> None:
    root, text, config, verdicts = grouped
    assert write_report(config, typed(verdicts), root).read_text(encoding="utf-8") == text


def test_nothing_is_shown_that_was_not_asked_for(plain: tuple[Path, str]) -> None:
    root, text = plain
    assert (root / GROUPS).is_file()
    assert "Data maps" not in text and "belong together" not in text


def test_a_selection_shows_its_score_and_the_affinities_that_it_rests_on(tmp_path: Path) -> None:
    helps = {"a": {"a": 0.02, "b": 0.01}, "b": {"a": -0.0049, "b": 0.02}}
    looked = {"affinity": helps, "probes": {task: {"a": 1, "b": 1} for task in helps}}
    folder = tmp_path / "outputs/finetune/joint/seed-0"
    write_json(folder / "run.json", run_json(tasks=("a", "b")))
    write_json(folder / "history.json", history_json(epoch_json(tasks=("a", "b"), lookahead=looked)))
    asked = {"source": "joint", "clusters": 1, "relation": {"kind": "lookahead"}}
    found = find_groups(
        ClusterConfig.model_validate(asked | {"algorithm": {"kind": "network_selection"}}), [0], tmp_path
    )
    _, affinities, score = group_tables(found)
    assert affinities.rows == [["a", "+20.00", "+10.00"], ["b", "−4.90", "+20.00"]]
    assert score.rows == [["1", "0.0051"]]
    assert "may train in several groups" in groups(found)[0].caption
