"""The page in the browser: see the damage, mend it, compare, and take the file back."""
