"""Facts that are refreshed while the service runs: what is taken up, what is kept, and who hears of it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_site import ROOT, Make

from mmlock.app import browsing
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.facts.matrix.load import Matrix
from mmlock.upkeep.fresh_facts import FreshFacts, using
from mmlock.web.fresh_facts import following, take_up
from mmlock.web.settings import read_settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Facts that are small: what is said of devices."""
    base = tmp_path / "matrices"
    base.mkdir()
    for name in ("gpus.json", "capabilities.json", "toolkits.json"):
        (base / name).write_bytes((ROOT / "matrices" / name).read_bytes())
    for name in ("curated", "torch"):
        shutil.copytree(ROOT / "matrices" / name, base / name)
    return {"MMLOCK_MATRICES": str(base), "MMLOCK_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture(autouse=True)
def facts_of_others() -> Iterator[None]:
    yield
    browsing.facts_changed()


def new_card(folder: Path, _stopping: threading.Event) -> None:
    """What a refresh does: it writes into the folder that it is given."""
    file = folder / "gpus.json"
    document = json.loads(file.read_text())
    document["rows"].append({**document["rows"][0], "name": "GeForce of Tomorrow", "aliases": ["tomorrow"]})
    file.write_text(json.dumps(document))


def names(folder: Path) -> set[str]:
    return {row["name"] for row in json.loads((folder / "gpus.json").read_text())["rows"]}


@pytest.mark.slow
def test_new_facts_are_used_from_then_on_and_by_the_next_start(environ: dict[str, str]) -> None:
    facts = FreshFacts(environ, new_card)
    base = facts.current()
    digest = facts.renew()
    assert digest == Matrix(facts.current()).digest
    assert "GeForce of Tomorrow" in names(facts.current())
    assert "GeForce of Tomorrow" not in names(base)
    assert FreshFacts(environ, new_card).current() == facts.current()


def test_a_refresh_that_fails_or_changes_nothing_leaves_the_facts_in_use(environ: dict[str, str]) -> None:
    def half(folder: Path, stopping: threading.Event) -> None:
        new_card(folder, stopping)
        raise EnvironmentFault("no network")

    with pytest.raises(EnvironmentFault, match="no network"):
        FreshFacts(environ, half).renew()
    facts = FreshFacts(environ, lambda _folder, _stopping: None)
    assert facts.renew() is None
    assert facts.current() == Path(environ["MMLOCK_MATRICES"])
    assert [path.name for path in facts.folder.iterdir()] == []


@pytest.mark.parametrize("text", ["..", "../../matrices", "0" * 64, "a/b", ""])
def test_a_note_that_names_no_facts_of_ours_is_not_followed(environ: dict[str, str], text: str) -> None:
    facts = FreshFacts(environ, new_card)
    facts.folder.mkdir(parents=True)
    (facts.folder / "current").write_text(text)
    assert facts.current() == Path(environ["MMLOCK_MATRICES"])


def test_facts_that_were_changed_on_disk_or_are_another_installations_are_not_taken_up(
    environ: dict[str, str],
) -> None:
    facts = FreshFacts(environ, new_card)
    facts.renew()
    kept = facts.current()
    (kept / "gpus.json").write_text((kept / "gpus.json").read_text().replace("Tomorrow", "Yesterday"))
    base = Path(environ["MMLOCK_MATRICES"])
    assert FreshFacts(environ, new_card).current() == base
    (base / "toolkits.json").write_text((base / "toolkits.json").read_text() + " ")
    assert FreshFacts(environ, new_card).folder != facts.folder


@pytest.mark.slow
def test_a_service_goes_over_to_new_facts(make_site: Make, environ: dict[str, str]) -> None:
    facts = FreshFacts(environ, new_card)
    with using(facts.current()):
        browsing.facts_changed()
        site = make_site()
        before = site.client.get("/readyz").json()["matrix"]
        assert "GeForce of Tomorrow" not in site.client.get("/gpus/hint?gpus=tomorrow").text
        digest = facts.renew()
        take_up(facts.current(), site.service)
        assert site.client.get("/readyz").json()["matrix"] == digest != before
        assert "GeForce of Tomorrow" in site.client.get("/gpus/hint?gpus=tomorrow").text


def test_it_ends_with_the_service_and_not_a_minute_later(environ: dict[str, str]) -> None:
    facts = FreshFacts(environ, new_card)
    with following("0 0 1 1 *", facts, lambda _folder: None):
        pass
    assert not [one for one in threading.enumerate() if one.name == "mmlock-refresh"]


def test_what_is_no_schedule_is_refused() -> None:
    for values in ({"refresh": "tomorrow"}, {"refresh": "17 4 * * *", "executor": "queue"}):
        with pytest.raises(UsageError):
            read_settings(None, {}, values)
    assert read_settings(None, {"MMLOCK_SERVE_REFRESH": "17 4 * * *"}).refresh == "17 4 * * *"
