"""One step of descent: the balanced backward pass, the penalty of soft sharing, clipping, and the optimiser's step."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.balancing.base import Balancer, Step
from mtl.models.multitask import MultiTaskModel
from mtl.training.forward import Forwarded
from mtl.training.optimiser import in_order


class Descent:
    """Moves the weights of a network, and what its balancer learns, by the losses of one pass.

    A step is `backward`, `gradient_norm` and `step`, in this order, so that the loop can look at the gradients before
    they move anything.

    Args:
        model: the network.
        balancer: how the losses of its tasks are weighed, or their gradients combined.
        optimiser: of both.
        clip: largest norm of the combined gradient; None: it is not clipped.
    """

    def __init__(
        self, model: MultiTaskModel, balancer: Balancer, optimiser: torch.optim.Optimizer, clip: float | None
    ) -> None:
        self.model, self.balancer, self.optimiser, self.clip = model, balancer, optimiser, clip
        self.shared = [p for p in model.shared_parameters() if p.requires_grad]
        """Parameters that several tasks train."""
        self.columns = model.shared_columns()
        together = {id(p) for p in self.shared}
        self.heads = [p for p in model.parameters() if p.requires_grad and id(p) not in together]
        self.trained = in_order(optimiser)

    def backward(self, passed: Forwarded, progress: float, epoch: int) -> Float[Tensor, " K"]:
        """Sets the gradients by which the tasks of a pass agree to move.

        Args:
            passed: the step's forward pass; some task has a loss in it.
            progress: share of the training that is done, in [0, 1).
            epoch: from 1.

        Returns:
            Each task's weight in the objective.

        Raises:
            NonFiniteGradientError: the balancer met a gradient that is NaN or infinite.
        """
        assert passed.losses is not None
        self.optimiser.zero_grad(set_to_none=True)
        return self.balancer.backward(
            Step(passed.losses, passed.places, progress, passed.passes, self.shared, self.heads, epoch, self.columns)
        )

    def gradient_norm(self) -> Float[Tensor, ""]:
        """Norm of the whole gradient, to which the penalty of soft sharing is added first."""
        penalty = self.model.trunk.penalty()
        if penalty is not None:
            penalty.backward()
        return nn.utils.get_total_norm([p.grad for p in self.trained if p.grad is not None])

    def step(self, norm: Float[Tensor, ""]) -> None:
        """Clips the gradient, whose norm is `norm`, and takes the optimiser's step."""
        if self.clip is not None:
            nn.utils.clip_grads_with_norm_(self.trained, self.clip, norm)
        self.optimiser.step()
