"""Ridge regressions that forecasts start from: fitted on training data, with a penalty that validation data choose."""

from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet
from mtl.models.multitask import MultiTaskModel
from mtl.simple.forecasts import Forecasts
from mtl.tasks.forms import RowsForm


def solve_linear_maps(model: MultiTaskModel, data: TaskSet) -> None:
    """Puts ridge regression into every linear map of a network; the same numbers for every run of a seed.

    Args:
        model: on the CPU.
        data: every task of the seed.

    Raises:
        SettingError: a map from all channels at once has too few windows.
    """
    if not model.linear_maps:
        return
    forecasts = Forecasts(SimpleConfig(), data)
    for name, linear in model.linear_maps.items():
        spec = data.specs[name]
        assert isinstance(spec.form, RowsForm), "only forecasts have linear maps"
        ridge = linear.ridge
        ridge.weight.copy_(forecasts.linear_map(spec, spec.form, ridge.kind, ridge.channels))
