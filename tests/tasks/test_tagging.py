"""Classes at positions: spans as seqeval counts them, means over the positions that count, and what padding leaves."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtl.config.inputs import TOKENS
from mtl.tasks.confusion import confusion_table, macro_f1
from mtl.tasks.label_scores import label_metrics
from mtl.tasks.spans import Spans, are_spans, span_counts
from mtl.tasks.tag_scores import Positions, tag_errors, tag_metrics
from mtl.tasks.tagging import Tagging
from mtl.types import NO_LABEL

CLASSES = ["B-a", "B-b", "I-a", "I-b", "O"]
SPEC = Tagging(name="t", source="s", shape=(1,), columns=["words"], input=TOKENS, metric="span_f1", label="l",
               classes=CLASSES)  # fmt: skip


def drawn(seed: int, count: int = 40, longest: int = 9) -> tuple[Tensor, Tensor]:
    """Logits with NaN behind the end of each sample, and targets with some missing."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, longest, len(CLASSES), generator=draw)
    target = torch.randint(0, len(CLASSES), (count, longest), generator=draw)
    lengths = torch.randint(1, longest + 1, (count, 1), generator=draw)
    behind = torch.arange(longest) >= lengths
    return logits.masked_fill(behind[..., None], math.nan), target.masked_fill(behind, NO_LABEL)


@pytest.mark.parametrize("seed", range(5))
def test_spans_are_those_of_seqeval(seed: int) -> None:
    """An oracle of the field, in the mode of conlleval: any sequence, also one that breaks BIO."""
    metrics = pytest.importorskip("seqeval.metrics")
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling")
    logits, target = drawn(seed)
    said = logits.argmax(dim=2).masked_fill(target == NO_LABEL, NO_LABEL)
    rows = [
        [[CLASSES[number] for number in row if number != NO_LABEL] for row in numbers.tolist()]
        for numbers in (target, said)
    ]
    found = tag_metrics(Positions.of(logits, target), CLASSES)[0]
    assert found["span_f1"] == pytest.approx(metrics.f1_score(*rows), abs=1e-12)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(*rows), abs=1e-12)
    spans = Spans(CLASSES)
    for number, row in enumerate(rows[0]):
        own = [
            (spans.types[kind], begin, end) for _, begin, end, kind in spans.of(target[number : number + 1]).tolist()
        ]
        assert own == [tuple(span) for span in entities.get_entities(row)]


def test_a_span_is_right_if_both_ends_and_the_type_are() -> None:
    number = {name: place for place, name in enumerate(CLASSES)}
    truth = torch.tensor([[number[tag] for tag in ["B-a", "I-a", "O", "B-b", "I-b"]]])
    for said, right in (("B-a I-a O B-b I-b", 2), ("B-a O O B-b I-b", 1), ("B-b I-b O B-b I-b", 1), ("O O O O O", 0),
                        ("I-a I-a O I-b I-b", 2), ("B-a B-a O B-b B-b", 0)):  # fmt: skip
        counts = span_counts(Spans(CLASSES), torch.tensor([[number[tag] for tag in said.split()]]), truth)
        assert float(counts.right.sum()) == right, said


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "span_f1"])
def test_the_mean_of_the_errors_is_the_metric(metric: str) -> None:
    logits, target = drawn(7)
    at = Positions.of(logits, target)
    errors = tag_errors(metric, at, CLASSES)
    assert errors is not None
    assert 1 - float(errors.mean()) == pytest.approx(tag_metrics(at, CLASSES)[0][metric], abs=1e-9)


