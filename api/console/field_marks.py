"""What stands at the fields of a page that cannot be used."""

from collections.abc import Callable, Iterator

from markupsafe import Markup


def make_marker() -> Callable[[], Markup]:
    """What a template writes into each field that is wrong: whoever reads the page lands in the first."""

    def iterate() -> Iterator[Markup]:
        yield Markup('aria-invalid="true" autofocus')
        while True:
            yield Markup('aria-invalid="true"')

    marks = iterate()
    return lambda: next(marks)
