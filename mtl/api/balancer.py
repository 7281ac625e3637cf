"""A balancing method in a loop of one's own: the losses of a step in, gradients set.

K tasks, k ≤ K of them with a loss in the step, B samples of a batch, D width of the features.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from mtl.balancing.base import Balancer, Pass, Step
from mtl.balancing.build import build_balancer
from mtl.config import balancing as methods
from mtl.config.methods import MethodBase
from mtl.errors import UserError, shown
from mtl.tasks.bare import bare
from mtl.types import Predictions

UNKNOWN = "regression"
"""Kind of tasks of which no kind is told, for methods that do not ask for it."""


class LoopBalancer:
    """Sets the gradients of a step by a method; made by `mtl.balancer`.

    Attributes:
        tasks: names of the K tasks.
        method: settings of the method.
    """

    def __init__(self, method: Any, tasks: Mapping[str, str], seed: int) -> None:
        self.tasks = list(tasks)
        self.method = method
        self._inner: Balancer = build_balancer(method, [bare(name, kind) for name, kind in tasks.items()], seed)
        self._shared: set[int] = set()

    def parameters(self) -> list[nn.Parameter]:
        """Weights that the method learns, for an optimiser of their own (such as Adam at a rate of 0.01); most methods
        have none."""
        return [parameter for parameter in self._inner.parameters() if parameter.requires_grad]

    def state_dict(self) -> dict[str, Any]:
        """All that the method remembers and learns."""
        return self._inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._inner.load_state_dict(state)

    def backward(
        self,
        losses: Mapping[str, Tensor] | Sequence[Tensor] | Tensor,
        features: Tensor | None = None,
        epoch: int | None = None,
        progress: float | None = None,
    ) -> dict[str, float]:
        """Sets `.grad` of every parameter that the losses depend on, in the place of `loss.backward()`; call the
        optimiser's `zero_grad` before and its `step` after it.

        Shared parameters follow the method's combination of the tasks' gradients. The others, each of which one task
        depends on, follow their own task.

        Args:
            losses: one number a task, each with its graph: a mapping of names (those without a sample in the step may
                be missing), or as many as there are tasks, in their order, or a tensor [K].
            features: [B, D] tensor that the shared part of the network gives and all heads read. What it depends on is
                shared; without it, that is what several losses depend on. Methods with `features="features"` take the
                gradients on it in the place of those on the shared parameters, which one backward pass gives.
            epoch: of the step, from 1; `dwa` asks for it.
            progress: done share of the training, in [0, 1); `weighted` with a schedule asks for it.

        Returns:
            Task → weight of its loss in the step, of those that have one.

        Raises:
            mtl.errors.UserError: the losses, or what the method asks for beside them, are missing or of another form.
            mtl.balancing.base.NonFiniteGradientError: a task's gradient is NaN or infinite.
        """
        given = self._given(losses)
        at, share = self._at(epoch, progress)
        passes = self._passes(given, features)
        shared, heads = self._parts(list(given.values()), features)
        aggregates = isinstance(self.method, methods.Aggregated | methods.GradNormMethod)
        if aggregates and not shared:
            raise UserError(
                f"`losses` should depend on parameters that tasks share, whose gradients {self.method.kind} combines; "
                "there are none."
            )
        stacked = torch.stack(list(given.values()))
        present = tuple(self.tasks.index(name) for name in given)
        weights = self._inner.backward(Step(stacked, present, share, passes, shared, heads, at))
        return {name: float(weights[place]) for name, place in zip(given, present, strict=True)}

    def _given(self, losses: object) -> dict[str, Tensor]:
        """Task → loss, in the order of the tasks."""
        if isinstance(losses, Mapping):
            unknown = [name for name in losses if name not in self.tasks]
            if unknown:
                raise UserError(f"`losses` should name tasks ({', '.join(self.tasks)}), found {shown(unknown[0])}.")
            named = {name: losses[name] for name in self.tasks if name in losses}
        elif isinstance(losses, Tensor | list | tuple):
            count = losses.numel() if isinstance(losses, Tensor) else len(losses)
            if count != len(self.tasks) or (isinstance(losses, Tensor) and losses.ndim != 1):
                form = f"the shape {list(losses.shape)}" if isinstance(losses, Tensor) else f"{count} of them"
                raise UserError(
                    f"`losses` should be {len(self.tasks)}, one for each task ({', '.join(self.tasks)}), found {form}; "
                    "a mapping of names may leave some out."
                )
            named = dict(zip(self.tasks, losses, strict=True))
        else:
            raise UserError(f"`losses` should be tensors, by name or in order, found {type(losses).__name__}.")
        if not named:
            raise UserError("`losses` should hold one loss at least, found none.")
        for name, loss in named.items():
            if not isinstance(loss, Tensor):
                raise UserError(f"`losses[{name!r}]` should be a tensor, found {type(loss).__name__}.")
            if loss.numel() != 1 or not loss.is_floating_point():
                raise UserError(
                    f"`losses[{name!r}]` should be one real number, found {loss.dtype} of the shape "
                    f"{list(loss.shape)}: take the mean over the batch."
                )
            if loss.grad_fn is None:
                raise UserError(f"`losses[{name!r}]` should have a graph to go back through, found a plain number.")
        return {name: loss.reshape(()) for name, loss in named.items()}

    def _at(self, epoch: object, progress: object) -> tuple[int, float]:
        """Epoch and progress of the step; 1 and 0 where the method does not ask for them."""
        if epoch is None and isinstance(self.method, methods.DwaMethod):
            raise UserError("`epoch` is missing: dwa weighs by the mean losses of the last two epochs, counted from 1.")
        if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1):
            raise UserError(f"`epoch` should be a whole number from 1 on, found {shown(epoch)}.")
        if progress is None and isinstance(self.method, methods.WeightedMethod) and self.method.schedule != "constant":
            raise UserError(f"`progress` is missing: the schedule {self.method.schedule} goes by it, from 0 to 1.")
        if progress is not None and (not isinstance(progress, int | float) or not 0 <= progress <= 1):
            raise UserError(f"`progress` should be a number from 0 to 1, found {shown(progress)}.")
        return (1 if epoch is None else int(epoch)), (0.0 if progress is None else float(progress))

    def _passes(self, given: Mapping[str, Tensor], features: object) -> tuple[Pass, ...]:
        """The pass of the step, for methods that read the gradients on the features."""
        if features is not None:
            if not isinstance(features, Tensor):
                raise UserError(f"`features` should be one tensor [B, D], found {type(features).__name__}.")
            if features.grad_fn is None:
                raise UserError("`features` should have a graph: give the tensor that the heads read, not a copy.")
        if not self._inner.needs_passes:
            return ()
        if features is None:
            raise UserError(
                f"`features` is missing: {self.method.kind} with features='features' takes the gradients on the tensor "
                "that all heads read."
            )
        assert isinstance(features, Tensor)
        places = {name: self.tasks.index(name) for name in given}
        return (Pass(places, Predictions(own={}, stacks={}, features=(features,)), linear={}),)

    def _parts(
        self, losses: Sequence[Tensor], features: Tensor | None
    ) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Shared parameters, those near the input first, and the others."""
        of_losses = [_leaves(loss) for loss in losses]
        every = {key: leaf for leaves in of_losses for key, leaf in leaves.items()}
        if features is not None:
            inner = _leaves(features)
            if not inner.keys() <= every.keys() or not inner:
                raise UserError(
                    "`features` should be what the losses were computed from, found a tensor of another pass."
                )
            keys = set(inner)
        else:
            keys = {key for key in every if sum(key in leaves for leaves in of_losses) > 1}
            self._shared |= keys
            keys |= self._shared & every.keys()  # in a step with a loss of one task alone
        shared = [leaf for key, leaf in reversed(every.items()) if key in keys]
        return shared, [leaf for key, leaf in every.items() if key not in keys]


