"""Reading an HTML page as a browser does, strictly: what is not well formed is an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "img", "link", "hr", "wbr"}


@dataclass
class Element:
    tag: str
    attributes: dict
    content: list = field(default_factory=list)  # elements and texts

    def all(self, tag, **attributes):
        """The elements of this tag below this one, with these attributes, in their order."""
        return [
            element
            for element in self.descendants()
            if element.tag == tag
            and all(element.attributes.get(name) == value for name, value in attributes.items())
        ]

    def descendants(self):
        for child in self.content:
            if isinstance(child, Element):
                yield child
                yield from child.descendants()

    @property
    def text(self):
        """The text that stands in the element itself."""
        return "".join(child for child in self.content if isinstance(child, str))

    def all_text(self):
        return "".join(
            child if isinstance(child, str) else child.all_text() for child in self.content
        )


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = [Element("document", {})]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].content.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].content.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data!r}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data!r}")


def page_of(html):
    """The elements of a page, the document itself first."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert [element.tag for element in reader.open] == ["document"], "a tag is never closed"
    return reader.open[0]


def shape_of(page):
    """Tags and names of attributes in their order: what text can never change."""
    found = [(element.tag, *element.attributes) for element in page.descendants()]
    return [shape for shape in found if shape != ("wbr",)]  # where a long name may break
