"""Part of the budget that a quick look trains, in numbers and in words."""

from mtl.config import Config
from mtl.results.content import Part


class QuickLook(Part):
    """A first look with fewer seeds and epochs than params.yaml asks for."""

    seeds: int
    of_seeds: int
    """Number of seeds that params.yaml asks for."""
    epochs: int
    of_epochs: int
    """Epochs that params.yaml asks for."""

    @classmethod
    def of(cls, config: Config) -> "QuickLook | None":
        """The part that a configuration trains; None where its results are the real ones."""
        whole = config.evaluate.quick
        if whole is None:
            return None
        seeds, epochs = len(config.base.seeds), config.train.epochs
        return cls(seeds=seeds, of_seeds=whole.seeds, epochs=epochs, of_epochs=whole.epochs)

    @property
    def budget(self) -> str:
        """`1 of 5 seeds and 3 of 8 epochs`."""
        return f"{_part(self.seeds, self.of_seeds, 'seed')} and {_part(self.epochs, self.of_epochs, 'epoch')}"

    @property
    def text(self) -> str:
        """Sentences that stand wherever its results are shown."""
        return (
            f"Quick look: {self.budget}. One seed decides nothing, so there are no intervals and no verdicts; "
            "`mtl repro` gives both."
        )


def _part(part: int, whole: int, thing: str) -> str:
    return f"{part} of {whole} {thing}{'' if whole == 1 else 's'}"