def _leaves(tensor: Tensor) -> dict[int, nn.Parameter]:
    """Parameters that a tensor depends on, the nearest first."""
    seen: set[Any] = set()
    leaves: dict[int, Any] = {}
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.setdefault(id(node.variable), node.variable)
        waiting += [parent for parent, _ in node.next_functions]
    return leaves


def balancer(method: object, tasks: object, settings: Mapping[str, Any], seed: object = 0) -> LoopBalancer:
    """As `mtl.balancer`, which is the way in."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UserError(f"`seed` should be a whole number from 0 on, found {shown(seed)}.")
    kinds = _kinds(tasks)
    section = _section(method, settings)
    told = isinstance(tasks, Mapping)
    halves = isinstance(section, methods.UncertaintyMethod) and section.form == "kendall"
    if not told and (halves or isinstance(section, methods.WeightedMethod)):
        raise UserError(
            f"`tasks` should say the kind of each for {method}, which treats numbers and classes differently: a "
            f"mapping such as {{{next(iter(kinds))!r}: 'regression', …}}."
        )
    if section.normalise == "log_classes":
        raise UserError(
            "`normalise` should be none, initial or ema here: log_classes asks for the classes of the data."
        )
    for name in ("weights", "preferences"):
        values = getattr(section, name, None)
        if values is not None and len(values) != len(kinds):
            raise UserError(f"`{name}` should be {len(kinds)} numbers, one for each task, found {len(values)}.")
    made = LoopBalancer(section, kinds, seed)
    families = {spec.family for spec in made._inner.specs}
    if isinstance(section, methods.WeightedMethod) and len(families) < 2:
        raise UserError("`tasks` should have numbers and classes for weighted, whose λ is the share of the classes.")
    return made


def _kinds(tasks: object) -> dict[str, str]:
    """Task → kind."""
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise UserError(f"`tasks` should be a list of names, or a mapping of names to kinds, found {shown(tasks)}.")
    names = list(tasks)
    if not names or any(not isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise UserError(f"`tasks` should be different names, one at least, found {shown(names)}.")
    return {name: str(tasks[name]) for name in names} if isinstance(tasks, Mapping) else dict.fromkeys(names, UNKNOWN)


def _section(method: object, settings: Mapping[str, Any]) -> Any:
    """Settings of a method, checked."""
    union = methods.LossMethod | methods.GradientMethod
    classes = {str(get_args(kind.model_fields["kind"].annotation)[0]): kind for kind in get_args(union)}
    if not isinstance(method, str) or method not in classes:
        raise UserError(f"`method` should be one of {', '.join(classes)}, found {shown(method)}.")
    fields = {field.alias or name: name for name, field in classes[method].model_fields.items()}
    allowed = {key for key, name in fields.items() if name != "kind" and name not in MethodBase.model_fields}
    unknown = [name for name in settings if name not in allowed | {fields[key] for key in allowed}]
    if unknown:
        raise UserError(f"`{unknown[0]}` is no setting of {method}; it has {', '.join(sorted(allowed))}.")
    try:
        return TypeAdapter(classes[method]).validate_python({"kind": method, **settings})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or method
        if first["type"] == "missing":
            raise UserError(f"`{place}` is missing: {method} asks for it.") from None
        told = first["msg"].replace("Input should", "should").replace("Value error, ", "")
        raise UserError(f"`{place}` {told}, found {shown(first.get('input'))}.") from None
