"""A wheel whose extension is plain PyTorch: the sources' own Python files, and `mmlock.wheels.torchops`.

mmcv reaches its ops through functions of the module `mmcv._ext`, by name and with tensors to fill. A package
of that name with such functions in Python is what this wheel has in place of the compiled module. Which
function stands for which is decided by name and arguments, read in the sources' own binding.
"""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.wheels.model import CheckStatus, WheelTest

LIBRARY = Path(__file__).parent / "torchops"

_PACKAGE = "mmcv"
_BINDING = Path("mmcv/ops/csrc/pytorch/pybind.cpp")
_COMPILED = "mmcv/ops/csrc/"
_DEFINITION = re.compile(r'm\.def\(\s*"(\w+)"((?:(?!m\.def\().)*?)\);', re.DOTALL)
_ARGUMENT = re.compile(r'py::arg\(\s*"(\w+)"\s*\)')
_VARIANT = re.compile(r"_v\d+$")


class Function(Struct, frozen=True, kw_only=True):
    """A function of the library."""

    file: str
    """Module in `torchops/`."""
    name: str
    parameters: tuple[str, ...]

    @property
    def symbol(self) -> str:
        """The name it has in the extension."""
        return _VARIANT.sub("", self.name)


class TorchOpsModule(Struct, frozen=True, kw_only=True):
    """What stands for the functions of an extension."""

    functions: Mapping[str, Function]
    """By the extension's name."""
    missing: tuple[str, ...]
    """Names for which the library has nothing that takes these arguments."""
    unwanted: tuple[str, ...] = ()
    """Names that are there and were not asked for."""

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted({function.file for function in self.functions.values()}))


@lru_cache(maxsize=4)
def library(folder: Path = LIBRARY) -> tuple[Function, ...]:
    """Every public function of the library, by file and name."""
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                parameters = tuple(argument.arg for argument in node.args.args)
                found.append(Function(file=path.stem, name=node.name, parameters=parameters))
    return tuple(found)


def symbols(binding: str) -> dict[str, set[tuple[str, ...]]]:
    """The functions that a pybind11 binding defines, each with the arguments it may take."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for name, rest in _DEFINITION.findall(binding):
        found.setdefault(name, set()).add(tuple(_ARGUMENT.findall(rest)))
    return found


def extension(
    binding: str, functions: Iterable[Function] | None = None, wanted: frozenset[str] | None = None
) -> TorchOpsModule:
    """What the library has for a binding. `wanted` names extension functions; None: all there are."""
    named: dict[str, list[Function]] = {}
    for function in library() if functions is None else functions:
        named.setdefault(function.symbol, []).append(function)
    chosen: dict[str, Function] = {}
    missing, unwanted = [], []
    for name, forms in sorted(symbols(binding).items()):
        fits = [one for one in named.get(name, ()) if one.parameters in forms]
        if not fits:
            missing.append(name)
        elif wanted is not None and name not in wanted:
            unwanted.append(name)
        else:
            chosen[name] = fits[0]
    return TorchOpsModule(functions=chosen, missing=tuple(missing), unwanted=tuple(unwanted))


# ---------------------------------------------------------------- ops by the names that users know


def needed(tree: Path, ops: Iterable[str]) -> frozenset[str]:
    """The extension functions that ops of `mmcv.ops` reach. Raises UsageError for an unknown name."""
    exported = _exported(tree / "mmcv/ops/__init__.py")
    unknown = sorted(set(ops) - set(exported))
    if unknown:
        raise UsageError(
            f"`mmcv.ops` of these sources has no {', '.join(f'`{name}`' for name in unknown)}",
            hints=["`mmlock scan` lists the names that a project uses"],
        )
    reached: set[str] = set()
    waiting, seen = [exported[name] for name in ops], set[str]()
    while waiting:
        module = waiting.pop()
        path = tree / f"mmcv/ops/{module}.py"
        if module not in seen and path.is_file():
            seen.add(module)
            own, beside = _module(path)
            reached |= own
            waiting += beside
    return frozenset(reached)


def _exported(path: Path) -> dict[str, str]:
    """Name -> the module of `mmcv.ops` that it comes from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1)
    return {alias.asname or alias.name: str(node.module) for node in imports for alias in node.names}


def _module(path: Path) -> tuple[set[str], list[str]]:
    """The extension functions that a module loads, and the modules beside it that it imports."""
    loaded: set[str] = set()
    beside = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "load_ext" and len(node.args) > 1:
            names = node.args[1].elts if isinstance(node.args[1], ast.List) else []
            loaded |= {str(item.value) for item in names if isinstance(item, ast.Constant)}
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            beside += [node.module] if node.module else [alias.name for alias in node.names]
    return loaded, beside


# ---------------------------------------------------------------- the wheel


def make_wheel(
    tree: Path, folder: Path, *, requires: tuple[str, ...], ops: tuple[str, ...] = ()
) -> tuple[Path, TorchOpsModule]:
    """Write the wheel of unpacked sources into `folder`. `ops` are names of `mmcv.ops`; none: all there are.

    Raises EnvironmentFault when the sources are not mmcv's, UsageError when an op that is wanted is missing.
    """
    binding = tree / _BINDING
    info = tree / "PKG-INFO"
    if not binding.is_file() or not info.is_file():
        raise EnvironmentFault(
            "these sources have no ops that could be replaced",
            causes=[f"`{(_BINDING if not binding.is_file() else Path('PKG-INFO')).as_posix()}` is not there"],
            hints=["torch-ops wheels are made of the source distributions of mmcv and mmcv-full"],
        )
    text = binding.read_text(encoding="utf-8")
    wanted = needed(tree, ops) if ops else None
    found = extension(text, wanted=wanted)
    lacking = sorted((wanted or frozenset()) & set(found.missing))
    if lacking:
        raise UsageError(
            "not all of the ops that are wanted exist in plain PyTorch",
            causes=[f"`mmcv._ext.{name}` has no replacement" for name in lacking],
            hints=["leave `--allow-torch-ops` out: these ops need a compiled mmcv"],
        )
    metadata = _metadata(info.read_text(encoding="utf-8"), requires)
    licenses = {path.name: path.read_bytes() for path in sorted(tree.glob("LICENSE*")) if path.is_file()}
    members = {**_python_files(tree), **_extension_files(found)}
    return _write(folder, metadata, members, licenses), found


