"""Compilers, loaders and shells say the same in every language."""
# ruff: noqa: RUF001 - the marks of other languages

from __future__ import annotations

import pytest

from .conftest import Ask, matrix, patterns


@pytest.mark.parametrize("row", matrix().phrases, ids=lambda row: f"{row.language}-{row.means[:20]}")
def test_every_phrase_is_read_in_english(row: object) -> None:
    said, means = row.said.replace("{x}", "cudart"), row.means.replace("{x}", "cudart")  # type: ignore[attr-defined]
    assert means in patterns().read(f"a.cu:1: {said}: b")


@pytest.mark.parametrize(
    ("line", "symptom"),
    [
        ("a.cu:2:10: fatal error: cusparse.h: 没有那个文件或目录", "cuda-header-missing"),
        ("a.cu:2:10: 致命错误：cusparse.h: 没有那个文件或目录", "cuda-header-missing"),
        (
            "a.cu:2:10: schwerwiegender Fehler: cusparse.h: Datei oder Verzeichnis nicht gefunden",
            "cuda-header-missing",
        ),
        (
            "a.cu:2:10: 致命的エラー: cusparse.h: そのようなファイルやディレクトリはありません",
            "cuda-header-missing",
        ),
        (
            "x.cpp:3: schwerwiegender Fehler: Python.h: Datei oder Verzeichnis nicht gefunden",
            "build-python-headers",
        ),
        ("/usr/bin/ld: 找不到 -lcudart: 没有那个文件或目录", "link-library"),
        ("/usr/bin/ld: -lcudart が見つかりません", "link-library"),
        ("ImportError: libcudart.so.12: 无法打开共享对象文件: 没有那个文件或目录", "library-cuda"),
        ("ImportError: libGL.so.1: 共有オブジェクトファイルを開けません: ...", "library-gl"),
        ("OSError: /lib/libgomp.so.1: Kein Speicher im statischen TLS-Block verfügbar", "static-tls"),
        ("/bin/sh: nvcc: 未找到命令", "cuda-home-missing"),
        ("bash: nvcc: Kommando nicht gefunden.", "cuda-home-missing"),
        ("段错误 (核心已转储)", "segfault"),
        ("Speicherzugriffsfehler (Speicherabzug geschrieben)", "segfault"),
        ("c++: fatal error: 已杀死 signal terminated program cc1plus", "build-out-of-memory"),
        ("std_function.h:435:145: 错误：参数包未能在‘...’中被展开：", "gcc11-parameter-packs"),
        ('OSError: [WinError 1114] 动态链接库(DLL)初始化例程失败。 Error loading "c10.dll"', "win-dll-init"),
        ("OSError: [WinError 193] %1 ist keine zulässige Win32-Anwendung", "win-bad-image"),
        ("OSError: [Errno 28] 设备上没有空间", "build-disk-full"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_what_tools_say_in_other_languages_is_understood(
    ask: Ask, line: str, symptom: str, encoding: str
) -> None:
    assert ask(line.encode(encoding, "replace")).ids[:1] == [symptom]


def test_shift_jis_is_read_as_japanese(ask: Ask) -> None:
    line = "a.cu:2:10: 致命的エラー: cusparse.h: そのようなファイルやディレクトリはありません"
    assert ask(line.encode("cp932")).ids == ["cuda-header-missing"]


def test_the_evidence_is_quoted_as_it_stands(ask: Ask) -> None:
    line = "a.cu:2:10: 致命错误： cusparse.h: 没有那个文件或目录"
    assert ask(line.encode()).cause.lines[0].text == line
