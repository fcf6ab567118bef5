"""The command line: ``workbench doctor | tasks | rules | generate | fit | online | evaluate | steer | serve``.

Each command is a function; tyro makes its flags from the signature. torch is imported by the commands that need it, so
that ``--help`` answers at once.
"""

from __future__ import annotations

import sys

import tyro

from workbench.commands import COMMANDS
from workbench.console import errors_in_words


def build_app() -> tyro.extras.SubcommandApp:
    """All commands, groups as commands of their own (``workbench runs list``)."""
    app = tyro.extras.SubcommandApp()
    for name, command in COMMANDS.items():
        if isinstance(command, dict):
            group = tyro.extras.SubcommandApp()
            for inner, function in command.items():
                group.command(name=inner)(function)
            app.command(group, name=name)
        else:
            app.command(name=name)(command)
    return app


def main(args: list[str] | None = None) -> None:
    """Entry point of the ``workbench`` command."""
    with errors_in_words():
        try:
            build_app().cli(
                prog="workbench",
                description="Steer flow policies with a critic, and see what it does.",
                args=args,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
