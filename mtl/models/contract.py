"""A user's own encoder held against the contract: every point that it misses is told, not the first alone.

B samples of a trial, C channels, L rows, N tokens of a channel, D width. The trial is of random numbers; it leaves the
encoder's mode and torch's global generator as they were.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.inputs import Sample
from mtl.models.base import Encoder, StagedEncoder
from mtl.models.features import Features
from mtl.plugins import failure

TRIAL_BATCH = 3
TOLERANCE = 1e-3
"""Difference of features between two passes over the same sample, in shares of the largest feature."""


class Missed:
    """Points of the contract that are missed, each told once, however many samples show it."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}

    def unless(self, condition: bool, point: str, message: str) -> bool:
        """Notes the point if the condition does not hold; returns the condition."""
        if not condition:
            self._messages.setdefault(point, message)
        return condition

    @contextmanager
    def unless_it_fails(self, point: str, message: str) -> Iterator[None]:
        """Notes the point if the block fails, and goes on behind it."""
        try:
            yield
        except Exception as error:  # the user's code may fail in any way
            self.unless(False, point, f"{message} ({failure(error)})")

    @property
    def messages(self) -> list[str]:
        return list(self._messages.values())


def network_width(network: nn.Module, samples: Sequence[Sample], width: int | None) -> tuple[int | None, list[str]]:
    """The width D of a plain network, and what keeps it from being an encoder.

    Args:
        network: from a batch to [B, D]; lazy layers get their weights here.
        samples: a sample of each task, of known shape.
        width: D as params.yaml says it, or None.
    """
    missed = Missed()
    widths: dict[int, str] = {} if width is None else {width: "`encoder.width`"}
    for sample, x in _trials(samples):
        where = f"for {sample.whose}, a batch {list(x.shape)}"
        with _passive(network), missed.unless_it_fails("pass", f"it failed {where}"):
            rows = network(x)
            form = f"{type(rows).__name__} {list(rows.shape)}" if isinstance(rows, Tensor) else type(rows).__name__
            whole = isinstance(rows, Tensor) and rows.ndim == 2 and len(rows) == len(x) and rows.is_floating_point()
            if missed.unless(whole, "rows", f"it should return float numbers [B, D] {where}, found {form}"):
                widths.setdefault(rows.shape[1], where)
    if len(widths) > 1:
        told = " and ".join(f"{number} ({where})" for number, where in widths.items())
        missed.unless(False, "width", f"it should return rows of one width D, found {told}")
    return next(iter(widths), None), missed.messages


def missed_points(encoder: Encoder, samples: Sequence[Sample]) -> list[str]:
    """Points of the contract that an encoder misses, in words.

    Args:
        encoder: as it was built; lazy layers get their weights here.
        samples: a sample of each task, of known shape.
    """
    missed = Missed()
    _check_attributes(encoder, missed)
    for sample, x in _trials(samples):
        where = f"for {sample.whose}, a batch {list(x.shape)}"
        features: object = None
        given = x.clone()
        with _passive(encoder), missed.unless_it_fails("pass", f"it failed {where}"):
            features = encoder(x, 0.0)
            missed.unless(torch.equal(x, given), "in place", "it should leave the batch that it is given as it was")
            if _check_features(features, encoder, sample, missed, where):
                assert isinstance(features, Features)
                _check_passes(encoder, features, given, missed)
                if sample.kind.has_length and given.shape[-1] == 1:
                    same = bool((features.tokens == features.tokens[:1]).all())
                    message = f"its features of windows of one row should differ, found the same for all {where}"
                    missed.unless(not same, "constant", message)
                if isinstance(encoder, StagedEncoder):
                    _check_stages(encoder, given, missed)
        if isinstance(features, Features):
            _check_training(encoder, given, missed, where)
    return missed.messages


def _trials(samples: Sequence[Sample]) -> list[tuple[Sample, Float[Tensor, "B *S"]]]:
    """A sample of every shape with a batch of that shape."""
    of_shape = {tuple(number for number in sample.shape if number is not None): sample for sample in reversed(samples)}
    return [
        (sample, torch.randn(TRIAL_BATCH, *shape, generator=torch.Generator().manual_seed(0)))
        for shape, sample in sorted(of_shape.items())
    ]


