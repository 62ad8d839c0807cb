"""A reader of HTML that takes what comes, as browsers do."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["LenientParser"]


class LenientParser(HTMLParser):
    """`HTMLParser`, except that `<![what is this>` is a comment and no AssertionError."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def parse_html_declaration(self, i: int) -> int:
        """The end of a declaration that starts at `i`."""
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)
