"""Ridge and logistic regressions that tasks start from: fitted on training data; validation data choose the penalty.

A run that is made again from more data takes the penalty that its own validation part has chosen, and fits to all that
it is trained on: samples that chose a penalty are then samples like the others. Of random kernels the factor of the
logits is taken over as well. Penalties are relative to the number of samples, so they mean the same with more of them.
"""

from collections.abc import Callable, Iterator, Mapping
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


def solve_linear_maps(model: MultiTaskModel, data: TaskSet, chosen_on: Callable[[], TaskSet] | None = None) -> None:
    """Puts ridge or logistic regression into every linear map of a network; the same numbers for every run of a seed.

    Args:
        model: on the CPU.
        data: every task of the seed.
        chosen_on: gives them with the validation part that chooses the penalties; None: `data` has it.

    Raises:
        SettingError: a map from all channels at once has too few windows.
    """
    if not model.linear_maps:
        return
    settings: dict[str, Setting] = {}
    if chosen_on is not None:
        settings = {name: setting for name, _, _, setting in _solved(model, chosen_on())}
    for _, solved_for, numbers, _ in _solved(model, data, settings):
        solved_for.load_state_dict(numbers)


def _solved(
    model: MultiTaskModel, data: TaskSet, settings: Mapping[str, Setting] = MappingProxyType({})
) -> Iterator[tuple[str, nn.Module, dict[str, Tensor], Setting]]:
    """(task, module of its map, the numbers that it should have, their setting): that of `settings`, else the one that
    validation data choose."""
    forecasts = Forecasts(SimpleConfig(), data, settings)
    on_rows: SampleModels | None = None
    for name, linear in model.linear_maps.items():
        spec = data.specs[name]
        match linear, spec.form:
            case ForecastMap(ridge=ridge), RowsForm() as form:
                weight, setting = forecasts.linear_map(spec, form, ridge.kind, ridge.channels)
                yield name, ridge, {"weight": weight}, setting
            case RowMap(), LabelForm() | NumberForm() as form:
                on_rows = on_rows or SampleModels(SimpleConfig(), data, 1, settings)
                body, setting = on_rows.on_rows(spec, form)
                yield name, linear.body, body.state_dict(), setting
            case KernelMap(), LabelForm() as form:
                samples = SampleModels(SimpleConfig(kernels=linear.kernels), data, 1, settings)
                body, setting = samples.on_kernels(spec, form)
                yield name, linear.body, body.state_dict(), setting
            case _:
                raise TypeError(f"{type(linear).__name__} is no map for {type(spec.form).__name__}")
