"""READMEs, of people who mean well and of those who do not."""

from pathlib import Path

import pytest

from landform.configurations.readme import LARGEST_BYTES, clean, find

HOSTILE = """# Network <script>alert(1)</script>
[a](javascript:alert(1)) <a href=" java&#10;script:alert(1)">b</a> [c](data:text/html,x)
[d](/logout) [e](//evil.example) [f](\\\\evil.example) <a href="?page=2" target=_top>g</a>
![h](https://evil.example/pixel.png) <img src=x onerror=alert(1)> ![i](/account/tokens)
<form action=/x><input name=form_token><button formaction=/y>j</button></form>
<div id=content class="btn fixed" style="position:fixed" data-open=palette hx-get=/x>k</div>
<svg><a xlink:href="javascript:alert(1)">l</a></svg><math><mtext></mtext></math>
<iframe srcdoc="<script>1</script>"></iframe><base href=//evil.example><meta http-equiv=refresh>
<style>body{display:none}</style><link rel=stylesheet href=//evil.example/x.css>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">m</p></noscript>
"""


def test_nothing_of_a_hostile_readme_runs_loads_or_leads_into_our_own_pages(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(HOSTILE)
    found = find(tmp_path, "")
    assert found is not None
    html = found.html.lower()
    for never in ("<script", "<img", "<form", "<input", "<button", "<svg", "<iframe", "<style"):
        assert never not in html
    for never in ("<base", "<meta", "<link", " on", "style=", "class=", "id=", "data-", "hx-"):
        assert never not in html
    assert 'href="https://evil.example/pixel.png"' in html or "href=" not in html
    assert html.count("href=") == html.count('href="https://')
    assert "target=" not in html


def test_what_people_write_is_shown(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "README.md").write_text("of the root")
    (tmp_path / "live/Readme.md").write_text(
        "# Live\n\n- [docs](https://docs.example/?a=1&b=2)\n\n| a | b |\n|---|---|\n| 1 | `x` |\n"
    )
    found = find(tmp_path, "live")
    assert found is not None
    assert (found.name, found.directory, found.is_cut) == ("Readme.md", "live", False)
    assert "<h1>Live</h1>" in found.html
    assert '<a href="https://docs.example/?a=1&amp;b=2" rel="noopener' in found.html
    assert "<td><code>x</code></td>" in found.html


def test_a_text_file_stays_text_and_gives_way_to_markdown(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("<b>*plain*</b>\n")
    found = find(tmp_path, "")
    assert found is not None
    assert found.html == "<pre>&lt;b&gt;*plain*&lt;/b&gt;\n</pre>"
    (tmp_path / "README.md").write_text("*more*")
    found = find(tmp_path, "")
    assert found is not None
    assert "<em>more</em>" in found.html


def test_a_long_readme_is_cut_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\x00a " * LARGEST_BYTES)
    found = find(tmp_path, "")
    assert found is not None
    assert found.is_cut
    assert len(found.html.encode()) < LARGEST_BYTES * 8


@pytest.mark.parametrize("directory", ["gone", "..", "README.md", "out"])
def test_where_there_is_no_such_directory_there_is_no_readme(
    tmp_path: Path, directory: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for place in (tmp_path, root):
        (place / "README.md").write_text("x")
    (root / "out").symlink_to("..")
    assert find(root, directory) is None


def test_cleaning_twice_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(HOSTILE)
    found = find(tmp_path, "")
    assert found is not None
    assert clean(found.html) == found.html
