"""The command `unfade`: a group of commands, each imported when it is called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

import click

from unfade._version import __version__
from unfade.errors import UnfadeError, UsageError

#: name -> where the click command is, and its line in `unfade --help`
COMMANDS: dict[str, tuple[str, str]] = {
    "restore": ("unfade.cli.restore:restore", "Restore photos."),
    "batch": ("unfade.cli.archive:batch", "Restore an archive, on one machine or several."),
    "detect": ("unfade.cli.detect:detect", "Find scratches, cracks and spots; write masks."),
    "degrade": ("unfade.cli.degrade:degrade", "Age photos on purpose."),
    "caption": ("unfade.cli.caption:caption", "Write what photos show, as prompts to train on."),
    "train": ("unfade.cli.train:train", "Train the models."),
    "evaluate": ("unfade.cli.evaluate:evaluate", "Score restored photos against clean ones."),
    "bench": ("unfade.cli.bench:bench", "Compare restorers by the papers' tables and figures."),
    "serve": ("unfade.cli.serve:serve", "Open a page that restores photos in the browser."),
    "models": ("unfade.cli.models:models", "Show which weights are installed, and check them."),
}

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 130  # as a shell reports a program ended by Ctrl-C


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: object = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unfade")
def cli() -> None:
    """Restores old photographs: finds the damage, mends it, and leaves the rest alone.

    \b
    Examples:
      unfade restore print.jpg -o restored.jpg
      unfade restore scans/ -o restored/
      unfade detect print.jpg -o masks/

    
    `unfade COMMAND --help` shows all options of a command.
    Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage, 130 stopped (143 by SIGTERM).
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit code; errors become a sentence on stderr."""
    try:
        code: object = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="unfade",
            standalone_mode=False,
        )
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UnfadeError as error:
        click.echo(f"Error: {error.message()}", err=True)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return EXIT_STOPPED
    except BrokenPipeError:  # the reader of our output has gone, as in `unfade ... | head`
        _discard_output()
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or error.filename:
            raise
        _discard_output()  # of the results, each is written elsewhere with an error of its own
        reason, fix = error.strerror, "send it elsewhere; the same command goes on from there"
        click.echo(f"Error: the output cannot be written ({reason}); {fix}", err=True)
        return EXIT_FAILED
    return code if isinstance(code, int) else 0


def _discard_output() -> None:
    """Sends what is still to be printed to nowhere, so that Python does not fail at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name it cannot show must not end the work
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())


if __name__ == "__main__":
    main()
