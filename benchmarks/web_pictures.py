"""Pictures of the page for the documentation: desktop and phone, light and dark.

    python benchmarks/web_pictures.py [--out docs/images]

Needs the extras web and test, and Chromium. The photo is docs/images/example-aged.jpg.
"""

from __future__ import annotations

import argparse
import io
import shutil
import threading
import time
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from unfade.api import Restorer
from unfade.web.limits import Limits
from unfade.web.server import make_app
from unfade.web.store import Store

PHOTO = Path(__file__).parents[1] / "docs" / "images" / "example-aged.jpg"
SIZES = {"desktop": (1280, 1000), "phone": (390, 844)}
VIEWS = [("desktop", "light"), ("phone", "light"), ("phone", "dark")]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def chosen(page: Page, address: str) -> None:
    """The photo with the damage that was found."""
    page.set_default_timeout(120_000)
    page.goto(address)
    page.set_input_files("#uf-upload input[type=file]", str(PHOTO))
    page.wait_for_selector("text=Red marks what will be filled in")
    page.evaluate("window.scrollTo(0, 0)")


def restored(page: Page) -> None:
    """The photo before and after."""
    page.click("#uf-restore")
    page.wait_for_selector("#uf-progress >> text=Done.")
    page.wait_for_function("document.querySelector('.uf-after').naturalWidth > 0")


def shoot(page: Page, out: Path) -> None:
    """A picture as WebP: a third of the size of a PNG with a palette, and as clear."""
    with Image.open(io.BytesIO(page.screenshot(full_page=False))) as image:
        image.convert("RGB").save(out, quality=88, method=6)
    print(out, out.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PHOTO.parent)
    given = parser.parse_args()
    store = Store()
    app = make_app(Restorer.from_pretrained("compact"), store, Limits())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        for name, scheme in VIEWS:
            width, height = SIZES[name]
            view = {"width": width, "height": height}
            page = browser.new_page(viewport=view, color_scheme=scheme)  # type: ignore[arg-type]
            chosen(page, address)
            shoot(page, given.out / f"web-{name}-{scheme}.webp")
            if scheme == "light":
                restored(page)
                page.locator("#uf-compare").scroll_into_view_if_needed()
                shoot(page, given.out / f"web-{name}-result.webp")
            page.close()
        browser.close()
    server.should_exit = True
    store.close()


if __name__ == "__main__":
    main()
