"""Writes tests/fixtures/data/numpy.npz: the arrays of many element types that the tests on `npz` read. Needs NumPy."""

import numpy as np

np.savez_compressed(
    "tests/fixtures/data/numpy.npz",
    x=np.arange(12, dtype="<f8").reshape(4, 3) / 4,
    fortran=np.asfortranarray(np.arange(24, dtype="<f4").reshape(4, 3, 2)),
    big=np.array([[1, -2], [3, -4], [5, -6], [7, 70000]], dtype=">i4"),
    small=np.array([-1, 2, -3, 4], dtype="i1"),
    bytes=np.array([[0, 255], [1, 254], [2, 253], [3, 252]], dtype="u1"),
    long=np.array([0, 1, 2, 1], dtype="<i8"),
    half=np.array([0.5, -2.0, 6.1035e-5, 65504], dtype="<f2"),
    truth=np.array([True, False, True, True]),
    kind=np.array(["cat", "dog", "", "größe"]),
    old=np.array([b"a", b"bc", b"a", b"bc"]),
    gap=np.array([1.0, np.nan, 3.0, 4.0]),
    shorter=np.zeros((3, 2)),
    one=np.float32(3),
    objects=np.array([None, 1, "x", 2], dtype=object),
)
