"""The scenarios, one file each: ``measure(folder, repeats)`` gives a sheet."""
