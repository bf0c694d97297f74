import importlib.util
import logging
import warnings

import numpy as np
import pytest

from ko_sentence_transformers import fonts, scatter
from ko_sentence_transformers.errors import InputError
from ko_sentence_transformers.evaluation import Score
from ko_sentence_transformers.fonts import find_hangul_font
from ko_sentence_transformers.scatter import plot_scatter

pytest.importorskip("matplotlib")


@pytest.fixture
def score():
    draw = np.random.default_rng(1)
    gold = draw.integers(0, 26, 200) / 5
    points = (gold, gold / 5 + draw.normal(size=200) / 5)
    return Score("korsts", 200, "cosine_spearman", {"cosine_spearman": 81.5}, (80.0, 83.0), points=points)


def test_png_and_svg_are_what_they_say(score, tmp_path):
    png = plot_scatter(score, tmp_path / "a.png", title="우리 모델")
    assert png.read_bytes().startswith(b"\x89PNG")
    svg = plot_scatter(score, tmp_path / "a.SVG", title="우리 모델")
    assert b"<svg" in svg.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.SVG", "a.png"]


def test_hangul_is_drawn_as_glyphs(score, tmp_path):
    if find_hangul_font("가") is None:
        pytest.skip("no font with Hangul on this system")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph it draws as a box
        svg = plot_scatter(score, tmp_path / "a.svg", title="뷁 모델").read_text(encoding="utf-8")
    # Text is drawn as outlines, so that any viewer shows it.
    assert "<!-- 사람이 매긴 점수 -->" in svg
    assert "<text" not in svg


def test_the_font_has_every_character():
    ft2font = pytest.importorskip("matplotlib.ft2font")
    font = find_hangul_font("뷁똠")
    if font is None:
        pytest.skip("no font with Hangul on this system")
    glyphs = ft2font.FT2Font(font.get_file()).get_charmap()
    assert {ord("뷁"), ord("똠")} <= set(glyphs)


def test_a_font_from_a_package_stands_in_for_the_systems(monkeypatch):
    if importlib.util.find_spec("koreanize_matplotlib") is None:  # importing it would set its font for all tests
        pytest.skip("koreanize-matplotlib is not installed")
    manager = pytest.importorskip("matplotlib.font_manager")
    monkeypatch.setattr(manager.fontManager, "ttflist", [])
    assert find_hangul_font("뷁").get_file().endswith("NanumGothic.ttf")
    monkeypatch.setattr(fonts.importlib.util, "find_spec", lambda name: None)
    assert find_hangul_font("뷁") is None


def test_without_a_font_the_plot_is_in_english_and_says_so(score, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(scatter, "find_hangul_font", lambda text, font=None: None)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        svg = plot_scatter(score, tmp_path / "a.svg", title="모델 v2 한글").read_text(encoding="utf-8")
    assert "<!-- score given by people -->" in svg
    assert "<!-- v2  Spearman 81.50  n = 200 -->" in svg
    assert [record.message for record in caplog.records] == [
        "no font with Hangul on this system: the plot is labelled in English; name one with --font"
    ]


def test_characters_no_font_has_are_left_out(score, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = plot_scatter(score, tmp_path / "a.svg", title="모델 \U00012000 \U000e0041").read_text(encoding="utf-8")
    assert "\U00012000" not in svg


def test_a_font_without_hangul_is_refused(score, tmp_path):
    font_manager = pytest.importorskip("matplotlib.font_manager")
    latin = font_manager.findfont("DejaVu Sans")
    with pytest.raises(InputError, match="not a font with Hangul"):
        plot_scatter(score, tmp_path / "a.png", font=latin)
    with pytest.raises(InputError, match="not a font with Hangul"):
        plot_scatter(score, tmp_path / "a.png", font=tmp_path / "none.ttf")
    assert not list(tmp_path.iterdir())


def test_other_files_and_tasks_are_refused(score, tmp_path):
    with pytest.raises(InputError, match=r"a plot is \.png or \.svg"):
        plot_scatter(score, tmp_path / "a.pdf")
    no_pairs = Score("topics", 3, "v_measure", {"v_measure": 1.0}, (0.0, 1.0))
    with pytest.raises(InputError, match="task topics has no pairs"):
        plot_scatter(no_pairs, tmp_path / "a.png")


def test_the_same_scores_are_the_same_plot(score, tmp_path):
    first = plot_scatter(score, tmp_path / "a.png").read_bytes()
    assert plot_scatter(score, tmp_path / "b.png").read_bytes() == first
