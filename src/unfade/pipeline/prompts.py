"""Warns of words of a prompt that are unknown to the diffusion model, or cut off."""

from __future__ import annotations

import logging

from unfade.diffusion.condition import prompt_length
from unfade.models.vocabulary import unknown_words, words_beyond
from unfade.options import RestoreOptions
from unfade.pipeline.diffusion import RestorationPipeline

logger = logging.getLogger(__name__)


def warn_of_lost_words(pipeline: RestorationPipeline, options: RestoreOptions) -> None:
    """Logs the words that the model does not know, and those beyond its longest prompt."""
    base = pipeline.networks.base
    words = unknown_words(base.tokenizer, f"{options.prompt} {options.negative_prompt}")
    if words:
        logger.warning("words that the model does not know, and ignores: %s", ", ".join(words))
    length = prompt_length(base.text_encoder)
    for prompt in (options.full_prompt, options.negative_prompt):
        cut = words_beyond(base.tokenizer, prompt, length)
        if cut:
            logger.warning(
                "a prompt of more than %d tokens: its end is cut off: %s", length, " ".join(cut)
            )
