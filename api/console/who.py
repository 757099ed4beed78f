"""A person on a page: the full name as text, the account where somebody points at it."""

from markupsafe import Markup


class Who(str):
    """What somebody is called. In a sentence it is the name; by itself on a page the account is its title."""

    account: str

    def __new__(cls, name: str, account: str = "") -> "Who":
        """`account` is empty for machines and tokens, which have a name alone."""
        one = super().__new__(cls, name)
        one.account = account
        return one

    def __html__(self) -> str:
        """The name with the account as title, and not for machines to translate."""
        name = str(self)
        if self.account in ("", name):
            return Markup.escape(name)
        return Markup('<span title="{}" translate="no">{}</span>').format(self.account, name)
