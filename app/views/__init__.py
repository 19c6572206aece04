"""One module for each page, in the order in which a user walks."""
