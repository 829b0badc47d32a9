import pytest

from fairseq_amber.evaluation.report.panels import colour, legend, line, panels
from fairseq_amber.files.pictures import COLOURS


@pytest.mark.parametrize("count, columns, shape", [(1, 3, (1, 1)), (3, 3, (1, 3)), (5, 2, (3, 2))])
def test_a_figure_has_as_many_visible_panels_as_asked_for(count, columns, shape):
    with panels(count, columns=columns, size=(2, 1)) as (figure, axes):
        assert len(axes) == count
        rows, across = shape
        assert len(figure.axes) == rows * across
        assert [panel for panel in figure.axes if panel.get_visible()] == axes
        assert figure.get_size_inches().tolist() == pytest.approx([2 * across, rows + 0.4])


def test_colours_repeat_and_a_legend_fits_the_figure():
    assert colour(len(COLOURS) + 1) == colour(1) != colour(0)
    for name, columns in (("A", 3), ("a system with a name of some length", 1)):
        with panels(1, size=(3, 2)) as (figure, _):
            legend(figure, [line(number, name) for number in range(3)])
            [found] = figure.legends
            assert found._ncols == columns
            assert [handle.get_color() for handle in found.get_lines()] == list(COLOURS[:3])
