"""The models of params.yaml and the one function that reads it; imports no torch."""

from mtl.config.balancing import Method, SequentialMethod, UncertaintyMethod, WeightedMethod
from mtl.config.encoder import EncoderConfig, LinearEncoder, PythonEncoder, TimeDartEncoder
from mtl.config.load import PARAMS, Config, load_config, parse_config
from mtl.config.methods import Start
from mtl.config.sources import (
    ArraysSource,
    HarSource,
    PrepareConfig,
    PythonSource,
    RowBorders,
    SensorsSource,
    SeriesSource,
    Source,
    UeaSource,
)
from mtl.config.tasks import BinaryTask, ClassificationTask, ForecastTask, Task
from mtl.config.training import (
    BaseConfig,
    BaselineConfig,
    DenoiseObjective,
    DiffusionObjective,
    EvaluateConfig,
    FinetuneConfig,
    NoObjective,
    PretrainConfig,
    SamplerConfig,
    StoppingConfig,
    TrackingConfig,
    TrainConfig,
)

__all__ = [
    "PARAMS",
    "ArraysSource",
    "BaseConfig",
    "BaselineConfig",
    "BinaryTask",
    "ClassificationTask",
    "Config",
    "DenoiseObjective",
    "DiffusionObjective",
    "EncoderConfig",
    "EvaluateConfig",
    "FinetuneConfig",
    "ForecastTask",
    "HarSource",
    "LinearEncoder",
    "Method",
    "NoObjective",
    "PrepareConfig",
    "PretrainConfig",
    "PythonEncoder",
    "PythonSource",
    "RowBorders",
    "SamplerConfig",
    "SensorsSource",
    "SequentialMethod",
    "SeriesSource",
    "Source",
    "Start",
    "StoppingConfig",
    "Task",
    "TimeDartEncoder",
    "TrackingConfig",
    "TrainConfig",
    "UeaSource",
    "UncertaintyMethod",
    "WeightedMethod",
    "load_config",
    "parse_config",
]
