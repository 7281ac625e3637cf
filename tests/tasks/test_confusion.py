"""Measures of predicted classes against scikit-learn."""

import pytest
import torch
from sklearn import metrics as sk

from mtl.tasks.confusion import accuracy, balanced_accuracy, confusion_table, f1, macro_f1
from mtl.tasks.undefined import Undefined, split_undefined


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_agreement_with_scikit_learn(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    truth, guess = (torch.randint(classes, (300,), generator=generator) for _ in range(2))
    table = confusion_table(truth, guess, classes)
    assert (table == sk.confusion_matrix(truth, guess)).all()
    assert accuracy(table) == pytest.approx(sk.accuracy_score(truth, guess))
    assert balanced_accuracy(table) == pytest.approx(sk.balanced_accuracy_score(truth, guess))
    assert macro_f1(table) == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    if classes == 2:
        assert f1(table) == pytest.approx(sk.f1_score(truth, guess))


def test_f1_of_a_class_that_is_missed_imagined_or_absent() -> None:
    no, yes = torch.tensor([0, 0, 0]), torch.tensor([0, 0, 1])
    assert f1(confusion_table(yes, no, 2)) == 0
    assert f1(confusion_table(no, yes, 2)) == 0
    absent = f1(confusion_table(no, no, 2))
    assert absent == Undefined("of 3 samples none is positive and none is predicted to be")
    assert split_undefined({"accuracy": 1.0, "f1": absent}) == (
        {"accuracy": 1.0},
        {"f1": "of 3 samples none is positive and none is predicted to be"},
    )


def test_macro_f1_over_some_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    truth, guess = (torch.randint(4, (300,), generator=generator) for _ in range(2))
    table = confusion_table(truth, guess, 4)
    for over in ((0, 3), (1, 2, 3), (0, 1, 2, 3)):
        wanted = sk.f1_score(truth, guess, average="macro", labels=list(over))
        assert macro_f1(table, over) == pytest.approx(wanted)
    absent = macro_f1(confusion_table(truth.clamp(max=2), guess.clamp(max=2), 4), (1, 3))
    assert isinstance(absent, Undefined) and "of a class of `f1_over`" in absent.reason