@pytest.mark.parametrize("metric", ["f1", "average_precision"])
def test_of_two_classes_the_second_is_the_positive_one(metric: str) -> None:
    draw = torch.Generator().manual_seed(11)
    logits, target = torch.randn(30, 6, 2, generator=draw), torch.randint(-1, 2, (30, 6), generator=draw)
    at = Positions.of(logits, target)
    there = target != NO_LABEL
    margin = logits[there][:, 1] - logits[there][:, 0]
    expected = label_metrics(margin, target[there], ["no", "yes"], metric, True)[0]
    metrics = tag_metrics(at, ["no", "yes"])[0]
    assert metrics[metric] == pytest.approx(expected[metric], abs=1e-6)
    errors = tag_errors(metric, at, ["no", "yes"])
    assert errors is not None and 1 - float(errors.mean()) == pytest.approx(metrics[metric], abs=1e-9)


def test_macro_f1_may_be_the_mean_over_some_classes() -> None:
    logits, target = drawn(12)
    at = Positions.of(logits, target)
    over = (1, 3)
    table = confusion_table(at.truth, at.logits.argmax(dim=1), len(CLASSES))
    assert tag_metrics(at, CLASSES, over)[0]["macro_f1"] == macro_f1(table, over)
    errors = tag_errors("macro_f1", at, CLASSES, over)
    assert errors is not None and 1 - float(errors.mean()) == pytest.approx(macro_f1(table, over), abs=1e-9)


def test_what_is_no_position_changes_nothing() -> None:
    logits, target = drawn(3)
    longer = functional.pad(logits, (0, 0, 0, 4), value=math.nan), functional.pad(target, (0, 2), value=NO_LABEL)
    loss = Tagging.criterion([SPEC])
    assert torch.equal(loss(*longer), loss(logits, target))
    assert SPEC.score(*longer, True) == SPEC.score(logits, target, True)
    assert torch.equal(SPEC.sample_losses(*longer), SPEC.sample_losses(logits, target))
    certain, right, _ = SPEC.noted(logits, target)
    assert certain is not None and right is not None
    assert certain.shape == right.shape == (40, 1)


def test_no_gradient_is_lost_or_broken_by_padding() -> None:
    logits, target = drawn(5)
    free = logits.clone().requires_grad_()
    Tagging.criterion([SPEC])(free, target).backward()
    assert free.grad is not None and bool(free.grad.isfinite().all())
    assert float(free.grad[target == NO_LABEL].abs().sum()) == 0


def test_weights_of_samples_weigh_their_positions() -> None:
    logits, target = drawn(6)
    loss = Tagging.criterion([SPEC])
    ones, some = torch.ones(40), (torch.arange(40) < 10).float()
    torch.testing.assert_close(loss.weighted(logits, target, ones), loss(logits, target))
    torch.testing.assert_close(loss.weighted(logits, target, some), loss(logits[:10], target[:10]))


def test_answers_have_a_tag_for_each_position() -> None:
    logits, target = drawn(8)
    answer = SPEC.answer(logits)
    lengths = (target != NO_LABEL).sum(dim=1).tolist()
    assert [len(tags) for tags in answer.predicted] == [len(p) for p in answer.probabilities] == lengths
    assert SPEC.present(logits)["class"][0].split() == answer.predicted[0]
    assert SPEC.truth(torch.tensor([[0, NO_LABEL, 4, NO_LABEL], [NO_LABEL] * 4])) == ["B-a _ O", ""]
    mixed = SPEC.combine([logits, logits], [0.25, 0.75])
    assert SPEC.answer(mixed).predicted == answer.predicted


def test_shares_of_training_tags_are_a_prediction_without_input() -> None:
    _, target = drawn(9)
    blind = SPEC.blind(target, 3)
    shares = torch.bincount(target[target != NO_LABEL], minlength=5) / (target != NO_LABEL).sum()
    torch.testing.assert_close(blind.exp(), shares.expand(3, target.shape[1], 5))


def test_classes_of_spans_are_known_by_their_names() -> None:
    assert are_spans(CLASSES) and not are_spans(["NOUN", "VERB"]) and not are_spans(["O", "X"])
    plain = replace(SPEC, classes=["NOUN", "VERB"], metric="accuracy")
    assert "span_f1" not in plain.score(torch.randn(2, 3, 2), torch.tensor([[0, 1, 1], [1, 0, NO_LABEL]]), True)[0]