def _python_files(tree: Path) -> dict[str, bytes]:
    """The package as it is, without what would have been compiled."""
    files = (path for path in sorted((tree / _PACKAGE).rglob("*")) if path.is_file())
    named = ((path.relative_to(tree).as_posix(), path) for path in files)
    return {
        name: path.read_bytes()
        for name, path in named
        if not name.startswith(_COMPILED) and "__pycache__" not in name
    }


def _extension_files(found: TorchOpsModule) -> dict[str, bytes]:
    """The package that stands in for the compiled module, with its helpers."""
    files = set(found.files)
    for name in found.files:
        files |= set(_beside(LIBRARY / f"{name}.py"))
    out = {f"mmcv/_ext/{name}.py": (LIBRARY / f"{name}.py").read_bytes() for name in sorted(files)}
    return {**out, "mmcv/_ext/__init__.py": front(found).encode()}


def _beside(path: Path) -> Iterator[str]:
    """Files of the library that one imports, and that those import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                yield str(name)
                yield from _beside(path.with_name(f"{name}.py"))


_FRONT = '''"""mmcv's ops in plain PyTorch, in place of the compiled extension. Made by mmlock."""

TORCH_OPS = True
"""Tells this module from a compiled one."""

{imports}


def _missing(name, why):
    def op(*args, **kwargs):
        raise NotImplementedError(
            "mmcv._ext." + name + " is not in this mmcv, which mmlock made without a compiler: " + why
        )

    op.__name__ = name
    return op


{stubs}
'''


def front(found: TorchOpsModule) -> str:
    """The text of `mmcv/_ext/__init__.py`: every name is there, and those missing say so."""
    imports = [
        f"from .{one.file} import {one.name} as {symbol}  # noqa: F401"
        for symbol, one in sorted(found.functions.items(), key=lambda item: (item[1].file, item[0]))
    ]
    lack = "nobody has written it in PyTorch; take a compiled mmcv (mmlock solve without --allow-torch-ops)"
    left = "it was not among the ops asked for; solve again with it"
    stubs = [f"{name} = _missing({name!r}, {lack!r})" for name in found.missing]
    stubs += [f"{name} = _missing({name!r}, {left!r})" for name in found.unwanted]
    return _FRONT.format(imports="\n".join(imports), stubs="\n".join(stubs)).rstrip() + "\n"


def told(found: TorchOpsModule) -> str:
    """What was put where, for the log."""
    rows = [f"{name}: {one.file}.{one.name}" for name, one in sorted(found.functions.items())]
    rows += [f"{name}: not written in PyTorch" for name in found.missing]
    rows += [f"{name}: not asked for" for name in found.unwanted]
    return "\n".join(rows) + "\n"


def coverage(found: TorchOpsModule) -> WheelTest:
    """How many of the extension's functions the wheel has."""
    whole = len(found.functions) + len(found.missing) + len(found.unwanted)
    rest = [f"not written: {', '.join(found.missing)}"] if found.missing else []
    rest += [f"{len(found.unwanted)} not asked for"] if found.unwanted else []
    detail = "; ".join([f"{len(found.functions)} of {whole} functions of mmcv._ext in plain PyTorch", *rest])
    return WheelTest(name="ops", status=CheckStatus.PASSED, detail=detail)


def _metadata(info: str, requires: tuple[str, ...]) -> str:
    """PKG-INFO as a wheel's METADATA. The lock knows what it needs; that of the build machine is left out."""
    head, gap, body = info.partition("\n\n")
    kept = [line for line in head.splitlines() if not line.startswith(("Requires-Dist:", "Provides-Extra:"))]
    return "\n".join([*kept, *(f"Requires-Dist: {one}" for one in requires)]) + (gap + body if gap else "\n")


def _write(folder: Path, metadata: str, members: Mapping[str, bytes], beside: Mapping[str, bytes]) -> Path:
    """A wheel of these members, and of those `beside` its METADATA; times are settled when it is signed."""
    headers = dict(
        line.split(": ", 1) for line in metadata.splitlines() if re.match(r"(Name|Version): ", line)
    )
    stem = f"{headers['Name'].replace('-', '_')}-{headers['Version']}"
    info = f"{stem}.dist-info"
    whole = {
        **members,
        **{f"{info}/{name}": data for name, data in beside.items()},
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: mmlock\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/top_level.txt": f"{_PACKAGE}\n".encode(),
    }
    rows = io.StringIO()
    record = csv.writer(rows, lineterminator="\n")
    for name, data in whole.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.writerow([name, f"sha256={digest}", len(data)])
    record.writerow([f"{info}/RECORD", "", ""])
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in {**whole, f"{info}/RECORD": rows.getvalue().encode()}.items():
            out.writestr(name, data)
    return target


def library_digest(folder: Path = LIBRARY) -> str:
    """One digest of all files of the library, and of this one: they shape the wheel as the sources do."""
    whole = hashlib.sha256()
    for path in (*sorted(folder.glob("*.py")), Path(__file__)):
        whole.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
