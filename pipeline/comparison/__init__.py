"""Finished runs, chosen, read back and compared; scored again; placed beside published numbers; a page of a sweep."""
