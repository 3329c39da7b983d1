"""MatConvNet's files on disk."""

import pytest
import scipy.io


@pytest.fixture
def save(tmp_path):
    """Writes a MATLAB file of some content and returns its path."""

    def write(content, name="weights.mat"):
        scipy.io.savemat(tmp_path / name, content)
        return tmp_path / name

    return write
