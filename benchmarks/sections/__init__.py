"""Sections of the report: each measures one subject and gives rows."""
