"""Stage `cluster`: groups tasks that belong together, from the records of the runs of one joint method."""

from mtl.grouping.find import find_groups
from mtl.paths import GROUPS
from mtl.results.groups import NoGroups
from mtl.stages.common import stage

SECTIONS = ("base", "cluster")


def main() -> None:
    """Writes outputs/cluster/groups.json; without `cluster.source` it says so and holds nothing else."""
    with stage(SECTIONS) as config:
        groups = NoGroups() if config.cluster.source is None else find_groups(config.cluster, config.base.seeds)
        groups.write(GROUPS)


if __name__ == "__main__":
    main()
