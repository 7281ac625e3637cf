"""Ridge and logistic regressions that tasks start from: fitted on training data; validation data choose the penalty."""

from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.models.linear_map import ForecastMap, KernelMap, RowMap
from mtl.models.multitask import MultiTaskModel
from mtl.simple.forecasts import Forecasts
from mtl.simple.samples import SampleModels
from mtl.tasks.forms import LabelForm, NumberForm, RowsForm


def solve_linear_maps(model: MultiTaskModel, data: TaskSet) -> None:
    """Puts ridge or logistic regression into every linear map of a network; the same numbers for every run of a seed.

    Args:
        model: on the CPU.
        data: every task of the seed.

    Raises:
        SettingError: a map from all channels at once has too few windows.
    """
    if not model.linear_maps:
        return
    forecasts = Forecasts(SimpleConfig(), data)
    on_rows: SampleModels | None = None
    for name, linear in model.linear_maps.items():
        spec = data.specs[name]
        match linear, spec.form:
            case ForecastMap(ridge=ridge), RowsForm() as form:
                ridge.weight.copy_(forecasts.linear_map(spec, form, ridge.kind, ridge.channels))
            case RowMap(), LabelForm() | NumberForm() as form:
                on_rows = on_rows or SampleModels(SimpleConfig(), data, threads=1)
                linear.body.load_state_dict(on_rows.on_rows(spec, form).state_dict())
            case KernelMap(), LabelForm() as form:
                samples = SampleModels(SimpleConfig(kernels=linear.kernels), data, threads=1)
                linear.body.load_state_dict(samples.on_kernels(spec, form).state_dict())
            case _:
                raise TypeError(f"{type(linear).__name__} is no map for {type(spec.form).__name__}")
