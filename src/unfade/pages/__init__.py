"""Pages of HTML that ask for nothing outside themselves, for reports."""
