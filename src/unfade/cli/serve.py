"""Command `unfade serve`: opens the web page that restores photos."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from unfade.cli.main import EXIT_STOPPED
from unfade.cli.options import weights_options
from unfade.errors import UsageError
from unfade.options import Dtype, Prediction


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="Who may come: 127.0.0.1 is this machine only, 0.0.0.0 the whole network.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True, metavar="N")
@click.option("--preset", default="compact", show_default=True, metavar="compact|sd21|PATH")
@weights_options
@click.option("--device", default="auto", show_default=True, metavar="D")
@click.option(
    "--auth", metavar="USER:PASSWORD", envvar="UNFADE_AUTH",
    help="Ask for a name and a password; $UNFADE_AUTH keeps it out of the list of processes.",
)  # fmt: skip
@click.option(
    "--allow-host", multiple=True, metavar="NAME",
    help="A name under which browsers reach the page, such as a proxy's. May be repeated.",
)  # fmt: skip
@click.option("--root-path", default="", metavar="PATH", help="Where a proxy shows the page.")
@click.option(
    "--max-mb", type=click.IntRange(min=1), default=500, show_default=True, metavar="MB",
    help="Refuse larger files.",
)  # fmt: skip
@click.option(
    "--max-pixels", type=click.IntRange(min=1), default=100_000_000, show_default=True,
    metavar="N", help="Refuse photos with more pixels, before they are decoded.",
)  # fmt: skip
@click.option(
    "--queue", type=click.IntRange(min=1), default=40, show_default=True, metavar="N",
    help="Refuse work where so much is waiting.",
)  # fmt: skip
@click.option(
    "--max-disk-mb", type=click.IntRange(min=1), default=20_000, show_default=True, metavar="MB",
    help="Refuse uploads where all files together are larger.",
)  # fmt: skip
@click.option("--temp", type=click.Path(path_type=Path), metavar="FOLDER",
              help="For uploads and results, which are removed after an hour.")  # fmt: skip
def serve(
    host: str, port: int, preset: str, base: str | None, controlnet: str | None,
    prediction: Prediction | None, dtype: Dtype, offload: bool, compiled: bool, device: str,
    auth: str | None, allow_host: tuple[str, ...], root_path: str, max_mb: int, max_pixels: int,
    queue: int, max_disk_mb: int, temp: Path | None,
) -> None:  # fmt: skip
    """Open a page that restores photos in the browser.

    Nothing is asked of any other machine; the page works without a network.

    \b
    Examples:
      unfade serve
      unfade serve --port 8000 --preset runs/preset
      UNFADE_AUTH=ann:secret unfade serve --host 0.0.0.0 --root-path /unfade
    """
    login = credentials(auth)
    if find_spec("gradio") is None:
        fix = "pip install '.[web]' in a clone of unfade"
        raise UsageError("no package gradio", "the packages of the page", fix)

    from unfade.api import Restorer
    from unfade.web import hosts
    from unfade.web.limits import Limits
    from unfade.web.server import bind, end_process, listen, make_app, warm_up
    from unfade.web.server import serve as run_server
    from unfade.web.store import Store

    server = bind(host, port)  # before the weights, which take their time
    if login is None and not hosts.is_loopback(host):
        click.echo(
            "Warning: everybody in the network can use this page and see its results. Add --auth "
            "USER:PASSWORD, or leave out --host.",
            err=True,
        )
    names = hosts.own_names(host, allow_host)
    limits = Limits(
        max_bytes=max_mb * 1_000_000, max_pixels=max_pixels, queue=queue,
        max_store_bytes=max_disk_mb * 1_000_000,
    )  # fmt: skip
    restorer = Restorer.from_pretrained(
        preset, device=device, base=base, controlnet=controlnet, prediction=prediction,
        dtype=dtype, offload=offload, compiled=compiled,
    )  # fmt: skip
    store = Store(temp)
    store.watch()
    code = 0
    try:
        app = make_app(restorer, store, limits, auth=login, root_path=root_path, names=names)
        listen(server)
        warm_up(restorer)
        click.echo(f"unfade is at http://{host}:{port}{root_path} (Ctrl-C stops it)")
        run_server(app, server)
    except (KeyboardInterrupt, SystemExit) as stop:
        code = EXIT_STOPPED if isinstance(stop, KeyboardInterrupt) else 0
    finally:
        store.close()
    end_process(code)


def credentials(auth: str | None) -> tuple[str, str] | None:
    """A name and a password, given as USER:PASSWORD. UsageError where one is missing."""
    if auth is None:
        return None
    user, colon, password = auth.partition(":")
    if not user or not colon or not password:
        raise UsageError("--auth without a name or a password", "USER:PASSWORD", "give both")
    return user, password
