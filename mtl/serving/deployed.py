"""Several finished models that answer as one: each task by the members that a deployment names.

n samples.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mtl.errors import UserError
from mtl.results.calibration import Calibration
from mtl.results.deployment import DEPLOYMENT, MEMBERS, Deployment
from mtl.results.model import MODEL
from mtl.serving.model import LoadedModel, Model
from mtl.tasks.base import TaskSpec
from mtl.tasks.decisions import decision_problem
from mtl.tasks.recalibration import calibration_problem, recalibrated
from mtl.training.measure import CHUNK

OF_CLASSES = "is for tasks of classes"


@dataclass(frozen=True)
class DeployedModel(Model):
    """A deployment, as `mtl.load_model` loads it."""

    deployment: Deployment
    members: Mapping[str, LoadedModel]

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """Name → task, as its first member has it: kind, shape of a sample, columns, classes, units."""
        return {name: self._task(name) for name in self.deployment.order}

    def _task(self, name: str) -> TaskSpec:
        served = self.deployment.tasks[name]
        spec = self.members[next(iter(served.members))].tasks[name]
        return spec if served.decision is None else spec.decided_by(served.decision)

    def members_of(self, task: str) -> list[LoadedModel]:
        """The models that answer a task."""
        return [self.members[name] for name in self.deployment.tasks[task].members]

    def outputs(
        self, samples: object, tasks: Sequence[str] | None = None, batch_size: int = CHUNK
    ) -> dict[str, Tensor]:
        specs = self.asked(tasks)
        shares = {spec.name: self.deployment.tasks[spec.name].members for spec in specs}
        of_member: dict[str, dict[str, Tensor]] = {}
        for member in dict.fromkeys(name for names in shares.values() for name in names):
            # All tasks of the member on these samples, as when it was measured: the last digit depends on that.
            model = self.members[member]
            alike = [name for name, spec in model.tasks.items() if spec.samples == specs[0].samples]
            of_member[member] = model.outputs(samples, alike, batch_size)
        return {spec.name: self._combined(spec, shares[spec.name], of_member) for spec in specs}

    def _combined(
        self, spec: TaskSpec, shares: Mapping[str, float], of_member: Mapping[str, Mapping[str, Tensor]]
    ) -> Tensor:
        """The members' predictions of a task as one, calibrated, on the scale of the first of them."""
        calibration = self.deployment.tasks[spec.name].calibration or {}
        parts = [
            recalibrated(
                spec.taken_from(self.members[name].tasks[spec.name], of_member[name][spec.name]), calibration.get(name)
            )
            for name in shares
        ]
        return parts[0] if len(parts) == 1 else spec.combine(parts, list(shares.values()))


def load_deployed(folder: Path) -> DeployedModel:
    """The models of a deployment's folder.

    Raises:
        UserError: a file is missing, damaged, of a newer version, or not the one that was deployed.
    """
    deployment = Deployment.of_folder(folder)
    members = {}
    for name, member in deployment.members.items():
        place = folder / MEMBERS / name
        file = place / MODEL
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != member.model:
            raise UserError(
                f"{file} is missing, damaged, or not the one that {DEPLOYMENT} names: copy the folder anew, or make it "
                "again with `mtl deploy`."
            )
        members[name] = LoadedModel.of_folder(place)
    for task, served in deployment.tasks.items():
        for name in served.members:
            if task not in members[name].tasks:
                raise UserError(f"{folder / DEPLOYMENT}: `tasks.{task}` names {name}, which does not predict it.")
        for name, calibration in (served.calibration or {}).items():
            problem = _problem(calibration, members[name].tasks[task])
            if problem is not None:
                raise UserError(f"{folder / DEPLOYMENT}: `tasks.{task}.calibration.{name}` {problem}.")
        if served.decision is not None:
            spec = members[next(iter(served.members))].tasks[task]
            problem = decision_problem(served.decision, spec.outputs) if spec.probabilities else OF_CLASSES
            if problem is not None:
                raise UserError(f"{folder / DEPLOYMENT}: `tasks.{task}.decision` {problem}.")
    return DeployedModel(deployment, members)


def _problem(calibration: Calibration, spec: TaskSpec) -> str | None:
    """The reason why a calibration is none of a task, a clause; None where it is one."""
    return calibration_problem(calibration, spec.outputs) if spec.probabilities else OF_CLASSES
