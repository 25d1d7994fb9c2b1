"""The reference of the Python package: its docstrings, by pdoc, in the site's own page."""

from __future__ import annotations

import pathlib
import re
import sys

import pdoc
import pdoc.doc
import pdoc.extract
import pdoc.render
from pages import Page

INDEX = "reference/python/superpose.html"
HERE = pathlib.Path(__file__).resolve().parent


def page(root: pathlib.Path) -> Page:
    """What the package exports. The stubs are not in it: the RPC reference is about those."""
    sys.path.insert(0, str(root / "client" / "python" / "src"))
    pdoc.render.configure(docformat="google", show_source=False, search=False, template_directory=HERE / "pdoc")
    module = pdoc.doc.Module(pdoc.extract.load_module("superpose"))
    exported = [member for member in module.members.values() if member.name in module.obj.__all__]
    undocumented = [member.fullname for member in exported if not member.docstring]
    if undocumented:
        raise ValueError(f"no docstring: {', '.join(undocumented)}")
    # Alone, without the modules under it: those are where things lie, not how they are reached.
    body = pdoc.render.html_module(module=module, all_modules={"superpose": module})
    names = "|".join(member.name for member in exported)
    body = re.sub(rf"superpose\.[a-z]\w*\.({names})\b", r'<a href="#\1">\1</a>', body)
    # Headings such as "Arguments" come again and again: no anchors.
    body = re.sub(r'<h6 id="[^"]*">(.*?)</h6>', r'<p class="part">\1</p>', body)
    return Page(INDEX, "Python reference", body, [(member.qualname, member.name) for member in exported])
