"""MkDocs: takes the model card, which stands in the root of the repository, into the site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

CARD = Path(__file__).resolve().parents[1] / "MODEL_CARD.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the model card as a page, its links as seen from docs/."""
    text = CARD.read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "model-card.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links of other pages to the model card in the root lead to its page."""
    return markdown.replace("](../MODEL_CARD.md", "](model-card.md")
