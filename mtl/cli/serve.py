"""`mtl serve`: a deployed model or a run behind an address, in this process."""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

import torch
import uvicorn

from mtl.cli.predict import only_model
from mtl.errors import UserError
from mtl.serving.app import INVOCATIONS, application, example_request
from mtl.serving.export.describe import name_of
from mtl.serving.load import load_model
from mtl.serving.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
LONGEST_EXAMPLE = 2000


@dataclass(frozen=True)
class Wish:
    """A service as it is asked for.

    Args:
        model: folder; None: the only one below models/.
        port: of the address; 0 takes a free one.
        host: address to listen at.
        tasks: which are answered; None: all.
    """

    model: Path | None = None
    port: int = 8000
    host: str = "127.0.0.1"
    tasks: list[str] | None = None


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    message = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.message, flush=True)


def serve(wish: Wish, root: Path = Path()) -> None:
    """Serves until interrupted; prints the address and one request when it is ready.

    Raises:
        UserError: there is no model, its tasks read different samples, or the address cannot be had.
    """
    torch.set_num_threads(1)  # requests run side by side
    model = load_model(only_model(root) if wish.model is None else wish.model)
    service = Service(model, wish.tasks)
    listening = _listen(wish.host, wish.port)
    host, port = listening.getsockname()[:2]
    here = f"[{host}]" if ":" in host else host
    hosts = [*LOOPBACK, here] if ipaddress.ip_address(host).is_loopback else ["*"]
    app = application(service, name_of(model), hosts)
    server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    server.message = _message(service, f"http://{here}:{port}")
    server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        ((family, _, _, _, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--host {host} --port {port} should be an address that is free, found: {reason}.") from None
    return listening


def _message(service: Service, address: str) -> str:
    request = example_request(service)
    quoted = request.replace("'", "'\\''")
    if len(quoted) > LONGEST_EXAMPLE:
        told = f"the page {address} shows a request ({len(request):,} characters)"
    else:
        told = f"curl {address}{INVOCATIONS} -H 'Content-Type: application/json' -d '{quoted}'"
    return f"{address}  ({', '.join(service.tasks)}; Ctrl-C ends it)\n{told}"
