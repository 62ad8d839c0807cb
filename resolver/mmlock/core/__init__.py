"""The words of the domain: names, versions, targets, devices, errors. No I/O, no solving."""
