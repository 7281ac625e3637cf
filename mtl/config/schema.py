"""`Config`: the models of all sections, and so the schema of params.yaml."""

from typing import Annotated

from pydantic import Field

from mtl.config.common import Name, Section
from mtl.config.encoder import EncoderConfig
from mtl.config.grouping import ClusterConfig, SpecialiseConfig
from mtl.config.simple import SimpleConfig
from mtl.config.sources import PrepareConfig
from mtl.config.tasks import Task
from mtl.config.training import (
    BaseConfig,
    BaselineConfig,
    EvaluateConfig,
    FinetuneConfig,
    PretrainConfig,
    TrackingConfig,
    TrainConfig,
)
from mtl.config.tune import TuneConfig


class Config(Section):
    """The whole of params.yaml."""

    base: BaseConfig = BaseConfig()
    prepare: PrepareConfig
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    encoder: EncoderConfig
    train: TrainConfig = TrainConfig()
    simple: SimpleConfig = SimpleConfig()
    pretrain: PretrainConfig = PretrainConfig()
    baseline: BaselineConfig = BaselineConfig()
    finetune: FinetuneConfig
    cluster: ClusterConfig = ClusterConfig()
    specialise: SpecialiseConfig = SpecialiseConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    tracking: TrackingConfig = TrackingConfig()
    tune: TuneConfig = TuneConfig()

    def method_tasks(self, method: str) -> list[str]:
        """Names of the tasks that `method` trains together, in the order of the file."""
        _, chosen = self.finetune.methods[method].trains
        return [name for name in self.tasks if chosen is None or name in chosen]

    def judged_tasks(self, method: str) -> list[str]:
        """Tasks that `method` is judged by: its target alone where it has one."""
        target = self.finetune.methods[method].target
        return self.method_tasks(method) if target is None else [target]

    @property
    def baseline_tasks(self) -> list[str]:
        """Tasks that are trained alone, in the order of the file."""
        return [name for name in self.tasks if self.baseline.tasks is None or name in self.baseline.tasks]
