"""One folder for each page: `page.py`, which draws it, and its parts."""
