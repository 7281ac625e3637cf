"""Stage `cluster`: groups tasks that belong together, from the records of the runs of one joint method."""

from pathlib import Path

from mtl.config import Config
from mtl.paths import GROUPS
from mtl.results.groups import NoGroups
from mtl.stages.common import stage

SECTIONS = ("base", "cluster")


def main() -> None:
    """Writes outputs/cluster/groups.json; without `cluster.source` it says so and holds nothing else."""
    with stage(SECTIONS) as config:
        cluster(config)


def cluster(config: Config, root: Path = Path()) -> None:
    """Writes the groups of tasks below `root`, the folder of the project; arguments as the config's sections."""
    if config.cluster.source is None:
        NoGroups().write(root / GROUPS)
        return
    from mtl.grouping.find import find_groups  # here: it loads scikit-learn, and most projects group nothing

    find_groups(config.cluster, config.base.seeds, root).write(root / GROUPS)


if __name__ == "__main__":
    main()
