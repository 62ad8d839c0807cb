"""What a kernel check is, and how its findings are reported."""

from __future__ import annotations

import os
import time
import zlib
from typing import Any, Callable, Iterator, NamedTuple, Sequence

DEVICES = ("cpu", "cuda")

TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-9, 1e-9),
    "float32": (1e-4, 1e-5),
    "float16": (2e-2, 4e-3),
    "bfloat16": (5e-2, 2e-2),
}
"""By dtype: relative, and absolute in units of the largest value of the reference (or of 1)."""

_NO_KERNEL = (
    "implementation for device cpu not found",
    "is not implemented on CPU",
    "Not implemented on the CPU",
)


class Skip(Exception):
    """A check that cannot run here; the text says why."""


class Check(NamedTuple):
    """One check of a suite."""

    name: str
    run: Callable[[Trial], None]
    devices: tuple[str, ...]
    ops: tuple[str, ...]
    """Names that the package must have; a release without them skips the check."""


class Suite:
    """The checks of one package. `load` imports the package and gives the module that has the ops.

    `plain` tells whether this build of it has its ops in plain PyTorch, which run on the CPU, too.
    """

    def __init__(self, name: str, load: Callable[[], Any], plain: Callable[[], bool] | None = None) -> None:
        self.name = name
        self.load = load
        self.plain = plain
        self.checks: list[Check] = []

    def devices(self, check: Check) -> tuple[str, ...]:
        """Where this build of the package has the ops of a check."""
        everywhere = self.plain is not None and self.plain()
        return tuple(dict.fromkeys((*check.devices, "cpu"))) if everywhere else check.devices

    def check(
        self, *ops: str, name: str | None = None, devices: Sequence[str] = DEVICES
    ) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
        """Add a function to the suite; its name, or the first op's, is the check's."""

        def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
            self.checks.append(
                Check(
                    name=name or (ops[0] if ops else function.__name__),
                    run=function,
                    devices=tuple(devices),
                    ops=ops,
                )
            )
            return function

        return add


class Trial:
    """One run of one check: its inputs from a seed, its comparisons."""

    def __init__(self, check: Check, ops: Any, device: str, seed: int) -> None:
        self.check = check
        self.ops = ops
        self.device = device
        self.seed = (seed + zlib.crc32(check.name.encode())) % 2**32
        self.rows: list[dict[str, Any]] = []
        self._torch: Any = None
        self._rng: Any = None

    @property
    def torch(self) -> Any:
        if self._torch is None:
            import torch

            torch.manual_seed(self.seed)
            self._torch = torch
        return self._torch

    @property
    def rng(self) -> Any:
        if self._rng is None:
            import numpy as np

            self._rng = np.random.RandomState(self.seed)
        return self._rng

    # ------------------------------------------------------------ inputs

    def normal(self, *shape: int, scale: float = 1.0) -> Any:
        """Random values as a float64 array."""
        return self.rng.standard_normal(shape) * scale

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        return self.rng.uniform(low, high, shape)

    def tensor(self, array: Any, dtype: str = "float32") -> Any:
        """An array as a tensor on the device; whole numbers keep their type."""
        torch = self.torch
        given = torch.as_tensor(array)
        if given.is_floating_point():
            given = given.to(getattr(torch, dtype))
        return given.to(self.device)

    @property
    def halves(self) -> tuple[str, ...]:
        """The dtypes of ops that have a half-precision kernel on GPUs."""
        return ("float32", "float16") if self.device == "cuda" else ("float32",)

    # ------------------------------------------------------------ comparisons

    def close(self, what: str, got: Any, want: Any, *, dtype: str = "float32", factor: float = 1.0) -> None:
        """Compare with a reference in higher precision."""
        torch = self.torch
        self.settle()
        got, want = got.detach().cpu().double(), torch.as_tensor(want).detach().cpu().double()
        if got.shape != want.shape:
            self._row(what, ok=False, note=f"shape {list(got.shape)}, expected {list(want.shape)}")
            return
        rtol, atol = (factor * part for part in TOLERANCES[dtype])
        if got.numel() == 0:
            self._row(what, ok=True, note="empty", rtol=rtol, atol=atol)
            return
        finite = bool(torch.isfinite(got).all())
        error = (got - want).abs()
        scale = max(1.0, float(want.abs().max()))
        allowed = atol * scale + rtol * want.abs()
        ratio = float((error / allowed).max()) if finite else float("inf")
        self._row(
            what,
            ok=finite and ratio <= 1,
            note=None if finite else "not finite",
            error=float(error.max()) if finite else None,
            ratio=ratio if finite else None,
            rtol=rtol,
            atol=atol,
        )

    def same(self, what: str, got: Any, want: Any) -> None:
        """Compare what has no tolerance: indices, counts, masks."""
        self.settle()
        got, want = _plain(got), _plain(want)
        note = None if got == want else f"got {_short(got)}, expected {_short(want)}"
        self._row(what, ok=got == want, note=note)

    def versus(
        self,
        what: str,
        kernel: Callable[..., Any],
        reference: Callable[..., Any],
        inputs: Sequence[Any],
        *,
        grads: Sequence[int] = (),
        dtype: str = "float32",
        factor: float = 1.0,
    ) -> None:
        """Run both on the same inputs and compare values, then gradients for random output weights.

        The reference gets float64 tensors on the CPU that hold exactly what the kernel gets.
        """
        torch = self.torch
        given = [self.tensor(item, dtype) for item in inputs]
        exact = [item.detach().cpu().double() if item.is_floating_point() else item.cpu() for item in given]
        for at in grads:
            given[at].requires_grad_()
            exact[at].requires_grad_()
        label = f"{what} {dtype}"
        got, want = kernel(*given), reference(*exact)
        self.close(label + " forward", got, want, dtype=dtype, factor=factor)
        if not grads or got.shape != want.shape:
            return
        weights = torch.as_tensor(self.rng.standard_normal(tuple(want.shape))).to(got.dtype)
        got.backward(weights.to(self.device))
        want.backward(weights.double())
        for at in grads:
            self.close(
                f"{label} backward {at}",
                _gradient(torch, given[at]),
                _gradient(torch, exact[at]),
                dtype=dtype,
                factor=factor,
            )

    def settle(self) -> None:
        """Wait for the device: what went wrong in a kernel must show here, not in a later one.

        torch looks at CUDA's last error after each launch of its own: so a launch that failed, and that
        the extension did not look at, is raised by the small one made here.
        """
        if self.device == "cuda":
            self.torch.zeros(1, device="cuda").add_(1)
            self.torch.cuda.synchronize()

    def _row(self, what: str, *, ok: bool, note: str | None = None, **numbers: Any) -> None:
        row: dict[str, Any] = {"case": what, "ok": ok}
        if note:
            row["note"] = note
        row.update({key: value for key, value in numbers.items() if value is not None})
        self.rows.append(row)