@contextmanager
def _passive(network: nn.Module) -> Iterator[None]:
    """Eval mode without gradients inside."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def _check_attributes(encoder: Encoder, missed: Missed) -> None:
    width, dropout = _width(encoder), _dropout(encoder)
    missed.unless(type(width) is int, "width", f"its attribute `width` should be of type int, found {width!r}")
    missed.unless(
        type(dropout) in (float, int), "dropout", f"its attribute `dropout` should be of type float, found {dropout!r}"
    )
    if isinstance(encoder, StagedEncoder):
        with missed.unless_it_fails("stages", "`stages` or `stage_widths` failed"):
            names, widths = tuple(encoder.stages), tuple(encoder.stage_widths)
            inside = dict(encoder.named_modules())
            unknown = [name for name in names if name not in inside]
            missed.unless(not unknown, "names", f"`stages` should name submodules, found {', '.join(unknown)}")
            message = f"`stage_widths` should hold one width for each of its {len(names)} stages, found {len(widths)}"
            missed.unless(len(names) == len(widths), "widths", message)


def _width(encoder: Encoder) -> object:
    """D as the encoder says it; None if it does not."""
    try:
        return encoder.width
    except AttributeError:
        return None


def _dropout(encoder: Encoder) -> object:
    """The dropout rate that the encoder says; None if it does not."""
    try:
        return encoder.dropout
    except AttributeError:
        return None


def _check_features(features: object, encoder: Encoder, sample: Sample, missed: Missed, where: str) -> bool:
    """Notes what is wrong with the features of a trial batch; returns whether their form is right."""
    if not isinstance(features, Features):
        return missed.unless(False, "type", f"it should return Features, found {type(features).__name__}")
    width = _width(encoder)
    wanted: list[tuple[object, ...]] = [(TRIAL_BATCH, 1, 1, width)]
    statistics: tuple[int | None, ...] | None = None
    if sample.kind.continues:
        channels, rows = sample.shape
        tokens = encoder.count_tokens(0 if rows is None else rows)
        wanted = [(TRIAL_BATCH, channels, tokens, width), (TRIAL_BATCH, 1, tokens, width)]
        statistics = (TRIAL_BATCH, channels)
    form = _form(features.tokens)
    shapes = " or ".join(dict.fromkeys(map(str, wanted)))
    right = missed.unless(
        form in wanted, "tokens", f"Features.tokens should have the shape {shapes} {where}, found {form}"
    )
    mean, std = features.mean, features.std
    if mean is not None or std is not None:
        for name, part in (("mean", mean), ("std", std)):
            should = "be None" if statistics is None else f"have the shape {statistics}, or both be None,"
            message = f"Features.{name} should {should} {where}, found {_form(part)}"
            right &= missed.unless(_form(part) == statistics, name, message)
    for name, part in (("tokens", features.tokens), ("mean", mean), ("std", std)):
        if isinstance(part, Tensor):
            finite = bool(part.isfinite().all())
            missed.unless(finite, f"finite {name}", f"Features.{name} should be finite, found NaN or infinity {where}")
    if isinstance(std, Tensor):
        positive = bool((std > 0).all())
        missed.unless(positive, "positive", f"Features.std should be positive, found {float(std.min())}")
    return right


def _form(part: object) -> object:
    """The shape of a tensor, or the name of another type."""
    return tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__


def _check_passes(encoder: Encoder, features: Features, x: Float[Tensor, "B *S"], missed: Missed) -> None:
    """Checks that in eval mode the features of a sample depend neither on chance nor on its neighbours."""
    again, alone = encoder(x.clone(), None), encoder(x[:1].clone(), 0.0)
    tokens = features.tokens
    near = TOLERANCE * float(tokens.abs().max().clamp(min=1e-6))
    missed.unless(
        torch.allclose(again.tokens, tokens, rtol=0, atol=near), "chance",
        "it should give the same features for the same batch in eval mode, whatever `dropout` is, found others",
    )  # fmt: skip
    missed.unless(
        torch.allclose(alone.tokens, tokens[:1], rtol=0, atol=near), "neighbours",
        "it should give the same features for a sample alone and in a batch in eval mode, found others",
    )  # fmt: skip


def _check_stages(encoder: StagedEncoder, x: Float[Tensor, "B *S"], missed: Missed) -> None:
    """Checks that the output of each stage has as many channels as the encoder says, in the dimension that it says."""
    tensor, _ = encoder.begin(x)
    for number, width in enumerate(encoder.stage_widths):
        tensor = encoder.stage(number, tensor, 0.0)
        place = encoder.channel_dim
        has = tensor.shape[place] if -tensor.ndim <= place < tensor.ndim else None
        message = f"stage {number} should give {width} channels in dimension {place}, found {list(tensor.shape)}"
        missed.unless(has == width, "stage", message)


def _check_training(encoder: Encoder, x: Float[Tensor, "B *S"], missed: Missed, where: str) -> None:
    """Checks that the encoder can be copied, and that its weights get gradients, and finite ones.

    It is a copy that is trained; an encoder that cannot be copied is trained itself and then has its numbers again, so
    that its other points are told too.
    """
    twin, kept = encoder, None
    with missed.unless_it_fails("copy", "it cannot be copied (copy.deepcopy)"):
        twin = copy.deepcopy(encoder)
    if twin is encoder:
        kept = [(part, part.detach().clone()) for part in (*encoder.parameters(), *encoder.buffers())]
    training = twin.training
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            _check_gradients(twin.train(), x, missed, where)
        finally:
            twin.train(training)
            for part, before in kept or []:
                part.data.copy_(before)
                part.grad = None


def _check_gradients(encoder: Encoder, x: Float[Tensor, "B *S"], missed: Missed, where: str) -> None:
    """Checks the gradients of one pass in training mode, of an encoder that may be changed by it."""
    weights = [weight for weight in encoder.parameters() if weight.requires_grad]
    if not weights:
        return
    with missed.unless_it_fails("training", f"it failed in training mode {where}"):
        tokens = encoder(x.clone(), None).tokens
        if missed.unless(tokens.requires_grad, "gradient", "its features should carry gradients to its weights"):
            tokens.square().sum().backward()
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
            message = f"its gradients should be finite, found NaN or infinity {where}"
            missed.unless(finite, "finite gradient", message)
