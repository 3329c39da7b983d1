import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    assert plt.get_fignums() == [], "a figure stayed registered with pyplot"
