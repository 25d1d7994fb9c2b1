import pathlib

import links
import markdown_pages
import prose
import pytest
from pages import Page, Place, Site


def render(root: pathlib.Path, text: str, name: str = "server/README.md") -> Page:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return markdown_pages.render(root, path, lambda target: f"source/{target}.html")


def test_a_link_to_a_file_leads_to_the_page_about_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.h").touch()
    assert 'href="../source/lib/a.h.html#top"' in render(tmp_path, "[a](../lib/a.h#top)").body


@pytest.mark.parametrize(
    "text", ["[a](missing.md)", "[a](../../outside.md)", "[a](/server/README.md)", "see `lib/missing.h`", "![a](b.svg)"]
)
def test_what_leads_nowhere_is_named_with_its_file(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path.parent / "outside.md").touch()
    with pytest.raises(markdown_pages.BrokenLinkError, match=r"server/README\.md"):
        render(tmp_path, text)


def test_other_sites_and_words_with_slashes_are_left_alone(tmp_path: pathlib.Path) -> None:
    assert "https://pytorch.org" in render(tmp_path, "[a](https://pytorch.org) `transcoders/..` `jobs/{id}/`").body


def test_headings_have_the_anchors_that_git_hosts_give_them(tmp_path: pathlib.Path) -> None:
    page = render(tmp_path, "# The `lib`, in C++!\n## A job's life\n## A job's life\n")
    assert page.title == "The lib, in C++!"
    assert page.sections == [("a-jobs-life", "A job's life"), ("a-jobs-life-1", "A job's life")]


def test_html_in_a_page_is_text(tmp_path: pathlib.Path) -> None:
    assert "<script>" not in render(tmp_path, "a <script>alert(1)</script>\n\n```\n<script>\n```").body


def test_a_drawing_becomes_part_of_the_page(tmp_path: pathlib.Path) -> None:
    (tmp_path / "drawing.svg").write_text('<?xml version="1.0"?><svg><title>T</title></svg>')
    assert "<figure><svg><title>T</title></svg></figure>" in render(tmp_path, "![T](drawing.svg)", "README.md").body


def write_site(root: pathlib.Path, *bodies: str) -> pathlib.Path:
    site = Site(root / "site")
    for number, body in enumerate(bodies):
        site.add(Page("index.html" if number == 0 else f"{number}.html", "T", body))
    site.write()
    return site.out


def test_a_sound_site_has_nothing_wrong(tmp_path: pathlib.Path) -> None:
    assert links.check(write_site(tmp_path, '<a href="1.html#there">', '<h2 id="there"></h2><a href="#there">')) == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("gone.html", "no such file"),
        ("1.html#gone", "no such anchor"),
        ("#gone", "no such anchor"),
        ("../../x.html", "leads out of the site"),
        ("style.css#gone", "no such anchor"),
        ("", "an empty link"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: pathlib.Path, link: str, problem: str) -> None:
    (wrong,) = links.check(write_site(tmp_path, f'<a href="{link}">', ""))
    assert wrong.startswith("index.html:")
    assert wrong.endswith(problem)


def test_an_anchor_that_is_there_twice_is_found(tmp_path: pathlib.Path) -> None:
    assert links.check(write_site(tmp_path, '<p id="a"></p><p id="a"></p>')) == [
        "index.html: the anchor a is there more than once"
    ]


def test_comments_become_paragraphs_and_formulas() -> None:
    text = "First `a<b>` line\nand second.\n  a = z W_mid\n    + b_mid\n\nNext."
    assert prose.block(text, "x.html", {}) == (
        "<p>First <code>a&lt;b&gt;</code> line and second.</p>\n<pre>a = z W_mid\n  + b_mid</pre>\n<p>Next.</p>"
    )


def test_known_names_are_linked_and_plain_words_are_not() -> None:
    names = {"QUEUE_FULL": Place("errors.html", "QUEUE_FULL"), "Job": Place("job.html", "Job")}
    assert prose.inline("Job: QUEUE_FULL", "a/x.html", names) == (
        'Job: <a href="../errors.html#QUEUE_FULL">QUEUE_FULL</a>'
    )


def test_the_first_sentence_ends_at_its_full_stop() -> None:
    assert prose.first_sentence("Rows 0 .. 3 of it. More.") == "Rows 0 .. 3 of it."
    assert prose.first_sentence("All of\nit\n\nmore") == "All of it"
