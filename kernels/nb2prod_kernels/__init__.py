"""Kernels: their kernelspecs, the probe that tells which files a notebook opens, own modules."""
