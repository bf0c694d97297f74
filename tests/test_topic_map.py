"""The map as a browser shows it: title, colours, search, Hangul, nothing from the network, nothing executed."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ko_sentence_transformers.topics.colours import topic_colours
from ko_sentence_transformers.topics.describe import Topic
from ko_sentence_transformers.topics.map import GRID, View, write_map

TITLE = "시험 <지도> & 제목"
TEXTS = [
    "김치찌개가 매웠다",
    "</script><script>document.title='뚫림'</script>",
    "지하철이 멈췄다 😀",
    "홀로 남은 글",
    "  ",
]


@pytest.fixture
def view() -> View:
    topics = (
        Topic(0, 2, "김치 · 찌개", ("김치", "찌개"), (TEXTS[0],)),
        Topic(3, 1, "지하철", ("지하철",), (TEXTS[2],)),
    )
    xy = np.array([[0, 0], [1, 0], [5, 5], [9, 2], [np.nan, np.nan]], dtype=np.float32)
    periods = [{"period": f"2024-0{m}", "topic": t, "size": m} for m in (1, 2, 3) for t in (0, 3)]
    return View(TITLE, xy, np.array([0, 0, 3, -1, -1]), TEXTS, topics, periods)


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def test_page_holds_the_data_and_reaches_for_nothing(view, tmp_path) -> None:
    write_map(tmp_path / "map.html", view)
    page = (tmp_path / "map.html").read_text("utf-8")
    data = data_of(page)
    assert data["texts"] == TEXTS[:4]
    assert data["total"] == 5 and data["outside"] == 2
    assert np.frombuffer(base64.b64decode(data["topic"]), "<i2").tolist() == [0, 0, 1, -1]
    xy = np.frombuffer(base64.b64decode(data["xy"]), "<u2").reshape(-1, 2)
    assert xy.min() >= 0 and xy.max() <= GRID and xy[2, 1] > xy[0, 1]
    assert data["topics"][1]["over_time"] == [1, 2, 3]
    assert not re.search(r"""(src|href|url|@import|fetch|import)\s*[=(]\s*["']?(https?:)?//""", page)
    assert "<title>시험 &lt;지도&gt; &amp; 제목</title>" in page


def test_long_texts_are_cut(view, tmp_path) -> None:
    write_map(tmp_path / "map.html", View("가", view.xy, view.labels, ["나" * 5000] * 5, view.topics, []))
    assert max(map(len, data_of((tmp_path / "map.html").read_text("utf-8"))["texts"])) == 300


def test_colours_differ_and_can_be_seen_on_white_and_black() -> None:
    colours = topic_colours(60)
    assert len(set(colours)) == 60
    for colour in colours:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        light = float(np.dot(channels, [0.2126, 0.7152, 0.0722]))
        assert 1.05 / (light + 0.05) > 1.8 and (light + 0.05) / 0.05 > 3


# Asked of the page after it has drawn itself; the answers are read out of the document.
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const answers = { title: document.title, facts: byId("facts").textContent };
  answers.names = [...document.querySelectorAll(".name")].map(e => e.textContent);
  answers.dots = [...document.querySelectorAll(".dot")].map(e => getComputedStyle(e).backgroundColor);
  answers.curves = document.querySelectorAll("svg.time path").length;
  draw();
  const shot = pen.getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
  for (let i = 0; i < shot.length; i += 4) seen.add([shot[i], shot[i + 1], shot[i + 2]].join());
  answers.canvas = seen.size;
  point(0);
  answers.tip = tip.textContent;
  const box = byId("search");
  box.value = "지하철".normalize("NFD");
  box.dispatchEvent(new Event("input"));
  answers.found = byId("found").textContent;
  answers.hits = [...document.querySelectorAll(".hit")].map(e => e.textContent);
  // A font without a glyph draws the same box for every character.
  const glyph = c => {
    const own = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    own.font = "40px " + getComputedStyle(document.body).fontFamily;
    own.fillText(c, 4, 48);
    return own.getImageData(0, 0, 60, 60).data.join();
  };
  const drawn = [..."가힣뷁한글찌개·"].map(glyph);
  answers.glyphs = new Set([...drawn, glyph("\\uffff")]).size - 1 === drawn.length;
  answers.wide = document.documentElement.scrollWidth <= innerWidth;
  answers.stage = byId("stage").getBoundingClientRect().height > 200;
  const out = document.createElement("pre");
  out.id = "answers";
  out.textContent = JSON.stringify(answers);
  document.body.append(out);
}, 200));
</script>
"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (500, 900)], ids=["desktop", "phone"])
def test_in_a_browser(view, tmp_path, width, height) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine")
    write_map(tmp_path / "map.html", view)
    page = (tmp_path / "map.html").read_text("utf-8").replace("</body>", PROBE + "</body>")
    (tmp_path / "probe.html").write_text(page, "utf-8")
    answers = ask(browser, tmp_path / "probe.html", f"--window-size={width},{height}")
    if not answers.pop("glyphs"):
        pytest.skip("the machine has no Korean font")
    assert answers["title"] == TITLE
    assert answers["names"] == ["김치 · 찌개", "지하철"]
    assert len(set(answers["dots"])) == 2 and answers["curves"] == 2
    assert answers["canvas"] > 4, "points and names are drawn in colour"
    assert "김치찌개가 매웠다" in answers["tip"]
    assert answers["hits"] == [TEXTS[2]] and answers["found"].startswith("1")
    assert answers["wide"] and answers["stage"]
    assert "5" in answers["facts"]


def ask(browser: str, page: Path, *flags: str) -> dict:
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", profile, *flags]
    ran = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, timeout=120, check=True)
    found = re.search(r'<pre id="answers">(.*?)</pre>', ran.stdout.decode("utf-8"), re.S)
    assert found, ran.stderr.decode("utf-8", "replace")[-500:]
    return json.loads(found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def test_picture_has_names_and_no_boxes(view, tmp_path, caplog, monkeypatch) -> None:
    pytest.importorskip("matplotlib")
    from ko_sentence_transformers.topics import picture

    # A missing glyph is a warning of matplotlib, and warnings are errors here.
    picture.write_picture(tmp_path / "map.png", View("가", view.xy, view.labels, TEXTS, view.topics, []))
    assert (tmp_path / "map.png").stat().st_size > 5000
    monkeypatch.setattr(picture, "find_hangul_font", lambda text: None)
    picture.write_picture(tmp_path / "plain.png", view)
    assert "no Korean font" in caplog.text


def test_empty_map_is_drawn(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    from ko_sentence_transformers.topics.picture import write_picture

    nothing = View("빈 지도", np.full((1, 2), np.nan, dtype=np.float32), np.array([-1]), [" "], (), [])
    write_map(tmp_path / "map.html", nothing)
    write_picture(tmp_path / "map.png", nothing)
