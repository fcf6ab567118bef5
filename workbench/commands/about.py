"""What is installed, and what there is: ``workbench doctor | tasks | rules | losses | recipes``."""

from __future__ import annotations

import json
from typing import Any

from workbench.commands.flags import Json
from workbench.console import print_json, print_table


def doctor(as_json: Json = False) -> None:
    """Check this installation: versions, optional extras, processor and GPU."""
    from workbench.doctor import examine

    findings = examine()
    if as_json:
        print_json(findings)
    else:
        print_table(("what", "found"), [(name, str(value)) for name, value in findings.items()])


def tasks(as_json: Json = False) -> None:
    """List the tasks."""
    from workbench.engine.tasks.registry import FAMILY_SUMMARIES, TASKS, make_task

    infos = [vars(make_task(name).info) for name in TASKS]
    families = [
        {"name": f"{prefix}/<id>", "title": title, "summary": summary, "extra": extra}
        for prefix, (title, summary, extra) in FAMILY_SUMMARIES.items()
    ]
    if as_json:
        print_json([*infos, *families])
        return
    rows = [(i["name"], f"{i['observation_dim']} → {i['action_dim']}", str(i["horizon"]), i["summary"]) for i in infos]
    rows += [(i["name"], "", "", i["summary"] + (f" (extra: {i['extra']})" if i["extra"] else "")) for i in families]
    print_table(("task", "obs → action", "steps", "what"), rows)


def rules(as_json: Json = False) -> None:
    """List the steering rules with their equations and settings."""
    from workbench.engine.steering.rules import RULES

    if as_json:
        print_json([rule.describe() for rule in RULES.values()])
        return
    for rule in RULES.values():
        print(f"{rule.name}: {rule.title} ({rule.paper}); needs {', '.join(rule.needs)}\n  {rule.equation}")
        for item in rule.describe()["settings"]:
            bounds = f", {item['low']:g} to {item['high']:g}" if "low" in item else ""
            choices = f", one of {', '.join(item['choices'])}" if "choices" in item else ""
            unit = f" {item['unit']}" if item["unit"] else ""
            print(f"    {item['name']} = {item['default']}{unit}{bounds}{choices}: {item['meaning']}")


def losses(as_json: Json = False) -> None:
    """List what training can train, with the settings that workbench fit --set takes."""
    from workbench.engine.training.listing import list_losses, list_run_settings

    shared, listed = list_run_settings(), list_losses()
    if as_json:
        print_json({"settings": shared, "losses": listed})
        return
    print("settings of every run")
    _print_settings(shared)
    for loss in listed:
        print(f"{loss['name']} ({loss['kind']}): {loss['summary']}")
        _print_settings(loss["settings"])


def recipes(as_json: Json = False) -> None:
    """List the recipes: methods that workbench fit --recipe trains as they are published, and the rule that plays them."""
    from workbench.runs.recipes import RECIPES

    if as_json:
        print_json([{"name": name, **recipe.as_dict()} for name, recipe in RECIPES.items()])
        return
    for name, recipe in RECIPES.items():
        print(f"{name}: {recipe.title} ({recipe.paper}); {recipe.summary}")
        for setting, value in recipe.training.items():
            print(f"    {setting} = {json.dumps(value)}")
        print(f"    played by: {recipe.flags()}")


def _print_settings(settings: list[dict[str, Any]]) -> None:
    for item in settings:
        print(f"    {item['name']} = {json.dumps(item['default'])}: {item['meaning']}")
