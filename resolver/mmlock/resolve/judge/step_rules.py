"""Rules about build steps: what they compile will run on the target and load into its torch."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.device import Code, code_for, format_cc, parse_sm
from mmlock.core.names import Form
from mmlock.core.versions import version
from mmlock.lock.model import BuildStep
from mmlock.resolve.judge.judged_lock import JudgedLock, refuse, release, unknown
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["builds"]


def builds(lock: JudgedLock) -> Iterator[Objection]:
    """Each build step has the right CUDA, archs, C++ standard and host compiler."""
    for step in lock.env.build:
        if step.source.sha256 is None:
            yield unknown(Rule.BUILDS, step.package, f"no hash of `{step.source.name}` is known")
        if step.form is not Form.BUILD or not _compiles_code(step):
            continue
        yield from _standard(lock, step)
        if lock.env.target.cuda:
            yield from _toolkit(lock, step)
            yield from _archs(lock, step)


def _compiles_code(step: BuildStep) -> bool:
    """Whether the result holds compiled files: one that says what it makes and names none is plain Python."""
    made = [check for check in step.check if check.startswith("file:")]
    return not made or any(".so" in check for check in made)


def _standard(lock: JudgedLock, step: BuildStep) -> Iterator[Objection]:
    row = lock.matrix.cpp_extension.get(lock.torch)
    lowest = row.header_std if row else None
    if row is None or lowest is None:
        text = f"the C++ standard that the headers of torch {lock.torch} need is not known"
        yield unknown(Rule.BUILDS, step.package, text)
        return
    used = step.std if step.std is not None else row.default_std
    if used < lowest:
        text = f"{step.package} is compiled as C++{used}, but torch {lock.torch} needs C++{lowest}"
        yield refuse(Rule.BUILDS, step.package, text, lock.cite("cpp-extension", row.source))


def _toolkit(lock: JudgedLock, step: BuildStep) -> Iterator[Objection]:
    cuda = step.toolchain.cuda
    if cuda is None:
        yield refuse(Rule.BUILDS, step.package, f"{step.package} is built without CUDA for a CUDA target")
        return
    if lock.cuda is not None and release(cuda) != release(lock.cuda):
        text = f"{step.package} is built with CUDA {cuda}, but torch {lock.env.torch} has {lock.cuda}"
        yield refuse(Rule.BUILDS, step.package, text)
    toolkit = lock.toolkit(cuda)
    if toolkit is None:
        yield unknown(Rule.BUILDS, step.package, f"nothing is known of the CUDA toolkit {cuda}")
        return
    gcc = step.toolchain.gcc_max
    if gcc is None or gcc > toolkit.gcc_max:
        text = f"nvcc of CUDA {cuda} supports gcc up to {toolkit.gcc_max}, but the step allows {gcc or 'any'}"
        yield refuse(Rule.BUILDS, step.package, text, lock.cite("toolkits", toolkit.source))


def _archs(lock: JudgedLock, step: BuildStep) -> Iterator[Objection]:
    """The arch list covers every device, and the toolkit can compile for it."""
    listed = step.env.get("TORCH_CUDA_ARCH_LIST")
    if listed is None:
        yield unknown(Rule.BUILDS, step.package, f"the build of {step.package} chooses its own GPU code")
        return
    built, ptx = _arch_list(listed)
    for device in lock.env.target.devices:
        if device.arch is None:
            continue
        if code_for(device, built, ptx) is Code.NONE:
            given = listed or "nothing"
            text = (
                f"{step.package} is compiled for {given}, which does not run on {device.name} ({device.arch})"
            )
            yield refuse(Rule.BUILDS, step.package, text)
    yield from _accepted(lock, step, built)
    cuda = step.toolchain.cuda
    capabilities = {row.sm: row for row in lock.matrix.capabilities}
    for arch in built if cuda is not None else ():
        row = capabilities.get(arch.rstrip("af"))
        if row is None:
            yield unknown(Rule.BUILDS, step.package, f"the CUDA that compiles for {arch} is not known")
        elif not _compiles(cuda or "0", row.first_cuda, row.last_cuda):
            text = f"CUDA {cuda} does not compile for {arch}: {row.first_cuda} to {row.last_cuda or 'now'} do"
            yield refuse(Rule.BUILDS, step.package, text, lock.cite("capabilities", row.source))


def _accepted(lock: JudgedLock, step: BuildStep, built: list[str]) -> Iterator[Objection]:
    """Torch's own build code takes only the archs that it has heard of."""
    row = lock.matrix.cpp_extension.get(lock.torch)
    for arch in built if row is not None and row.archs else ():
        if row is not None and format_cc(arch) not in row.archs:
            text = f"torch {lock.torch} does not accept {format_cc(arch)} in TORCH_CUDA_ARCH_LIST"
            yield refuse(Rule.BUILDS, step.package, text, lock.cite("cpp-extension", row.source))


def _compiles(cuda: str, first: str, last: str | None) -> bool:
    return version(first) <= version(cuda) and (last is None or version(cuda) <= version(last))


def _arch_list(text: str) -> tuple[list[str], list[str]]:
    """`9.0;12.0+PTX` -> (["sm_90", "sm_120"], ["compute_120"]); what cannot be read counts for nothing."""
    built, ptx = [], []
    for item in text.replace(" ", ";").split(";"):
        name, _, plus = item.partition("+")
        digits = name.replace(".", "")
        try:
            parse_sm(f"sm_{digits}")
        except ValueError:
            continue
        built.append(f"sm_{digits}")
        if plus:
            ptx.append(f"compute_{digits}")
    return built, ptx
