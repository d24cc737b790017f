"""Kernels: their kernelspecs, and the probe that tells which files a notebook opens."""
