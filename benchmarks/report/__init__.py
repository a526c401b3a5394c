"""What measurements become: rows, a page, plots, and what they show."""
