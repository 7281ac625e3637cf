"""Images from the source to the report: label rules, a coin, flipped images; and a wrong name stops before training."""

import pytest

from tests.e2e.project import Json, Project, settings
from tests.e2e.test_wrong_inputs import place, refused

pytestmark = pytest.mark.thorough

__all__ = ["place"]  # the fixture


def digits(**labels: object) -> Json:
    """`settings` on the embedded digits, one seed and start."""
    changed = settings()
    changed["base"] |= {"seeds": [0], "jobs": 2}
    changed["prepare"]["sources"] = {"digits": {"kind": "digits"}}
    changed["tasks"] = {
        name: {"kind": "binary", "source": "digits", "label": label, "class_weights": "balanced"}
        for name, label in labels.items()
    }
    changed["encoder"] = {"kind": "mlp", "sizes": [64]}
    changed["train"] |= {"epochs": 8, "lr": 0.01}
    changed["pretrain"] = {"objective": {"kind": "none"}}
    changed["baseline"] = {"starts": [{"init": "random"}]}
    changed["finetune"]["methods"] = {"joint": {"kind": "equal"}}
    changed["tracking"] = {"enabled": False}
    return changed


@pytest.mark.slow
def test_rules_over_digits_give_a_report(place: Project) -> None:
    labels = {"even": "even", "nine": {"one_vs_rest": 9}, "down": {"flipped": 3}, "coin": {"coin": 3}}
    place.use(digits(**labels))
    done = place.mtl("repro").well()
    assert "digits: 1,797 images of 8 × 8 pixels (grey); train 1,149, val 288, test 360 (fold 0 of 5" in done.out
    run = place.json("outputs/finetune/joint/seed-0/run.json")
    classes = {task: run["detail"][task]["classes"] for task in labels}
    assert classes == {
        "even": ["odd", "even"], "nine": ["rest", "9"], "down": ["upright", "flipped"], "coin": ["heads", "tails"],
    }  # fmt: skip
    accuracy = {task: run["test"][task]["balanced_accuracy"] for task in labels}
    assert accuracy["even"] > 0.85 and accuracy["nine"] > 0.85 and accuracy["down"] > 0.85
    assert 0.4 < accuracy["coin"] < 0.6
    page = (place.root / "report/report.html").read_text(encoding="utf-8")
    assert all(task in page for task in labels)
    assert place.mtl("repro").well().ran == []


@pytest.mark.slow
def test_an_unknown_class_stops_before_training(place: Project) -> None:
    place.use(digits(even="even", ten={"one_vs_rest": "ten"}))
    done = place.mtl("repro")
    assert done.code == 2 and done.trained == []
    message = "params.yaml: `tasks.ten.label.one_vs_rest` should be among the classes of `classes`: 0, 1, 2, "
    refused("\n".join(line for line in done.err.splitlines() if line.startswith("error:")) + "\n", message)
    assert not (place.root / "data/index.json").exists() and not (place.root / "outputs").exists()
