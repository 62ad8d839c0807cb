"""The committed facts: their shapes, their loader, their checks."""
