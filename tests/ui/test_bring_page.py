"""The page "Bring your own": what a person does with files in a browser, good ones and bad ones."""

import base64
import io
import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from engine.data.formats.writers import lerobot, made, robomimic
from engine.published_trees import tree_of
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from runs.exported import export

from workbench.engine.data.npz import write_arrays
from workbench.ui.pages.bring.page import BringPage
from workbench.ui.pages.bring.words import whole

LONG = 60_000


class Command:
    """What an attacker's pickle calls."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


def npz(folder: Path, lengths: tuple[int, ...] = (40,) * 30) -> Path:
    """A dataset with three_exits' columns."""
    data, rng = made(0, lengths), np.random.default_rng(1)
    path = folder / "robot arm.npz"
    write_arrays(
        path,
        {
            "observations": rng.normal(size=(len(data["rewards"]), 4)).astype(np.float32),
            "actions": data["actions"],
            "rewards": data["rewards"].astype(np.float32),
            "masks": (~data["terminals"]).astype(np.float32),
            "ends": data["last"],
        },
    )
    return path


def opened(page: Tab, server: str) -> Tab:
    page.goto(f"{server}/bring")
    expect(page.locator(".wb-example button")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("heading", name="Bring a dataset or a checkpoint of your own")).to_be_visible(timeout=LONG)
    return page


def drop(page: Tab, *files: Path) -> None:
    """Drop files on the page, as a hand would."""
    handle = page.evaluate_handle(
        """(files) => {
          const data = new DataTransfer()
          for (const [name, bytes] of files) {
            data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name))
          }
          return data
        }""",
        [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files],
    )
    page.locator(".wb-drop").dispatch_event("drop", {"dataTransfer": handle})


def test_indented_labels_stand_by_themselves() -> None:
    rows = [("actions", "2"), ("  range", "0 to 1"), ("  rows at a bound", "1%"), ("rewards", "0")]
    assert [label for label, _ in whole(rows)] == ["actions", "actions: range", "actions: rows at a bound", "rewards"]


def test_a_page_without_files_says_so() -> None:
    page = BringPage({"dataset": "no-such"})
    with pytest.raises(ValueError, match="Bring a file first"):
        page.code()
    with pytest.raises(ValueError, match="There is no picture yet"):
        page.sheet()
    assert page.state() == {}
    page.left()


