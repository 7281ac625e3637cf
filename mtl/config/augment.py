"""`train.augment`: images of a training batch that are changed at random, which labels should not depend on."""

from pydantic import model_validator

from mtl.config.common import Count, NonNegativeFloat, Section


class Augment(Section):
    """Changes of training images; validation and test see them as they are. What is left out is not done.

    The draws depend on the seed, the source, the epoch and the samples of a batch alone, so that single-task and joint
    runs see the same images.
    """

    flip: bool = False
    """Half of the images mirrored, left and right exchanged. Not where sides mean something, as in digits."""
    shift: Count = 0
    """Pixels by which an image is moved at most in each direction, after which the old frame is cut out again; what
    comes in has the mean colour (He et al. 2016, section 4.2)."""
    colour: NonNegativeFloat = 0.0
    """Largest change of brightness, in standard deviations of a channel, and of contrast and saturation, as a share."""
    cutout: Count = 0
    """Side in pixels of a square of the mean colour at a random place (DeVries and Taylor 2017, arXiv 1708.04552)."""
    mixup: NonNegativeFloat = 0.0
    """Images and losses of pairs are mixed with a weight from Beta(mixup, mixup) for each batch (Zhang et al. 2018,
    arXiv 1710.09412); 0.2 is usual."""

    @model_validator(mode="after")
    def _does_something(self) -> "Augment":
        if not (self.flip or self.shift or self.colour or self.cutout or self.mixup):
            raise ValueError("augment should change something, or be null, found nothing but zeros")
        return self
