"""Compiled code that a project builds itself: by a setup.py, or on the fly when it runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from posixpath import basename, dirname

from msgspec import Struct

from mmlock.core.extension import is_source
from mmlock.core.names import Sha256, StrEnum
from mmlock.scan.model import SourceLine
from mmlock.scan.module import chain_of
from mmlock.scan.ops import target_of
from mmlock.scan.project import Project

__all__ = ["BuildKind", "OwnExtension", "OwnModule", "in_setup", "jit_loads"]

_CLASSES = frozenset({"CUDAExtension", "CppExtension", "SYCLExtension", "Extension"})
_CPP_EXTENSION = "torch.utils.cpp_extension"
_MODULE = re.compile(r"[A-Za-z_*][\w.*]{0,200}")
_FILLED = re.compile(r"%(?:\(\w+\))?[sd]|\{[^{}]*\}")
"""A part of a text that is filled in when it runs."""
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hh", ".hpp", ".pyx", ".inl", ".hip")


class BuildKind(StrEnum):
    """How the code is compiled."""

    SETUP = "setup.py"  # into a package, before the project is used
    JIT = "on the fly"  # by `torch.utils.cpp_extension.load`, when the project runs


class OwnModule(Struct, frozen=True, kw_only=True):
    """One compiled module."""

    name: str | None
    """What is imported; None: it is not written as plain text."""
    maybe: tuple[str, ...]
    """Where it is not: the names that its expression may give, `*` for a part that is not known."""
    place: SourceLine
    sources: tuple[str, ...]
    """As written; patterns and parts of paths stay what they are."""
    include_dirs: tuple[str, ...]
    macros: tuple[str, ...]
    flags: tuple[str, ...]
    cuda: bool
    """Whether CUDA code is among its sources or its class compiles CUDA."""


class OwnExtension(Struct, frozen=True, kw_only=True):
    """A folder with compiled code of the project: a node of its lock."""

    folder: str
    """Relative to the project; `.` for the project itself."""
    kind: BuildKind
    name: str | None
    """Of the distribution, where it is plain text."""
    version: str | None
    modules: tuple[OwnModule, ...]
    files: int
    """Sources that the digest is about."""
    sha256: Sha256
    """Of the names and digests of everything in the folder but what builds left."""
    cuda_only: bool
    """Whether its setup.py refuses to build without CUDA."""
    packaged: str | None = None
    """The `__version__` of the package of that name, where the setup.py states no version."""


class Digest(Struct, frozen=True, kw_only=True):
    """Names and contents below a folder as one number."""

    sha256: Sha256
    files: int


def in_setup(tree: ast.Module, file: str, digest: Digest, *, cuda_files: bool) -> OwnExtension | None:
    """The extensions that one setup.py builds; None when it builds none."""
    reader = _Setup(tree, file)
    modules = tuple(reader.modules())
    if not modules:
        return None
    told = reader.told()
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(tree))
    return OwnExtension(
        folder=dirname(file) or ".",
        kind=BuildKind.SETUP,
        name=told.get("name"),
        version=told.get("version"),
        modules=tuple(_with_cuda(module, cuda_files=cuda_files) for module in modules),
        files=digest.files,
        sha256=digest.sha256,
        cuda_only=raises and "is_available" in ast.dump(tree),
    )


def _with_cuda(module: OwnModule, *, cuda_files: bool) -> OwnModule:
    """A setup.py that finds its sources by patterns has CUDA code when its folder has."""
    patterns = any("*" in text for text in module.sources) or not module.sources
    if module.cuda or not (patterns and cuda_files):
        return module
    from msgspec.structs import replace

    return replace(module, cuda=True)


class _Setup:
    """What a setup.py says by its syntax alone."""

    def __init__(self, tree: ast.Module, file: str) -> None:
        self.tree = tree
        self.file = file
        self.values: dict[str, list[ast.expr]] = {}
        self.classes: dict[str, set[str]] = {name: {name} for name in _CLASSES}
        for node in ast.walk(tree):
            self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        """Values of variables, other names of the classes, helpers that call them."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = chain_of(target) or (
                    chain_of(target.value) if isinstance(target, ast.Subscript) else ""
                )
                if name:
                    self.values.setdefault(name, []).append(node.value)
                    self._alias(name, chain_of(node.value))
        elif isinstance(node, ast.AugAssign) and (name := chain_of(node.target)):
            self.values.setdefault(name, []).append(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"append", "extend"} and (name := chain_of(node.func.value)):
                self.values.setdefault(name, []).extend(node.args)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname:
                    self._alias(alias.asname, alias.name)

    def _alias(self, name: str, value: str) -> None:
        last = value.rpartition(".")[2]
        if last in self.classes and name != last:
            self.classes.setdefault(name, set()).update(self.classes[last])

    def told(self) -> dict[str, str]:
        """Name and version, where `setup(...)` has them as text."""
        result: dict[str, str] = {}
        for call in _calls(self.tree):
            if chain_of(call.func).rpartition(".")[2] == "setup":
                for keyword in call.keywords:
                    if keyword.arg in {"name", "version"} and (text := self._one(keyword.value)):
                        result[keyword.arg] = text
        return result

    def modules(self) -> Iterator[OwnModule]:
        """Every call that makes an extension; helpers of the file count where they are called."""
        helpers = {
            node.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef)
            and node.args.args
            and any(self._makes(call) for call in _calls(node))
        }
        inside = {
            id(call)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef) and node.name in helpers
            for call in _calls(node)
        }
        for call in _calls(self.tree):
            called = chain_of(call.func).rpartition(".")[2]
            if (self._makes(call) or called in helpers) and id(call) not in inside:
                yield self._module(call, helper=called in helpers)

    def _makes(self, call: ast.Call) -> bool:
        called = chain_of(call.func).rpartition(".")[2]
        if called == "Extension":  # setuptools' own: of interest where torch's are, too
            return "cpp_extension" in ast.dump(self.tree)
        return called in self.classes

    def _module(self, call: ast.Call, *, helper: bool) -> OwnModule:
        words = {keyword.arg: keyword.value for keyword in call.keywords}
        given_name = words.get("name") or (call.args[0] if call.args else None)
        name = self._one(given_name)
        if helper and name and (package := self._one(words.get("module"))):
            name = f"{package}.{name}"
        given = [words[key] for key in words if key and "source" in key]
        given += call.args[1:2] if not given else []
        sources = tuple(dict.fromkeys(text for value in given for text in self._texts(value)))
        classes = self.classes.get(chain_of(call.func).rpartition(".")[2], set())
        return OwnModule(
            name=name,
            maybe=() if name else tuple(sorted(set(self._names(given_name)))),
            place=SourceLine(file=self.file, line=call.lineno),
            sources=sources,
            include_dirs=tuple(self._texts(words.get("include_dirs"))),
            macros=tuple(self._texts(words.get("define_macros"))),
            flags=tuple(
                text for text in self._texts(words.get("extra_compile_args")) if text.startswith("-")
            ),
            cuda="CUDAExtension" in classes or any(text.endswith((".cu", ".cuh")) for text in sources),
        )

    def _one(self, node: ast.expr | None) -> str | None:
        texts = list(self._texts(node)) if isinstance(node, ast.Constant | ast.Name) else []
        return texts[0] if len(set(texts)) == 1 else None

    def _names(self, node: ast.expr | None) -> Iterator[str]:
        """Module names that an expression may give: a name as written, or with `*` for what is filled in."""
        for text in self._shapes(node, frozenset()):
            if _MODULE.fullmatch(text) and text.strip("*._"):
                yield text

    def _shapes(self, node: ast.AST | None, seen: frozenset[str]) -> Iterator[str]:
        if isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "*" for one in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            yield from (_FILLED.sub("*", text) for text in self._texts(node.left, seen))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = (list(self._shapes(one, seen)) or ["*"] for one in (node.left, node.right))
            yield from (f"{first}{second}" for first in left for second in right)
        elif isinstance(node, ast.Call):
            yield from self._of_call(node, seen)
        elif isinstance(node, ast.Subscript):
            yield from self._values(node.value)
        elif isinstance(node, ast.IfExp):
            yield from (text for one in (node.body, node.orelse) for text in self._shapes(one, seen))
        elif isinstance(node, ast.Name):
            for value in self.values.get(node.id, ()) if node.id not in seen else ():
                yield from self._shapes(value, seen | {node.id})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value

    def _of_call(self, call: ast.Call, seen: frozenset[str]) -> Iterator[str]:
        """`"scan_{}".format(mode)`, `names.get(mode)`."""
        if not isinstance(call.func, ast.Attribute):
            return
        if call.func.attr == "format":
            yield from (_FILLED.sub("*", text) for text in self._texts(call.func.value, seen))
        elif call.func.attr in {"get", "pop"}:
            yield from self._values(call.func.value)

    def _values(self, node: ast.expr) -> Iterator[str]:
        """The texts that a mapping holds: `{"core": "scan_core"}`, `dict(core="scan_core")`."""
        for value in self.values.get(chain_of(node), [node]):
            if isinstance(value, ast.Dict):
                yield from (text for one in value.values for text in self._shapes(one, frozenset()))
            elif isinstance(value, ast.Call) and chain_of(value.func) == "dict":
                yield from (text for one in value.keywords for text in self._shapes(one.value, frozenset()))

    def _texts(self, node: ast.AST | None, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """The strings in an expression, variables followed; a joined path is one string."""
        if node is None:
            return
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            name = chain_of(node)
            for value in self.values.get(name, ()) if name not in seen else ():
                yield from self._texts(value, seen | {name})
        elif isinstance(node, ast.Call) and chain_of(node.func).endswith("path.join"):
            parts = [text for value in node.args for text in list(self._texts(value, seen))[:1]]
            yield "/".join(part.strip("/") for part in parts if part)
        else:
            for inner in ast.iter_child_nodes(node):
                yield from self._texts(inner, seen)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def jit_loads(project: Project, digest_of: Callable[[str], Digest]) -> Iterator[OwnExtension]:
    """Calls of `load` and `load_inline` of `torch.utils.cpp_extension`; a digest is of a folder."""
    for file, facts in project.modules.items():
        bound = {one.bound: target_of(one) for one in facts.imports if one.bound}
        for call in facts.called:
            root, dot, rest = call.function.partition(".")
            target = f"{bound.get(root, root)}{dot}{rest}"
            if not target.startswith(_CPP_EXTENSION) or not target.endswith((".load", ".load_inline")):
                continue
            sources = tuple(text for text in call.texts if text.endswith(COMPILED))
            name = next((text for text in call.texts if text.isidentifier()), None)
            folder = dirname(file) or "."
            digest = digest_of(folder)
            module = OwnModule(
                name=name,
                maybe=(),
                place=SourceLine(file=file, line=call.line),
                sources=sources,
                include_dirs=(),
                macros=(),
                flags=tuple(text for text in call.texts if text.startswith("-")),
                cuda=any(text.endswith(".cu") for text in sources) or "cuda_sources" in call.texts,
            )
            yield OwnExtension(
                folder=folder,
                kind=BuildKind.JIT,
                name=None,
                version=None,
                modules=(module,),
                files=digest.files,
                sha256=digest.sha256,
                cuda_only=False,
            )


def stated_version(tree: ast.Module) -> str | None:
    """The `__version__` that a module assigns as plain text at its top."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            named = any(isinstance(one, ast.Name) and one.id == "__version__" for one in node.targets)
            if named and isinstance(node.value.value, str):
                return node.value.value
    return None


def below(files: Iterable[str], folder: str) -> Iterator[str]:
    """The files in a folder that are sources, by name from the project's root."""
    from pathlib import PurePosixPath

    prefix = "" if folder == "." else f"{folder}/"
    for file in files:
        if file.startswith(prefix) and is_source(PurePosixPath(file[len(prefix) :])):
            yield file


def has_cuda(files: Iterable[str]) -> bool:
    """Whether CUDA code is among some files."""
    return any(basename(file).endswith((".cu", ".cuh")) for file in files)