@pytest.mark.browser
def test_a_person_brings_demonstrations_and_trains_on_them(page: Tab, server: str, tmp_path: Path) -> None:
    opened(page, server)
    drop(page, robomimic(tmp_path, made(0, (30, 20, 25))))
    expect(page.get_by_text("low_dim.hdf5: a dataset, robomimic HDF5")).to_be_visible(timeout=LONG)
    card = page.locator(".wb-found")
    for label, value in (
        ("rows", "74 (1 more are dropped)"),
        ("episodes", "3 of 19 to 30 rows"),
        ("ended by themselves", "2"),
        ("cut off (time limit)", "1"),
    ):
        row = card.locator("dl > div", has=page.locator(f"dt:text-is('{label}')"))
        expect(row.locator("dd")).to_have_text(value)
    expect(card.get_by_text("pictures are left out: agentview_image")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    # the columns may be chosen, and what was chosen is seen
    page.get_by_label("Columns observed").select_option(["b_pos"])
    page.locator(".wb-again button").first.click()
    expect(card.get_by_text("2: b_pos[0], b_pos[1]")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Copy as code").click()
    code = re.compile(r"workbench data describe low_dim.hdf5 --observations b_pos\n")
    expect(page.get_by_label("Python code")).to_have_value(code, timeout=LONG)
    page.keyboard.press("Escape")
    page.locator(".wb-train button").click()
    page.wait_for_url(re.compile("/training"), timeout=LONG)
    task = page.locator(".wb-task select")
    expect(task.locator("option:checked")).to_have_text(re.compile("Your data: low_dim-[0-9a-f]{6}"), timeout=LONG)
    assert "dataset=low_dim-" in page.url
    steps = page.get_by_label("Updates")
    steps.fill("200")
    steps.press("Enter")
    page.locator(".wb-start button").click()
    state = page.locator("div:has(> dt [data-tip='what the process is doing']) > dd")
    expect(state).to_have_text(re.compile("Running|Finished"), timeout=LONG)
    expect(state).to_have_text("Finished", timeout=2 * LONG)
    # it is this browser's alone
    other = page.context.browser.new_context().new_page()
    other.goto(page.url)
    expect(other.get_by_text("is not here, or").first).to_be_visible(timeout=LONG)
    other.context.close()
    # and it is not removed while a training needs it
    opened(page, server)
    own = page.locator(".wb-kept-list option", has_text="low_dim-")
    expect(own).to_have_count(1, timeout=LONG)  # the browser has said who it is
    name = own.get_attribute("value") or ""
    page.locator(".wb-kept-list select").select_option(name)
    expect(page.get_by_role("heading", name="Your dataset low_dim-")).to_be_visible(timeout=LONG)
    page.locator(".wb-kept-remove button").click()
    expect(page.get_by_text("learned from it; delete those first")).to_be_visible(timeout=LONG)


@pytest.mark.browser
def test_the_example_a_phone_and_cleaning_up(page: Tab, server: str) -> None:
    opened(page, server)
    page.locator(".wb-example button").click()
    expect(page.get_by_text("three_exits.npz: a dataset, npz")).to_be_visible(timeout=LONG)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Remove").first.click()
    expect(page.get_by_role("heading", name="Bring a dataset or a checkpoint of your own")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Removed; nothing of it is kept.")).to_be_visible()


@pytest.mark.browser
def test_bad_files_are_refused_in_words(page: Tab, server: str, tmp_path: Path) -> None:
    """Wrong type, truncated, a pickle that calls something, a bomb, a file that declares terabytes, a table nobody can guess."""
    opened(page, server)
    whole_file = robomimic(tmp_path, made())
    wrong, cut = tmp_path / "notes.docx", tmp_path / "cut.hdf5"
    wrong.write_bytes(b"PK\x03\x04 no dataset")
    cut.write_bytes(whole_file.read_bytes()[:3000])
    evil = tmp_path / "params_1.pkl"
    evil.write_bytes(pickle.dumps({"agent": Command(tmp_path / "was-run")}))
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("observations", "actions"):
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                head, {"descr": "<f4", "fortran_order": False, "shape": (40_000_000, 1)}
            )
            archive.writestr(f"{name}.npy", head.getvalue() + bytes(160_000_000))
    huge = tmp_path / "huge.hdf5"
    with h5py.File(huge, "w") as file:
        for name, shape in {
            "observations": (10**9, 40),
            "actions": (10**9, 8),
            "rewards": (10**9,),
            "terminals": (10**9,),
        }.items():
            file.create_dataset(name, shape, "f4", chunks=(1000, *shape[1:]))
    cases = (
        (wrong, "not a dataset that is recognised"),
        (cut, "it was cut off, damaged, or is another format"),
        (evil, "system"),
        (bomb, "for each of the"),
        (huge, "the limit is"),
    )
    for path, words in cases:
        drop(page, path)
        expect(page.get_by_role("heading", name=f"{path.name} was not taken")).to_be_visible(timeout=LONG)
        alert = page.locator(".wb-found [role=alert]")
        expect(alert).to_contain_text(words)
        said = alert.inner_text()
        assert str(tmp_path) not in said
        assert "scratch" not in said
        assert "Traceback" not in said
    assert not (tmp_path / "was-run").exists()
    table = tmp_path / "table.csv"
    table.write_text("a,b,c,d\n" + "1,2,0.5,1\n" * 5)
    drop(page, table)
    expect(page.get_by_role("heading", name="table.csv: say which column is what")).to_be_visible(timeout=LONG)
    asked = page.locator(".wb-found [role=alert]").inner_text()
    assert asked.startswith("table.csv: no column looks like observations")
    page.get_by_label("Columns observed").select_option(["a", "b"])
    page.get_by_label("Columns of actions").select_option(["c"])
    page.get_by_label("Episode number").select_option("d")
    page.locator(".wb-again button").first.click()
    expect(page.get_by_text("table.csv: a dataset, CSV table")).to_be_visible(timeout=LONG)


@pytest.mark.browser
def test_a_checkpoint_becomes_a_run_and_is_steered(page: Tab, server: str, tmp_path: Path) -> None:
    opened(page, server)
    weights, flags = tmp_path / "params_1200.pkl", tmp_path / "flags.json"
    weights.write_bytes(pickle.dumps(tree_of("fql", (4, 2, (16, 16), 2))))
    flags.write_text(json.dumps({"agent": {"discount": 0.97, "agent_name": "fql"}, "env_name": "three-exits"}))
    drop(page, weights, flags)
    expect(page.get_by_text("params_1200.pkl: a checkpoint, family fql")).to_be_visible(timeout=LONG)
    card = page.locator(".wb-found")
    expect(card.get_by_text("0.97")).to_be_visible()
    expect(card.get_by_text("2 of 16 × 16, gelu, LayerNorm after the activation").first).to_be_visible()
    task = page.get_by_label("Task that it was trained for")
    expect(task.locator("option:checked")).to_have_text("Three exits")
    page.locator(".wb-discount input").fill("much")
    page.locator(".wb-import button").click()
    expect(page.get_by_text("Discount γ must be a number, got 'much'")).to_be_visible(timeout=LONG)
    page.locator(".wb-discount input").fill("")
    page.locator(".wb-discount input").press("Tab")
    page.locator(".wb-import button").click()
    link = page.locator(".wb-links").get_by_role("link", name="Particles")
    expect(link).to_be_visible(timeout=2 * LONG)
    # it can be deleted, which is taken back
    own = page.get_by_label("Your imported runs")
    expect(own).to_be_visible(timeout=LONG)
    own.select_option(index=1)
    expect(link).to_be_visible(timeout=LONG)
    page.locator(".wb-imports-delete button").click()
    expect(page.get_by_text("1 imported run deleted.")).to_be_visible(timeout=LONG)
    expect(own).to_be_hidden(timeout=LONG)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("1 imported run put back.")).to_be_visible(timeout=LONG)
    expect(own).to_be_visible(timeout=LONG)
    own.select_option(index=1)
    # of an empty store Budget says how its curve comes
    budget = page.context.new_page()
    budget.goto(f"{server}/{page.locator('.wb-links').get_by_role('link', name='Budget').get_attribute('href')}")
    expect(budget.get_by_text(re.compile("No curve of three_exits, run .* has been measured yet"))).to_be_visible(
        timeout=LONG
    )
    budget.close()
    link.click()
    expect(page.locator(".wb-task option:checked")).to_contain_text("three_exits, ", timeout=LONG)
    assert "task=run" in page.url


@pytest.mark.browser
@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_what_the_script_wrote_becomes_a_run(page: Tab, server: str, tmp_path: Path, suffix: str) -> None:
    """Its file has the settings too: it is all that is brought."""
    weights = tmp_path / "params_1200.pkl"
    weights.write_bytes(pickle.dumps(tree_of("qgf", (4, 2, (16, 16), 2))))
    (tmp_path / "flags.json").write_text(json.dumps({"agent": {"discount": 0.96, "agent_name": "qgf"}}))
    exported = export(weights, tmp_path / f"weights.{suffix}")
    opened(page, server)
    drop(page, exported)
    expect(page.get_by_text(f"weights.{suffix}: a checkpoint, family qgf")).to_be_visible(timeout=LONG)
    expect(page.locator(".wb-found").get_by_text("0.96")).to_be_visible()
    page.get_by_label("Task that it was trained for").select_option("Three exits")
    page.locator(".wb-import button").click()
    expect(page.locator(".wb-links").get_by_role("link", name="Particles")).to_be_visible(timeout=2 * LONG)


@pytest.mark.browser
def test_a_whole_folder_is_taken(page: Tab, server: str, tmp_path: Path) -> None:
    opened(page, server)
    page.locator(".wb-drop input.folder").set_input_files(lerobot(tmp_path, made(0, (12, 9))))
    expect(page.get_by_text("lerobot: a dataset, LeRobotDataset v2.1")).to_be_visible(timeout=LONG)
    expect(
        page.locator(".wb-found").get_by_text("videos and pictures are left out: 'observation.images.top'")
    ).to_be_visible()


@pytest.mark.browser
def test_a_wrong_dataset_is_noticed_before_a_training_begins(page: Tab, server: str, tmp_path: Path) -> None:
    page.goto(f"{server}/training")
    expect(page.get_by_text("No training yet")).to_be_visible(timeout=LONG)
    page.locator(".wb-task select").select_option("Bandit in the plane")
    data = npz(tmp_path)
    page.locator(".wb-own-data input.files").set_input_files(data)
    refused = page.get_by_text(re.compile("This file is not taken: robot arm.npz: 'observations' has 4 column"))
    expect(refused).to_be_visible(timeout=LONG)
    page.locator(".wb-start button").click()
    expect(page.get_by_text("your data file is not taken")).to_be_visible(timeout=LONG)
    assert page.get_by_text("No training yet").is_visible()  # nothing was begun, nothing failed
    assert "/workbench" not in refused.inner_text()
    page.locator(".wb-task select").select_option("Three exits")  # the file is tried on the other task
    expect(page.get_by_text("1,199 rows, 30 episodes; Start trains on it.")).to_be_visible(timeout=LONG)
    page.locator(".wb-own-data").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Removed; nothing of it is kept.")).to_be_visible(timeout=LONG)
