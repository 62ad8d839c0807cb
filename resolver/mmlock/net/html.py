"""A reader of HTML that takes what comes, as browsers do."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["LenientParser"]

_LONGEST, _MOST = 16_384, 64
"""Characters up to the next `>`, and how many `<` are in them: with more it is no tag of an index page."""


class LenientParser(HTMLParser):
    """`HTMLParser`, except that `<![what is this>` is a comment and no AssertionError.

    Give it a page whole. What cannot be a tag is made harmless first: the parser of many Pythons takes
    quadratic time for tags and comments that do not end.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def feed(self, data: str) -> None:
        """Read a page."""
        super().feed(_harmless(data))

    def parse_html_declaration(self, i: int) -> int:
        """The end of a declaration that starts at `i`."""
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)


def _harmless(page: str) -> str:
    """A page without tags and comments that do not end."""
    last = page.rfind("-->") + 1
    page = page[:last] + page[last:].replace("<!--", "")
    *tags, rest = page.split(">")
    kept = [
        tag if len(tag) <= _LONGEST and tag.count("<") <= _MOST else tag.replace("<", " ") for tag in tags
    ]
    return ">".join([*kept, rest.replace("<", " ")])
