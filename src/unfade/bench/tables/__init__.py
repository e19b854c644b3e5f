"""Tables and figures of the papers, by the names of their commands."""

from unfade.bench.tables import experiments, iide, open_questions, study, sweeps
from unfade.bench.tables.base import ORDER, Table

_FOUND = {
    table.name: table
    for module in (iide, experiments, open_questions, study, sweeps)
    for table in module.TABLES
}
TABLES: dict[str, Table] = {name: _FOUND[name] for name in ORDER if name in _FOUND}

__all__ = ["TABLES", "Table"]
