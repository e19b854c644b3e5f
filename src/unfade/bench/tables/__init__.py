"""Tables and figures of the papers, by the names of their commands."""

from collections.abc import Iterable

from unfade.bench.tables import experiments, iide, open_questions, study, sweeps
from unfade.bench.tables.base import ORDER, Table


def in_order(tables: Iterable[Table]) -> dict[str, Table]:
    """The tables by name, in the order of a report.

    Raises:
        ValueError: a table that ORDER does not name.
    """
    by_name = {table.name: table for table in tables}
    for name in by_name.keys() - set(ORDER):
        raise ValueError(f"table '{name}' is not in ORDER of bench/tables/base.py: add it there")
    return {name: by_name[name] for name in ORDER if name in by_name}


TABLES: dict[str, Table] = in_order(
    table
    for module in (iide, experiments, open_questions, study, sweeps)
    for table in module.TABLES
)

__all__ = ["TABLES", "Table", "in_order"]
