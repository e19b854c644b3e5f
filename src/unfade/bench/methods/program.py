"""Implements a method that runs an external command on a folder of inputs."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.bench.case_files import match_outputs
from unfade.bench.cases import Case, Cost
from unfade.bench.methods.base import MethodError
from unfade.bench.methods.subprocesses import run_program
from unfade.bench.result_checks import place_foreign
from unfade.errors import UnfadeError, UsageError
from unfade.manifest import Value
from unfade.options import SCALE

PLACEHOLDERS = ("{input}", "{output}")


@dataclass(frozen=True)
class Program:
    """A command that reads a folder {input} and writes a folder {output}.

    {scale} and {seed} in it are those of the case. Its own files are not looked at: after a
    change of the program, take its results away or name it anew.

    Attributes:
        name: of the method.
        command: split as a POSIX shell would; no shell runs it.
        timeout_s: for one case; None waits.
    """

    name: str
    command: str
    timeout_s: float | None = None
    takes_whole_case: bool = True

    def check(self, cases: Sequence[Case]) -> None:
        """UsageError if the command cannot be split, lacks a place, or names no program."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            got = f"the command of {self.name} ({str(error).lower()})"
            raise UsageError(got, "words as a shell knows them", "close the quotes") from error
        missing = [placeholder for placeholder in PLACEHOLDERS if placeholder not in self.command]
        if missing:
            got = f"the command of {self.name} without {' and '.join(missing)}"
            fix = "write them where the command takes its folders"
            raise UsageError(got, f"{' and '.join(PLACEHOLDERS)} in it", fix)
        if shutil.which(words[0]) is None:
            got = f"{words[0]!r}, which is no program here"
            raise UsageError(got, "a program", "check its name, or install it")

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The command with its scale and seed."""
        return {"kind": "program", "command": shlex.join(self._words(case))}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        """Runs the program on copies of the images (`Method.restore_folder`).

        Raises:
            MethodError: it fails, takes too long, or writes nothing that belongs to an input.
                What it wrote until then does not count.
        """
        with tempfile.TemporaryDirectory(prefix="unfade-bench-") as folder:
            source, target = Path(folder, "input"), Path(folder, "output")
            source.mkdir()
            target.mkdir()
            flat = {name: name.replace("/", "__") for name in images}
            for name, path in images.items():
                shutil.copyfile(path, source / (flat[name] + path.suffix))
            placeholders = {"{input}": str(source), "{output}": str(target)}
            usage = run_program(
                [_filled(word, placeholders) for word in self._words(case)],
                log,
                timeout_s=self.timeout_s,
            )
            results = self._collect(target, list(flat.values()))
            megapixels = 0.0
            for name, flat_name in flat.items():
                if flat_name in results:
                    result_path = outputs / f"{name}.png"
                    megapixels += place_foreign(case, name, results[flat_name], result_path) / 1e6
        return Cost(len(images), megapixels, usage.seconds, usage.peak_mib)

    def _collect(self, folder: Path, names: Sequence[str]) -> dict[str, Path]:
        try:
            results = match_outputs(folder, names)
        except UnfadeError as error:
            fix = "see what it expects of {output}"
            raise MethodError(f"{error.got} as its {{output}}", "results", fix) from error
        if not results:
            others = ", ".join(
                sorted(path.name for path in folder.rglob("*") if path.is_file())[:3]
            )
            fix = "name results as their inputs are"
            raise MethodError(f"results called {others}", f"{names[0]}.* and so on", fix)
        return results

    def _words(self, case: Case) -> list[str]:
        scale = case.options.scale
        if scale is None:
            scale = SCALE if case.options.task == "super-resolution" else 1.0
        placeholders = {"{scale}": f"{scale:g}", "{seed}": str(case.options.seed)}
        return [_filled(word, placeholders) for word in shlex.split(self.command)]


def _filled(word: str, placeholders: Mapping[str, str]) -> str:
    for placeholder, value in placeholders.items():
        word = word.replace(placeholder, value)
    return word
