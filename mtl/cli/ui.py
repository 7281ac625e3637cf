"""`mtl ui`: MLflow's pages on the runs of this project, for this machine only, with the models of its methods."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.paths import VERDICTS

HOST = "127.0.0.1"


def check_port(port: int) -> None:
    """Raises a UserError when the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise UserError(f"`--port` should be free on {HOST}, found {port} in use.") from None


def serve(config: Config, port: int, root: Path = Path(), models: bool = True) -> int:
    """Serves the store until interrupted; a store that is a server already only has its address printed.

    Args:
        config: the whole configuration.
        port: of this machine.
        root: folder of the project.
        models: put into the summary of every method its deployed model, while the pages are served already.

    Raises:
        UserError: the port is taken.
    """
    from mtl.tracking import TrackerError, open_database, resolve_uri, tell_problem

    uri = resolve_uri(config, root)
    tell_problem(root)
    if uri.startswith(("http://", "https://")):
        print(f"The runs are at {uri}")
        return 0
    check_port(port)
    try:
        open_database(config, root)  # The server should find a finished database, not make one beside us.
    except TrackerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not any((root / "outputs").glob("*/*")):
        print("There are no runs yet: `mtl repro` makes them, and they appear on the pages as they end.")
    print(f"http://{HOST}:{port}  (experiment {config.tracking.experiment}; Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", HOST, "--port", str(port)]
    command += ["--workers", "1"]  # One reader: more of them only start later.
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # Background jobs of a kind that we have none of.
    children = [subprocess.Popen(command, env=environment)]
    if models and config.tracking.enabled and (root / VERDICTS).exists():
        children.append(subprocess.Popen([sys.executable, "-m", "mtl.cli", "sync"], cwd=root))

    def end(number: int, frame: object) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, end)  # Else they would outlive us.
    try:
        ended = children[0].wait()
    except KeyboardInterrupt:  # They were interrupted as well.
        ended = 0
    for child in children[1:]:
        child.terminate()
    for child in children:
        child.wait()
    return ended
