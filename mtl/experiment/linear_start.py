"""Ridge and logistic regressions that tasks start from: fitted on training data; validation data choose the penalty.

A run that is made again from more data takes the penalty that its own validation part has chosen, and fits to all that
it is trained on: samples that chose a penalty are then samples like the others. Of random kernels the factor of the
logits is taken over as well. Penalties are relative to the number of samples, so they mean the same with more of them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from torch import Tensor, nn

from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.models.linear_map import ForecastMap, KernelMap, RowMap
from mtl.models.multitask import MultiTaskModel
from mtl.simple.forecasts import Forecasts
from mtl.simple.linear import Setting
from mtl.simple.samples import SampleModels
from mtl.tasks.forms import LabelForm, NumberForm, RowsForm

Solved = dict[str, dict[str, Tensor]]
"""Task → the numbers of its map."""
_SOLVED: ContextVar[dict[int, Solved] | None] = ContextVar("solved", default=None)


@contextmanager
def solving_once() -> Iterator[None]:
    """Context of the runs of one configuration on the same prepared data, whose maps are solved once a seed."""
    token = _SOLVED.set({})
    try:
        yield
    finally:
        _SOLVED.reset(token)


def solve_linear_maps(
    model: MultiTaskModel, data: TaskSet, seed: int, chosen_on: Callable[[], TaskSet] | None = None
) -> None:
    """Puts ridge or logistic regression into every linear map of a network; the same numbers for every run of a seed.

    Args:
        model: on the CPU.
        data: every task of the seed.
        seed: of the run.
        chosen_on: gives them with the validation part that chooses the penalties; None: `data` has it.

    Raises:
        SettingError: a map from all channels at once has too few windows.
    """
    if not model.linear_maps:
        return
    settings: dict[str, Setting] = {}
    known: Solved = {}
    if chosen_on is not None:
        settings = {name: setting for name, _, setting in _solved(model, chosen_on())}
    elif (kept := _SOLVED.get()) is not None:
        known = kept.setdefault(seed, {})
    for name, numbers, _ in _solved(model, data, settings, known):
        known[name] = numbers
    for name, linear in model.linear_maps.items():
        solved_for = linear.ridge if isinstance(linear, ForecastMap) else linear.body
        assert isinstance(solved_for, nn.Module)
        solved_for.load_state_dict(known[name])


def _solved(
    model: MultiTaskModel, data: TaskSet, settings: Mapping[str, Setting] = MappingProxyType({}),
    known: Collection[str] = (),
) -> Iterator[tuple[str, dict[str, Tensor], Setting]]:  # fmt: skip
    """(task, the numbers that its map should have, their setting): that of `settings`, else the one that validation
    data choose. Tasks whose numbers are known are passed over."""
    forecasts = Forecasts(SimpleConfig(), data, settings)
    on_rows: SampleModels | None = None
    for name, linear in model.linear_maps.items():
        if name in known:
            continue
        spec = data.specs[name]
        match linear, spec.form:
            case ForecastMap(ridge=ridge), RowsForm() as form:
                weight, setting = forecasts.linear_map(spec, form, ridge.kind, ridge.channels)
                yield name, {"weight": weight}, setting
            case RowMap(), LabelForm() | NumberForm() as form:
                on_rows = on_rows or SampleModels(SimpleConfig(), data, 1, settings)
                body, setting = on_rows.on_rows(spec, form)
                yield name, body.state_dict(), setting
            case KernelMap(), LabelForm() as form:
                samples = SampleModels(SimpleConfig(kernels=linear.kernels), data, 1, settings)
                body, setting = samples.on_kernels(spec, form)
                yield name, body.state_dict(), setting
            case _:
                raise TypeError(f"{type(linear).__name__} is no map for {type(spec.form).__name__}")
