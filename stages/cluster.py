"""Stage `cluster`: which tasks belong together, by what the runs of one joint method have recorded."""

from mtl.files import write_json
from mtl.grouping.find import find_groups
from mtl.paths import GROUPS
from stages.common import stage

SECTIONS = ("base", "cluster")


def main() -> None:
    """Writes outputs/cluster/groups.json; without `cluster.source` it says so and holds nothing else."""
    with stage(SECTIONS) as config:
        nothing = {"source": None}
        write_json(GROUPS, find_groups(config.cluster, config.base.seeds) if config.cluster.source else nothing)


if __name__ == "__main__":
    main()
