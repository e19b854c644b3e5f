"""Whether a large scan comes through the page as the command line makes it, to the byte.

    python benchmarks/web_scan.py [--megapixels 24] [--whole]

The scan is uploaded in Chromium, its mask is painted on, and it is restored there ("only the
damage", or all of it with --whole); then the command line restores the same file with the mask that
the page gave back. The second at which a result was made is noted in it, and held fast here.
"""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright

import unfade.api
from unfade.api import Restorer
from unfade.cli.main import run
from unfade.web.limits import Limits
from unfade.web.server import make_app
from unfade.web.store import Store

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 3_000_000


def scan(path: Path, megapixels: float) -> Path:
    """A smooth picture with grain and scratches."""
    height, width = round((megapixels * 1e6 / 1.5) ** 0.5), round((megapixels * 1.5e6) ** 0.5)
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(60, 190, (6, 8, 3), dtype=np.uint8), (width, height))
    image = cv2.add(image, rng.integers(0, 9, image.shape, dtype=np.uint8))
    for _ in range(6):
        (x0, x1), (y0, y1) = rng.integers(0, width, 2), rng.integers(0, height, 2)
        cv2.line(image, (int(x0), int(y0)), (int(x1), int(y1)), (245, 245, 245), 4)
    cv2.imwrite(str(path), image)
    return path


def through_the_page(page: Page, address: str, photo: Path, folder: Path, whole: bool) -> None:
    """Paints on the photo, restores it, and keeps the result and its mask."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.set_input_files("#uf-upload input[type=file]", str(photo))
    page.wait_for_selector("text=Red marks what will be filled in")
    canvas = page.locator(".uf-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.35 * box["height"], steps=9)
    page.mouse.up()
    if not whole:
        page.get_by_label("Change only the damage").check()
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Done.")
    for suffix in (photo.suffix, "-mask.png"):
        with page.expect_download() as waiting:
            page.click(f"#uf-files a[download$='{suffix}'] >> nth=0")
        waiting.value.save_as(folder / waiting.value.suggested_filename)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    moment = unfade.api.now()
    unfade.api.now = lambda: moment
    store = Store()
    app = make_app(Restorer.from_pretrained("compact", device="cpu"), store, Limits())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        photo = scan(folder / "scan.jpg", given.megapixels)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        kept = folder / "kept"
        through_the_page(browser.new_page(), address, photo, kept, given.whole)
        browser.close()
        out = folder / "out" / "scan.jpg"
        more = [] if given.whole else ["--only-damage"]
        mask = str(kept / "scan-mask.png")
        failed = run(
            ["restore", str(photo), "-o", str(out), "--mask", mask, "--device", "cpu", *more]
        )
        same = not failed and (kept / "scan.jpg").read_bytes() == out.read_bytes()
        print(f"{given.megapixels:g} MP: {'the same bytes' if same else 'DIFFERENT'}, "
              f"{out.stat().st_size} of them")  # fmt: skip
    server.should_exit = True
    store.close()


if __name__ == "__main__":
    main()
