"""The words in the picture are those that were given."""

import matplotlib.pyplot as plt
import pytest

from genedu.plots import text_rows


def test_each_text_stands_under_its_name():
    figure = text_rows({"a model": ["is it $5$ ?", "one two three four five"], "another": ["x\ny"]}, width=12)
    words = [t.get_text() for t in figure.texts]
    assert words == ["a model", "is it $5$ ?", "one two", "  three four", "  five", "another", "x y"]
    assert [t.get_weight() for t in figure.texts] == ["bold", *["normal"] * 4, "bold", "normal"]
    heights = [t.get_position()[1] for t in figure.texts]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 7 and 0 < heights[-1] < heights[0] < 1
    assert not any(t.get_parse_math() for t in figure.texts), "a dollar sign is a dollar sign"
    plt.close(figure)


def test_an_empty_text_has_a_line():
    figure = text_rows({"a": [""]})
    assert [t.get_text() for t in figure.texts] == ["a", ""]
    plt.close(figure)


@pytest.mark.parametrize(("rows", "width"), [({}, 80), ({"a": []}, 80), ({"a": ["b"]}, 9)])
def test_what_cannot_be_shown(rows, width):
    with pytest.raises(ValueError, match="at least one text each"):
        text_rows(rows, width=width)
