"""`mtl ui --study`: optuna-dashboard on the studies of this project, for this machine only."""

from contextlib import suppress
from pathlib import Path

import optuna

from mtl.cli.study.storage import DATABASE, Store
from mtl.cli.ui import HOST, check_port
from mtl.errors import UserError


def serve_studies(url: str | None, port: int, root: Path = Path()) -> int:
    """Serves until interrupted.

    Args:
        url: of the storage; None: the project's own.
        port: on this machine.
        root: folder of the project.

    Raises:
        UserError: there is no study, the storage cannot be had, or the port is taken.
    """
    if url is None and not (root / DATABASE).exists():
        raise UserError(f"{DATABASE} is missing: there is no study yet; `mtl tune` makes one.")
    store = Store(url, root)
    if not optuna.get_all_study_names(store.storage):
        raise UserError("the storage holds no study yet; `mtl tune` makes one.")
    check_port(port)
    from optuna_dashboard import run_server

    print(f"http://{HOST}:{port}  (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):
        run_server(store.storage, host=HOST, port=port)
    return 0
