"""Tables that sweep sampling parameters (arXiv 2412.09324, Fig. 6 to 9, and its future work)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unfade.bench.aggregate import PER_PHOTO, Aggregate
from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.methods.ours import Preset
from unfade.bench.paper_values import STUDY
from unfade.bench.plots import Plot, curves
from unfade.bench.tables.base import METRICS, Setting, Table, make_case, options_for
from unfade.bench.tables.sweep_grid import gains_grids
from unfade.bench.trajectory import AFTER, Estimates

STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
STRENGTHS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
SHARES = (0.0, 0.25, 0.5, 1.0)
GUIDANCES = (1.0, 2.0, 4.0, 8.0)
_PROMPT = "a colour photo"  # of photos without a caption
SAMPLING_STEPS = 20  # where they are not what is swept
IMAGES = 12  # photos of a sweep: it restores each many times
#: The parameters that only our own presets obey.
OURS_ONLY = ("steps", "strength", "eta", "self_condition", AFTER)
DAMAGES = ("sr2", "sr4", "blur1")  # as in the study
_METHODS = ("input", "first-stage", "compact")
_BASELINE = (
    "All steps are sampled, on photos enlarged twice and four times and on lightly "
    "blurred ones. Methods that know nothing of the parameter stand as rows without one. Only "
    "presets with a diffusion model can be swept."
)


def _swept(
    table: str, parameter: str, values: Sequence[float], steps: int
) -> Callable[[Setting], list[Case]]:
    """Cases over a parameter of sampling, and one without for methods that have none."""

    def build(setting: Setting) -> list[Case]:
        cases: list[Case] = []
        for plan in setting.plans("DIV2K", images=IMAGES):
            for damage in DAMAGES:
                options = options_for(damage, plan)
                cases.append(make_case(table, setting, plan, damage, options))
                for value in setting.swept(values):
                    swept = replace(
                        options,
                        strength=1.0,
                        reach="all",
                        steps=steps,
                        fidelity=0.0,
                        posterior_mean=0.0,
                        vae_residual=0.0,
                    )
                    if parameter == "strength":
                        swept = replace(swept, strength=value)
                    elif parameter == "steps":
                        swept = replace(swept, steps=round(value))
                    elif parameter == "eta":
                        swept = replace(swept, eta=value)
                    elif parameter == "self_condition":
                        swept = replace(swept, self_condition=value)
                    cases.append(
                        make_case(
                            table, setting, plan, damage, swept, parameter=parameter, value=value
                        )
                    )
        return cases

    return build


def _guidance(setting: Setting) -> list[Case]:
    """Gray photos, coloured by their captions: a case for each photo and value."""
    cases: list[Case] = []
    for plan in setting.captioned("DIV2K"):
        for value in setting.swept(GUIDANCES):
            for index, pair in enumerate(plan.pairs[:IMAGES]):
                prompt = plan.dataset.captions.get(pair.name) or _PROMPT
                case = make_case(
                    "guidance",
                    replace(setting, work=setting.work / f"photo-{index}"),
                    replace(plan, pairs=(pair,)),
                    "gray",
                    replace(options_for("gray", plan), prompt=prompt, guidance=value),
                    parameter=PER_PHOTO,
                    value=float(index),
                    label=f"gray, guidance {value:g}",
                )
                cases.append(case)
    return cases


def _drawn(x: str, log: str = "") -> Callable[[Aggregate], list[Plot]]:
    return lambda aggregate: curves(aggregate, "curves", x, METRICS, log=log)


def _stopped(methods: Sequence[Method], _cases: Sequence[Case], _work: Path) -> list[Method]:
    """Our presets as methods that stop after a given step."""
    return [Estimates(method) if isinstance(method, Preset) else method for method in methods]


TABLES = (
    Table(
        "start-noise",
        "Starting noise",
        f"{STUDY}, Fig. 6",
        f"Strength is the noise that sampling starts from, in {SAMPLING_STEPS} steps: 1 is pure "
        f"noise, less keeps some of the input. {_BASELINE}",
        _swept("start-noise", "strength", STRENGTHS, SAMPLING_STEPS),
        methods=_METHODS,
        plots=_drawn("strength"),
        grids=gains_grids,
        timed=False,
    ),
    Table(
        "steps",
        "Sampling steps",
        f"{STUDY}, Fig. 7",
        f"DDIM steps from pure noise; 1 is one-step prediction. {_BASELINE}",
        _swept("steps", "steps", STEPS, SAMPLING_STEPS),
        methods=_METHODS,
        plots=_drawn("steps", "x"),
        grids=gains_grids,
        timed=False,
    ),
    Table(
        "one-step",
        "One-step prediction by starting noise",
        f"{STUDY}, Fig. 8",
        f"One step, from the noised input at a falling noise level. {_BASELINE}",
        _swept("one-step", "strength", STRENGTHS, 1),
        methods=_METHODS,
        plots=_drawn("strength"),
        grids=gains_grids,
        timed=False,
    ),
    Table(
        "inference-steps",
        "Quality on the way",
        f"{STUDY}, Fig. 9",
        f"What the model takes the clean photo to be after each of {SAMPLING_STEPS} steps, "
        f"decoded (Eq. 4 of arXiv 2505.18674). The condition is the first stage's result, as in "
        f"restoring; colours are not fixed afterwards. {_BASELINE}",
        _swept("inference-steps", AFTER, (1.0, 2.0, 5.0, 10.0, 15.0, 20.0), SAMPLING_STEPS),
        methods=_METHODS,
        plots=_drawn(AFTER),
        timed=False,
        adapt=_stopped,
    ),
    Table(
        "fresh-noise",
        "Noise on the way",
        f"{STUDY}, Eq. 10 (future work)",
        f"Eta is the share of the noise that each of {SAMPLING_STEPS} steps draws anew: 0 is DDIM, "
        f"1 ancestral sampling. {_BASELINE}",
        _swept("fresh-noise", "eta", SHARES, SAMPLING_STEPS),
        methods=_METHODS,
        plots=_drawn("eta"),
        grids=gains_grids,
        timed=False,
    ),
    Table(
        "self-condition",
        "The model's own estimate as its condition",
        "arXiv 2505.18674, III-C, at sampling time",
        f"The share of the condition that the running estimate takes over from the second of "
        f"{SAMPLING_STEPS} steps on. {_BASELINE}",
        _swept("self-condition", "self_condition", SHARES, SAMPLING_STEPS),
        methods=_METHODS,
        plots=_drawn("self_condition"),
        grids=gains_grids,
        timed=False,
    ),
    Table(
        "guidance",
        "Guidance by the prompt",
        f"{STUDY}, future work",
        "Scale of classifier-free guidance (arXiv 2207.12598) for gray photos whose captions are "
        f"the prompts; without captions the prompt is '{_PROMPT}'. 1 is no guidance; 4 is what a "
        "prompt gets unasked. The input is the gray photo itself.",
        _guidance,
        ("psnr", "ciede2000", "chroma", "colourfulness", "alignment"),
        ("input", "compact"),
        timed=False,
    ),
)
