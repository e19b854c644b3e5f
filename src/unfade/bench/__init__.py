"""The papers' protocols: methods, cases, tables, figures, reports."""
