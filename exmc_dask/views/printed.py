"""Text that a prompt and a notebook show as its lines, where they would quote a plain string."""


class Printed(str):
    """A string that is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