def _gradient(torch: Any, tensor: Any) -> Any:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _plain(value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 90 else text[:87] + "..."


def perform(suite: Suite, check: Check, device: str, seed: int) -> dict[str, Any]:
    """Run one check in this process. Never raises for what the check does."""
    started = time.perf_counter()
    row: dict[str, Any] = {"suite": suite.name, "check": check.name, "device": device}
    trial: Trial | None = None
    try:
        trial = _ready(suite, check, device, seed)
        check.run(trial)
        trial.settle()
        row.update(_judged(trial))
    except Skip as reason:
        row.update(status="skipped", reason=str(reason))
    except Exception as error:  # noqa: BLE001  a check may fail in any way
        row.update(_failed(error, device))
    if trial is not None:
        row["seed"] = trial.seed
        row["cases"] = trial.rows
    row["seconds"] = round(time.perf_counter() - started, 4)
    return row


def _ready(suite: Suite, check: Check, device: str, seed: int) -> Trial:
    devices = suite.devices(check)
    if device not in devices:
        raise Skip(f"there is no {device} kernel, only {', '.join(devices)}")
    ops = suite.load()
    missing = [name for name in check.ops if not hasattr(ops, name)]
    if missing:
        raise Skip(f"this release has no `{missing[0]}`")
    return Trial(check, ops, device, seed)


def _judged(trial: Trial) -> dict[str, Any]:
    wrong = [row for row in trial.rows if not row["ok"]]
    if wrong:
        first = wrong[0]
        told = first.get("note")
        if told is None:
            told = f"error {first['error']:.3g} is {first['ratio']:.3g} times what is allowed"
        return {"status": "failed", "reason": f"{first['case']}: {told}"}
    if not trial.rows:
        return {"status": "failed", "reason": "the check compared nothing"}
    ratios = [row["ratio"] for row in trial.rows if "ratio" in row]
    errors = [row["error"] for row in trial.rows if "error" in row]
    passed: dict[str, Any] = {"status": "passed"}
    if ratios:
        passed.update(error=max(errors), ratio=max(ratios))
    return passed


def _failed(error: Exception, device: str) -> dict[str, Any]:
    told = str(error).strip().splitlines() or [""]
    text = f"{type(error).__name__}: {told[0]}"
    if device == "cpu" and any(mark in text for mark in _NO_KERNEL):
        return {"status": "skipped", "reason": f"this release has no cpu kernel ({text})"}
    return {"status": "failed", "reason": text, "where": list(_places(error))[-3:]}


def _places(error: Exception) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
