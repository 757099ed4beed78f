"""Where the reader of a refused form lands: in its first field that is wrong, else at the sentence that says why."""

from secrets import token_hex

from markupsafe import Markup


class Marks:
    """The marks of one page. Its templates mark fields and leave a place in each sentence that says why something was
    refused; which of them has the focus is known once the whole page is written."""

    def __init__(self) -> None:
        self._place = Markup("landing-{}").format(token_hex(16))  # nobody writes it into a record
        self._is_marked = False

    def mark_field(self) -> Markup:
        """What a template writes into each field that is wrong."""
        if self._is_marked:
            return Markup('aria-invalid="true"')
        self._is_marked = True
        return Markup('aria-invalid="true" autofocus')

    def mark_notice(self) -> Markup:
        """What a template writes into the sentence that says why something was refused."""
        return self._place

    def settle(self, page: str) -> str:
        """The written page; where no field is marked, its first such sentence has the focus."""
        landing = "" if self._is_marked else 'tabindex="-1" autofocus'
        return page.replace(self._place, landing, 1).replace(self._place, "")
