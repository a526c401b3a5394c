"""Inert stand-ins for what a pickle names: they hold data and do nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Stands for an instance of a class that is not ours, such as `argparse.Namespace`.

    Attributes:
        module: Module of the class, as the file spells it.
        name: Name of the class.
        state: What the file stores for the instance, most often the dict of its attributes;
            None if it stores nothing.
    """

    module: str
    name: str
    state: object = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.module}.{self.name})"


class Global(Record):
    """Stands for a class or function itself, such as `torch.float32`; `state` stays None."""

    @property
    def full_name(self) -> str:
        """Module and name with a space between them, as pickles write them."""
        return f"{self.module} {self.name}"
