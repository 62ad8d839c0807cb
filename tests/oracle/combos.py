"""What is known of combinations: what breaks, what was validated, what is declared and not enforced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from asking import Words
from facts import Row, module_of, rows, ver, within
from world import Need, Way, lifted, meets


@dataclass(eq=False)
class Combinations(Words):
    """A request, and what packages do to each other there."""

    @cached_property
    def breakages(self) -> tuple[Row, ...]:
        """Those that no lock cures and that can happen on this machine with what the core decides."""
        found = []
        for row in rows("curated/breaks.toml"):
            if any(row.get(cure) for cure in ("constraints", "add", "drop", "environment")):
                continue
            gpus = [when for when in row["when"] if when["package"] == "gpu"]
            names = {when["package"] for when in row["when"]} - {"gpu", "python", "torch"}
            if all(self._on_gpu(when) for when in gpus) and names <= set(module_of()):
                found.append(row)
        return tuple(found)

    def breakages_of(self, package: str) -> list[Row]:
        """Those in which a package has a part."""
        found = self._breakages_of.get(package)
        if found is None:
            found = self._breakages_of[package] = [
                row for row in self.breakages if any(when["package"] == package for when in row["when"])
            ]
        return found

    @cached_property
    def _breakages_of(self) -> dict[str, list[Row]]:
        return {}

    def _on_gpu(self, when: Row) -> bool:
        archs = [d.arch for d in self.machine.devices if d.kind == "cuda" and d.arch]
        return any(within(when.get("versions", ""), f"{a[3:-1]}.{a[-1]}") for a in archs)

    def breaks(self, row: Row, place: int, python: str, ways: Mapping[str, Way]) -> bool:
        return all(
            self._happens(when, place, python, ways) for when in row["when"] if when["package"] != "gpu"
        )

    def _happens(self, when: Row, place: int, python: str, ways: Mapping[str, Way]) -> bool:
        versions, cuda = when.get("versions", ""), when.get("cuda", "")
        if when["package"] == "python":
            return within(versions, python)
        if when["package"] == "torch":
            there = self.world.builds[place]["cuda"]
            return within(versions, self.world.torch_version(place)) and within(cuda, there or "0")
        way = ways.get(module_of()[when["package"]])
        return (
            way is not None
            and way.package == when["package"]
            and within(versions, way.version)
            and when.get("form") in {None, way.how}
            and within(cuda, way.cuda or "0")
        )

    @cached_property
    def validations(self) -> tuple[Row, ...]:
        """What was validated on such a machine: on all of its GPUs."""
        archs = {device.arch for device in self.machine.devices if device.arch is not None}
        return tuple(
            row
            for row in rows("verdicts.json")
            if (row["kind"], row["platform"]) == (self.machine.kind, self.machine.platform)
            and archs <= set(row["archs"])
        )

    def validated_with(self, place: int, python: str) -> list[Row]:
        build = self.world.builds[place]
        wanted = build["torch"], build["variant"], python
        return [row for row in self.validations if (row["torch"], row["variant"], row["python"]) == wanted]

    @staticmethod
    def validated_as(row: Row, way: Way) -> bool:
        """Whether a package is there as it was in what was validated."""
        there = row["packages"].get(way.package)
        return (
            there is not None
            and ver(there).public == ver(way.version).public
            and (way.how == "build") == (way.package in row["built"])
        )

    def unmet_wishes(self, way: Way, other: Way) -> int:
        """Declared bounds of one that the other does not keep; each said once."""
        unmet = {need for need in way.wishes if need.module == other.module}
        return sum(1 for need in unmet if not meets(need, other.package, other.version))

    def torch_unlike(self, way: Way, place: int) -> int:
        """1 where a wheel brings another CUDA than torch."""
        row = way.binary
        if row is None or row["cuda"] is None or row["same_variant"] or "." not in row["cuda"]:
            return 0  # of a wheel that tells its major alone nobody knows that it is another
        return int(row["cuda"] != self.world.builds[place]["cuda"])

    def kept(self, way: Way, other: Way, python: str) -> bool:
        """Whether the other is what a way needs in its module."""
        return all(self.need_met(need, other, python) for need in way.needs if need.module == other.module)

    def need_met(self, need: Need, other: Way, python: str) -> bool:
        return lifted(need, self.machine.platform, python) or meets(need, other.package, other.version)
