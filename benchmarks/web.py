"""How long a visitor of the page waits: for the overlay, for the result, and with many at once.

    python benchmarks/web.py [--users 20] [--megapixels 1]

A server of its own is started and warmed up, as by `unfade serve`; visitors come through its API,
each with a photo of their own, and what they get is compared with the command line's result.
Seconds of processors tell the work itself where the machine is busy with other things.
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import uvicorn
from gradio_client import Client, handle_file

from unfade.api import Restorer
from unfade.imaging import read_photo
from unfade.web.limits import Limits
from unfade.web.server import make_app, warm_up
from unfade.web.store import Store


def photo(path: Path, megapixels: float, seed: int) -> Path:
    side = round((megapixels * 1e6) ** 0.5)
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(60, 190, (6, 8, 3), dtype=np.uint8), (side, side))
    for _ in range(8):
        start, end = rng.integers(0, side, (2, 2)).tolist()
        cv2.line(image, start, end, (240, 240, 240), 2)
    cv2.imwrite(str(path), image)
    return path


def start(app: object) -> tuple[str, uvicorn.Server]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))  # type: ignore[arg-type]
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", server


def ask(address: str, path: Path, downloads: Path) -> tuple[Path, float]:
    client = Client(address, download_files=str(downloads), verbose=False)
    began = time.perf_counter()
    made = client.predict(photo=handle_file(path), api_name="/restore")
    return Path(made[0]), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--megapixels", type=float, default=1.0)
    given = parser.parse_args()
    restorer, store = Restorer.from_pretrained("compact"), Store()
    with TemporaryDirectory() as folder:
        work = Path(folder)
        warm_up(restorer).join()
        address, server = start(make_app(restorer, store, Limits()))
        one = photo(work / "one.png", given.megapixels, 0)
        client = Client(address, download_files=str(work), verbose=False)
        for round_ in ("first", "second"):
            began, cpu = time.perf_counter(), time.process_time()
            client.predict(photo=handle_file(one), api_name="/detect")
            found_s, found_cpu = time.perf_counter() - began, time.process_time() - cpu
            cpu = time.process_time()
            _, made_s = ask(address, one, work)
            made_cpu = time.process_time() - cpu
            print(f"{given.megapixels:g} MP, {round_}: mask {found_s:.2f} s, mended {made_s:.2f} s "
                  f"(of processors: {found_cpu:.2f} s and {made_cpu:.2f} s)")  # fmt: skip
        paths = [photo(work / f"{i}.png", 0.1, i) for i in range(given.users)]
        began = time.perf_counter()
        with ThreadPoolExecutor(given.users) as pool:
            got = list(pool.map(lambda path: ask(address, path, work), paths))
        whole_s = time.perf_counter() - began
        right = sum(
            np.array_equal(read_photo(made).native, restorer.restore(path).image.native)
            for path, (made, _) in zip(paths, got, strict=True)
        )
        worst_s = max(seconds for _, seconds in got)
        print(f"{given.users} users at once, 0.1 MP each: {right} got their own photo, "
              f"all in {whole_s:.1f} s, the last after {worst_s:.1f} s")  # fmt: skip
        server.should_exit = True
    store.close()


if __name__ == "__main__":
    main()
