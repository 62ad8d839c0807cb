"""One source: the names it binds, what makes it open, what it takes and under which condition."""

from __future__ import annotations

from textwrap import dedent

import pytest

from mmlock.names.model import ModuleNames, OpenReason, RunCondition
from mmlock.names.read import read_module


def read(source: str, module: str = "pkg.mod", *, package: bool = False) -> ModuleNames:
    return read_module(dedent(source), module, package=package)


def uses(source: str) -> dict[str, RunCondition]:
    return {f"{use.module}:{use.name}": use.when for use in read(source).uses}


def test_whatever_some_branch_binds_is_given() -> None:
    found = read(
        """
        import a.b, c as d
        from e import f as g
        try:
            import fast as impl
        except ImportError as error:
            impl = None
        if D:
            def one(): inner = 1
        else:
            class One: field = 1
        for item in []: pass
        with open(x) as stream: pass
        (p, [q, *r]), s.t = value
        if (walrus := 1): pass
        annotated: int = 3
        declared: int
        def setter():
            global late
            late = 1
        match v:
            case {"k": taken, **rest}: pass
            case [first, *others] as whole: pass
        """
    )
    assert found.open is None
    assert found.given == {
        *("a", "d", "g", "impl", "error", "one", "One", "item", "stream", "p", "q", "r"),
        *("walrus", "annotated", "setter", "late", "taken", "rest", "first", "others", "whole"),
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def __getattr__(name): return load(name)", OpenReason.GETATTR),
        ("__getattr__, __dir__, __all__ = attach(__name__)", OpenReason.GETATTR),
        ("from .lazy import __getattr__", OpenReason.GETATTR),
        ("globals().update(vars(other))", OpenReason.NAMESPACE),
        ("for n in names: globals()[n] = make(n)", OpenReason.NAMESPACE),
        ("def fill(): globals()[key] = 1", OpenReason.NAMESPACE),
        ("vars()[key] = 1", OpenReason.NAMESPACE),
        ("exec(code)", OpenReason.NAMESPACE),
        ("import sys\nsys.modules[__name__] = _LazyModule()", OpenReason.REPLACED),
        ("import sys\nsetattr(sys.modules[__name__], n, v)", OpenReason.REPLACED),
        ("import sys\nsys.modules[__name__].__class__ = Module", OpenReason.REPLACED),
        ("import sys\nsys.modules[__name__ + '.moves'] = x", OpenReason.REPLACED),
        ("print 'python 2'", OpenReason.UNREAD),
        ("x = " + "(" * 5000 + ")" * 5000, OpenReason.UNREAD),
    ],
)
def test_what_may_make_names_when_it_runs_is_open(source: str, reason: OpenReason) -> None:
    assert read(source).open is reason


@pytest.mark.parametrize(
    "source",
    [
        "x = globals()['x']",
        "names = globals().keys() | {'a'}",
        "def f(): return locals()",
        "class A: exec = 1",
    ],
)
def test_looking_at_ones_own_names_makes_none(source: str) -> None:
    assert read(source).open is None


def test_names_that_a_loop_writes_down_are_no_secret() -> None:
    found = read("for n in ['float96', 'float128']: globals()[n] = getattr(core, n)")
    assert found.open is None
    assert {"float96", "float128"} <= found.given


def test_getattr_that_says_which_names_it_refuses_is_believed() -> None:
    found = read(
        """
        _info = [("int", "msg"), ("bool", "msg")]
        __former__ = {n: text for n, text in _info}
        def __getattr__(attr):
            import warnings
            if attr == "lazy":
                import pkg.lazy
                return pkg.lazy
            if attr in __future__:
                warnings.warn(attr)
            if attr in __former__:
                raise AttributeError(attr)
            raise AttributeError(f"no {attr}")
        """
    )
    assert found.denied == {"int", "bool"}
    assert "lazy" in found.given
    assert found.open is None


def test_getattr_that_answers_by_a_table_stays_open_and_still_refuses() -> None:
    found = read(
        """
        GONE = {"int": 1}
        def __getattr__(attr):
            try:
                return TABLE[attr]
            except KeyError:
                pass
            if attr in GONE:
                raise AttributeError(attr)
            raise AttributeError(attr)
        """
    )
    assert (found.denied, found.open) == ({"int"}, OpenReason.GETATTR)


def test_what_is_exported_is_known_only_where_all_of_it_is_written_down() -> None:
    assert read("__all__ = ['a']\n__all__ += ['b']\n__all__.extend(['c'])").exported == ("a", "b", "c")
    assert read("__all__ = ['a'] + sub.__all__").exported is None
    assert read("__all__ = ['a'] + sub.__all__").listed == {"a"}
    assert read("x = 1").exported is None


def test_imports_say_under_which_condition_they_run() -> None:
    found = uses(
        """
        from typing import TYPE_CHECKING
        import always
        from a import b
        try:
            import guarded
        except (ImportError, OSError):
            guarded = None
        try:
            import needed
        except ImportError as e:
            raise RuntimeError("install it") from e
        if digit_version(x) > y:
            import conditional
        if TYPE_CHECKING:
            import typed
        def f():
            import called
        class C:
            import in_class
        with suppress(ImportError):
            import quiet
        """
    )
    when = {name: condition for name, condition in found.items() if not name.startswith("typing")}
    assert when == {
        "always:": RunCondition.ALWAYS,
        "a:b": RunCondition.ALWAYS,
        "guarded:": RunCondition.GUARDED,
        "needed:": RunCondition.ALWAYS,
        "conditional:": RunCondition.IF,
        "typed:": RunCondition.TYPING,
        "called:": RunCondition.CALLED,
        "in_class:": RunCondition.ALWAYS,
        "quiet:": RunCondition.GUARDED,
    }


def test_attributes_of_imported_modules_are_taken_through_their_alias() -> None:
    found = uses(
        """
        import numpy as np
        import a.b
        TYPES = np.sctypes
        def f(): return np.int, a.b.c.d
        """
    )
    assert found["numpy:sctypes"] is RunCondition.ALWAYS
    assert found["numpy:int"] is RunCondition.CALLED
    assert found["a.b:c"] is RunCondition.CALLED


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nif hasattr(np, 'int'): x = np.int",
        "import numpy as np\nnp.int = int\nx = np.int",
        "import numpy as np\ndef f(np): return np.int",
        "import numpy as np\nnp = other\nx = np.int",
        "import numpy as np\nfrom x import np\nx = np.int",
    ],
)
def test_what_may_be_another_name_or_is_asked_for_first_is_not_taken(source: str) -> None:
    assert "numpy:int" not in uses(source)


def test_a_missing_attribute_that_is_caught_is_guarded() -> None:
    found = uses("import numpy as np\ntry:\n    x = np.int\nexcept AttributeError:\n    x = int")
    assert found["numpy:int"] is RunCondition.GUARDED


def test_relative_imports_are_made_absolute() -> None:
    def taken(source: str, *, package: bool) -> set[str]:
        return {use.module for use in read(source, "pkg.sub", package=package).uses}

    assert taken("from .a import b", package=True) == {"pkg.sub.a"}
    assert taken("from .a import b", package=False) == {"pkg.a"}
    assert taken("from ..a import b", package=True) == {"pkg.a"}
    assert taken("from ....a import b", package=True) == set()
